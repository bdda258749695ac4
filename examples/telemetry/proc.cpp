// Reads /proc/stat, /proc/meminfo, /proc/net/dev and /proc/loadavg; see proc(5).
#include "proc.hpp"
#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

std::ifstream open(const char *path) {
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error(std::string("cannot read ") + path);
    return file;
}

} // namespace

std::vector<telemetry::CpuReading> Proc::cpu() {
    std::vector<telemetry::CpuReading> readings;
    std::ifstream file = open("/proc/stat");
    for (std::string line; std::getline(file, line);) {
        // "cpu0 user nice system idle iowait irq softirq steal ..."; "cpu" alone is their sum.
        if (line.compare(0, 3, "cpu") != 0 || !std::isdigit(static_cast<unsigned char>(line[3])))
            continue;
        std::istringstream words(line);
        std::string core;
        words >> core;
        CpuTimes now;
        std::uint64_t ticks = 0;
        for (int column = 0; column < 8 && words >> ticks; ++column) {
            const bool idle = column == 3 || column == 4;
            now.all += ticks;
            now.busy += idle ? 0 : ticks;
        }
        const auto before = cpu_before_.find(core);
        if (before != cpu_before_.end() && now.all > before->second.all && now.busy >= before->second.busy) {
            telemetry::CpuReading reading;
            reading.set_core(core);
            reading.set_busy_percent(100.0 * static_cast<double>(now.busy - before->second.busy) /
                                     static_cast<double>(now.all - before->second.all));
            readings.push_back(reading);
        }
        cpu_before_[core] = now;
    }
    return readings;
}

std::vector<telemetry::NetworkReading> Proc::network() {
    std::vector<telemetry::NetworkReading> readings;
    const auto at = std::chrono::steady_clock::now();
    const double passed_s = std::chrono::duration<double>(at - traffic_at_).count();
    std::ifstream file = open("/proc/net/dev");
    for (std::string line; std::getline(file, line);) {
        // "  eth0: bytes packets errs drop fifo frame compressed multicast bytes ..."
        const auto colon = line.find(':');
        if (colon == std::string::npos)
            continue; // a heading
        std::string interface = line.substr(0, colon);
        interface.erase(0, interface.find_first_not_of(' '));
        std::istringstream words(line.substr(colon + 1));
        Traffic now;
        std::string skipped;
        words >> now.received;
        for (int column = 0; column < 7; ++column)
            words >> skipped;
        words >> now.sent;
        const auto before = traffic_before_.find(interface);
        if (before != traffic_before_.end() && now.received >= before->second.received &&
            now.sent >= before->second.sent) {
            telemetry::NetworkReading reading;
            reading.set_interface(interface);
            reading.set_received_bytes_per_s(static_cast<double>(now.received - before->second.received) / passed_s);
            reading.set_sent_bytes_per_s(static_cast<double>(now.sent - before->second.sent) / passed_s);
            readings.push_back(reading);
        }
        traffic_before_[interface] = now;
    }
    traffic_at_ = at;
    return readings;
}

telemetry::MemoryReading Proc::memory() const {
    telemetry::MemoryReading reading;
    std::ifstream file = open("/proc/meminfo");
    std::string name;
    std::uint64_t kib = 0;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        if (!(words >> name >> kib))
            continue;
        if (name == "MemTotal:")
            reading.set_total_kib(kib);
        else if (name == "MemAvailable:")
            reading.set_available_kib(kib);
    }
    return reading;
}

telemetry::LoadReading Proc::load() const {
    double one = 0;
    double five = 0;
    double fifteen = 0;
    if (!(open("/proc/loadavg") >> one >> five >> fifteen))
        throw std::runtime_error("/proc/loadavg does not hold three numbers");
    telemetry::LoadReading reading;
    reading.set_one_minute(one);
    reading.set_five_minutes(five);
    reading.set_fifteen_minutes(fifteen);
    return reading;
}
