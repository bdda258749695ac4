/* The reactor and poll, and what is promised about callbacks and the ends of their contexts. */
#include "check.h"

#include <pthread.h>

/* A context that counts its calls and its end. */
struct context {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int calls;
    int ends;
    int32_t status;
    char text[128];
    dividere_message_t *kept;
};

static void context_init(struct context *context) {
    memset(context, 0, sizeof *context);
    CHECK(pthread_mutex_init(&context->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&context->changed, NULL) == 0);
}

static void context_call(struct context *context, int32_t status, const char *text) {
    CHECK(pthread_mutex_lock(&context->mutex) == 0);
    CHECK(context->ends == 0);
    context->calls++;
    context->status = status;
    snprintf(context->text, sizeof context->text, "%s", text);
    CHECK(pthread_cond_broadcast(&context->changed) == 0);
    CHECK(pthread_mutex_unlock(&context->mutex) == 0);
}

static void context_end(void *pointer) {
    struct context *context = (struct context *)pointer;
    CHECK(pthread_mutex_lock(&context->mutex) == 0);
    context->ends++;
    CHECK(pthread_cond_broadcast(&context->changed) == 0);
    CHECK(pthread_mutex_unlock(&context->mutex) == 0);
}

/* Waits until it was called so often, and ended so often. ctest has the deadline. */
static void context_wait(struct context *context, int calls, int ends) {
    CHECK(pthread_mutex_lock(&context->mutex) == 0);
    while (context->calls < calls || context->ends < ends) {
        CHECK(pthread_cond_wait(&context->changed, &context->mutex) == 0);
    }
    CHECK(context->ends == ends);
    CHECK(pthread_mutex_unlock(&context->mutex) == 0);
}

static dividere_status_t on_message(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message) {
    struct context *context = (struct context *)pointer;
    CHECK(delivery->source.id != 0 && delivery->reactor.id != 0);
    CHECK(check_view(message).kind == DIVIDERE_MESSAGE_TYPED);
    context_call(context, DIVIDERE_OK, "");
    return DIVIDERE_OK;
}

static dividere_status_t on_echo(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message) {
    dividere_message_t *reply = check_message();
    dividere_view_t view = check_view(message);
    (void)delivery;
    CHECK_OK(dividere_message_set(reply, "acme.Echo", view.payload, view.payload_len));
    CHECK_OK(dividere_message_reply(message, reply));
    dividere_message_free(reply);
    context_call((struct context *)pointer, DIVIDERE_OK, "");
    return DIVIDERE_OK;
}

static dividere_status_t on_fail(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message) {
    (void)delivery;
    (void)message;
    context_call((struct context *)pointer, DIVIDERE_OK, "");
    return dividere_fail(DIVIDERE_BUSY, "all lines are taken");
}

static dividere_status_t on_keep(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message) {
    struct context *context = (struct context *)pointer;
    (void)delivery;
    CHECK_OK(dividere_message_clone(message, &context->kept));
    context_call(context, DIVIDERE_OK, "");
    return DIVIDERE_OK;
}

static dividere_status_t on_close(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message) {
    (void)message;
    CHECK_IS(DIVIDERE_STATE, dividere_socket_wait(delivery->source, 0));
    CHECK_OK(dividere_reactor_on(delivery->reactor, "acme.Close", NULL, NULL, NULL));
    CHECK_OK(dividere_socket_close(delivery->source));
    CHECK_OK(dividere_reactor_close(delivery->reactor));
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_close(delivery->reactor));
    context_call((struct context *)pointer, DIVIDERE_OK, "");
    return DIVIDERE_OK;
}

static void on_error(void *pointer, const dividere_delivery_t *delivery, dividere_message_t *message,
                     dividere_status_t status, const char *text) {
    CHECK(delivery->source.id != 0);
    CHECK(check_view(message).bytes_len > 0);
    context_call((struct context *)pointer, status, text);
}

static void on_task(void *pointer, dividere_reactor_t reactor) {
    CHECK(reactor.id != 0);
    context_call((struct context *)pointer, DIVIDERE_OK, "");
}

