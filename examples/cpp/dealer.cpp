// Dealers: many jobs under way at once, handed to the workers in turn; results come back in any order.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <set>
#include <thread>

using namespace std::chrono_literals;

constexpr std::uint64_t jobs = 12;

static void work(const dividere::Dealer &dealer, const std::string &name) {
    try {
        // Ends when the dealer is closed.
        for (const example::Job &job : dealer.each<example::Job>()) {
            example::JobDone done;
            done.set_number(job.number());
            done.set_square(job.number() * job.number());
            done.set_worker(name);
            dealer.send(done);
        }
    } catch (const std::exception &error) {
        std::cerr << name << ": " << error.what() << '\n';
    }
}

static void hand_out(const dividere::Dealer &dealer) {
    dealer.wait_connected(2, 10s);
    for (std::uint64_t number = 0; number < jobs; ++number) {
        example::Job job;
        job.set_number(number);
        dealer.send(job); // does not wait for any answer
    }
    std::set<std::uint64_t> numbers;
    std::set<std::string> workers;
    while (numbers.size() < jobs) {
        const auto done = dealer.recv<example::JobDone>(10s);
        std::cout << done.number() << " squared is " << done.square() << ", says " << done.worker() << '\n';
        if (done.square() != done.number() * done.number() || !numbers.insert(done.number()).second) {
            throw std::runtime_error("that is wrong, or came twice");
        }
        workers.insert(done.worker());
    }
    if (workers.size() != 2) {
        throw std::runtime_error("one worker did everything");
    }
}

int main() {
    try {
        const dividere::Dealer dealer("tcp://127.0.0.1:*");
        const dividere::Dealer ada(dealer.last_endpoint());
        const dividere::Dealer grace(dealer.last_endpoint());
        std::thread first(work, std::cref(ada), "ada");
        std::thread second(work, std::cref(grace), "grace");
        int result = 0;
        try {
            hand_out(dealer);
        } catch (const std::exception &error) {
            std::cerr << error.what() << '\n';
            result = 1;
        }
        ada.close();
        grace.close();
        first.join();
        second.join();
        return result;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
