/* Publishing and subscribing through the ABI: typed, bytes, batches, filters, waits. */
#include "check.h"

#include <poll.h>

static void what_is_published_arrives_typed_and_as_bytes(void) {
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_message_t *out = check_message(), *in = check_message();
    void *place = NULL;
    size_t count = 77;

    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_OK(dividere_publisher_subscribers(publisher, "acme.Reading", &count));
    CHECK(count == 1);

    CHECK_OK(dividere_message_prepare(out, "acme.Reading", 5, &place));
    memcpy(place, "hello", 5);
    CHECK_OK(dividere_publisher_send(publisher, out));
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_EMPTY);
    CHECK_IS(DIVIDERE_STATE, dividere_publisher_send(publisher, out));
    CHECK_OK(dividere_subscriber_recv(subscriber, in, LONG_MS));
    check_holds(in, "acme.Reading", "hello");

    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.Other", "abc", 3));
    CHECK_OK(dividere_subscriber_recv(subscriber, in, -1));
    check_holds(in, "acme.Other", "abc");
    CHECK(dividere_message_is(in, "acme.Reading") == 0);

    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.Nothing", NULL, 0));
    CHECK_OK(dividere_subscriber_recv(subscriber, in, LONG_MS));
    check_holds(in, "acme.Nothing", "");

    CHECK_OK(dividere_publisher_send_bytes(publisher, "raw", 3));
    CHECK_OK(dividere_subscriber_recv_bytes(subscriber, in, LONG_MS));
    check_holds_bytes(in, "raw");

    CHECK_OK(dividere_publisher_send_bytes(publisher, "raw", 3));
    CHECK_IS(DIVIDERE_DECODE, dividere_subscriber_recv(subscriber, in, LONG_MS));
    CHECK(check_view(in).kind == DIVIDERE_MESSAGE_UNDECODABLE);
    CHECK(check_view(in).bytes_len == 3 && memcmp(check_view(in).bytes, "raw", 3) == 0);

    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_subscriber_recv(subscriber, in, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_subscriber_recv(subscriber, in, 20));
    dividere_message_free(out);
    dividere_message_free(in);
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

static void only_what_was_subscribed_to_arrives(void) {
    char endpoint[128];
    const char *types[] = {"acme.A", "acme.B"};
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = {0};
    dividere_message_t *in = check_message();
    size_t count = 77;

    CHECK_OK(dividere_subscriber_new_for_types(endpoint, types, 2, NO_OPTIONS, &subscriber));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, "acme.A", 1, LONG_MS));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, "acme.B", 1, LONG_MS));
    CHECK_OK(dividere_publisher_subscribers(publisher, "acme.C", &count));
    CHECK(count == 0);
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_publisher_wait_for_subscribers(publisher, "acme.C", 1, 0));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.C", "c", 1));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.B", "b", 1));
    CHECK_OK(dividere_subscriber_recv(subscriber, in, LONG_MS));
    check_holds(in, "acme.B", "b");

    CHECK_OK(dividere_subscriber_subscribe(subscriber, "acme.C"));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, "acme.C", 1, LONG_MS));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.C", "c", 1));
    CHECK_OK(dividere_subscriber_recv(subscriber, in, LONG_MS));
    check_holds(in, "acme.C", "c");
    CHECK_OK(dividere_subscriber_unsubscribe(subscriber, "acme.C"));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_subscriber_unsubscribe(subscriber, "acme.C"));

    CHECK_OK(dividere_subscriber_subscribe_prefix(subscriber, "raw", 3));
    /* The subscription arrives behind the one before it, and so does what it lets through. */
    do {
        CHECK_OK(dividere_publisher_send_bytes(publisher, "raw bytes", 9));
    } while (dividere_subscriber_recv_bytes(subscriber, in, 50) == DIVIDERE_TIMEOUT);
    check_holds_bytes(in, "raw bytes");
    CHECK_OK(dividere_subscriber_unsubscribe_prefix(subscriber, "raw", 3));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_subscriber_unsubscribe_prefix(subscriber, "raw", 3));
    dividere_message_free(in);
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

enum { BATCH = 16 };