static void on_task_stop(void *pointer, dividere_reactor_t reactor) {
    context_call((struct context *)pointer, DIVIDERE_OK, "");
    CHECK_OK(dividere_reactor_stop(reactor, LONG_MS));
}

static void on_event(void *pointer, const dividere_event_t *event) {
    context_call((struct context *)pointer, event->kind, event->endpoint);
}

static void on_log(void *pointer, int32_t level, const char *target, const char *text) {
    CHECK(level >= DIVIDERE_LOG_ERROR && level <= DIVIDERE_LOG_INFO);
    CHECK(target[0] != '\0');
    context_call((struct context *)pointer, level, text);
}

static void requests_are_answered_failed_kept_and_left(void) {
    char endpoint[128];
    struct context echo, fail, keep, others, errors;
    dividere_response_t response = check_response(endpoint, sizeof endpoint);
    dividere_socket_t source = dividere_response_socket(response);
    dividere_request_t request = check_request(endpoint);
    dividere_reactor_t reactor = {0};
    dividere_message_t *out = check_message(), *in = check_message();

    context_init(&echo);
    context_init(&fail);
    context_init(&keep);
    context_init(&others);
    context_init(&errors);
    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_OK(dividere_reactor_on(reactor, "acme.Echo", on_echo, &echo, context_end));
    CHECK_OK(dividere_reactor_on(reactor, "acme.Fail", on_fail, &fail, context_end));
    CHECK_OK(dividere_reactor_on(reactor, "acme.Keep", on_keep, &keep, context_end));
    CHECK_OK(dividere_reactor_on(reactor, NULL, on_message, &others, context_end));
    CHECK_OK(dividere_reactor_on_error(reactor, on_error, &errors, context_end));
    CHECK_OK(dividere_reactor_add(reactor, source));
    CHECK_IS(DIVIDERE_STATE, dividere_reactor_add(reactor, source));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_reactor_add(reactor, dividere_request_socket(request)));
    CHECK_OK(dividere_reactor_start(reactor, "check"));
    CHECK_IS(DIVIDERE_STATE, dividere_reactor_run(reactor));
    CHECK_IS(DIVIDERE_STATE, dividere_response_recv(response, in, 0));

    CHECK_OK(dividere_message_set(out, "acme.Echo", "hello", 5));
    CHECK_OK(dividere_request_call(request, out, in, LONG_MS, 0));
    check_holds(in, "acme.Echo", "hello");

    CHECK_OK(dividere_message_set(out, "acme.Fail", "", 0));
    CHECK_SAYS(DIVIDERE_REMOTE, "all lines are taken", dividere_request_call(request, out, in, LONG_MS, 0));
    context_wait(&errors, 1, 0);
    CHECK(errors.status == DIVIDERE_BUSY);
    CHECK_TEXT("all lines are taken", errors.text);

    CHECK_OK(dividere_message_set(out, "acme.Left", "", 0));
    CHECK_IS(DIVIDERE_REMOTE, dividere_request_call(request, out, in, LONG_MS, 0));
    context_wait(&others, 1, 0);

    CHECK_OK(dividere_request_send_bytes(request, "no envelope", 11));
    CHECK_IS(DIVIDERE_DECODE, dividere_request_recv(request, in, LONG_MS));
    context_wait(&errors, 2, 0);
    CHECK(errors.status == DIVIDERE_DECODE);

    CHECK_OK(dividere_message_set(out, "acme.Keep", "kept", 4));
    CHECK_OK(dividere_request_send(request, out));
    context_wait(&keep, 1, 0);
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_request_recv(request, in, 0));
    check_holds(keep.kept, "acme.Keep", "kept");
    CHECK_OK(dividere_message_set(out, "acme.Later", "", 0));
    CHECK_OK(dividere_message_reply(keep.kept, out));
    CHECK_OK(dividere_request_recv(request, in, LONG_MS));
    check_holds(in, "acme.Later", "");
    dividere_message_free(keep.kept);

    CHECK_OK(dividere_reactor_on(reactor, NULL, NULL, NULL, NULL));
    context_wait(&others, 1, 1);
    CHECK_OK(dividere_message_set(out, "acme.Nobody", "x", 1));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_request_call(request, out, in, LONG_MS, 0));
    context_wait(&errors, 3, 0);
    CHECK(errors.status == DIVIDERE_NOT_FOUND);

    CHECK_OK(dividere_reactor_remove(reactor, source));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_reactor_remove(reactor, source));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_response_recv(response, in, 0));
    CHECK_OK(dividere_reactor_stop(reactor, LONG_MS));
    CHECK_OK(dividere_reactor_close(reactor));
    context_wait(&echo, 1, 1);
    context_wait(&fail, 1, 1);
    context_wait(&keep, 1, 1);
    context_wait(&errors, 3, 1);
    dividere_message_free(out);
    dividere_message_free(in);
    CHECK_OK(dividere_request_close(request));
    CHECK_OK(dividere_response_close(response));
}

