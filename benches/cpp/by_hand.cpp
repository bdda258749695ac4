// What a C++ programmer writes by hand today: cppzmq and a protobuf envelope, on the distribution's libzmq.
#include <zmq.hpp>

#include "common.hpp"

namespace {

zmq::context_t context;

zmq::message_t pack(const bench::Payload &payload) {
    bench::Envelope envelope;
    envelope.set_name("bench.Payload");
    payload.SerializeToString(envelope.mutable_message());
    zmq::message_t message(envelope.ByteSizeLong());
    envelope.SerializeToArray(message.data(), static_cast<int>(message.size()));
    return message;
}

void unpack(const zmq::message_t &message, bench::Payload &payload, std::size_t size) {
    bench::Envelope envelope;
    require(envelope.ParseFromArray(message.data(), static_cast<int>(message.size())), "the envelope");
    require(envelope.name() == "bench.Payload" && payload.ParseFromString(envelope.message()), "the payload");
    require(payload.body().size() == size, "the size of what came");
}

struct ByHand {
    template <class F>
    static void send(const Arguments &a, F bound) {
        zmq::socket_t publisher(context, zmq::socket_type::xpub);
        const int nodrop = 1;
        zmq_setsockopt(publisher.handle(), ZMQ_XPUB_NODROP, &nodrop, sizeof nodrop);
        publisher.bind(a.endpoint);
        bound(publisher.get(zmq::sockopt::last_endpoint));
        zmq::message_t subscription;
        require(publisher.recv(subscription).has_value(), "a subscription");
        bench::Payload payload;
        payload.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i)
            publisher.send(pack(payload), zmq::send_flags::none);
    }

    template <class F>
    static void recv(const Arguments &a, F first) {
        zmq::socket_t subscriber(context, zmq::socket_type::sub);
        subscriber.set(zmq::sockopt::subscribe, "");
        subscriber.connect(a.endpoint);
        zmq::message_t message;
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            require(subscriber.recv(message).has_value(), "a message");
            unpack(message, payload, a.size);
            if (i == 0)
                first();
        }
    }

    template <class F>
    static void pong(const Arguments &a, F bound) {
        zmq::socket_t response(context, zmq::socket_type::rep);
        response.bind(a.endpoint);
        bound(response.get(zmq::sockopt::last_endpoint));
        zmq::message_t message;
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            require(response.recv(message).has_value(), "a request");
            unpack(message, payload, a.size);
            response.send(pack(payload), zmq::send_flags::none);
        }
    }

    template <class F>
    static void ping(const Arguments &a, F each) {
        zmq::socket_t request(context, zmq::socket_type::req);
        request.connect(a.endpoint);
        zmq::message_t message;
        bench::Payload question, answer;
        question.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i) {
            request.send(pack(question), zmq::send_flags::none);
            require(request.recv(message).has_value(), "a reply");
            unpack(message, answer, a.size);
            each();
        }
    }
};

} // namespace

int main(int argc, char **argv) { return run<ByHand>(argc, argv); }
