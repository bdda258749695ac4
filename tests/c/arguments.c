/* NULL and nonsense for every function of the header: an error each time, and no harm. A function that the header
 * has and this file lacks fails a test of the header (tests/header.rs). */
#include "check.h"

#include <stdint.h>

#define IS_NULL(call) CHECK_IS(DIVIDERE_NULL_POINTER, call)
#define IS_INVALID(call) CHECK_IS(DIVIDERE_INVALID_ARGUMENT, call)
#define IS_CLOSED(call) CHECK_IS(DIVIDERE_CLOSED, call)

/* Bytes that are no UTF-8. */
static const char *const no_text = "\xff\xfe";

static dividere_publisher_t publisher;
static dividere_subscriber_t subscriber;
static dividere_request_t request;
static dividere_response_t response;
static dividere_dealer_t dealer;
static dividere_reactor_t reactor;
static dividere_proxy_t proxy;
static dividere_options_t *options;
static dividere_message_t *message, *other;

static void make_one_of_each(void) {
    publisher.id = 0;
    CHECK_OK(dividere_publisher_new("inproc://arguments-pub", NULL, &publisher));
    CHECK_OK(dividere_subscriber_new("inproc://arguments-pub", NULL, &subscriber));
    CHECK_OK(dividere_response_new("@inproc://arguments-rep", NULL, &response));
    CHECK_OK(dividere_request_new("inproc://arguments-rep", NULL, &request));
    CHECK_OK(dividere_dealer_new("@inproc://arguments-dealer", NULL, &dealer));
    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_OK(dividere_proxy_new(DIVIDERE_PROXY_PUBLISH_SUBSCRIBE, "inproc://arguments-front", "inproc://arguments-back",
                                NULL, NULL, &proxy));
    CHECK_OK(dividere_options_new(&options));
    message = check_message();
    other = check_message();
}

static void close_one_of_each(void) {
    CHECK_OK(dividere_publisher_close(publisher));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_response_close(response));
    CHECK_OK(dividere_dealer_close(dealer));
    CHECK_OK(dividere_reactor_close(reactor));
    CHECK_OK(dividere_proxy_close(proxy));
    dividere_options_free(options);
    dividere_message_free(message);
    dividere_message_free(other);
}

static void of_the_process(void) {
    int32_t status;
    CHECK_TEXT("", dividere_last_error());
    CHECK(dividere_version()[0] != '\0' && dividere_abi_version() > 0);
    CHECK(dividere_has(NULL) == 0 && dividere_has("") == 0 && dividere_has(no_text) == 0);
    IS_INVALID(dividere_interrupt_waits(-1));
    IS_INVALID(dividere_interrupt_waits(2));
    for (status = -3; status < 2000; status++) {
        CHECK(dividere_status_name(status)[0] != '\0');
    }
    CHECK_TEXT("UNKNOWN", dividere_status_name(INT32_MIN));
    IS_NULL(dividere_fail(DIVIDERE_BUSY, NULL));
    IS_INVALID(dividere_fail(-1, "text"));
    IS_INVALID(dividere_fail(DIVIDERE_BUSY, no_text));
    IS_INVALID(dividere_log_set_callback(-1, NULL, NULL, NULL));
    IS_INVALID(dividere_log_set_callback(6, NULL, NULL, NULL));
    CHECK_OK(dividere_log_set_callback(DIVIDERE_LOG_TRACE, NULL, NULL, NULL));
    CHECK_OK(dividere_configure(NULL));
    CHECK_OK(dividere_shutdown(0));
    CHECK_OK(dividere_shutdown(-1));
}

