/* How the library calls handlers in Go: requests of services and workers. What is behind a context is a cgo.Handle, a
 * number. */
#ifndef DIVIDERE_GO_SERVING_H
#define DIVIDERE_GO_SERVING_H

#include "shim.h"

#include <stdint.h>

/* In serving.go. */
extern dividere_status_t dividereGoServe(uintptr_t context, go_slot *request, go_slot *reply);
extern void dividereGoForget(uintptr_t context);

static inline dividere_status_t go_serve(void *context, dividere_message_t *request, dividere_message_t *reply) {
    go_slot asked = {request, {0}, NULL};
    go_slot answer = {reply, {0}, NULL};
    dividere_status_t status = dividere_message_view(request, &asked.view);
    return status != DIVIDERE_OK ? status : dividereGoServe((uintptr_t)context, &asked, &answer);
}

static inline dividere_status_t go_serve_service(void *context, dividere_service_t service, dividere_message_t *request,
                                                 dividere_message_t *reply) {
    (void)service;
    return go_serve(context, request, reply);
}

static inline dividere_status_t go_serve_worker(void *context, dividere_worker_t worker, dividere_message_t *request,
                                                dividere_message_t *reply) {
    (void)worker;
    return go_serve(context, request, reply);
}

static inline void go_forget(void *context) { dividereGoForget((uintptr_t)context); }

static inline dividere_status_t go_service_on(dividere_service_t service, const char *type_name, uintptr_t context) {
    return dividere_service_on(service, type_name, context != 0 ? go_serve_service : NULL, (void *)context,
                               context != 0 ? go_forget : NULL);
}

static inline dividere_status_t go_worker_serve(dividere_worker_t worker, uintptr_t context) {
    return dividere_worker_serve(worker, go_serve_worker, (void *)context, go_forget);
}

static inline go_result go_service_start(dividere_service_client_t client, go_slot *request, int64_t timeout_ms,
                                         int32_t may_repeat, uint64_t *call) {
    return go_done(dividere_service_client_start_call(client, request->message, timeout_ms, may_repeat, call));
}

static inline go_result go_service_finish(dividere_service_client_t client, uint64_t call, go_slot *reply, int64_t ms) {
    return go_look(dividere_service_client_finish_call(client, call, reply->message, ms), reply);
}

static inline go_result go_service_next(dividere_service_client_t client, uint64_t *call, go_slot *reply) {
    return go_look(dividere_service_client_finish_next(client, call, reply->message, 0), reply);
}

#endif
