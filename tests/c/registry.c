/* Names through the ABI: registering, finding, watching, and arguments that are none. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

static dividere_registry_server_t server_at(char *endpoint, size_t size) {
    dividere_registry_server_t server = {0};
    CHECK_OK(dividere_registry_server_new("tcp://127.0.0.1:*", NO_OPTIONS, &server));
    CHECK(server.id != 0);
    CHECK_OK(dividere_socket_last_endpoint(dividere_registry_server_socket(server), endpoint, size, NULL));
    return server;
}

static dividere_registry_client_t client_of(const char *endpoint) {
    dividere_registry_client_t client = {0};
    dividere_options_t *options = NULL;
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_string(options, DIVIDERE_OPTION_REGISTRY_ADVERTISE, "127.0.0.1"));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_REGISTRY_LEASE_MS, 5000));
    CHECK_OK(dividere_registry_client_new(endpoint, options, &client));
    dividere_options_free(options);
    return client;
}

static dividere_instance_t only_one(const dividere_instances_t *instances) {
    dividere_instance_t instance;
    memset(&instance, 0xff, sizeof instance);
    CHECK(dividere_instances_count(instances) == 1);
    CHECK_OK(dividere_instances_get(instances, 0, &instance));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_instances_get(instances, 1, &instance));
    return instance;
}

static void what_is_registered_is_found(void) {
    char endpoint[128], publish[128];
    size_t length = 0;
    uint64_t registration = 0, other = 0;
    dividere_instances_t *instances = NULL;
    dividere_instance_t instance;
    dividere_registry_server_t server = server_at(endpoint, sizeof endpoint);
    dividere_registry_client_t client = client_of(endpoint);

    CHECK_OK(dividere_registry_server_publish_endpoint(server, publish, sizeof publish, &length));
    CHECK(length == strlen(publish) && strcmp(publish, endpoint) != 0);
    CHECK_SAYS(DIVIDERE_NOT_FOUND, "acme.clock",
               dividere_registry_client_lookup(client, "acme.clock", LONG_MS, &instances));
    CHECK(instances == NULL);
    CHECK_OK(dividere_registry_client_register(client, "acme.clock", 5101, "a\0b", 3, LONG_MS, &registration));
    CHECK_OK(dividere_registry_client_register(client, "acme.clock", 5102, NULL, 0, LONG_MS, &other));
    CHECK(registration != 0 && other != 0 && registration != other);
    CHECK_OK(dividere_registry_client_lookup_all(client, "acme.clock", LONG_MS, &instances));
    CHECK(dividere_instances_count(instances) == 2);
    dividere_instances_free(instances);
    CHECK_OK(dividere_registry_client_unregister(client, other, LONG_MS));
    CHECK_IS(DIVIDERE_NOT_FOUND, dividere_registry_client_unregister(client, other, LONG_MS));
    CHECK_OK(dividere_registry_client_lookup(client, "acme.clock", LONG_MS, &instances));
    instance = only_one(instances);
    CHECK_TEXT("acme.clock", instance.name);
    CHECK_TEXT("tcp://127.0.0.1:5101", instance.endpoint);
    CHECK_TEXT("127.0.0.1", instance.server);
    CHECK(instance.port == 5101 && instance.lease_ms == 5000 && instance.id == registration);
    CHECK(instance.metadata_len == 3 && memcmp(instance.metadata, "a\0b", 3) == 0);
    CHECK(instance.revision == 1);
    dividere_instances_free(instances);
    CHECK_OK(dividere_registry_client_list(client, "acme.", LONG_MS, &instances));
    CHECK(only_one(instances).id == registration);
    dividere_instances_free(instances);
    CHECK_OK(dividere_registry_client_list(client, "other.", LONG_MS, &instances));
    CHECK(instances != NULL && dividere_instances_count(instances) == 0);
    dividere_instances_free(instances);
    CHECK_OK(dividere_registry_client_close(client));
    CHECK_IS(DIVIDERE_CLOSED, dividere_registry_client_lookup(client, "acme.clock", LONG_MS, &instances));
    CHECK_OK(dividere_registry_server_close(server));
    CHECK_IS(DIVIDERE_CLOSED, dividere_registry_server_close(server));
}

static void expect(dividere_watch_t watch, int32_t kind, uint64_t id) {
    int32_t told = 0;
    dividere_instances_t *instances = NULL;
    CHECK_OK(dividere_watch_recv(watch, LONG_MS, &told, &instances));
    CHECK(told == kind);
    CHECK(only_one(instances).id == id);
    dividere_instances_free(instances);
}

static void *close_watch(void *context) {
    CHECK_OK(dividere_watch_close(*(dividere_watch_t *)context));
    return NULL;
}

static void a_watch_tells_what_is_there_and_what_changes(void) {
    char endpoint[128];
    int32_t fd = -1, kind = 0;
    uint64_t first = 0, second = 0;
    dividere_watch_t watch = {0}, of_client = {0};
    dividere_instances_t *instances = NULL;
    struct pollfd item;
    pthread_t closer;
    dividere_registry_server_t server = server_at(endpoint, sizeof endpoint);
    dividere_registry_client_t client = client_of(endpoint);

    CHECK_OK(dividere_registry_client_register(client, "a.x", 1, NULL, 0, LONG_MS, &first));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_registry_client_watch(client, "a.", 2, LONG_MS, &watch));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_registry_client_watch(client, "", 0, LONG_MS, &watch));
    CHECK_OK(dividere_registry_client_watch(client, "a.", 1, LONG_MS, &watch));
    CHECK_OK(dividere_registry_client_watch(client, "", 1, LONG_MS, &of_client));
    expect(watch, DIVIDERE_WATCH_PUT, first);
    expect(watch, DIVIDERE_WATCH_COMPLETE, 0);
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_watch_recv(watch, 0, &kind, &instances));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_watch_recv(watch, 1, &kind, &instances));
    CHECK(instances == NULL && kind == 0);
    CHECK_OK(dividere_watch_fd(watch, &fd));
    CHECK_OK(dividere_registry_client_register(client, "a.y", 2, NULL, 0, LONG_MS, &second));
    item.fd = fd;
    item.events = POLLIN;
    CHECK(poll(&item, 1, LONG_MS) == 1);
    expect(watch, DIVIDERE_WATCH_PUT, second);
    CHECK_OK(dividere_registry_client_unregister(client, first, LONG_MS));
    expect(watch, DIVIDERE_WATCH_DELETE, first);

    CHECK(pthread_create(&closer, NULL, close_watch, &watch) == 0);
    CHECK_IS(DIVIDERE_CLOSED, dividere_watch_recv(watch, -1, &kind, &instances));
    CHECK(pthread_join(closer, NULL) == 0);
    CHECK_IS(DIVIDERE_CLOSED, dividere_watch_close(watch));
    CHECK_OK(dividere_registry_client_close(client));
    do {
        dividere_instances_free(instances);
    } while (dividere_watch_recv(of_client, LONG_MS, &kind, &instances) == DIVIDERE_OK);
    CHECK_IS(DIVIDERE_CLOSED, dividere_watch_recv(of_client, LONG_MS, &kind, &instances));
    CHECK_IS(DIVIDERE_CLOSED, dividere_watch_close(of_client));
    CHECK_OK(dividere_registry_server_close(server));
}

CHECK_MAIN(TEST(what_is_registered_is_found), TEST(a_watch_tells_what_is_there_and_what_changes))
