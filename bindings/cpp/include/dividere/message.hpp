// One message: to send, received, or to be answered.
#ifndef DIVIDERE_MESSAGE_HPP
#define DIVIDERE_MESSAGE_HPP

#include <dividere/protobuf.hpp>
#include <dividere/scratch.hpp>
#include <dividere/status.hpp>
#include <dividere/text.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dividere {

/// What a message holds; said in dividere.h.
enum class MessageKind : std::int32_t {
    Empty = DIVIDERE_MESSAGE_EMPTY,
    Bytes = DIVIDERE_MESSAGE_BYTES,
    Typed = DIVIDERE_MESSAGE_TYPED,
    Undecodable = DIVIDERE_MESSAGE_UNDECODABLE,
};

namespace detail {

inline dividere_view_t view_of(const dividere_message_t *message) {
    static constexpr char nothing[1] = {};
    dividere_view_t view = {};
    view.type_name = nothing;
    view.payload = nothing;
    view.bytes = nothing;
    if (message != nullptr) {
        check(dividere_message_view(message, &view));
    }
    return view;
}

/// What can be read in a message, and answering it: of a Message, and of the one that a handler is called with.
/// The object underneath is none while nothing was put into it.
class MessageBase {
public:
    MessageKind kind() const { return static_cast<MessageKind>(view().kind); }
    bool empty() const { return kind() == MessageKind::Empty; }

    /// Full name of its type, as acme.v1.Reading; empty unless it is Typed. This and the views below are valid until
    /// the message is changed, sent or destroyed.
    std::string_view type_name() const {
        const dividere_view_t now = view();
        return {now.type_name, now.type_name_len};
    }

    /// The serialised protobuf message; unless it is Typed, all bytes.
    std::string_view payload() const {
        const dividere_view_t now = view();
        return {static_cast<const char *>(now.payload), now.payload_len};
    }

    /// All bytes as they are on the wire.
    std::string_view bytes() const {
        const dividere_view_t now = view();
        return {static_cast<const char *>(now.bytes), now.bytes_len};
    }

    /// The number that its sender gave it; 0 where it gave none.
    std::uint64_t sequence() const { return view().sequence; }

    /// The frames that routed it here; none unless it came through a router.
    std::vector<std::string_view> route() const {
        std::vector<std::string_view> frames(view().route_count);
        for (std::size_t index = 0; index < frames.size(); ++index) {
            const void *data = nullptr;
            std::size_t length = 0;
            check(dividere_message_route(message_, index, &data, &length));
            frames[index] = {static_cast<const char *>(data), length};
        }
        return frames;
    }

    /// Whether it is a T.
    template <class T, if_protobuf<T> = 0>
    bool is() const {
        return message_ != nullptr && dividere_message_is(message_, dividere::type_name<T>().c_str()) == 1;
    }

    /// Parses it into `into`. Type where it is of another type, Decode where its payload is malformed.
    template <class T, if_protobuf<T> = 0>
    Result<void> try_get(T &into) const {
        return parse(view(), into);
    }
    template <class T, if_protobuf<T> = 0>
    void get(T &into) const {
        try_get(into).value();
    }

    template <class T, if_protobuf<T> = 0>
    Result<T> try_get() const {
        T value;
        Result<void> parsed = try_get(value);
        if (!parsed) {
            return parsed;
        }
        return Result<T>(std::move(value));
    }
    template <class T, if_protobuf<T> = 0>
    T get() const {
        T value;
        get(value);
        return value;
    }

    /// Whether it still can be answered.
    bool can_reply() const { return view().can_reply == 1; }

    /// Answers it, which is a request or came through a router: once, at any time, from any thread. State where it
    /// has no way back or was answered before; Unreachable where the asker is gone; Closed where the handle that
    /// received it is.
    template <class T, if_protobuf<T> = 0>
    Result<void> try_reply(const T &answer) const {
        Scratch scratch;
        Result<void> ready = serialise(answer, scratch.get());
        return ready ? reply_and_tidy(scratch) : std::move(ready);
    }
    template <class T, if_protobuf<T> = 0>
    void reply(const T &answer) const {
        try_reply(answer).value();
    }

