// A reactor and what it was told to do: each message is recorded, then handled as its type's action says.
#ifndef SERVED_HPP
#define SERVED_HPP

#include "types.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

/// Where only a failure would wait so long.
constexpr std::chrono::seconds limit(20);

/// What was recorded and not taken yet, oldest first.
class Records {
public:
    void add(std::string record) {
        const std::lock_guard<std::mutex> held(mutex_);
        records_.push_back(std::move(record));
        added_.notify_one();
    }

    std::string take() {
        std::unique_lock<std::mutex> held(mutex_);
        if (!added_.wait_for(held, limit, [this] { return !records_.empty(); })) {
            throw dividere::Error(dividere::Status::Timeout, "the reactor was given nothing");
        }
        std::string record = std::move(records_.front());
        records_.pop_front();
        return record;
    }

private:
    std::mutex mutex_;
    std::condition_variable added_;
    std::deque<std::string> records_;
};

class Served {
public:
    Served() {
        reactor.on_error([records = records_](const dividere::Error &error, dividere::Delivery &) {
            records->add(std::string("error ") + name(error.status()));
        });
    }

    /// `action` is record, echo or fail. `type` may be `*`, for every type that no other action is for.
    void on(const std::string &type, const std::string &action, const std::string &text) {
        if (action != "record" && action != "echo" && action != "fail") {
            throw dividere::Error(dividere::Status::InvalidArgument, "no such action: " + action);
        }
        const auto act = [records = records_, action, text](const auto &content, dividere::Delivery &delivery) {
            records->add(told_message(delivery));
            if (action == "fail") {
                throw std::runtime_error(text);
            }
            if (action == "echo" && delivery.can_reply()) {
                delivery.reply(content());
            } else if (action == "echo") {
                delivery.source().send(content());
            }
        };
        const auto any = [act](dividere::Delivery &delivery) {
            const auto content = [&] {
                // Made anew: a copy would go out as it came, in the form of whoever sent it.
                dividere::Message message;
                message.set(delivery.type_name(), delivery.payload());
                return message;
            };
            act(content, delivery);
        };
        if (type == "*") {
            reactor.on_default(any);
            return;
        }
        with_type(type, [&](auto known) {
            using T = typename decltype(known)::type;
            if constexpr (std::is_void_v<T>) {
                reactor.on(type, any);
            } else {
                reactor.on<T>([act](const T &content, dividere::Delivery &delivery) {
                    act([&]() -> const T & { return content; }, delivery);
                });
            }
        });
    }

    std::string take() const { return records_->take(); }

    dividere::Reactor reactor;

private:
    /// Shared with the handlers, which may outlive this.
    std::shared_ptr<Records> records_ = std::make_shared<Records>();
};

#endif
