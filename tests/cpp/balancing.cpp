// Broker, workers and clients.
#include "support.hpp"

#include "messages.pb.h"

#include <atomic>
#include <memory>
#include <thread>

using acme::v1::Answer;
using acme::v1::Question;
using dividere::BorrowedMessage;
using dividere::Broker;
using dividere::BrokerSide;
using dividere::Message;
using dividere::Options;
using dividere::Request;
using dividere::Status;
using dividere::Worker;
using support::any_port;
using support::limit;
using support::thrown;

namespace {

Question question(int number) {
    Question made;
    made.set_number(number);
    return made;
}

Answer squared(const Question &asked) {
    Answer made;
    made.set_number(asked.number() * asked.number());
    return made;
}

struct Balanced {
    Broker broker{any_port, any_port};
    std::string front = broker.last_endpoint(BrokerSide::Front);
    std::string back = broker.last_endpoint(BrokerSide::Back);
};

TEST(Balancing, handlers_answer_typed_questions_and_what_they_throw_reaches_the_asker) {
    const Balanced all;
    const Worker worker(all.back, Options().worker_capacity(2));
    worker.serve<Question>([](const Question &asked) {
        if (asked.number() < 0) {
            throw dividere::Error(Status::NotFound, "no such number");
        }
        if (asked.number() == 0) {
            throw std::runtime_error("nothing");
        }
        return squared(asked);
    });
    all.broker.wait_workers(1, limit);
    const Request request(all.front);
    for (int number = 1; number < 20; ++number) {
        EXPECT_EQ(request.call<Answer>(question(number), limit, 1).number(), number * number);
    }
    EXPECT_EQ(thrown([&] { request.call<Answer>(question(-1), limit); }), Status::NotFound);
    EXPECT_EQ(thrown([&] { request.call<Answer>(question(0), limit); }), Status::Remote);
    EXPECT_EQ(thrown([&] { request.call<Answer>(squared(question(2)), limit); }), Status::Type);
    const dividere::BrokerStatistics counts = all.broker.statistics();
    EXPECT_EQ(counts.served, 22U);
    EXPECT_EQ(counts.workers, 1U);
    EXPECT_EQ(all.broker.statistics(BrokerSide::Back).peers, 1U);
    EXPECT_EQ(thrown([&] { worker.serve([](const BorrowedMessage &) {}); }), Status::State);
}

TEST(Balancing, a_handler_of_messages_may_answer_later_and_is_destroyed_after_its_last_call) {
    const Balanced all;
    Worker worker(all.back);
    auto lives = std::make_shared<int>(0);
    std::promise<Message> kept;
    worker.serve([lives, &kept](const BorrowedMessage &request) {
        if (request.bytes() == "later") {
            kept.set_value(request.keep());
        } else {
            request.reply_bytes(request.bytes());
        }
    });
    const Request request(all.front);
    EXPECT_EQ(request.call_bytes("now", limit), "now");
    std::thread answers([&] {
        auto later = kept.get_future();
        support::await(later).reply_bytes("it is later");
    });
    EXPECT_EQ(request.call_bytes("later", limit), "it is later");
    answers.join();
    EXPECT_EQ(lives.use_count(), 2);
    worker.stop(limit);
    EXPECT_EQ(lives.use_count(), 1);
    EXPECT_EQ(worker.try_stop(limit).status(), Status::Closed);
}

TEST(Balancing, a_worker_can_be_gone_through_as_a_range) {
    const Balanced all;
    const Worker worker(all.back);
    std::thread serves([&] {
        for (const Message &request : worker) {
            request.reply(squared(request.get<Question>()));
        }
    });
    const Request request(all.front);
    EXPECT_EQ(request.call<Answer>(question(3), limit).number(), 9);
    worker.close();
    serves.join();
}

TEST(Balancing, a_full_queue_is_busy_and_a_broker_that_closes_says_so) {
    Broker broker(any_port, any_port, Options().broker_queue_limit(1));
    const std::string front = broker.last_endpoint(BrokerSide::Front);
    std::thread waits([&] {
        const Request request(front);
        EXPECT_EQ(thrown([&] { request.call<Answer>(question(1), limit); }), Status::Unreachable);
    });
    while (broker.statistics().queued < 1) {
        std::this_thread::yield();
    }
    const Request request(front);
    EXPECT_EQ(thrown([&] { request.call<Answer>(question(2), limit); }), Status::Busy);
    broker.close();
    waits.join();
    EXPECT_EQ(thrown([&] { broker.statistics(); }), Status::Closed);
}

TEST(Balancing, handles_move_and_their_options_are_checked) {
    Balanced all;
    Broker moved(std::move(all.broker));
    EXPECT_EQ(all.broker.native().id, 0U);
    EXPECT_EQ(thrown([&] { all.broker.statistics(); }), Status::Closed);
    Worker worker(all.back);
    Worker taken(std::move(worker));
    moved.wait_workers(1, limit);
    EXPECT_EQ(moved.try_wait_workers(2, dividere::no_wait).status(), Status::WouldBlock);
    EXPECT_EQ(Worker::try_make(all.back, Options().broker_queue_limit(1)).status(), Status::InvalidArgument);
    EXPECT_EQ(Broker::try_make(any_port, any_port, Options().worker_capacity(2)).status(), Status::InvalidArgument);
    EXPECT_EQ(Broker::try_make(any_port, std::string("a\0b", 3)).status(), Status::InvalidArgument);
}

} // namespace