    /// Answers it with a message, which is empty afterwards, on success only.
    Result<void> try_reply(MessageBase &answer) const { return reply_with(answer.message_); }
    void reply(MessageBase &answer) const { try_reply(answer).value(); }
    void reply(MessageBase &&answer) const { try_reply(answer).value(); }

    /// Answers it with bytes as they are, without an envelope.
    Result<void> try_reply_bytes(std::string_view answer) const {
        Scratch scratch;
        const dividere_status_t ready = dividere_message_set_bytes(scratch.get(), answer.data(), answer.size());
        return ready == DIVIDERE_OK ? reply_and_tidy(scratch) : failure(ready);
    }
    void reply_bytes(std::string_view answer) const { try_reply_bytes(answer).value(); }

    /// Answers it with an error: the asker's call fails with `status` (Remote where a handler failed) and `text`.
    Result<void> try_reply_error(Status status, std::string_view text) const {
        return with_c_text(text, [&](const char *words) {
            return dividere_message_reply_error(message_, static_cast<std::int32_t>(status), words);
        });
    }
    void reply_error(Status status, std::string_view text) const { try_reply_error(status, text).value(); }

    /// The object of the C functions; null while nothing was put into it.
    dividere_message_t *native() const noexcept { return message_; }

    /// Everything at once, as C gives it.
    dividere_view_t view() const { return view_of(message_); }

protected:
    MessageBase() noexcept = default;
    explicit MessageBase(dividere_message_t *message) noexcept : message_(message) {}
    MessageBase(const MessageBase &) noexcept = default;
    MessageBase &operator=(const MessageBase &) noexcept = default;
    ~MessageBase() = default;

    dividere_message_t *message_ = nullptr;

private:
    Result<void> reply_with(dividere_message_t *answer) const {
        if (message_ == nullptr) {
            return Result<void>(Status::State, "the message is empty: there is nothing to answer");
        }
        if (answer == nullptr) {
            return Result<void>(Status::State, "the answer is empty: there is nothing to send");
        }
        return outcome(dividere_message_reply(message_, answer));
    }

    Result<void> reply_and_tidy(Scratch &scratch) const {
        Result<void> replied = reply_with(scratch.get());
        if (!replied) {
            scratch.clear_at_end();
        }
        return replied;
    }
};

} // namespace detail

/// A message that is owned. Move-only; used by one thread at a time. Made once, it can be sent from and received
/// into again and again. One that was moved from is empty.
class Message : public detail::MessageBase {
public:
    /// An empty one, to prepare or to receive into.
    Message() noexcept = default;

    /// A protobuf message, ready to be sent.
    template <class T, if_protobuf<T> = 0>
    explicit Message(const T &content) {
        set(content);
    }

    /// Takes over an object of the C functions.
    static Message adopt(dividere_message_t *message) noexcept { return Message(message, Adopted()); }

    Message(Message &&other) noexcept : MessageBase(std::exchange(other.message_, nullptr)) {}
    Message &operator=(Message &&other) noexcept {
        if (this != &other) {
            dividere_message_free(std::exchange(message_, std::exchange(other.message_, nullptr)));
        }
        return *this;
    }
    Message(const Message &) = delete;
    Message &operator=(const Message &) = delete;
    ~Message() { dividere_message_free(message_); }

    /// A second message with the same content and the same way back; the bytes are shared, not copied.
    Message clone() const { return clone_of(*this); }

    /// Keeps a message that a handler is called with.
    static Message clone_of(const MessageBase &other) {
        Message copy;
        if (other.native() != nullptr) {
            detail::check(dividere_message_clone(other.native(), &copy.message_));
        }
        return copy;
    }

    /// Makes it a protobuf message. What it held before is gone. TooLarge beyond what protobuf allows.
    template <class T, if_protobuf<T> = 0>
    void set(const T &content) {
        detail::serialise(content, object()).value();
    }

