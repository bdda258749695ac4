/* Asking and answering through the ABI: order, errors, late answers, dealers. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

static void a_request_is_answered(void) {
    char endpoint[128];
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_request_t request = check_request(endpoint);
    dividere_message_t *out = check_message(), *in = check_message();

    CHECK_IS(DIVIDERE_STATE, dividere_request_recv(request, in, 0));
    CHECK_IS(DIVIDERE_STATE, dividere_response_send_bytes(response, "x", 1));
    CHECK_OK(dividere_message_set(out, "acme.Ask", "how much", 8));
    CHECK_OK(dividere_request_send(request, out));
    CHECK_OK(dividere_message_set(out, "acme.Ask", "again", 5));
    CHECK_IS(DIVIDERE_STATE, dividere_request_send(request, out));
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_TYPED);
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_request_recv(request, in, 0));

    CHECK_OK(dividere_response_recv(response, in, LONG_MS));
    check_holds(in, "acme.Ask", "how much");
    CHECK(check_view(in).can_reply == 1);
    CHECK_IS(DIVIDERE_STATE, dividere_response_recv(response, out, 0));
    CHECK_OK(dividere_message_set(out, "acme.Answer", "42", 2));
    CHECK_OK(dividere_response_send(response, out));
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_EMPTY);
    CHECK(check_view(in).can_reply == 0);
    CHECK_OK(dividere_request_recv(request, in, LONG_MS));
    check_holds(in, "acme.Answer", "42");
    CHECK_IS(DIVIDERE_STATE, dividere_request_recv(request, in, 0));

    CHECK_OK(dividere_request_send_bytes(request, "raw", 3));
    CHECK_OK(dividere_response_recv_bytes(response, in, LONG_MS));
    check_holds_bytes(in, "raw");
    CHECK_OK(dividere_response_send_bytes(response, "answer", 6));
    CHECK_OK(dividere_request_recv_bytes(request, in, LONG_MS));
    check_holds_bytes(in, "answer");

    CHECK_OK(dividere_request_send_bytes(request, "raw", 3));
    CHECK_OK(dividere_response_recv_bytes(response, in, LONG_MS));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_response_send_error(response, DIVIDERE_OK, "no"));
    CHECK_OK(dividere_response_send_error(response, DIVIDERE_NOT_FOUND, "no such sensor"));
    CHECK_SAYS(DIVIDERE_NOT_FOUND, "no such sensor", dividere_request_recv(request, in, LONG_MS));
    dividere_message_free(out);
    dividere_message_free(in);
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_response_close(response));
}

struct server {
    dividere_response_t response;
    int32_t last;
};

/* Answers "echo" with the same, "fail" with an error, and leaves all others unanswered. */
static void *serve(void *context) {
    struct server *server = (struct server *)context;
    dividere_message_t *request = check_message(), *reply = check_message();
    for (;;) {
        dividere_view_t view;
        server->last = dividere_response_recv(server->response, request, -1);
        if (server->last == DIVIDERE_DECODE) {
            continue;
        }
        if (server->last != DIVIDERE_OK) {
            break;
        }
        view = check_view(request);
        if (dividere_message_is(request, "acme.Echo")) {
            CHECK_OK(dividere_message_set(reply, "acme.Echo", view.payload, view.payload_len));
            CHECK_OK(dividere_response_send(server->response, reply));
        } else if (dividere_message_is(request, "acme.Fail")) {
            CHECK_OK(dividere_response_send_error(server->response, DIVIDERE_REMOTE, "it burns"));
        } else {
            /* Answered later, through the message. */
            CHECK_OK(dividere_message_set_bytes(reply, "later", 5));
            CHECK_OK(dividere_message_reply(request, reply));
            CHECK_IS(DIVIDERE_STATE, dividere_message_reply_error(request, DIVIDERE_REMOTE, "twice"));
        }
    }
    dividere_message_free(request);
    dividere_message_free(reply);
    return NULL;
}

