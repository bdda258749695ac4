/* Text that grows, and payloads as the matrix writes them in a line: `-` for none,
 * else parts joined by commas, each a run of hex digits, or one repeated
 * (`61x1000`). A long one is told by its length and CRC-32 instead. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* Starts as all zeros; `data` is NUL-terminated once something was added. */
struct text {
    char *data;
    size_t len;
    size_t size;
};

void text_add(struct text *text, const void *data, size_t len);
void text_add_string(struct text *text, const char *string);
void text_free(struct text *text);

/* Replaces what is in `bytes`; 0 where `written` is no payload. */
int payload_read(const char *written, struct text *bytes);
void payload_tell(struct text *text, const void *payload, size_t len);

#endif
