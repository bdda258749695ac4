// What a handler of a reactor is called with.
#ifndef DIVIDERE_DELIVERY_HPP
#define DIVIDERE_DELIVERY_HPP

#include <dividere/message.hpp>
#include <dividere/socket.hpp>

namespace dividere {

class ReactorRef;

/// The message that a handler is called with, and where it came from. Borrowed: valid for the call, and to be used on
/// its thread. `reply` (see MessageBase) answers it; `keep` makes a message of it that can be answered later, from
/// any thread.
class Delivery : public detail::MessageBase {
public:
    Delivery(const dividere_delivery_t &delivery, dividere_message_t *message) noexcept
        : MessageBase(message), delivery_(delivery) {}
    Delivery(const Delivery &) = delete;
    Delivery &operator=(const Delivery &) = delete;

    /// A message of its own, with the same content and the same way back.
    Message keep() const { return Message::clone_of(*this); }

    /// The role that it arrived at: it may be sent to, closed, or removed from the reactor.
    Socket source() const noexcept { return Socket(delivery_.source); }

    /// The reactor that calls: handlers, timers and sources may be added and removed, and it may be stopped.
    ReactorRef reactor() const noexcept;

private:
    dividere_delivery_t delivery_;
};

} // namespace dividere

#endif
