/* One end of a benchmark over the C ABI: `bench_c bytes|typed|reactor MODE ENDPOINT SIZE COUNT`.
 * Modes and output as in benches/rust/src/main.rs. `typed` sends a payload of SIZE bytes that is
 * ready, in an envelope; `bytes` sends SIZE bytes without one. `reactor` sends as `typed` does, and
 * receives by a handler of a reactor in place of a loop of its own. */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dividere.h"

#define TYPE_NAME "bench.Payload"

static int typed, by_reactor;
static size_t size;
static uint64_t count;
static char *payload;

static void check(dividere_status_t status, const char *what) {
    if (status != DIVIDERE_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, dividere_status_name(status), dividere_last_error());
        exit(1);
    }
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static dividere_options_t *waiting(void) {
    dividere_options_t *options = NULL;
    check(dividere_options_new(&options), "options");
    check(dividere_options_set_int(options, DIVIDERE_OPTION_FULL_QUEUE, DIVIDERE_FULL_QUEUE_BLOCK), "full queue");
    check(dividere_options_set_int(options, DIVIDERE_OPTION_SEND_TIMEOUT_MS, -1), "send timeout");
    return options;
}

static void tell_endpoint(dividere_socket_t socket) {
    char text[256];
    size_t len = sizeof text;
    check(dividere_socket_last_endpoint(socket, text, sizeof text, &len), "last endpoint");
    printf("%s\n", text);
    fflush(stdout);
}

static dividere_message_t *message(void) {
    dividere_message_t *m = NULL;
    check(dividere_message_new(&m), "message");
    return m;
}

static void fill(dividere_message_t *m) {
    void *place = NULL;
    if (typed) {
        check(dividere_message_prepare(m, TYPE_NAME, size, &place), "prepare");
    } else {
        check(dividere_message_prepare_bytes(m, size, &place), "prepare");
    }
    memcpy(place, payload, size);
}

static void look(dividere_message_t *m) {
    dividere_view_t view;
    check(dividere_message_view(m, &view), "view");
    if (view.payload_len != size) {
        fprintf(stderr, "a payload of %zu bytes instead of %zu\n", view.payload_len, size);
        exit(1);
    }
}

static void *send_all(void *argument) {
    dividere_publisher_t *publisher = argument;
    dividere_message_t *m = message();
    uint64_t i;
    check(dividere_publisher_wait_for_subscribers(*publisher, NULL, 1, -1), "wait for a subscriber");
    for (i = 0; i < count; i++) {
        fill(m);
        check(dividere_publisher_send(*publisher, m), "send");
    }
    dividere_message_free(m);
    check(dividere_publisher_close(*publisher), "close");
    return NULL;
}

static void receive_all(const char *endpoint) {
    dividere_subscriber_t subscriber;
    dividere_options_t *options = waiting();
    dividere_message_t *m = message();
    uint64_t i, start = 0;
    check(dividere_subscriber_new(endpoint, options, &subscriber), "subscriber");
    for (i = 0; i < count; i++) {
        check(typed ? dividere_subscriber_recv(subscriber, m, -1) : dividere_subscriber_recv_bytes(subscriber, m, -1),
              "receive");
        look(m);
        if (i == 0)
            start = now();
    }
    printf("%" PRIu64 "\n", now() - start);
    dividere_message_free(m);
    dividere_options_free(options);
    check(dividere_subscriber_close(subscriber), "close");
}

/* What the handler knows: how many came, and when the first one did. */
struct received {
    uint64_t messages, start;
};

static dividere_status_t on_payload(void *context, const dividere_delivery_t *from, dividere_message_t *m) {
    struct received *received = context;
    look(m);
    received->messages++;
    if (received->messages == 1)
        received->start = now();
    return received->messages == count ? dividere_reactor_stop(from->reactor, 0) : DIVIDERE_OK;
}