static void tasks_and_timers_run_and_end(void) {
    struct context task, timer, once, idle, stop, unused;
    dividere_reactor_t reactor = {0};
    uint64_t number = 0;

    context_init(&task);
    context_init(&timer);
    context_init(&once);
    context_init(&idle);
    context_init(&stop);
    context_init(&unused);
    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_OK(dividere_reactor_add_timer(reactor, 1, 1, on_task, &timer, context_end, &number));
    CHECK_OK(dividere_reactor_add_timer(reactor, 1, 0, on_task, &once, context_end, NULL));
    CHECK_OK(dividere_reactor_on_idle(reactor, 1, on_task, &idle, context_end));
    CHECK_OK(dividere_reactor_start(reactor, NULL));
    CHECK_OK(dividere_reactor_post(reactor, on_task, &task, context_end));
    context_wait(&task, 1, 1);
    context_wait(&timer, 3, 0);
    context_wait(&once, 1, 1);
    context_wait(&idle, 3, 0);
    CHECK_OK(dividere_reactor_cancel_timer(reactor, number));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_reactor_cancel_timer(reactor, number));
    context_wait(&timer, 3, 1);
    CHECK_OK(dividere_reactor_stop(reactor, LONG_MS));
    /* On this thread now, until a task stops it. */
    CHECK_OK(dividere_reactor_post(reactor, on_task_stop, &stop, context_end));
    CHECK_OK(dividere_reactor_run(reactor));
    context_wait(&stop, 1, 1);
    CHECK_OK(dividere_reactor_post(reactor, on_task, &unused, context_end));
    CHECK_OK(dividere_reactor_close(reactor));
    context_wait(&idle, 3, 1);
    CHECK(unused.calls == 0 && unused.ends == 1);
}

