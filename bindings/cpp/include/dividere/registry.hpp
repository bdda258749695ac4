// Name registries: services by name, where they are reached, and what changes.
#ifndef DIVIDERE_REGISTRY_HPP
#define DIVIDERE_REGISTRY_HPP

#include <dividere/options.hpp>
#include <dividere/socket.hpp>
#include <dividere/text.hpp>
#include <dividere/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dividere {

/// One place at which a service can be reached.
struct Instance {
    /// Name of the service.
    std::string name;
    /// Where to connect to: "tcp://10.0.0.7:5101".
    std::string endpoint;
    /// The host name or address in it, and the TCP port.
    std::string server;
    std::uint16_t port = 0;
    /// What the service tells of itself.
    std::string metadata;
    /// How long it stays without being renewed; zero for ever (a service of dividere 2.2.0).
    std::chrono::milliseconds lease{0};
    /// Names it among all instances of its registry; 0 for the one of a name that is of dividere 2.2.0.
    std::uint64_t id = 0;
    /// Number of the change that made it what it is, counted by its registry.
    std::uint64_t revision = 0;
};

namespace detail {

/// Takes over what a C function gave, and frees it.
class Instances {
public:
    Instances() noexcept = default;
    Instances(const Instances &) = delete;
    Instances &operator=(const Instances &) = delete;
    ~Instances() { dividere_instances_free(instances_); }

    dividere_instances_t **place() noexcept { return &instances_; }
    std::size_t size() const noexcept { return dividere_instances_count(instances_); }

    Instance at(std::size_t index) const {
        dividere_instance_t view;
        check(dividere_instances_get(instances_, index, &view));
        Instance instance;
        instance.name = view.name;
        instance.endpoint = view.endpoint;
        instance.server = view.server;
        instance.port = static_cast<std::uint16_t>(view.port);
        instance.metadata.assign(static_cast<const char *>(view.metadata), view.metadata_len);
        instance.lease = std::chrono::milliseconds(view.lease_ms);
        instance.id = view.id;
        instance.revision = view.revision;
        return instance;
    }

    std::vector<Instance> all() const {
        std::vector<Instance> all;
        all.reserve(size());
        for (std::size_t index = 0; index < size(); ++index) {
            all.push_back(at(index));
        }
        return all;
    }

private:
    dividere_instances_t *instances_ = nullptr;
};

} // namespace detail

/// Keeps names of services, and where they are reached, from its making to its close, on a thread of its own. Serves
/// clients of dividere 2.2.0, too. Everything is kept in memory.
class RegistryServer : public detail::OwnedSocket {
public:
    /// Is asked at `endpoint`; a port of "*" is one that is free. Publishes at the port after that, unless an option
    /// says another place, that services of 2.2.0 shall register again.
    explicit RegistryServer(const Endpoints &endpoint = "tcp://*:5000", const Options &options = {})
        : RegistryServer(try_make(endpoint, options).value()) {}

    static Result<RegistryServer> try_make(const Endpoints &endpoint = "tcp://*:5000", const Options &options = {}) {
        auto made = detail::make<dividere_registry_server_t>(dividere_registry_server_new, endpoint, options);
        return made ? Result<RegistryServer>(RegistryServer(*made)) : Result<RegistryServer>(std::move(made).failure());
    }

    /// Where it publishes that services shall register again.
    std::string publish_endpoint() const {
        return detail::read_text([this](char *buffer, std::size_t size, std::size_t *length) {
                   return dividere_registry_server_publish_endpoint({socket_.id}, buffer, size, length);
               })
            .value();
    }

    /// Waits until it has ended: closed meanwhile, or by a fault of its own thread, which is the failure here. Timeout
    /// while it runs.
    Result<void> try_wait_ended(Timeout timeout) const {
        return detail::outcome(dividere_registry_server_wait_ended({socket_.id}, timeout.ms()));
    }
    void wait_ended(Timeout timeout) const { try_wait_ended(timeout).value(); }

private:
    explicit RegistryServer(std::uint64_t id) noexcept : OwnedSocket(id) {}
};

/// What happened to an instance.
enum class WatchEventKind : std::int32_t {
    /// It is there: it was when the watch began, or it came, or it is another than before.
    Put = DIVIDERE_WATCH_PUT,
    /// It is gone.
    Delete = DIVIDERE_WATCH_DELETE,
    /// What was there when the watch began was told. Once, also where nothing was there.
    Complete = DIVIDERE_WATCH_COMPLETE,
};

