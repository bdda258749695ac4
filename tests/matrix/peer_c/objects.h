/* What commands give names to, and making and ending it. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <dividere.h>

#include "served.h"
#include "text.h"

enum { MOST_WORDS = 64, NAME_SIZE = 16 };

/* Sockets first. */
enum kind {
    PUBLISHER,
    SUBSCRIBER,
    REQUEST,
    RESPONSE,
    DEALER,
    WORKER,
    PROXY,
    REACTOR,
    REGISTRY,
    BROKER,
    SERVICE,
    CALLER
};

/* A service or a client of one, and what it finds the other with. */
struct found {
    dividere_registry_client_t registry;
    dividere_service_t service;
    dividere_service_client_t caller;
};

/* What a command gave a name to. */
struct named {
    char name[NAME_SIZE];
    enum kind kind;
    union {
        dividere_publisher_t publisher;
        dividere_subscriber_t subscriber;
        dividere_request_t request;
        dividere_response_t response;
        dividere_dealer_t dealer;
        dividere_worker_t worker;
        dividere_proxy_t proxy;
        dividere_registry_server_t registry;
        dividere_broker_t broker;
        struct found found;
        struct served *served;
    } is;
    /* What a socket shares with the others, and what it received last, to be answered. */
    dividere_socket_t socket;
    dividere_message_t *last;
};

/* The words of a command behind its verb, and what to answer; nothing is "ok". */
struct command {
    char *words[MOST_WORDS];
    size_t count;
    struct text answer;
};

/* Returns from the function where a call fails. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        dividere_status_t try_status = (call);                                                                         \
        if (try_status != DIVIDERE_OK) {                                                                               \
            return try_status;                                                                                         \
        }                                                                                                              \
    } while (0)

/* INVALID_ARGUMENT, with these words. */
dividere_status_t invalid(const char *text, const char *what);

/* Something with a name; a role, not a proxy, reactor and the like; something of one kind. */
dividere_status_t find(const char *name, struct named **found);
dividere_status_t find_socket(const char *name, struct named **found);
dividere_status_t find_kind(const char *name, enum kind kind, struct named **found);

dividere_status_t payload_of(const char *word, struct text *payload);
/* A message from the words `typed NAME PAYLOAD` or `bytes PAYLOAD`; NULL on failure. */
dividere_status_t message_of(char **words, size_t len, dividere_message_t **message);

/* new KIND NAME ARGUMENT... is answered with where it is bound. */
dividere_status_t do_new(struct command *command);
/* Ends everything that has a name. */
dividere_status_t do_reset(struct command *command);

#endif
