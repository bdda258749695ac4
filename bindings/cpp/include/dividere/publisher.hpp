// The publisher: sends to whoever subscribes.
#ifndef DIVIDERE_PUBLISHER_HPP
#define DIVIDERE_PUBLISHER_HPP

#include <dividere/socket.hpp>

namespace dividere {

/// Binds to its endpoints (">" in front connects). What is sent while nobody subscribes is gone; what a full queue
/// does is an option, dropping (counted) unless set.
class Publisher : public detail::OwnedSocket, public Sends<Publisher> {
public:
    explicit Publisher(const Endpoints &endpoints, const Options &options = {})
        : Publisher(try_make(endpoints, options).value()) {}

    static Result<Publisher> try_make(const Endpoints &endpoints, const Options &options = {}) {
        auto made = detail::make<dividere_publisher_t>(dividere_publisher_new, endpoints, options);
        return made ? Result<Publisher>(Publisher(*made)) : Result<Publisher>(std::move(made).failure());
    }

    /// Waits until `count` subscribers get messages of type T; each gets everything that is sent from now on.
    template <class T>
    Result<void> try_wait_for_subscribers(std::size_t count, Timeout timeout) const {
        return wait_for(type_name<T>().c_str(), count, timeout);
    }
    template <class T>
    void wait_for_subscribers(std::size_t count, Timeout timeout) const {
        try_wait_for_subscribers<T>(count, timeout).value();
    }

    /// The same for subscribers to anything.
    Result<void> try_wait_for_subscribers(std::size_t count, Timeout timeout) const {
        return wait_for(nullptr, count, timeout);
    }
    void wait_for_subscribers(std::size_t count, Timeout timeout) const {
        try_wait_for_subscribers(count, timeout).value();
    }

    /// How many subscribers get messages of type T.
    template <class T>
    std::size_t subscribers() const {
        return count_of(type_name<T>().c_str());
    }

    /// How many subscribe to anything.
    std::size_t subscribers() const { return count_of(nullptr); }

private:
    explicit Publisher(std::uint64_t id) noexcept : OwnedSocket(id) {}

    Result<void> wait_for(const char *type, std::size_t count, Timeout timeout) const {
        return detail::outcome(dividere_publisher_wait_for_subscribers({socket_.id}, type, count, timeout.ms()));
    }

    std::size_t count_of(const char *type) const {
        std::size_t count = 0;
        detail::check(dividere_publisher_subscribers({socket_.id}, type, &count));
        return count;
    }
};

} // namespace dividere

#endif
