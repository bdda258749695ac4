/* Broker, workers and clients from C: handlers, receiving by oneself, errors, and what the broker tells. */
#include "check.h"

struct ends {
    char front[64], back[64];
};

static dividere_broker_t make_broker(struct ends *ends) {
    dividere_broker_t broker = {0};
    CHECK_OK(dividere_broker_new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", NO_OPTIONS, &broker));
    CHECK_OK(dividere_broker_last_endpoint(broker, DIVIDERE_BROKER_SIDE_FRONT, ends->front, sizeof ends->front, NULL));
    CHECK_OK(dividere_broker_last_endpoint(broker, DIVIDERE_BROKER_SIDE_BACK, ends->back, sizeof ends->back, NULL));
    return broker;
}

static dividere_broker_statistics_t counts_of(dividere_broker_t broker) {
    dividere_broker_statistics_t counts;
    memset(&counts, 0xff, sizeof counts);
    CHECK_OK(dividere_broker_statistics(broker, &counts));
    return counts;
}

/* Answers with the same payload; fails and forgets where it is asked to. */
static dividere_status_t serve(void *context, dividere_worker_t worker, dividere_message_t *request,
                               dividere_message_t *reply) {
    const dividere_view_t view = check_view(request);
    CHECK(worker.id != 0 && *(const int *)context >= 0);
    if (view.kind == DIVIDERE_MESSAGE_BYTES) {
        return dividere_message_set_bytes(reply, view.bytes, view.bytes_len);
    }
    if (dividere_message_is(request, "test.Fail")) {
        return dividere_fail(DIVIDERE_NOT_FOUND, "no such thing");
    }
    if (dividere_message_is(request, "test.ByItself")) {
        CHECK_OK(dividere_message_set(reply, "test.Reply", "itself", 6));
        CHECK_OK(dividere_message_reply(request, reply));
        return DIVIDERE_OK;
    }
    return dividere_message_set(reply, "test.Reply", view.payload, view.payload_len);
}

static void count(void *context) { ++*(int *)context; }

static void handlers_answer(void) {
    struct ends ends;
    const dividere_broker_t broker = make_broker(&ends);
    dividere_worker_t worker = {0};
    dividere_options_t *options = NULL;
    dividere_message_t *message = check_message(), *reply = check_message();
    dividere_request_t request;
    int ended = 0;
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_WORKER_CAPACITY, 3));
    CHECK_OK(dividere_worker_new(ends.back, options, &worker));
    CHECK_OK(dividere_worker_serve(worker, serve, &ended, count));
    CHECK_OK(dividere_broker_wait_workers(broker, 1, LONG_MS));
    CHECK(counts_of(broker).idle_workers == 1);
    request = check_request(ends.front);

    CHECK_OK(dividere_message_set(message, "test.Question", "abc", 3));
    CHECK_OK(dividere_request_call(request, message, reply, LONG_MS, 1));
    check_holds(reply, "test.Reply", "abc");
    CHECK_OK(dividere_message_set(message, "test.ByItself", "abc", 3));
    CHECK_OK(dividere_request_call(request, message, reply, LONG_MS, 0));
    check_holds(reply, "test.Reply", "itself");
    CHECK_OK(dividere_message_set_bytes(message, "\xffraw", 4));
    CHECK_OK(dividere_request_call(request, message, reply, LONG_MS, 0));
    CHECK(check_view(reply).bytes_len == 4);
    CHECK_OK(dividere_message_set(message, "test.Fail", "", 0));
    CHECK_SAYS(DIVIDERE_NOT_FOUND, "no such thing", dividere_request_call(request, message, reply, LONG_MS, 0));

    CHECK(counts_of(broker).served == 4 && counts_of(broker).working == 0 && counts_of(broker).reserved[0] == 0);
    CHECK(ended == 0);
    CHECK_OK(dividere_worker_stop(worker, LONG_MS));
    CHECK(ended == 1);
    CHECK_IS(DIVIDERE_CLOSED, dividere_worker_close(worker));
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_broker_close(broker));
    CHECK_IS(DIVIDERE_CLOSED, dividere_broker_wait_workers(broker, 0, 0));
    dividere_options_free(options);
    dividere_message_free(message);
    dividere_message_free(reply);
}

