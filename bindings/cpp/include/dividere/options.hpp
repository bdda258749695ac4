// How a handle behaves; what each option means, its range and its default are said in dividere.h.
#ifndef DIVIDERE_OPTIONS_HPP
#define DIVIDERE_OPTIONS_HPP

#include <dividere/status.hpp>
#include <dividere/text.hpp>
#include <dividere/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace dividere {

/// The keys of the options, for set(); each has a setter of its own below.
using Option = dividere_option;

/// What a full queue does.
enum class FullQueue : std::int32_t {
    Usual = DIVIDERE_FULL_QUEUE_USUAL,
    Drop = DIVIDERE_FULL_QUEUE_DROP,
    Block = DIVIDERE_FULL_QUEUE_BLOCK,
    Fail = DIVIDERE_FULL_QUEUE_FAIL,
};

/// Options of a handle or, from io_threads on, of the process. A handle copies what it needs when it is made.
///
///     Publisher publisher("tcp://127.0.0.1:*", Options().linger(100ms).full_queue(FullQueue::Block));
///
/// Each setter checks its value: InvalidArgument, with the range in the text, where it is not allowed.
class Options {
public:
    Options() noexcept = default;
    Options(const Options &other) {
        if (other.options_ != nullptr) {
            detail::check(dividere_options_clone(other.options_, &options_));
        }
    }
    Options(Options &&other) noexcept : options_(std::exchange(other.options_, nullptr)) {}
    Options &operator=(Options other) noexcept {
        std::swap(options_, other.options_);
        return *this;
    }
    ~Options() { dividere_options_free(options_); }

    Options &send_high_water_mark(std::int64_t messages) { return set(DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, messages); }
    Options &receive_high_water_mark(std::int64_t messages) {
        return set(DIVIDERE_OPTION_RECEIVE_HIGH_WATER_MARK, messages);
    }
    Options &linger(Timeout time) { return set(DIVIDERE_OPTION_LINGER_MS, time); }
    Options &heartbeat_interval(Timeout time) { return set(DIVIDERE_OPTION_HEARTBEAT_INTERVAL_MS, time); }
    Options &heartbeat_timeout(Timeout time) { return set(DIVIDERE_OPTION_HEARTBEAT_TIMEOUT_MS, time); }
    Options &reconnect_interval(Timeout time) { return set(DIVIDERE_OPTION_RECONNECT_INTERVAL_MS, time); }
    Options &reconnect_interval_max(Timeout time) { return set(DIVIDERE_OPTION_RECONNECT_INTERVAL_MAX_MS, time); }
    Options &connect_timeout(Timeout time) { return set(DIVIDERE_OPTION_CONNECT_TIMEOUT_MS, time); }
    Options &handshake_timeout(Timeout time) { return set(DIVIDERE_OPTION_HANDSHAKE_TIMEOUT_MS, time); }
    Options &send_timeout(Timeout time) { return set(DIVIDERE_OPTION_SEND_TIMEOUT_MS, time); }
    Options &tcp_keepalive(bool on) { return set(DIVIDERE_OPTION_TCP_KEEPALIVE, std::int64_t{on}); }
    Options &tcp_keepalive_idle(std::chrono::seconds time) {
        return set(DIVIDERE_OPTION_TCP_KEEPALIVE_IDLE_S, time.count());
    }
    Options &tcp_keepalive_interval(std::chrono::seconds time) {
        return set(DIVIDERE_OPTION_TCP_KEEPALIVE_INTERVAL_S, time.count());
    }
    Options &tcp_keepalive_count(std::int64_t questions) { return set(DIVIDERE_OPTION_TCP_KEEPALIVE_COUNT, questions); }
    Options &ipv6(bool on) { return set(DIVIDERE_OPTION_IPV6, std::int64_t{on}); }
    Options &max_message_size(std::int64_t bytes) { return set(DIVIDERE_OPTION_MAX_MESSAGE_SIZE, bytes); }
    Options &identity(std::string_view bytes) { return set(DIVIDERE_OPTION_IDENTITY, bytes); }
    Options &keep_latest(bool on) { return set(DIVIDERE_OPTION_KEEP_LATEST, std::int64_t{on}); }
    Options &full_queue(FullQueue what) { return set(DIVIDERE_OPTION_FULL_QUEUE, static_cast<std::int64_t>(what)); }
    Options &backlog(std::int64_t connections) { return set(DIVIDERE_OPTION_BACKLOG, connections); }
    Options &type_of_service(std::int64_t value) { return set(DIVIDERE_OPTION_TYPE_OF_SERVICE, value); }

    /// Keys are 40 characters of Z85, or 32 bytes.
    Options &curve_server_secret_key(std::string_view key) { return set(DIVIDERE_OPTION_CURVE_SERVER_SECRET_KEY, key); }
    Options &curve_client_public_key(std::string_view key) { return set(DIVIDERE_OPTION_CURVE_CLIENT_PUBLIC_KEY, key); }
    Options &curve_client_secret_key(std::string_view key) { return set(DIVIDERE_OPTION_CURVE_CLIENT_SECRET_KEY, key); }
    Options &curve_server_public_key(std::string_view key) { return set(DIVIDERE_OPTION_CURVE_SERVER_PUBLIC_KEY, key); }
    Options &curve_allowed_key(std::string_view key) { return set(DIVIDERE_OPTION_CURVE_ALLOWED_KEY, key); }
    Options &curve_allow_any(bool on) { return set(DIVIDERE_OPTION_CURVE_ALLOW_ANY, std::int64_t{on}); }

