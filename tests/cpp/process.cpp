// What a process sees of the binding: what was sent arrives though the process ends, and a forked child has handles of
// its own.
#include "support.hpp"

#include "messages.pb.h"

#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

using acme::v1::Reading;
using dividere::Dealer;
using dividere::Status;
using support::any_port;
using support::limit;
using support::thrown;

namespace {

constexpr int messages = 10000;

Dealer slow_receiver() { return Dealer(any_port, dividere::Options().receive_high_water_mark(10)); }

Reading reading(int value) {
    Reading made;
    made.set_value(value);
    made.set_blob(std::string(1000, 'x'));
    return made;
}

// As a process of its own: a gtest of the parent ends nothing, and what the child's body returns is its exit status.
template <class Body>
pid_t forked(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        int status = EXIT_FAILURE;
        try {
            status = body();
        } catch (const std::exception &error) {
            std::fputs(error.what(), stderr);
        }
        std::exit(status);
    }
    return child;
}

void expect_success(pid_t child) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), EXIT_SUCCESS);
}

TEST(Process, what_was_sent_arrives_though_the_process_ends_with_its_handles_open) {
    const Dealer receiver = slow_receiver();
    const std::string endpoint = receiver.last_endpoint();
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    const pid_t child = forked([&] {
        // Never destroyed: the process ends with it.
        auto *dealer = new Dealer(endpoint, dividere::Options().send_high_water_mark(0));
        for (int i = 0; i < messages; ++i) {
            dealer->send(reading(i));
        }
        return write(told[1], "x", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
    });
    ASSERT_GT(child, 0);
    close(told[1]);
    char byte = 0;
    ASSERT_EQ(read(told[0], &byte, 1), 1);
    close(told[0]);
    Reading received;
    for (int i = 0; i < messages; ++i) {
        receiver.recv(received, limit);
        ASSERT_EQ(received.value(), i);
    }
    expect_success(child);
}

TEST(Process, a_forked_child_has_handles_of_its_own) {
    const Dealer receiver = slow_receiver();
    const std::string endpoint = receiver.last_endpoint();
    const Dealer dealer(endpoint);
    dealer.send(reading(1));
    EXPECT_EQ(receiver.recv<Reading>(limit).value(), 1);
    const pid_t child = forked([&] {
        const bool inherited = thrown([&] { dealer.send(reading(2)); }) == Status::Forked &&
                               thrown([&] { receiver.recv<Reading>(limit); }) == Status::Forked;
        const Dealer own(endpoint);
        own.send(reading(3));
        return inherited ? EXIT_SUCCESS : EXIT_FAILURE;
    });
    ASSERT_GT(child, 0);
    EXPECT_EQ(receiver.recv<Reading>(limit).value(), 3);
    expect_success(child);
    dealer.send(reading(4));
    EXPECT_EQ(receiver.recv<Reading>(limit).value(), 4);
}

} // namespace
