/* Handles that are closed, stale, of another kind, none or inherited do no harm. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_closed_handle_stays_closed(void) {
    char endpoint[128], text[128] = "before";
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint), next = {0};
    dividere_socket_t socket = dividere_publisher_socket(publisher);
    size_t count = 77;

    CHECK(socket.id == publisher.id);
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_socket_attach(socket, NULL));
    snprintf(text, sizeof text, "%s", dividere_last_error());
    CHECK_OK(dividere_publisher_close(publisher));
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_close(publisher));
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_close(socket));
    CHECK_TEXT(text, dividere_last_error());
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_send_bytes(socket, "a", 1));
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_subscribers(publisher, NULL, &count));
    CHECK(count == 77);
    /* Another one in the same place is not it. */
    next = check_publisher(endpoint, sizeof endpoint);
    CHECK(next.id != publisher.id);
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_close(publisher));
    CHECK_OK(dividere_publisher_send_bytes(next, "a", 1));
    CHECK_OK(dividere_publisher_close(next));
}

static void a_handle_of_another_kind_is_refused_and_unharmed(void) {
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber;
    dividere_reactor_t reactor;
    dividere_socket_t socket;
    dividere_message_t *message = check_message();

    subscriber.id = publisher.id;
    reactor.id = publisher.id;
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "publisher", dividere_subscriber_recv(subscriber, message, 0));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_subscriber_close(subscriber));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_reactor_run(reactor));
    CHECK_OK(dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_OK(dividere_publisher_close(publisher));

    CHECK_OK(dividere_reactor_new(&reactor));
    socket.id = reactor.id;
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "reactor", dividere_socket_wait(socket, 0));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_socket_close(socket));
    CHECK_OK(dividere_reactor_close(reactor));
    dividere_message_free(message);
}

static void none_and_nonsense_are_no_handles(void) {
    const uint64_t nonsense[] = {1,
                                 77,
                                 UINT64_C(0x0100000000000000),
                                 UINT64_C(0x01ffffff00000001),
                                 UINT64_C(0x0100000000000063),
                                 UINT64_C(0xff00000000000001),
                                 UINT64_MAX};
    dividere_publisher_t publisher = {0};
    dividere_socket_t socket = {0};
    size_t i;

    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_wait(socket, 0));
    CHECK_OK(dividere_publisher_close(publisher));
    CHECK_OK(dividere_socket_close(socket));
    for (i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        int32_t expected = nonsense[i] >> 56 == 1 ? DIVIDERE_CLOSED : DIVIDERE_INVALID_ARGUMENT;
        publisher.id = socket.id = nonsense[i];
        CHECK_IS(expected, dividere_publisher_send_bytes(publisher, "a", 1));
        CHECK_IS(expected, dividere_publisher_close(publisher));
        CHECK_IS(expected, dividere_socket_close(socket));
    }
}

static void a_failed_constructor_leaves_none(void) {
    dividere_publisher_t publisher = {77};
    dividere_subscriber_t subscriber = {77};
    const char *types[] = {"acme.A", NULL};

    CHECK_SAYS(DIVIDERE_ENDPOINT, "nowhere", dividere_publisher_new("nowhere", NO_OPTIONS, &publisher));
    CHECK(publisher.id == 0);
    CHECK_IS(DIVIDERE_NULL_POINTER,
             dividere_subscriber_new_for_types("tcp://127.0.0.1:9", types, 2, NO_OPTIONS, &subscriber));
    CHECK(subscriber.id == 0);
}

struct blocked {
    dividere_subscriber_t subscriber;
    int32_t status;
};

static void *receive_for_ever(void *context) {
    struct blocked *blocked = (struct blocked *)context;
    dividere_message_t *message = check_message();
    blocked->status = dividere_subscriber_recv(blocked->subscriber, message, -1);
    dividere_message_free(message);
    return NULL;
}

