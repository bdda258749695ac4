// Subscribes to readings, keeps a window of them, and is the service
// "telemetry.aggregator": it answers requests for a summary, at once where there
// are enough readings, else as soon as there are.
//
//   telemetry_aggregator READINGS_ENDPOINT REGISTRY_ENDPOINT
//
// A reactor on a thread of its own calls the handlers, one at a time, and the
// service hands it what it is asked: so they need no lock.
#include "stop_signal.hpp"
#include "window.hpp"
#include <dividere/dividere.hpp>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

namespace {

class Aggregator {
public:
    void add(const std::string &name, const std::string &unit, double value) { window_.add(name, unit, value); }

    /// After each message: answers those who waited for it.
    void count() {
        ++readings_;
        auto waiting = std::exchange(waiting_, {});
        for (auto &[wanted, asked] : waiting) {
            if (readings_ < wanted)
                waiting_.emplace_back(wanted, std::move(asked));
            else
                asked.reply(summary());
        }
    }

    void ask(std::uint64_t readings_at_least, dividere::Message asked) {
        if (readings_ < readings_at_least)
            waiting_.emplace_back(readings_at_least, std::move(asked));
        else
            asked.reply(summary());
    }

    std::uint64_t readings() const { return readings_; }

private:
    telemetry::Summary summary() {
        telemetry::Summary summary = window_.summary();
        summary.set_readings(readings_);
        return summary;
    }

    Window window_{std::chrono::seconds(60)};
    std::uint64_t readings_ = 0;
    std::vector<std::pair<std::uint64_t, dividere::Message>> waiting_;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: telemetry_aggregator READINGS_ENDPOINT REGISTRY_ENDPOINT\n";
        return 2;
    }
    try {
        const StopSignal stop;
        Aggregator aggregator;
        std::uint64_t requests = 0;
        dividere::Subscriber readings(argv[1]);
        dividere::Reactor reactor;
        // All of it is on this machine, and nobody else is to come in.
        const dividere::RegistryClient names(argv[2], dividere::Options().registry_advertise("127.0.0.1"));
        dividere::ServiceSettings settings;
        settings.endpoint = "tcp://127.0.0.1:*";
        const dividere::Service service("telemetry.aggregator", names, settings);
        reactor.on<telemetry::CpuReading>([&](const telemetry::CpuReading &reading) {
            aggregator.add(reading.core(), "% busy", reading.busy_percent());
            aggregator.count();
        });
        reactor.on<telemetry::MemoryReading>([&](const telemetry::MemoryReading &reading) {
            const auto used_kib = static_cast<double>(reading.total_kib() - reading.available_kib());
            aggregator.add("memory", "MiB used", used_kib / 1024);
            aggregator.count();
        });
        reactor.on<telemetry::NetworkReading>([&](const telemetry::NetworkReading &reading) {
            aggregator.add("net " + reading.interface() + " in", "KiB/s", reading.received_bytes_per_s() / 1024);
            aggregator.add("net " + reading.interface() + " out", "KiB/s", reading.sent_bytes_per_s() / 1024);
            aggregator.count();
        });
        reactor.on<telemetry::LoadReading>([&](const telemetry::LoadReading &reading) {
            aggregator.add("load, 1 min", "tasks", reading.one_minute());
            aggregator.count();
        });
        reactor.on<telemetry::End>([](const telemetry::End &) {}); // the next publisher may come
        service.on<telemetry::SummaryRequest>(
            [&](const telemetry::SummaryRequest &request, dividere::BorrowedMessage &asked) {
                auto kept = std::make_shared<dividere::Message>(asked.keep());
                reactor.post([&aggregator, &requests, kept, least = request.readings_at_least()] {
                    ++requests;
                    aggregator.ask(least, std::move(*kept));
                });
            });
        reactor.on_error([](const dividere::Error &error, dividere::Delivery &) {
            std::cerr << "aggregator: " << error.what() << '\n';
        });
        reactor.add(readings);
        reactor.start("aggregator");
        service.start(std::chrono::seconds(10));
        stop.wait();
        service.stop(std::chrono::seconds(5));
        reactor.stop();
        std::cout << "aggregator: received " << aggregator.readings() << " readings, answered " << requests
                  << " requests\n";
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "aggregator: " << error.what() << '\n';
        return 1;
    }
}
