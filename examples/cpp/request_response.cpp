// Request and response: a question gets its answer, or an error, in time.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <thread>

using namespace std::chrono_literals;

static void serve(const dividere::Response &response) {
    // Ends when the response is closed.
    for (const dividere::Message &request : response) {
        example::Division division;
        if (!request.try_get(division)) {
            continue; // what is never answered is answered with an error
        }
        if (division.divisor() == 0) {
            request.reply_error(dividere::Status::InvalidArgument, "nothing can be divided by zero");
            continue;
        }
        example::Quotient quotient;
        quotient.set_quotient(division.dividend() / division.divisor());
        quotient.set_remainder(division.dividend() % division.divisor());
        request.reply(quotient);
    }
}

static void ask(const std::string &endpoint) {
    const dividere::Request request(endpoint);
    example::Division division;
    division.set_dividend(17);
    division.set_divisor(5);
    // Waits two seconds for the answer, and asks up to four times more where none comes.
    const auto quotient = request.call<example::Quotient>(division, 2s, 4);
    std::cout << "17 / 5 = " << quotient.quotient() << ", remainder " << quotient.remainder() << '\n';
    if (quotient.quotient() != 3 || quotient.remainder() != 2) {
        throw std::runtime_error("that is wrong");
    }

    // The server's error is ours. Instead of exceptions: every function has a try_ form.
    division.set_divisor(0);
    const auto nothing = request.try_call<example::Quotient>(division, 2s, 4);
    if (nothing.status() != dividere::Status::InvalidArgument) {
        throw std::runtime_error("17 / 0 was not refused");
    }
    std::cout << "17 / 0: " << dividere::name(nothing.status()) << ": " << nothing.text() << '\n';
}

int main() {
    try {
        const dividere::Response response("tcp://127.0.0.1:*");
        std::thread server(serve, std::cref(response));
        int result = 0;
        try {
            ask(response.last_endpoint());
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
