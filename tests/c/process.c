/* What a process sees of the library: what was sent arrives though the process ends, nothing is written to its output,
 * and a forked child has handles of its own. Runs itself as the process that ends. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 10000, SIZE = 1024 };

/* Of the process that ends: where it says that all was sent. */
enum { TOLD = 3 };

static const char *own_path;

static dividere_dealer_t connected_dealer(const char *endpoint) {
    dividere_dealer_t dealer = {0};
    dividere_options_t *options = NULL;
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, 0));
    CHECK_OK(dividere_dealer_new(endpoint, options, &dealer));
    dividere_options_free(options);
    return dealer;
}

/* The process that ends with everything in its queues, by returning from main or by exit. */
static int send_and_end(const char *how, const char *endpoint) {
    static unsigned char content[SIZE];
    dividere_dealer_t dealer = connected_dealer(endpoint);
    uint32_t i;
    for (i = 0; i < MESSAGES; i++) {
        memcpy(content, &i, sizeof i);
        CHECK_OK(dividere_dealer_send_bytes(dealer, content, sizeof content));
    }
    CHECK(write(TOLD, "x", 1) == 1);
    if (strcmp(how, "exit") == 0) {
        exit(0);
    }
    return 0;
}

static dividere_dealer_t slow_receiver(char *endpoint, size_t size) {
    dividere_dealer_t receiver = {0};
    dividere_options_t *options = NULL;
    CHECK_OK(dividere_options_new(&options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_RECEIVE_HIGH_WATER_MARK, 10));
    CHECK_OK(dividere_dealer_new("tcp://127.0.0.1:*", options, &receiver));
    dividere_options_free(options);
    CHECK_OK(dividere_socket_last_endpoint(dividere_dealer_socket(receiver), endpoint, size, NULL));
    return receiver;
}

static void ended_well(pid_t child) {
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void what_was_sent_arrives(const char *how) {
    char endpoint[128], output[256];
    dividere_dealer_t receiver = slow_receiver(endpoint, sizeof endpoint);
    dividere_message_t *in = check_message();
    int told[2], written[2];
    char byte = 0;
    uint32_t i, number;
    pid_t child;
    ssize_t len;

    CHECK(pipe(told) == 0 && pipe(written) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(written[1], STDOUT_FILENO);
        dup2(written[1], STDERR_FILENO);
        close(written[0]);
        if (told[1] != TOLD) {
            dup2(told[1], TOLD);
        }
        execl(own_path, own_path, "--ends", how, endpoint, (char *)NULL);
        _exit(127);
    }
    close(told[1]);
    close(written[1]);
    CHECK(read(told[0], &byte, 1) == 1);
    for (i = 0; i < MESSAGES; i++) {
        CHECK_OK(dividere_dealer_recv_bytes(receiver, in, LONG_MS));
        CHECK(check_view(in).bytes_len == SIZE);
        memcpy(&number, check_view(in).bytes, sizeof number);
        CHECK(number == i);
    }
    ended_well(child);
    len = read(written[0], output, sizeof output - 1);
    CHECK(len >= 0);
    output[len] = '\0';
    CHECK_TEXT("", output);
    close(told[0]);
    close(written[0]);
    dividere_message_free(in);
    CHECK_OK(dividere_dealer_close(receiver));
}

static void what_was_sent_arrives_though_main_returned(void) { what_was_sent_arrives("return"); }

static void what_was_sent_arrives_though_exit_was_called(void) { what_was_sent_arrives("exit"); }

static void a_forked_child_has_handles_of_its_own(void) {
    char endpoint[128];
    dividere_dealer_t receiver = slow_receiver(endpoint, sizeof endpoint), dealer = connected_dealer(endpoint);
    dividere_message_t *in = check_message();
    pid_t child;

    CHECK_OK(dividere_dealer_send_bytes(dealer, "before", 6));
    CHECK_OK(dividere_dealer_recv_bytes(receiver, in, LONG_MS));
    check_holds_bytes(in, "before");
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dividere_dealer_t own = {0};
        CHECK_IS(DIVIDERE_FORKED, dividere_dealer_send_bytes(dealer, "lost", 4));
        CHECK_IS(DIVIDERE_FORKED, dividere_dealer_recv_bytes(receiver, in, LONG_MS));
        CHECK_IS(DIVIDERE_FORKED, dividere_dealer_close(dealer));
        own = connected_dealer(endpoint);
        CHECK_OK(dividere_dealer_send_bytes(own, "from the child", 14));
        exit(0);
    }
    CHECK_OK(dividere_dealer_recv_bytes(receiver, in, LONG_MS));
    check_holds_bytes(in, "from the child");
    ended_well(child);
    CHECK_OK(dividere_dealer_send_bytes(dealer, "after", 5));
    CHECK_OK(dividere_dealer_recv_bytes(receiver, in, LONG_MS));
    check_holds_bytes(in, "after");
    dividere_message_free(in);
    CHECK_OK(dividere_dealer_close(dealer));
    CHECK_OK(dividere_dealer_close(receiver));
}

int main(int argc, char **argv) {
    const struct check_test tests[] = {TEST(what_was_sent_arrives_though_main_returned),
                                       TEST(what_was_sent_arrives_though_exit_was_called),
                                       TEST(a_forked_child_has_handles_of_its_own)};
    if (argc == 4 && strcmp(argv[1], "--ends") == 0) {
        return send_and_end(argv[2], argv[3]);
    }
    own_path = argv[0];
    return check_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
