/* NULL and nonsense for the functions of name registries, as arguments.c does it for all others. */
#include "check.h"

#define IS_NULL(call) CHECK_IS(DIVIDERE_NULL_POINTER, call)
#define IS_INVALID(call) CHECK_IS(DIVIDERE_INVALID_ARGUMENT, call)
#define IS_CLOSED(call) CHECK_IS(DIVIDERE_CLOSED, call)

static const char *const no_text = "\xff\xfe";

static dividere_registry_server_t server;
static dividere_registry_client_t client;
static char endpoint[128];

static void make_one_of_each(void) {
    CHECK_OK(dividere_registry_server_new("tcp://127.0.0.1:*", NO_OPTIONS, &server));
    CHECK_OK(dividere_socket_last_endpoint(dividere_registry_server_socket(server), endpoint, sizeof endpoint, NULL));
    CHECK_OK(dividere_registry_client_new(endpoint, NO_OPTIONS, &client));
}

static void of_servers(void) {
    dividere_registry_server_t none = {77};
    dividere_registry_client_t other_kind = {0};
    dividere_statistics_t statistics;
    dividere_options_t *options = NULL;
    dividere_message_t *message = check_message();
    char buffer[64];
    size_t length = 77;

    IS_NULL(dividere_registry_server_new(endpoint, NO_OPTIONS, NULL));
    IS_INVALID(dividere_registry_server_new(no_text, NO_OPTIONS, &none));
    CHECK(none.id == 0);
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_registry_server_new("nowhere", NO_OPTIONS, &none));
    CHECK_OK(dividere_options_new(&options));
    /* Unless told, it takes the next port first, which may be anybody's. */
    CHECK_OK(dividere_options_set_string(options, DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT, "tcp://127.0.0.1:*"));
    CHECK_SAYS(DIVIDERE_ADDRESS_IN_USE, endpoint, dividere_registry_server_new(endpoint, options, &none));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_REGISTRY_LEASE_MIN_MS, 2000));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_REGISTRY_LEASE_MAX_MS, 1000));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "registry_lease_min_ms",
               dividere_registry_server_new("tcp://127.0.0.1:*", options, &none));
    dividere_options_free(options);
    CHECK(none.id == 0);
    IS_CLOSED(dividere_registry_server_wait_ended(none, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_registry_server_wait_ended(server, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_registry_server_wait_ended(server, 1));
    CHECK_OK(dividere_registry_server_close(none));
    IS_CLOSED(dividere_registry_server_publish_endpoint(none, buffer, sizeof buffer, &length));
    IS_NULL(dividere_registry_server_publish_endpoint(server, NULL, 1, &length));
    CHECK(length == 77);
    CHECK(dividere_registry_server_socket(none).id == 0);
    CHECK_OK(dividere_socket_statistics(dividere_registry_server_socket(server), &statistics));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_recv(dividere_registry_server_socket(server), message, 0));
    CHECK_IS(DIVIDERE_UNSUPPORTED, dividere_socket_send_bytes(dividere_registry_server_socket(server), "x", 1));
    /* A server's number is no client's. */
    other_kind.id = server.id;
    IS_INVALID(dividere_registry_client_unregister(other_kind, 1, 0));
    IS_INVALID(dividere_registry_client_close(other_kind));
    dividere_message_free(message);
}

