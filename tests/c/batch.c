/* What spares calls: receiving with a copy, and calls whose caller waits in an event loop of its own. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define MANY 5

static void new_messages(dividere_message_t **messages, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        messages[i] = check_message();
    }
}

static void copies_are_what_was_sent(void) {
    char endpoint[128], buffer[64];
    dividere_message_t *messages[MANY], *twice[2];
    dividere_copied_t copied[MANY];
    dividere_batch_t batch = {messages, copied, MANY, buffer, sizeof buffer, 1, 0, 0, 0, 0, 0};
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_socket_t source = dividere_subscriber_socket(subscriber);
    char large[200];
    size_t received = 0;

    new_messages(messages, MANY);
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_socket_recv_batch(source, &batch, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_socket_recv_batch(source, &batch, 5));

    memset(large, 'x', sizeof large);
    CHECK_OK(dividere_socket_send_typed(dividere_publisher_socket(publisher), "acme.A", "first", 5));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.Large", large, sizeof large));
    CHECK_OK(dividere_publisher_send_bytes(publisher, "\xff", 1));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.Empty", NULL, 0));
    while (received < 4) {
        batch.messages = messages + received;
        batch.copied = copied + received;
        batch.count = MANY - received;
        /* Each time into the same buffer: what it holds is compared below only for the last one. */
        CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
        if (received == 0) {
            CHECK(copied[0].kind == DIVIDERE_MESSAGE_TYPED);
            CHECK(copied[0].offset == 0 && copied[0].type_name_len == 6 && copied[0].payload_len == 5);
            CHECK(memcmp(buffer, "acme.Afirst", 11) == 0);
        }
        CHECK(batch.described == batch.received);
        received += (size_t)batch.received;
    }
    CHECK(received == 4);
    CHECK(copied[1].offset == UINT64_MAX && copied[1].payload_len == sizeof large);
    CHECK(copied[1].type_name_len == 10 && memcmp(copied[1].type_name, "acme.Large", 10) == 0);
    CHECK(memcmp(copied[1].payload, large, sizeof large) == 0);
    CHECK(check_view(messages[1]).payload_len == sizeof large);
    CHECK(copied[2].kind == DIVIDERE_MESSAGE_UNDECODABLE && copied[2].payload_len == 1);
    CHECK(copied[3].kind == DIVIDERE_MESSAGE_TYPED && copied[3].type_name_len == 10 && copied[3].payload_len == 0);
    CHECK(memcmp(buffer + copied[3].offset, "acme.Empty", 10) == 0);
    CHECK(copied[3].can_reply == 0 && copied[3].route_count == 0);
    check_holds(messages[0], "acme.A", "first");

    batch.messages = messages;
    batch.copied = copied;
    batch.count = 1;
    batch.typed = 0;
    CHECK_OK(dividere_publisher_send_bytes(publisher, "raw", 3));
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 1 && copied[0].kind == DIVIDERE_MESSAGE_BYTES && memcmp(buffer, "raw", 3) == 0);

    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_socket_recv_batch(source, NULL, 0));
    batch.typed = 2;
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_socket_recv_batch(source, &batch, 0));
    batch.typed = 1;
    batch.copied = NULL;
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_socket_recv_batch(source, &batch, 0));
    batch.copied = copied;
    batch.messages = NULL;
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_socket_recv_batch(source, &batch, 0));
    batch.messages = messages;
    twice[0] = twice[1] = messages[0];
    batch.messages = twice;
    batch.count = 2;
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_socket_recv_batch(source, &batch, 0));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_recv_batch(source, &batch, 0));
    CHECK_OK(dividere_publisher_close(publisher));
    for (received = 0; received < MANY; received++) {
        dividere_message_free(messages[received]);
    }
}

