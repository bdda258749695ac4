/* Subscribes to all readings and counts them by type, until the publisher ends or it
 * is told to stop.
 *
 *   telemetry_subscriber ENDPOINT
 *
 * Receives into one message again and again, and looks at it where it lies: no
 * copies. The main thread waits for the signal and closes the subscriber, which
 * wakes the thread that is blocked in receiving. */
#include <dividere.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TYPES = 16, LONGEST_NAME = 64 };

struct tally {
    char type_name[LONGEST_NAME];
    unsigned long readings;
    unsigned long payload_bytes;
};

struct receiver {
    dividere_subscriber_t subscriber;
    dividere_status_t outcome;
    size_t types;
    struct tally tallies[MOST_TYPES];
};

static void count(struct receiver *receiver, const dividere_view_t *view) {
    struct tally *tally = receiver->tallies;
    struct tally *end = tally + receiver->types;
    while (tally < end && (strlen(tally->type_name) != view->type_name_len ||
                           memcmp(tally->type_name, view->type_name, view->type_name_len) != 0))
        tally++;
    if (tally == end) {
        if (receiver->types == MOST_TYPES || view->type_name_len >= LONGEST_NAME)
            return;
        /* A name off the wire is not NUL-terminated. */
        memcpy(tally->type_name, view->type_name, view->type_name_len);
        receiver->types++;
    }
    tally->readings++;
    tally->payload_bytes += (unsigned long)view->payload_len;
}

static void *receive(void *argument) {
    struct receiver *receiver = argument;
    dividere_message_t *message = NULL;
    dividere_view_t view;
    dividere_status_t status = dividere_message_new(&message);
    while (status == DIVIDERE_OK) {
        status = dividere_subscriber_recv(receiver->subscriber, message, -1);
        if (status == DIVIDERE_DECODE) {
            fprintf(stderr, "subscriber: %s\n", dividere_last_error());
            status = DIVIDERE_OK;
            continue;
        }
        if (status == DIVIDERE_OK)
            status = dividere_message_view(message, &view);
        if (status == DIVIDERE_OK && dividere_message_is(message, "telemetry.End")) {
            kill(getpid(), SIGTERM); /* wakes the main thread */
            status = DIVIDERE_CLOSED;
        } else if (status == DIVIDERE_OK) {
            count(receiver, &view);
        }
    }
    if (status != DIVIDERE_CLOSED)
        fprintf(stderr, "subscriber: %s\n", dividere_last_error());
    dividere_message_free(message);
    receiver->outcome = status;
    return NULL;
}

int main(int argc, char **argv) {
    static struct receiver receiver;
    pthread_t thread;
    sigset_t stop;
    int caught;
    unsigned long readings = 0;
    size_t i;

    if (argc != 2) {
        fprintf(stderr, "usage: telemetry_subscriber ENDPOINT\n");
        return 2;
    }
    /* Blocked before any thread starts, so that sigwait gets them. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);

    if (dividere_subscriber_new(argv[1], NULL, &receiver.subscriber) != DIVIDERE_OK) {
        fprintf(stderr, "subscriber: %s\n", dividere_last_error());
        return 1;
    }
    if (pthread_create(&thread, NULL, receive, &receiver) != 0) {
        fprintf(stderr, "subscriber: no thread to receive with\n");
        return 1;
    }
    sigwait(&stop, &caught);
    dividere_subscriber_close(receiver.subscriber);
    pthread_join(thread, NULL);
    if (receiver.outcome != DIVIDERE_CLOSED)
        return 1;

    for (i = 0; i < receiver.types; i++) {
        const struct tally *tally = &receiver.tallies[i];
        printf("subscriber: %6lu %-25s %5.1f bytes each\n", tally->readings, tally->type_name,
               (double)tally->payload_bytes / (double)tally->readings);
        readings += tally->readings;
    }
    printf("subscriber: received %lu readings\n", readings);
    return readings == 0;
}