static void a_call_returns_the_reply_or_the_error(void) {
    char endpoint[128];
    struct server server;
    pthread_t thread;
    dividere_request_t request = {0};
    dividere_message_t *out = check_message(), *in = check_message();

    server.response = check_response(endpoint, sizeof endpoint);
    server.last = DIVIDERE_OK;
    CHECK(pthread_create(&thread, NULL, serve, &server) == 0);
    request = check_request(endpoint);
    CHECK_OK(dividere_message_set(out, "acme.Echo", "hello", 5));
    CHECK_OK(dividere_request_call(request, out, in, LONG_MS, 0));
    check_holds(in, "acme.Echo", "hello");
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_EMPTY);

    CHECK_OK(dividere_message_set(out, "acme.Fail", "", 0));
    CHECK_SAYS(DIVIDERE_REMOTE, "it burns", dividere_request_call(request, out, in, LONG_MS, 0));

    CHECK_OK(dividere_message_set(out, "acme.Later", "", 0));
    CHECK_OK(dividere_request_call(request, out, in, LONG_MS, 0));
    CHECK(check_view(in).kind == DIVIDERE_MESSAGE_UNDECODABLE);
    CHECK(check_view(in).bytes_len == 5 && memcmp(check_view(in).bytes, "later", 5) == 0);

    CHECK_OK(dividere_message_set_bytes(out, "no envelope", 11));
    CHECK_IS(DIVIDERE_DECODE, dividere_request_call(request, out, in, LONG_MS, 0));

    CHECK_OK(dividere_message_set(out, "acme.Echo", "", 0));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_request_call(request, out, out, LONG_MS, 0));
    CHECK_OK(dividere_response_close(server.response));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(server.last == DIVIDERE_CLOSED);
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_request_call(request, out, in, 20, 1));
    CHECK_OK(dividere_request_close(request));
    dividere_message_free(out);
    dividere_message_free(in);
}

static void what_is_freed_unanswered_is_answered_with_an_error(void) {
    char endpoint[128];
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_request_t request = check_request(endpoint);
    dividere_message_t *in = check_message(), *kept = NULL, *reply = check_message();

    CHECK_OK(dividere_request_send_bytes(request, "first", 5));
    CHECK_OK(dividere_response_recv_bytes(response, in, LONG_MS));
    CHECK_OK(dividere_message_clone(in, &kept));
    dividere_message_free(in);
    check_holds_bytes(kept, "first");
    CHECK(check_view(kept).can_reply == 1);
    CHECK_OK(dividere_message_set_bytes(reply, "from a clone", 12));
    CHECK_OK(dividere_message_reply(kept, reply));
    CHECK_OK(dividere_request_recv_bytes(request, reply, LONG_MS));
    check_holds_bytes(reply, "from a clone");

    CHECK_OK(dividere_request_send_bytes(request, "second", 6));
    CHECK_OK(dividere_response_recv_bytes(response, kept, LONG_MS));
    dividere_message_free(kept);
    CHECK_OK(dividere_response_close(response));
    CHECK_IS(DIVIDERE_REMOTE, dividere_request_recv(request, reply, LONG_MS));
    dividere_message_free(reply);
    CHECK_OK(dividere_request_close(request));
}

static void dealers_route_and_are_routed(void) {
    char endpoint[128];
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_dealer_t dealer = {0}, other = {0};
    dividere_message_t *out = check_message(), *in = check_message();
    dividere_view_t view;
    dividere_bytes_t route[2];
    const void *frame = NULL;
    size_t len = 77;

    CHECK_OK(dividere_dealer_new(endpoint, NO_OPTIONS, &dealer));
    CHECK_OK(dividere_message_set(out, "acme.Ask", "x", 1));
    CHECK_OK(dividere_dealer_send_with_empty_frame(dealer, out));
    CHECK_OK(dividere_response_recv(response, in, LONG_MS));
    view = check_view(in);
    CHECK(view.route_count == 2);
    CHECK_OK(dividere_message_route(in, 0, &frame, &len));
    CHECK(len == 36);
    CHECK_OK(dividere_message_route(in, 1, &frame, &len));
    CHECK(len == 0);
    len = 77;
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_message_route(in, 2, &frame, &len));
    CHECK(frame == NULL && len == 77);
    CHECK_OK(dividere_response_send_bytes(response, "answer", 6));
    CHECK_OK(dividere_dealer_recv_bytes(dealer, in, LONG_MS));
    check_holds_bytes(in, "answer");
    CHECK(check_view(in).route_count == 0 && check_view(in).can_reply == 0);
    CHECK_OK(dividere_dealer_close(dealer));
    CHECK_OK(dividere_response_close(response));

    CHECK_OK(dividere_dealer_new("tcp://127.0.0.1:*", NO_OPTIONS, &dealer));
    CHECK_OK(dividere_socket_last_endpoint(dividere_dealer_socket(dealer), endpoint, sizeof endpoint, NULL));
    CHECK_OK(dividere_dealer_new(endpoint, NO_OPTIONS, &other));
    CHECK_OK(dividere_dealer_send_bytes(other, "plain", 5));
    CHECK_OK(dividere_dealer_recv_bytes(dealer, in, LONG_MS));
    check_holds_bytes(in, "plain");
    CHECK_IS(DIVIDERE_STATE, dividere_message_reply(in, out));
    route[0].data = "somewhere";
    route[0].len = 9;
    route[1].data = NULL;
    route[1].len = 0;
    CHECK_OK(dividere_message_set(out, "acme.Routed", "y", 1));
    CHECK_OK(dividere_dealer_send_routed(other, route, 2, out));
    CHECK_OK(dividere_dealer_recv(dealer, in, LONG_MS));
    check_holds(in, "acme.Routed", "y");
    CHECK_OK(dividere_message_route(in, 0, &frame, &len));
    CHECK(len == 9 && memcmp(frame, "somewhere", 9) == 0);
    CHECK_OK(dividere_message_set(out, "acme.Back", "z", 1));
    CHECK_OK(dividere_message_reply(in, out));
    CHECK_OK(dividere_dealer_recv(other, in, LONG_MS));
    check_holds(in, "acme.Back", "z");
    CHECK(check_view(in).route_count == 2);
    CHECK_OK(dividere_message_set(out, "acme.Plain", "z", 1));
    CHECK_OK(dividere_dealer_send(other, out));
    CHECK_OK(dividere_dealer_recv(dealer, in, LONG_MS));
    dividere_message_free(out);
    dividere_message_free(in);
    CHECK_OK(dividere_dealer_close(dealer));
    CHECK_OK(dividere_dealer_close(other));
}

