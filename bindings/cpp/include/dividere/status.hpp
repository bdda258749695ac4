// How a call ends: a Status; an Error that is thrown; a Result for those who do not want exceptions.
//
// Each operation has two forms: `verb` returns what was asked for and throws Error, `try_verb` returns a Result
// and throws nothing of its own (std::bad_alloc apart).
#ifndef DIVIDERE_STATUS_HPP
#define DIVIDERE_STATUS_HPP

#include <dividere.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace dividere {

class Message;

/// The outcome of a call; what each means is said in dividere.h. A later library may return numbers that are not
/// listed here.
enum class Status : std::int32_t {
    Ok = DIVIDERE_OK,
    InvalidArgument = DIVIDERE_INVALID_ARGUMENT,
    NullPointer = DIVIDERE_NULL_POINTER,
    OutOfMemory = DIVIDERE_OUT_OF_MEMORY,
    Limit = DIVIDERE_LIMIT,
    Timeout = DIVIDERE_TIMEOUT,
    WouldBlock = DIVIDERE_WOULD_BLOCK,
    Closed = DIVIDERE_CLOSED,
    Forked = DIVIDERE_FORKED,
    Cancelled = DIVIDERE_CANCELLED,
    State = DIVIDERE_STATE,
    Endpoint = DIVIDERE_ENDPOINT,
    AddressInUse = DIVIDERE_ADDRESS_IN_USE,
    Unreachable = DIVIDERE_UNREACHABLE,
    Permission = DIVIDERE_PERMISSION,
    Handshake = DIVIDERE_HANDSHAKE,
    TooLarge = DIVIDERE_TOO_LARGE,
    Decode = DIVIDERE_DECODE,
    Type = DIVIDERE_TYPE,
    NotFound = DIVIDERE_NOT_FOUND,
    Busy = DIVIDERE_BUSY,
    Remote = DIVIDERE_REMOTE,
    Unsupported = DIVIDERE_UNSUPPORTED,
    Internal = DIVIDERE_INTERNAL,
};

/// The name of a status: "TIMEOUT". Static text.
inline const char *name(Status status) noexcept { return dividere_status_name(static_cast<std::int32_t>(status)); }

/// What is thrown. what() begins with the name of the status and says what was tried, and on what.
class Error : public std::runtime_error {
public:
    Error(Status status, const std::string &text, std::shared_ptr<Message> message = nullptr)
        : std::runtime_error(std::string(name(status)) + ": " + text), status_(status), message_(std::move(message)) {}

    Status status() const noexcept { return status_; }

    /// what() without the name of the status.
    const char *text() const noexcept { return what() + std::strlen(name(status_)) + std::strlen(": "); }

    /// The message at fault, where a message was received that could not be decoded (Decode) or is not of the type
    /// asked for (Type): its bytes are readable in it. Else null.
    const std::shared_ptr<Message> &message() const noexcept { return message_; }

private:
    Status status_;
    std::shared_ptr<Message> message_;
};

/// Success with a value, or why there is none.
template <class T>
class Result;

/// Success, or why not.
template <>
class [[nodiscard]] Result<void> {
public:
    Result() noexcept = default;

    /// A failure with its text, and the message at fault where there is one.
    Result(Status status, std::string text, std::shared_ptr<Message> message = nullptr)
        : status_(status), why_(new Why{std::move(text), std::move(message)}) {}

    /// A failure that needs no words.
    explicit Result(Status status) noexcept : status_(status) {}

    bool ok() const noexcept { return status_ == Status::Ok; }
    explicit operator bool() const noexcept { return ok(); }
    Status status() const noexcept { return status_; }

    /// What was tried, and what to do next; empty on success.
    std::string text() const { return why_ ? why_->text : ok() ? std::string() : std::string(name(status_)); }

    /// As Error::message.
    std::shared_ptr<Message> message() const { return why_ ? why_->message : nullptr; }

    /// Throws the Error, where it is a failure.
    void value() const {
        if (!ok()) {
            raise();
        }
    }

    /// Throws the Error, also where there is none.
    [[noreturn]] void raise() const { throw Error(status_, text(), message()); }

private:
    struct Why {
        std::string text;
        std::shared_ptr<Message> message;
    };
    Status status_ = Status::Ok;
    std::unique_ptr<Why> why_;
};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}

    /// The same failure. Internal where it is none.
    Result(Result<void> failure) : failure_(std::move(failure)) {
        if (failure_.ok()) {
            failure_ = Result<void>(Status::Internal, "a success without a value");
        }
    }

    bool ok() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    Status status() const noexcept { return failure_.status(); }
    std::string text() const { return failure_.text(); }
    std::shared_ptr<Message> message() const { return failure_.message(); }

    /// The value; throws the Error where there is none.
    T &value() & {
        require();
        return *value_;
    }
    const T &value() const & {
        require();
        return *value_;
    }
    T value() && {
        require();
        return std::move(*value_);
    }

    /// The value; only where ok() holds.
    T &operator*() & noexcept { return *value_; }
    const T &operator*() const & noexcept { return *value_; }
    T operator*() && { return std::move(*value_); }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }

    /// Why there is no value.
    Result<void> failure() && { return std::move(failure_); }

    T value_or(T other) && { return ok() ? std::move(*value_) : std::move(other); }

private:
    void require() const {
        if (!ok()) {
            failure_.raise();
        }
    }

    Result<void> failure_;
    std::optional<T> value_;
};

namespace detail {

/// The failure that the C call that has just returned `status` was. To wait in vain is an everyday answer, for which
/// nothing is allocated.
inline Result<void> failure(dividere_status_t status) {
    if (status == DIVIDERE_WOULD_BLOCK) {
        return Result<void>(Status::WouldBlock);
    }
    return Result<void>(static_cast<Status>(status), dividere_last_error());
}

inline Result<void> outcome(dividere_status_t status) {
    if (status == DIVIDERE_OK) {
        return {};
    }
    return failure(status);
}

/// Throws where a C call failed.
inline void check(dividere_status_t status) {
    if (status != DIVIDERE_OK) {
        failure(status).raise();
    }
}

} // namespace detail
} // namespace dividere

#endif
