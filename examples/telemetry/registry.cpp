// The name registry of the telemetry example. Prints where it is asked.
//
//   telemetry_registry
#include "stop_signal.hpp"
#include <dividere/dividere.hpp>
#include <iostream>

int main() {
    try {
        const StopSignal stop;
        const dividere::RegistryServer registry("tcp://127.0.0.1:*");
        std::cout << registry.last_endpoint() << std::endl;
        stop.wait();
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "registry: " << error.what() << '\n';
        return 1;
    }
}
