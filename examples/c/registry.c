/* Names: a service registers, a client that knows nothing but its name finds it, and hears when it goes. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const service = "example.division";

static void *serve(void *context) {
    const dividere_response_t response = *(const dividere_response_t *)context;
    dividere_message_t *message;

    check(dividere_message_new(&message), "message");
    while (dividere_response_recv(response, message, -1) == DIVIDERE_OK) {
        struct division division;
        struct quotient quotient;
        if (message_get(message, &division_type, &division) != DIVIDERE_OK || division.divisor == 0) {
            check(dividere_response_send_error(response, DIVIDERE_INVALID_ARGUMENT, "nothing can be divided by zero"),
                  "answer");
            continue;
        }
        quotient.quotient = division.dividend / division.divisor;
        quotient.remainder = division.dividend % division.divisor;
        check(message_set(message, &quotient_type, &quotient), "quotient");
        check(dividere_response_send(response, message), "answer");
    }
    dividere_message_free(message);
    return NULL;
}

static void ask(const char *endpoint) {
    dividere_request_t request;
    dividere_message_t *message;
    dividere_message_t *reply;
    struct division division = {17, 5};
    struct quotient quotient;

    check(dividere_request_new(endpoint, NULL, &request), "request");
    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    check(message_set(message, &division_type, &division), "division");
    check(dividere_request_call(request, message, reply, 5 * SECOND_MS, 0), "call");
    check(message_get(reply, &quotient_type, &quotient), "quotient");
    printf("17 / 5 = %llu, remainder %llu\n", (unsigned long long)quotient.quotient,
           (unsigned long long)quotient.remainder);
    require(quotient.quotient == 3 && quotient.remainder == 2, "that is wrong");
    dividere_message_free(message);
    dividere_message_free(reply);
    check(dividere_request_close(request), "close");
}

static void find_and_ask(dividere_registry_client_t client) {
    dividere_instances_t *found;
    dividere_instance_t place;

    check(dividere_registry_client_lookup(client, service, 5 * SECOND_MS, &found), "look up");
    check(dividere_instances_get(found, 0, &place), "place");
    printf("%s is at %s (%.*s)\n", place.name, place.endpoint, (int)place.metadata_len, (const char *)place.metadata);
    ask(place.endpoint);
    dividere_instances_free(found);
}

int main(void) {
    dividere_registry_server_t registry;
    dividere_registry_client_t owner, client;
    dividere_watch_t watch;
    dividere_response_t response;
    dividere_options_t *options;
    dividere_instances_t *instances;
    char endpoint[LONGEST_ENDPOINT], registry_endpoint[LONGEST_ENDPOINT];
    uint64_t registration;
    int32_t kind;
    pthread_t server;

    check(dividere_registry_server_new("tcp://127.0.0.1:*", NULL, &registry), "registry");
    endpoint_of(dividere_registry_server_socket(registry), registry_endpoint);
    check(dividere_response_new("tcp://127.0.0.1:*", NULL, &response), "response");
    endpoint_of(dividere_response_socket(response), endpoint);
    server = start(serve, &response);

    /* The service's own client: it renews the lease as long as the process lives. */
    check(dividere_options_new(&options), "options");
    check(dividere_options_set_string(options, DIVIDERE_OPTION_REGISTRY_ADVERTISE, "127.0.0.1"), "advertise");
    check(dividere_registry_client_new(registry_endpoint, options, &owner), "registry client");
    dividere_options_free(options);
    check(dividere_registry_client_register(owner, service, (uint32_t)atoi(strrchr(endpoint, ':') + 1), "version 1", 9,
                                            5 * SECOND_MS, &registration),
          "register");

    check(dividere_registry_client_new(registry_endpoint, NULL, &client), "registry client");
    check(dividere_registry_client_watch(client, service, 0, 5 * SECOND_MS, &watch), "watch");
    find_and_ask(client);

    check(dividere_registry_client_unregister(owner, registration, 5 * SECOND_MS), "unregister");
    do {
        check(dividere_watch_recv(watch, 5 * SECOND_MS, &kind, &instances), "event");
        dividere_instances_free(instances);
    } while (kind != DIVIDERE_WATCH_DELETE);
    printf("%s is gone\n", service);
    require(dividere_registry_client_lookup(client, service, 5 * SECOND_MS, &instances) == DIVIDERE_NOT_FOUND,
            "it was unregistered");

    check(dividere_response_close(response), "close");
    pthread_join(server, NULL);
    check(dividere_registry_client_close(client), "close");
    check(dividere_registry_client_close(owner), "close");
    check(dividere_registry_server_close(registry), "close");
    return 0;
}