static void a_handler_may_close_its_source_and_its_reactor(void) {
    char endpoint[128];
    struct context context;
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_reactor_t reactor = {0};

    context_init(&context);
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_OK(dividere_reactor_new(&reactor));
    CHECK_OK(dividere_reactor_on(reactor, "acme.Close", on_close, &context, context_end));
    CHECK_OK(dividere_reactor_add(reactor, dividere_subscriber_socket(subscriber)));
    CHECK_OK(dividere_publisher_send_typed(publisher, "acme.Close", "", 0));
    CHECK_OK(dividere_reactor_run(reactor));
    context_wait(&context, 1, 1);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_run(reactor));
    CHECK_IS(DIVIDERE_CLOSED, dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

static void a_context_ends_once_also_when_registering_failed(void) {
    struct context context;
    dividere_reactor_t none = {0};
    dividere_socket_t no_socket = {0};
    int ends = 0;

    context_init(&context);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_on(none, NULL, on_message, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_on_error(none, on_error, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_add_timer(none, 1, 1, on_task, &context, context_end, NULL));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_reactor_add_timer(none, -1, 1, on_task, &context, context_end, NULL));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_NULL_POINTER, dividere_reactor_add_timer(none, 1, 1, NULL, &context, context_end, NULL));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_on_idle(none, 1, on_task, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_CLOSED, dividere_reactor_post(none, on_task, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_set_event_callback(no_socket, on_event, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_log_set_callback(0, on_log, &context, context_end));
    CHECK(context.ends == ++ends);
    CHECK(context.calls == 0);
}

static void events_and_log_lines_are_told(void) {
    char endpoint[128];
    struct context first, second, log;
    dividere_event_t event;
    dividere_publisher_t publisher;
    dividere_subscriber_t subscriber;
    dividere_socket_t socket;

    context_init(&first);
    context_init(&second);
    context_init(&log);
    CHECK_OK(dividere_log_set_callback(DIVIDERE_LOG_INFO, on_log, &log, context_end));
    publisher = check_publisher(endpoint, sizeof endpoint);
    socket = dividere_publisher_socket(publisher);
    CHECK_OK(dividere_socket_event_recv(socket, &event, LONG_MS));
    CHECK(event.kind == DIVIDERE_EVENT_LISTENING);
    CHECK_TEXT(endpoint, event.endpoint);
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_socket_event_recv(socket, &event, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_socket_event_recv(socket, &event, 10));
    context_wait(&log, 1, 0);

    CHECK_OK(dividere_socket_set_event_callback(socket, on_event, &first, context_end));
    CHECK_OK(dividere_socket_set_event_callback(socket, on_event, &second, context_end));
    context_wait(&first, 0, 1);
    subscriber = check_subscriber(endpoint);
    context_wait(&second, 1, 0);
    CHECK_TEXT(endpoint, second.text);
    do {
        CHECK_OK(dividere_socket_event_recv(socket, &event, LONG_MS));
    } while (event.kind != DIVIDERE_EVENT_CONNECTED);
    CHECK_OK(dividere_subscriber_close(subscriber));
    do {
        CHECK_OK(dividere_socket_event_recv(socket, &event, LONG_MS));
    } while (event.kind != DIVIDERE_EVENT_DISCONNECTED);
    CHECK_OK(dividere_publisher_close(publisher));
    context_wait(&second, 1, 1);
    CHECK_IS(DIVIDERE_CLOSED, dividere_socket_event_recv(socket, &event, LONG_MS));
    CHECK_OK(dividere_log_set_callback(DIVIDERE_LOG_INFO, NULL, NULL, NULL));
    context_wait(&log, 1, 1);
}

static void poll_tells_which_socket_has_something(void) {
    char endpoint[128], other[128];
    dividere_publisher_t publisher = check_publisher(endpoint, sizeof endpoint);
    dividere_subscriber_t subscriber = check_subscriber(endpoint);
    dividere_response_t response = check_response(other, sizeof other);
    dividere_poll_item_t items[2];
    size_t ready = 77;

    items[0].socket = dividere_response_socket(response);
    items[1].socket = dividere_subscriber_socket(subscriber);
    items[0].ready = items[1].ready = 77;
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_poll(items, 2, 0, &ready));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_poll(items, 2, 10, &ready));
    CHECK(ready == 77 && items[0].ready == 77 && items[1].ready == 77);
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_OK(dividere_publisher_send_bytes(publisher, "a", 1));
    CHECK_OK(dividere_poll(items, 2, LONG_MS, &ready));
    CHECK(ready == 1 && items[0].ready == 0 && items[1].ready == 1);
    CHECK_OK(dividere_response_close(response));
    CHECK_IS(DIVIDERE_CLOSED, dividere_poll(items, 2, LONG_MS, NULL));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

CHECK_MAIN(TEST(requests_are_answered_failed_kept_and_left), TEST(tasks_and_timers_run_and_end),
           TEST(a_handler_may_close_its_source_and_its_reactor), TEST(a_context_ends_once_also_when_registering_failed),
           TEST(events_and_log_lines_are_told), TEST(poll_tells_which_socket_has_something))
