// The response: serves requests.
#ifndef DIVIDERE_RESPONSE_HPP
#define DIVIDERE_RESPONSE_HPP

#include <dividere/each.hpp>
#include <dividere/socket.hpp>

namespace dividere {

/// Binds to each of its endpoints that has a "*" ("@" in front binds, too), and connects to the others. Each request
/// is answered exactly once: by send in turn with receiving (State out of turn), or by reply on its message at any
/// time. What is never answered is answered with an error.
class Response : public detail::OwnedSocket,
                 public Sends<Response>,
                 public Receives<Response>,
                 public Iterates<Response> {
public:
    explicit Response(const Endpoints &endpoints, const Options &options = {})
        : Response(try_make(endpoints, options).value()) {}

    static Result<Response> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_response_t>(dividere_response_new, endpoints, options);
        return made ? Result<Response>(Response(*made)) : Result<Response>(std::move(made).failure());
    }

    /// Answers the request received last with an error: the asker's call fails with `status` (Remote where a handler
    /// failed) and `text`.
    Result<void> try_send_error(Status status, std::string_view text) const {
        return detail::with_c_text(text, [&](const char *words) {
            return dividere_response_send_error({socket_.id}, static_cast<std::int32_t>(status), words);
        });
    }
    void send_error(Status status, std::string_view text) const { try_send_error(status, text).value(); }

private:
    explicit Response(std::uint64_t id) noexcept : OwnedSocket(id) {}
};

} // namespace dividere

#endif
