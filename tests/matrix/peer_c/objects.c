/* What commands give names to; see objects.h. */
#include "objects.h"

#include "services.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NAMED = 16, ENDPOINT_SIZE = 512 };

static const char *const kinds[] = {"publisher", "subscriber", "request",  "response", "dealer",  "worker",
                                    "proxy",     "reactor",    "registry", "broker",   "service", "caller"};

static struct named everything[MOST_NAMED];
static size_t count;

dividere_status_t invalid(const char *text, const char *what) {
    char words[256];
    snprintf(words, sizeof words, "%s: %s", text, what);
    return dividere_fail(DIVIDERE_INVALID_ARGUMENT, words);
}

dividere_status_t find(const char *name, struct named **found) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(everything[i].name, name) == 0) {
            *found = &everything[i];
            return DIVIDERE_OK;
        }
    }
    return invalid("nothing has this name", name);
}

dividere_status_t find_kind(const char *name, enum kind kind, struct named **found) {
    TRY(find(name, found));
    return (*found)->kind == kind ? DIVIDERE_OK : invalid("of another kind", name);
}

dividere_status_t find_socket(const char *name, struct named **found) {
    TRY(find(name, found));
    return (*found)->kind <= WORKER ? DIVIDERE_OK : invalid("no socket", name);
}

dividere_status_t payload_of(const char *word, struct text *payload) {
    return payload_read(word, payload) ? DIVIDERE_OK : invalid("no payload", word);
}

dividere_status_t message_of(char **words, size_t len, dividere_message_t **message) {
    struct text payload = {0};
    dividere_status_t status = dividere_message_new(message);
    if (status == DIVIDERE_OK && len == 3 && strcmp(words[0], "typed") == 0) {
        void *place;
        status = payload_of(words[2], &payload);
        if (status == DIVIDERE_OK) {
            status = dividere_message_prepare(*message, words[1], payload.len, &place);
        }
        if (status == DIVIDERE_OK && payload.len > 0) {
            memcpy(place, payload.data, payload.len);
        }
    } else if (status == DIVIDERE_OK && len == 2 && strcmp(words[0], "bytes") == 0) {
        status = payload_of(words[1], &payload);
        if (status == DIVIDERE_OK) {
            status = dividere_message_set_bytes(*message, payload.data, payload.len);
        }
    } else if (status == DIVIDERE_OK) {
        status = invalid("no message", len > 0 ? words[0] : "");
    }
    text_free(&payload);
    if (status != DIVIDERE_OK) {
        dividere_message_free(*message);
        *message = NULL;
    }
    return status;
}

static dividere_status_t new_subscriber(struct command *command, struct named *made) {
    const char *endpoints = command->words[2], *filter = command->count > 3 ? command->words[3] : "";
    dividere_subscriber_t *subscriber = &made->is.subscriber;
    struct text prefix = {0};
    dividere_status_t status;
    if (strcmp(filter, "all") == 0) {
        return dividere_subscriber_new(endpoints, NULL, subscriber);
    }
    if (strcmp(filter, "types") == 0) {
        return dividere_subscriber_new_for_types(endpoints, (const char *const *)command->words + 4, command->count - 4,
                                                 NULL, subscriber);
    }
    if (strcmp(filter, "prefix") != 0 || command->count != 5) {
        return invalid("no filter", filter);
    }
    TRY(dividere_subscriber_new_for_types(endpoints, NULL, 0, NULL, subscriber));
    status = payload_of(command->words[4], &prefix);
    if (status == DIVIDERE_OK) {
        status = dividere_subscriber_subscribe_prefix(*subscriber, prefix.data, prefix.len);
    }
    text_free(&prefix);
    if (status != DIVIDERE_OK) {
        dividere_subscriber_close(*subscriber);
    }
    return status;
}

static dividere_status_t new_proxy(struct command *command, struct named *made) {
    char endpoint[ENDPOINT_SIZE];
    int32_t kind = strcmp(command->words[2], "publish_subscribe") == 0 ? DIVIDERE_PROXY_PUBLISH_SUBSCRIBE
                                                                       : DIVIDERE_PROXY_REQUEST_RESPONSE;
    if (command->count != 5) {
        return invalid("a proxy has a kind and two ends", command->words[1]);
    }
    TRY(dividere_proxy_new(kind, command->words[3], command->words[4], NULL, NULL, &made->is.proxy));
    text_add_string(&command->answer, "ok");
    for (int32_t side = DIVIDERE_PROXY_SIDE_FRONT; side <= DIVIDERE_PROXY_SIDE_BACK; side++) {
        dividere_status_t status = dividere_proxy_last_endpoint(made->is.proxy, side, endpoint, sizeof endpoint, NULL);
        text_add_string(&command->answer, " ");
        text_add_string(&command->answer, status == DIVIDERE_OK ? endpoint : "-");
    }
    return DIVIDERE_OK;
}

