// What a process has one of: its settings, its end, its log; and which library this is.
#ifndef DIVIDERE_PROCESS_HPP
#define DIVIDERE_PROCESS_HPP

#include <dividere/callback.hpp>
#include <dividere/options.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace dividere {

/// Sets what belongs to the process (Options::io_threads and below), before the first handle is made: else State.
inline void configure(const Options &options) { detail::check(dividere_configure(options.native())); }

/// Closes every handle and waits until what was accepted is sent. A normal exit does it by itself.
inline void shutdown(Timeout timeout) { detail::check(dividere_shutdown(timeout.ms())); }

/// The same, with the longest linger time among the handles.
inline void shutdown() { detail::check(dividere_shutdown(-1)); }

/// The version of the library that is loaded, as "3.0.0".
inline std::string version() { return dividere_version(); }

/// Whether this build can do what is asked for: "curve", "tcp", "ipc", "inproc".
inline bool has(std::string_view feature) { return dividere_has(std::string(feature).c_str()) == 1; }

/// How much a line of the log matters.
enum class LogLevel : std::int32_t {
    Error = DIVIDERE_LOG_ERROR,
    Warning = DIVIDERE_LOG_WARNING,
    Info = DIVIDERE_LOG_INFO,
    Debug = DIVIDERE_LOG_DEBUG,
    Trace = DIVIDERE_LOG_TRACE,
};

/// Calls `callback(LogLevel, std::string_view part, std::string_view text)` for each line of the log of this level or
/// a more important one, in place of the one set before. Runs on any thread, on several at once.
template <class F>
void set_log_callback(LogLevel level, F &&callback) {
    using Function = std::decay_t<F>;
    auto context = detail::context_of(std::forward<F>(callback));
    const auto call = [](void *function, std::int32_t at, const char *part, const char *text) {
        try {
            (*static_cast<Function *>(function))(static_cast<LogLevel>(at), std::string_view(part),
                                                 std::string_view(text));
        } catch (...) {
            detail::unhandled(std::current_exception());
        }
    };
    detail::check(dividere_log_set_callback(static_cast<std::int32_t>(level), call, context.release(),
                                            detail::destroy<Function>));
}

/// Ends it.
inline void clear_log_callback() {
    detail::check(dividere_log_set_callback(DIVIDERE_LOG_ERROR, nullptr, nullptr, nullptr));
}

} // namespace dividere

#endif
