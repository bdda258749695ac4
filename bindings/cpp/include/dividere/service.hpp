// Services: serves requests under a name, and calls a service by its name.
#ifndef DIVIDERE_SERVICE_HPP
#define DIVIDERE_SERVICE_HPP

#include <dividere/callback.hpp>
#include <dividere/message.hpp>
#include <dividere/registry.hpp>
#include <dividere/scratch.hpp>
#include <dividere/worker.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dividere {

namespace detail {

/// What the compiler calls T, with what is around it.
template <class T>
std::string_view pretty() noexcept {
    return __PRETTY_FUNCTION__;
}

} // namespace detail

/// The name of T for a service: with its namespaces, and dots between them, so that acme::Clock is "acme.Clock"; as
/// dividere 2.2.0 names a service by its class and the module of that. Without template arguments, and without
/// namespaces that have no name.
template <class T>
std::string service_name() {
    // GCC writes "... [with T = acme::Clock; ...]", Clang "... [T = acme::Clock]".
    std::string_view name = detail::pretty<T>();
    name.remove_prefix(name.find("T = ") + 4);
    std::string dotted;
    while (!name.empty()) {
        bool skipped = false;
        for (const std::string_view nameless : {"{anonymous}::", "(anonymous namespace)::", "<unnamed>::"}) {
            if (name.substr(0, nameless.size()) == nameless) {
                name.remove_prefix(nameless.size());
                skipped = true;
            }
        }
        if (skipped) {
            continue;
        }
        if (name.front() == ';' || name.front() == ']' || name.front() == '<') {
            break;
        }
        const bool ends = name.substr(0, 2) == "::";
        dotted += ends ? '.' : name.front();
        name.remove_prefix(ends ? 2 : 1);
    }
    return dotted;
}

/// How a service serves.
struct ServiceSettings {
    /// Where it is bound, on TCP: "tcp://127.0.0.1:*". Empty for the first free port from 5101 to 6000, on all
    /// interfaces. Bound to one address, it is registered with that, unless the registry client has the option
    /// registry_advertise.
    std::string endpoint;
    /// How many handlers run at once, 1 to 1024.
    std::uint32_t workers = 1;
    /// How many requests wait for a worker; more are refused with Busy.
    std::uint32_t most_waiting = 1000;
    /// What it tells of itself in the registry.
    std::string metadata;
};

/// A service: found by its name, it answers each request, with a reply or with an error. Handlers are set, then it is
/// started. Unsupported is answered for a type that no handler is for, Decode for what is no envelope, Remote where a
/// handler threw (with the text); Busy where too many wait, and Closed while it stops: these two say that nothing was
/// done, and a ServiceClient asks another instance. Move-only, closed at its end. May be used from any thread.
class Service {
public:
    /// Binds it. `registry`, which several services and clients may share, will register it.
    Service(std::string_view name, const RegistryClient &registry, const ServiceSettings &settings = {},
            const Options &options = {})
        : Service(try_make(name, registry, settings, options).value()) {}

    static Result<Service> try_make(std::string_view name, const RegistryClient &registry,
                                    const ServiceSettings &settings = {}, const Options &options = {}) {
        dividere_service_t service = {0};
        const char *endpoint = settings.endpoint.empty() ? nullptr : settings.endpoint.c_str();
        Result<void> made = detail::with_c_text(name, [&](const char *text) {
            return dividere_service_new(text, registry.native(), endpoint, options.native(), settings.workers,
                                        settings.most_waiting, settings.metadata.data(), settings.metadata.size(),
                                        &service);
        });
        return made ? Result<Service>(Service(service)) : Result<Service>(std::move(made));
    }

    /// The same under the name of the type T (`service_name`): found by `ServiceClient::of<T>`. A class of yours that
    /// derives from Service, or has one, is named by this as in 2.2.0.
    template <class T>
    static Service of(const RegistryClient &registry, const ServiceSettings &settings = {},
                      const Options &options = {}) {
        return Service(service_name<T>(), registry, settings, options);
    }

    Service(Service &&other) noexcept : service_(std::exchange(other.service_, {0})) {}
    Service &operator=(Service &&other) noexcept {
        if (this != &other) {
            close();
            service_ = std::exchange(other.service_, {0});
        }
        return *this;
    }
    Service(const Service &) = delete;
    Service &operator=(const Service &) = delete;
    ~Service() { close(); }

    /// Calls `handler` for requests of the type Question, on several threads at once where there are several workers.
    /// It is called with the question and returns the reply, a protobuf message; or it is called with the question and
    /// the BorrowedMessage, returns nothing, and answers by that, at once or later.
    ///
    ///     service.on<Question>([](const Question &question) { return answer_to(question); });
    template <class Question, class F, if_protobuf<Question> = 0>
    void on(F &&handler) const {
        using Function = std::decay_t<F>;
        const auto call = [](void *context, dividere_service_t, dividere_message_t *request,
                             dividere_message_t *reply) {
            return detail::guarded([&] {
                Function &function = *static_cast<Function *>(context);
                BorrowedMessage asked(request);
                const Question question = asked.template get<Question>();
                if constexpr (std::is_invocable_v<Function &, const Question &, BorrowedMessage &>) {
                    function(question, asked);
                } else {
                    static_assert(
                        std::is_invocable_v<Function &, const Question &>,
                        "a handler is called with (const Question &) or (const Question &, BorrowedMessage &)");
                    detail::serialise(function(question), reply).value();
                }
            });
        };
        auto context = detail::context_of(std::forward<F>(handler));
        detail::check(dividere_service_on(service_, type_name<Question>().c_str(), call, context.release(),
                                          detail::destroy<Function>));
    }