/// One event of a watch.
struct WatchEvent {
    WatchEventKind kind = WatchEventKind::Complete;
    /// The instance, with the number of the change as its revision; with Complete, nothing but the revision is set.
    Instance instance;
};

/// Follows what is registered: first what is there, then every change, in order. Lives through everything that happens
/// to registries, and ends with its client. Made by RegistryClient::watch. May be used from any thread.
class Watch {
public:
    Watch(Watch &&other) noexcept : watch_(std::exchange(other.watch_, {0})) {}
    Watch &operator=(Watch &&other) noexcept {
        if (this != &other) {
            close();
            watch_ = std::exchange(other.watch_, {0});
        }
        return *this;
    }
    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;
    ~Watch() { close(); }

    /// Takes the next event. Limit where another registry took over and serves no more watches: this one is over.
    Result<WatchEvent> try_recv(Timeout timeout) const {
        detail::Instances instances;
        std::int32_t kind = 0;
        const dividere_status_t status = dividere_watch_recv(watch_, timeout.ms(), &kind, instances.place());
        if (status != DIVIDERE_OK) {
            return detail::failure(status);
        }
        return WatchEvent{static_cast<WatchEventKind>(kind), instances.at(0)};
    }
    WatchEvent recv(Timeout timeout) const { return try_recv(timeout).value(); }

    /// A descriptor for poll and epoll: when it is readable, take events with no_wait until WouldBlock.
    int fd() const {
        std::int32_t descriptor = -1;
        detail::check(dividere_watch_fd(watch_, &descriptor));
        return descriptor;
    }

    /// `for (const WatchEvent &event : watch)`: what happens, until the watch or its client is closed.
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = WatchEvent;
        using difference_type = std::ptrdiff_t;
        using pointer = const WatchEvent *;
        using reference = const WatchEvent &;

        Iterator() = default;
        explicit Iterator(const Watch &watch) : watch_(&watch) { next(); }

        const WatchEvent &operator*() const noexcept { return event_; }
        const WatchEvent *operator->() const noexcept { return &event_; }
        Iterator &operator++() {
            next();
            return *this;
        }
        void operator++(int) { next(); }
        friend bool operator==(const Iterator &one, const Iterator &other) noexcept {
            return one.watch_ == other.watch_;
        }
        friend bool operator!=(const Iterator &one, const Iterator &other) noexcept {
            return one.watch_ != other.watch_;
        }

    private:
        void next() {
            Result<WatchEvent> event = watch_->try_recv(forever);
            if (event.status() == Status::Closed) {
                watch_ = nullptr;
                return;
            }
            event_ = std::move(event).value();
        }

        const Watch *watch_ = nullptr;
        WatchEvent event_;
    };
    Iterator begin() const { return Iterator(*this); }
    Iterator end() const { return Iterator(); }

    /// Ends it: blocked calls return Closed.
    void close() const noexcept { static_cast<void>(dividere_watch_close(watch_)); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_watch_t native() const noexcept { return watch_; }

private:
    friend class RegistryClient;
    explicit Watch(dividere_watch_t watch) noexcept : watch_(watch) {}

    dividere_watch_t watch_;
};

/// Registers services and finds them, at one registry or at the first of several that answers. What it registers stays
/// registered, wherever registries come and go, until it is unregistered or the client closed; where this process dies
/// or stands still, until its lease is over. May be used from any thread.
class RegistryClient {
public:
    explicit RegistryClient(const Endpoints &endpoints, const Options &options = {})
        : RegistryClient(try_make(endpoints, options).value()) {}

