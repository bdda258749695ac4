// What is found by a name, and brokers: kept while a scenario goes on.
#ifndef NAMED_HPP
#define NAMED_HPP

#include "served.hpp"

#include <dividere/dividere.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Services go before the registries that they tell of their end.
class Named {
public:
    /// `words` is KIND NAME ARGUMENT...; none where it is of another kind.
    std::optional<std::string> make(const std::vector<std::string> &words) {
        const std::string &kind = words[0];
        if (kind == "registry" && words.size() == 3) {
            registries_.emplace_back(words[2]);
            return "ok " + registries_.back().last_endpoint();
        }
        if (kind == "broker" && words.size() == 4) {
            brokers_.emplace_back(words[2], words[3]);
            return "ok " + brokers_.back().last_endpoint(dividere::BrokerSide::Front) + " " +
                   brokers_.back().last_endpoint(dividere::BrokerSide::Back);
        }
        if (kind == "caller" && words.size() == 4) {
            callers_.insert_or_assign(words[1], dividere::ServiceClient(words[3], client_of(words[2])));
            return "ok";
        }
        if (kind == "service" && words.size() == 4) {
            serve(words[2], words[3]);
            return "ok";
        }
        return std::nullopt;
    }

    /// None where there is no such client.
    const dividere::ServiceClient *caller(const std::string &name) const {
        const auto found = callers_.find(name);
        return found == callers_.end() ? nullptr : &found->second;
    }

private:
    /// It has to be there for as long as who was made with it.
    const dividere::RegistryClient &client_of(const std::string &registry) {
        clients_.emplace_back(registry);
        return clients_.back();
    }

    void serve(const std::string &registry, const std::string &known_as) {
        dividere::ServiceSettings settings;
        settings.endpoint = "tcp://127.0.0.1:*";
        dividere::Service service(known_as, client_of(registry), settings);
        service.on_default([](dividere::BorrowedMessage &request) {
            dividere::Message answer;
            answer.set(request.type_name(), request.payload());
            request.reply(answer);
        });
        service.start(limit);
        services_.push_back(std::move(service));
    }

    std::vector<dividere::RegistryServer> registries_;
    std::vector<dividere::RegistryClient> clients_;
    std::vector<dividere::Broker> brokers_;
    std::map<std::string, dividere::ServiceClient> callers_;
    std::vector<dividere::Service> services_;
};

#endif
