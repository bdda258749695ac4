// The proxy: passes messages between two sockets.
#ifndef DIVIDERE_PROXY_HPP
#define DIVIDERE_PROXY_HPP

#include <dividere/event.hpp>
#include <dividere/options.hpp>
#include <dividere/text.hpp>
#include <dividere/timeout.hpp>

#include <optional>
#include <string>
#include <utility>

namespace dividere {

/// What a proxy passes on: requests and replies, or publications and subscriptions.
enum class ProxyKind : std::int32_t {
    RequestResponse = DIVIDERE_PROXY_REQUEST_RESPONSE,
    PublishSubscribe = DIVIDERE_PROXY_PUBLISH_SUBSCRIBE,
};

/// One of the sockets of a proxy.
enum class ProxySide : std::int32_t {
    Front = DIVIDERE_PROXY_SIDE_FRONT,
    Back = DIVIDERE_PROXY_SIDE_BACK,
    Capture = DIVIDERE_PROXY_SIDE_CAPTURE,
};

/// Passes messages from its making to its close, on a thread of its own. Requests or publishers connect to the front,
/// responses, dealers or subscribers to the back; with `capture`, a publisher there gets the payload of every message.
class Proxy {
public:
    Proxy(ProxyKind kind, const Endpoints &front, const Endpoints &back,
          const std::optional<Endpoints> &capture = std::nullopt, const Options &options = {})
        : Proxy(try_make(kind, front, back, capture, options).value()) {}

    static Result<Proxy> try_make(ProxyKind kind, const Endpoints &front, const Endpoints &back,
                                  const std::optional<Endpoints> &capture = std::nullopt, const Options &options = {}) {
        for (const Endpoints *endpoints : {&front, &back, capture ? &*capture : &front}) {
            Result<void> whole = detail::whole_in_c(endpoints->text());
            if (!whole) {
                return whole;
            }
        }
        dividere_proxy_t handle = {0};
        const dividere_status_t status =
            dividere_proxy_new(static_cast<std::int32_t>(kind), front.text().c_str(), back.text().c_str(),
                               capture ? capture->text().c_str() : nullptr, options.native(), &handle);
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return Proxy(handle);
    }

    Proxy(Proxy &&other) noexcept : proxy_(std::exchange(other.proxy_, {0})) {}
    Proxy &operator=(Proxy &&other) noexcept {
        if (this != &other) {
            close();
            proxy_ = std::exchange(other.proxy_, {0});
        }
        return *this;
    }
    Proxy(const Proxy &) = delete;
    Proxy &operator=(const Proxy &) = delete;
    ~Proxy() { close(); }

    /// Stops it within 50 ms; its addresses can be bound again when this returns.
    void close() const noexcept { static_cast<void>(dividere_proxy_close(proxy_)); }

    /// Waits until it has ended: closed meanwhile, or by a fault of its own thread, which is the failure here. Timeout
    /// while it runs.
    Result<void> try_wait_ended(Timeout timeout) const {
        return detail::outcome(dividere_proxy_wait_ended(proxy_, timeout.ms()));
    }
    void wait_ended(Timeout timeout) const { try_wait_ended(timeout).value(); }

    /// The endpoint that a side is bound to. NotFound where there is none.
    std::string last_endpoint(ProxySide side) const {
        return detail::read_text([&](char *buffer, std::size_t size, std::size_t *length) {
                   return dividere_proxy_last_endpoint(proxy_, static_cast<std::int32_t>(side), buffer, size, length);
               })
            .value();
    }

    /// What a side counted so far.
    Statistics statistics(ProxySide side) const {
        Statistics statistics = {};
        detail::check(dividere_proxy_statistics(proxy_, static_cast<std::int32_t>(side), &statistics));
        return statistics;
    }

    /// Takes the oldest event of a side's connections, or waits for one.
    Result<Event> try_event_recv(ProxySide side, Timeout timeout) const {
        dividere_event_t event;
        const dividere_status_t status =
            dividere_proxy_event_recv(proxy_, static_cast<std::int32_t>(side), &event, timeout.ms());
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return Event(event);
    }
    Event event_recv(ProxySide side, Timeout timeout) const { return try_event_recv(side, timeout).value(); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_proxy_t native() const noexcept { return proxy_; }

private:
    explicit Proxy(dividere_proxy_t proxy) noexcept : proxy_(proxy) {}

    dividere_proxy_t proxy_;
};

} // namespace dividere

#endif