static void a_worker_can_receive_by_itself_and_has_the_view_of_all_roles(void) {
    struct ends ends;
    const dividere_broker_t broker = make_broker(&ends);
    dividere_worker_t worker = {0};
    dividere_request_t request;
    dividere_reactor_t reactor;
    dividere_statistics_t statistics;
    dividere_message_t *message = check_message();
    int32_t fd = -1;
    CHECK_OK(dividere_worker_new(ends.back, NO_OPTIONS, &worker));
    CHECK_OK(dividere_socket_wait_connected(dividere_worker_socket(worker), 0, LONG_MS));
    request = check_request(ends.front);
    CHECK_OK(dividere_request_send_bytes(request, "raw", 3));
    CHECK_OK(dividere_socket_wait(dividere_worker_socket(worker), LONG_MS));
    CHECK_OK(dividere_socket_fd(dividere_worker_socket(worker), &fd));
    CHECK(fd >= 0);
    CHECK_OK(dividere_worker_recv_bytes(worker, message, LONG_MS));
    check_holds_bytes(message, "raw");
    CHECK(check_view(message).can_reply == 1);
    CHECK(counts_of(broker).working == 1);
    CHECK_OK(dividere_message_reply_error(message, DIVIDERE_BUSY, "not now"));
    CHECK_SAYS(DIVIDERE_BUSY, "not now", dividere_socket_recv(dividere_request_socket(request), message, LONG_MS));
    /* What is no envelope is refused where one was wanted. */
    CHECK_OK(dividere_request_send_bytes(request, "raw", 3));
    CHECK_IS(DIVIDERE_DECODE, dividere_worker_recv(worker, message, LONG_MS));
    CHECK_IS(DIVIDERE_DECODE, dividere_socket_recv(dividere_request_socket(request), message, LONG_MS));
    CHECK_OK(dividere_socket_statistics(dividere_worker_socket(worker), &statistics));
    CHECK(statistics.peers == 1 && statistics.decode_errors == 1 && statistics.messages_in >= 2);
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_send_bytes(dividere_worker_socket(worker), "x", 1));
    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_reactor_add(reactor, dividere_worker_socket(worker)));
    CHECK_OK(dividere_reactor_close(reactor));
    CHECK_OK(dividere_worker_close(worker));
    CHECK_IS(DIVIDERE_CLOSED, dividere_worker_recv(worker, message, LONG_MS));
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_broker_close(broker));
    dividere_message_free(message);
}

static void a_full_queue_refuses(void) {
    dividere_broker_t broker = {0};
    dividere_options_t *options = NULL;
    dividere_request_t request;
    char front[64];
    dividere_message_t *message = check_message(), *reply = check_message();
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_BROKER_QUEUE_LIMIT, 0));
    CHECK_OK(dividere_broker_new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", options, &broker));
    CHECK_OK(dividere_broker_last_endpoint(broker, DIVIDERE_BROKER_SIDE_FRONT, front, sizeof front, NULL));
    request = check_request(front);
    CHECK_OK(dividere_message_set(message, "test.Question", "abc", 3));
    CHECK_IS(DIVIDERE_BUSY, dividere_request_call(request, message, reply, LONG_MS, 0));
    CHECK(counts_of(broker).refused == 1);
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_broker_close(broker));
    dividere_options_free(options);
    dividere_message_free(message);
    dividere_message_free(reply);
}

CHECK_MAIN(TEST(handlers_answer), TEST(a_worker_can_receive_by_itself_and_has_the_view_of_all_roles),
           TEST(a_full_queue_refuses))
