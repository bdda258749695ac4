// Load balancing: a broker hands jobs to workers, which come and go; one dies on the way, and the client never notices.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <set>

using namespace std::chrono_literals;

// A worker that squares numbers, on a thread of its own.
static dividere::Worker make_worker(const std::string &endpoint, const std::string &name) {
    dividere::Worker worker(endpoint);
    worker.serve<example::Job>([name](const example::Job &job) {
        example::JobDone done;
        done.set_number(job.number());
        done.set_square(job.number() * job.number());
        done.set_worker(name);
        return done;
    });
    return worker;
}

// Asks until so many different workers have answered.
static void ask(const dividere::Request &request, std::size_t workers) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    std::set<std::string> answered;
    for (std::uint64_t number = 1; answered.size() < workers; ++number) {
        example::Job job;
        job.set_number(number);
        // With retries a job may be done twice: it goes to another worker where the first one dies.
        const auto done = request.call<example::JobDone>(job, 10s, 2);
        std::cout << done.number() << " squared is " << done.square() << ", says " << done.worker() << '\n';
        if (done.square() != number * number) {
            throw std::runtime_error("that is wrong");
        }
        answered.insert(done.worker());
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error("one of the workers was never asked");
        }
    }
}

int main() {
    try {
        const dividere::Broker broker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
        const std::string back = broker.last_endpoint(dividere::BrokerSide::Back);
        const dividere::Worker ada = make_worker(back, "ada");
        const dividere::Worker grace = make_worker(back, "grace");
        broker.wait_workers(2, 10s);

        const dividere::Request request(broker.last_endpoint(dividere::BrokerSide::Front));
        ask(request, 2);
        ada.close(); // gone without a word, as one that crashes
        ask(request, 1);
        grace.stop(10s); // finishes what it has, and tells the broker that it leaves

        const dividere::BrokerStatistics counts = broker.statistics();
        std::cout << counts.served << " served, " << counts.retried << " handed to another worker\n";
        return counts.failed == 0 && counts.refused == 0 ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
