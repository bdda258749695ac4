// Names: a service registers, a client that knows nothing but its name finds it, and hears when it goes.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <thread>

using namespace std::chrono_literals;

static const char *const service = "example.division";

static void serve(const dividere::Response &response) {
    // Ends when the response is closed.
    for (const dividere::Message &request : response) {
        example::Division division;
        if (!request.try_get(division) || division.divisor() == 0) {
            request.reply_error(dividere::Status::InvalidArgument, "nothing can be divided by zero");
            continue;
        }
        example::Quotient quotient;
        quotient.set_quotient(division.dividend() / division.divisor());
        quotient.set_remainder(division.dividend() % division.divisor());
        request.reply(quotient);
    }
}

static void find_and_ask(const dividere::RegistryClient &client) {
    const dividere::Instance place = client.lookup(service, 5s);
    std::cout << service << " is at " << place.endpoint << " (" << place.metadata << ")\n";
    const dividere::Request request(place.endpoint);
    example::Division division;
    division.set_dividend(17);
    division.set_divisor(5);
    const auto quotient = request.call<example::Quotient>(division, 5s);
    std::cout << "17 / 5 = " << quotient.quotient() << ", remainder " << quotient.remainder() << '\n';
    if (quotient.quotient() != 3 || quotient.remainder() != 2) {
        throw std::runtime_error("that is wrong");
    }
}

static void run(const dividere::Response &response) {
    const dividere::RegistryServer registry("tcp://127.0.0.1:*");
    const std::string endpoint = response.last_endpoint();
    const auto port = static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));

    // The service's own client: it renews the lease as long as the process lives.
    const dividere::RegistryClient owner(registry.last_endpoint(), dividere::Options().registry_advertise("127.0.0.1"));
    const std::uint64_t registration = owner.register_service(service, port, 5s, "version 1");

    const dividere::RegistryClient client(registry.last_endpoint());
    const dividere::Watch watch = client.watch(service, 5s);
    find_and_ask(client);

    owner.unregister_service(registration, 5s);
    for (;;) {
        const dividere::WatchEvent event = watch.recv(5s);
        if (event.kind == dividere::WatchEventKind::Delete) {
            std::cout << event.instance.name << " is gone\n";
            break;
        }
    }
    if (client.try_lookup(service, 5s).status() != dividere::Status::NotFound) {
        throw std::runtime_error("it was unregistered");
    }
}

int main() {
    try {
        const dividere::Response response("tcp://127.0.0.1:*");
        std::thread server(serve, std::cref(response));
        int result = 0;
        try {
            run(response);
        } catch (const std::exception &error) {
            std::cerr << error.what() << '\n';
            result = 1;
        }
        response.close(); // wakes the server
        server.join();
        return result;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
