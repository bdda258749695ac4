// What all roles share, written once. Every function may be called from any thread, with any number of calls at
// once; a handle that is closed or was moved from is Closed.
#ifndef DIVIDERE_SOCKET_HPP
#define DIVIDERE_SOCKET_HPP

#include <dividere/callback.hpp>
#include <dividere/event.hpp>
#include <dividere/message.hpp>
#include <dividere/options.hpp>
#include <dividere/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dividere {

class ServiceClient;
class Socket;

/// Connections, events, counters, and the end of a handle.
class SocketBase {
public:
    /// Ends the handle: blocked calls return Closed, and its addresses can be bound again when this returns. What was
    /// accepted goes on being sent for at most the linger time. Closing once more does nothing.
    void close() const noexcept { static_cast<void>(dividere_socket_close(socket_)); }

    /// Waits until a receive may work. It is no promise: another thread may take the message first.
    Result<void> try_wait(Timeout timeout) const {
        return detail::outcome(dividere_socket_wait(socket_, timeout.ms()));
    }
    void wait(Timeout timeout) const { try_wait(timeout).value(); }

    /// A descriptor for poll and epoll: when it is readable, receive with no_wait until WouldBlock. It belongs to the
    /// handle.
    int fd() const {
        std::int32_t descriptor = -1;
        detail::check(dividere_socket_fd(socket_, &descriptor));
        return descriptor;
    }

    /// A descriptor for poll and epoll, of those who send: when it is readable, a send that said WouldBlock may work
    /// now; try again with no_wait until it works or says WouldBlock. Publishers and responses look again after 20 ms
    /// even if it is not readable. It belongs to the handle.
    int room_fd() const {
        std::int32_t descriptor = -1;
        detail::check(dividere_socket_room_fd(socket_, &descriptor));
        return descriptor;
    }

    Statistics statistics() const {
        Statistics statistics = {};
        detail::check(dividere_socket_statistics(socket_, &statistics));
        return statistics;
    }

    /// The endpoint bound last, with the port that was free where `*` was asked for. NotFound where none is bound.
    std::string last_endpoint() const {
        return detail::read_text([this](char *buffer, std::size_t size, std::size_t *length) {
                   return dividere_socket_last_endpoint(socket_, buffer, size, length);
               })
            .value();
    }

    /// All endpoints that it is bound or connected to.
    std::vector<std::string> endpoints() const {
        std::size_t count = 0;
        detail::check(dividere_socket_endpoint_count(socket_, &count));
        std::vector<std::string> endpoints;
        for (std::size_t index = 0; index < count; ++index) {
            auto endpoint = detail::read_text([&](char *buffer, std::size_t size, std::size_t *length) {
                return dividere_socket_endpoint(socket_, index, buffer, size, length);
            });
            if (endpoint.status() == Status::NotFound) {
                break; // given up meanwhile by another thread
            }
            endpoints.push_back(std::move(endpoint).value());
        }
        return endpoints;
    }

    /// Binds or connects to one more endpoint.
    void attach(std::string_view endpoint) const {
        detail::with_c_text(endpoint, [this](const char *text) {
            return dividere_socket_attach(socket_, text);
        }).value();
    }

    /// Gives up an endpoint that it connects to. NotFound where it is none of those.
    void detach(std::string_view endpoint) const {
        detail::with_c_text(endpoint, [this](const char *text) {
            return dividere_socket_detach(socket_, text);
        }).value();
    }

    /// Waits until `peers` peers are connected; with 0 until every endpoint that this side connects to is. It proves
    /// nothing about subscriptions: see Publisher::wait_for_subscribers.
    Result<void> try_wait_connected(std::size_t peers, Timeout timeout) const {
        return detail::outcome(dividere_socket_wait_connected(socket_, peers, timeout.ms()));
    }
    void wait_connected(std::size_t peers, Timeout timeout) const { try_wait_connected(peers, timeout).value(); }
    void wait_connected(Timeout timeout) const { wait_connected(0, timeout); }

    /// Waits until everything sent so far was handed to the connections. Timeout while a peer is slow, or is connected
    /// to and not there. Closing and a normal exit need no flush before them.
    Result<void> try_flush(Timeout timeout) const {
        return detail::outcome(dividere_socket_flush(socket_, timeout.ms()));
    }
    void flush(Timeout timeout) const { try_flush(timeout).value(); }

