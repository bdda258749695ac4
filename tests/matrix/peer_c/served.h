/* A reactor and what it was told to do: each message is recorded, then handled as
 * its type's action says. */
#ifndef SERVED_H
#define SERVED_H

#include <dividere.h>

#include "text.h"

/* Where only a failure would wait so long. */
enum { LIMIT_MS = 20000 };

struct served;

dividere_status_t served_new(struct served **served);
/* `action` is record, echo, or fail with a text. `type_name` may be `*`, for every
 * type that no other action is for. */
dividere_status_t served_on(struct served *served, const char *type_name, const char *action, const char *text);
dividere_reactor_t served_reactor(const struct served *served);
/* Adds the oldest record that was not taken yet. */
dividere_status_t served_take(struct served *served, struct text *answer);
dividere_status_t served_close(struct served *served);

/* The message as the driver expects to read it. */
void told(const dividere_message_t *message, struct text *answer);

#endif
