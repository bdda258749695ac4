// Dealers among themselves and with responses, and the proxy between.
#include "support.hpp"

#include <poll.h>

#include "messages.pb.h"

using acme::v1::Answer;
using acme::v1::Question;
using acme::v1::Reading;
using dividere::Dealer;
using dividere::Message;
using dividere::Proxy;
using dividere::ProxyKind;
using dividere::ProxySide;
using dividere::Publisher;
using dividere::Request;
using dividere::Response;
using dividere::Result;
using dividere::Status;
using dividere::Subscriber;
using support::any_port;
using support::limit;

namespace {

Question question(int number) {
    Question made;
    made.set_number(number);
    return made;
}

Answer answer(int number) {
    Answer made;
    made.set_number(number);
    return made;
}

// Queues of a few messages, which a send of its own accord would wait for ten seconds long.
dividere::Options short_queues() { return dividere::Options().send_high_water_mark(5).receive_high_water_mark(5); }

bool readable(int descriptor) {
    struct pollfd item = {descriptor, POLLIN, 0};
    return poll(&item, 1, static_cast<int>(dividere::Timeout(limit).ms())) == 1;
}

TEST(Dealer, a_send_waits_for_room_as_long_as_it_says) {
    Dealer one(any_port, short_queues());
    Dealer other(one.last_endpoint(), short_queues());
    other.wait_connected(1, limit);
    const std::string large(10000, 'x');
    const int descriptor = other.room_fd();
    int sent = 0;
    // Until the kernel is full, too.
    Result<void> outcome;
    for (;; ++sent) {
        Message message;
        message.set_bytes(large);
        outcome = other.try_send(message, std::chrono::milliseconds(50));
        if (!outcome) {
            EXPECT_EQ(message.bytes(), large);
            break;
        }
    }
    EXPECT_EQ(outcome.status(), Status::Timeout);
    EXPECT_EQ(other.try_send(question(1), dividere::no_wait).status(), Status::WouldBlock);
    Message routed(question(2));
    EXPECT_EQ(other.try_send_routed({""}, routed, dividere::no_wait).status(), Status::WouldBlock);
    for (int i = 0; i < sent; ++i) {
        Message received;
        one.recv_bytes(received, limit);
    }
    while (!other.try_send(question(3), dividere::no_wait)) {
        ASSERT_TRUE(readable(descriptor));
    }
    other.send(question(4), limit);
    EXPECT_EQ(one.recv<Question>(limit).number(), 3);
    EXPECT_EQ(one.recv<Question>(limit).number(), 4);
}

TEST(Dealer, two_dealers_talk_in_any_order) {
    Dealer one(any_port);
    Dealer other(one.last_endpoint());
    other.send(question(1));
    other.send(question(2));
    one.send(answer(3));
    EXPECT_EQ(one.recv<Question>(limit).number(), 1);
    EXPECT_EQ(one.recv<Question>(limit).number(), 2);
    EXPECT_EQ(other.recv<Answer>(limit).number(), 3);
    one.send_bytes("raw");
    EXPECT_EQ(other.recv_bytes(limit), "raw");
}

TEST(Dealer, a_dealer_asks_a_response_with_an_empty_frame) {
    Response response(any_port);
    Dealer dealer(response.last_endpoint());
    dealer.send_with_empty_frame(question(1));
    dealer.send_with_empty_frame(question(2));
    for (int number = 1; number <= 2; ++number) {
        EXPECT_EQ(response.recv<Question>(limit).number(), number);
        response.send(answer(number));
    }
    EXPECT_EQ(dealer.recv<Answer>(limit).number(), 1);
    EXPECT_EQ(dealer.recv<Answer>(limit).number(), 2);
}

TEST(Proxy, a_dealer_behind_it_answers_requests_by_reply_and_by_route) {
    Proxy proxy(ProxyKind::RequestResponse, any_port, any_port);
    Dealer worker(">" + proxy.last_endpoint(ProxySide::Back));
    Request request(proxy.last_endpoint(ProxySide::Front));
    for (int number = 0; number < 2; ++number) {
        auto called =
            std::async(std::launch::async, [&] { return request.call<Answer>(question(number), limit).number(); });
        const Message asked = worker.recv(limit);
        EXPECT_EQ(asked.get<Question>().number(), number);
        EXPECT_FALSE(asked.route().empty());
        if (number == 0) {
            asked.reply(answer(number));
        } else {
            worker.send_routed(asked.route(), answer(number));
        }
        EXPECT_EQ(support::await(called), number);
    }
    EXPECT_EQ(proxy.statistics(ProxySide::Front).messages_in, 2U);
}

TEST(Proxy, publications_pass_and_are_captured) {
    Proxy proxy(ProxyKind::PublishSubscribe, any_port, any_port, any_port);
    auto subscriber = Subscriber::of<Reading>(proxy.last_endpoint(ProxySide::Back));
    Subscriber tap(proxy.last_endpoint(ProxySide::Capture));
    Publisher publisher(">" + proxy.last_endpoint(ProxySide::Front));
    publisher.wait_for_subscribers<Reading>(1, limit);
    Reading reading;
    reading.set_value(4);
    publisher.send(reading);
    EXPECT_EQ(subscriber.recv<Reading>(limit).value(), 4);
    // Nobody tells when the tap's own subscription has arrived.
    Reading captured;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!tap.try_recv(captured, std::chrono::milliseconds(50)) && std::chrono::steady_clock::now() < deadline) {
        publisher.send(reading);
    }
    EXPECT_EQ(captured.value(), 4);
    const std::string front = proxy.last_endpoint(ProxySide::Front);
    proxy.close();
    proxy.close();
    Publisher next("@" + front);
    EXPECT_EQ(next.last_endpoint(), front);
}

} // namespace
