/* The life of a message, and the envelope on its own. */
#include "check.h"

static void a_message_goes_from_empty_to_prepared_and_back(void) {
    dividere_message_t *message = check_message();
    dividere_view_t view = check_view(message);
    void *place = NULL;
    const char *reading = "acme.v1.Reading";

    CHECK(view.kind == DIVIDERE_MESSAGE_EMPTY && view.bytes_len == 0 && view.bytes != NULL);
    CHECK(view.type_name != NULL && view.type_name_len == 0 && view.payload != NULL);
    CHECK(view.can_reply == 0 && view.route_count == 0 && view.sequence == 0);
    CHECK_IS(DIVIDERE_STATE, dividere_message_decode(message));

    CHECK_OK(dividere_message_prepare(message, reading, 3, &place));
    memcpy(place, "abc", 3);
    check_holds(message, reading, "abc");
    view = check_view(message);
    CHECK(view.payload == place);
    CHECK(view.bytes_len > 3 && memcmp((const char *)view.bytes + view.bytes_len - 3, "abc", 3) == 0);

    /* What does not work leaves it as it was. */
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "9 lives", dividere_message_prepare(message, "9 lives", 3, &place));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_message_prepare(message,
                                                                 "acme.v1.Read\xff"
                                                                 "ng",
                                                                 3, &place));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_message_prepare(message, "acme.v1.Read!ng", 3, &place));
    CHECK(place == NULL);
    CHECK_IS(DIVIDERE_TOO_LARGE, dividere_message_prepare(message, reading, SIZE_MAX, &place));
    CHECK_IS(DIVIDERE_TOO_LARGE, dividere_message_prepare(message, reading, (size_t)INT32_MAX, &place));
    check_holds(message, reading, "abc");

    CHECK_OK(dividere_message_prepare(message, reading, 0, &place));
    check_holds(message, reading, "");
    CHECK_OK(dividere_message_prepare_bytes(message, 4, &place));
    memcpy(place, "wxyz", 4);
    check_holds_bytes(message, "wxyz");
    CHECK_OK(dividere_message_prepare_bytes(message, 0, &place));
    check_holds_bytes(message, "");
    CHECK_OK(dividere_message_set_bytes(message, NULL, 0));
    check_holds_bytes(message, "");
    CHECK_OK(dividere_message_set(message, reading, "xyz", 3));
    check_holds(message, reading, "xyz");
    CHECK_OK(dividere_message_clear(message));
    CHECK(check_view(message).kind == DIVIDERE_MESSAGE_EMPTY);
    dividere_message_free(message);
    dividere_message_free(NULL);
}

static void a_clone_has_a_life_of_its_own(void) {
    dividere_message_t *message = check_message(), *copy = NULL;
    char large[4096];
    memset(large, 'l', sizeof large - 1);
    large[sizeof large - 1] = '\0';

    CHECK_OK(dividere_message_set(message, "acme.Small", "abc", 3));
    CHECK_OK(dividere_message_clone(message, &copy));
    CHECK_OK(dividere_message_clear(message));
    check_holds(copy, "acme.Small", "abc");
    dividere_message_free(copy);

    CHECK_OK(dividere_message_set(message, "acme.Large", large, strlen(large)));
    CHECK_OK(dividere_message_clone(message, &copy));
    check_holds(message, "acme.Large", large);
    dividere_message_free(message);
    check_holds(copy, "acme.Large", large);
    dividere_message_free(copy);
}

static void received_bytes_can_be_decoded_later(void) {
    unsigned char envelope[256];
    size_t size = 0, len = 0;
    dividere_message_t *message = check_message();

    CHECK_OK(dividere_envelope_size("acme.Reading", 3, &size));
    CHECK_OK(dividere_envelope_encode("acme.Reading", "abc", 3, envelope, sizeof envelope, &len));
    CHECK(size == len);
    CHECK_OK(dividere_message_set_bytes(message, envelope, len));
    CHECK(dividere_message_is(message, "acme.Reading") == 0);
    CHECK_OK(dividere_message_decode(message));
    check_holds(message, "acme.Reading", "abc");
    CHECK_OK(dividere_message_set_bytes(message, envelope, len - 1));
    CHECK_IS(DIVIDERE_DECODE, dividere_message_decode(message));
    CHECK(check_view(message).kind == DIVIDERE_MESSAGE_UNDECODABLE);
    CHECK(check_view(message).bytes_len == len - 1);
    dividere_message_free(message);
}

