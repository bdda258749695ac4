/* Request and response: a question gets its answer, or an error, in time. */
#include "support.h"

#include <stdio.h>

static void *serve(void *context) {
    const dividere_response_t response = *(const dividere_response_t *)context;
    dividere_message_t *message;
    dividere_status_t status;

    check(dividere_message_new(&message), "message");
    while ((status = dividere_response_recv(response, message, -1)) != DIVIDERE_CLOSED) {
        struct division division;
        struct quotient quotient;
        if (status == DIVIDERE_DECODE)
            continue; /* was answered with an error already */
        check(status, "receive");
        if (message_get(message, &division_type, &division) != DIVIDERE_OK) {
            check(dividere_response_send_error(response, DIVIDERE_TYPE, dividere_last_error()), "answer");
        } else if (division.divisor == 0) {
            check(dividere_response_send_error(response, DIVIDERE_INVALID_ARGUMENT, "nothing can be divided by zero"),
                  "answer");
        } else {
            quotient.quotient = division.dividend / division.divisor;
            quotient.remainder = division.dividend % division.divisor;
            check(message_set(message, &quotient_type, &quotient), "quotient");
            check(dividere_response_send(response, message), "answer");
        }
    }
    dividere_message_free(message);
    return NULL;
}

static void ask(const char *endpoint) {
    dividere_request_t request;
    dividere_message_t *message;
    dividere_message_t *reply;
    struct division division = {17, 5};
    struct quotient quotient;
    dividere_status_t status;

    check(dividere_request_new(endpoint, NULL, &request), "request");
    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    check(message_set(message, &division_type, &division), "division");
    /* Waits two seconds for the answer, and asks up to four times more where none comes. */
    check(dividere_request_call(request, message, reply, 2 * SECOND_MS, 4), "call");
    check(message_get(reply, &quotient_type, &quotient), "quotient");
    printf("17 / 5 = %llu, remainder %llu\n", (unsigned long long)quotient.quotient,
           (unsigned long long)quotient.remainder);
    require(quotient.quotient == 3 && quotient.remainder == 2, "that is wrong");

    /* The server's error is ours. */
    division.divisor = 0;
    check(message_set(message, &division_type, &division), "division");
    status = dividere_request_call(request, message, reply, 2 * SECOND_MS, 4);
    require(status == DIVIDERE_INVALID_ARGUMENT, "17 / 0 was not refused");
    printf("17 / 0: %s: %s\n", dividere_status_name(status), dividere_last_error());

    dividere_message_free(message);
    dividere_message_free(reply);
    check(dividere_request_close(request), "close");
}

int main(void) {
    dividere_response_t response;
    char endpoint[LONGEST_ENDPOINT];
    pthread_t server;

    check(dividere_response_new("tcp://127.0.0.1:*", NULL, &response), "response");
    endpoint_of(dividere_response_socket(response), endpoint);
    server = start(serve, &response);
    ask(endpoint);
    check(dividere_response_close(response), "close"); /* wakes the server */
    pthread_join(server, NULL);
    return 0;
}
