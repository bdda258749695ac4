/* NULL and nonsense for the functions of brokers and workers, as arguments.c does it for all others. */
#include "check.h"

#include <stdint.h>

#define IS_NULL(call) CHECK_IS(DIVIDERE_NULL_POINTER, call)
#define IS_INVALID(call) CHECK_IS(DIVIDERE_INVALID_ARGUMENT, call)
#define IS_CLOSED(call) CHECK_IS(DIVIDERE_CLOSED, call)

static const char *const no_text = "\xff\xfe";

static dividere_broker_t broker;
static dividere_worker_t worker;

static void make_one_of_each(void) {
    CHECK_OK(dividere_broker_new("inproc://arguments-front", "inproc://arguments-back", NULL, &broker));
    CHECK_OK(dividere_worker_new("inproc://arguments-back", NULL, &worker));
    CHECK(broker.id != 0 && worker.id != 0);
}

static void of_brokers(void) {
    dividere_broker_t none = {77};
    dividere_broker_statistics_t counts;
    dividere_statistics_t statistics;
    dividere_event_t event;
    char buffer[64];
    size_t len = 77;
    dividere_options_t *options = NULL;
    IS_NULL(dividere_broker_new("inproc://x", "inproc://y", NULL, NULL));
    IS_NULL(dividere_broker_new(NULL, "inproc://y", NULL, &none));
    CHECK(none.id == 0);
    IS_NULL(dividere_broker_new("inproc://x", NULL, NULL, &none));
    IS_INVALID(dividere_broker_new(no_text, "inproc://y", NULL, &none));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_broker_new("inproc://x", "", NULL, &none));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_broker_new("nonsense", "inproc://x", NULL, &none));
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_WORKER_CAPACITY, 2));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "worker_capacity",
               dividere_broker_new("inproc://x", "inproc://y", options, &none));
    dividere_options_free(options);
    CHECK_OK(dividere_broker_close(none));
    IS_CLOSED(dividere_broker_statistics(none, &counts));
    IS_NULL(dividere_broker_statistics(broker, NULL));
    IS_CLOSED(dividere_broker_wait_workers(none, 1, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_broker_wait_workers(broker, UINT64_MAX, 0));
    IS_CLOSED(dividere_broker_wait_ended(none, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_broker_wait_ended(broker, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_broker_wait_ended(broker, 1));
    IS_CLOSED(dividere_broker_last_endpoint(none, 1, buffer, sizeof buffer, &len));
    IS_INVALID(dividere_broker_last_endpoint(broker, 3, buffer, sizeof buffer, &len));
    IS_NULL(dividere_broker_last_endpoint(broker, 1, NULL, 1, &len));
    IS_CLOSED(dividere_broker_side_statistics(none, 1, &statistics));
    IS_NULL(dividere_broker_side_statistics(broker, 1, NULL));
    IS_INVALID(dividere_broker_side_statistics(broker, 0, &statistics));
    CHECK_OK(dividere_broker_side_statistics(broker, DIVIDERE_BROKER_SIDE_BACK, &statistics));
    IS_CLOSED(dividere_broker_event_recv(none, 1, &event, -1));
    IS_NULL(dividere_broker_event_recv(broker, 1, NULL, -1));
    IS_INVALID(dividere_broker_event_recv(broker, -1, &event, -1));
    /* A worker's number is no broker's. */
    none.id = worker.id;
    IS_INVALID(dividere_broker_statistics(none, &counts));
    IS_INVALID(dividere_broker_close(none));
}

static dividere_status_t never(void *context, dividere_worker_t of, dividere_message_t *request,
                               dividere_message_t *reply) {
    (void)context;
    (void)of;
    (void)request;
    (void)reply;
    CHECK(0);
    return DIVIDERE_OK;
}

static void count(void *context) { ++*(int *)context; }

static void of_workers(void) {
    dividere_worker_t none = {77};
    dividere_message_t *message = check_message();
    int ended = 0;
    IS_NULL(dividere_worker_new("inproc://x", NULL, NULL));
    IS_NULL(dividere_worker_new(NULL, NULL, &none));
    CHECK(none.id == 0);
    IS_INVALID(dividere_worker_new(no_text, NULL, &none));
    CHECK_IS(DIVIDERE_ENDPOINT, dividere_worker_new("", NULL, &none));
    CHECK_OK(dividere_worker_close(none));
    CHECK(dividere_worker_socket(none).id == 0);
    IS_CLOSED(dividere_worker_serve(none, never, &ended, count));
    IS_NULL(dividere_worker_serve(worker, NULL, &ended, count));
    CHECK(ended == 2);
    IS_CLOSED(dividere_worker_recv(none, message, -1));
    IS_NULL(dividere_worker_recv(worker, NULL, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_worker_recv(worker, message, 0));
    IS_CLOSED(dividere_worker_recv_bytes(none, message, -1));
    IS_NULL(dividere_worker_recv_bytes(worker, NULL, -1));
    IS_CLOSED(dividere_worker_stop(none, -1));
    IS_CLOSED(dividere_worker_wait_ended(none, -1));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_worker_wait_ended(worker, 0));
    CHECK_IS(DIVIDERE_TIMEOUT, dividere_worker_wait_ended(worker, 1));
    CHECK_OK(dividere_worker_serve(worker, never, &ended, count));
    CHECK_IS(DIVIDERE_STATE, dividere_worker_serve(worker, never, &ended, count));
    CHECK(ended == 3);
    CHECK_OK(dividere_worker_stop(worker, LONG_MS));
    IS_CLOSED(dividere_worker_stop(worker, -1));
    IS_CLOSED(dividere_worker_close(worker));
    CHECK(ended == 4);
    dividere_message_free(message);
}

static void close_the_broker(void) {
    CHECK_OK(dividere_broker_close(broker));
    IS_CLOSED(dividere_broker_close(broker));
}

CHECK_MAIN(TEST(make_one_of_each), TEST(of_brokers), TEST(of_workers), TEST(close_the_broker))
