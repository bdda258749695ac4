/* The C peer of the matrix, over the C ABI alone: does what each line of its input
 * says, and answers each with one line. README.md one folder up describes the lines. */
#include <dividere.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

static dividere_status_t number(const char *word, unsigned long *value) {
    char *end;
    *value = strtoul(word, &end, 10);
    return end != word && *end == '\0' ? DIVIDERE_OK : invalid("no number", word);
}

/* Joins the words from `first` on. */
static void joined(const struct command *command, size_t first, struct text *text) {
    text_add_string(text, "");
    for (size_t i = first; i < command->count; i++) {
        text_add_string(text, i > first ? " " : "");
        text_add_string(text, command->words[i]);
    }
}

static dividere_status_t do_hello(struct command *command) {
    text_add_string(&command->answer, "ok c ");
    text_add_string(&command->answer, dividere_version());
    return DIVIDERE_OK;
}

static dividere_status_t send_bytes(const struct named *from, const struct text *bytes) {
    switch (from->kind) {
    case PUBLISHER:
        return dividere_publisher_send_bytes(from->is.publisher, bytes->data, bytes->len);
    case REQUEST:
        return dividere_request_send_bytes(from->is.request, bytes->data, bytes->len);
    case RESPONSE:
        return dividere_response_send_bytes(from->is.response, bytes->data, bytes->len);
    case DEALER:
        return dividere_dealer_send_bytes(from->is.dealer, bytes->data, bytes->len);
    default:
        return dividere_socket_send_bytes(from->socket, bytes->data, bytes->len);
    }
}

static dividere_status_t send_message(const struct named *from, dividere_message_t *message) {
    switch (from->kind) {
    case PUBLISHER:
        return dividere_publisher_send(from->is.publisher, message);
    case REQUEST:
        return dividere_request_send(from->is.request, message);
    case RESPONSE:
        return dividere_response_send(from->is.response, message);
    case DEALER:
        return dividere_dealer_send(from->is.dealer, message);
    default:
        return dividere_socket_send(from->socket, message);
    }
}

static dividere_status_t do_send(struct command *command) {
    struct named *from;
    dividere_message_t *message;
    dividere_status_t status;
    TRY(find_socket(command->words[0], &from));
    if (strcmp(command->words[1], "bytes") == 0 && command->count == 3) {
        struct text payload = {0};
        status = payload_of(command->words[2], &payload);
        status = status == DIVIDERE_OK ? send_bytes(from, &payload) : status;
        text_free(&payload);
        return status;
    }
    TRY(message_of(command->words + 1, command->count - 1, &message));
    status = send_message(from, message);
    dividere_message_free(message);
    return status;
}

static dividere_status_t do_send_empty(struct command *command) {
    struct named *from;
    dividere_message_t *message;
    dividere_status_t status;
    TRY(find_kind(command->words[0], DEALER, &from));
    TRY(message_of(command->words + 1, command->count - 1, &message));
    status = dividere_dealer_send_with_empty_frame(from->is.dealer, message);
    dividere_message_free(message);
    return status;
}

/* With the route of what was received last, as the caller reads it. */
static dividere_status_t do_send_routed(struct command *command) {
    struct named *from;
    dividere_message_t *message;
    dividere_bytes_t route[8];
    size_t frames = 0;
    dividere_status_t status;
    TRY(find_kind(command->words[0], DEALER, &from));
    while (frames < sizeof route / sizeof *route &&
           dividere_message_route(from->last, frames, &route[frames].data, &route[frames].len) == DIVIDERE_OK) {
        frames++;
    }
    TRY(message_of(command->words + 1, command->count - 1, &message));
    status = dividere_dealer_send_routed(from->is.dealer, route, frames, message);
    dividere_message_free(message);
    return status;
}

static dividere_status_t do_reply(struct command *command) {
    struct named *from;
    dividere_message_t *message;
    dividere_status_t status;
    TRY(find_socket(command->words[0], &from));
    TRY(message_of(command->words + 1, command->count - 1, &message));
    status = dividere_message_reply(from->last, message);
    dividere_message_free(message);
    return status;
}