static void many_are_sent_and_received_in_one_call(void) {
    char endpoint[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_socket_t to = dividere_publisher_socket(publisher);
    dividere_socket_t from = dividere_subscriber_socket(subscriber);
    dividere_message_t *messages[BATCH], *twice[2];
    size_t i, n, all = 0;

    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    for (i = 0; i < BATCH; i++) {
        messages[i] = check_message();
        CHECK_OK(dividere_message_set(messages[i], "acme.Many", "x", i % 2));
    }
    /* The eleventh is empty: the first ten go. */
    CHECK_OK(dividere_message_clear(messages[10]));
    CHECK_OK(dividere_socket_send_many(to, messages, BATCH, &n));
    CHECK(n == 10);
    n = 77;
    CHECK_IS(DIVIDERE_STATE, dividere_socket_send_many(to, messages + 10, 2, &n));
    CHECK(n == 77);
    CHECK_OK(dividere_socket_send_many(to, messages + 11, 5, &n));
    CHECK(n == 5);
    CHECK_OK(dividere_socket_send_bytes(to, "no envelope", 11));
    while (all < 16) {
        CHECK_OK(dividere_socket_recv_many(from, messages, BATCH, 1, LONG_MS, &n));
        CHECK(n > 0 && all + n <= 16);
        for (i = 0; i < n; i++, all++) {
            if (all == 15) {
                CHECK(check_view(messages[i]).kind == DIVIDERE_MESSAGE_UNDECODABLE);
            } else {
                CHECK(dividere_message_is(messages[i], "acme.Many"));
            }
        }
    }
    n = 77;
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_socket_recv_many(from, messages, BATCH, 1, 0, &n));
    CHECK(n == 77);
    twice[0] = twice[1] = messages[0];
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_socket_recv_many(from, twice, 2, 1, 0, &n));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_socket_recv_many(from, messages, 1, 2, 0, &n));
    twice[1] = NULL;
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_socket_recv_many(from, twice, 2, 1, 0, &n));
    for (i = 0; i < BATCH; i++) {
        dividere_message_free(messages[i]);
    }
    CHECK_OK(dividere_socket_close(from));
    CHECK_OK(dividere_socket_close(to));
}

static void a_socket_tells_about_itself(void) {
    char endpoint[128], again[128], cut[8];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_socket_t to = dividere_publisher_socket(publisher);
    dividere_socket_t from = dividere_subscriber_socket(subscriber);
    dividere_message_t *in = check_message();
    dividere_statistics_t statistics;
    struct pollfd item;
    size_t length = 0, count = 0;
    int fd = -1;

    CHECK_OK(dividere_socket_wait_connected(from, 0, LONG_MS));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_OK(dividere_socket_fd(from, &fd));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_socket_wait(from, 0));
    CHECK_OK(dividere_publisher_send_bytes(publisher, "12345", 5));
    item.fd = fd;
    item.events = POLLIN;
    CHECK(poll(&item, 1, LONG_MS) == 1);
    CHECK_OK(dividere_socket_wait(from, LONG_MS));
    CHECK_OK(dividere_socket_recv_bytes(from, in, LONG_MS));
    check_holds_bytes(in, "12345");

    memset(&statistics, 0xff, sizeof statistics);
    CHECK_OK(dividere_socket_statistics(to, &statistics));
    CHECK(statistics.messages_out == 1 && statistics.bytes_out == 5);
    CHECK(statistics.subscribers == 1 && statistics.peers == 1 && statistics.reserved[6] == 0);
    CHECK_OK(dividere_socket_statistics(from, &statistics));
    CHECK(statistics.messages_in == 1 && statistics.bytes_in == 5);

    CHECK_OK(dividere_socket_last_endpoint(to, again, sizeof again, &length));
    CHECK_TEXT(endpoint, again);
    CHECK(length == strlen(endpoint));
    CHECK_OK(dividere_socket_last_endpoint(to, cut, sizeof cut, &length));
    CHECK_TEXT("tcp://1", cut);
    CHECK(length == strlen(endpoint));
    CHECK_OK(dividere_socket_last_endpoint(to, NULL, 0, &length));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_socket_last_endpoint(from, again, sizeof again, NULL));
    CHECK_OK(dividere_socket_attach(to, "tcp://127.0.0.1:*"));
    CHECK_OK(dividere_socket_endpoint_count(to, &count));
    CHECK(count == 2);
    CHECK_OK(dividere_socket_endpoint(to, 0, again, sizeof again, NULL));
    CHECK_TEXT(endpoint, again);
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_socket_endpoint(to, 2, again, sizeof again, NULL));
    CHECK_OK(dividere_socket_last_endpoint(to, again, sizeof again, NULL));
    CHECK_OK(dividere_socket_attach(from, again));
    CHECK_OK(dividere_socket_wait_connected(from, 2, LONG_MS));
    CHECK_OK(dividere_socket_detach(from, again));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_socket_detach(from, again));
    CHECK_SAYS(DIVIDERE_ADDRESS_IN_USE, endpoint + 6, dividere_socket_attach(to, endpoint));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_recv(to, in, 0));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_send_bytes(from, "a", 1));
    dividere_message_free(in);
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

CHECK_MAIN(TEST(what_is_published_arrives_typed_and_as_bytes), TEST(only_what_was_subscribed_to_arrives),
           TEST(many_are_sent_and_received_in_one_call), TEST(a_socket_tells_about_itself))
