#include "support.h"

#include <stdio.h>
#include <stdlib.h>

void check(dividere_status_t status, const char *what) {
    if (status != DIVIDERE_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, dividere_status_name(status), dividere_last_error());
        exit(1);
    }
}

void require(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

void endpoint_of(dividere_socket_t socket, char endpoint[LONGEST_ENDPOINT]) {
    check(dividere_socket_last_endpoint(socket, endpoint, LONGEST_ENDPOINT, NULL), "endpoint");
}

pthread_t start(void *(*body)(void *context), void *context) {
    pthread_t thread;
    require(pthread_create(&thread, NULL, body, context) == 0, "no thread could be made");
    return thread;
}