static dividere_status_t do_reply_error(struct command *command) {
    struct named *from;
    struct text words = {0};
    int32_t error = DIVIDERE_OK + 1;
    dividere_status_t status;
    TRY(find_socket(command->words[0], &from));
    while (error < 1000 && strcmp(dividere_status_name(error), command->words[1]) != 0) {
        error++;
    }
    joined(command, 2, &words);
    status = from->kind == RESPONSE ? dividere_response_send_error(from->is.response, error, words.data)
                                    : dividere_message_reply_error(from->last, error, words.data);
    text_free(&words);
    return status;
}

static dividere_status_t recv_message(struct named *from) {
    switch (from->kind) {
    case SUBSCRIBER:
        return dividere_subscriber_recv(from->is.subscriber, from->last, LIMIT_MS);
    case REQUEST:
        return dividere_request_recv(from->is.request, from->last, LIMIT_MS);
    case RESPONSE:
        return dividere_response_recv(from->is.response, from->last, LIMIT_MS);
    case DEALER:
        return dividere_dealer_recv(from->is.dealer, from->last, LIMIT_MS);
    case WORKER:
        return dividere_worker_recv(from->is.worker, from->last, LIMIT_MS);
    default:
        return dividere_socket_recv(from->socket, from->last, LIMIT_MS);
    }
}

static dividere_status_t recv_bytes(struct named *from) {
    switch (from->kind) {
    case SUBSCRIBER:
        return dividere_subscriber_recv_bytes(from->is.subscriber, from->last, LIMIT_MS);
    case REQUEST:
        return dividere_request_recv_bytes(from->is.request, from->last, LIMIT_MS);
    case RESPONSE:
        return dividere_response_recv_bytes(from->is.response, from->last, LIMIT_MS);
    case DEALER:
        return dividere_dealer_recv_bytes(from->is.dealer, from->last, LIMIT_MS);
    case WORKER:
        return dividere_worker_recv_bytes(from->is.worker, from->last, LIMIT_MS);
    default:
        return dividere_socket_recv_bytes(from->socket, from->last, LIMIT_MS);
    }
}

/* What was received last, and whether it came to a dealer with a way back. */
static dividere_status_t answer_last(const struct named *from, struct text *answer) {
    dividere_view_t view;
    TRY(dividere_message_view(from->last, &view));
    told(from->last, answer);
    if (from->kind == DEALER && view.route_count > 0) {
        text_add_string(answer, " routed");
    }
    return DIVIDERE_OK;
}

static dividere_status_t do_recv(struct command *command) {
    struct named *from;
    TRY(find_socket(command->words[0], &from));
    TRY(recv_message(from));
    return answer_last(from, &command->answer);
}

static dividere_status_t do_recv_bytes(struct command *command) {
    struct named *from;
    TRY(find_socket(command->words[0], &from));
    TRY(recv_bytes(from));
    return answer_last(from, &command->answer);
}

static dividere_status_t call(struct command *command, size_t first, unsigned long timeout_ms, unsigned long retries) {
    struct named *from;
    dividere_message_t *message;
    dividere_status_t status;
    TRY(find_kind(command->words[0], REQUEST, &from));
    TRY(message_of(command->words + first, command->count - first, &message));
    status = dividere_request_call(from->is.request, message, from->last, (int64_t)timeout_ms, (uint32_t)retries);
    dividere_message_free(message);
    TRY(status);
    return answer_last(from, &command->answer);
}

static dividere_status_t call_service(struct command *command, struct named *caller) {
    dividere_message_t *message;
    dividere_status_t status;
    TRY(message_of(command->words + 1, command->count - 1, &message));
    status = dividere_service_client_call(caller->is.found.caller, message, caller->last, LIMIT_MS, 1);
    dividere_message_free(message);
    TRY(status);
    return answer_last(caller, &command->answer);
}