static void closing_wakes_whoever_is_blocked(void) {
    enum { THREADS = 4, ROUNDS = 50 };
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    int round, i;
    for (round = 0; round < ROUNDS; round++) {
        struct blocked blocked[THREADS];
        pthread_t threads[THREADS];
        dividere_subscriber_t subscriber = check_subscriber(endpoint);
        for (i = 0; i < THREADS; i++) {
            blocked[i].subscriber = subscriber;
            blocked[i].status = DIVIDERE_OK;
            CHECK(pthread_create(&threads[i], NULL, receive_for_ever, &blocked[i]) == 0);
        }
        CHECK_OK(dividere_subscriber_close(subscriber));
        for (i = 0; i < THREADS; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
            CHECK(blocked[i].status == DIVIDERE_CLOSED);
        }
    }
    CHECK_OK(dividere_publisher_close(publisher));
}

static void *close_it(void *context) {
    dividere_publisher_t publisher;
    publisher.id = *(const uint64_t *)context;
    return dividere_publisher_close(publisher) == DIVIDERE_OK ? context : NULL;
}

static void one_of_several_closers_wins(void) {
    enum { THREADS = 4, ROUNDS = 50 };
    int round, i;
    for (round = 0; round < ROUNDS; round++) {
        dividere_publisher_t publisher = {0};
        pthread_t threads[THREADS];
        int winners = 0;
        CHECK_OK(dividere_publisher_new("inproc://closers", NO_OPTIONS, &publisher));
        for (i = 0; i < THREADS; i++) {
            CHECK(pthread_create(&threads[i], NULL, close_it, &publisher.id) == 0);
        }
        for (i = 0; i < THREADS; i++) {
            void *won = NULL;
            CHECK(pthread_join(threads[i], &won) == 0);
            winners += won != NULL;
        }
        CHECK(winners == 1);
    }
}

static void a_child_is_told_that_a_handle_is_its_parents(void) {
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_reactor_t reactor = {0};
    dividere_message_t *message = check_message();
    pid_t child;
    int status = 0;

    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char own[128];
        dividere_publisher_t fresh;
        CHECK_IS(DIVIDERE_FORKED, dividere_publisher_send_bytes(publisher, "a", 1));
        CHECK_IS(DIVIDERE_FORKED, dividere_subscriber_recv(subscriber, message, LONG_MS));
        CHECK_IS(DIVIDERE_FORKED, dividere_socket_wait(dividere_subscriber_socket(subscriber), -1));
        CHECK_IS(DIVIDERE_FORKED, dividere_reactor_run(reactor));
        CHECK_IS(DIVIDERE_FORKED, dividere_reactor_close(reactor));
        CHECK_IS(DIVIDERE_FORKED, dividere_publisher_close(publisher));
        CHECK_IS(DIVIDERE_FORKED, dividere_publisher_close(publisher));
        CHECK_IS(DIVIDERE_FORKED, dividere_publisher_send_bytes(publisher, "a", 1));
        fresh = check_publisher(own, sizeof own);
        CHECK(fresh.id != publisher.id);
        CHECK_OK(dividere_publisher_send_bytes(fresh, "a", 1));
        CHECK_OK(dividere_publisher_close(fresh));
        exit(EXIT_SUCCESS);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    CHECK_OK(dividere_publisher_send_bytes(publisher, "still here", 10));
    CHECK_OK(dividere_subscriber_recv_bytes(subscriber, message, LONG_MS));
    check_holds_bytes(message, "still here");
    dividere_message_free(message);
    CHECK_OK(dividere_reactor_close(reactor));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

static void shutdown_closes_all_and_new_ones_can_be_made(void) {
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    CHECK_IS(DIVIDERE_STATE, dividere_configure(NO_OPTIONS));
    CHECK_OK(dividere_shutdown(100));
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_IS(DIVIDERE_CLOSED, dividere_publisher_close(publisher));
    publisher = check_publisher(endpoint, sizeof endpoint);
    CHECK_OK(dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_OK(dividere_publisher_close(publisher));
}

CHECK_MAIN(TEST(a_closed_handle_stays_closed), TEST(a_handle_of_another_kind_is_refused_and_unharmed),
           TEST(none_and_nonsense_are_no_handles), TEST(a_failed_constructor_leaves_none),
           TEST(closing_wakes_whoever_is_blocked), TEST(one_of_several_closers_wins),
           TEST(a_child_is_told_that_a_handle_is_its_parents), TEST(shutdown_closes_all_and_new_ones_can_be_made))