/* Two of one type, one of another, two of the first one again, and one that does not fit. */
static void messages_of_one_type_are_copied_together(void) {
    char buffer[64], large[60];
    dividere_message_t *messages[6];
    dividere_copied_t copied[6];
    dividere_batch_t batch = {messages, copied, 6, buffer, sizeof buffer, 1, 1, 0, 0, 0, 0};
    dividere_dealer_t from, to;
    dividere_socket_t source;
    size_t i;

    CHECK_OK(dividere_dealer_new("@inproc://batch", NULL, &to));
    source = dividere_dealer_socket(to);
    CHECK_OK(dividere_dealer_new("inproc://batch", NULL, &from));
    memset(large, 'x', sizeof large);
    new_messages(messages, 6);
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "A", "one", 3));
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "A", NULL, 0));
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "B", "two", 3));
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "B", large, sizeof large));
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "B", "four", 4));
    CHECK_OK(dividere_socket_send_bytes(dividere_dealer_socket(from), "", 0));
    /* Within a process what was sent is there. */
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 6);
    CHECK(batch.described == 5);
    CHECK(copied[0].messages == 2 && copied[0].type_name_len == 1 && copied[0].payload_len == 7);
    CHECK(memcmp(buffer + copied[0].offset, "A\x0a\x03one\x0a\x00", 8) == 0);
    CHECK(copied[1].messages == 1 && memcmp(buffer + copied[1].offset, "B\x0a\x03two", 6) == 0);
    CHECK(copied[2].messages == 1 && copied[2].offset == UINT64_MAX);
    CHECK(copied[3].messages == 1 && memcmp(buffer + copied[3].offset,
                                            "B\x0a\x04"
                                            "four",
                                            7) == 0);
    CHECK(copied[4].kind == DIVIDERE_MESSAGE_UNDECODABLE && copied[4].messages == 1);
    for (i = 0; i < 6; i++) {
        dividere_message_free(messages[i]);
    }
    CHECK_OK(dividere_dealer_close(from));
    CHECK_OK(dividere_dealer_close(to));
}

/* A batch ends with the message that reaches its bytes, and what is too large to be worth it is not copied. */
static void a_batch_is_bounded_by_bytes(void) {
    char buffer[64], payload[30];
    dividere_message_t *messages[MANY];
    dividere_copied_t copied[MANY];
    /* What is received is "A" and 30 bytes, as a message with an envelope around. */
    dividere_batch_t batch = {messages, copied, MANY, buffer, sizeof buffer, 1, 0, 2 * sizeof payload + 1, 29, 0, 0};
    dividere_dealer_t from, to;
    dividere_socket_t source;
    size_t i;

    CHECK_OK(dividere_dealer_new("@inproc://batch-bounded", NULL, &to));
    source = dividere_dealer_socket(to);
    CHECK_OK(dividere_dealer_new("inproc://batch-bounded", NULL, &from));
    memset(payload, 'x', sizeof payload);
    new_messages(messages, MANY);
    for (i = 0; i < 4; i++) {
        CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "A", payload, sizeof payload));
    }
    CHECK_OK(dividere_socket_send_typed(dividere_dealer_socket(from), "A", payload, 29));
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 2 && batch.described == 2);
    for (i = 0; i < 2; i++) {
        CHECK(copied[i].offset == UINT64_MAX && memcmp(copied[i].payload, payload, sizeof payload) == 0);
    }
    batch.bytes_most = 0;
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 3);
    CHECK(copied[1].offset == UINT64_MAX && copied[2].offset == 0);
    CHECK(buffer[0] == 'A' && memcmp(buffer + 1, payload, 29) == 0);
    for (i = 0; i < MANY; i++) {
        dividere_message_free(messages[i]);
    }
    CHECK_OK(dividere_dealer_close(from));
    CHECK_OK(dividere_dealer_close(to));
}

/* Sent, waited for and copied by one function, which can be called again until the reply is there. */
static void a_call_is_one_call(void) {
    char endpoint[128], buffer[64];
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_request_t request = check_request(endpoint), nobody = check_request("tcp://127.0.0.1:1");
    dividere_message_t *reply = check_message(), *asked = check_message();
    dividere_copied_t copied;
    dividere_batch_t batch = {&reply, &copied, 1, buffer, sizeof buffer, 1, 0, 0, 0, 0, 0};
    dividere_outlet_t outlet = {dividere_request_socket(request), "acme.Ask", 8, 0, 0};
    dividere_outlet_t unheard = {dividere_request_socket(nobody), "acme.Ask", 8, 0, 0};
    uint64_t call = 0, first;

    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_outlet_call(&unheard, "?", 1, 0, LONG_MS, LONG_MS, &call, &batch));
    CHECK(call == 0);
    unheard.never_waits = 1;
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_outlet_send(&unheard, "?", 1));
    unheard.never_waits = 2;
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_outlet_send(&unheard, "?", 1));
    CHECK_OK(dividere_socket_wait_connected(dividere_request_socket(request), 0, LONG_MS));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_outlet_call(&outlet, "?", 1, 0, LONG_MS, 0, &call, &batch));
    CHECK(call != 0);
    first = call;
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_outlet_call(&outlet, NULL, 0, 0, LONG_MS, 5, &call, &batch));
    CHECK(call == first);
    CHECK_OK(dividere_response_recv(response, asked, LONG_MS));
    check_holds(asked, "acme.Ask", "?");
    CHECK_OK(dividere_message_set(asked, "acme.Answer", "!", 1));
    CHECK_OK(dividere_response_send(response, asked));
    CHECK_OK(dividere_outlet_call(&outlet, NULL, 0, 0, LONG_MS, LONG_MS, &call, &batch));
    CHECK(call == 0 && batch.received == 1 && batch.described == 1);
    CHECK(copied.kind == DIVIDERE_MESSAGE_TYPED && memcmp(buffer, "acme.Answer!", 12) == 0);

    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_outlet_call(&outlet, "2", 1, 1, LONG_MS, 0, &call, &batch));
    CHECK_OK(dividere_response_recv(response, asked, LONG_MS));
    check_holds(asked, "acme.Ask", "2");
    CHECK_OK(dividere_response_send_error(response, DIVIDERE_BUSY, "not now"));
    CHECK_SAYS(DIVIDERE_BUSY, "not now", dividere_outlet_call(&outlet, NULL, 0, 1, LONG_MS, LONG_MS, &call, &batch));
    CHECK(call == 0);

    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_outlet_call(NULL, "?", 1, 0, LONG_MS, 0, &call, &batch));
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_outlet_call(&outlet, NULL, 1, 0, LONG_MS, 0, &call, &batch));
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_outlet_call(&outlet, "?", 1, 0, LONG_MS, 0, NULL, &batch));
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_outlet_call(&outlet, "?", 1, 0, LONG_MS, 0, &call, NULL));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_outlet_call(&outlet, "?", 1, 2, LONG_MS, 0, &call, &batch));
    batch.count = 0;
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_outlet_call(&outlet, "?", 1, 0, LONG_MS, 0, &call, &batch));
    outlet.socket = dividere_response_socket(response);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_outlet_call(&outlet, "?", 1, 0, LONG_MS, 0, &call, &batch));
    CHECK(call == 0);
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_request_close(nobody));
    dividere_message_free(reply);
    dividere_message_free(asked);
    CHECK_OK(dividere_response_close(response));
}

