/* A reactor of the peer; see served.h. */
#include "served.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct record {
    struct record *next;
    struct text text;
};

struct served {
    dividere_reactor_t reactor;
    pthread_mutex_t lock;
    pthread_cond_t added;
    struct record *first;
    struct record **last;
    /* Contexts that were not destroyed yet. */
    int contexts;
};

/* The context of a handler. */
struct action {
    struct served *served;
    char *name;
    char *text;
};

static void *allocated(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static char *copied(const char *text, size_t len) {
    char *copy = allocated(len + 1);
    memcpy(copy, text, len);
    return copy;
}

void told(const dividere_message_t *message, struct text *answer) {
    dividere_view_t view;
    if (dividere_message_view(message, &view) != DIVIDERE_OK) {
        text_add_string(answer, "no view");
        return;
    }
    if (view.kind == DIVIDERE_MESSAGE_TYPED) {
        text_add_string(answer, "typed ");
        text_add(answer, view.type_name, view.type_name_len);
        text_add_string(answer, " ");
    } else {
        text_add_string(answer, "bytes ");
    }
    payload_tell(answer, view.payload, view.payload_len);
}

/* Takes the text over. */
static void record(struct served *served, struct text text) {
    struct record *record = allocated(sizeof *record);
    record->text = text;
    pthread_mutex_lock(&served->lock);
    *served->last = record;
    served->last = &record->next;
    pthread_cond_signal(&served->added);
    pthread_mutex_unlock(&served->lock);
}

static dividere_status_t echo(const dividere_delivery_t *delivery, dividere_message_t *message) {
    dividere_view_t view;
    dividere_message_t *answer;
    char *type_name;
    dividere_status_t status = dividere_message_view(message, &view);
    if (status == DIVIDERE_OK) {
        status = dividere_message_new(&answer);
    }
    if (status != DIVIDERE_OK) {
        return status;
    }
    type_name = copied(view.type_name, view.type_name_len);
    status = dividere_message_set(answer, type_name, view.payload, view.payload_len);
    free(type_name);
    if (status == DIVIDERE_OK) {
        status =
            view.can_reply ? dividere_message_reply(message, answer) : dividere_socket_send(delivery->source, answer);
    }
    dividere_message_free(answer);
    return status;
}

static dividere_status_t handle(void *context, const dividere_delivery_t *delivery, dividere_message_t *message) {
    const struct action *action = context;
    struct text text = {0};
    told(message, &text);
    record(action->served, text);
    if (strcmp(action->name, "echo") == 0) {
        return echo(delivery, message);
    }
    return strcmp(action->name, "fail") == 0 ? dividere_fail(DIVIDERE_REMOTE, action->text) : DIVIDERE_OK;
}

static void count_context(struct served *served, int change) {
    pthread_mutex_lock(&served->lock);
    served->contexts += change;
    pthread_mutex_unlock(&served->lock);
}

static void action_free(void *context) {
    struct action *action = context;
    count_context(action->served, -1);
    free(action->name);
    free(action->text);
    free(action);
}

static void handle_error(void *context, const dividere_delivery_t *delivery, dividere_message_t *message,
                         dividere_status_t status, const char *words) {
    struct text text = {0};
    (void)delivery;
    (void)message;
    (void)words;
    text_add_string(&text, "error ");
    text_add_string(&text, dividere_status_name(status));
    record(context, text);
}

static void error_handler_gone(void *context) { count_context(context, -1); }

static void served_free(struct served *served) {
    while (served->first != NULL) {
        struct record *record = served->first;
        served->first = record->next;
        text_free(&record->text);
        free(record);
    }
    pthread_cond_destroy(&served->added);
    pthread_mutex_destroy(&served->lock);
    free(served);
}

dividere_status_t served_new(struct served **out) {
    struct served *served = allocated(sizeof *served);
    pthread_condattr_t attributes;
    dividere_status_t status;
    pthread_mutex_init(&served->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&served->added, &attributes);
    pthread_condattr_destroy(&attributes);
    served->last = &served->first;
    status = dividere_reactor_new(&served->reactor);
    if (status == DIVIDERE_OK) {
        served->contexts = 1;
        status = dividere_reactor_on_error(served->reactor, handle_error, served, error_handler_gone);
    }
    if (status != DIVIDERE_OK) {
        dividere_reactor_close(served->reactor);
        served_free(served);
        return status;
    }
    *out = served;
    return DIVIDERE_OK;
}

dividere_status_t served_on(struct served *served, const char *type_name, const char *name, const char *text) {
    struct action *action;
    if (strcmp(name, "record") != 0 && strcmp(name, "echo") != 0 && strcmp(name, "fail") != 0) {
        return dividere_fail(DIVIDERE_INVALID_ARGUMENT, "no such action");
    }
    action = allocated(sizeof *action);
    action->served = served;
    action->name = copied(name, strlen(name));
    action->text = copied(text, strlen(text));
    count_context(served, 1);
    return dividere_reactor_on(served->reactor, strcmp(type_name, "*") == 0 ? NULL : type_name, handle, action,
                               action_free);
}

dividere_reactor_t served_reactor(const struct served *served) { return served->reactor; }

dividere_status_t served_take(struct served *served, struct text *answer) {
    struct record *record;
    struct timespec until;
    int waited = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LIMIT_MS / 1000;
    pthread_mutex_lock(&served->lock);
    while (served->first == NULL && waited == 0) {
        waited = pthread_cond_timedwait(&served->added, &served->lock, &until);
    }
    record = served->first;
    if (record != NULL) {
        served->first = record->next;
        if (served->first == NULL) {
            served->last = &served->first;
        }
    }
    pthread_mutex_unlock(&served->lock);
    if (record == NULL) {
        return dividere_fail(DIVIDERE_TIMEOUT, "the reactor was given nothing");
    }
    text_add(answer, record->text.data, record->text.len);
    text_free(&record->text);
    free(record);
    return DIVIDERE_OK;
}

dividere_status_t served_close(struct served *served) {
    dividere_status_t status = dividere_reactor_close(served->reactor);
    if (status == DIVIDERE_OK && served->contexts != 0) {
        status = dividere_fail(DIVIDERE_INTERNAL, "a destructor did not run before the reactor was closed");
    }
    if (status == DIVIDERE_OK) {
        served_free(served);
    }
    return status;
}