    /// Takes the oldest event of this handle's connections, or waits for one. The last 1024 are kept.
    Result<Event> try_event_recv(Timeout timeout) const {
        dividere_event_t event;
        const dividere_status_t status = dividere_socket_event_recv(socket_, &event, timeout.ms());
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return Event(event);
    }
    Event event_recv(Timeout timeout) const { return try_event_recv(timeout).value(); }

    /// Calls `callback(const Event &)` for each event as it happens, on dividere's service thread: what it does there
    /// holds up the events of all handles. In place of the one set before.
    template <class F>
    void set_event_callback(F &&callback) const {
        using Function = std::decay_t<F>;
        auto context = detail::context_of(std::forward<F>(callback));
        const auto call = [](void *function, const dividere_event_t *event) {
            try {
                (*static_cast<Function *>(function))(Event(*event));
            } catch (...) {
                detail::unhandled(std::current_exception());
            }
        };
        detail::check(dividere_socket_set_event_callback(socket_, call, context.release(), detail::destroy<Function>));
    }
    void clear_event_callback() const {
        detail::check(dividere_socket_set_event_callback(socket_, nullptr, nullptr, nullptr));
    }

    /// The handle of the C functions; none in one that was moved from.
    dividere_socket_t native() const noexcept { return socket_; }

    /// Any role as a view that owns nothing: for poll, and for code that serves several roles.
    Socket socket() const noexcept;

protected:
    SocketBase() noexcept = default;
    explicit SocketBase(std::uint64_t id) noexcept : socket_{id} {}
    SocketBase(const SocketBase &) noexcept = default;
    SocketBase &operator=(const SocketBase &) noexcept = default;
    ~SocketBase() = default;

    dividere_socket_t socket_ = {0};
};

/// Sending, for the roles that can.
template <class Role>
class Sends {
public:
    /// Sends a protobuf message. TooLarge beyond the maximum message size; State out of turn (request, response);
    /// Timeout or WouldBlock where a full queue blocks or fails.
    template <class T, if_protobuf<T> = 0>
    Result<void> try_send(const T &content) const {
        detail::Scratch scratch;
        Result<void> ready = detail::serialise(content, scratch.get());
        return ready ? send_and_tidy(scratch) : std::move(ready);
    }
    template <class T, if_protobuf<T> = 0>
    void send(const T &content) const {
        try_send(content).value();
    }

    /// Sends a message that was prepared; it is empty afterwards, on success only.
    Result<void> try_send(Message &message) const {
        return detail::outcome(dividere_socket_send(sender(), message.object()));
    }
    void send(Message &message) const { try_send(message).value(); }
    void send(Message &&message) const { try_send(message).value(); }

    /// The same; where a queue is full it waits for room for this time, whatever the options of the handle say:
    /// WouldBlock with no_wait, else Timeout. What was not sent is still in the message.
    Result<void> try_send(Message &message, Timeout timeout) const {
        return detail::outcome(dividere_socket_send_within(sender(), message.object(), timeout.ms()));
    }
    template <class T, if_protobuf<T> = 0>
    Result<void> try_send(const T &content, Timeout timeout) const {
        detail::Scratch scratch;
        Result<void> ready = detail::serialise(content, scratch.get());
        return ready ? tidy(scratch, dividere_socket_send_within(sender(), scratch.get(), timeout.ms()))
                     : std::move(ready);
    }
    void send(Message &message, Timeout timeout) const { try_send(message, timeout).value(); }
    void send(Message &&message, Timeout timeout) const { try_send(message, timeout).value(); }
    template <class T, if_protobuf<T> = 0>
    void send(const T &content, Timeout timeout) const {
        try_send(content, timeout).value();
    }

    /// Sends a message of a type given by its full name, serialised already; copied.
    Result<void> try_send_typed(std::string_view type_name, std::string_view payload) const {
        detail::Scratch scratch;
        Result<void> ready = detail::with_c_text(type_name, [&](const char *name) {
            return dividere_message_set(scratch.get(), name, payload.data(), payload.size());
        });
        return ready ? send_and_tidy(scratch) : std::move(ready);
    }
    void send_typed(std::string_view type_name, std::string_view payload) const {
        try_send_typed(type_name, payload).value();
    }

