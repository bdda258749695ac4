/* A small C program: one reading from a publisher to a subscriber over tcp. */
#include <dividere.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what, dividere_status_t status) {
    fprintf(stderr, "%s: %s: %s\n", what, dividere_status_name(status), dividere_last_error());
    return 1;
}

int main(void) {
    const char payload[] = "\x0a\x03"
                           "cpu"; /* Reading{name: "cpu"} */
    dividere_publisher_t publisher = {0};
    dividere_subscriber_t subscriber = {0};
    dividere_message_t *message = NULL;
    dividere_view_t view;
    char endpoint[256];
    size_t length = 0;
    dividere_status_t status;

    if ((status = dividere_publisher_new("tcp://127.0.0.1:*", NULL, &publisher)))
        return failed("publisher", status);
    if ((status =
             dividere_socket_last_endpoint(dividere_publisher_socket(publisher), endpoint, sizeof endpoint, &length)))
        return failed("endpoint", status);
    if ((status = dividere_subscriber_new(endpoint, NULL, &subscriber)))
        return failed("subscriber", status);
    if ((status = dividere_publisher_wait_for_subscribers(publisher, NULL, 1, 30000)))
        return failed("wait for the subscriber", status);
    if ((status = dividere_publisher_send_typed(publisher, "Reading", payload, sizeof payload - 1)))
        return failed("send", status);
    if ((status = dividere_message_new(&message)))
        return failed("message", status);
    if ((status = dividere_subscriber_recv(subscriber, message, 30000)))
        return failed("receive", status);
    if ((status = dividere_message_view(message, &view)))
        return failed("view", status);
    if (!dividere_message_is(message, "Reading") || view.payload_len != sizeof payload - 1 ||
        memcmp(view.payload, payload, view.payload_len) != 0) {
        fprintf(stderr, "something else was received than sent\n");
        return 1;
    }
    dividere_message_free(message);
    dividere_subscriber_close(subscriber);
    dividere_publisher_close(publisher);
    printf("dividere %s: received what was sent\n", dividere_version());
    return 0;
}
