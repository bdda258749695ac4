// A small C++ program: protobuf messages over tcp, published, asked for and handled, through the C++ binding.
#include "reading.pb.h"
#include <dividere/dividere.hpp>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

static void require(bool holds, const char *what) {
    if (!holds)
        throw std::runtime_error(what);
}

static void publish_and_subscribe() {
    dividere::Publisher publisher("tcp://127.0.0.1:*");
    auto subscriber = dividere::Subscriber::of<Reading>(publisher.last_endpoint());
    publisher.wait_for_subscribers<Reading>(1, 30s);

    Reading sent;
    sent.set_name("cpu");
    sent.set_value(0.7);
    publisher.send(sent);

    const auto received = subscriber.recv<Reading>(30s);
    require(received.name() == "cpu" && received.value() == 0.7, "something else was received than sent");
}

static void ask() {
    dividere::Response response("tcp://127.0.0.1:*");
    dividere::Reactor reactor;
    reactor.add(response);
    reactor.on<Reading>([](const Reading &asked, dividere::Delivery &delivery) {
        require(asked.name() == "cpu", "no such sensor");
        Reading answer;
        answer.set_value(0.5);
        delivery.reply(answer);
    });
    reactor.start();

    dividere::Request request(response.last_endpoint());
    Reading question;
    question.set_name("cpu");
    require(request.call<Reading>(question, 30s).value() == 0.5, "not the answer");

    question.set_name("gpu");
    try {
        request.call<Reading>(question, 30s);
        require(false, "an exception of the server did not become one of the caller");
    } catch (const dividere::Error &error) {
        require(error.status() == dividere::Status::Remote, error.what());
    }
}

int main() {
    try {
        publish_and_subscribe();
        ask();
        std::cout << "dividere " << dividere::version() << ": received what was sent\n";
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
