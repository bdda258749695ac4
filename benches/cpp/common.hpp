// What the C++ programs share: arguments, the clock, and the modes of benches/rust/src/main.rs.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "bench.pb.h"

struct Arguments {
    std::string mode, endpoint;
    std::size_t size;
    std::uint64_t count;
};

inline std::uint64_t now() {
    using namespace std::chrono;
    return static_cast<std::uint64_t>(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

inline void tell(const std::string &endpoint) {
    std::printf("%s\n", endpoint.c_str());
    std::fflush(stdout);
}

inline void require(bool good, const char *what) {
    if (!good) {
        std::fprintf(stderr, "failed: %s\n", what);
        std::exit(1);
    }
}

// `Library` has send(arguments, bound), recv(arguments, first), pong(arguments, bound), ping(arguments, each).
template <class Library>
int run(int argc, char **argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s send|recv|ping|pong|both ENDPOINT SIZE COUNT\n", argv[0]);
        return 2;
    }
    const Arguments a{argv[1], argv[2], std::strtoul(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10)};
    const auto receive = [&a] {
        std::uint64_t start = 0;
        Library::recv(a, [&start] { start = now(); });
        std::printf("%llu\n", static_cast<unsigned long long>(now() - start));
    };
    if (a.mode == "send") {
        Library::send(a, tell);
    } else if (a.mode == "recv") {
        receive();
    } else if (a.mode == "pong") {
        Library::pong(a, tell);
    } else if (a.mode == "ping") {
        std::uint64_t before = now();
        Library::ping(a, [&before] {
            const std::uint64_t after = now();
            std::printf("%llu ", static_cast<unsigned long long>(after - before));
            before = after;
        });
        std::printf("\n");
    } else if (a.mode == "both") {
        std::promise<void> bound;
        std::thread sender([&] { Library::send(a, [&](const std::string &) { bound.set_value(); }); });
        bound.get_future().wait();
        receive();
        sender.join();
    } else {
        return 2;
    }
    return 0;
}