static void receive_by_reactor(const char *endpoint) {
    dividere_subscriber_t subscriber;
    dividere_reactor_t reactor;
    struct received received = {0, 0};
    dividere_options_t *options = waiting();
    check(dividere_subscriber_new(endpoint, options, &subscriber), "subscriber");
    check(dividere_reactor_new(&reactor), "reactor");
    check(dividere_reactor_on(reactor, TYPE_NAME, on_payload, &received, NULL), "handler");
    check(dividere_reactor_add(reactor, dividere_subscriber_socket(subscriber)), "add");
    check(dividere_reactor_run(reactor), "run");
    printf("%" PRIu64 "\n", now() - received.start);
    dividere_options_free(options);
    check(dividere_reactor_close(reactor), "close");
    check(dividere_subscriber_close(subscriber), "close");
}

static void receive(const char *endpoint) {
    if (by_reactor)
        receive_by_reactor(endpoint);
    else
        receive_all(endpoint);
}

static void answer_all(const char *endpoint) {
    dividere_response_t response;
    dividere_message_t *m = message();
    uint64_t i;
    char binds[512];
    snprintf(binds, sizeof binds, "@%s", endpoint);
    check(dividere_response_new(binds, NULL, &response), "response");
    tell_endpoint(dividere_response_socket(response));
    for (i = 0; i < count; i++) {
        check(typed ? dividere_response_recv(response, m, -1) : dividere_response_recv_bytes(response, m, -1),
              "receive");
        look(m);
        check(dividere_response_send(response, m), "send");
    }
    check(dividere_response_close(response), "close");
}

static void ask_all(const char *endpoint) {
    dividere_request_t request;
    dividere_message_t *question = message(), *answer = message();
    uint64_t i, before, after;
    check(dividere_request_new(endpoint, NULL, &request), "request");
    check(dividere_socket_wait_connected(dividere_request_socket(request), 0, -1), "wait for the connection");
    before = now();
    for (i = 0; i < count; i++) {
        fill(question);
        check(dividere_request_call(request, question, answer, -1, 0), "call");
        look(answer);
        after = now();
        printf("%" PRIu64 " ", after - before);
        before = after;
    }
    printf("\n");
    check(dividere_request_close(request), "close");
}

int main(int argc, char **argv) {
    const char *mode, *endpoint;
    dividere_publisher_t publisher;
    dividere_options_t *options = waiting();
    if (argc != 6) {
        fprintf(stderr, "usage: bench_c bytes|typed|reactor send|recv|ping|pong|both ENDPOINT SIZE COUNT\n");
        return 2;
    }
    by_reactor = strcmp(argv[1], "reactor") == 0;
    typed = by_reactor || strcmp(argv[1], "typed") == 0;
    mode = argv[2];
    endpoint = argv[3];
    size = (size_t)strtoull(argv[4], NULL, 10);
    count = strtoull(argv[5], NULL, 10);
    payload = calloc(1, size);
    if (payload == NULL)
        return 1;
    if (size > 0)
        payload[0] = 1;
    if (strcmp(mode, "send") == 0) {
        check(dividere_publisher_new(endpoint, options, &publisher), "publisher");
        tell_endpoint(dividere_publisher_socket(publisher));
        send_all(&publisher);
    } else if (strcmp(mode, "recv") == 0) {
        receive(endpoint);
    } else if (strcmp(mode, "pong") == 0) {
        answer_all(endpoint);
    } else if (strcmp(mode, "ping") == 0) {
        ask_all(endpoint);
    } else if (strcmp(mode, "both") == 0) {
        pthread_t thread;
        check(dividere_publisher_new(endpoint, options, &publisher), "publisher");
        if (pthread_create(&thread, NULL, send_all, &publisher) != 0)
            return 1;
        receive(endpoint);
        pthread_join(thread, NULL);
    } else if (strcmp(mode, "frame") == 0) {
        size_t frame = size;
        if (typed)
            check(dividere_envelope_size(TYPE_NAME, size, &frame), "envelope size");
        printf("%zu\n", frame);
    } else {
        return 2;
    }
    dividere_options_free(options);
    free(payload);
    return 0;
}