static void of_keys_and_options(void) {
    dividere_key_t key;
    dividere_options_t *copy = (dividere_options_t *)&key;
    IS_NULL(dividere_curve_keypair(NULL, &key));
    IS_NULL(dividere_curve_keypair(&key, NULL));
    IS_NULL(dividere_curve_public(NULL, &key));
    IS_NULL(dividere_curve_public("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", NULL));
    IS_INVALID(dividere_curve_public("", &key));
    IS_INVALID(dividere_curve_public(no_text, &key));

    IS_NULL(dividere_options_new(NULL));
    IS_NULL(dividere_options_clone(NULL, &copy));
    CHECK(copy == NULL);
    IS_NULL(dividere_options_clone(options, NULL));
    IS_NULL(dividere_options_set_int(NULL, DIVIDERE_OPTION_LINGER_MS, 1));
    IS_INVALID(dividere_options_set_int(options, -1, 1));
    IS_INVALID(dividere_options_set_int(options, INT32_MAX, 1));
    IS_INVALID(dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, INT64_MIN));
    IS_INVALID(dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, INT64_MAX));
    IS_NULL(dividere_options_set_string(NULL, DIVIDERE_OPTION_FULL_QUEUE, "drop"));
    IS_NULL(dividere_options_set_string(options, DIVIDERE_OPTION_FULL_QUEUE, NULL));
    IS_INVALID(dividere_options_set_string(options, DIVIDERE_OPTION_FULL_QUEUE, no_text));
    IS_INVALID(dividere_options_set_string(options, DIVIDERE_OPTION_LINGER_MS, "1"));
    IS_INVALID(dividere_options_set_string(options, 0, "1"));
    IS_NULL(dividere_options_set_bytes(NULL, DIVIDERE_OPTION_IDENTITY, "a", 1));
    IS_NULL(dividere_options_set_bytes(options, DIVIDERE_OPTION_IDENTITY, NULL, 1));
    IS_INVALID(dividere_options_set_bytes(options, DIVIDERE_OPTION_IDENTITY, "a", SIZE_MAX));
    IS_INVALID(dividere_options_set_bytes(options, 0, "a", 1));
    dividere_options_free(NULL);
}

static void of_messages(void) {
    void *place = message;
    const void *frame = message;
    dividere_message_t *copy = message;
    dividere_view_t view;
    size_t len = 77;
    IS_NULL(dividere_message_new(NULL));
    IS_NULL(dividere_message_clone(NULL, &copy));
    CHECK(copy == NULL);
    IS_NULL(dividere_message_clone(message, NULL));
    IS_NULL(dividere_message_clear(NULL));
    IS_NULL(dividere_message_prepare(NULL, "acme.A", 1, &place));
    CHECK(place == NULL);
    IS_NULL(dividere_message_prepare(message, NULL, 1, &place));
    IS_NULL(dividere_message_prepare(message, "acme.A", 1, NULL));
    IS_INVALID(dividere_message_prepare(message, "", 1, &place));
    IS_INVALID(dividere_message_prepare(message, no_text, 1, &place));
    IS_NULL(dividere_message_prepare_bytes(NULL, 1, &place));
    IS_NULL(dividere_message_prepare_bytes(message, 1, NULL));
    CHECK_IS(DIVIDERE_OUT_OF_MEMORY, dividere_message_prepare_bytes(message, SIZE_MAX, &place));
    CHECK_IS(DIVIDERE_OUT_OF_MEMORY, dividere_message_prepare_bytes(message, SIZE_MAX / 2, &place));
    IS_NULL(dividere_message_set(NULL, "acme.A", "a", 1));
    IS_NULL(dividere_message_set(message, NULL, "a", 1));
    IS_NULL(dividere_message_set(message, "acme.A", NULL, 1));
    IS_INVALID(dividere_message_set(message, "acme.A", "a", SIZE_MAX));
    IS_INVALID(dividere_message_set(message, "..", "a", 1));
    IS_NULL(dividere_message_set_bytes(NULL, "a", 1));
    IS_NULL(dividere_message_set_bytes(message, NULL, 1));
    IS_INVALID(dividere_message_set_bytes(message, "a", SIZE_MAX));
    IS_NULL(dividere_message_view(NULL, &view));
    IS_NULL(dividere_message_view(message, NULL));
    CHECK(dividere_message_is(NULL, "acme.A") == 0 && dividere_message_is(message, NULL) == 0);
    CHECK(dividere_message_is(message, no_text) == 0);
    IS_NULL(dividere_message_decode(NULL));
    CHECK_IS(DIVIDERE_STATE, dividere_message_decode(message));
    IS_NULL(dividere_message_route(NULL, 0, &frame, &len));
    CHECK(frame == NULL && len == 77);
    IS_NULL(dividere_message_route(message, 0, NULL, &len));
    IS_NULL(dividere_message_route(message, 0, &frame, NULL));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_message_route(message, SIZE_MAX, &frame, &len));
    IS_NULL(dividere_message_reply(NULL, other));
    IS_NULL(dividere_message_reply(message, NULL));
    IS_NULL(dividere_message_reply(NULL, NULL));
    IS_INVALID(dividere_message_reply(message, message));
    CHECK_IS(DIVIDERE_STATE, dividere_message_reply(message, other));
    IS_NULL(dividere_message_reply_error(NULL, DIVIDERE_REMOTE, "text"));
    IS_NULL(dividere_message_reply_error(message, DIVIDERE_REMOTE, NULL));
    IS_INVALID(dividere_message_reply_error(message, 0, "text"));
    IS_INVALID(dividere_message_reply_error(message, 12345, "text"));
    CHECK_IS(DIVIDERE_STATE, dividere_message_reply_error(message, DIVIDERE_REMOTE, "text"));
    dividere_message_free(NULL);
}

