// Finds the service "telemetry.aggregator" by its name, asks it for a summary of
// so many readings, and prints the table. Which instance answers, and whether
// another one had to be asked, it does not know.
//
//   telemetry_summary REGISTRY_ENDPOINT READINGS
#include "telemetry.pb.h"
#include <cstdio>
#include <dividere/dividere.hpp>
#include <iostream>

int main(int argc, char **argv) {
    using namespace std::chrono_literals;
    if (argc != 3) {
        std::cerr << "usage: telemetry_summary REGISTRY_ENDPOINT READINGS\n";
        return 2;
    }
    try {
        const dividere::RegistryClient names(argv[1]);
        const dividere::ServiceClient aggregator("telemetry.aggregator", names);
        aggregator.wait_for_service(60s);
        telemetry::SummaryRequest question;
        question.set_readings_at_least(std::stoull(argv[2]));
        const auto summary = aggregator.call<telemetry::Summary>(question, 120s, dividere::ServiceClient::Repeat::yes);

        std::printf("%-20s %10s %10s %10s %10s %9s  %s\n", "", "minimum", "mean", "maximum", "last", "readings",
                    "unit");
        for (const telemetry::SummaryRow &row : summary.rows())
            std::printf("%-20s %10.2f %10.2f %10.2f %10.2f %9llu  %s\n", row.name().c_str(), row.minimum(), row.mean(),
                        row.maximum(), row.last(), static_cast<unsigned long long>(row.readings()), row.unit().c_str());
        std::printf("%llu readings, window of %.0f s\n", static_cast<unsigned long long>(summary.readings()),
                    summary.window_s());
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "summary: " << error.what() << '\n';
        return 1;
    }
}
