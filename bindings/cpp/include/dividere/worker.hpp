// The worker of the load balancer: serves what brokers hand it.
#ifndef DIVIDERE_WORKER_HPP
#define DIVIDERE_WORKER_HPP

#include <dividere/each.hpp>
#include <dividere/socket.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace dividere {

/// A message that a handler is called with, or that it answers with. Borrowed: valid for the call, and to be used on
/// its thread. `keep` makes a message of it that can be answered later, from any thread.
class BorrowedMessage : public detail::MessageBase {
public:
    explicit BorrowedMessage(dividere_message_t *message) noexcept : MessageBase(message) {}
    BorrowedMessage(const BorrowedMessage &) = delete;
    BorrowedMessage &operator=(const BorrowedMessage &) = delete;

    /// A message of its own, with the same content and the same way back.
    Message keep() const { return Message::clone_of(*this); }
};

/// Connects to each of its endpoints, the back end of a broker each. Takes as many requests at once, from each, as the
/// option worker_capacity says, and announces itself again when a broker comes back. Requests are received and answered
/// by `reply` on their message, at any time and from any thread; or `serve` calls a function for each.
class Worker : public detail::OwnedSocket, public Receives<Worker>, public Iterates<Worker> {
public:
    explicit Worker(const Endpoints &endpoints, const Options &options = {})
        : Worker(try_make(endpoints, options).value()) {}

    static Result<Worker> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_worker_t>(dividere_worker_new, endpoints, options);
        return made ? Result<Worker>(Worker(*made)) : Result<Worker>(std::move(made).failure());
    }

    /// Calls `handler` for each request from now on, on as many threads as the worker has capacity; State where it has
    /// one already; so where that is more than 1, on several at once. What it throws, the asker is told: an Error with
    /// its status, all else as Remote. It may close the worker.
    ///
    /// With a message type: `handler(const Question &)` returns the answer, a protobuf message; a request of another
    /// type is answered with Type.
    ///
    ///     worker.serve<Question>([](const Question &question) { return answer_to(question); });
    template <class Question, class F, if_protobuf<Question> = 0>
    void serve(F &&handler) const {
        using Function = std::decay_t<F>;
        static_assert(is_protobuf<std::decay_t<std::invoke_result_t<Function &, const Question &>>>,
                      "a handler of a worker returns its answer, a protobuf message");
        serve([function = Function(std::forward<F>(handler))](const BorrowedMessage &request) mutable {
            Question question;
            request.get(question);
            request.reply(function(static_cast<const Question &>(question)));
        });
    }

    /// Without one: `handler(const BorrowedMessage &)` answers by `reply` and the like, at once or later by what `keep`
    /// gave it; what nobody answers is answered with Remote. Requests that are no envelope come as bytes.
    template <class F, std::enable_if_t<std::is_invocable_v<std::decay_t<F> &, const BorrowedMessage &>, int> = 0>
    void serve(F &&handler) const {
        using Function = std::decay_t<F>;
        const auto call = [](void *context, dividere_worker_t, dividere_message_t *request, dividere_message_t *) {
            return detail::guarded([&] { (*static_cast<Function *>(context))(BorrowedMessage(request)); });
        };
        auto context = detail::context_of(std::forward<F>(handler));
        detail::check(dividere_worker_serve({socket_.id}, call, context.release(), detail::destroy<Function>));
    }

    /// Takes no more requests, tells the brokers so, waits until those that it has are answered, and closes it. Timeout
    /// where that takes longer: it is closed all the same.
    Result<void> try_stop(Timeout timeout) const {
        return detail::outcome(dividere_worker_stop({socket_.id}, timeout.ms()));
    }
    void stop(Timeout timeout = std::chrono::seconds(10)) const { try_stop(timeout).value(); }

    /// Waits until it has ended: closed meanwhile, or by a fault of its own thread, which is the failure here. Timeout
    /// while it is open.
    Result<void> try_wait_ended(Timeout timeout) const {
        return detail::outcome(dividere_worker_wait_ended({socket_.id}, timeout.ms()));
    }
    void wait_ended(Timeout timeout) const { try_wait_ended(timeout).value(); }

private:
    explicit Worker(std::uint64_t id) noexcept : OwnedSocket(id) {}
};

} // namespace dividere

#endif