static void of_envelopes(void) {
    dividere_view_t view;
    char buffer[128];
    size_t len = 77;
    IS_NULL(dividere_envelope_size(NULL, 1, &len));
    IS_NULL(dividere_envelope_size("acme.A", 1, NULL));
    IS_INVALID(dividere_envelope_size(no_text, 1, &len));
    IS_NULL(dividere_envelope_encode(NULL, "a", 1, buffer, sizeof buffer, &len));
    IS_NULL(dividere_envelope_encode("acme.A", NULL, 1, buffer, sizeof buffer, &len));
    IS_NULL(dividere_envelope_encode("acme.A", "a", 1, NULL, sizeof buffer, &len));
    IS_NULL(dividere_envelope_encode("acme.A", "a", 1, buffer, sizeof buffer, NULL));
    CHECK_IS(DIVIDERE_TOO_LARGE, dividere_envelope_encode("acme.A", "a", 1, NULL, 0, &len));
    IS_INVALID(dividere_envelope_encode("acme.A", "a", SIZE_MAX, buffer, sizeof buffer, &len));
    IS_NULL(dividere_envelope_decode(NULL, 1, &view));
    IS_NULL(dividere_envelope_decode("a", 1, NULL));
    memset(&view, 0x55, sizeof view);
    CHECK_IS(DIVIDERE_DECODE, dividere_envelope_decode(NULL, 0, &view));
    CHECK(view.kind == DIVIDERE_MESSAGE_EMPTY && view.type_name_len == 0 && view.bytes_len == 0);
    CHECK(view.payload_len == 0 && view.payload != NULL && view.sequence == 0);
    IS_INVALID(dividere_envelope_decode("a", SIZE_MAX, &view));
    CHECK(len == 77);
}

