// The readings of the last while, by series.
#pragma once

#include "telemetry.pb.h"
#include <chrono>
#include <deque>
#include <map>
#include <string>

class Window {
public:
    using Clock = std::chrono::steady_clock;

    explicit Window(std::chrono::seconds length) : length_(length) {}

    void add(const std::string &name, const std::string &unit, double value, Clock::time_point at = Clock::now());

    /// Smallest, mean, largest and last of each series, of what is not older than the window.
    telemetry::Summary summary(Clock::time_point now = Clock::now());

private:
    struct Point {
        Clock::time_point at;
        double value;
    };
    struct Series {
        std::string unit;
        std::deque<Point> points;
    };
    std::chrono::seconds length_;
    std::map<std::string, Series> series_;
};
