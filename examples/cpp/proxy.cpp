// A proxy: clients and servers know one address each, and none of the other side; servers come and go behind it.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <set>
#include <thread>

using namespace std::chrono_literals;

static void serve(const dividere::Response &response, const std::string &name) {
    for (const dividere::Message &request : response) {
        example::Job job;
        if (request.try_get(job)) {
            example::JobDone done;
            done.set_number(job.number());
            done.set_square(job.number() * job.number());
            done.set_worker(name);
            request.reply(done);
        }
    }
}

// Asks until both servers have answered.
static void ask(const std::string &endpoint) {
    const dividere::Request request(endpoint);
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    std::set<std::string> servers;
    for (std::uint64_t number = 1; servers.size() < 2; ++number) {
        example::Job job;
        job.set_number(number);
        const auto done = request.call<example::JobDone>(job, 10s);
        std::cout << done.number() << " squared is " << done.square() << ", says " << done.worker() << '\n';
        if (done.square() != number * number) {
            throw std::runtime_error("that is wrong");
        }
        servers.insert(done.worker());
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error("one of the servers was never asked");
        }
    }
}

int main() {
    try {
        const dividere::Proxy proxy(dividere::ProxyKind::RequestResponse, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
        // A response binds where its endpoint has a *, and connects where it has none.
        const std::string back = proxy.last_endpoint(dividere::ProxySide::Back);
        const dividere::Response ada(back);
        const dividere::Response grace(back);
        std::thread first(serve, std::cref(ada), "ada");
        std::thread second(serve, std::cref(grace), "grace");
        int result = 0;
        try {
            ask(proxy.last_endpoint(dividere::ProxySide::Front));
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