static void of_sockets(void) {
    dividere_socket_t none = {0}, to = dividere_publisher_socket(publisher);
    dividere_socket_t from = dividere_subscriber_socket(subscriber);
    dividere_message_t *list[1];
    dividere_statistics_t statistics;
    dividere_event_t event;
    dividere_poll_item_t item;
    char buffer[64];
    size_t count = 77;
    int32_t fd = 77;
    dividere_outlet_t outlet = {none, "acme.A?", 6, 0, 0};
    list[0] = NULL;

    IS_CLOSED(dividere_socket_send_typed(none, "acme.A", "a", 1));
    IS_NULL(dividere_socket_send_typed(to, NULL, "a", 1));
    IS_NULL(dividere_socket_send_typed(to, "acme.A", NULL, 1));
    IS_INVALID(dividere_socket_send_typed(to, no_text, "a", 1));
    IS_INVALID(dividere_socket_send_typed(to, "acme.A", "a", SIZE_MAX));
    IS_CLOSED(dividere_outlet_send(&outlet, "a", 1));
    IS_NULL(dividere_outlet_call(NULL, "a", 1, 0, 0, 0, NULL, NULL));
    IS_NULL(dividere_outlet_call(&outlet, "a", 1, 0, 0, 0, NULL, NULL));
    outlet.socket = to;
    IS_NULL(dividere_outlet_send(NULL, "a", 1));
    IS_NULL(dividere_outlet_send(&outlet, NULL, 1));
    IS_INVALID(dividere_outlet_send(&outlet, "a", SIZE_MAX));
    outlet.type_name_len = 0;
    IS_INVALID(dividere_outlet_send(&outlet, "a", 1));
    outlet.type_name_len = 7;
    IS_INVALID(dividere_outlet_send(&outlet, "a", 1));
    outlet.type_name = NULL;
    IS_NULL(dividere_outlet_send(&outlet, "a", 1));
    IS_NULL(dividere_socket_recv_batch(from, NULL, 0));
    IS_CLOSED(dividere_socket_send(none, message));
    IS_NULL(dividere_socket_send(to, NULL));
    IS_CLOSED(dividere_socket_send_within(none, message, 0));
    IS_NULL(dividere_socket_send_within(to, NULL, 0));
    IS_CLOSED(dividere_socket_send_bytes(none, "a", 1));
    IS_NULL(dividere_socket_send_bytes(to, NULL, 1));
    IS_INVALID(dividere_socket_send_bytes(to, "a", SIZE_MAX));
    IS_CLOSED(dividere_socket_send_many(none, &message, 1, &count));
    IS_NULL(dividere_socket_send_many(to, NULL, 1, &count));
    IS_NULL(dividere_socket_send_many(to, list, 1, &count));
    IS_NULL(dividere_socket_send_many(to, &message, 1, NULL));
    IS_INVALID(dividere_socket_send_many(to, &message, SIZE_MAX, &count));
    IS_CLOSED(dividere_socket_recv(none, message, 0));
    IS_NULL(dividere_socket_recv(from, NULL, 0));
    IS_CLOSED(dividere_socket_recv_bytes(none, message, 0));
    IS_NULL(dividere_socket_recv_bytes(from, NULL, 0));
    IS_CLOSED(dividere_socket_recv_many(none, &message, 1, 1, 0, &count));
    IS_NULL(dividere_socket_recv_many(from, NULL, 1, 1, 0, &count));
    IS_NULL(dividere_socket_recv_many(from, list, 1, 1, 0, &count));
    IS_NULL(dividere_socket_recv_many(from, &message, 1, 1, 0, NULL));
    IS_INVALID(dividere_socket_recv_many(from, &message, 1, -1, 0, &count));
    IS_INVALID(dividere_socket_recv_many(from, &message, SIZE_MAX / 4, 1, 0, &count));
    CHECK(count == 77);
    CHECK_OK(dividere_socket_recv_many(from, NULL, 0, 1, 0, &count));
    CHECK_OK(dividere_socket_send_many(to, NULL, 0, &count));
    CHECK(count == 0);
    IS_CLOSED(dividere_socket_wait(none, -1));
    IS_CLOSED(dividere_socket_fd(none, &fd));
    IS_NULL(dividere_socket_fd(from, NULL));
    CHECK(fd == 77);
    IS_CLOSED(dividere_socket_room_fd(none, &fd));
    IS_NULL(dividere_socket_room_fd(to, NULL));
    IS_CLOSED(dividere_socket_watch(none, 1));
    IS_INVALID(dividere_socket_watch(from, 2));
    CHECK_OK(dividere_socket_watch(from, 0));
    IS_CLOSED(dividere_socket_statistics(none, &statistics));
    IS_NULL(dividere_socket_statistics(to, NULL));
    IS_CLOSED(dividere_socket_event_recv(none, &event, -1));
    IS_NULL(dividere_socket_event_recv(to, NULL, -1));
    IS_CLOSED(dividere_socket_set_event_callback(none, NULL, NULL, NULL));
    CHECK_OK(dividere_socket_set_event_callback(to, NULL, NULL, NULL));
    IS_CLOSED(dividere_socket_last_endpoint(none, buffer, sizeof buffer, &count));
    IS_NULL(dividere_socket_last_endpoint(to, NULL, 1, &count));
    IS_INVALID(dividere_socket_last_endpoint(to, buffer, SIZE_MAX, &count));
    IS_CLOSED(dividere_socket_endpoint_count(none, &count));
    IS_NULL(dividere_socket_endpoint_count(to, NULL));
    IS_CLOSED(dividere_socket_endpoint(none, 0, buffer, sizeof buffer, &count));
    IS_NULL(dividere_socket_endpoint(to, 0, NULL, 1, &count));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_socket_endpoint(to, SIZE_MAX, buffer, 64, &count));
    IS_CLOSED(dividere_socket_attach(none, "inproc://arguments-none"));
    IS_NULL(dividere_socket_attach(to, NULL));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_socket_attach(to, ""));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_socket_attach(to, "tcp://127.0.0.1:99999"));
    IS_INVALID(dividere_socket_attach(to, no_text));
    IS_CLOSED(dividere_socket_detach(none, "inproc://arguments-none"));
    IS_NULL(dividere_socket_detach(from, NULL));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_socket_detach(from, "carrier-pigeon://here"));
    IS_CLOSED(dividere_socket_wait_connected(none, 0, -1));
    IS_CLOSED(dividere_socket_flush(none, -1));
    CHECK_OK(dividere_socket_close(none));

    item.socket = none;
    item.ready = 77;
    IS_CLOSED(dividere_poll(&item, 1, -1, &count));
    IS_NULL(dividere_poll(NULL, 1, -1, &count));
    IS_INVALID(dividere_poll(NULL, 0, -1, &count));
    IS_INVALID(dividere_poll(&item, SIZE_MAX, -1, &count));
    item.socket = to;
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_poll(&item, 1, 0, &count));
    CHECK(item.ready == 77);
}

