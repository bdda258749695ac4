/* A harness of a few lines: a test is a function, a failed check ends the process
 * with what was expected. Compiles as C99 and as C++17. */
#ifndef CHECK_H
#define CHECK_H

#include <dividere.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where only a failure would wait so long. */
#define LONG_MS 20000

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            check_failed(__FILE__, __LINE__, #condition, "does not hold");                                             \
        }                                                                                                              \
    } while (0)

/* The call returns this status. */
#define CHECK_IS(expected, call) check_status(__FILE__, __LINE__, #call, (expected), (call))

#define CHECK_OK(call) CHECK_IS(DIVIDERE_OK, call)

/* The call returns this status, and says why. */
#define CHECK_SAYS(expected, part, call)                                                                               \
    do {                                                                                                               \
        CHECK_IS(expected, call);                                                                                      \
        if (strstr(dividere_last_error(), (part)) == NULL) {                                                           \
            check_failed(__FILE__, __LINE__, #call, dividere_last_error());                                            \
        }                                                                                                              \
    } while (0)

#define CHECK_TEXT(expected, text)                                                                                     \
    do {                                                                                                               \
        if (strcmp((expected), (text)) != 0) {                                                                         \
            check_failed(__FILE__, __LINE__, (expected), (text));                                                      \
        }                                                                                                              \
    } while (0)

struct check_test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

static inline void check_failed(const char *file, int line, const char *what, const char *is) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, is);
    fflush(NULL);
    abort();
}

static inline void check_status(const char *file, int line, const char *call, int32_t expected, int32_t status) {
    if (status != expected) {
        char is[1024];
        snprintf(is, sizeof is, "%s, not %s (%s)", dividere_status_name(status), dividere_status_name(expected),
                 dividere_last_error());
        check_failed(file, line, call, is);
    }
}

static inline int check_run(const struct check_test *tests, size_t count, int argc, char **argv) {
    size_t i, ran = 0;
    for (i = 0; i < count; i++) {
        if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL) {
            continue;
        }
        printf("%s ...", tests[i].name);
        fflush(stdout);
        tests[i].run();
        printf(" ok\n");
        ran++;
    }
    return ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define CHECK_MAIN(...)                                                                                                \
    int main(int argc, char **argv) {                                                                                  \
        const struct check_test tests[] = {__VA_ARGS__};                                                               \
        return check_run(tests, sizeof tests / sizeof tests[0], argc, argv);                                           \
    }

/* What most tests begin with. */

#define NO_OPTIONS ((const dividere_options_t *)NULL)

static inline dividere_message_t *check_message(void) {
    dividere_message_t *message = NULL;
    CHECK_OK(dividere_message_new(&message));
    CHECK(message != NULL);
    return message;
}

static inline dividere_view_t check_view(const dividere_message_t *message) {
    dividere_view_t view;
    memset(&view, 0xff, sizeof view);
    CHECK_OK(dividere_message_view(message, &view));
    return view;
}

static inline void check_holds(const dividere_message_t *message, const char *type_name, const char *payload) {
    dividere_view_t view = check_view(message);
    CHECK(dividere_message_is(message, type_name) == 1);
    CHECK(view.kind == DIVIDERE_MESSAGE_TYPED);
    CHECK(view.type_name_len == strlen(type_name));
    CHECK(memcmp(view.type_name, type_name, view.type_name_len) == 0);
    CHECK(view.payload_len == strlen(payload));
    CHECK(memcmp(view.payload, payload, view.payload_len) == 0);
}

static inline void check_holds_bytes(const dividere_message_t *message, const char *bytes) {
    dividere_view_t view = check_view(message);
    CHECK(view.kind == DIVIDERE_MESSAGE_BYTES);
    CHECK(view.type_name_len == 0);
    CHECK(view.bytes_len == strlen(bytes) && view.payload_len == view.bytes_len);
    CHECK(memcmp(view.bytes, bytes, view.bytes_len) == 0);
}

/* A publisher on a free port, and where it is. */
static inline dividere_publisher_t check_publisher(char *endpoint, size_t size) {
    dividere_publisher_t publisher = {0};
    CHECK_OK(dividere_publisher_new("tcp://127.0.0.1:*", NO_OPTIONS, &publisher));
    CHECK(publisher.id != 0);
    CHECK_OK(dividere_socket_last_endpoint(dividere_publisher_socket(publisher), endpoint, size, NULL));
    return publisher;
}

static inline dividere_subscriber_t check_subscriber(const char *endpoint) {
    dividere_subscriber_t subscriber = {0};
    CHECK_OK(dividere_subscriber_new(endpoint, NO_OPTIONS, &subscriber));
    CHECK(subscriber.id != 0);
    return subscriber;
}

static inline dividere_response_t check_response(char *endpoint, size_t size) {
    dividere_response_t response = {0};
    CHECK_OK(dividere_response_new("tcp://127.0.0.1:*", NO_OPTIONS, &response));
    CHECK_OK(dividere_socket_last_endpoint(dividere_response_socket(response), endpoint, size, NULL));
    return response;
}

static inline dividere_request_t check_request(const char *endpoint) {
    dividere_request_t request = {0};
    CHECK_OK(dividere_request_new(endpoint, NO_OPTIONS, &request));
    return request;
}

#endif