    static Result<RegistryClient> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_registry_client_t>(dividere_registry_client_new, endpoints, options);
        return made ? Result<RegistryClient>(RegistryClient({*made}))
                    : Result<RegistryClient>(std::move(made).failure());
    }

    RegistryClient(RegistryClient &&other) noexcept : client_(std::exchange(other.client_, {0})) {}
    RegistryClient &operator=(RegistryClient &&other) noexcept {
        if (this != &other) {
            close();
            client_ = std::exchange(other.client_, {0});
        }
        return *this;
    }
    RegistryClient(const RegistryClient &) = delete;
    RegistryClient &operator=(const RegistryClient &) = delete;
    ~RegistryClient() { close(); }

    /// Makes a service known: its name, its TCP port on this host, and what it wants to tell of itself. Returns the
    /// instance's number, for unregistering. Limit where the registry has no room, or grants no such lease.
    Result<std::uint64_t> try_register_service(std::string_view name, std::uint16_t port, Timeout timeout,
                                               std::string_view metadata = {}) const {
        std::uint64_t registration = 0;
        Result<void> done = detail::with_c_text(name, [&](const char *text) {
            return dividere_registry_client_register(client_, text, port, metadata.data(), metadata.size(),
                                                     timeout.ms(), &registration);
        });
        return done ? Result<std::uint64_t>(registration) : Result<std::uint64_t>(std::move(done));
    }
    std::uint64_t register_service(std::string_view name, std::uint16_t port, Timeout timeout,
                                   std::string_view metadata = {}) const {
        return try_register_service(name, port, timeout, metadata).value();
    }

    /// Takes it out. It is not renewed from here on, whatever the outcome.
    Result<void> try_unregister_service(std::uint64_t registration, Timeout timeout) const {
        return detail::outcome(dividere_registry_client_unregister(client_, registration, timeout.ms()));
    }
    void unregister_service(std::uint64_t registration, Timeout timeout) const {
        try_unregister_service(registration, timeout).value();
    }

    /// One instance of a service; where there are several they take turns. NotFound, at once, where there is none.
    Result<Instance> try_lookup(std::string_view name, Timeout timeout) const {
        Result<std::vector<Instance>> found = find(dividere_registry_client_lookup, name, timeout);
        if (!found) {
            return Result<Instance>(std::move(found).failure());
        }
        return std::move(found).value().front();
    }
    Instance lookup(std::string_view name, Timeout timeout) const { return try_lookup(name, timeout).value(); }

    /// All instances of a service; that there is none is no failure.
    Result<std::vector<Instance>> try_lookup_all(std::string_view name, Timeout timeout) const {
        return find(dividere_registry_client_lookup_all, name, timeout);
    }
    std::vector<Instance> lookup_all(std::string_view name, Timeout timeout) const {
        return try_lookup_all(name, timeout).value();
    }

    /// All instances whose names begin with `prefix`, in the order of the names. Unsupported where the registry is of
    /// dividere 2.2.0.
    Result<std::vector<Instance>> try_list(std::string_view prefix, Timeout timeout) const {
        return find(dividere_registry_client_list, prefix, timeout);
    }
    std::vector<Instance> list(std::string_view prefix, Timeout timeout) const {
        return try_list(prefix, timeout).value();
    }

    /// Follows the instances of one name, or of all names that begin with a prefix, which may be empty: every change
    /// from the return of this on is told. Unsupported where the registry is of dividere 2.2.0, Limit where it serves
    /// no more watches.
    Result<Watch> try_watch(std::string_view name, Timeout timeout) const { return follow(name, 0, timeout); }
    Watch watch(std::string_view name, Timeout timeout) const { return try_watch(name, timeout).value(); }
    Result<Watch> try_watch_prefix(std::string_view prefix, Timeout timeout) const {
        return follow(prefix, 1, timeout);
    }
    Watch watch_prefix(std::string_view prefix, Timeout timeout) const {
        return try_watch_prefix(prefix, timeout).value();
    }

    /// Unregisters what it registered, where a registry hears that within the linger time, and ends: its watches end,
    /// and blocked calls return Closed.
    void close() const noexcept { static_cast<void>(dividere_registry_client_close(client_)); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_registry_client_t native() const noexcept { return client_; }

private:
    explicit RegistryClient(dividere_registry_client_t client) noexcept : client_(client) {}

    template <class Find>
    Result<std::vector<Instance>> find(Find function, std::string_view name, Timeout timeout) const {
        detail::Instances instances;
        Result<void> found = detail::with_c_text(
            name, [&](const char *text) { return function(client_, text, timeout.ms(), instances.place()); });
        if (!found) {
            return Result<std::vector<Instance>>(std::move(found));
        }
        return instances.all();
    }

    Result<Watch> follow(std::string_view name, std::int32_t is_prefix, Timeout timeout) const {
        dividere_watch_t watch = {0};
        Result<void> made = detail::with_c_text(name, [&](const char *text) {
            return dividere_registry_client_watch(client_, text, is_prefix, timeout.ms(), &watch);
        });
        return made ? Result<Watch>(Watch(watch)) : Result<Watch>(std::move(made));
    }

    dividere_registry_client_t client_;
};

} // namespace dividere

#endif
