// What happens to connections, and what a handle counts.
#ifndef DIVIDERE_EVENT_HPP
#define DIVIDERE_EVENT_HPP

#include <dividere/status.hpp>

#include <cstdint>
#include <string>

namespace dividere {

/// What happened; said in dividere.h.
enum class EventKind : std::int32_t {
    Connected = DIVIDERE_EVENT_CONNECTED,
    Accepted = DIVIDERE_EVENT_ACCEPTED,
    Disconnected = DIVIDERE_EVENT_DISCONNECTED,
    Retried = DIVIDERE_EVENT_RETRIED,
    Listening = DIVIDERE_EVENT_LISTENING,
    HandshakeFailed = DIVIDERE_EVENT_HANDSHAKE_FAILED,
    Closed = DIVIDERE_EVENT_CLOSED,
    MonitorLost = DIVIDERE_EVENT_MONITOR_LOST,
    AcceptFailed = DIVIDERE_EVENT_ACCEPT_FAILED,
    Restarted = DIVIDERE_EVENT_RESTARTED,
};

/// One thing that happened to one connection.
struct Event {
    EventKind kind;
    /// A number that goes with the kind: a status, an errno or a code of ZeroMQ's; 0 for none.
    std::int32_t code;
    /// The endpoint of this handle that it happened on.
    std::string endpoint;
    /// The address of the peer; empty where it cannot be known.
    std::string peer;
    /// What the number means and what to do; may be empty.
    std::string text;

    explicit Event(const dividere_event_t &event)
        : kind(static_cast<EventKind>(event.kind)), code(event.code), endpoint(event.endpoint), peer(event.peer),
          text(event.text) {}
};

/// What a handle counted since it was made; each member is explained in dividere.h.
using Statistics = dividere_statistics_t;

} // namespace dividere

#endif
