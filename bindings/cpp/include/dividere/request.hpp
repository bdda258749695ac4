// The request: asks, and gets an answer or an error in time.
#ifndef DIVIDERE_REQUEST_HPP
#define DIVIDERE_REQUEST_HPP

#include <dividere/socket.hpp>

namespace dividere {

/// Connects to each of its endpoints and asks them in turn. `call` does it all; `send` and `recv` are for who wants
/// to do something in between (State out of turn). Never stuck: after a timeout the next request may be sent, and a
/// late reply to the old one is never taken for the answer to the new one.
class Request : public detail::OwnedSocket, public Sends<Request>, public Receives<Request> {
public:
    explicit Request(const Endpoints &endpoints, const Options &options = {})
        : Request(try_make(endpoints, options).value()) {}

    static Result<Request> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_request_t>(dividere_request_new, endpoints, options);
        return made ? Result<Request>(Request(*made)) : Result<Request>(std::move(made).failure());
    }

    /// Sends `question` to the next endpoint that is connected and waits for its reply; where none comes in time,
    /// and as soon as the connection is lost, sends again, to the next endpoint, up to `retries` times: so it takes at
    /// most (retries + 1) timeouts, and a request may be served more than once. Several threads may call at once.
    ///
    /// Timeout where nobody answered; the status that the other side answered with, where that was an error (Remote
    /// where a handler failed); Type where the answer is no Reply, which the error has then.
    template <class Reply, class Question, if_protobuf<Reply> = 0, if_protobuf<Question> = 0>
    Result<void> try_call(const Question &question, Reply &reply, Timeout timeout, std::uint32_t retries = 0) const {
        detail::Scratch out;
        Result<void> ready = detail::serialise(question, out.get());
        if (!ready) {
            return ready;
        }
        detail::Scratch in;
        const dividere_status_t status =
            dividere_request_call({socket_.id}, out.get(), in.get(), timeout.ms(), retries);
        if (status != DIVIDERE_OK) {
            out.clear_at_end();
        }
        return take(in, status, reply);
    }
    template <class Reply, class Question, if_protobuf<Reply> = 0, if_protobuf<Question> = 0>
    Result<Reply> try_call(const Question &question, Timeout timeout, std::uint32_t retries = 0) const {
        Reply reply;
        Result<void> answered = try_call(question, reply, timeout, retries);
        if (!answered) {
            return answered;
        }
        return Result<Reply>(std::move(reply));
    }
    template <class Reply, class Question, if_protobuf<Reply> = 0, if_protobuf<Question> = 0>
    Reply call(const Question &question, Timeout timeout, std::uint32_t retries = 0) const {
        Reply reply;
        try_call(question, reply, timeout, retries).value();
        return reply;
    }

    /// The same for a question that was prepared, of any kind, and an answer of any kind. The question is empty
    /// afterwards, on success only.
    Result<void> try_call(Message &question, Message &reply, Timeout timeout, std::uint32_t retries = 0) const {
        return detail::outcome(
            dividere_request_call({socket_.id}, question.object(), reply.object(), timeout.ms(), retries));
    }
    Message call(Message &question, Timeout timeout, std::uint32_t retries = 0) const {
        Message reply;
        try_call(question, reply, timeout, retries).value();
        return reply;
    }
    Message call(Message &&question, Timeout timeout, std::uint32_t retries = 0) const {
        return call(question, timeout, retries);
    }

    /// The same for bytes as they are.
    std::string call_bytes(std::string_view question, Timeout timeout, std::uint32_t retries = 0) const {
        Message message;
        message.set_bytes(question);
        return std::string(call(message, timeout, retries).bytes());
    }

private:
    explicit Request(std::uint64_t id) noexcept : OwnedSocket(id) {}
};

} // namespace dividere

#endif
