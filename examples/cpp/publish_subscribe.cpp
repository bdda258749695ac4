// Publish and subscribe: every subscriber to a type gets every message of that type.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <future>
#include <iostream>

using namespace std::chrono_literals;

constexpr int readings = 5;

static void publish(dividere::Publisher publisher) {
    // What is sent before a subscription has arrived is gone: wait for it.
    publisher.wait_for_subscribers<example::Reading>(1, 10s);
    for (int number = 0; number < readings; ++number) {
        example::Reading reading;
        reading.set_sensor("kitchen");
        reading.set_celsius(20 + number);
        publisher.send(reading);

        example::Alarm alarm;
        alarm.set_text("Nobody subscribes to this, so it does not leave the publisher.");
        publisher.send(alarm);
    }
    // The publisher is closed here. What it accepted still arrives, for up to a second (the option `linger`).
}

int main() {
    try {
        dividere::Publisher publisher("tcp://127.0.0.1:*"); // * takes a free port
        const auto subscriber = dividere::Subscriber::of<example::Reading>(publisher.last_endpoint());
        auto published = std::async(std::launch::async, publish, std::move(publisher));

        int received = 0;
        // Ends when the subscriber is closed, or when nothing comes for ten seconds.
        for (const example::Reading &reading : subscriber.each<example::Reading>(10s)) {
            std::cout << reading.sensor() << ": " << reading.celsius() << " °C\n";
            if (reading.celsius() != 20 + received) {
                std::cerr << "this is not the next reading\n";
                return 1;
            }
            if (++received == readings) {
                subscriber.close();
            }
        }
        published.get();
        return received == readings ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
