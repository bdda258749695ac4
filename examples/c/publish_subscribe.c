/* Publish and subscribe: every subscriber to a type gets every message of that type. */
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { READINGS = 5 };

static void *publish(void *context) {
    const dividere_publisher_t publisher = *(const dividere_publisher_t *)context;
    struct reading reading = {"kitchen", 0};
    const struct alarm_message alarm = {"Nobody subscribes to this, so it does not leave the publisher."};
    dividere_message_t *message;
    int number;

    /* What is sent before a subscription has arrived is gone: wait for it. */
    check(dividere_publisher_wait_for_subscribers(publisher, reading_type.name, 1, 10 * SECOND_MS), "subscriber");
    check(dividere_message_new(&message), "message");
    for (number = 0; number < READINGS; number++) {
        reading.celsius = 20 + number;
        check(message_set(message, &reading_type, &reading), "reading");
        check(dividere_publisher_send(publisher, message), "send");

        check(message_set(message, &alarm_type, &alarm), "alarm");
        check(dividere_publisher_send(publisher, message), "send");
    }
    dividere_message_free(message);
    /* What it accepted still arrives, for up to a second (the option LINGER_MS). */
    check(dividere_publisher_close(publisher), "close");
    return NULL;
}

int main(void) {
    dividere_publisher_t publisher;
    dividere_subscriber_t subscriber;
    dividere_message_t *message;
    char endpoint[LONGEST_ENDPOINT];
    pthread_t thread;
    int received;

    check(dividere_publisher_new("tcp://127.0.0.1:*", NULL, &publisher), "publisher"); /* * takes a free port */
    endpoint_of(dividere_publisher_socket(publisher), endpoint);
    check(dividere_subscriber_new_for_types(endpoint, &reading_type.name, 1, NULL, &subscriber), "subscriber");
    thread = start(publish, &publisher);

    check(dividere_message_new(&message), "message");
    for (received = 0; received < READINGS; received++) {
        struct reading reading;
        check(dividere_subscriber_recv(subscriber, message, 10 * SECOND_MS), "receive");
        check(message_get(message, &reading_type, &reading), "reading");
        printf("%s: %.0f °C\n", reading.sensor, reading.celsius);
        require(reading.celsius == 20 + received, "this is not the next reading");
    }
    pthread_join(thread, NULL);
    dividere_message_free(message);
    check(dividere_subscriber_close(subscriber), "close");
    return 0;
}
