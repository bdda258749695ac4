// How long a call may wait.
#ifndef DIVIDERE_TIMEOUT_HPP
#define DIVIDERE_TIMEOUT_HPP

#include <chrono>
#include <cstdint>

namespace dividere {

/// Any std::chrono duration, `forever`, or `no_wait`. Parts of a millisecond count as a whole one. A negative
/// duration, as of a deadline that has passed, does not wait.
class Timeout {
public:
    template <class Rep, class Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> duration) noexcept : ms_(to_ms(duration)) {}

    static constexpr Timeout infinite() noexcept { return Timeout(-1); }

    /// As the C functions take it: negative for ever, 0 not at all.
    constexpr std::int64_t ms() const noexcept { return ms_; }

private:
    explicit constexpr Timeout(std::int64_t ms) noexcept : ms_(ms) {}

    template <class Duration>
    static constexpr std::int64_t to_ms(Duration duration) noexcept {
        using std::chrono::milliseconds;
        if (duration <= Duration::zero()) {
            return 0;
        }
        // hours::max() does not fit into milliseconds; 30,000 years are as good as no limit.
        constexpr double longest_ms = 1e15;
        if (std::chrono::duration<double, std::milli>(duration).count() >= longest_ms) {
            return -1;
        }
        return std::chrono::ceil<milliseconds>(duration).count();
    }

    std::int64_t ms_;
};

/// Waits without limit; closing the handle from another thread ends the wait.
inline constexpr Timeout forever = Timeout::infinite();

/// Does not wait: WouldBlock where the call would have to.
inline constexpr Timeout no_wait = Timeout(std::chrono::milliseconds(0));

} // namespace dividere

#endif