    /// Of brokers and workers: how often they ask whether the other is there.
    Options &worker_heartbeat(Timeout time) { return set(DIVIDERE_OPTION_WORKER_HEARTBEAT_MS, time); }
    /// Of brokers: how long a worker that cannot answer while it works keeps a request; and what the queue holds.
    Options &worker_busy_limit(Timeout time) { return set(DIVIDERE_OPTION_WORKER_BUSY_LIMIT_MS, time); }
    Options &broker_queue_limit(std::int64_t requests) { return set(DIVIDERE_OPTION_BROKER_QUEUE_LIMIT, requests); }
    Options &broker_queue_bytes(std::int64_t bytes) { return set(DIVIDERE_OPTION_BROKER_QUEUE_BYTES, bytes); }
    /// Of workers: requests at once.
    Options &worker_capacity(std::int64_t requests) { return set(DIVIDERE_OPTION_WORKER_CAPACITY, requests); }

    /// Of services: what waits for a worker.
    Options &service_queue_bytes(std::int64_t bytes) { return set(DIVIDERE_OPTION_SERVICE_QUEUE_BYTES, bytes); }

    /// Of the process: for configure().
    Options &io_threads(std::int64_t threads) { return set(DIVIDERE_OPTION_IO_THREADS, threads); }
    Options &max_sockets(std::int64_t sockets) { return set(DIVIDERE_OPTION_MAX_SOCKETS, sockets); }
    Options &thread_name_prefix(std::string_view prefix) { return set(DIVIDERE_OPTION_THREAD_NAME_PREFIX, prefix); }

    /// Of name registries. Where RediscoverReq is published, and the host that registrations carry.
    Options &registry_publish_endpoint(std::string_view endpoint) {
        return set(DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT, endpoint);
    }
    Options &registry_advertise(std::string_view host) { return set(DIVIDERE_OPTION_REGISTRY_ADVERTISE, host); }
    Options &registry_lease(Timeout time) { return set(DIVIDERE_OPTION_REGISTRY_LEASE_MS, time); }
    Options &registry_lease_min(Timeout time) { return set(DIVIDERE_OPTION_REGISTRY_LEASE_MIN_MS, time); }
    Options &registry_lease_max(Timeout time) { return set(DIVIDERE_OPTION_REGISTRY_LEASE_MAX_MS, time); }
    Options &registry_max_instances(std::int64_t count) { return set(DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES, count); }
    Options &registry_max_instances_per_name(std::int64_t count) {
        return set(DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES_PER_NAME, count);
    }
    Options &registry_max_metadata_bytes(std::int64_t bytes) {
        return set(DIVIDERE_OPTION_REGISTRY_MAX_METADATA_BYTES, bytes);
    }
    Options &registry_max_watches(std::int64_t count) { return set(DIVIDERE_OPTION_REGISTRY_MAX_WATCHES, count); }

    /// Any option by its key.
    Result<void> try_set(Option key, std::int64_t value) {
        return detail::outcome(dividere_options_set_int(object(), static_cast<std::int32_t>(key), value));
    }
    Result<void> try_set(Option key, std::string_view value) {
        constexpr std::size_t z85_length = 40;
        const bool is_key = key >= DIVIDERE_OPTION_CURVE_SERVER_SECRET_KEY && key <= DIVIDERE_OPTION_CURVE_ALLOWED_KEY;
        if (key == DIVIDERE_OPTION_IDENTITY || (is_key && value.size() != z85_length)) {
            return detail::outcome(
                dividere_options_set_bytes(object(), static_cast<std::int32_t>(key), value.data(), value.size()));
        }
        return detail::with_c_text(value, [&](const char *text) {
            return dividere_options_set_string(object(), static_cast<std::int32_t>(key), text);
        });
    }
    Options &set(Option key, std::int64_t value) { return chain(try_set(key, value)); }
    Options &set(Option key, Timeout time) { return chain(try_set(key, time.ms())); }
    Options &set(Option key, std::string_view value) { return chain(try_set(key, value)); }
    Options &set(Option key, const char *value) { return set(key, std::string_view(value)); }

    /// The object of the C functions; null while nothing was set.
    const dividere_options_t *native() const noexcept { return options_; }

private:
    dividere_options_t *object() {
        if (options_ == nullptr) {
            detail::check(dividere_options_new(&options_));
        }
        return options_;
    }

    Options &chain(Result<void> outcome) {
        outcome.value();
        return *this;
    }

    dividere_options_t *options_ = nullptr;
};

/// A CURVE key pair, as 40 characters of Z85 each. The public key names its owner and goes to the other side; the
/// secret one stays.
struct KeyPair {
    std::string public_key;
    std::string secret_key;

    /// A new one, from the random numbers of the system.
    static KeyPair generate() {
        dividere_key_t public_key;
        dividere_key_t secret_key;
        detail::check(dividere_curve_keypair(&public_key, &secret_key));
        return {public_key.text, secret_key.text};
    }

    /// The one that a secret key belongs to.
    static KeyPair from_secret(std::string_view secret_key) {
        dividere_key_t public_key;
        detail::with_c_text(secret_key, [&](const char *text) {
            return dividere_curve_public(text, &public_key);
        }).value();
        return {public_key.text, std::string(secret_key)};
    }
};

} // namespace dividere

#endif