static dividere_status_t make(struct command *command, struct named *made) {
    const char *endpoints = command->words[2];
    switch (made->kind) {
    case PUBLISHER:
        TRY(dividere_publisher_new(endpoints, NULL, &made->is.publisher));
        made->socket = dividere_publisher_socket(made->is.publisher);
        break;
    case SUBSCRIBER:
        TRY(new_subscriber(command, made));
        made->socket = dividere_subscriber_socket(made->is.subscriber);
        break;
    case REQUEST:
        TRY(dividere_request_new(endpoints, NULL, &made->is.request));
        made->socket = dividere_request_socket(made->is.request);
        break;
    case RESPONSE:
        TRY(dividere_response_new(endpoints, NULL, &made->is.response));
        made->socket = dividere_response_socket(made->is.response);
        break;
    case DEALER:
        TRY(dividere_dealer_new(endpoints, NULL, &made->is.dealer));
        made->socket = dividere_dealer_socket(made->is.dealer);
        break;
    case WORKER:
        TRY(dividere_worker_new(endpoints, NULL, &made->is.worker));
        made->socket = dividere_worker_socket(made->is.worker);
        break;
    case PROXY:
        return new_proxy(command, made);
    case REACTOR:
        return served_new(&made->is.served);
    case REGISTRY:
        return new_registry(command, made);
    case BROKER:
        return new_broker(command, made);
    case SERVICE:
        return new_service(command, made);
    case CALLER:
        return new_caller(command, made);
    }
    return dividere_message_new(&made->last);
}

dividere_status_t do_new(struct command *command) {
    struct named *made = &everything[count];
    size_t kind = 0;
    while (kind < sizeof kinds / sizeof *kinds && strcmp(kinds[kind], command->words[0]) != 0) {
        kind++;
    }
    if (kind == sizeof kinds / sizeof *kinds || (kind != REACTOR && command->count < 3)) {
        return invalid("cannot make this", command->words[0]);
    }
    if (count == MOST_NAMED || strlen(command->words[1]) >= NAME_SIZE) {
        return invalid("too many names, or too long a one", command->words[1]);
    }
    memset(made, 0, sizeof *made);
    made->kind = (enum kind)kind;
    strcpy(made->name, command->words[1]);
    TRY(make(command, made));
    count++;
    if (made->kind <= WORKER) {
        char endpoint[ENDPOINT_SIZE];
        dividere_status_t status = dividere_socket_last_endpoint(made->socket, endpoint, sizeof endpoint, NULL);
        text_add_string(&command->answer, "ok ");
        text_add_string(&command->answer, status == DIVIDERE_OK ? endpoint : "-");
    }
    return DIVIDERE_OK;
}

static dividere_status_t end(struct named *named) {
    dividere_message_free(named->last);
    switch (named->kind) {
    case PUBLISHER:
        return dividere_publisher_close(named->is.publisher);
    case SUBSCRIBER:
        return dividere_subscriber_close(named->is.subscriber);
    case REQUEST:
        return dividere_request_close(named->is.request);
    case RESPONSE:
        return dividere_response_close(named->is.response);
    case DEALER:
        return dividere_dealer_close(named->is.dealer);
    case WORKER:
        return dividere_worker_close(named->is.worker);
    case PROXY:
        return dividere_proxy_close(named->is.proxy);
    case REACTOR:
        return served_close(named->is.served);
    case REGISTRY:
        return dividere_registry_server_close(named->is.registry);
    case BROKER:
        return dividere_broker_close(named->is.broker);
    case SERVICE:
        return service_end(named);
    case CALLER:
        return caller_end(named);
    }
    return DIVIDERE_INTERNAL;
}

/* In reverse: reactors hold sources, and services tell registries of their end. */
dividere_status_t do_reset(struct command *command) {
    dividere_status_t first = DIVIDERE_OK;
    (void)command;
    while (count > 0) {
        dividere_status_t status = end(&everything[--count]);
        first = first == DIVIDERE_OK ? status : first;
    }
    return first;
}
