// The subscriber: receives what publishers send.
#ifndef DIVIDERE_SUBSCRIBER_HPP
#define DIVIDERE_SUBSCRIBER_HPP

#include <dividere/each.hpp>
#include <dividere/socket.hpp>

namespace dividere {

/// Connects to its endpoints ("@" in front binds). What was sent before its subscription arrived is not received.
///
///     for (const Message &message : subscriber) ...                    everything, until it is closed
///     for (const Reading &reading : subscriber.each<Reading>(5s)) ...  until it is closed, or silent for so long
class Subscriber : public detail::OwnedSocket, public Receives<Subscriber>, public Iterates<Subscriber> {
public:
    /// To all messages.
    explicit Subscriber(const Endpoints &endpoints, const Options &options = {})
        : Subscriber(try_make(endpoints, options).value()) {}

    static Result<Subscriber> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_subscriber_t>(dividere_subscriber_new, endpoints, options);
        return made ? Result<Subscriber>(Subscriber(*made)) : Result<Subscriber>(std::move(made).failure());
    }

    /// To messages of these types: `Subscriber::of<Reading, Alarm>("tcp://127.0.0.1:5000")`. With none, nothing is
    /// received until something is subscribed to.
    template <class... Types>
    static Subscriber of(const Endpoints &endpoints, const Options &options = {}) {
        return try_of<Types...>(endpoints, options).value();
    }
    template <class... Types>
    static Result<Subscriber> try_of(const Endpoints &endpoints, const Options &options = {}) {
        const char *names[sizeof...(Types) + 1] = {type_name<Types>().c_str()..., nullptr};
        const auto create = [&](const char *text, const dividere_options_t *how, dividere_subscriber_t *handle) {
            return dividere_subscriber_new_for_types(text, names, sizeof...(Types), how, handle);
        };
        auto made = detail::make<dividere_subscriber_t>(create, endpoints, options);
        return made ? Result<Subscriber>(Subscriber(*made)) : Result<Subscriber>(std::move(made).failure());
    }

    /// Receives messages of this type, too. Counted: as many unsubscribe calls end it.
    template <class T>
    void subscribe() const {
        subscribe(type_name<T>());
    }
    void subscribe(std::string_view type_name) const {
        detail::with_c_text(type_name, [&](const char *name) {
            return dividere_subscriber_subscribe({socket_.id}, name);
        }).value();
    }

    /// Ends a subscription. NotFound where there is none. What is on its way still arrives.
    template <class T>
    void unsubscribe() const {
        unsubscribe(type_name<T>());
    }
    void unsubscribe(std::string_view type_name) const {
        detail::with_c_text(type_name, [&](const char *name) {
            return dividere_subscriber_unsubscribe({socket_.id}, name);
        }).value();
    }

    /// Receives what begins with these bytes, too; with none, everything. For messages without an envelope.
    void subscribe_prefix(std::string_view prefix) const {
        detail::check(dividere_subscriber_subscribe_prefix({socket_.id}, prefix.data(), prefix.size()));
    }
    void unsubscribe_prefix(std::string_view prefix) const {
        detail::check(dividere_subscriber_unsubscribe_prefix({socket_.id}, prefix.data(), prefix.size()));
    }

private:
    explicit Subscriber(std::uint64_t id) noexcept : OwnedSocket(id) {}
};

} // namespace dividere

#endif
