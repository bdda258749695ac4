// A reactor: one thread that measures, listens and answers. Its handlers run one after the other, so what they share
// needs no lock.
#include "example.pb.h"

#include <dividere/dividere.hpp>

#include <iostream>
#include <vector>

using namespace std::chrono_literals;

constexpr std::uint64_t wanted = 5;

namespace {

// Collects readings, and answers what their mean is as soon as there are enough.
class Station {
public:
    void add(const example::Reading &reading) {
        std::cout << reading.sensor() << ": " << reading.celsius() << " °C\n";
        ++readings_;
        sum_ += reading.celsius();
        for (auto question = waiting_.begin(); question != waiting_.end();) {
            question = answer(*question) ? waiting_.erase(question) : question + 1;
        }
    }

    void ask(const dividere::Delivery &delivery) {
        // A delivery is valid for the call; what is kept of it can be answered later, from any thread.
        dividere::Message question = delivery.keep();
        if (!answer(question)) {
            waiting_.push_back(std::move(question));
        }
    }

private:
    bool answer(const dividere::Message &question) const {
        if (readings_ < question.get<example::MeanRequest>().readings_at_least()) {
            return false;
        }
        example::Mean mean;
        mean.set_celsius(sum_ / static_cast<double>(readings_));
        mean.set_readings(readings_);
        question.reply(mean);
        return true;
    }

    std::uint64_t readings_ = 0;
    double sum_ = 0;
    std::vector<dividere::Message> waiting_;
};

} // namespace

int main() {
    try {
        const dividere::Publisher thermometer("tcp://127.0.0.1:*");
        const auto subscriber = dividere::Subscriber::of<example::Reading>(thermometer.last_endpoint());
        const dividere::Response desk("tcp://127.0.0.1:*");
        thermometer.wait_for_subscribers<example::Reading>(1, 10s);

        Station station;
        dividere::Reactor reactor; // after what its handlers use, so that it ends before
        reactor.add(subscriber);
        reactor.add(desk);
        reactor.on<example::Reading>([&](const example::Reading &reading) { station.add(reading); });
        reactor.on<example::MeanRequest>(
            [&](const example::MeanRequest &, dividere::Delivery &delivery) { station.ask(delivery); });
        reactor.call_every(10ms, [&, celsius = 20.0]() mutable {
            example::Reading reading;
            reading.set_sensor("kitchen");
            reading.set_celsius(celsius++);
            thermometer.send(reading);
        });
        // What a handler throws does not end the reactor.
        reactor.on_error([](const dividere::Error &error, dividere::Delivery &) { std::cerr << error.what() << '\n'; });
        reactor.start();

        const dividere::Request request(desk.last_endpoint());
        example::MeanRequest question;
        question.set_readings_at_least(wanted);
        const auto mean = request.call<example::Mean>(question, 20s);
        reactor.stop();

        std::cout << "mean of " << mean.readings() << " readings: " << mean.celsius() << " °C\n";
        const double expected = 20.0 + static_cast<double>(mean.readings() - 1) / 2;
        return mean.readings() >= wanted && mean.celsius() == expected ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
