// dividere's C++ binding: typed messages, as anybody would write it.
#include <dividere/dividere.hpp>

#include "common.hpp"

namespace {

dividere::Options options() {
    using namespace std::chrono_literals;
    return dividere::Options().full_queue(dividere::FullQueue::Block).send_timeout(60s).linger(60s);
}

void check(const bench::Payload &payload, std::size_t size) {
    require(payload.body().size() == size, "the size of what came");
}

struct Dividere {
    template <class F>
    static void send(const Arguments &a, F bound) {
        const dividere::Publisher publisher(a.endpoint, options());
        bound(publisher.last_endpoint());
        publisher.wait_for_subscribers<bench::Payload>(1, dividere::forever);
        bench::Payload payload;
        payload.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i)
            publisher.send(payload);
    }

    template <class F>
    static void recv(const Arguments &a, F first) {
        const dividere::Subscriber subscriber(a.endpoint, options());
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            subscriber.recv(payload, dividere::forever);
            check(payload, a.size);
            if (i == 0)
                first();
        }
    }

    template <class F>
    static void pong(const Arguments &a, F bound) {
        const dividere::Response response("@" + a.endpoint, options()); // binds
        bound(response.last_endpoint());
        bench::Payload payload;
        for (std::uint64_t i = 0; i < a.count; ++i) {
            response.recv(payload, dividere::forever);
            check(payload, a.size);
            response.send(payload);
        }
    }

    template <class F>
    static void ping(const Arguments &a, F each) {
        const dividere::Request request(a.endpoint, options());
        bench::Payload question, answer;
        question.mutable_body()->assign(a.size, 'x');
        for (std::uint64_t i = 0; i < a.count; ++i) {
            request.try_call(question, answer, dividere::forever).value();
            check(answer, a.size);
            each();
        }
    }
};

} // namespace

// The body with which a payload alone is as long as the envelope around one with a body of `size` bytes.
std::size_t body_of_equal_frame(std::size_t size) {
    bench::Payload payload;
    payload.mutable_body()->assign(size, 'x');
    const std::size_t frame = dividere::Message(payload).bytes().size();
    payload.mutable_body()->resize(frame);
    while (payload.ByteSizeLong() > frame)
        payload.mutable_body()->pop_back();
    return payload.body().size();
}

int main(int argc, char **argv) {
    if (argc == 5 && std::string(argv[1]) == "frame") {
        std::printf("%zu\n", body_of_equal_frame(std::strtoul(argv[3], nullptr, 10)));
        return 0;
    }
    return run<Dividere>(argc, argv);
}
