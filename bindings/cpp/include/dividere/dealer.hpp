// The dealer: sends and receives in any order.
#ifndef DIVIDERE_DEALER_HPP
#define DIVIDERE_DEALER_HPP

#include <dividere/each.hpp>
#include <dividere/socket.hpp>

namespace dividere {

/// Binds to each of its endpoints that has a "*" ("@" in front binds, too), and connects to the others. Sends to its
/// peers in turn; a message that came through routers carries its way back, for reply.
class Dealer : public detail::OwnedSocket, public Sends<Dealer>, public Receives<Dealer>, public Iterates<Dealer> {
public:
    explicit Dealer(const Endpoints &endpoints, const Options &options = {})
        : Dealer(try_make(endpoints, options).value()) {}

    static Result<Dealer> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_dealer_t>(dividere_dealer_new, endpoints, options);
        return made ? Result<Dealer>(Dealer(*made)) : Result<Dealer>(std::move(made).failure());
    }

    /// Sends a message with the frames of a route in front, as Message::route gave them.
    Result<void> try_send_routed(const std::vector<std::string_view> &route, Message &message) const {
        const std::vector<dividere_bytes_t> frames = as_bytes(route);
        return detail::outcome(
            dividere_dealer_send_routed({socket_.id}, frames.data(), frames.size(), message.object()));
    }
    /// The same; where the queue is full it waits for room for this time, whatever the options say.
    Result<void> try_send_routed(const std::vector<std::string_view> &route, Message &message, Timeout timeout) const {
        const std::vector<dividere_bytes_t> frames = as_bytes(route);
        return detail::outcome(dividere_dealer_send_routed_within({socket_.id}, frames.data(), frames.size(),
                                                                  message.object(), timeout.ms()));
    }
    void send_routed(const std::vector<std::string_view> &route, Message &message) const {
        try_send_routed(route, message).value();
    }
    template <class T, if_protobuf<T> = 0>
    void send_routed(const std::vector<std::string_view> &route, const T &content) const {
        Message message(content);
        send_routed(route, message);
    }

    /// Sends a message with an empty frame in front: the form in which a Response expects a request.
    Result<void> try_send_with_empty_frame(Message &message) const {
        return detail::outcome(dividere_dealer_send_with_empty_frame({socket_.id}, message.object()));
    }
    void send_with_empty_frame(Message &message) const { try_send_with_empty_frame(message).value(); }
    template <class T, if_protobuf<T> = 0>
    void send_with_empty_frame(const T &content) const {
        Message message(content);
        send_with_empty_frame(message);
    }

private:
    explicit Dealer(std::uint64_t id) noexcept : OwnedSocket(id) {}

    static std::vector<dividere_bytes_t> as_bytes(const std::vector<std::string_view> &route) {
        std::vector<dividere_bytes_t> frames;
        frames.reserve(route.size());
        for (const std::string_view frame : route) {
            frames.push_back({frame.data(), frame.size()});
        }
        return frames;
    }
};

} // namespace dividere

#endif
