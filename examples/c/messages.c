#include "messages.h"

#include <string.h>

/* How a field lies on the wire: the low three bits of its tag. */
enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* A varint is a uint64_t, a FIXED64 a double, BYTES are a char[LONGEST_TEXT]. */
struct field {
    unsigned number; /* below 16, so that its tag is one byte */
    enum wire_type type;
    size_t offset;
};

static const struct field reading_fields[] = {
    {1, BYTES, offsetof(struct reading, sensor)}, {2, FIXED64, offsetof(struct reading, celsius)}, {0, VARINT, 0}};
static const struct field alarm_fields[] = {{1, BYTES, offsetof(struct alarm_message, text)}, {0, VARINT, 0}};
static const struct field division_fields[] = {
    {1, VARINT, offsetof(struct division, dividend)}, {2, VARINT, offsetof(struct division, divisor)}, {0, VARINT, 0}};
static const struct field quotient_fields[] = {{1, VARINT, offsetof(struct quotient, quotient)},
                                               {2, VARINT, offsetof(struct quotient, remainder)},
                                               {0, VARINT, 0}};
static const struct field job_fields[] = {{1, VARINT, offsetof(struct job, number)}, {0, VARINT, 0}};
static const struct field job_done_fields[] = {{1, VARINT, offsetof(struct job_done, number)},
                                               {2, VARINT, offsetof(struct job_done, square)},
                                               {3, BYTES, offsetof(struct job_done, worker)},
                                               {0, VARINT, 0}};
static const struct field mean_request_fields[] = {{1, VARINT, offsetof(struct mean_request, readings_at_least)},
                                                   {0, VARINT, 0}};
static const struct field mean_fields[] = {
    {1, FIXED64, offsetof(struct mean, celsius)}, {2, VARINT, offsetof(struct mean, readings)}, {0, VARINT, 0}};

const struct type reading_type = {"example.Reading", sizeof(struct reading), reading_fields};
const struct type alarm_type = {"example.Alarm", sizeof(struct alarm_message), alarm_fields};
const struct type division_type = {"example.Division", sizeof(struct division), division_fields};
const struct type quotient_type = {"example.Quotient", sizeof(struct quotient), quotient_fields};
const struct type job_type = {"example.Job", sizeof(struct job), job_fields};
const struct type job_done_type = {"example.JobDone", sizeof(struct job_done), job_done_fields};
const struct type mean_request_type = {"example.MeanRequest", sizeof(struct mean_request), mean_request_fields};
const struct type mean_type = {"example.Mean", sizeof(struct mean), mean_fields};

/* Writes `value` at `at`, or, where that is NULL, writes nothing. Returns its length. */
static size_t put_varint(unsigned char *at, uint64_t value) {
    size_t length = 0;
    do {
        const unsigned char more = value >= 0x80 ? 0x80 : 0;
        if (at != NULL)
            at[length] = (unsigned char)((value & 0x7f) | more);
        length++;
        value >>= 7;
    } while (value != 0);
    return length;
}

/* The same for one field. A field that is 0 or empty is left out, as in all of proto3. */
static size_t put_field(unsigned char *at, const struct field *field, const char *member) {
    const unsigned char tag = (unsigned char)(field->number << 3 | field->type);
    uint64_t number = 0;
    size_t length;
    size_t text_length;
    int i;

    if (field->type == BYTES) {
        text_length = strlen(member);
        if (text_length == 0)
            return 0;
        length = 1 + put_varint(at == NULL ? NULL : at + 1, text_length);
        if (at != NULL) {
            at[0] = tag;
            memcpy(at + length, member, text_length);
        }
        return length + text_length;
    }
    memcpy(&number, member, sizeof number); /* of a double, its bits */
    if (number == 0)
        return 0;
    if (at != NULL)
        at[0] = tag;
    if (field->type == VARINT)
        return 1 + put_varint(at == NULL ? NULL : at + 1, number);
    for (i = 0; at != NULL && i < 8; i++)
        at[1 + i] = (unsigned char)(number >> 8 * i); /* the lowest byte first */
    return 1 + 8;
}

static size_t put_message(unsigned char *at, const struct type *type, const void *content) {
    const struct field *field;
    size_t length = 0;
    for (field = type->fields; field->number != 0; field++)
        length += put_field(at == NULL ? NULL : at + length, field, (const char *)content + field->offset);
    return length;
}

dividere_status_t message_set(dividere_message_t *message, const struct type *type, const void *content) {
    void *payload = NULL;
    const size_t size = put_message(NULL, type, content);
    const dividere_status_t status = dividere_message_prepare(message, type->name, size, &payload);
    if (status == DIVIDERE_OK)
        put_message(payload, type, content);
    return status;
}

/* Reads a varint and moves `*at` behind it. Returns 0 where it does not end before `end`. */
static int take_varint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
    unsigned shift = 0;
    *value = 0;
    while (*at < end && shift < 64) {
        const unsigned char byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 1;
        shift += 7;
    }
    return 0;
}

/* Reads one field, which may be one that is not known. Returns 0 where it is malformed. */
static int take_field(const unsigned char **at, const unsigned char *end, const struct type *type, char *content) {
    const struct field *field = type->fields;
    uint64_t tag;
    uint64_t number = 0;
    size_t length = 0;

    if (!take_varint(at, end, &tag))
        return 0;
    switch (tag & 7) {
    case VARINT:
    case BYTES:
        if (!take_varint(at, end, &number))
            return 0;
        if ((tag & 7) == BYTES) {
            if (number > (uint64_t)(end - *at))
                return 0;
            length = (size_t)number;
        }
        break;
    case FIXED64:
    case FIXED32:
        length = (tag & 7) == FIXED64 ? 8 : 4;
        if ((size_t)(end - *at) < length)
            return 0;
        break;
    default:
        return 0;
    }
    while (field->number != 0 && tag != (field->number << 3 | field->type))
        field++;
    if (field->number != 0 && field->type == BYTES) {
        if (length >= LONGEST_TEXT)
            return 0;
        memcpy(content + field->offset, *at, length);
        content[field->offset + length] = '\0';
    } else if (field->number != 0) {
        size_t i;
        for (i = 0; field->type == FIXED64 && i < length; i++)
            number |= (uint64_t)(*at)[i] << 8 * i;
        memcpy(content + field->offset, &number, sizeof number);
    }
    *at += length;
    return 1;
}

dividere_status_t message_get(const dividere_message_t *message, const struct type *type, void *content) {
    const unsigned char *at;
    const unsigned char *end;
    dividere_view_t view;
    const dividere_status_t status = dividere_message_view(message, &view);
    if (status != DIVIDERE_OK)
        return status;
    if (!dividere_message_is(message, type->name))
        return dividere_fail(DIVIDERE_TYPE, "the message is of another type");
    memset(content, 0, type->size);
    at = view.payload;
    end = at + view.payload_len;
    while (at < end)
        if (!take_field(&at, end, type, content))
            return dividere_fail(DIVIDERE_DECODE, "the payload is malformed");
    return DIVIDERE_OK;
}
