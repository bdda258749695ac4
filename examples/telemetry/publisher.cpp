// Publishes readings of this machine until it is told to stop.
//
//   telemetry_publisher ENDPOINT INTERVAL_MS SUBSCRIBERS
//
// Begins when so many subscribers are there, so that none of them misses anything.
#include "proc.hpp"
#include "stop_signal.hpp"
#include <dividere/dividere.hpp>
#include <iostream>

int main(int argc, char **argv) {
    using namespace std::chrono_literals;
    if (argc != 4) {
        std::cerr << "usage: telemetry_publisher ENDPOINT INTERVAL_MS SUBSCRIBERS\n";
        return 2;
    }
    try {
        const StopSignal stop;
        const std::chrono::milliseconds interval(std::stol(argv[2]));
        dividere::Publisher publisher(argv[1]);
        publisher.wait_for_subscribers(std::stoul(argv[3]), 60s);
        Proc proc;
        std::uint64_t readings = 0;
        const auto send = [&](const auto &reading) {
            publisher.send(reading);
            ++readings;
        };
        do {
            for (const auto &reading : proc.cpu())
                send(reading);
            for (const auto &reading : proc.network())
                send(reading);
            send(proc.memory());
            send(proc.load());
        } while (!stop.wait_for(interval));
        telemetry::End end;
        end.set_readings(readings);
        publisher.send(end);
        publisher.close(); // what was sent before still arrives, at most a second later
        std::cout << "publisher:  sent " << readings << " readings\n";
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "publisher: " << error.what() << '\n';
        return 1;
    }
}
