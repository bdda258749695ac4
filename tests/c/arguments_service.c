/* Every function of services, fed nonsense. */
#include "check.h"

#define IS_NULL(call) CHECK_IS(DIVIDERE_NULL_POINTER, call)
#define IS_INVALID(call) CHECK_IS(DIVIDERE_INVALID_ARGUMENT, call)
#define IS_CLOSED(call) CHECK_IS(DIVIDERE_CLOSED, call)

#define ANYWHERE "tcp://127.0.0.1:*"

static const char no_text[] = "\xff";
static dividere_registry_client_t registry;

static void count(void *context) { ++*(int *)context; }

static dividere_status_t handle(void *context, dividere_service_t service, dividere_message_t *request,
                                dividere_message_t *reply) {
    (void)context, (void)service, (void)request, (void)reply;
    return DIVIDERE_OK;
}

static void make_a_registry_client(void) {
    CHECK_OK(dividere_registry_client_new("tcp://127.0.0.1:1", NO_OPTIONS, &registry));
}

static void of_services(void) {
    const dividere_registry_client_t no_registry = {0};
    dividere_service_t service = {7}, none = {0};
    dividere_service_client_t other = {0};
    int ended = 0;
    uint32_t port = 7;

    IS_NULL(dividere_service_new("a", registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 0, NULL));
    IS_NULL(dividere_service_new(NULL, registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 0, &service));
    CHECK(service.id == 0);
    IS_NULL(dividere_service_new("a", registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 1, &service));
    IS_INVALID(dividere_service_new(no_text, registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 0, &service));
    IS_INVALID(dividere_service_new("", registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 0, &service));
    IS_INVALID(dividere_service_new("a", registry, ANYWHERE, NO_OPTIONS, 0, 1, NULL, 0, &service));
    IS_INVALID(dividere_service_new("a", registry, ANYWHERE, NO_OPTIONS, 1025, 1, NULL, 0, &service));
    IS_CLOSED(dividere_service_new("a", no_registry, ANYWHERE, NO_OPTIONS, 1, 1, NULL, 0, &service));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_service_new("a", registry, "x", NO_OPTIONS, 1, 1, NULL, 0, &service));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_service_new("a", registry, "inproc://x", NO_OPTIONS, 1, 1, NULL, 0, &service));
    CHECK(service.id == 0);
    CHECK_OK(dividere_service_new("a", registry, ANYWHERE, NO_OPTIONS, 1, 0, NULL, 0, &service));
    IS_INVALID(dividere_service_on(service, no_text, handle, &ended, count));
    IS_CLOSED(dividere_service_on(none, "a.B", handle, &ended, count));
    CHECK(ended == 2);
    CHECK_OK(dividere_service_on(service, NULL, handle, &ended, count));
    CHECK_OK(dividere_service_on(service, NULL, NULL, NULL, NULL));
    CHECK(ended == 3);
    IS_NULL(dividere_service_port(service, NULL));
    IS_CLOSED(dividere_service_port(none, &port));
    CHECK(port == 7);
    IS_CLOSED(dividere_service_start(none, LONG_MS));
    /* Nobody is there to register it with. */
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_service_start(service, 10));
    IS_CLOSED(dividere_service_stop(none, LONG_MS));
    IS_CLOSED(dividere_service_wait_ended(none, LONG_MS));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_service_wait_ended(service, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_service_wait_ended(service, 1));
    other.id = service.id;
    IS_INVALID(dividere_service_client_wait(other, 0));
    CHECK_OK(dividere_service_close(none));
    CHECK_OK(dividere_service_close(service));
    IS_CLOSED(dividere_service_close(service));
}

static void of_clients(void) {
    const dividere_registry_client_t no_registry = {0};
    dividere_service_client_t client = {7}, none = {0};
    dividere_instances_t *found = NULL;
    dividere_message_t *message = check_message(), *reply = check_message();
    uint64_t call = 7;
    int32_t fd = 7;

    IS_NULL(dividere_service_client_new("a", registry, NO_OPTIONS, NULL));
    IS_NULL(dividere_service_client_new(NULL, registry, NO_OPTIONS, &client));
    CHECK(client.id == 0);
    IS_INVALID(dividere_service_client_new(no_text, registry, NO_OPTIONS, &client));
    IS_INVALID(dividere_service_client_new("", registry, NO_OPTIONS, &client));
    IS_CLOSED(dividere_service_client_new("a", no_registry, NO_OPTIONS, &client));
    CHECK_OK(dividere_service_client_new("a", registry, NO_OPTIONS, &client));
    CHECK_IS(DIVIDERE_STATE, dividere_service_client_call(client, message, reply, LONG_MS, 0));
    CHECK_OK(dividere_message_set(message, "a.B", NULL, 0));
    IS_NULL(dividere_service_client_call(client, NULL, reply, LONG_MS, 0));
    IS_NULL(dividere_service_client_call(client, message, NULL, LONG_MS, 0));
    IS_INVALID(dividere_service_client_call(client, message, message, LONG_MS, 0));
    IS_INVALID(dividere_service_client_call(client, message, reply, LONG_MS, 2));
    IS_CLOSED(dividere_service_client_call(none, message, reply, LONG_MS, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_service_client_call(client, message, reply, 10, 1));
    IS_NULL(dividere_service_client_start_call(client, NULL, LONG_MS, 0, &call));
    IS_NULL(dividere_service_client_start_call(client, message, LONG_MS, 0, NULL));
    IS_INVALID(dividere_service_client_start_call(client, message, LONG_MS, 2, &call));
    IS_CLOSED(dividere_service_client_start_call(none, message, LONG_MS, 0, &call));
    CHECK_IS(DIVIDERE_STATE, dividere_service_client_start_call(client, reply, LONG_MS, 0, &call));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_service_client_abandon_call(client, 1));
    CHECK(call == 7 && check_view(message).kind == DIVIDERE_MESSAGE_TYPED);
    IS_NULL(dividere_service_client_finish_call(client, 1, NULL, 0));
    IS_CLOSED(dividere_service_client_finish_call(none, 1, reply, 0));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_service_client_finish_call(client, 1, reply, LONG_MS));
    IS_NULL(dividere_service_client_finish_next(client, NULL, reply, 0));
    IS_NULL(dividere_service_client_finish_next(client, &call, NULL, 0));
    CHECK(call == 0);
    call = 7;
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_service_client_finish_next(client, &call, reply, 10));
    CHECK(call == 0);
    call = 7;
    IS_CLOSED(dividere_service_client_finish_next(none, &call, reply, 0));
    CHECK(call == 0);
    IS_CLOSED(dividere_service_client_abandon_call(none, 1));
    IS_NULL(dividere_service_client_fd(client, NULL));
    IS_CLOSED(dividere_service_client_fd(none, &fd));
    CHECK(fd == 7);
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_service_client_wait(client, 10));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_service_client_wait(client, 0));
    IS_CLOSED(dividere_service_client_wait(none, 0));
    IS_NULL(dividere_service_client_instances(client, NULL));
    IS_CLOSED(dividere_service_client_instances(none, &found));
    CHECK(found == NULL);
    CHECK_OK(dividere_service_client_close(none));
    CHECK_OK(dividere_service_client_close(client));
    IS_CLOSED(dividere_service_client_close(client));
    dividere_message_free(message);
    dividere_message_free(reply);
    CHECK_OK(dividere_registry_client_close(registry));
}

CHECK_MAIN(TEST(make_a_registry_client), TEST(of_services), TEST(of_clients))
