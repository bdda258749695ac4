/* What is found by a name, and brokers; see services.h. */
#include "services.h"

#include <stdio.h>

enum { ENDPOINT_SIZE = 512, TYPE_NAME_SIZE = 512, MOST_WAITING = 1000 };

dividere_status_t new_registry(struct command *command, struct named *made) {
    char endpoint[ENDPOINT_SIZE];
    dividere_socket_t socket;
    if (command->count != 3) {
        return invalid("a registry has an endpoint", command->words[1]);
    }
    TRY(dividere_registry_server_new(command->words[2], NULL, &made->is.registry));
    socket = dividere_registry_server_socket(made->is.registry);
    TRY(dividere_socket_last_endpoint(socket, endpoint, sizeof endpoint, NULL));
    text_add_string(&command->answer, "ok ");
    text_add_string(&command->answer, endpoint);
    return DIVIDERE_OK;
}

dividere_status_t new_broker(struct command *command, struct named *made) {
    char endpoint[ENDPOINT_SIZE];
    if (command->count != 4) {
        return invalid("a broker has two ends", command->words[1]);
    }
    TRY(dividere_broker_new(command->words[2], command->words[3], NULL, &made->is.broker));
    text_add_string(&command->answer, "ok");
    for (int32_t side = DIVIDERE_BROKER_SIDE_FRONT; side <= DIVIDERE_BROKER_SIDE_BACK; side++) {
        TRY(dividere_broker_last_endpoint(made->is.broker, side, endpoint, sizeof endpoint, NULL));
        text_add_string(&command->answer, " ");
        text_add_string(&command->answer, endpoint);
    }
    return DIVIDERE_OK;
}

static dividere_status_t answer_with_the_same(void *context, dividere_service_t service, dividere_message_t *request,
                                              dividere_message_t *reply) {
    dividere_view_t view;
    char type_name[TYPE_NAME_SIZE];
    (void)context;
    (void)service;
    TRY(dividere_message_view(request, &view));
    if (view.type_name_len >= sizeof type_name) {
        return dividere_fail(DIVIDERE_INVALID_ARGUMENT, "the name of the type is too long");
    }
    snprintf(type_name, sizeof type_name, "%.*s", (int)view.type_name_len, view.type_name);
    return dividere_message_set(reply, type_name, view.payload, view.payload_len);
}

/* Ends what was begun where the rest failed. */
static dividere_status_t or_end(dividere_status_t status, dividere_status_t (*end)(struct named *),
                                struct named *made) {
    if (status != DIVIDERE_OK) {
        end(made);
    }
    return status;
}

static dividere_status_t serve(struct named *made) {
    TRY(dividere_service_on(made->is.found.service, NULL, answer_with_the_same, NULL, NULL));
    return dividere_service_start(made->is.found.service, LIMIT_MS);
}

dividere_status_t new_service(struct command *command, struct named *made) {
    dividere_status_t status;
    if (command->count != 4) {
        return invalid("a service has a registry and a name", command->words[1]);
    }
    TRY(dividere_registry_client_new(command->words[2], NULL, &made->is.found.registry));
    status = dividere_service_new(command->words[3], made->is.found.registry, "tcp://127.0.0.1:*", NULL, 1,
                                  MOST_WAITING, NULL, 0, &made->is.found.service);
    if (status != DIVIDERE_OK) {
        dividere_registry_client_close(made->is.found.registry);
        return status;
    }
    return or_end(serve(made), service_end, made);
}

dividere_status_t new_caller(struct command *command, struct named *made) {
    dividere_status_t status;
    if (command->count != 4) {
        return invalid("a caller has a registry and a name", command->words[1]);
    }
    TRY(dividere_registry_client_new(command->words[2], NULL, &made->is.found.registry));
    status = dividere_service_client_new(command->words[3], made->is.found.registry, NULL, &made->is.found.caller);
    if (status != DIVIDERE_OK) {
        dividere_registry_client_close(made->is.found.registry);
        return status;
    }
    return or_end(dividere_message_new(&made->last), caller_end, made);
}

dividere_status_t service_end(struct named *named) {
    dividere_status_t status = dividere_service_close(named->is.found.service);
    dividere_status_t closed = dividere_registry_client_close(named->is.found.registry);
    return status == DIVIDERE_OK ? closed : status;
}

dividere_status_t caller_end(struct named *named) {
    dividere_status_t status = dividere_service_client_close(named->is.found.caller);
    dividere_status_t closed = dividere_registry_client_close(named->is.found.registry);
    return status == DIVIDERE_OK ? closed : status;
}