/* The calls are answered in the other order; each still gets its own reply, told by the descriptor. */
static void calls_are_finished_in_any_order(void) {
    char endpoint[128];
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_request_t request = check_request(endpoint), nobody = check_request("tcp://127.0.0.1:1");
    dividere_message_t *out = check_message(), *in = check_message(), *asked[2];
    uint64_t calls[3];
    struct pollfd item = {0, POLLIN, 0};

    new_messages(asked, 2);
    CHECK_OK(dividere_message_set(out, "acme.Ask", "?", 1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_request_start_call(nobody, out, 0, LONG_MS, 0, calls));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_request_start_call(nobody, out, 0, LONG_MS, 5, calls));
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_TYPED);
    CHECK_OK(dividere_socket_fd(dividere_request_socket(request), &item.fd));
    CHECK_OK(dividere_message_set(out, "acme.Ask", "0", 1));
    CHECK_OK(dividere_request_start_call(request, out, 0, LONG_MS, LONG_MS, &calls[0]));
    CHECK(check_view(out).kind == DIVIDERE_MESSAGE_EMPTY);
    CHECK_OK(dividere_message_set(out, "acme.Ask", "1", 1));
    CHECK_OK(dividere_request_start_call(request, out, 0, LONG_MS, LONG_MS, &calls[1]));
    CHECK_OK(dividere_message_set(out, "acme.Ask", "given up", 8));
    CHECK_OK(dividere_request_start_call(request, out, 0, LONG_MS, LONG_MS, &calls[2]));
    CHECK_OK(dividere_request_abandon_call(request, calls[2]));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_abandon_call(request, calls[2]));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_finish_call(request, calls[2], in, 0));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_request_finish_call(request, calls[0], in, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_request_finish_call(request, calls[0], in, 5));

    CHECK_OK(dividere_response_recv(response, asked[0], LONG_MS));
    check_holds(asked[0], "acme.Ask", "0");
    CHECK_OK(dividere_message_set(out, "acme.Answer", "to 0", 4));
    CHECK_OK(dividere_response_send(response, out));
    CHECK_OK(dividere_response_recv(response, asked[1], LONG_MS));
    CHECK_OK(dividere_response_send_error(response, DIVIDERE_BUSY, "not now"));
    /* What came for call 0 is kept while call 1 is waited for, and shown at the descriptor. */
    CHECK_SAYS(DIVIDERE_BUSY, "not now", dividere_request_finish_call(request, calls[1], in, LONG_MS));
    CHECK(poll(&item, 1, LONG_MS) == 1);
    CHECK_OK(dividere_request_finish_call(request, calls[0], in, 0));
    check_holds(in, "acme.Answer", "to 0");
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_finish_call(request, calls[0], in, 0));
    CHECK_OK(dividere_request_close(request));
    CHECK_IS(DIVIDERE_CLOSED, dividere_request_finish_call(request, calls[0], in, 0));
    CHECK_OK(dividere_request_close(nobody));
    dividere_message_free(out);
    dividere_message_free(in);
    dividere_message_free(asked[0]);
    dividere_message_free(asked[1]);
    CHECK_OK(dividere_response_close(response));
}

