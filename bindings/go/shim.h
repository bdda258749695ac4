/* What the Go binding calls where one call into C has to do several things: on the paths that every message takes, and
 * where a status and its text have to be read on one thread. Everything else is called as it stands in dividere.h. What
 * other packages of a program would see, when it is linked, begins with dividere. */
#ifndef DIVIDERE_GO_SHIM_H
#define DIVIDERE_GO_SHIM_H

#include <dividere.h>
#include <stdlib.h>
#include <string.h>

/* A status, and its text where it is one that somebody will read: to be freed. */
typedef struct {
    dividere_status_t status;
    char *text;
} go_result;

/* A message object, and what is in it. Made once and used again and again. */
typedef struct {
    dividere_message_t *message;
    dividere_view_t view;
    void *place;
} go_slot;

static inline go_result go_done(dividere_status_t status) {
    go_result result = {status, NULL};
    if (status != DIVIDERE_OK && status != DIVIDERE_WOULD_BLOCK) {
        result.text = strdup(dividere_last_error());
    }
    return result;
}

static inline go_slot *go_slot_new(void) {
    go_slot *slot = calloc(1, sizeof *slot);
    if (slot != NULL && dividere_message_new(&slot->message) != DIVIDERE_OK) {
        free(slot);
        return NULL;
    }
    return slot;
}

static inline void go_slot_free(go_slot *slot) {
    dividere_message_free(slot->message);
    free(slot);
}

/* Looks at what a slot holds, after what gave `status` filled it. */
static inline go_result go_look(dividere_status_t status, go_slot *slot) {
    go_result result = go_done(status);
    if (status == DIVIDERE_OK || status == DIVIDERE_DECODE) {
        dividere_message_view(slot->message, &slot->view);
    }
    return result;
}

/* Receives what is there already. */
static inline go_result go_recv(dividere_socket_t socket, go_slot *slot, int typed) {
    return go_look(typed ? dividere_socket_recv(socket, slot->message, 0)
                         : dividere_socket_recv_bytes(socket, slot->message, 0),
                   slot);
}

/* As WOULD_BLOCK, which has no text to be made: that nothing came in a moment is nothing to tell. */
static inline dividere_status_t go_in_a_moment(dividere_status_t status) {
    return status == DIVIDERE_TIMEOUT ? DIVIDERE_WOULD_BLOCK : status;
}

/* Receives what comes within so many milliseconds. */
static inline go_result go_recv_soon(dividere_socket_t socket, go_slot *slot, int typed, int64_t ms) {
    return go_look(go_in_a_moment(typed ? dividere_socket_recv(socket, slot->message, ms)
                                        : dividere_socket_recv_bytes(socket, slot->message, ms)),
                   slot);
}

/* The place for a payload in a slot's message; without a name, for bytes. */
static inline go_result go_prepare(go_slot *slot, const char *type_name, size_t size) {
    return go_done(type_name != NULL ? dividere_message_prepare(slot->message, type_name, size, &slot->place)
                                     : dividere_message_prepare_bytes(slot->message, size, &slot->place));
}

/* Without time, as the handle's options say; else it waits for room for so many milliseconds. */
static inline go_result go_send(dividere_socket_t socket, go_slot *slot, int64_t ms) {
    return go_done(ms == 0 ? dividere_socket_send(socket, slot->message)
                           : go_in_a_moment(dividere_socket_send_within(socket, slot->message, ms)));
}

/* Copies a payload into a slot's message; without a name, bytes. */
static inline go_result go_fill(go_slot *slot, const char *type_name, const void *data, size_t len) {
    return go_done(type_name != NULL ? dividere_message_set(slot->message, type_name, data, len)
                                     : dividere_message_set_bytes(slot->message, data, len));
}

/* Sends a copy; without a name, of bytes. */
static inline go_result go_send_copy(dividere_socket_t socket, const char *type_name, const void *data, size_t len) {
    return go_done(type_name != NULL ? dividere_socket_send_typed(socket, type_name, data, len)
                                     : dividere_socket_send_bytes(socket, data, len));
}

/* Sends what a slot holds as a request, to a peer that is connected already. */
static inline go_result go_start_call(dividere_request_t request, go_slot *slot, int may_repeat,
                                      int64_t reply_timeout_ms, uint64_t *call) {
    return go_done(dividere_request_start_call(request, slot->message, may_repeat, reply_timeout_ms, 0, call));
}

/* Takes the reply to a request if it is there within so many milliseconds. */
static inline go_result go_finish_call(dividere_request_t request, uint64_t call, go_slot *slot, int64_t ms) {
    return go_look(go_in_a_moment(dividere_request_finish_call(request, call, slot->message, ms)), slot);
}

static inline go_result go_reply(dividere_message_t *message, go_slot *reply) {
    return go_done(dividere_message_reply(message, reply->message));
}

static inline go_result go_reply_error(dividere_message_t *message, int32_t status, const char *text) {
    return go_done(dividere_message_reply_error(message, status, text));
}

static inline go_result go_send_error(dividere_response_t response, int32_t status, const char *text) {
    return go_done(dividere_response_send_error(response, status, text));
}

static inline go_result go_send_routed(dividere_dealer_t dealer, const dividere_bytes_t *route, size_t count,
                                       go_slot *slot) {
    return go_done(dividere_dealer_send_routed(dealer, route, count, slot->message));
}

static inline go_result go_send_with_empty_frame(dividere_dealer_t dealer, go_slot *slot) {
    return go_done(dividere_dealer_send_with_empty_frame(dealer, slot->message));
}

/* Many messages, and where they are serialised into before they are sent. */
typedef struct {
    size_t count;
    dividere_message_t **messages;
    dividere_view_t *views;
    const char **names;
    size_t *lengths;
    char *buffer;
    size_t bytes;
    /* Of the last receive. */
    size_t received;
} go_batch;

go_batch *dividere_go_batch_new(size_t count, size_t bytes);
void dividere_go_batch_free(go_batch *batch);

/* Lets go of messages that can be answered, or are larger than `most_kept`. */
void dividere_go_batch_tidy(go_batch *batch, size_t most_kept);

/* Makes the first messages those that are in the buffer, one behind the other. */
go_result dividere_go_batch_fill(go_batch *batch, size_t count);

/* Sends `count` of them, from `first` on, until one fails; waits for room for the first one for so many milliseconds.
 */
go_result dividere_go_batch_send(dividere_socket_t socket, go_batch *batch, size_t first, size_t count, int64_t ms,
                                 size_t *sent);

/* Receives what is there already, at most `most`. */
go_result dividere_go_batch_recv(dividere_socket_t socket, go_batch *batch, size_t most, int64_t ms);

#endif
