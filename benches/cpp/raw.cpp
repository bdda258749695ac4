// Raw libzmq, from the same build as dividere's, with SerializeToArray and ParseFromArray: no envelope, no wrapper.
#include <zmq.h>

#include "common.hpp"

namespace {

void *context = zmq_ctx_new();

void *make(int kind) {
    void *socket = zmq_socket(context, kind);
    require(socket != nullptr, "zmq_socket");
    return socket;
}

std::string bind(void *socket, const std::string &endpoint) {
    require(zmq_bind(socket, endpoint.c_str()) == 0, "zmq_bind");
    char last[256];
    std::size_t size = sizeof last;
    require(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, last, &size) == 0, "ZMQ_LAST_ENDPOINT");
    return last;
}

void send(void *socket, const bench::Payload &payload) {
    zmq_msg_t message;
    const std::size_t size = payload.ByteSizeLong();
    require(zmq_msg_init_size(&message, size) == 0, "zmq_msg_init_size");
    require(payload.SerializeToArray(zmq_msg_data(&message), static_cast<int>(size)), "SerializeToArray");
    require(zmq_msg_send(&message, socket, 0) >= 0, "zmq_msg_send");
}

void recv(void *socket, zmq_msg_t *message, bench::Payload &payload, std::size_t size) {
    require(zmq_msg_recv(message, socket, 0) >= 0, "zmq_msg_recv");
    require(payload.ParseFromArray(zmq_msg_data(message), static_cast<int>(zmq_msg_size(message))), "ParseFromArray");
    require(payload.body().size() == size, "the size of what came");
}

struct Raw {
    template <class F>
    static void send(const Arguments &a, F bound) {
        void *publisher = make(ZMQ_XPUB);
        const int nodrop = 1;
        zmq_setsockopt(publisher, ZMQ_XPUB_NODROP, &nodrop, sizeof nodrop);
        bound(bind(publisher, a.endpoint));
        zmq_msg_t subscription;
        zmq_msg_init(&subscription);
        require(zmq_msg_recv(&subscription, publisher, 0) >= 0, "a subscription");
        bench::Payload payload;
        payload.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i)
            ::send(publisher, payload);
        zmq_close(publisher);
        if (a.mode == "send")
            zmq_ctx_term(context);
    }

    template <class F>
    static void recv(const Arguments &a, F first) {
        void *subscriber = make(ZMQ_SUB);
        zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0);
        require(zmq_connect(subscriber, a.endpoint.c_str()) == 0, "zmq_connect");
        zmq_msg_t message;
        zmq_msg_init(&message);
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            ::recv(subscriber, &message, payload, a.size);
            if (i == 0)
                first();
        }
    }

    template <class F>
    static void pong(const Arguments &a, F bound) {
        void *response = make(ZMQ_REP);
        bound(bind(response, a.endpoint));
        zmq_msg_t message;
        zmq_msg_init(&message);
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            ::recv(response, &message, payload, a.size);
            ::send(response, payload);
        }
        zmq_close(response);
        zmq_ctx_term(context);
    }

    template <class F>
    static void ping(const Arguments &a, F each) {
        void *request = make(ZMQ_REQ);
        require(zmq_connect(request, a.endpoint.c_str()) == 0, "zmq_connect");
        zmq_msg_t message;
        zmq_msg_init(&message);
        bench::Payload question, answer;
        question.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i) {
            ::send(request, question);
            ::recv(request, &message, answer, a.size);
            each();
        }
    }
};

} // namespace

int main(int argc, char **argv) { return run<Raw>(argc, argv); }
