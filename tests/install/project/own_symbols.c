/* A host with functions of its own named like libzmq's and libsodium's: dividere
 * must use the ones that it brings, and the host keep its own. */
#include <dividere.h>
#include <stdio.h>

static int calls;

void *zmq_ctx_new(void) {
    calls++;
    return NULL;
}

void *zmq_socket(void *context, int type) {
    (void)context;
    (void)type;
    calls++;
    return NULL;
}

int sodium_init(void) {
    calls++;
    return -1;
}

int main(void) {
    dividere_publisher_t publisher = {0};
    dividere_key_t public_key;
    dividere_key_t secret_key;
    dividere_status_t status = dividere_publisher_new("tcp://127.0.0.1:*", NULL, &publisher);
    if (status) {
        fprintf(stderr, "publisher: %s\n", dividere_last_error());
        return 1;
    }
    status = dividere_curve_keypair(&public_key, &secret_key);
    if (status) {
        fprintf(stderr, "key pair: %s\n", dividere_last_error());
        return 1;
    }
    dividere_publisher_close(publisher);
    if (calls != 0) {
        fprintf(stderr, "dividere called the host's functions %d times\n", calls);
        return 1;
    }
    zmq_ctx_new();
    zmq_socket(NULL, 0);
    sodium_init();
    if (calls != 3) {
        fprintf(stderr, "the host's own functions were replaced\n");
        return 1;
    }
    printf("the host kept its own\n");
    return 0;
}
