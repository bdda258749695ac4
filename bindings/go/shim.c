/* Batches: loops that are made in C, so that one call from Go is enough. */
#include "shim.h"

static int by_address(const void *left, const void *right) {
    const uintptr_t l = (uintptr_t)*(void *const *)left, r = (uintptr_t)*(void *const *)right;
    return (l > r) - (l < r);
}

go_batch *dividere_go_batch_new(size_t count, size_t bytes) {
    go_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->messages = calloc(count, sizeof *batch->messages);
    batch->views = calloc(count, sizeof *batch->views);
    batch->names = calloc(count, sizeof *batch->names);
    batch->lengths = calloc(count, sizeof *batch->lengths);
    batch->buffer = malloc(bytes);
    batch->bytes = bytes;
    if (batch->messages == NULL || batch->views == NULL || batch->names == NULL || batch->lengths == NULL ||
        batch->buffer == NULL) {
        dividere_go_batch_free(batch);
        return NULL;
    }
    for (; batch->count < count; batch->count++) {
        if (dividere_message_new(&batch->messages[batch->count]) != DIVIDERE_OK) {
            dividere_go_batch_free(batch);
            return NULL;
        }
    }
    /* The library looks whether one stands twice in a batch, which is quick where they ascend. */
    qsort(batch->messages, count, sizeof *batch->messages, by_address);
    return batch;
}

void dividere_go_batch_free(go_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        dividere_message_free(batch->messages[i]);
    }
    free(batch->messages);
    free(batch->views);
    free(batch->names);
    free(batch->lengths);
    free(batch->buffer);
    free(batch);
}

void dividere_go_batch_tidy(go_batch *batch, size_t most_kept) {
    for (size_t i = 0; i < batch->received; i++) {
        const dividere_view_t *view = &batch->views[i];
        if (view->can_reply || view->route_count > 0 || view->bytes_len > most_kept) {
            dividere_message_clear(batch->messages[i]);
        }
    }
    batch->received = 0;
}

go_result dividere_go_batch_fill(go_batch *batch, size_t count) {
    const char *payload = batch->buffer;
    for (size_t i = 0; i < count; i++) {
        dividere_status_t status =
            dividere_message_set(batch->messages[i], batch->names[i], payload, batch->lengths[i]);
        if (status != DIVIDERE_OK) {
            return go_done(status);
        }
        payload += batch->lengths[i];
    }
    return go_done(DIVIDERE_OK);
}

go_result dividere_go_batch_send(dividere_socket_t socket, go_batch *batch, size_t first, size_t count, int64_t ms,
                                 size_t *sent) {
    if (ms == 0) {
        return go_done(dividere_socket_send_many(socket, batch->messages + first, count, sent));
    }
    dividere_status_t status = go_in_a_moment(dividere_socket_send_within(socket, batch->messages[first], ms));
    if (status != DIVIDERE_OK) {
        return go_done(status);
    }
    *sent = 1;
    size_t more = 0;
    if (count > 1 && dividere_socket_send_many(socket, batch->messages + first + 1, count - 1, &more) == DIVIDERE_OK) {
        *sent += more;
    }
    /* What went wrong with the next one is met again when that is sent. */
    return go_done(DIVIDERE_OK);
}

go_result dividere_go_batch_recv(dividere_socket_t socket, go_batch *batch, size_t most, int64_t ms) {
    batch->received = 0;
    size_t received = 0;
    dividere_status_t status = dividere_socket_recv_many(socket, batch->messages, 1, 1, ms, &received);
    status = go_in_a_moment(status);
    if (status != DIVIDERE_OK) {
        return go_done(status);
    }
    dividere_message_view(batch->messages[0], &batch->views[0]);
    batch->received = 1;
    /* Of large ones no more than stay in the processor's cache until they are parsed. */
    const size_t room = batch->bytes / (batch->views[0].bytes_len + 1);
    most = most - 1 < room ? most - 1 : room;
    if (most > 0 && dividere_socket_recv_many(socket, batch->messages + 1, most, 1, 0, &received) == DIVIDERE_OK) {
        for (size_t i = 1; i <= received; i++) {
            dividere_message_view(batch->messages[i], &batch->views[i]);
        }
        batch->received += received;
    }
    return go_done(DIVIDERE_OK);
}
