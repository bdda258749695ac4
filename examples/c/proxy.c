/* A proxy: clients and servers know one address each, and none of the other side; servers come and go behind it. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SERVERS = 2 };

struct server {
    const char *name;
    dividere_response_t response;
    int answers;
};

static void *serve(void *context) {
    const struct server *server = context;
    dividere_message_t *message;
    dividere_status_t status;

    check(dividere_message_new(&message), "message");
    while ((status = dividere_response_recv(server->response, message, -1)) != DIVIDERE_CLOSED) {
        struct job job;
        struct job_done done;
        check(status, "receive");
        check(message_get(message, &job_type, &job), "job");
        done.number = job.number;
        done.square = job.number * job.number;
        strcpy(done.worker, server->name);
        check(message_set(message, &job_done_type, &done), "result");
        check(dividere_response_send(server->response, message), "answer");
    }
    dividere_message_free(message);
    return NULL;
}

/* Asks until both servers have answered. */
static void ask(const char *endpoint, struct server *servers) {
    const time_t deadline = time(NULL) + 20;
    dividere_request_t request;
    dividere_message_t *message;
    dividere_message_t *reply;
    struct job job;
    struct job_done done;
    int i;

    check(dividere_request_new(endpoint, NULL, &request), "request");
    check(dividere_message_new(&message), "message");
    check(dividere_message_new(&reply), "message");
    for (job.number = 1; servers[0].answers == 0 || servers[1].answers == 0; job.number++) {
        check(message_set(message, &job_type, &job), "job");
        check(dividere_request_call(request, message, reply, 10 * SECOND_MS, 0), "call");
        check(message_get(reply, &job_done_type, &done), "result");
        printf("%llu squared is %llu, says %s\n", (unsigned long long)done.number, (unsigned long long)done.square,
               done.worker);
        require(done.square == job.number * job.number, "that is wrong");
        for (i = 0; i < SERVERS; i++)
            servers[i].answers += strcmp(done.worker, servers[i].name) == 0;
        require(time(NULL) < deadline, "one of the servers was never asked");
    }
    dividere_message_free(message);
    dividere_message_free(reply);
    check(dividere_request_close(request), "close");
}

int main(void) {
    struct server servers[SERVERS] = {{"ada", {0}, 0}, {"grace", {0}, 0}};
    pthread_t threads[SERVERS];
    dividere_proxy_t proxy;
    char front[LONGEST_ENDPOINT];
    char back[LONGEST_ENDPOINT];
    int i;

    check(dividere_proxy_new(DIVIDERE_PROXY_REQUEST_RESPONSE, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", NULL, NULL,
                             &proxy),
          "proxy");
    check(dividere_proxy_last_endpoint(proxy, DIVIDERE_PROXY_SIDE_FRONT, front, sizeof front, NULL), "endpoint");
    check(dividere_proxy_last_endpoint(proxy, DIVIDERE_PROXY_SIDE_BACK, back, sizeof back, NULL), "endpoint");
    for (i = 0; i < SERVERS; i++) {
        /* A response binds where its endpoint has a *, and connects where it has none. */
        check(dividere_response_new(back, NULL, &servers[i].response), "response");
        threads[i] = start(serve, &servers[i]);
    }
    ask(front, servers);
    for (i = 0; i < SERVERS; i++) {
        check(dividere_response_close(servers[i].response), "close"); /* wakes the server */
        pthread_join(threads[i], NULL);
    }
    check(dividere_proxy_close(proxy), "close");
    return 0;
}