    /// Sends bytes as they are, without an envelope; copied.
    Result<void> try_send_bytes(std::string_view bytes) const {
        return detail::outcome(dividere_socket_send_bytes(sender(), bytes.data(), bytes.size()));
    }
    void send_bytes(std::string_view bytes) const { try_send_bytes(bytes).value(); }

    /// Sends the messages of a batch in order until one fails, and tells how many were sent; the batch keeps the
    /// others. Fails only where the first one did.
    Result<std::size_t> try_send_many(Batch &batch) const {
        std::size_t sent = 0;
        const std::size_t count = batch.size();
        const dividere_status_t status = dividere_socket_send_many(sender(), batch.objects(count), count, &sent);
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        batch.sent(sent);
        return sent;
    }
    std::size_t send_many(Batch &batch) const { return try_send_many(batch).value(); }

    /// The same for protobuf messages in any range, as a vector.
    template <class Range, if_protobuf<std::decay_t<decltype(*std::begin(std::declval<const Range &>()))>> = 0>
    Result<std::size_t> try_send_many(const Range &range) const {
        Batch batch;
        for (const auto &content : range) {
            batch.add(content);
        }
        return try_send_many(batch);
    }
    template <class Range, if_protobuf<std::decay_t<decltype(*std::begin(std::declval<const Range &>()))>> = 0>
    std::size_t send_many(const Range &range) const {
        return try_send_many(range).value();
    }

private:
    dividere_socket_t sender() const noexcept { return static_cast<const Role *>(this)->native(); }

    Result<void> send_and_tidy(detail::Scratch &scratch) const {
        return tidy(scratch, dividere_socket_send(sender(), scratch.get()));
    }

    static Result<void> tidy(detail::Scratch &scratch, dividere_status_t status) {
        if (status == DIVIDERE_OK) {
            return {};
        }
        scratch.clear_at_end();
        return detail::failure(status);
    }
};

/// Receiving, for the roles that can.
template <class Role>
class Receives {
public:
    /// Receives the next protobuf message, which has to be a T: else Type, and Decode where it is none at all. The
    /// error has the message then (Error::message).
    template <class T, if_protobuf<T> = 0>
    Result<void> try_recv(T &into, Timeout timeout) const {
        detail::Scratch scratch;
        const dividere_status_t status = dividere_socket_recv(receiver(), scratch.get(), timeout.ms());
        return take(scratch, status, into);
    }
    template <class T, if_protobuf<T> = 0>
    void recv(T &into, Timeout timeout) const {
        try_recv(into, timeout).value();
    }
    template <class T, if_protobuf<T> = 0>
    Result<T> try_recv(Timeout timeout) const {
        T value;
        Result<void> received = try_recv(value, timeout);
        if (!received) {
            return received;
        }
        return Result<T>(std::move(value));
    }
    template <class T, if_protobuf<T> = 0>
    T recv(Timeout timeout) const {
        T value;
        recv(value, timeout);
        return value;
    }

    /// Receives the next message of any type. Decode where what came is no envelope: its bytes are in the message.
    Result<void> try_recv(Message &into, Timeout timeout) const {
        return detail::outcome(dividere_socket_recv(receiver(), into.object(), timeout.ms()));
    }
    void recv(Message &into, Timeout timeout) const { try_recv(into, timeout).value(); }
    Message recv(Timeout timeout) const {
        Message message;
        recv(message, timeout);
        return message;
    }

    /// Receives the next message as it is, without looking for an envelope.
    Result<void> try_recv_bytes(Message &into, Timeout timeout) const {
        return detail::outcome(dividere_socket_recv_bytes(receiver(), into.object(), timeout.ms()));
    }
    void recv_bytes(Message &into, Timeout timeout) const { try_recv_bytes(into, timeout).value(); }
    Result<std::string> try_recv_bytes(Timeout timeout) const {
        detail::Scratch scratch;
        const dividere_status_t status = dividere_socket_recv_bytes(receiver(), scratch.get(), timeout.ms());
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        const dividere_view_t view = detail::view_of(scratch.get());
        tidy(scratch, view);
        return std::string(static_cast<const char *>(view.bytes), view.bytes_len);
    }
    std::string recv_bytes(Timeout timeout) const { return try_recv_bytes(timeout).value(); }

