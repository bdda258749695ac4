// Waits for the request to stop: SIGTERM, or Ctrl-C.
#pragma once

#include <chrono>
#include <csignal>
#include <ctime>

/// Made first in main: threads started afterwards leave the signals to wait().
class StopSignal {
public:
    StopSignal() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGTERM);
        sigaddset(&signals_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }

    void wait() const {
        int signal = 0;
        sigwait(&signals_, &signal);
    }

    /// True when it came within this time.
    bool wait_for(std::chrono::milliseconds time) const {
        timespec limit{};
        limit.tv_sec = static_cast<time_t>(time.count() / 1000);
        limit.tv_nsec = static_cast<long>(time.count() % 1000) * 1000000;
        return sigtimedwait(&signals_, nullptr, &limit) > 0;
    }

private:
    sigset_t signals_;
};