static void of_publishers_and_subscribers(void) {
    dividere_publisher_t no_publisher = {0};
    dividere_subscriber_t no_subscriber = {77};
    const char *types[] = {"acme.A"}, *bad[] = {""};
    size_t count = 77;
    CHECK(dividere_publisher_socket(no_publisher).id == 0);
    IS_NULL(dividere_publisher_new(NULL, NULL, &no_publisher));
    IS_NULL(dividere_publisher_new("inproc://x", NULL, NULL));
    IS_INVALID(dividere_publisher_new(no_text, NULL, &no_publisher));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_publisher_new("", NULL, &no_publisher));
    CHECK_OK(dividere_publisher_close(no_publisher));
    IS_CLOSED(dividere_publisher_send(no_publisher, message));
    IS_NULL(dividere_publisher_send(publisher, NULL));
    CHECK_IS(DIVIDERE_STATE, dividere_publisher_send(publisher, message));
    IS_CLOSED(dividere_publisher_send_typed(no_publisher, "acme.A", "a", 1));
    IS_NULL(dividere_publisher_send_typed(publisher, NULL, "a", 1));
    IS_NULL(dividere_publisher_send_typed(publisher, "acme.A", NULL, 1));
    IS_INVALID(dividere_publisher_send_typed(publisher, "acme A", "a", 1));
    IS_INVALID(dividere_publisher_send_typed(publisher, "acme.A", "a", SIZE_MAX));
    IS_CLOSED(dividere_publisher_send_bytes(no_publisher, "a", 1));
    IS_NULL(dividere_publisher_send_bytes(publisher, NULL, 1));
    IS_INVALID(dividere_publisher_send_bytes(publisher, "a", SIZE_MAX));
    IS_CLOSED(dividere_publisher_subscribers(no_publisher, NULL, &count));
    IS_NULL(dividere_publisher_subscribers(publisher, NULL, NULL));
    IS_INVALID(dividere_publisher_subscribers(publisher, no_text, &count));
    IS_CLOSED(dividere_publisher_wait_for_subscribers(no_publisher, NULL, 1, -1));
    IS_INVALID(dividere_publisher_wait_for_subscribers(publisher, "", 1, -1));

    IS_NULL(dividere_subscriber_new(NULL, NULL, &no_subscriber));
    CHECK(no_subscriber.id == 0);
    IS_NULL(dividere_subscriber_new("inproc://x", NULL, NULL));
    IS_NULL(dividere_subscriber_new_for_types(NULL, types, 1, NULL, &no_subscriber));
    IS_NULL(dividere_subscriber_new_for_types("inproc://x", NULL, 1, NULL, &no_subscriber));
    IS_NULL(dividere_subscriber_new_for_types("inproc://x", types, 1, NULL, NULL));
    IS_INVALID(dividere_subscriber_new_for_types("inproc://x", bad, 1, NULL, &no_subscriber));
    IS_INVALID(dividere_subscriber_new_for_types("inproc://x", types, SIZE_MAX, NULL, &no_subscriber));
    CHECK(dividere_subscriber_socket(no_subscriber).id == 0);
    CHECK_OK(dividere_subscriber_close(no_subscriber));
    IS_CLOSED(dividere_subscriber_recv(no_subscriber, message, -1));
    IS_NULL(dividere_subscriber_recv(subscriber, NULL, -1));
    IS_CLOSED(dividere_subscriber_recv_bytes(no_subscriber, message, -1));
    IS_NULL(dividere_subscriber_recv_bytes(subscriber, NULL, -1));
    IS_CLOSED(dividere_subscriber_subscribe(no_subscriber, "acme.A"));
    IS_NULL(dividere_subscriber_subscribe(subscriber, NULL));
    IS_INVALID(dividere_subscriber_subscribe(subscriber, "a..b"));
    IS_CLOSED(dividere_subscriber_unsubscribe(no_subscriber, "acme.A"));
    IS_NULL(dividere_subscriber_unsubscribe(subscriber, NULL));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_subscriber_unsubscribe(subscriber, "acme.A"));
    IS_CLOSED(dividere_subscriber_subscribe_prefix(no_subscriber, "a", 1));
    IS_NULL(dividere_subscriber_subscribe_prefix(subscriber, NULL, 1));
    IS_INVALID(dividere_subscriber_subscribe_prefix(subscriber, "a", SIZE_MAX));
    IS_CLOSED(dividere_subscriber_unsubscribe_prefix(no_subscriber, "a", 1));
    IS_NULL(dividere_subscriber_unsubscribe_prefix(subscriber, NULL, 1));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_subscriber_unsubscribe_prefix(subscriber, "a", 1));
}

