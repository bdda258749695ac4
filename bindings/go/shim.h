/* What the Go binding calls where one call into C has to do several things: on the paths that every message takes, and
 * where a status and its text have to be read on one thread. Everything else is called as it stands in dividere.h. */
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

/* The place for a payload in a slot's message; without a name, for bytes. */
static inline go_result go_prepare(go_slot *slot, const char *type_name, size_t size) {
    return go_done(type_name != NULL ? dividere_message_prepare(slot->message, type_name, size, &slot->place)
                                     : dividere_message_prepare_bytes(slot->message, size, &slot->place));
}

static inline go_result go_send(dividere_socket_t socket, go_slot *slot) {
    return go_done(dividere_socket_send(socket, slot->message));
}

/* Sends a copy; without a name, of bytes. */
static inline go_result go_send_copy(dividere_socket_t socket, const char *type_name, const void *data, size_t len) {
    return go_done(type_name != NULL ? dividere_socket_send_typed(socket, type_name, data, len)
                                     : dividere_socket_send_bytes(socket, data, len));
}

#endif
