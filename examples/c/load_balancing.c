/* Load balancing: a broker hands jobs to workers, which come and go; one dies on the way, and the client never
 * notices. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WORKERS = 2 };

struct worker {
    const char *name;
    dividere_worker_t worker;
    int answers;
};

/* Squares a number; what it puts into `reply` is the answer. Runs on a thread of the worker. */
static dividere_status_t square(void *context, dividere_worker_t worker, dividere_message_t *request,
                                dividere_message_t *reply) {
    const struct worker *own = context;
    struct job job;
    struct job_done done;
    dividere_status_t status = message_get(request, &job_type, &job);
    (void)worker;
    if (status != DIVIDERE_OK)
        return status; /* the asker is told */
    done.number = job.number;
    done.square = job.number * job.number;
    strcpy(done.worker, own->name);
    return message_set(reply, &job_done_type, &done);
}

/* Asks until each of the `count` workers has answered. */
static void ask(dividere_request_t request, struct worker *workers, int count) {
    const time_t deadline = time(NULL) + 20;
    dividere_message_t *message;
    dividere_message_t *reply;
    struct job job;
    struct job_done done;
    int i, missing = count;

    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    for (i = 0; i < count; i++)
        workers[i].answers = 0;
    for (job.number = 1; missing > 0; job.number++) {
        check(message_set(message, &job_type, &job), "job");
        /* With retries a job may be done twice: it goes to another worker where the first one dies. */
        check(dividere_request_call(request, message, reply, 10 * SECOND_MS, 2), "call");
        check(message_get(reply, &job_done_type, &done), "result");
        printf("%llu squared is %llu, says %s\n", (unsigned long long)done.number, (unsigned long long)done.square,
               done.worker);
        require(done.square == job.number * job.number, "that is wrong");
        missing = 0;
        for (i = 0; i < count; i++) {
            workers[i].answers += strcmp(done.worker, workers[i].name) == 0;
            missing += workers[i].answers == 0;
        }
        require(time(NULL) < deadline, "one of the workers was never asked");
    }
    dividere_message_free(message);
    dividere_message_free(reply);
}

int main(void) {
    struct worker workers[WORKERS] = {{"grace", {0}, 0}, {"ada", {0}, 0}};
    dividere_broker_t broker;
    dividere_request_t request;
    dividere_broker_statistics_t counts;
    char front[LONGEST_ENDPOINT];
    char back[LONGEST_ENDPOINT];
    int i;

    check(dividere_broker_new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", NULL, &broker), "broker");
    check(dividere_broker_last_endpoint(broker, DIVIDERE_BROKER_SIDE_FRONT, front, sizeof front, NULL), "endpoint");
    check(dividere_broker_last_endpoint(broker, DIVIDERE_BROKER_SIDE_BACK, back, sizeof back, NULL), "endpoint");
    for (i = 0; i < WORKERS; i++) {
        check(dividere_worker_new(back, NULL, &workers[i].worker), "worker");
        check(dividere_worker_serve(workers[i].worker, square, &workers[i], NULL), "serve");
    }
    check(dividere_broker_wait_workers(broker, WORKERS, 10 * SECOND_MS), "workers");

    check(dividere_request_new(front, NULL, &request), "request");
    ask(request, workers, 2);
    check(dividere_worker_close(workers[1].worker), "close"); /* gone without a word, as one that crashes */
    ask(request, workers, 1);
    /* This one finishes what it has, and tells the broker that it leaves. */
    check(dividere_worker_stop(workers[0].worker, 10 * SECOND_MS), "stop");

    check(dividere_broker_statistics(broker, &counts), "statistics");
    printf("%llu served, %llu handed to another worker\n", (unsigned long long)counts.served,
           (unsigned long long)counts.retried);
    require(counts.failed == 0 && counts.refused == 0, "requests were lost");
    check(dividere_request_close(request), "close");
    check(dividere_broker_close(broker), "close");
    return 0;
}
