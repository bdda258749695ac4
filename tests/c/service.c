/* Services from C: handlers, errors, refusals, and the client that finds instances by name. */
#include "check.h"

#include <poll.h>

static void count(void *context) { ++*(int *)context; }

static dividere_status_t serve(void *context, dividere_service_t service, dividere_message_t *request,
                               dividere_message_t *reply) {
    const dividere_view_t view = check_view(request);
    CHECK(service.id != 0 && *(const int *)context >= 0);
    if (view.payload_len == 4 && memcmp(view.payload, "fail", 4) == 0) {
        return dividere_fail(DIVIDERE_NOT_FOUND, "no such thing");
    }
    return dividere_message_set(reply, "test.Reply", view.payload, view.payload_len);
}

/* The descriptor tells when one is over: of one that is answered, one that is refused and one that is given up. */
static void calls_are_started_and_finished(dividere_service_client_t client, dividere_message_t *message,
                                           dividere_message_t *reply) {
    uint64_t calls[3], ended = 0;
    struct pollfd item = {0, POLLIN, 0};
    int left = 2;

    CHECK_OK(dividere_service_client_fd(client, &item.fd));
    CHECK_OK(dividere_message_set(message, "test.Ask", "hello", 5));
    CHECK_OK(dividere_service_client_start_call(client, message, LONG_MS, 1, &calls[0]));
    CHECK(check_view(message).kind == DIVIDERE_MESSAGE_EMPTY);
    CHECK_OK(dividere_message_set(message, "test.Ask", "fail", 4));
    CHECK_OK(dividere_service_client_start_call(client, message, LONG_MS, 0, &calls[1]));
    CHECK_OK(dividere_message_set(message, "test.Ask", "given up", 8));
    CHECK_OK(dividere_service_client_start_call(client, message, LONG_MS, 0, &calls[2]));
    CHECK_OK(dividere_service_client_abandon_call(client, calls[2]));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_service_client_abandon_call(client, calls[2]));
    while (left > 0) {
        dividere_status_t status;
        CHECK(poll(&item, 1, LONG_MS) == 1);
        status = dividere_service_client_finish_next(client, &ended, reply, 0);
        CHECK(ended == calls[0] || ended == calls[1]);
        if (ended == calls[0]) {
            CHECK_OK(status);
            CHECK(check_view(reply).payload_len == 5 && memcmp(check_view(reply).payload, "hello", 5) == 0);
        } else {
            CHECK_IS(DIVIDERE_REMOTE, status);
            CHECK(strstr(dividere_last_error(), "no such thing") != NULL);
        }
        --left;
    }
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_service_client_finish_next(client, &ended, reply, 0));
    CHECK(ended == 0 && poll(&item, 1, 0) == 0);
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_service_client_finish_call(client, calls[0], reply, LONG_MS));
    CHECK_OK(dividere_message_set(message, "test.Ask", "hello", 5));
    CHECK_OK(dividere_service_client_start_call(client, message, LONG_MS, 0, &calls[0]));
    CHECK_OK(dividere_service_client_finish_call(client, calls[0], reply, LONG_MS));
}

static void a_service_is_found_by_its_name(void) {
    char endpoint[64];
    dividere_options_t *options = NULL;
    dividere_registry_server_t server = {0};
    dividere_registry_client_t registry = {0};
    dividere_service_t service = {0};
    dividere_service_client_t client = {0};
    dividere_instances_t *instances = NULL;
    dividere_message_t *message = check_message(), *reply = check_message();
    uint32_t port = 0;
    int ended = 0;

    CHECK_OK(dividere_registry_server_new("tcp://127.0.0.1:*", NO_OPTIONS, &server));
    CHECK_OK(dividere_socket_last_endpoint(dividere_registry_server_socket(server), endpoint, sizeof endpoint, NULL));
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_string(options, DIVIDERE_OPTION_REGISTRY_ADVERTISE, "127.0.0.1"));
    CHECK_OK(dividere_registry_client_new(endpoint, options, &registry));
    dividere_options_free(options);

    CHECK_IS(DIVIDERE_INVALID_ARGUMENT,
             dividere_service_new("test.Echo", registry, "tcp://127.0.0.1:*", NO_OPTIONS, 0, 10, NULL, 0, &service));
    CHECK(service.id == 0);
    CHECK_OK(dividere_service_new("test.Echo", registry, "tcp://127.0.0.1:*", NO_OPTIONS, 2, 10, "meta", 4, &service));
    CHECK_OK(dividere_service_on(service, "test.Ask", serve, &ended, count));
    CHECK_OK(dividere_service_port(service, &port));
    CHECK(port != 0);

    CHECK_OK(dividere_service_client_new("test.Echo", registry, NO_OPTIONS, &client));
    CHECK_OK(dividere_message_set(message, "test.Ask", "hello", 5));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_service_client_call(client, message, reply, 20000, 0));
    CHECK_OK(dividere_service_start(service, 20000));
    CHECK_OK(dividere_service_client_wait(client, 20000));
    CHECK_OK(dividere_service_client_instances(client, &instances));
    CHECK(dividere_instances_count(instances) == 1);
    dividere_instances_free(instances);

    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_service_client_call(client, message, reply, 20000, 2));
    CHECK_OK(dividere_service_client_call(client, message, reply, 20000, 1));
    CHECK(check_view(reply).payload_len == 5 && memcmp(check_view(reply).payload, "hello", 5) == 0);
    CHECK_OK(dividere_message_set(message, "test.Ask", "fail", 4));
    CHECK_IS(DIVIDERE_REMOTE, dividere_service_client_call(client, message, reply, 20000, 0));
    CHECK_OK(dividere_message_set(message, "test.Other", NULL, 0));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_service_client_call(client, message, reply, 20000, 0));
    calls_are_started_and_finished(client, message, reply);

    CHECK_OK(dividere_service_stop(service, 20000));
    CHECK(ended == 1);
    CHECK_OK(dividere_service_client_close(client));
    CHECK_IS(DIVIDERE_CLOSED, dividere_service_client_wait(client, 0));
    CHECK_OK(dividere_registry_client_close(registry));
    CHECK_OK(dividere_registry_server_close(server));
    dividere_message_free(message);
    dividere_message_free(reply);
}

CHECK_MAIN(TEST(a_service_is_found_by_its_name))
