// The C++ peer of the matrix: does what each line of its input says, and answers each with one line. README.md one
// folder up describes the lines.
#include "named.hpp"
#include "served.hpp"
#include "types.hpp"

#include <dividere/dividere.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace {

using Words = std::vector<std::string>;
using Role = std::variant<dividere::Publisher, dividere::Subscriber, dividere::Request, dividere::Response,
                          dividere::Dealer, dividere::Worker>;

struct Socket {
    Role role;
    /// What was received last, to be answered.
    dividere::Message last = {};
};

[[noreturn]] void refuse(const std::string &text) { throw dividere::Error(dividere::Status::InvalidArgument, text); }

/// The words from `first` on.
Words from(const Words &words, std::size_t first) {
    return {words.begin() + static_cast<std::ptrdiff_t>(std::min(first, words.size())), words.end()};
}

std::string joined(const Words &words) {
    std::string text;
    for (const std::string &word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

/// Calls `use(content)` for the words `typed NAME PAYLOAD` or `bytes PAYLOAD`: with a protobuf message where its class
/// is known, else with a Message.
template <class Use>
auto with_content(const Words &words, Use use) {
    if (words.size() == 2 && words[0] == "bytes") {
        dividere::Message message;
        message.set_bytes(read_payload(words[1]));
        return use(message);
    }
    if (words.size() != 3 || words[0] != "typed") {
        refuse("no message: " + joined(words));
    }
    const std::string payload = read_payload(words[2]);
    return with_type(words[1], [&](auto type) {
        using T = typename decltype(type)::type;
        if constexpr (std::is_void_v<T>) {
            dividere::Message message;
            message.set(words[1], payload);
            return use(message);
        } else {
            const T content = parsed<T>(payload);
            return use(content);
        }
    });
}

/// Message `number` of a burst.
Reading numbered(unsigned long number) {
    Reading reading;
    const std::string digits = std::to_string(number);
    reading.set_sensor(std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits);
    return reading;
}

class Peer {
public:
    std::string obey(const Words &words) {
        if (words.empty()) {
            refuse("no verb");
        }
        const auto verb = verbs().find(words[0]);
        if (verb == verbs().end() || words.size() <= verb->second.least) {
            refuse("not understood: " + joined(words));
        }
        return (this->*verb->second.function)(from(words, 1));
    }

private:
    struct Verb {
        /// Words behind it, at least.
        std::size_t least;
        std::string (Peer::*function)(const Words &words);
    };

    static const std::map<std::string, Verb> &verbs() {
        static const std::map<std::string, Verb> verbs = {
            {"hello", {0, &Peer::hello}},
            {"new", {2, &Peer::make}},
            {"reset", {0, &Peer::reset}},
            {"send", {2, &Peer::send}},
            {"send_empty", {2, &Peer::send_empty}},
            {"send_routed", {2, &Peer::send_routed}},
            {"reply", {2, &Peer::reply}},
            {"reply_error", {2, &Peer::reply_error}},
            {"recv", {1, &Peer::recv}},
            {"recv_bytes", {1, &Peer::recv_bytes}},
            {"call", {2, &Peer::call}},
            {"call_again", {4, &Peer::call_again}},
            {"connected", {2, &Peer::connected}},
            {"subscribe", {2, &Peer::subscribe}},
            {"unsubscribe", {2, &Peer::unsubscribe}},
            {"subscribe_prefix", {2, &Peer::subscribe_prefix}},
            {"unsubscribe_prefix", {2, &Peer::unsubscribe_prefix}},
            {"subscribers", {3, &Peer::subscribers}},
            {"burst", {2, &Peer::burst}},
            {"expect", {2, &Peer::expect}},
            {"on", {3, &Peer::on}},
            {"add", {2, &Peer::add}},
            {"start", {1, &Peer::start}},
            {"taken", {1, &Peer::taken}},
        };
        return verbs;
    }

    Socket &socket(const std::string &name) {
        const auto found = sockets_.find(name);
        return found != sockets_.end() ? found->second : (refuse("no socket is called " + name), found->second);
    }

    Served &served(const std::string &name) {
        const auto found = reactors_.find(name);
        return found != reactors_.end() ? found->second : (refuse("no reactor is called " + name), found->second);
    }

    template <class T>
    T &role(const std::string &name) {
        T *role = std::get_if<T>(&socket(name).role);
        return role != nullptr ? *role : (refuse(name + " has another role"), *role);
    }

    /// Any role, as what it shares with the others.
    dividere::Socket shared(const std::string &name) {
        return std::visit([](const auto &role) { return role.socket(); }, socket(name).role);
    }

    static std::string answer_of(const Socket &socket) {
        const bool routed = std::holds_alternative<dividere::Dealer>(socket.role) && !socket.last.route().empty();
        return told_message(socket.last) + (routed ? " routed" : "");
    }

    std::string hello(const Words &) { return std::string("ok cpp ") + dividere_version(); }

    std::string make(const Words &words) {
        const std::string &kind = words[0], &name = words[1];
        if (kind == "reactor") {
            reactors_[name];
            return "ok";
        }
        if (kind == "proxy" && words.size() == 5) {
            const bool publishing = words[2] == "publish_subscribe";
            dividere::Proxy proxy(publishing ? dividere::ProxyKind::PublishSubscribe
                                             : dividere::ProxyKind::RequestResponse,
                                  words[3], words[4]);
            std::string answer = "ok";
            for (const auto side : {dividere::ProxySide::Front, dividere::ProxySide::Back}) {
                answer += " " + bound([&] { return proxy.last_endpoint(side); });
            }
            proxies_.push_back(std::move(proxy));
            return answer;
        }
        if (const auto made = named_.make(words)) {
            return *made;
        }
        if (words.size() < 3) {
            refuse("not understood: new " + joined(words));
        }
        sockets_.insert_or_assign(name, Socket{made(kind, words)});
        return "ok " + bound([&] { return shared(name).last_endpoint(); });
    }

    static Role made(const std::string &kind, const Words &words) {
        const dividere::Endpoints endpoints(words[2]);
        if (kind == "publisher") {
            return dividere::Publisher(endpoints);
        }
        if (kind == "request") {
            return dividere::Request(endpoints);
        }
        if (kind == "response") {
            return dividere::Response(endpoints);
        }
        if (kind == "dealer") {
            return dividere::Dealer(endpoints);
        }
        if (kind == "worker") {
            return dividere::Worker(endpoints);
        }
        if (kind == "subscriber" && words.size() == 4 && words[3] == "all") {
            return dividere::Subscriber(endpoints);
        }
        if (kind == "subscriber" && words.size() == 4 && words[3] == "types") {
            return dividere::Subscriber::of<>(endpoints);
        }
        if (kind == "subscriber" && words.size() == 5 && words[3] == "prefix") {
            auto subscriber = dividere::Subscriber::of<>(endpoints);
            subscriber.subscribe_prefix(read_payload(words[4]));
            return subscriber;
        }
        if (kind != "subscriber" || words.size() < 5 || words[3] != "types") {
            refuse("cannot make: " + joined(words));
        }
        auto subscriber = with_type(words[4], [&](auto type) {
            using T = typename decltype(type)::type;
            if constexpr (std::is_void_v<T>) {
                refuse("no class is called " + words[4]);
                return dividere::Subscriber::of<>(endpoints);
            } else {
                return dividere::Subscriber::of<T>(endpoints);
            }
        });
        for (const std::string &type : from(words, 5)) {
            subscriber.subscribe(type);
        }
        return subscriber;
    }

    /// The endpoint that `ask` gives, or `-` where there is none.
    template <class Ask>
    static std::string bound(Ask ask) {
        try {
            return ask();
        } catch (const dividere::Error &error) {
            if (error.status() != dividere::Status::NotFound) {
                throw;
            }
            return "-";
        }
    }

    std::string reset(const Words &) {
        reactors_.clear();
        sockets_.clear();
        proxies_.clear();
        named_ = Named();
        return "ok";
    }

    std::string send(const Words &words) {
        if (words[1] == "bytes" && words.size() == 3) {
            shared(words[0]).send_bytes(read_payload(words[2]));
            return "ok";
        }
        with_content(from(words, 1), [&](auto &content) { shared(words[0]).send(content); });
        return "ok";
    }

    std::string send_empty(const Words &words) {
        with_content(from(words, 1),
                     [&](auto &content) { role<dividere::Dealer>(words[0]).send_with_empty_frame(content); });
        return "ok";
    }

    std::string send_routed(const Words &words) {
        with_content(from(words, 1), [&](auto &content) {
            role<dividere::Dealer>(words[0]).send_routed(socket(words[0]).last.route(), content);
        });
        return "ok";
    }

    std::string reply(const Words &words) {
        with_content(from(words, 1), [&](auto &content) { socket(words[0]).last.reply(content); });
        return "ok";
    }

    std::string reply_error(const Words &words) {
        std::int32_t status = 1;
        while (status < 1000 && dividere_status_name(status) != words[1]) {
            ++status;
        }
        const auto error = static_cast<dividere::Status>(status);
        if (const auto *response = std::get_if<dividere::Response>(&socket(words[0]).role)) {
            response->send_error(error, joined(from(words, 2)));
        } else {
            socket(words[0]).last.reply_error(error, joined(from(words, 2)));
        }
        return "ok";
    }

    std::string recv(const Words &words) {
        Socket &here = socket(words[0]);
        shared(words[0]).recv(here.last, limit);
        return answer_of(here);
    }

    std::string recv_bytes(const Words &words) {
        Socket &here = socket(words[0]);
        shared(words[0]).recv_bytes(here.last, limit);
        return answer_of(here);
    }

    std::string call(const Words &words) {
        const dividere::ServiceClient *caller = named_.caller(words[0]);
        if (caller == nullptr) {
            return called(words[0], from(words, 1), limit, 0);
        }
        return with_content(from(words, 1), [&](auto &question) -> std::string {
            using T = std::decay_t<decltype(question)>;
            if constexpr (std::is_same_v<T, dividere::Message>) {
                refuse("a service is called with a class that is known");
            } else {
                // It answers with what it was asked.
                return told(caller->call<T>(question, limit, dividere::ServiceClient::Repeat::yes));
            }
        });
    }

    std::string call_again(const Words &words) {
        return called(words[0], from(words, 3), std::chrono::milliseconds(number_of(words[1])),
                      static_cast<std::uint32_t>(number_of(words[2])));
    }

    std::string called(const std::string &name, const Words &content, dividere::Timeout timeout,
                       std::uint32_t retries) {
        const auto &request = role<dividere::Request>(name);
        return with_content(content, [&](auto &question) {
            if constexpr (std::is_same_v<std::decay_t<decltype(question)>, dividere::Message>) {
                return told_message(request.call(question, timeout, retries));
            } else {
                return told_message(request.call(dividere::Message(question), timeout, retries));
            }
        });
    }

    std::string connected(const Words &words) {
        shared(words[0]).wait_connected(number_of(words[1]), limit);
        return "ok";
    }

    std::string subscribe(const Words &words) {
        role<dividere::Subscriber>(words[0]).subscribe(words[1]);
        return "ok";
    }

    std::string unsubscribe(const Words &words) {
        role<dividere::Subscriber>(words[0]).unsubscribe(words[1]);
        return "ok";
    }

    std::string subscribe_prefix(const Words &words) {
        role<dividere::Subscriber>(words[0]).subscribe_prefix(read_payload(words[1]));
        return "ok";
    }

    std::string unsubscribe_prefix(const Words &words) {
        role<dividere::Subscriber>(words[0]).unsubscribe_prefix(read_payload(words[1]));
        return "ok";
    }

    std::string subscribers(const Words &words) {
        const auto &publisher = role<dividere::Publisher>(words[0]);
        const unsigned long count = number_of(words[2]);
        with_type(words[1], [&](auto type) {
            using T = typename decltype(type)::type;
            if constexpr (!std::is_void_v<T>) {
                publisher.template wait_for_subscribers<T>(count, limit);
            } else if (words[1] == "-") {
                publisher.wait_for_subscribers(count, limit);
            } else {
                refuse("no class is called " + words[1]);
            }
        });
        return "ok";
    }

    std::string burst(const Words &words) {
        const dividere::Socket socket = shared(words[0]);
        for (unsigned long number = 0; number < number_of(words[1]); ++number) {
            socket.send(numbered(number));
        }
        return "ok";
    }

    std::string expect(const Words &words) {
        const dividere::Socket socket = shared(words[0]);
        for (unsigned long number = 0; number < number_of(words[1]); ++number) {
            const auto reading = socket.recv<Reading>(limit);
            if (reading.SerializeAsString() != numbered(number).SerializeAsString()) {
                return "bad message " + std::to_string(number) + " is " + told(reading);
            }
        }
        return "ok " + words[1];
    }

    std::string on(const Words &words) {
        served(words[0]).on(words[1], words[2], joined(from(words, 3)));
        return "ok";
    }

    std::string add(const Words &words) {
        served(words[0]).reactor.add(shared(words[1]));
        return "ok";
    }

    std::string start(const Words &words) {
        served(words[0]).reactor.start("matrix");
        return "ok";
    }

    std::string taken(const Words &words) { return served(words[0]).take(); }

    std::map<std::string, Socket> sockets_;
    std::vector<dividere::Proxy> proxies_;
    std::map<std::string, Served> reactors_;
    Named named_;
};

} // namespace

int main() {
    Peer peer;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream text(line);
        Words words;
        for (std::string word; text >> word;) {
            words.push_back(word);
        }
        std::string answer;
        try {
            answer = peer.obey(words);
        } catch (const dividere::Error &error) {
            answer = std::string("error ") + name(error.status()) + " # " + error.text();
            std::replace(answer.begin(), answer.end(), '\n', ' ');
        }
        std::cout << answer << std::endl;
    }
    return 0;
}