    /// Calls `handler(BorrowedMessage &)` for requests that no other handler is for; it answers by `reply`.
    template <class F>
    void on_default(F &&handler) const {
        using Function = std::decay_t<F>;
        const auto call = [](void *context, dividere_service_t, dividere_message_t *request, dividere_message_t *) {
            return detail::guarded([&] {
                BorrowedMessage asked(request);
                (*static_cast<Function *>(context))(asked);
            });
        };
        auto context = detail::context_of(std::forward<F>(handler));
        detail::check(dividere_service_on(service_, nullptr, call, context.release(), detail::destroy<Function>));
    }

    /// Serves from now on, and registers it. Timeout where no registry answers: it serves nevertheless, and may be
    /// started again.
    Result<void> try_start(Timeout timeout) const {
        return detail::outcome(dividere_service_start(service_, timeout.ms()));
    }
    void start(Timeout timeout) const { try_start(timeout).value(); }

    /// The TCP port that it is bound to.
    std::uint16_t port() const {
        std::uint32_t port = 0;
        detail::check(dividere_service_port(service_, &port));
        return static_cast<std::uint16_t>(port);
    }

    /// Unregisters it, refuses new requests, waits until those that it has are answered, and closes it. Timeout where
    /// that takes longer: it is closed all the same, and what is left is answered with an error.
    Result<void> try_stop(Timeout timeout) const {
        return detail::outcome(dividere_service_stop(service_, timeout.ms()));
    }
    void stop(Timeout timeout = std::chrono::seconds(10)) const { try_stop(timeout).value(); }

    /// Waits until it has ended: closed meanwhile, or by a fault of its own thread, which is the failure here. Timeout
    /// while it is open.
    Result<void> try_wait_ended(Timeout timeout) const {
        return detail::outcome(dividere_service_wait_ended(service_, timeout.ms()));
    }
    void wait_ended(Timeout timeout) const { try_wait_ended(timeout).value(); }

    /// As `stop`, at once; handlers under way are waited for.
    void close() const noexcept { static_cast<void>(dividere_service_close(service_)); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_service_t native() const noexcept { return service_; }

private:
    explicit Service(dividere_service_t service) noexcept : service_(service) {}

    dividere_service_t service_;
};

/// Calls a service by its name: the instances take turns, and come and go without the caller noticing, as far as
/// requests may be repeated. Move-only, closed at its end. May be used from any thread, with any number of calls at
/// once.
class ServiceClient {
public:
    ServiceClient(std::string_view name, const RegistryClient &registry, const Options &options = {})
        : ServiceClient(try_make(name, registry, options).value()) {}

    static Result<ServiceClient> try_make(std::string_view name, const RegistryClient &registry,
                                          const Options &options = {}) {
        dividere_service_client_t client = {0};
        Result<void> made = detail::with_c_text(name, [&](const char *text) {
            return dividere_service_client_new(text, registry.native(), options.native(), &client);
        });
        return made ? Result<ServiceClient>(ServiceClient(client)) : Result<ServiceClient>(std::move(made));
    }

    /// Of the service that is named after the type T (`service_name`).
    template <class T>
    static ServiceClient of(const RegistryClient &registry, const Options &options = {}) {
        return ServiceClient(service_name<T>(), registry, options);
    }

    ServiceClient(ServiceClient &&other) noexcept : client_(std::exchange(other.client_, {0})) {}
    ServiceClient &operator=(ServiceClient &&other) noexcept {
        if (this != &other) {
            close();
            client_ = std::exchange(other.client_, {0});
        }
        return *this;
    }
    ServiceClient(const ServiceClient &) = delete;
    ServiceClient &operator=(const ServiceClient &) = delete;
    ~ServiceClient() { close(); }

    /// Whether a request may be served more than once.
    enum class Repeat : std::int32_t { no = 0, yes = 1 };