static dividere_status_t do_call(struct command *command) {
    struct named *asked;
    TRY(find(command->words[0], &asked));
    return asked->kind == CALLER ? call_service(command, asked) : call(command, 1, LIMIT_MS, 0);
}

static dividere_status_t do_call_again(struct command *command) {
    unsigned long timeout_ms, retries;
    TRY(number(command->words[1], &timeout_ms));
    TRY(number(command->words[2], &retries));
    return call(command, 3, timeout_ms, retries);
}

static dividere_status_t do_connected(struct command *command) {
    struct named *from;
    unsigned long peers;
    TRY(find_socket(command->words[0], &from));
    TRY(number(command->words[1], &peers));
    return dividere_socket_wait_connected(from->socket, peers, LIMIT_MS);
}

static dividere_status_t do_subscribe(struct command *command) {
    struct named *from;
    TRY(find_kind(command->words[0], SUBSCRIBER, &from));
    return dividere_subscriber_subscribe(from->is.subscriber, command->words[1]);
}

static dividere_status_t do_unsubscribe(struct command *command) {
    struct named *from;
    TRY(find_kind(command->words[0], SUBSCRIBER, &from));
    return dividere_subscriber_unsubscribe(from->is.subscriber, command->words[1]);
}

/* Calls a function with the prefix that the second word is. */
static dividere_status_t with_prefix(struct command *command,
                                     dividere_status_t (*function)(dividere_subscriber_t, const void *, size_t)) {
    struct named *from;
    struct text prefix = {0};
    dividere_status_t status;
    TRY(find_kind(command->words[0], SUBSCRIBER, &from));
    status = payload_of(command->words[1], &prefix);
    if (status == DIVIDERE_OK) {
        status = function(from->is.subscriber, prefix.data, prefix.len);
    }
    text_free(&prefix);
    return status;
}

static dividere_status_t do_subscribe_prefix(struct command *command) {
    return with_prefix(command, dividere_subscriber_subscribe_prefix);
}

static dividere_status_t do_unsubscribe_prefix(struct command *command) {
    return with_prefix(command, dividere_subscriber_unsubscribe_prefix);
}

static dividere_status_t do_subscribers(struct command *command) {
    struct named *from;
    const char *type_name = strcmp(command->words[1], "-") == 0 ? NULL : command->words[1];
    unsigned long wanted;
    TRY(find_kind(command->words[0], PUBLISHER, &from));
    TRY(number(command->words[2], &wanted));
    return dividere_publisher_wait_for_subscribers(from->is.publisher, type_name, wanted, LIMIT_MS);
}

/* Message `i` of a burst is a Reading whose sensor it is. */
static const char burst_type[] = "acme.telemetry.v1.Reading";
enum { BURST_PAYLOAD = 8 };

static void numbered(unsigned long i, char payload[BURST_PAYLOAD + 1]) {
    snprintf(payload, BURST_PAYLOAD + 1, "\n\x06%06lu", i % 1000000);
}

static dividere_status_t do_burst(struct command *command) {
    struct named *from;
    dividere_message_t *message;
    unsigned long wanted;
    dividere_status_t status = DIVIDERE_OK;
    TRY(find_socket(command->words[0], &from));
    TRY(number(command->words[1], &wanted));
    TRY(dividere_message_new(&message));
    for (unsigned long i = 0; i < wanted && status == DIVIDERE_OK; i++) {
        char payload[BURST_PAYLOAD + 1];
        numbered(i, payload);
        if (from->kind == PUBLISHER) {
            status = dividere_publisher_send_typed(from->is.publisher, burst_type, payload, BURST_PAYLOAD);
            continue;
        }
        status = dividere_message_set(message, burst_type, payload, BURST_PAYLOAD);
        if (status == DIVIDERE_OK) {
            status = send_message(from, message);
        }
    }
    dividere_message_free(message);
    return status;
}

