/* The functions that the library calls, each of which calls one of Go's. */
#include "callbacks.h"

#include "_cgo_export.h"

static void release(void *context) { dividereGoRelease((uintptr_t)context); }

static dividere_status_t handle(void *context, const dividere_delivery_t *delivery, dividere_message_t *message) {
    return dividereGoHandle((uintptr_t)context, delivery->source.id, message);
}

static void handle_error(void *context, const dividere_delivery_t *delivery, dividere_message_t *message,
                         dividere_status_t status, const char *text) {
    dividereGoHandleError((uintptr_t)context, delivery->source.id, message, status, (char *)text);
}

static void run_task(void *context, dividere_reactor_t reactor) {
    (void)reactor;
    dividereGoRunTask((uintptr_t)context);
}

static void ring(void *context, const dividere_event_t *event) {
    (void)event;
    dividereGoRing((uintptr_t)context);
}

static void log_line(void *context, int32_t level, const char *target, const char *text) {
    dividereGoLog((uintptr_t)context, level, (char *)target, (char *)text);
}

dividere_status_t dividere_go_reactor_on(dividere_reactor_t reactor, const char *type_name, uintptr_t handler) {
    return dividere_reactor_on(reactor, type_name, handler != 0 ? handle : NULL, (void *)handler,
                               handler != 0 ? release : NULL);
}

dividere_status_t dividere_go_reactor_on_error(dividere_reactor_t reactor, uintptr_t handler) {
    return dividere_reactor_on_error(reactor, handle_error, (void *)handler, release);
}

dividere_status_t dividere_go_reactor_add_timer(dividere_reactor_t reactor, int64_t interval_ms, int32_t repeat,
                                                uintptr_t task, uint64_t *timer) {
    return dividere_reactor_add_timer(reactor, interval_ms, repeat, run_task, (void *)task, release, timer);
}

dividere_status_t dividere_go_reactor_on_idle(dividere_reactor_t reactor, int64_t interval_ms, uintptr_t task) {
    return dividere_reactor_on_idle(reactor, interval_ms, task != 0 ? run_task : NULL, (void *)task,
                                    task != 0 ? release : NULL);
}

dividere_status_t dividere_go_reactor_post(dividere_reactor_t reactor, uintptr_t task) {
    return dividere_reactor_post(reactor, run_task, (void *)task, release);
}

dividere_status_t dividere_go_set_event_callback(dividere_socket_t socket, uintptr_t bell) {
    return dividere_socket_set_event_callback(socket, ring, (void *)bell, release);
}

dividere_status_t dividere_go_log_set_callback(int32_t level, uintptr_t logger) {
    return dividere_log_set_callback(level, logger != 0 ? log_line : NULL, (void *)logger,
                                     logger != 0 ? release : NULL);
}
