// Texts on their way to C, which reads them up to a NUL.
#ifndef DIVIDERE_TEXT_HPP
#define DIVIDERE_TEXT_HPP

#include <dividere/status.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace dividere {

/// One endpoint or several: `"tcp://127.0.0.1:*"`, `{"tcp://127.0.0.1:*", "ipc:///run/readings"}`.
class Endpoints {
public:
    Endpoints(const char *endpoints) : text_(endpoints == nullptr ? "" : endpoints) {}
    Endpoints(std::string_view endpoints) : text_(endpoints) {}
    Endpoints(std::string endpoints) : text_(std::move(endpoints)) {}
    Endpoints(std::initializer_list<std::string_view> endpoints) { join(endpoints); }
    Endpoints(const std::vector<std::string> &endpoints) { join(endpoints); }

    /// With commas between them.
    const std::string &text() const noexcept { return text_; }

private:
    template <class List>
    void join(const List &endpoints) {
        for (const auto &endpoint : endpoints) {
            text_.append(text_.empty() ? "" : ",").append(endpoint);
        }
    }

    std::string text_;
};

namespace detail {

/// InvalidArgument where a text has a NUL, which C would take for its end.
inline Result<void> whole_in_c(std::string_view text) {
    const std::size_t length = text.find('\0');
    if (length == std::string_view::npos) {
        return {};
    }
    return Result<void>(Status::InvalidArgument,
                        "the text '" + std::string(text.substr(0, length)) + "' goes on after a NUL");
}

/// Calls `use` with the text as C wants it.
template <class Use>
Result<void> with_c_text(std::string_view text, Use use) {
    Result<void> whole = whole_in_c(text);
    return whole ? outcome(use(std::string(text).c_str())) : std::move(whole);
}

/// What a C function writes into a buffer, whole: `read(buffer, size, &length)`.
template <class Read>
Result<std::string> read_text(Read read) {
    std::string text(128, '\0');
    for (;;) {
        std::size_t length = 0;
        const dividere_status_t status = read(text.data(), text.size(), &length);
        if (status != DIVIDERE_OK) {
            return failure(status);
        }
        if (length < text.size()) {
            text.resize(length);
            return text;
        }
        text.resize(length + 1);
    }
}

} // namespace detail
} // namespace dividere

#endif