static void of_requests_and_responses(void) {
    dividere_request_t no_request = {0};
    uint64_t call = 0;
    dividere_response_t no_response = {0};
    CHECK(dividere_request_socket(no_request).id == 0);
    CHECK(dividere_response_socket(no_response).id == 0);
    IS_NULL(dividere_request_new(NULL, NULL, &no_request));
    IS_NULL(dividere_request_new("inproc://x", NULL, NULL));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_request_new(",", NULL, &no_request));
    CHECK_OK(dividere_request_close(no_request));
    IS_CLOSED(dividere_request_call(no_request, message, other, -1, 0));
    IS_NULL(dividere_request_call(request, NULL, other, -1, 0));
    IS_NULL(dividere_request_call(request, message, NULL, -1, 0));
    IS_INVALID(dividere_request_call(request, message, message, -1, 0));
    CHECK_IS(DIVIDERE_STATE, dividere_request_call(request, message, other, -1, UINT32_MAX));
    IS_CLOSED(dividere_request_start_call(no_request, message, 0, -1, -1, &call));
    IS_NULL(dividere_request_start_call(request, NULL, 0, -1, -1, &call));
    IS_NULL(dividere_request_start_call(request, message, 0, -1, -1, NULL));
    IS_INVALID(dividere_request_start_call(request, message, 2, -1, -1, &call));
    CHECK_IS(DIVIDERE_STATE, dividere_request_start_call(request, message, 0, -1, -1, &call));
    IS_CLOSED(dividere_request_finish_call(no_request, 1, message, -1));
    IS_NULL(dividere_request_finish_call(request, 1, NULL, -1));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_finish_call(request, UINT64_MAX, message, -1));
    IS_CLOSED(dividere_request_abandon_call(no_request, 1));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_abandon_call(request, 0));
    IS_CLOSED(dividere_request_send(no_request, message));
    IS_NULL(dividere_request_send(request, NULL));
    IS_CLOSED(dividere_request_send_bytes(no_request, "a", 1));
    IS_NULL(dividere_request_send_bytes(request, NULL, 1));
    IS_INVALID(dividere_request_send_bytes(request, "a", SIZE_MAX));
    IS_CLOSED(dividere_request_recv(no_request, message, -1));
    IS_NULL(dividere_request_recv(request, NULL, -1));
    CHECK_IS(DIVIDERE_STATE, dividere_request_recv(request, message, -1));
    IS_CLOSED(dividere_request_recv_bytes(no_request, message, -1));
    IS_NULL(dividere_request_recv_bytes(request, NULL, -1));

    IS_NULL(dividere_response_new(NULL, NULL, &no_response));
    IS_NULL(dividere_response_new("inproc://x", NULL, NULL));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_response_new("http://localhost", NULL, &no_response));
    CHECK_OK(dividere_response_close(no_response));
    IS_CLOSED(dividere_response_recv(no_response, message, -1));
    IS_NULL(dividere_response_recv(response, NULL, -1));
    IS_CLOSED(dividere_response_recv_bytes(no_response, message, -1));
    IS_NULL(dividere_response_recv_bytes(response, NULL, -1));
    IS_CLOSED(dividere_response_send(no_response, message));
    IS_NULL(dividere_response_send(response, NULL));
    IS_CLOSED(dividere_response_send_bytes(no_response, "a", 1));
    IS_NULL(dividere_response_send_bytes(response, NULL, 1));
    IS_INVALID(dividere_response_send_bytes(response, "a", SIZE_MAX));
    IS_CLOSED(dividere_response_send_error(no_response, DIVIDERE_REMOTE, "text"));
    IS_NULL(dividere_response_send_error(response, DIVIDERE_REMOTE, NULL));
    IS_INVALID(dividere_response_send_error(response, -5, "text"));
    IS_INVALID(dividere_response_send_error(response, DIVIDERE_REMOTE, no_text));
}

