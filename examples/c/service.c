/* A service: two instances under one name; a client that knows nothing but the name asks them in turn, and one of them
 * stops without the client noticing. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { INSTANCES = 2 };

static const char *const name = "example.square";

struct instance {
    const char *who;
    dividere_service_t service;
    int answers;
};

/* Squares a number; what it puts into `reply` is the answer. Runs on two threads of the service at once. */
static dividere_status_t square(void *context, dividere_service_t service, dividere_message_t *request,
                                dividere_message_t *reply) {
    const struct instance *own = context;
    struct job job;
    struct job_done done;
    dividere_status_t status = message_get(request, &job_type, &job);
    (void)service;
    if (status != DIVIDERE_OK)
        return status; /* the asker is told */
    if (job.number > UINT32_MAX)
        return dividere_fail(DIVIDERE_INVALID_ARGUMENT, "that is too large");
    done.number = job.number;
    done.square = job.number * job.number;
    strcpy(done.worker, own->who);
    return message_set(reply, &job_done_type, &done);
}

static void serve(struct instance *own, dividere_registry_client_t registry) {
    /* Any free port; bound to one address, it is registered with that. */
    check(dividere_service_new(name, registry, "tcp://127.0.0.1:*", NULL, 2, 1000, own->who, strlen(own->who),
                               &own->service),
          "service");
    check(dividere_service_on(own->service, job_type.name, square, own, NULL), "handler");
    check(dividere_service_start(own->service, 10 * SECOND_MS), "start");
}

/* Asks until each of the `count` instances has answered. */
static void ask(dividere_service_client_t client, struct instance *instances, int count) {
    const time_t deadline = time(NULL) + 20;
    dividere_message_t *message;
    dividere_message_t *reply;
    struct job job;
    struct job_done done;
    int i, missing = count;

    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    for (i = 0; i < count; i++)
        instances[i].answers = 0;
    for (job.number = 1; missing > 0; job.number++) {
        check(message_set(message, &job_type, &job), "job");
        /* What may be done twice is asked of another instance where the first one dies. */
        check(dividere_service_client_call(client, message, reply, 10 * SECOND_MS, 1), "call");
        check(message_get(reply, &job_done_type, &done), "result");
        printf("%llu squared is %llu, says %s\n", (unsigned long long)done.number, (unsigned long long)done.square,
               done.worker);
        require(done.square == job.number * job.number, "that is wrong");
        missing = 0;
        for (i = 0; i < count; i++) {
            instances[i].answers += strcmp(done.worker, instances[i].who) == 0;
            missing += instances[i].answers == 0;
        }
        require(time(NULL) < deadline, "one of the instances was never asked");
    }
    dividere_message_free(message);
    dividere_message_free(reply);
}

/* An error that is expected, and what it says. */
static dividere_status_t fails(dividere_service_client_t client, uint64_t number) {
    struct job job = {0};
    dividere_message_t *message;
    dividere_message_t *reply;
    dividere_status_t status;

    job.number = number;
    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    check(message_set(message, &job_type, &job), "job");
    status = dividere_service_client_call(client, message, reply, 10 * SECOND_MS, 0);
    printf("%s\n", dividere_last_error());
    dividere_message_free(message);
    dividere_message_free(reply);
    return status;
}

int main(void) {
    struct instance instances[INSTANCES] = {{"grace", {0}, 0}, {"ada", {0}, 0}};
    dividere_registry_server_t server;
    dividere_registry_client_t registry;
    dividere_service_client_t client;
    dividere_status_t status;
    char endpoint[LONGEST_ENDPOINT];
    int i;

    check(dividere_registry_server_new("tcp://127.0.0.1:*", NULL, &server), "registry");
    endpoint_of(dividere_registry_server_socket(server), endpoint);
    check(dividere_registry_client_new(endpoint, NULL, &registry), "registry client");
    for (i = 0; i < INSTANCES; i++)
        serve(&instances[i], registry);

    check(dividere_service_client_new(name, registry, NULL, &client), "service client");
    check(dividere_service_client_wait(client, 10 * SECOND_MS), "wait");
    ask(client, instances, 2);

    /* It finishes what it has, and the client goes to the other one. */
    check(dividere_service_stop(instances[1].service, 10 * SECOND_MS), "stop");
    ask(client, instances, 1);

    require(fails(client, UINT64_MAX) == DIVIDERE_REMOTE, "that was too large");
    check(dividere_service_stop(instances[0].service, 10 * SECOND_MS), "stop");
    /* At once, also where the client has not heard yet that the last one is gone. */
    status = fails(client, 1);
    require(status == DIVIDERE_NOT_FOUND || status == DIVIDERE_UNREACHABLE, "nobody is there");

    check(dividere_service_client_close(client), "close");
    check(dividere_registry_client_close(registry), "close");
    check(dividere_registry_server_close(server), "close");
    return 0;
}