static void a_proxy_passes_requests_on(void) {
    char front[128], back[128], capture[128];
    dividere_proxy_t proxy = {0};
    dividere_response_t response = {0};
    dividere_request_t request = {0};
    dividere_subscriber_t watcher = {0};
    dividere_message_t *out = check_message(), *in = check_message();
    dividere_statistics_t statistics;
    dividere_event_t event;

    CHECK_OK(dividere_proxy_new(DIVIDERE_PROXY_REQUEST_RESPONSE, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*",
                                "tcp://127.0.0.1:*", NO_OPTIONS, &proxy));
    CHECK_OK(dividere_proxy_last_endpoint(proxy, DIVIDERE_PROXY_SIDE_FRONT, front, sizeof front, NULL));
    CHECK_OK(dividere_proxy_last_endpoint(proxy, DIVIDERE_PROXY_SIDE_BACK, back, sizeof back, NULL));
    CHECK_OK(dividere_proxy_last_endpoint(proxy, DIVIDERE_PROXY_SIDE_CAPTURE, capture, sizeof capture, NULL));
    CHECK(strcmp(front, back) != 0 && strcmp(back, capture) != 0);
    watcher = check_subscriber(capture);
    /* A subscription that is processed: what is published then is received. */
    do {
        CHECK_OK(dividere_socket_wait_connected(dividere_subscriber_socket(watcher), 0, LONG_MS));
        CHECK_OK(dividere_proxy_statistics(proxy, DIVIDERE_PROXY_SIDE_CAPTURE, &statistics));
    } while (statistics.subscribers == 0);
    CHECK_OK(dividere_response_new(back, NO_OPTIONS, &response));
    request = check_request(front);
    CHECK_OK(dividere_message_set(out, "acme.Ask", "x", 1));
    CHECK_OK(dividere_request_send(request, out));
    CHECK_OK(dividere_response_recv(response, in, LONG_MS));
    check_holds(in, "acme.Ask", "x");
    CHECK_OK(dividere_message_set(out, "acme.Answer", "y", 1));
    CHECK_OK(dividere_response_send(response, out));
    CHECK_OK(dividere_request_recv(request, in, LONG_MS));
    check_holds(in, "acme.Answer", "y");
    CHECK_OK(dividere_subscriber_recv(watcher, in, LONG_MS));
    check_holds(in, "acme.Ask", "x");
    CHECK_OK(dividere_subscriber_recv(watcher, in, LONG_MS));
    check_holds(in, "acme.Answer", "y");
    /* What a proxy sends is counted when libzmq has it: its receiver may be ahead of that. */
    do {
        CHECK_OK(dividere_proxy_statistics(proxy, DIVIDERE_PROXY_SIDE_FRONT, &statistics));
    } while (statistics.messages_out == 0);
    CHECK(statistics.messages_in == 1 && statistics.messages_out == 1);
    CHECK_OK(dividere_proxy_event_recv(proxy, DIVIDERE_PROXY_SIDE_FRONT, &event, LONG_MS));
    CHECK(event.kind == DIVIDERE_EVENT_LISTENING);
    CHECK_TEXT(front, event.endpoint);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_proxy_statistics(proxy, 0, &statistics));
    CHECK_OK(dividere_proxy_close(proxy));
    CHECK_IS(DIVIDERE_CLOSED, dividere_proxy_close(proxy));
    dividere_message_free(out);
    dividere_message_free(in);
    CHECK_OK(dividere_subscriber_close(watcher));
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_response_close(response));
}