    /// Waits for a message, takes what else is there already, as far as the batch has room, and tells how many. One
    /// that is no envelope is Undecodable in its place, and no error.
    Result<std::size_t> try_recv_many(Batch &batch, Timeout timeout) const { return fill(batch, true, timeout); }
    std::size_t recv_many(Batch &batch, Timeout timeout) const { return try_recv_many(batch, timeout).value(); }

    /// The same without looking for envelopes.
    Result<std::size_t> try_recv_many_bytes(Batch &batch, Timeout timeout) const { return fill(batch, false, timeout); }
    std::size_t recv_many_bytes(Batch &batch, Timeout timeout) const {
        return try_recv_many_bytes(batch, timeout).value();
    }

private:
    dividere_socket_t receiver() const noexcept { return static_cast<const Role *>(this)->native(); }

    template <class T>
    static Result<void> take(detail::Scratch &scratch, dividere_status_t status, T &into);

    static void tidy(detail::Scratch &scratch, const dividere_view_t &view) noexcept {
        constexpr std::size_t worth_keeping = 64 * 1024;
        if (view.can_reply != 0 || view.bytes_len > worth_keeping) {
            scratch.clear_at_end();
        }
    }

    Result<std::size_t> fill(Batch &batch, bool typed, Timeout timeout) const {
        batch.received(0);
        std::size_t received = 0;
        const std::size_t room = batch.capacity();
        const dividere_status_t status =
            dividere_socket_recv_many(receiver(), batch.objects(room), room, typed ? 1 : 0, timeout.ms(), &received);
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        batch.received(received);
        return received;
    }

    friend class Request;
    friend class ServiceClient;
};

template <class Role>
template <class T>
Result<void> Receives<Role>::take(detail::Scratch &scratch, dividere_status_t status, T &into) {
    if (status != DIVIDERE_OK && status != DIVIDERE_DECODE) {
        return detail::failure(status);
    }
    Result<void> parsed = detail::outcome(status);
    if (parsed) {
        const dividere_view_t view = detail::view_of(scratch.get());
        tidy(scratch, view);
        parsed = detail::parse(view, into);
        if (parsed) {
            return parsed;
        }
    }
    // Nothing is lost: the error carries what could not be handed out.
    auto message = std::make_shared<Message>(Message::adopt(scratch.release()));
    return Result<void>(parsed.status(), parsed.text(), std::move(message));
}

/// A view of any role: owns nothing, may be copied, and is Closed once the role is. Unsupported where the role does
/// not do what is asked for.
class Socket : public SocketBase, public Sends<Socket>, public Receives<Socket> {
public:
    explicit Socket(dividere_socket_t socket) noexcept : SocketBase(socket.id) {}
    Socket(const SocketBase &role) noexcept : SocketBase(role) {}
};

inline Socket SocketBase::socket() const noexcept { return Socket(socket_); }

namespace detail {

/// A handle that is owned: move-only, closed at its end.
class OwnedSocket : public SocketBase {
public:
    OwnedSocket(OwnedSocket &&other) noexcept : SocketBase(std::exchange(other.socket_.id, 0)) {}
    OwnedSocket &operator=(OwnedSocket &&other) noexcept {
        if (this != &other) {
            const dividere_socket_t old = std::exchange(socket_, {std::exchange(other.socket_.id, 0)});
            static_cast<void>(dividere_socket_close(old));
        }
        return *this;
    }
    OwnedSocket(const OwnedSocket &) = delete;
    OwnedSocket &operator=(const OwnedSocket &) = delete;

protected:
    explicit OwnedSocket(std::uint64_t id) noexcept : SocketBase(id) {}
    ~OwnedSocket() { close(); }
};

/// Makes a role by the C function that does, or says why not.
template <class Handle, class New>
Result<std::uint64_t> make(New create, const Endpoints &endpoints, const Options &options) {
    Handle handle = {0};
    Result<void> made =
        with_c_text(endpoints.text(), [&](const char *text) { return create(text, options.native(), &handle); });
    if (!made) {
        return made;
    }
    return handle.id;
}

} // namespace detail
} // namespace dividere

#endif