    /// Makes it a message of a type given by its full name, serialised already; copied.
    void set(std::string_view type_name, std::string_view payload) {
        detail::with_c_text(type_name, [&](const char *name) {
            return dividere_message_set(object(), name, payload.data(), payload.size());
        }).value();
    }

    /// Makes it a message of bytes without an envelope; copied.
    void set_bytes(std::string_view bytes) {
        detail::check(dividere_message_set_bytes(object(), bytes.data(), bytes.size()));
    }

    /// Makes it a message of this type, and gives the place for `size` bytes of payload: all of it is to be written
    /// before the message is sent.
    void *prepare(std::string_view type_name, std::size_t size) {
        void *place = nullptr;
        detail::with_c_text(type_name, [&](const char *name) {
            return dividere_message_prepare(object(), name, size, &place);
        }).value();
        return place;
    }

    /// The same without an envelope.
    void *prepare_bytes(std::size_t size) {
        void *place = nullptr;
        detail::check(dividere_message_prepare_bytes(object(), size, &place));
        return place;
    }

    /// Looks at bytes that were received as such as an envelope. Decode where they are none.
    Result<void> try_decode() { return detail::outcome(dividere_message_decode(object())); }
    void decode() { try_decode().value(); }

    /// Empties it, and lets go of what it held.
    void clear() {
        if (message_ != nullptr) {
            detail::check(dividere_message_clear(message_));
        }
    }

    /// The object of the C functions, made where there is none yet.
    dividere_message_t *object() {
        if (message_ == nullptr) {
            detail::check(dividere_message_new(&message_));
        }
        return message_;
    }

private:
    struct Adopted {};
    Message(dividere_message_t *message, Adopted) noexcept : MessageBase(message) {}
};

/// Several messages at once, for send_many and recv_many: to be made once and used again and again.
class Batch {
public:
    Batch() = default;

    /// With room to receive as many messages.
    explicit Batch(std::size_t capacity) { reserve(capacity); }

    /// Room to receive as many messages.
    void reserve(std::size_t capacity) {
        while (messages_.size() < capacity) {
            messages_.emplace_back();
            pointers_.push_back(messages_.back().object());
        }
    }

    /// Appends a protobuf message to be sent.
    template <class T, if_protobuf<T> = 0>
    void add(const T &content) {
        next().set(content);
        ++size_;
    }

    /// Appends bytes to be sent without an envelope.
    void add_bytes(std::string_view bytes) {
        next().set_bytes(bytes);
        ++size_;
    }

    /// How many are there: were received, or wait to be sent.
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::size_t capacity() const noexcept { return messages_.size(); }

    Message &operator[](std::size_t index) { return messages_[index]; }
    const Message &operator[](std::size_t index) const { return messages_[index]; }
    Message *begin() noexcept { return messages_.data(); }
    Message *end() noexcept { return messages_.data() + size_; }
    const Message *begin() const noexcept { return messages_.data(); }
    const Message *end() const noexcept { return messages_.data() + size_; }

    /// Gives up its messages; the room stays.
    void clear() {
        for (Message &message : *this) {
            message.clear();
        }
        size_ = 0;
    }

    /// For the roles: the objects in their order, as they are now. One may have been moved out of its place.
    dividere_message_t *const *objects(std::size_t count) {
        for (std::size_t index = 0; index < count; ++index) {
            pointers_[index] = messages_[index].object();
        }
        return pointers_.data();
    }

    /// For the roles: so many were received.
    void received(std::size_t count) noexcept { size_ = count; }

    /// For the roles: the first `count` were sent; the others move up.
    void sent(std::size_t count) {
        for (std::size_t index = count; index < size_; ++index) {
            std::swap(messages_[index - count], messages_[index]);
        }
        size_ -= count;
    }

private:
    Message &next() {
        reserve(size_ + 1);
        return messages_[size_];
    }

    std::vector<Message> messages_;
    std::vector<dividere_message_t *> pointers_;
    std::size_t size_ = 0;
};

} // namespace dividere

#endif
