// The broker of the load balancer: hands the requests of clients to workers.
#ifndef DIVIDERE_BROKER_HPP
#define DIVIDERE_BROKER_HPP

#include <dividere/event.hpp>
#include <dividere/options.hpp>
#include <dividere/text.hpp>
#include <dividere/timeout.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace dividere {

/// One of the sockets of a broker: where clients, or workers, connect to.
enum class BrokerSide : std::int32_t {
    Front = DIVIDERE_BROKER_SIDE_FRONT,
    Back = DIVIDERE_BROKER_SIDE_BACK,
};

/// How a broker stands, and what it counted; said in dividere.h.
using BrokerStatistics = dividere_broker_statistics_t;

/// Hands requests to workers from its making to its close, on a thread of its own. A request goes to the worker that
/// has the least to do and has been idle for longest, waits where none is free, and is answered once. Its client is a
/// Request: a call with retries may be repeated, and goes to another worker where the first one dies. The call fails
/// with Busy where the queue is full, and with Unreachable where the worker is gone and the request may not be
/// repeated.
class Broker {
public:
    Broker(const Endpoints &front, const Endpoints &back, const Options &options = {})
        : Broker(try_make(front, back, options).value()) {}

    static Result<Broker> try_make(const Endpoints &front, const Endpoints &back, const Options &options = {}) {
        for (const Endpoints *endpoints : {&front, &back}) {
            Result<void> whole = detail::whole_in_c(endpoints->text());
            if (!whole) {
                return whole;
            }
        }
        dividere_broker_t handle = {0};
        const dividere_status_t status =
            dividere_broker_new(front.text().c_str(), back.text().c_str(), options.native(), &handle);
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return Broker(handle);
    }

    Broker(Broker &&other) noexcept : broker_(std::exchange(other.broker_, {0})) {}
    Broker &operator=(Broker &&other) noexcept {
        if (this != &other) {
            close();
            broker_ = std::exchange(other.broker_, {0});
        }
        return *this;
    }
    Broker(const Broker &) = delete;
    Broker &operator=(const Broker &) = delete;
    ~Broker() { close(); }

    /// Stops it within 50 ms; its addresses can be bound again when this returns. Who waits for a worker, or for its
    /// answer, is answered with Unreachable.
    void close() const noexcept { static_cast<void>(dividere_broker_close(broker_)); }

    /// How it stands now.
    BrokerStatistics statistics() const {
        BrokerStatistics statistics = {};
        detail::check(dividere_broker_statistics(broker_, &statistics));
        return statistics;
    }

    /// Waits until so many workers are there.
    Result<void> try_wait_workers(std::uint64_t count, Timeout timeout) const {
        return detail::outcome(dividere_broker_wait_workers(broker_, count, timeout.ms()));
    }
    void wait_workers(std::uint64_t count, Timeout timeout) const { try_wait_workers(count, timeout).value(); }

    /// Waits until it has ended: closed meanwhile, or by a fault of its own thread, which is the failure here. Timeout
    /// while it runs.
    Result<void> try_wait_ended(Timeout timeout) const {
        return detail::outcome(dividere_broker_wait_ended(broker_, timeout.ms()));
    }
    void wait_ended(Timeout timeout) const { try_wait_ended(timeout).value(); }

    /// The endpoint that a side is bound to. NotFound where there is none.
    std::string last_endpoint(BrokerSide side) const {
        return detail::read_text([&](char *buffer, std::size_t size, std::size_t *length) {
                   return dividere_broker_last_endpoint(broker_, static_cast<std::int32_t>(side), buffer, size, length);
               })
            .value();
    }

    /// What the connections of a side counted so far.
    Statistics statistics(BrokerSide side) const {
        Statistics statistics = {};
        detail::check(dividere_broker_side_statistics(broker_, static_cast<std::int32_t>(side), &statistics));
        return statistics;
    }

    /// Takes the oldest event of a side's connections, or waits for one.
    Result<Event> try_event_recv(BrokerSide side, Timeout timeout) const {
        dividere_event_t event;
        const dividere_status_t status =
            dividere_broker_event_recv(broker_, static_cast<std::int32_t>(side), &event, timeout.ms());
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return Event(event);
    }
    Event event_recv(BrokerSide side, Timeout timeout) const { return try_event_recv(side, timeout).value(); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_broker_t native() const noexcept { return broker_; }

private:
    explicit Broker(dividere_broker_t broker) noexcept : broker_(broker) {}

    dividere_broker_t broker_;
};

} // namespace dividere

#endif
