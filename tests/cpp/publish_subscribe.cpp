// Publisher and subscriber: typed and bytes, iteration, batches, subscriptions.
#include "support.hpp"

#include "messages.pb.h"

#include <thread>

using acme::v1::Alarm;
using acme::v1::Reading;
using dividere::forever;
using dividere::Message;
using dividere::MessageKind;
using dividere::no_wait;
using dividere::Publisher;
using dividere::Status;
using dividere::Subscriber;
using support::any_port;
using support::limit;

namespace {

Reading reading(double value) {
    Reading made;
    made.set_sensor("cpu");
    made.set_value(value);
    return made;
}

TEST(PublishSubscribe, typed_messages_arrive_in_order) {
    support::PublishSubscribe pair;
    for (int value = 0; value < 100; ++value) {
        pair.publisher.send(reading(value));
    }
    Reading received;
    for (int value = 0; value < 100; ++value) {
        pair.subscriber.recv(received, limit);
        EXPECT_EQ(received.sensor(), "cpu");
        EXPECT_EQ(received.value(), value);
    }
    EXPECT_EQ(pair.subscriber.try_recv<Reading>(no_wait).status(), Status::WouldBlock);
    EXPECT_EQ(pair.publisher.statistics().messages_out, 100U);
    EXPECT_EQ(pair.subscriber.statistics().messages_in, 100U);
}

TEST(PublishSubscribe, a_payload_larger_than_any_inline_buffer_and_an_empty_one_arrive) {
    support::PublishSubscribe pair;
    Reading large;
    large.set_blob(std::string(1 << 20, 'x'));
    pair.publisher.send(large);
    pair.publisher.send(Reading());
    EXPECT_EQ(pair.subscriber.recv<Reading>(limit).blob(), large.blob());
    EXPECT_EQ(pair.subscriber.recv<Reading>(limit).ByteSizeLong(), 0U);
}

TEST(PublishSubscribe, bytes_arrive_as_they_are) {
    support::PublishSubscribe pair;
    const std::string bytes("a\0b", 3);
    pair.publisher.send_bytes(bytes);
    EXPECT_EQ(pair.subscriber.recv_bytes(limit), bytes);
    pair.publisher.send_bytes("");
    EXPECT_EQ(pair.subscriber.recv_bytes(limit), "");
}

TEST(PublishSubscribe, a_ready_payload_is_sent_by_name) {
    support::PublishSubscribe pair;
    pair.publisher.send_typed("acme.v1.Reading", reading(3).SerializeAsString());
    EXPECT_EQ(pair.subscriber.recv<Reading>(limit).value(), 3);
}

TEST(PublishSubscribe, a_message_object_is_sent_again_and_again_without_being_made_anew) {
    support::PublishSubscribe pair;
    Message out;
    Message in;
    for (int value = 0; value < 3; ++value) {
        out.set(reading(value));
        const auto object = out.native();
        pair.publisher.send(out);
        EXPECT_TRUE(out.empty());
        EXPECT_EQ(out.native(), object);
        pair.subscriber.recv(in, limit);
        EXPECT_TRUE(in.is<Reading>());
        EXPECT_FALSE(in.is<Alarm>());
        EXPECT_EQ(in.type_name(), "acme.v1.Reading");
        EXPECT_EQ(in.get<Reading>().value(), value);
    }
}

TEST(PublishSubscribe, only_subscribed_types_are_received) {
    Publisher publisher(any_port);
    auto subscriber = Subscriber::of<Reading>(publisher.last_endpoint());
    publisher.wait_for_subscribers<Reading>(1, limit);
    EXPECT_EQ(publisher.subscribers<Reading>(), 1U);
    EXPECT_EQ(publisher.subscribers<Alarm>(), 0U);
    EXPECT_EQ(publisher.try_wait_for_subscribers<Alarm>(1, no_wait).status(), Status::WouldBlock);
    publisher.send(Alarm());
    publisher.send(reading(1));
    EXPECT_TRUE(subscriber.recv(limit).is<Reading>());

    subscriber.subscribe<Alarm>();
    publisher.wait_for_subscribers<Alarm>(1, limit);
    publisher.send(Alarm());
    EXPECT_TRUE(subscriber.recv(limit).is<Alarm>());
    subscriber.unsubscribe<Alarm>();
    EXPECT_EQ(support::thrown([&] { subscriber.unsubscribe<Alarm>(); }), Status::NotFound);
}

TEST(PublishSubscribe, prefixes_select_bytes) {
    Publisher publisher(any_port);
    auto subscriber = Subscriber::of<>(publisher.last_endpoint());
    subscriber.subscribe_prefix("b");
    publisher.wait_for_subscribers(1, limit);
    publisher.send_bytes("a1");
    publisher.send_bytes("b1");
    EXPECT_EQ(subscriber.recv_bytes(limit), "b1");
}

TEST(PublishSubscribe, iteration_yields_every_message_and_ends_when_the_handle_is_closed) {
    support::PublishSubscribe pair;
    pair.publisher.send(reading(1));
    pair.publisher.send_bytes("\xff no envelope");
    pair.publisher.send(Alarm());
    std::vector<MessageKind> kinds;
    for (const Message &message : pair.subscriber) {
        kinds.push_back(message.kind());
        if (kinds.size() == 3) {
            pair.subscriber.close();
        }
    }
    EXPECT_EQ(kinds, (std::vector<MessageKind>{MessageKind::Typed, MessageKind::Undecodable, MessageKind::Typed}));
}

TEST(PublishSubscribe, iteration_over_a_type_ends_after_silence_and_throws_at_another_type) {
    support::PublishSubscribe pair;
    double sum = 0;
    pair.publisher.send(reading(1));
    pair.publisher.send(reading(2));
    pair.publisher.send(Alarm());
    pair.publisher.send(reading(4));
    const auto add_all = [&](dividere::Timeout silence) {
        for (const Reading &each : pair.subscriber.each<Reading>(silence)) {
            sum += each.value();
            if (sum == 7) {
                break;
            }
        }
    };
    EXPECT_EQ(support::thrown([&] { add_all(limit); }), Status::Type);
    EXPECT_EQ(sum, 3);
    add_all(limit);
    EXPECT_EQ(sum, 7);
    add_all(std::chrono::milliseconds(1));
    EXPECT_EQ(sum, 7);
}

TEST(PublishSubscribe, closing_from_another_thread_ends_a_blocked_iteration) {
    support::PublishSubscribe pair;
    std::promise<void> first;
    auto arrived = first.get_future();
    auto counted = std::async(std::launch::async, [&] {
        int count = 0;
        for (const Reading &each : pair.subscriber.each<Reading>(forever)) {
            count += each.has_value() ? 1 : 0;
            first.set_value();
        }
        return count;
    });
    pair.publisher.send(reading(1));
    support::await(arrived);
    pair.subscriber.close();
    EXPECT_EQ(support::await(counted), 1);
}

TEST(PublishSubscribe, batches_carry_many_messages_in_one_call) {
    support::PublishSubscribe pair;
    std::vector<Reading> readings;
    for (int value = 0; value < 50; ++value) {
        readings.push_back(reading(value));
    }
    EXPECT_EQ(pair.publisher.send_many(readings), 50U);
    dividere::Batch more;
    more.add(reading(50));
    more.add_bytes("no envelope");
    EXPECT_EQ(pair.publisher.send_many(more), 2U);
    EXPECT_TRUE(more.empty());

    dividere::Batch batch(16);
    std::vector<Message> kept;
    while (kept.size() < 52) {
        EXPECT_GE(pair.subscriber.recv_many(batch, limit), 1U);
        EXPECT_LE(batch.size(), 16U);
        for (Message &message : batch) {
            kept.push_back(std::move(message));
        }
    }
    for (std::size_t value = 0; value < 51; ++value) {
        EXPECT_EQ(kept[value].get<Reading>().value(), static_cast<double>(value));
    }
    EXPECT_EQ(kept[51].kind(), MessageKind::Undecodable);
    EXPECT_EQ(kept[51].bytes(), "no envelope");
    EXPECT_EQ(pair.subscriber.try_recv_many(batch, no_wait).status(), Status::WouldBlock);
    EXPECT_TRUE(batch.empty());
}

TEST(PublishSubscribe, what_a_batch_could_not_send_stays_in_it) {
    Publisher publisher(any_port, dividere::Options().max_message_size(1000));
    dividere::Batch batch;
    batch.add_bytes("small");
    batch.add_bytes(std::string(2000, 'x'));
    batch.add_bytes("last");
    EXPECT_EQ(publisher.send_many(batch), 1U);
    ASSERT_EQ(batch.size(), 2U);
    EXPECT_EQ(batch[0].bytes().size(), 2000U);
    EXPECT_EQ(batch[1].bytes(), "last");
    EXPECT_EQ(publisher.try_send_many(batch).status(), Status::TooLarge);
    EXPECT_EQ(batch.size(), 2U);
}

TEST(PublishSubscribe, many_threads_send_on_one_handle) {
    support::PublishSubscribe pair;
    constexpr int threads = 4;
    constexpr int each = 200;
    std::vector<std::thread> senders;
    for (int thread = 0; thread < threads; ++thread) {
        senders.emplace_back([&pair, thread] {
            for (int value = 0; value < each; ++value) {
                pair.publisher.send(reading(thread * each + value));
            }
        });
    }
    std::vector<bool> seen(threads * each);
    for (int count = 0; count < threads * each; ++count) {
        const auto index = static_cast<std::size_t>(pair.subscriber.recv<Reading>(limit).value());
        EXPECT_FALSE(seen.at(index));
        seen.at(index) = true;
    }
    for (std::thread &sender : senders) {
        sender.join();
    }
}

TEST(PublishSubscribe, events_are_pulled_and_called) {
    std::promise<std::string> connected;
    auto endpoint = connected.get_future();
    const Publisher first(any_port);
    const Publisher publisher(any_port);
    const auto subscriber = Subscriber::of<>(first.last_endpoint());
    subscriber.wait_connected(limit);
    while (subscriber.event_recv(limit).endpoint != first.last_endpoint()) {
    }
    subscriber.set_event_callback([&, told = false](const dividere::Event &event) mutable {
        if (event.kind == dividere::EventKind::Connected && !told) {
            told = true;
            connected.set_value(event.endpoint);
        }
    });
    subscriber.attach(publisher.last_endpoint());
    EXPECT_EQ(support::await(endpoint), publisher.last_endpoint());
    subscriber.clear_event_callback();
    subscriber.wait_connected(limit);
    for (;;) {
        const auto event = subscriber.event_recv(limit);
        if (event.kind == dividere::EventKind::Connected && event.endpoint == publisher.last_endpoint()) {
            break;
        }
    }
    EXPECT_EQ(subscriber.endpoints(), (std::vector<std::string>{first.last_endpoint(), publisher.last_endpoint()}));
    subscriber.detach(first.last_endpoint());
    EXPECT_EQ(subscriber.endpoints(), std::vector<std::string>{publisher.last_endpoint()});
}

TEST(PublishSubscribe, flush_waits_for_peers_and_gives_up_in_time) {
    support::PublishSubscribe pair;
    pair.publisher.send(reading(1));
    pair.publisher.flush(limit);
    EXPECT_EQ(pair.subscriber.recv<Reading>(limit).value(), 1);
    // Connected to, and not there: the message stays.
    const Publisher gone(any_port);
    const std::string endpoint = gone.last_endpoint();
    gone.close();
    dividere::Dealer dealer(">" + endpoint, dividere::Options().linger(dividere::no_wait));
    dealer.send(reading(1));
    EXPECT_EQ(dealer.try_flush(std::chrono::milliseconds(20)).status(), Status::Timeout);
}

TEST(PublishSubscribe, poll_tells_which_role_has_something) {
    support::PublishSubscribe one;
    support::PublishSubscribe other;
    EXPECT_EQ(dividere::try_poll({one.subscriber, other.subscriber}, no_wait).status(), Status::WouldBlock);
    other.publisher.send(reading(1));
    EXPECT_EQ(dividere::poll({one.subscriber, other.subscriber}, limit), (std::vector<bool>{false, true}));
    other.subscriber.wait(limit);
    EXPECT_GE(other.subscriber.fd(), 0);
}

} // namespace