static void of_clients(void) {
    dividere_registry_client_t none = {77};
    dividere_watch_t watch = {77};
    dividere_instances_t *found = NULL;
    uint64_t registration = 7;

    IS_NULL(dividere_registry_client_new(endpoint, NO_OPTIONS, NULL));
    IS_NULL(dividere_registry_client_new(NULL, NO_OPTIONS, &none));
    CHECK(none.id == 0);
    IS_INVALID(dividere_registry_client_new(no_text, NO_OPTIONS, &none));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_registry_client_new("nowhere", NO_OPTIONS, &none));
    CHECK_OK(dividere_registry_client_close(none));
    IS_NULL(dividere_registry_client_register(client, NULL, 1, NULL, 0, LONG_MS, &registration));
    IS_NULL(dividere_registry_client_register(client, "a", 1, NULL, 1, LONG_MS, &registration));
    IS_NULL(dividere_registry_client_register(client, "a", 1, NULL, 0, LONG_MS, NULL));
    IS_INVALID(dividere_registry_client_register(client, no_text, 1, NULL, 0, LONG_MS, &registration));
    IS_INVALID(dividere_registry_client_register(client, "", 1, NULL, 0, LONG_MS, &registration));
    IS_INVALID(dividere_registry_client_register(client, "a\n", 1, NULL, 0, LONG_MS, &registration));
    IS_INVALID(dividere_registry_client_register(client, "a", 0, NULL, 0, LONG_MS, &registration));
    IS_INVALID(dividere_registry_client_register(client, "a", 65536, NULL, 0, LONG_MS, &registration));
    IS_CLOSED(dividere_registry_client_register(none, "a", 1, NULL, 0, LONG_MS, &registration));
    CHECK(registration == 7);
    IS_CLOSED(dividere_registry_client_unregister(none, 1, LONG_MS));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_registry_client_unregister(client, 0, LONG_MS));
    IS_NULL(dividere_registry_client_lookup(client, "a", LONG_MS, NULL));
    IS_NULL(dividere_registry_client_lookup(client, NULL, LONG_MS, &found));
    IS_INVALID(dividere_registry_client_lookup(client, "", LONG_MS, &found));
    IS_CLOSED(dividere_registry_client_lookup(none, "a", LONG_MS, &found));
    IS_NULL(dividere_registry_client_lookup_all(client, "a", LONG_MS, NULL));
    IS_NULL(dividere_registry_client_lookup_all(client, NULL, LONG_MS, &found));
    IS_INVALID(dividere_registry_client_lookup_all(client, no_text, LONG_MS, &found));
    IS_NULL(dividere_registry_client_list(client, "a", LONG_MS, NULL));
    IS_NULL(dividere_registry_client_list(client, NULL, LONG_MS, &found));
    IS_CLOSED(dividere_registry_client_list(none, "a", LONG_MS, &found));
    CHECK(found == NULL);
    IS_NULL(dividere_registry_client_watch(client, "a", 0, LONG_MS, NULL));
    IS_NULL(dividere_registry_client_watch(client, NULL, 0, LONG_MS, &watch));
    CHECK(watch.id == 0);
    IS_INVALID(dividere_registry_client_watch(client, "", 0, LONG_MS, &watch));
    IS_INVALID(dividere_registry_client_watch(client, "a", 2, LONG_MS, &watch));
    IS_INVALID(dividere_registry_client_watch(client, "a", -1, LONG_MS, &watch));
    IS_CLOSED(dividere_registry_client_watch(none, "a", 0, LONG_MS, &watch));
}

static void of_watches_and_instances(void) {
    dividere_watch_t watch = {0}, none = {0};
    dividere_instances_t *found = NULL;
    dividere_instance_t instance;
    int32_t kind = 7, fd = 7;

    CHECK_OK(dividere_registry_client_watch(client, "a", 0, LONG_MS, &watch));
    IS_NULL(dividere_watch_recv(watch, LONG_MS, NULL, &found));
    IS_NULL(dividere_watch_recv(watch, LONG_MS, &kind, NULL));
    IS_CLOSED(dividere_watch_recv(none, LONG_MS, &kind, &found));
    CHECK(kind == 7 && found == NULL);
    IS_NULL(dividere_watch_fd(watch, NULL));
    IS_CLOSED(dividere_watch_fd(none, &fd));
    CHECK(fd == 7);
    /* Nothing was lost by it. */
    CHECK_OK(dividere_watch_recv(watch, LONG_MS, &kind, &found));
    CHECK(kind == DIVIDERE_WATCH_COMPLETE && dividere_instances_count(found) == 1);
    IS_NULL(dividere_instances_get(found, 0, NULL));
    IS_NULL(dividere_instances_get(NULL, 0, &instance));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_instances_get(found, 1, &instance));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_instances_get(found, (size_t)-1, &instance));
    CHECK_OK(dividere_instances_get(found, 0, &instance));
    CHECK_TEXT("", instance.name);
    CHECK_TEXT("", instance.endpoint);
    CHECK(instance.metadata != NULL && instance.metadata_len == 0);
    dividere_instances_free(found);
    CHECK(dividere_instances_count(NULL) == 0);
    dividere_instances_free(NULL);
    CHECK_OK(dividere_watch_close(none));
    CHECK_OK(dividere_watch_close(watch));
    IS_CLOSED(dividere_watch_close(watch));
}

static void close_them(void) {
    CHECK_OK(dividere_registry_client_close(client));
    IS_CLOSED(dividere_registry_client_close(client));
    CHECK_OK(dividere_registry_server_close(server));
}

CHECK_MAIN(TEST(make_one_of_each), TEST(of_servers), TEST(of_clients), TEST(of_watches_and_instances), TEST(close_them))