static dividere_status_t do_expect(struct command *command) {
    struct named *from;
    unsigned long wanted;
    TRY(find_socket(command->words[0], &from));
    TRY(number(command->words[1], &wanted));
    for (unsigned long i = 0; i < wanted; i++) {
        char payload[BURST_PAYLOAD + 1];
        dividere_view_t view;
        numbered(i, payload);
        TRY(recv_message(from));
        TRY(dividere_message_view(from->last, &view));
        if (!dividere_message_is(from->last, burst_type) || view.payload_len != BURST_PAYLOAD ||
            memcmp(view.payload, payload, BURST_PAYLOAD) != 0) {
            char words[64];
            snprintf(words, sizeof words, "bad message %lu is ", i);
            text_add_string(&command->answer, words);
            told(from->last, &command->answer);
            return DIVIDERE_OK;
        }
    }
    text_add_string(&command->answer, "ok ");
    text_add_string(&command->answer, command->words[1]);
    return DIVIDERE_OK;
}

static dividere_status_t do_on(struct command *command) {
    struct named *reactor;
    struct text text = {0};
    dividere_status_t status;
    TRY(find_kind(command->words[0], REACTOR, &reactor));
    joined(command, 3, &text);
    status = served_on(reactor->is.served, command->words[1], command->words[2], text.data);
    text_free(&text);
    return status;
}

static dividere_status_t do_add(struct command *command) {
    struct named *reactor, *source;
    TRY(find_kind(command->words[0], REACTOR, &reactor));
    TRY(find_socket(command->words[1], &source));
    return dividere_reactor_add(served_reactor(reactor->is.served), source->socket);
}

static dividere_status_t do_start(struct command *command) {
    struct named *reactor;
    TRY(find_kind(command->words[0], REACTOR, &reactor));
    return dividere_reactor_start(served_reactor(reactor->is.served), "matrix");
}

static dividere_status_t do_taken(struct command *command) {
    struct named *reactor;
    TRY(find_kind(command->words[0], REACTOR, &reactor));
    return served_take(reactor->is.served, &command->answer);
}

static const struct {
    const char *verb;
    /* Words behind the verb, at least. */
    size_t least;
    dividere_status_t (*obey)(struct command *command);
} verbs[] = {
    {"hello", 0, do_hello},
    {"new", 2, do_new},
    {"reset", 0, do_reset},
    {"send", 2, do_send},
    {"send_empty", 2, do_send_empty},
    {"send_routed", 2, do_send_routed},
    {"reply", 2, do_reply},
    {"reply_error", 2, do_reply_error},
    {"recv", 1, do_recv},
    {"recv_bytes", 1, do_recv_bytes},
    {"call", 2, do_call},
    {"call_again", 4, do_call_again},
    {"connected", 2, do_connected},
    {"subscribe", 2, do_subscribe},
    {"unsubscribe", 2, do_unsubscribe},
    {"subscribe_prefix", 2, do_subscribe_prefix},
    {"unsubscribe_prefix", 2, do_unsubscribe_prefix},
    {"subscribers", 3, do_subscribers},
    {"burst", 2, do_burst},
    {"expect", 2, do_expect},
    {"on", 3, do_on},
    {"add", 2, do_add},
    {"start", 1, do_start},
    {"taken", 1, do_taken},
};

static dividere_status_t obey(const char *verb, struct command *command) {
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].verb, verb) == 0) {
            return command->count >= verbs[i].least ? verbs[i].obey(command) : invalid("more words are needed", verb);
        }
    }
    return invalid("not understood", verb);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        struct command command = {0};
        char *verb = strtok(line, " \n"), *word;
        dividere_status_t status;
        while ((word = strtok(NULL, " \n")) != NULL && command.count < MOST_WORDS) {
            command.words[command.count++] = word;
        }
        status = obey(verb == NULL ? "" : verb, &command);
        if (status != DIVIDERE_OK) {
            const char *why = dividere_last_error();
            printf("error %s # %.*s\n", dividere_status_name(status), (int)strcspn(why, "\n"), why);
        } else {
            puts(command.answer.len > 0 ? command.answer.data : "ok");
        }
        fflush(stdout);
        text_free(&command.answer);
    }
    free(line);
    {
        struct command command = {0};
        return do_reset(&command) == DIVIDERE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    }
}
