// Callables of C++ as callbacks of C: kept until C says that they are done with, and no exception leaves one.
#ifndef DIVIDERE_CALLBACK_HPP
#define DIVIDERE_CALLBACK_HPP

#include <dividere/status.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace dividere {

/// Is given what a callback threw that has no error handler of its own (those of events and of the log). May run on
/// any thread, on several at once.
using ExceptionHandler = std::function<void(std::exception_ptr)>;

namespace detail {

struct ExceptionSlot {
    std::mutex mutex;
    std::shared_ptr<const ExceptionHandler> handler;
};

/// Never destroyed: dividere's threads may call back until the very end of the process.
inline ExceptionSlot &exception_slot() {
    static ExceptionSlot &slot = *new ExceptionSlot();
    return slot;
}

inline void unhandled(std::exception_ptr exception) noexcept {
    std::shared_ptr<const ExceptionHandler> handler;
    {
        ExceptionSlot &slot = exception_slot();
        const std::lock_guard<std::mutex> lock(slot.mutex);
        handler = slot.handler;
    }
    if (!handler) {
        return;
    }
    try {
        (*handler)(exception);
    } catch (...) {
        // The last resort failed, too; there is nobody left to tell.
    }
}

/// The destructor of a context made by `context_of`.
template <class F>
void destroy(void *context) noexcept {
    delete static_cast<F *>(context);
}

/// A callable as the context of a callback; `destroy<F>` ends it.
template <class F>
std::unique_ptr<std::decay_t<F>> context_of(F &&f) {
    return std::make_unique<std::decay_t<F>>(std::forward<F>(f));
}

/// Runs a handler, and makes a status with words of what it throws.
template <class Body>
dividere_status_t guarded(Body body) noexcept {
    try {
        body();
        return DIVIDERE_OK;
    } catch (const Error &error) {
        return dividere_fail(static_cast<std::int32_t>(error.status()), error.text());
    } catch (const std::exception &exception) {
        return dividere_fail(DIVIDERE_REMOTE, exception.what());
    } catch (...) {
        return dividere_fail(DIVIDERE_REMOTE, "a handler threw what is no std::exception");
    }
}

} // namespace detail

/// Sets the handler of exceptions that nobody else is told of, in place of the one before; none forgets them.
inline void set_exception_handler(ExceptionHandler handler) {
    auto next = handler ? std::make_shared<const ExceptionHandler>(std::move(handler)) : nullptr;
    detail::ExceptionSlot &slot = detail::exception_slot();
    const std::lock_guard<std::mutex> lock(slot.mutex);
    slot.handler.swap(next);
}

} // namespace dividere

#endif