static void ignore(int signal) { (void)signal; }

struct waiter {
    dividere_socket_t socket;
    int32_t status;
    int over;
    pthread_mutex_t lock;
};

static void *wait_for_a_message(void *context) {
    struct waiter *waiter = (struct waiter *)context;
    int32_t status = dividere_socket_wait(waiter->socket, LONG_MS);
    pthread_mutex_lock(&waiter->lock);
    waiter->status = status;
    waiter->over = 1;
    pthread_mutex_unlock(&waiter->lock);
    return NULL;
}

static void a_wait_ends_at_a_signal_where_that_is_asked_for(void) {
    char endpoint[128];
    const struct timespec pause = {0, 5000000};
    struct waiter waiter;
    struct sigaction action;
    pthread_t thread;
    int over = 0;
    dividere_response_t response = check_response(endpoint, sizeof endpoint);

    memset(&action, 0, sizeof action);
    action.sa_handler = ignore;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    waiter.socket = dividere_response_socket(response);
    waiter.status = waiter.over = 0;
    pthread_mutex_init(&waiter.lock, NULL);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_interrupt_waits(2));
    CHECK_OK(dividere_interrupt_waits(1));
    CHECK(pthread_create(&thread, NULL, wait_for_a_message, &waiter) == 0);
    while (!over) {
        /* Again and again: the first ones may come before it sleeps. */
        CHECK(pthread_kill(thread, SIGUSR1) == 0);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&waiter.lock);
        over = waiter.over;
        pthread_mutex_unlock(&waiter.lock);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(waiter.status == DIVIDERE_CANCELLED);
    CHECK_OK(dividere_interrupt_waits(0));
    pthread_mutex_destroy(&waiter.lock);
    CHECK_OK(dividere_response_close(response));
}

/* Outlets send to where, and what, they say; what comes together is received together. */
static void outlets_send_what_they_say(void) {
    char buffer[64], large[60];
    dividere_message_t *messages[4];
    dividere_copied_t copied[4];
    dividere_batch_t batch = {messages, copied, 4, buffer, sizeof buffer, 1, 0, 60, 0, 0, 0};
    const char *names = "A.BA.C";
    dividere_outlet_t one, other;
    dividere_dealer_t from, to;
    dividere_socket_t source;
    size_t i;

    CHECK_OK(dividere_dealer_new("@inproc://stops", NULL, &to));
    source = dividere_dealer_socket(to);
    CHECK_OK(dividere_dealer_new("inproc://stops", NULL, &from));
    one.socket = other.socket = dividere_dealer_socket(from);
    one.type_name = names;
    other.type_name = names + 3;
    one.type_name_len = other.type_name_len = 3;
    one.never_waits = one.reserved = other.reserved = 0;
    other.never_waits = 1;
    memset(large, 'x', sizeof large);
    new_messages(messages, 4);
    CHECK_OK(dividere_outlet_send(&one, "one", 3));
    CHECK_OK(dividere_outlet_send(&other, large, sizeof large));
    CHECK_OK(dividere_outlet_send(&one, NULL, 0));
    CHECK_OK(dividere_outlet_send(&other, "four", 4));
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 2 && batch.described == 2);
    CHECK(memcmp(buffer + copied[0].offset, "A.Bone", 6) == 0);
    CHECK(copied[1].offset == UINT64_MAX && copied[1].payload_len == sizeof large);
    CHECK(copied[1].type_name_len == 3 && memcmp(copied[1].type_name, "A.C", 3) == 0);
    CHECK(memcmp(copied[1].payload, large, sizeof large) == 0);
    CHECK_OK(dividere_socket_recv_batch(source, &batch, LONG_MS));
    CHECK(batch.received == 2 && batch.described == 2);
    CHECK(copied[0].type_name_len == 3 && copied[0].payload_len == 0);
    CHECK(memcmp(buffer + copied[1].offset, "A.Cfour", 7) == 0);
    for (i = 0; i < 4; i++) {
        dividere_message_free(messages[i]);
    }
    CHECK_OK(dividere_dealer_close(from));
    CHECK_IS(DIVIDERE_CLOSED, dividere_outlet_send(&one, "late", 4));
    CHECK_OK(dividere_dealer_close(to));
}

CHECK_MAIN(TEST(copies_are_what_was_sent), TEST(messages_of_one_type_are_copied_together),
           TEST(a_batch_is_bounded_by_bytes), TEST(outlets_send_what_they_say), TEST(a_call_is_one_call),
           TEST(calls_are_finished_in_any_order), TEST(a_wait_ends_at_a_signal_where_that_is_asked_for))
