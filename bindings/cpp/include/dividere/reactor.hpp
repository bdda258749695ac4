// The reactor: calls a function for each message that arrives, one after the other on one thread.
#ifndef DIVIDERE_REACTOR_HPP
#define DIVIDERE_REACTOR_HPP

#include <dividere/delivery.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace dividere {

/// A timer of a reactor; 0 for none.
using TimerId = std::uint64_t;

/// A reactor, as a view that owns nothing: what its handlers get. Every function may be called from any thread, also
/// in a handler.
///
/// Handlers are any callables, move-only ones included; they are destroyed exactly once, after their last call. What
/// a handler throws makes it fail: a requester is told (as Remote, with the text), the error handler is called, and the
/// reactor goes on. What timers, the idle hook and posted functions throw goes to the exception handler
/// (set_exception_handler).
class ReactorRef {
public:
    explicit ReactorRef(dividere_reactor_t reactor) noexcept : reactor_(reactor) {}

    /// Receives from a subscriber, response or dealer from now on. To receive from it directly is State until it is
    /// removed; closing it removes it.
    void add(const SocketBase &source) const { detail::check(dividere_reactor_add(reactor_, source.native())); }

    /// Receives from it no more; a handler that is under way finishes. NotFound where it is no source.
    void remove(const SocketBase &source) const { detail::check(dividere_reactor_remove(reactor_, source.native())); }

    /// Calls `handler` for messages of type T: with the message and its delivery, or with the message alone. In place
    /// of the one set before.
    ///
    ///     reactor.on<Question>([](const Question &question, Delivery &asked) { asked.reply(answer_to(question)); });
    template <class T, class F>
    void on(F &&handler) const {
        static_assert(is_protobuf<T>, "on<T>() is for protobuf messages");
        using Function = std::decay_t<F>;
        // Parsed into one object per handler: it is called by one thread at a time.
        struct Typed {
            Function function;
            T content;
        };
        const auto call = [](void *context, const dividere_delivery_t *from, dividere_message_t *message) {
            return detail::guarded([&] {
                Typed &typed = *static_cast<Typed *>(context);
                Delivery delivery(*from, message);
                delivery.get(typed.content);
                if constexpr (std::is_invocable_v<Function &, const T &, Delivery &>) {
                    typed.function(static_cast<const T &>(typed.content), delivery);
                } else {
                    static_assert(std::is_invocable_v<Function &, const T &>,
                                  "a handler is called with (const T &, Delivery &) or with (const T &)");
                    typed.function(static_cast<const T &>(typed.content));
                }
            });
        };
        auto context = std::unique_ptr<Typed>(new Typed{std::forward<F>(handler), T()});
        detail::check(
            dividere_reactor_on(reactor_, type_name<T>().c_str(), call, context.release(), detail::destroy<Typed>));
    }

    /// Calls `handler(Delivery &)` for messages of a type given by its full name.
    template <class F>
    void on(std::string_view type_name, F &&handler) const {
        detail::with_c_text(type_name, [&](const char *name) {
            return on_any(name, std::forward<F>(handler));
        }).value();
    }

    /// Calls `handler(Delivery &)` for messages that no other handler is for.
    template <class F>
    void on_default(F &&handler) const {
        detail::check(on_any(nullptr, std::forward<F>(handler)));
    }

    /// Takes a handler away.
    template <class T>
    void off() const {
        off(type_name<T>());
    }
    void off(std::string_view type_name) const {
        detail::with_c_text(type_name, [this](const char *name) {
            return dividere_reactor_on(reactor_, name, nullptr, nullptr, nullptr);
        }).value();
    }
    void off_default() const { detail::check(dividere_reactor_on(reactor_, nullptr, nullptr, nullptr, nullptr)); }

    /// Calls `handler(const Error &, Delivery &)` for what cannot be handled: Decode for an undecodable message,
    /// NotFound for one that no handler is for, and what a handler threw (Remote unless it was an Error). Without one
    /// these are lines in the log.
    template <class F>
    void on_error(F &&handler) const {
        using Function = std::decay_t<F>;
        const auto call = [](void *context, const dividere_delivery_t *from, dividere_message_t *message,
                             dividere_status_t status, const char *text) {
            try {
                Delivery delivery(*from, message);
                (*static_cast<Function *>(context))(Error(static_cast<Status>(status), text), delivery);
            } catch (...) {
                detail::unhandled(std::current_exception());
            }
        };
        auto context = detail::context_of(std::forward<F>(handler));
        detail::check(dividere_reactor_on_error(reactor_, call, context.release(), detail::destroy<Function>));
    }

    /// Calls `task` in `interval`, once; `task()` or `task(ReactorRef)`. Gives the number to cancel it with.
    template <class F>
    TimerId call_after(Timeout interval, F &&task) const {
        return add_timer(interval, false, std::forward<F>(task));
    }