static void flushing_waits_for_whoever_does_not_take_it(void) {
    char endpoint[128], bound[160];
    dividere_dealer_t here = {0}, there = {0};
    dividere_message_t *in = check_message();

    CHECK_OK(dividere_dealer_new("tcp://127.0.0.1:*", NO_OPTIONS, &there));
    CHECK_OK(dividere_socket_last_endpoint(dividere_dealer_socket(there), endpoint, sizeof endpoint, NULL));
    CHECK_OK(dividere_dealer_close(there));
    CHECK_OK(dividere_dealer_new(endpoint, NO_OPTIONS, &here));
    CHECK_OK(dividere_socket_flush(dividere_dealer_socket(here), 0));
    CHECK_OK(dividere_dealer_send_bytes(here, "later", 5));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_socket_flush(dividere_dealer_socket(here), 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_socket_flush(dividere_dealer_socket(here), 20));
    snprintf(bound, sizeof bound, "@%s", endpoint);
    CHECK_OK(dividere_dealer_new(bound, NO_OPTIONS, &there));
    CHECK_OK(dividere_socket_flush(dividere_dealer_socket(here), LONG_MS));
    CHECK_OK(dividere_dealer_recv_bytes(there, in, LONG_MS));
    check_holds_bytes(in, "later");
    CHECK_OK(dividere_dealer_close(there));
    CHECK_OK(dividere_dealer_close(here));
    dividere_message_free(in);
}

static void a_send_waits_for_room_as_long_as_it_says(void) {
    dividere_dealer_t one = {0}, other = {0};
    dividere_options_t *options = NULL;
    dividere_bytes_t route = {"", 0};
    dividere_message_t *out = check_message(), *in = check_message();
    struct pollfd item = {-1, POLLIN, 0};
    dividere_subscriber_t subscriber;
    int sent = 0;

    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, 5));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_RECEIVE_HIGH_WATER_MARK, 5));
    CHECK_OK(dividere_dealer_new("@inproc://room", options, &one));
    CHECK_OK(dividere_dealer_new("inproc://room", options, &other));
    dividere_options_free(options);
    CHECK_OK(dividere_socket_room_fd(dividere_dealer_socket(other), &item.fd));
    for (;; sent++) {
        dividere_status_t status;
        CHECK_OK(dividere_message_set(out, "acme.Ask", "more", 4));
        status = dividere_socket_send_within(dividere_dealer_socket(other), out, 0);
        if (status != DIVIDERE_OK) {
            CHECK_IS(DIVIDERE_WOULD_BLOCK, status);
            break;
        }
    }
    CHECK(sent == 10);
    check_holds(out, "acme.Ask", "more");
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_socket_send_within(dividere_dealer_socket(other), out, 20));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_dealer_send_routed_within(other, &route, 1, out, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_dealer_send_routed_within(other, NULL, 0, out, 20));
    check_holds(out, "acme.Ask", "more");
    while (sent-- > 0) {
        CHECK_OK(dividere_dealer_recv(one, in, LONG_MS));
    }
    while (dividere_dealer_send_routed_within(other, &route, 1, out, 0) != DIVIDERE_OK) {
        CHECK(poll(&item, 1, LONG_MS) == 1);
    }
    CHECK_OK(dividere_dealer_recv(one, in, LONG_MS));
    check_holds(in, "acme.Ask", "more");

    subscriber = check_subscriber("tcp://127.0.0.1:9");
    CHECK_OK(dividere_message_set(out, "acme.Ask", "more", 4));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_send_within(dividere_subscriber_socket(subscriber), out, 0));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_room_fd(dividere_subscriber_socket(subscriber), &item.fd));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_dealer_close(one));
    CHECK_OK(dividere_dealer_close(other));
    dividere_message_free(out);
    dividere_message_free(in);
}

CHECK_MAIN(TEST(a_request_is_answered), TEST(a_call_returns_the_reply_or_the_error),
           TEST(what_is_freed_unanswered_is_answered_with_an_error), TEST(dealers_route_and_are_routed),
           TEST(a_proxy_passes_requests_on), TEST(flushing_waits_for_whoever_does_not_take_it),
           TEST(a_send_waits_for_room_as_long_as_it_says))
