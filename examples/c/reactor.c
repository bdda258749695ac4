/* A reactor: one thread that measures, listens and answers. Its handlers run one after the other, so what they share
 * needs no lock. */
#include "support.h"

#include <stdio.h>

enum { WANTED = 5, INTERVAL_MS = 10 };

struct station {
    dividere_publisher_t thermometer;
    double next_celsius;
    uint64_t readings;
    double sum;
    dividere_message_t *waiting; /* a question for more readings than there are yet */
};

/* Answers `question` where there are enough readings. Returns whether it did. */
static int answer(const struct station *station, dividere_message_t *question, dividere_status_t *status) {
    struct mean_request asked;
    struct mean mean;
    dividere_message_t *reply = NULL;

    *status = message_get(question, &mean_request_type, &asked);
    if (*status != DIVIDERE_OK || station->readings < asked.readings_at_least)
        return 0;
    mean.celsius = station->sum / (double)station->readings;
    mean.readings = station->readings;
    *status = dividere_message_new(&reply);
    if (*status == DIVIDERE_OK)
        *status = message_set(reply, &mean_type, &mean);
    if (*status == DIVIDERE_OK)
        *status = dividere_message_reply(question, reply);
    dividere_message_free(reply);
    return *status == DIVIDERE_OK;
}

/* What a handler returns that is not OK goes to the error handler, and to who asked. */
static dividere_status_t on_reading(void *context, const dividere_delivery_t *from, dividere_message_t *message) {
    struct station *station = context;
    struct reading reading;
    dividere_status_t status = message_get(message, &reading_type, &reading);
    (void)from;
    if (status != DIVIDERE_OK)
        return status;
    printf("%s: %.0f °C\n", reading.sensor, reading.celsius);
    station->readings++;
    station->sum += reading.celsius;
    if (station->waiting != NULL && answer(station, station->waiting, &status)) {
        dividere_message_free(station->waiting);
        station->waiting = NULL;
    }
    return status;
}

static dividere_status_t on_question(void *context, const dividere_delivery_t *from, dividere_message_t *message) {
    struct station *station = context;
    dividere_status_t status;
    (void)from;
    if (answer(station, message, &status) || status != DIVIDERE_OK)
        return status;
    if (station->waiting != NULL)
        return dividere_fail(DIVIDERE_BUSY, "somebody waits already");
    /* The message is valid for the call; a clone of it can be answered later, from any thread. */
    return dividere_message_clone(message, &station->waiting);
}

static dividere_status_t publish(struct station *station) {
    const struct reading reading = {"kitchen", station->next_celsius++};
    dividere_message_t *message = NULL;
    dividere_status_t status = dividere_message_new(&message);
    if (status == DIVIDERE_OK)
        status = message_set(message, &reading_type, &reading);
    if (status == DIVIDERE_OK)
        status = dividere_publisher_send(station->thermometer, message);
    dividere_message_free(message);
    return status;
}

static void on_time(void *context, dividere_reactor_t reactor) {
    (void)reactor;
    check(publish(context), "publish");
}

static void on_error(void *context, const dividere_delivery_t *from, dividere_message_t *message,
                     dividere_status_t status, const char *text) {
    (void)context;
    (void)from;
    (void)message;
    fprintf(stderr, "a message could not be handled: %s: %s\n", dividere_status_name(status), text);
}

int main(void) {
    struct station station = {{0}, 20, 0, 0, NULL};
    const struct mean_request question = {WANTED};
    struct mean mean;
    dividere_subscriber_t subscriber;
    dividere_response_t desk;
    dividere_request_t request;
    dividere_reactor_t reactor;
    dividere_message_t *message;
    dividere_message_t *reply;
    char endpoint[LONGEST_ENDPOINT];

    check(dividere_publisher_new("tcp://127.0.0.1:*", NULL, &station.thermometer), "publisher");
    endpoint_of(dividere_publisher_socket(station.thermometer), endpoint);
    check(dividere_subscriber_new_for_types(endpoint, &reading_type.name, 1, NULL, &subscriber), "subscriber");
    check(dividere_response_new("tcp://127.0.0.1:*", NULL, &desk), "response");
    check(dividere_publisher_wait_for_subscribers(station.thermometer, reading_type.name, 1, 10 * SECOND_MS), "wait");

    check(dividere_reactor_new(&reactor), "reactor");
    check(dividere_reactor_add(reactor, dividere_subscriber_socket(subscriber)), "add");
    check(dividere_reactor_add(reactor, dividere_response_socket(desk)), "add");
    check(dividere_reactor_on(reactor, reading_type.name, on_reading, &station, NULL), "handler");
    check(dividere_reactor_on(reactor, mean_request_type.name, on_question, &station, NULL), "handler");
    check(dividere_reactor_on_error(reactor, on_error, NULL, NULL), "handler");
    check(dividere_reactor_add_timer(reactor, INTERVAL_MS, 1, on_time, &station, NULL, NULL), "timer");
    check(dividere_reactor_start(reactor, NULL), "start"); /* on a thread of its own; ..._run runs on this one */

    endpoint_of(dividere_response_socket(desk), endpoint);
    check(dividere_request_new(endpoint, NULL, &request), "request");
    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    check(message_set(message, &mean_request_type, &question), "question");
    check(dividere_request_call(request, message, reply, 20 * SECOND_MS, 0), "call");
    check(message_get(reply, &mean_type, &mean), "answer");
    printf("mean of %llu readings: %.1f °C\n", (unsigned long long)mean.readings, mean.celsius);
    require(mean.readings >= WANTED && mean.celsius == 20 + (double)(mean.readings - 1) / 2, "that is wrong");

    check(dividere_reactor_close(reactor), "close"); /* `station` is not used any more */
    dividere_message_free(message);
    dividere_message_free(reply);
    check(dividere_request_close(request), "close");
    check(dividere_response_close(desk), "close");
    check(dividere_subscriber_close(subscriber), "close");
    check(dividere_publisher_close(station.thermometer), "close");
    return 0;
}
