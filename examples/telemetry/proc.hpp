// Readings of this machine, from /proc.
#pragma once

#include "telemetry.pb.h"
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

class Proc {
public:
    /// Since the reading before; the first one gives nothing, having nothing to compare with.
    std::vector<telemetry::CpuReading> cpu();
    std::vector<telemetry::NetworkReading> network();

    telemetry::MemoryReading memory() const;
    telemetry::LoadReading load() const;

private:
    struct CpuTimes {
        std::uint64_t busy = 0;
        std::uint64_t all = 0;
    };
    struct Traffic {
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
    };
    std::map<std::string, CpuTimes> cpu_before_;
    std::map<std::string, Traffic> traffic_before_;
    std::chrono::steady_clock::time_point traffic_at_;
};
