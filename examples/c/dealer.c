/* Dealers: many jobs under way at once, handed to the workers in turn; results come back in any order. */
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { JOBS = 12, WORKERS = 2 };

struct worker {
    const char *name;
    dividere_dealer_t dealer;
    int results;
};

static void *work(void *context) {
    const struct worker *worker = context;
    dividere_message_t *message;
    dividere_status_t status;

    check(dividere_message_new(&message), "message");
    while ((status = dividere_dealer_recv(worker->dealer, message, -1)) != DIVIDERE_CLOSED) {
        struct job job;
        struct job_done done;
        check(status, "receive");
        check(message_get(message, &job_type, &job), "job");
        done.number = job.number;
        done.square = job.number * job.number;
        strcpy(done.worker, worker->name);
        check(message_set(message, &job_done_type, &done), "result");
        check(dividere_dealer_send(worker->dealer, message), "send");
    }
    dividere_message_free(message);
    return NULL;
}

static void hand_out(dividere_dealer_t dealer, struct worker *workers) {
    dividere_message_t *message;
    struct job job;
    struct job_done done;
    int seen[JOBS] = {0};
    int received;
    int i;

    check(dividere_message_new(&message), "message");
    check(dividere_socket_wait_connected(dividere_dealer_socket(dealer), WORKERS, 10 * SECOND_MS), "workers");
    for (job.number = 0; job.number < JOBS; job.number++) {
        check(message_set(message, &job_type, &job), "job");
        check(dividere_dealer_send(dealer, message), "send"); /* does not wait for any answer */
    }
    for (received = 0; received < JOBS; received++) {
        check(dividere_dealer_recv(dealer, message, 10 * SECOND_MS), "receive");
        check(message_get(message, &job_done_type, &done), "result");
        printf("%llu squared is %llu, says %s\n", (unsigned long long)done.number, (unsigned long long)done.square,
               done.worker);
        require(done.number < JOBS && done.square == done.number * done.number, "that is wrong");
        require(!seen[done.number], "that came twice");
        seen[done.number] = 1;
        for (i = 0; i < WORKERS; i++)
            workers[i].results += strcmp(done.worker, workers[i].name) == 0;
    }
    require(workers[0].results > 0 && workers[1].results > 0, "one worker did everything");
    dividere_message_free(message);
}

int main(void) {
    struct worker workers[WORKERS] = {{"ada", {0}, 0}, {"grace", {0}, 0}};
    pthread_t threads[WORKERS];
    dividere_dealer_t dealer;
    char endpoint[LONGEST_ENDPOINT];
    int i;

    check(dividere_dealer_new("tcp://127.0.0.1:*", NULL, &dealer), "dealer");
    endpoint_of(dividere_dealer_socket(dealer), endpoint);
    for (i = 0; i < WORKERS; i++) {
        /* A dealer binds where its endpoint has a *, and connects where it has none. */
        check(dividere_dealer_new(endpoint, NULL, &workers[i].dealer), "worker");
        threads[i] = start(work, &workers[i]);
    }
    hand_out(dealer, workers);
    for (i = 0; i < WORKERS; i++) {
        check(dividere_dealer_close(workers[i].dealer), "close"); /* wakes the worker */
        pthread_join(threads[i], NULL);
    }
    check(dividere_dealer_close(dealer), "close");
    return 0;
}