static void of_dealers(void) {
    dividere_dealer_t none = {0};
    dividere_bytes_t part;
    part.data = NULL;
    part.len = 1;
    CHECK(dividere_dealer_socket(none).id == 0);
    IS_NULL(dividere_dealer_new(NULL, NULL, &none));
    IS_NULL(dividere_dealer_new("inproc://x", NULL, NULL));
    CHECK_OK(dividere_dealer_close(none));
    IS_CLOSED(dividere_dealer_send(none, message));
    IS_NULL(dividere_dealer_send(dealer, NULL));
    IS_CLOSED(dividere_dealer_send_bytes(none, "a", 1));
    IS_NULL(dividere_dealer_send_bytes(dealer, NULL, 1));
    IS_INVALID(dividere_dealer_send_bytes(dealer, "a", SIZE_MAX));
    IS_CLOSED(dividere_dealer_send_routed(none, NULL, 0, message));
    IS_NULL(dividere_dealer_send_routed(dealer, NULL, 1, message));
    IS_NULL(dividere_dealer_send_routed(dealer, &part, 1, message));
    IS_NULL(dividere_dealer_send_routed(dealer, NULL, 0, NULL));
    IS_CLOSED(dividere_dealer_send_routed_within(none, NULL, 0, message, 0));
    IS_NULL(dividere_dealer_send_routed_within(dealer, NULL, 1, message, 0));
    IS_NULL(dividere_dealer_send_routed_within(dealer, NULL, 0, NULL, 0));
    part.data = "a";
    part.len = SIZE_MAX;
    IS_INVALID(dividere_dealer_send_routed(dealer, &part, 1, message));
    IS_INVALID(dividere_dealer_send_routed(dealer, &part, SIZE_MAX, message));
    IS_CLOSED(dividere_dealer_send_with_empty_frame(none, message));
    IS_NULL(dividere_dealer_send_with_empty_frame(dealer, NULL));
    IS_CLOSED(dividere_dealer_recv(none, message, -1));
    IS_NULL(dividere_dealer_recv(dealer, NULL, -1));
    IS_CLOSED(dividere_dealer_recv_bytes(none, message, -1));
    IS_NULL(dividere_dealer_recv_bytes(dealer, NULL, -1));
}

static void never(void *context, dividere_reactor_t of) {
    (void)context;
    (void)of;
    CHECK(0);
}

