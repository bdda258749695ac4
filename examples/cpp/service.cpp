// A service: two instances under one name; a client that knows nothing but the name asks them in turn, and one of them
// stops without the client noticing.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <limits>
#include <set>

using namespace std::chrono_literals;
using Repeat = dividere::ServiceClient::Repeat;

static const char *const name = "example.square";

// An instance that squares numbers, two at once.
static dividere::Service serve(const dividere::RegistryClient &registry, const std::string &who) {
    dividere::ServiceSettings settings;
    settings.endpoint = "tcp://127.0.0.1:*"; // any free port; bound to one address, it is registered with that
    settings.workers = 2;
    settings.metadata = who;
    dividere::Service service(name, registry, settings);
    service.on<example::Job>([who](const example::Job &job) {
        if (job.number() > std::numeric_limits<std::uint32_t>::max()) {
            throw std::invalid_argument("that is too large"); // the asker is told
        }
        example::JobDone done;
        done.set_number(job.number());
        done.set_square(job.number() * job.number());
        done.set_worker(who);
        return done;
    });
    service.start(10s);
    return service;
}

// Asks until so many different instances have answered.
static void ask(const dividere::ServiceClient &client, std::size_t instances) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    std::set<std::string> answered;
    for (std::uint64_t number = 1; answered.size() < instances; ++number) {
        example::Job job;
        job.set_number(number);
        // What may be done twice is asked of another instance where the first one dies.
        const auto done = client.call<example::JobDone>(job, 10s, Repeat::yes);
        std::cout << done.number() << " squared is " << done.square() << ", says " << done.worker() << '\n';
        if (done.square() != number * number) {
            throw std::runtime_error("that is wrong");
        }
        answered.insert(done.worker());
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error("one of the instances was never asked");
        }
    }
}

// An error that is expected, and what it says.
static dividere::Status fails(const dividere::ServiceClient &client, std::uint64_t number) {
    example::Job job;
    job.set_number(number);
    const auto done = client.try_call<example::JobDone>(job, 10s);
    std::cout << done.text() << '\n';
    return done.status();
}

int main() {
    try {
        const dividere::RegistryServer server("tcp://127.0.0.1:*");
        const dividere::RegistryClient registry(server.last_endpoint());
        const dividere::Service ada = serve(registry, "ada");
        const dividere::Service grace = serve(registry, "grace");

        const dividere::ServiceClient client(name, registry);
        client.wait_for_service(10s);
        ask(client, 2);

        ada.stop(10s); // finishes what it has, and the client goes to the other one
        ask(client, 1);

        if (fails(client, std::numeric_limits<std::uint64_t>::max()) != dividere::Status::Remote) {
            throw std::runtime_error("that was too large");
        }
        grace.stop(10s);
        // At once, also where the client has not heard yet that the last one is gone.
        const dividere::Status gone = fails(client, 1);
        return gone == dividere::Status::NotFound || gone == dividere::Status::Unreachable ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
