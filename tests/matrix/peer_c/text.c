/* Text that grows, and payloads in text; see text.h. */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest payload that is told in full, in bytes. */
enum { LONGEST_TOLD = 64 };

void text_add(struct text *text, const void *data, size_t len) {
    if (text->len + len + 1 > text->size) {
        text->size = 2 * (text->len + len + 1);
        text->data = realloc(text->data, text->size);
        if (text->data == NULL) {
            perror("matrix_peer_c");
            abort();
        }
    }
    if (len > 0) {
        memcpy(text->data + text->len, data, len);
    }
    text->len += len;
    text->data[text->len] = '\0';
}

void text_add_string(struct text *text, const char *string) { text_add(text, string, strlen(string)); }

void text_free(struct text *text) {
    free(text->data);
    memset(text, 0, sizeof *text);
}

static int digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

int payload_read(const char *written, struct text *bytes) {
    const char *at = written;
    bytes->len = 0;
    text_add(bytes, "", 0);
    if (strcmp(written, "-") == 0) {
        return 1;
    }
    for (;;) {
        size_t start = bytes->len, len;
        unsigned long times = 1;
        while (digit(at[0]) >= 0 && digit(at[1]) >= 0) {
            char byte = (char)(digit(at[0]) << 4 | digit(at[1]));
            text_add(bytes, &byte, 1);
            at += 2;
        }
        len = bytes->len - start;
        if (*at == 'x') {
            char *end;
            times = strtoul(at + 1, &end, 10);
            at = end;
        }
        if (len == 0 || times == 0 || (*at != ',' && *at != '\0')) {
            return 0;
        }
        for (; times > 1; times--) {
            for (size_t i = 0; i < len; i++) {
                char byte = bytes->data[start + i];
                text_add(bytes, &byte, 1);
            }
        }
        if (*at == '\0') {
            return 1;
        }
        at++;
    }
}

/* As zlib's. */
static uint32_t crc32(const unsigned char *data, size_t len) {
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    return ~crc;
}

void payload_tell(struct text *text, const void *payload, size_t len) {
    const unsigned char *bytes = payload;
    char part[64];
    if (len == 0) {
        text_add_string(text, "-");
    } else if (len > LONGEST_TOLD) {
        snprintf(part, sizeof part, "%zu:%08lx", len, (unsigned long)crc32(bytes, len));
        text_add_string(text, part);
    } else {
        for (size_t i = 0; i < len; i++) {
            snprintf(part, sizeof part, "%02x", bytes[i]);
            text_add_string(text, part);
        }
    }
}