    /// Calls `task` every `interval`, which is above 0.
    template <class F>
    TimerId call_every(Timeout interval, F &&task) const {
        return add_timer(interval, true, std::forward<F>(task));
    }

    /// Ends a timer. NotFound where it is over, or was cancelled before.
    void cancel_timer(TimerId timer) const { detail::check(dividere_reactor_cancel_timer(reactor_, timer)); }

    /// Calls `task` whenever no message came for `interval`, in place of the one set before.
    template <class F>
    void on_idle(Timeout interval, F &&task) const {
        auto context = detail::context_of(std::forward<F>(task));
        using Function = std::decay_t<F>;
        detail::check(dividere_reactor_on_idle(reactor_, interval.ms(), run_task<Function>, context.release(),
                                               detail::destroy<Function>));
    }

    /// Runs `task` once on the reactor's thread, soon, in the order of posting; while it does not run, when it runs
    /// again.
    template <class F>
    void post(F &&task) const {
        auto context = detail::context_of(std::forward<F>(task));
        using Function = std::decay_t<F>;
        detail::check(
            dividere_reactor_post(reactor_, run_task<Function>, context.release(), detail::destroy<Function>));
    }

    /// Runs on this thread until it is stopped or closed. State where it runs already.
    void run() const { detail::check(dividere_reactor_run(reactor_)); }

    /// Runs on a thread of its own until it is stopped or closed; the name is the thread's, cut after 15 bytes.
    void start() const { detail::check(dividere_reactor_start(reactor_, nullptr)); }
    void start(std::string_view name) const {
        detail::with_c_text(name, [this](const char *text) { return dividere_reactor_start(reactor_, text); }).value();
    }

    /// Ends the loop after the callback that is under way and waits for that; in a callback of its own it does not
    /// wait. It can run again. Timeout where the callback takes longer: the loop ends after it all the same.
    Result<void> try_stop(Timeout timeout) const {
        return detail::outcome(dividere_reactor_stop(reactor_, timeout.ms()));
    }
    void stop(Timeout timeout = std::chrono::seconds(10)) const { try_stop(timeout).value(); }

    /// Stops it and lets go of its sources, handlers, timers and tasks. The sources stay open.
    void close() const noexcept { static_cast<void>(dividere_reactor_close(reactor_)); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_reactor_t native() const noexcept { return reactor_; }

protected:
    dividere_reactor_t reactor_;

private:
    template <class F>
    dividere_status_t on_any(const char *type_name, F &&handler) const {
        using Function = std::decay_t<F>;
        const auto call = [](void *context, const dividere_delivery_t *from, dividere_message_t *message) {
            return detail::guarded([&] {
                Delivery delivery(*from, message);
                (*static_cast<Function *>(context))(delivery);
            });
        };
        auto context = detail::context_of(std::forward<F>(handler));
        return dividere_reactor_on(reactor_, type_name, call, context.release(), detail::destroy<Function>);
    }

    template <class F>
    TimerId add_timer(Timeout interval, bool repeat, F &&task) const {
        auto context = detail::context_of(std::forward<F>(task));
        using Function = std::decay_t<F>;
        TimerId timer = 0;
        detail::check(dividere_reactor_add_timer(reactor_, interval.ms(), repeat ? 1 : 0, run_task<Function>,
                                                 context.release(), detail::destroy<Function>, &timer));
        return timer;
    }

    template <class Function>
    static void run_task(void *context, dividere_reactor_t reactor) {
        try {
            Function &function = *static_cast<Function *>(context);
            if constexpr (std::is_invocable_v<Function &, ReactorRef>) {
                function(ReactorRef(reactor));
            } else {
                static_cast<void>(reactor);
                function();
            }
        } catch (...) {
            detail::unhandled(std::current_exception());
        }
    }
};

inline ReactorRef Delivery::reactor() const noexcept { return ReactorRef(delivery_.reactor); }

/// A reactor that is owned: move-only, closed at its end.
class Reactor : public ReactorRef {
public:
    /// Without sources; it does not run yet. Limit where descriptors ran out.
    Reactor() : ReactorRef(make()) {}
    Reactor(Reactor &&other) noexcept : ReactorRef(std::exchange(other.reactor_, {0})) {}
    Reactor &operator=(Reactor &&other) noexcept {
        if (this != &other) {
            close();
            reactor_ = std::exchange(other.reactor_, {0});
        }
        return *this;
    }
    Reactor(const Reactor &) = delete;
    Reactor &operator=(const Reactor &) = delete;
    ~Reactor() { close(); }

private:
    static dividere_reactor_t make() {
        dividere_reactor_t reactor = {0};
        detail::check(dividere_reactor_new(&reactor));
        return reactor;
    }
};

} // namespace dividere

#endif