    /// Asks an instance, and waits for the reply, at most `timeout` in all; another one where that one is too busy,
    /// stops, or the request could not be sent; with Repeat::yes also where it went away with the request, or has not
    /// answered in half of the time left while there was another one.
    ///
    /// NotFound, at once, where nobody has that name; Permission or Handshake where no instance lets us in; Busy where
    /// all are too busy; Unreachable where the instance went away and may have served it or not; Timeout where no reply
    /// came; Type or Decode where what came is no Reply, which the error has then; else the status that the service
    /// answered with.
    template <class Reply, class Question, if_protobuf<Reply> = 0, if_protobuf<Question> = 0>
    Result<Reply> try_call(const Question &question, Timeout timeout, Repeat repeat = Repeat::no) const {
        detail::Scratch out;
        Result<void> called = detail::serialise(question, out.get());
        if (!called) {
            return called;
        }
        detail::Scratch in;
        const dividere_status_t status =
            dividere_service_client_call(client_, out.get(), in.get(), timeout.ms(), static_cast<std::int32_t>(repeat));
        if (status != DIVIDERE_OK) {
            out.clear_at_end();
        }
        Reply reply;
        called = Receives<Socket>::take(in, status, reply);
        if (!called) {
            return called;
        }
        return Result<Reply>(std::move(reply));
    }
    template <class Reply, class Question, if_protobuf<Reply> = 0, if_protobuf<Question> = 0>
    Reply call(const Question &question, Timeout timeout, Repeat repeat = Repeat::no) const {
        return try_call<Reply>(question, timeout, repeat).value();
    }

    /// Begins what `call` does, waiting for nothing, and gives the number under which `finish_call` has the reply: for
    /// event loops, which wait at `fd`. Any number of calls may be under way; a thread of the client's keeps their
    /// time.
    template <class Question, if_protobuf<Question> = 0>
    Result<std::uint64_t> try_start_call(const Question &question, Timeout timeout, Repeat repeat = Repeat::no) const {
        detail::Scratch out;
        Result<void> started = detail::serialise(question, out.get());
        if (!started) {
            return started;
        }
        std::uint64_t call = 0;
        started = detail::outcome(dividere_service_client_start_call(client_, out.get(), timeout.ms(),
                                                                     static_cast<std::int32_t>(repeat), &call));
        if (!started) {
            out.clear_at_end();
            return started;
        }
        return call;
    }
    template <class Question, if_protobuf<Question> = 0>
    std::uint64_t start_call(const Question &question, Timeout timeout, Repeat repeat = Repeat::no) const {
        return try_start_call(question, timeout, repeat).value();
    }

    /// Takes what came of a call that was started. WouldBlock where it is not over within `timeout`: it is under way
    /// still. Everything else is its end, as `call` tells it; NotFound also where it was finished or given up before.
    template <class Reply, if_protobuf<Reply> = 0>
    Result<Reply> try_finish_call(std::uint64_t call, Timeout timeout) const {
        detail::Scratch in;
        const dividere_status_t status = dividere_service_client_finish_call(client_, call, in.get(), timeout.ms());
        Reply reply;
        Result<void> finished = Receives<Socket>::take(in, status, reply);
        if (!finished) {
            return finished;
        }
        return Result<Reply>(std::move(reply));
    }
    template <class Reply, if_protobuf<Reply> = 0>
    Reply finish_call(std::uint64_t call, Timeout timeout) const {
        return try_finish_call<Reply>(call, timeout).value();
    }

    /// A call that is over: its number, and what came of it.
    struct Ended {
        std::uint64_t call;
        Result<Message> outcome;
    };

    /// The same for whichever call ends first, or has ended. WouldBlock where none is over within `timeout`.
    Result<Ended> try_finish_next(Timeout timeout) const {
        Message reply;
        std::uint64_t call = 0;
        Result<void> finished =
            detail::outcome(dividere_service_client_finish_next(client_, &call, reply.object(), timeout.ms()));
        if (call == 0) {
            return finished;
        }
        return Ended{call, finished ? Result<Message>(std::move(reply)) : Result<Message>(std::move(finished))};
    }
    Ended finish_next(Timeout timeout) const { return try_finish_next(timeout).value(); }

    /// Gives up a call that was started. False where it was finished or given up before.
    bool abandon_call(std::uint64_t call) const {
        const dividere_status_t status = dividere_service_client_abandon_call(client_, call);
        if (status == DIVIDERE_NOT_FOUND) {
            return false;
        }
        detail::check(status);
        return true;
    }

    /// A descriptor for poll and epoll, one for all calls that were started: readable while there are some to finish.
    int fd() const {
        std::int32_t descriptor = -1;
        detail::check(dividere_service_client_fd(client_, &descriptor));
        return descriptor;
    }

    /// Waits until an instance is connected.
    Result<void> try_wait_for_service(Timeout timeout) const {
        return detail::outcome(dividere_service_client_wait(client_, timeout.ms()));
    }
    void wait_for_service(Timeout timeout) const { try_wait_for_service(timeout).value(); }

    /// The instances that are known now, connected or not.
    std::vector<Instance> instances() const {
        detail::Instances instances;
        detail::check(dividere_service_client_instances(client_, instances.place()));
        return instances.all();
    }

    /// Ends it: calls under way return Closed.
    void close() const noexcept { static_cast<void>(dividere_service_client_close(client_)); }

    /// The handle of the C functions; none in one that was moved from.
    dividere_service_client_t native() const noexcept { return client_; }

private:
    explicit ServiceClient(dividere_service_client_t client) noexcept : client_(client) {}

    dividere_service_client_t client_;
};

} // namespace dividere

#endif