static void of_reactors_and_proxies(void) {
    dividere_reactor_t none = {0};
    dividere_socket_t no_socket = {0}, socket = dividere_subscriber_socket(subscriber);
    dividere_proxy_t no_proxy = {77};
    dividere_statistics_t statistics;
    dividere_event_t event;
    uint64_t timer = 77;
    char buffer[64];
    size_t len = 77;
    IS_NULL(dividere_reactor_new(NULL));
    CHECK_OK(dividere_reactor_close(none));
    IS_CLOSED(dividere_reactor_add(none, socket));
    IS_CLOSED(dividere_reactor_add(reactor, no_socket));
    IS_CLOSED(dividere_reactor_remove(none, socket));
    IS_CLOSED(dividere_reactor_remove(reactor, no_socket));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_reactor_remove(reactor, socket));
    IS_CLOSED(dividere_reactor_on(none, NULL, NULL, NULL, NULL));
    IS_INVALID(dividere_reactor_on(reactor, no_text, NULL, NULL, NULL));
    IS_CLOSED(dividere_reactor_on_error(none, NULL, NULL, NULL));
    IS_CLOSED(dividere_reactor_add_timer(none, 1, 0, never, NULL, NULL, &timer));
    IS_NULL(dividere_reactor_add_timer(reactor, 1, 0, NULL, NULL, NULL, &timer));
    IS_INVALID(dividere_reactor_add_timer(reactor, -1, 0, never, NULL, NULL, &timer));
    IS_INVALID(dividere_reactor_add_timer(reactor, 0, 1, never, NULL, NULL, &timer));
    IS_INVALID(dividere_reactor_add_timer(reactor, 1, 2, never, NULL, NULL, &timer));
    CHECK(timer == 77);
    CHECK_OK(dividere_reactor_add_timer(reactor, INT64_MAX, 0, never, NULL, NULL, &timer));
    CHECK_OK(dividere_reactor_cancel_timer(reactor, timer));
    IS_CLOSED(dividere_reactor_cancel_timer(none, timer));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_reactor_cancel_timer(reactor, UINT64_MAX));
    IS_CLOSED(dividere_reactor_on_idle(none, 1, never, NULL, NULL));
    IS_INVALID(dividere_reactor_on_idle(reactor, 0, never, NULL, NULL));
    IS_INVALID(dividere_reactor_on_idle(reactor, INT64_MIN, NULL, NULL, NULL));
    CHECK_OK(dividere_reactor_on_idle(reactor, INT64_MAX, never, NULL, NULL));
    CHECK_OK(dividere_reactor_on_idle(reactor, 0, NULL, NULL, NULL));
    IS_CLOSED(dividere_reactor_post(none, never, NULL, NULL));
    IS_NULL(dividere_reactor_post(reactor, NULL, NULL, NULL));
    IS_CLOSED(dividere_reactor_run(none));
    IS_CLOSED(dividere_reactor_start(none, NULL));
    IS_INVALID(dividere_reactor_start(reactor, no_text));
    IS_CLOSED(dividere_reactor_stop(none, -1));
    CHECK_OK(dividere_reactor_stop(reactor, -1));

    IS_NULL(dividere_proxy_new(1, NULL, "inproc://x", NULL, NULL, &no_proxy));
    CHECK(no_proxy.id == 0);
    IS_NULL(dividere_proxy_new(1, "inproc://x", NULL, NULL, NULL, &no_proxy));
    IS_NULL(dividere_proxy_new(1, "inproc://x", "inproc://y", NULL, NULL, NULL));
    IS_INVALID(dividere_proxy_new(0, "inproc://x", "inproc://y", NULL, NULL, &no_proxy));
    IS_INVALID(dividere_proxy_new(3, "inproc://x", "inproc://y", NULL, NULL, &no_proxy));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_proxy_new(1, "inproc://x", "", NULL, NULL, &no_proxy));
    CHECK_OK(dividere_proxy_close(no_proxy));
    IS_CLOSED(dividere_proxy_last_endpoint(no_proxy, 1, buffer, sizeof buffer, &len));
    IS_INVALID(dividere_proxy_last_endpoint(proxy, 4, buffer, sizeof buffer, &len));
    IS_NULL(dividere_proxy_last_endpoint(proxy, 1, NULL, 1, &len));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_proxy_last_endpoint(proxy, 3, buffer, 64, &len));
    IS_CLOSED(dividere_proxy_wait_ended(no_proxy, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_proxy_wait_ended(proxy, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_proxy_wait_ended(proxy, 1));
    IS_CLOSED(dividere_proxy_statistics(no_proxy, 1, &statistics));
    IS_NULL(dividere_proxy_statistics(proxy, 1, NULL));
    IS_INVALID(dividere_proxy_statistics(proxy, -1, &statistics));
    IS_CLOSED(dividere_proxy_event_recv(no_proxy, 1, &event, -1));
    IS_NULL(dividere_proxy_event_recv(proxy, 1, NULL, -1));
    IS_INVALID(dividere_proxy_event_recv(proxy, 0, &event, -1));
}

CHECK_MAIN(TEST(of_the_process), TEST(make_one_of_each), TEST(of_keys_and_options), TEST(of_messages),
           TEST(of_envelopes), TEST(of_sockets), TEST(of_publishers_and_subscribers), TEST(of_requests_and_responses),
           TEST(of_dealers), TEST(of_reactors_and_proxies), TEST(close_one_of_each))
