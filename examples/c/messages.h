/* The messages of ../proto/example.proto, and a small protobuf codec for them, so that the examples need nothing but
 * dividere. A program of yours lets protobuf-c, nanopb or upb make both: dividere carries the bytes of any. */
#ifndef EXAMPLE_MESSAGES_H
#define EXAMPLE_MESSAGES_H

#include <dividere.h>

enum { LONGEST_TEXT = 80 };

struct reading {
    char sensor[LONGEST_TEXT];
    double celsius;
};

struct alarm_message {
    char text[LONGEST_TEXT];
};

struct division {
    uint64_t dividend;
    uint64_t divisor;
};

struct quotient {
    uint64_t quotient;
    uint64_t remainder;
};

struct job {
    uint64_t number;
};

struct job_done {
    uint64_t number;
    uint64_t square;
    char worker[LONGEST_TEXT];
};

struct mean_request {
    uint64_t readings_at_least;
};

struct mean {
    double celsius;
    uint64_t readings;
};

/* A message type: its full name, and where its fields are. */
struct type {
    const char *name;
    size_t size;
    const struct field *fields; /* the last one has the number 0 */
};

extern const struct type reading_type, alarm_type, division_type, quotient_type, job_type, job_done_type,
    mean_request_type, mean_type;

/* Makes `message` a message of this type with this content, serialised straight into the place that it is sent from. */
dividere_status_t message_set(dividere_message_t *message, const struct type *type, const void *content);

/* Reads the content. TYPE where `message` is of another type, DECODE where its payload is malformed. */
dividere_status_t message_get(const dividere_message_t *message, const struct type *type, void *content);

#endif
