// A small C++ program: one protobuf message from a publisher to a subscriber over tcp.
#include "reading.pb.h"
#include <dividere.h>
#include <iostream>
#include <stdexcept>
#include <string>

static void check(dividere_status_t status, const char *what) {
    if (status != DIVIDERE_OK)
        throw std::runtime_error(std::string(what) + ": " + dividere_last_error());
}

int main() {
    try {
        dividere_publisher_t publisher{};
        dividere_subscriber_t subscriber{};
        char endpoint[256];
        check(dividere_publisher_new("tcp://127.0.0.1:*", nullptr, &publisher), "publisher");
        check(dividere_socket_last_endpoint(dividere_publisher_socket(publisher), endpoint, sizeof endpoint, nullptr),
              "endpoint");
        check(dividere_subscriber_new(endpoint, nullptr, &subscriber), "subscriber");
        check(dividere_publisher_wait_for_subscribers(publisher, nullptr, 1, 30000), "wait for the subscriber");

        Reading sent;
        sent.set_name("cpu");
        sent.set_value(0.7);
        const std::string payload = sent.SerializeAsString();
        check(dividere_publisher_send_typed(publisher, "Reading", payload.data(), payload.size()), "send");

        dividere_message_t *message = nullptr;
        dividere_view_t view;
        check(dividere_message_new(&message), "message");
        check(dividere_subscriber_recv(subscriber, message, 30000), "receive");
        check(dividere_message_view(message, &view), "view");
        Reading received;
        if (!received.ParseFromArray(view.payload, static_cast<int>(view.payload_len)) || received.name() != "cpu" ||
            received.value() != 0.7)
            throw std::runtime_error("something else was received than sent");
        dividere_message_free(message);
        dividere_subscriber_close(subscriber);
        dividere_publisher_close(publisher);
        std::cout << "received what was sent\n";
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