static void an_envelope_goes_only_where_it_fits(void) {
    unsigned char buffer[64];
    size_t size = 77, len = 77;
    CHECK_OK(dividere_envelope_size("A", 2, &size));
    memset(buffer, 0xee, sizeof buffer);
    CHECK_IS(DIVIDERE_TOO_LARGE, dividere_envelope_encode("A", "ab", 2, buffer, size - 1, &len));
    CHECK(len == 77 && buffer[0] == 0xee);
    CHECK_OK(dividere_envelope_encode("A", "ab", 2, buffer, size, &len));
    CHECK(len == size && buffer[size - 1] == 'b' && buffer[size] == 0xee);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_envelope_size("", 2, &size));
    CHECK_IS(DIVIDERE_TOO_LARGE, dividere_envelope_size("A", SIZE_MAX, &size));
    CHECK(size == len);
}

/* The string that follows "key": " from `text` on; returns where it ends. */
static const char *json_string(const char *text, const char *key, char *value, size_t size) {
    char quoted[64];
    const char *begin, *end;
    snprintf(quoted, sizeof quoted, "\"%s\": \"", key);
    begin = strstr(text, quoted);
    if (begin == NULL) {
        return NULL;
    }
    begin += strlen(quoted);
    end = strchr(begin, '"');
    CHECK(end != NULL && (size_t)(end - begin) < size);
    memcpy(value, begin, (size_t)(end - begin));
    value[end - begin] = '\0';
    return end;
}

static size_t from_hex(const char *hex, unsigned char *bytes) {
    size_t i, len = strlen(hex) / 2;
    for (i = 0; i < len; i++) {
        unsigned int byte;
        CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        bytes[i] = (unsigned char)byte;
    }
    return len;
}

enum { MOST = 1 << 22 };

static void envelopes_of_dividere_2_2_0_are_read_and_written(void) {
    char *text = (char *)malloc(MOST), *hex = (char *)malloc(MOST), class_name[512], name[512];
    unsigned char *payload = (unsigned char *)malloc(MOST), *envelope = (unsigned char *)malloc(MOST);
    unsigned char *ours = (unsigned char *)malloc(MOST);
    const char *at = text;
    size_t read, vectors = 0, same = 0;
    FILE *file = fopen(VECTORS, "rb");
    CHECK(file != NULL);
    read = fread(text, 1, MOST - 1, file);
    CHECK(read > 0 && feof(file));
    text[read] = '\0';
    fclose(file);
    while ((at = json_string(at, "class_name", class_name, sizeof class_name)) != NULL) {
        dividere_view_t view;
        size_t payload_len, envelope_len, len = 0;
        at = json_string(at, "full_name", name, sizeof name);
        CHECK(at != NULL);
        at = json_string(at, "payload", hex, MOST);
        CHECK(at != NULL);
        payload_len = from_hex(hex, payload);
        at = json_string(at, "envelope", hex, MOST);
        CHECK(at != NULL);
        envelope_len = from_hex(hex, envelope);

        CHECK_OK(dividere_envelope_decode(envelope, envelope_len, &view));
        CHECK(view.kind == DIVIDERE_MESSAGE_TYPED && view.bytes == envelope);
        CHECK(view.type_name_len == strlen(name) && memcmp(view.type_name, name, strlen(name)) == 0);
        CHECK(view.payload_len == payload_len && memcmp(view.payload, payload, payload_len) == 0);

        CHECK_OK(dividere_envelope_encode(name, payload, payload_len, ours, MOST, &len));
        if (strcmp(class_name, name) == 0) {
            CHECK(len == envelope_len && memcmp(ours, envelope, len) == 0);
            same++;
        } else {
            CHECK_OK(dividere_envelope_decode(ours, len, &view));
            CHECK(view.payload_len == payload_len);
        }
        vectors++;
    }
    CHECK(vectors == 22);
    CHECK(same > 0 && same < vectors);
    free(text);
    free(hex);
    free(payload);
    free(envelope);
    free(ours);
}

CHECK_MAIN(TEST(a_message_goes_from_empty_to_prepared_and_back), TEST(a_clone_has_a_life_of_its_own),
           TEST(received_bytes_can_be_decoded_later), TEST(an_envelope_goes_only_where_it_fits),
           TEST(envelopes_of_dividere_2_2_0_are_read_and_written))
