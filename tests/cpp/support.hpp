// What the tests share: time limits that only a failure reaches, and pairs of roles that are connected.
#ifndef DIVIDERE_TESTS_CPP_SUPPORT_HPP
#define DIVIDERE_TESTS_CPP_SUPPORT_HPP

#include <dividere/dividere.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

namespace support {

/// Only a failing test waits so long.
inline constexpr std::chrono::seconds limit{20};

inline const std::string any_port = "tcp://127.0.0.1:*";

/// The status of the Error that `body` throws; Ok where it throws none.
template <class Body>
dividere::Status thrown(Body body) {
    try {
        body();
    } catch (const dividere::Error &error) {
        return error.status();
    }
    return dividere::Status::Ok;
}

/// Waits for a future of another thread, and fails where it takes too long.
template <class T>
T await(std::future<T> &future) {
    if (future.wait_for(limit) != std::future_status::ready) {
        throw std::runtime_error("what the test waits for does not happen");
    }
    return future.get();
}

/// A publisher, and a subscriber to everything whose subscription has arrived.
struct PublishSubscribe {
    dividere::Publisher publisher{any_port};
    dividere::Subscriber subscriber{publisher.last_endpoint()};

    PublishSubscribe() { publisher.wait_for_subscribers(1, limit); }
};

} // namespace support

#endif
