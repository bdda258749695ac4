// Services: handlers of every form, what is thrown, refusals, and clients that find instances by name.
#include "support.hpp"

#include "messages.pb.h"

#include <poll.h>

#include <atomic>
#include <map>
#include <stdexcept>

using acme::v1::Alarm;
using acme::v1::Answer;
using acme::v1::Question;
using dividere::BorrowedMessage;
using dividere::Error;
using dividere::Message;
using dividere::Options;
using dividere::RegistryClient;
using dividere::RegistryServer;
using dividere::Service;
using dividere::ServiceClient;
using dividere::ServiceSettings;
using dividere::Status;
using support::any_port;
using support::await;
using support::limit;
using support::thrown;

namespace acme {

class Clock : public Service {
public:
    explicit Clock(const RegistryClient &registry) : Service(dividere::service_name<Clock>(), registry, at()) {}

private:
    static ServiceSettings at() {
        ServiceSettings settings;
        settings.endpoint = any_port;
        return settings;
    }
};

template <class T>
struct Generic {};

} // namespace acme

namespace {

struct Names {
    RegistryServer server{any_port};
    RegistryClient client{server.last_endpoint(), Options().registry_advertise("127.0.0.1")};
};

ServiceSettings local() {
    ServiceSettings settings;
    settings.endpoint = any_port;
    return settings;
}

Question question(int number) {
    Question question;
    question.set_number(number);
    return question;
}

Answer next_of(const Question &question) {
    if (question.number() < 0) {
        throw std::out_of_range("below 0");
    }
    Answer answer;
    answer.set_number(question.number() + 1);
    return answer;
}

TEST(Service, IsFoundByItsNameAndAnswers) {
    Names names;
    Service service("acme.next", names.client, local());
    service.on<Question>(next_of);
    service.start(limit);
    EXPECT_EQ(service.try_start(limit).status(), Status::State);
    ServiceClient client("acme.next", names.client);
    client.wait_for_service(limit);
    ASSERT_EQ(client.instances().size(), 1u);
    EXPECT_EQ(client.instances()[0].port, service.port());
    EXPECT_EQ(client.call<Answer>(question(41), limit).number(), 42);
    EXPECT_EQ(client.try_call<Answer>(question(1), limit, ServiceClient::Repeat::yes).value().number(), 2);
    // What a handler throws, the asker is told.
    const auto failed = client.try_call<Answer>(question(-1), limit);
    EXPECT_EQ(failed.status(), Status::Remote);
    EXPECT_NE(std::string(failed.text()).find("below 0"), std::string::npos);
    EXPECT_EQ(client.try_call<Answer>(Alarm(), limit).status(), Status::Unsupported);
    const auto another = client.try_call<Alarm>(question(1), limit);
    EXPECT_EQ(another.status(), Status::Type);
    ASSERT_NE(another.message(), nullptr);
    EXPECT_EQ(another.message()->get<Answer>().number(), 2);
    service.stop(limit);
    EXPECT_EQ(service.try_stop(limit).status(), Status::Closed);
}

TEST(Service, CallsAreStartedAndFinishedWhenTheDescriptorSaysSo) {
    Names names;
    Service service("acme.next", names.client, local());
    service.on<Question>(next_of);
    service.start(limit);
    ServiceClient client("acme.next", names.client);
    client.wait_for_service(limit);
    EXPECT_EQ(client.try_finish_next(dividere::no_wait).status(), Status::WouldBlock);
    std::map<std::uint64_t, int> calls;
    for (int number = 0; number < 100; ++number) {
        calls[client.start_call(question(number), limit)] = number;
    }
    const std::uint64_t fails = client.start_call(question(-1), limit, ServiceClient::Repeat::yes);
    EXPECT_EQ(client.try_finish_call<Answer>(fails, limit).status(), Status::Remote);
    EXPECT_EQ(client.try_finish_call<Answer>(fails, limit).status(), Status::NotFound);
    EXPECT_FALSE(client.abandon_call(fails));
    while (!calls.empty()) {
        pollfd item = {client.fd(), POLLIN, 0};
        ASSERT_EQ(poll(&item, 1, 20000), 1);
        const auto ended = client.try_finish_next(dividere::no_wait);
        ASSERT_TRUE(ended.ok()) << ended.text();
        const auto call = calls.find(ended->call);
        ASSERT_NE(call, calls.end());
        EXPECT_EQ(ended->outcome.value().get<Answer>().number(), call->second + 1);
        calls.erase(call);
    }
    EXPECT_TRUE(client.abandon_call(client.start_call(question(1), limit)));
    const auto another = client.try_finish_call<Alarm>(client.start_call(question(1), limit), limit);
    EXPECT_EQ(another.status(), Status::Type);
    ASSERT_NE(another.message(), nullptr);
    const std::uint64_t last = client.start_call(question(1), limit);
    EXPECT_EQ(client.finish_call<Answer>(last, limit).number(), 2);
    client.close();
    EXPECT_EQ(client.try_start_call(question(1), limit).status(), Status::Closed);
    EXPECT_EQ(client.try_finish_next(limit).status(), Status::Closed);
    EXPECT_EQ(thrown([&] { client.fd(); }), Status::Closed);
}

struct Unnamed {};

// Named after the class that derives from it, as in 2.2.0.
TEST(Service, IsNamedAfterATypeWhereNobodySaysAnotherName) {
    EXPECT_EQ(dividere::service_name<acme::Clock>(), "acme.Clock");
    EXPECT_EQ(dividere::service_name<acme::Generic<std::string>>(), "acme.Generic");
    EXPECT_EQ(dividere::service_name<Unnamed>(), "Unnamed");
    Names names;
    acme::Clock clock(names.client);
    clock.on<Question>(next_of);
    clock.start(limit);
    EXPECT_EQ(names.client.lookup("acme.Clock", limit).port, clock.port());
    const auto client = ServiceClient::of<acme::Clock>(names.client);
    EXPECT_EQ(client.call<Answer>(question(1), limit).number(), 2);
    const auto other = Service::of<acme::Generic<int>>(names.client, local());
    other.start(limit);
    EXPECT_EQ(names.client.lookup("acme.Generic", limit).port, other.port());
}

TEST(Service, ANameThatNobodyHasIsToldAtOnce) {
    Names names;
    ServiceClient client("acme.nobody", names.client);
    EXPECT_EQ(client.try_call<Answer>(question(1), limit).status(), Status::NotFound);
    EXPECT_EQ(thrown([&] { client.call<Answer>(question(1), limit); }), Status::NotFound);
    client.close();
    EXPECT_EQ(client.try_call<Answer>(question(1), limit).status(), Status::Closed);
    EXPECT_EQ(thrown([&] { Service("", names.client); }), Status::InvalidArgument);
}

TEST(Service, ARequestIsAnsweredLaterByWhoeverKeptIt) {
    Names names;
    Service service("acme.later", names.client, local());
    std::promise<Message> kept;
    service.on<Question>([&](const Question &, BorrowedMessage &request) { kept.set_value(request.keep()); });
    service.on_default([](BorrowedMessage &request) { request.reply(Answer()); });
    service.start(limit);
    ServiceClient client("acme.later", names.client);
    EXPECT_EQ(client.call<Answer>(Alarm(), limit).number(), 0);
    auto answer = std::async(std::launch::async, [&] { return client.call<Answer>(question(1), limit).number(); });
    auto coming = kept.get_future();
    const Message message = await(coming);
    Answer late;
    late.set_number(7);
    message.reply(late);
    EXPECT_EQ(await(answer), 7);
}

TEST(Service, HandlersAreDestroyedOnce) {
    Names names;
    auto counted = std::make_shared<int>(0);
    {
        Service service("acme.counted", names.client, local());
        service.on<Question>([counted](const Question &) { return Answer(); });
        EXPECT_EQ(counted.use_count(), 2);
        Service moved = std::move(service);
        moved.on<Question>(next_of);
        EXPECT_EQ(counted.use_count(), 1);
        moved.on_default([counted](BorrowedMessage &) {});
    }
    EXPECT_EQ(counted.use_count(), 1);
}

/// Ok where it waited already, Closed where it came too late for that.
template <class Server>
void ends_with_its_close(const Server &server) {
    EXPECT_EQ(server.try_wait_ended(dividere::no_wait).status(), Status::WouldBlock);
    EXPECT_EQ(thrown([&] { server.wait_ended(std::chrono::milliseconds(1)); }), Status::Timeout);
    auto waits = std::async(std::launch::async, [&] { return server.try_wait_ended(limit).status(); });
    server.close();
    const Status status = await(waits);
    EXPECT_TRUE(status == Status::Ok || status == Status::Closed) << static_cast<int>(status);
}

TEST(Servers, who_waits_for_their_end_hears_of_their_close) {
    const dividere::Broker broker(any_port, any_port);
    const dividere::Worker worker(broker.last_endpoint(dividere::BrokerSide::Back));
    const dividere::Proxy proxy(dividere::ProxyKind::RequestResponse, any_port, any_port);
    const RegistryServer server(any_port);
    const RegistryClient registry(server.last_endpoint());
    ServiceSettings settings;
    settings.endpoint = any_port;
    const Service service("acme.Ends", registry, settings);
    service.start(limit);
    ends_with_its_close(service);
    ends_with_its_close(server);
    ends_with_its_close(worker);
    ends_with_its_close(broker);
    ends_with_its_close(proxy);
}

} // namespace
