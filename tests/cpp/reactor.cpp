// The reactor: handlers of every kind, errors, time, posting, and the end of what it was given.
#include "support.hpp"

#include "messages.pb.h"

#include <atomic>
#include <thread>

using acme::v1::Alarm;
using acme::v1::Answer;
using acme::v1::Question;
using acme::v1::Reading;
using dividere::Delivery;
using dividere::Error;
using dividere::Message;
using dividere::Reactor;
using dividere::ReactorRef;
using dividere::Request;
using dividere::Response;
using dividere::Status;
using support::any_port;
using support::limit;
using support::thrown;
using namespace std::chrono_literals;

namespace {

Answer answer(int number) {
    Answer made;
    made.set_number(number);
    return made;
}

Question question(int number) {
    Question made;
    made.set_number(number);
    return made;
}

/// Tells of its own end, to be moved into handlers, which have to take what cannot be copied.
struct Witness {
    explicit Witness(std::atomic<int> &count) : ended(&count) {}
    Witness(Witness &&other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
    Witness &operator=(Witness &&) = delete;
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
    ~Witness() {
        if (ended != nullptr) {
            ++*ended;
        }
    }
    std::atomic<int> *ended;
};

TEST(Reactor, handlers_answer_now_and_later_and_errors_reach_the_asker) {
    Response response(any_port);
    Request request(response.last_endpoint());
    Reactor reactor;
    std::promise<Message> kept;
    auto later = kept.get_future();
    reactor.add(response);
    reactor.on<Question>([&](const Question &asked, Delivery &delivery) {
        switch (asked.number()) {
        case 1:
            delivery.reply(answer(11));
            break;
        case 2:
            kept.set_value(delivery.keep());
            break;
        case 3:
            throw std::runtime_error("three is too many");
        case 4:
            throw Error(Status::NotFound, "no four");
        case 5:
            throw 5;
        default:
            break; // left unanswered
        }
    });
    reactor.start("test");

    EXPECT_EQ(request.call<Answer>(question(1), limit).number(), 11);
    auto called = std::async(std::launch::async, [&] { return request.call<Answer>(question(2), limit).number(); });
    support::await(later).reply(answer(22));
    EXPECT_EQ(support::await(called), 22);

    for (const auto &[number, words] : std::vector<std::pair<int, std::string>>{
             {3, "three is too many"}, {4, "no four"}, {5, "threw"}, {6, "unanswered"}}) {
        const auto failed = request.try_call<Answer>(question(number), limit);
        EXPECT_FALSE(failed);
        EXPECT_TRUE(failed.status() == Status::Remote || (number == 4 && failed.status() == Status::NotFound))
            << dividere::name(failed.status());
        EXPECT_NE(failed.text().find(words), std::string::npos) << failed.text();
    }
    EXPECT_EQ(thrown([&] { static_cast<void>(response.recv(0s)); }), Status::State);
    reactor.stop(limit);
    reactor.remove(response);
    EXPECT_EQ(response.try_recv<Question>(0s).status(), Status::WouldBlock);
}

TEST(Reactor, what_cannot_be_handled_goes_to_the_error_handler) {
    support::PublishSubscribe pair;
    Reactor reactor;
    std::vector<Status> errors;
    std::vector<std::string> others;
    reactor.add(pair.subscriber);
    reactor.on<Reading>([](const Reading &) { throw std::runtime_error("broken"); });
    reactor.on_error([&](const Error &error, Delivery &delivery) {
        errors.push_back(error.status());
        if (error.status() == Status::Decode && delivery.bytes() == "\xff no envelope") {
            others.emplace_back("bytes");
        }
    });
    pair.publisher.send(Reading());
    pair.publisher.send_bytes("\xff no envelope");
    pair.publisher.send(Question()); // nobody is for it
    pair.publisher.send_typed("acme.v1.Reading", "\xff");
    pair.publisher.send(Alarm());
    reactor.on<Alarm>([&](const Alarm &, Delivery &delivery) { delivery.reactor().stop(); });
    reactor.run();
    EXPECT_EQ(errors, (std::vector<Status>{Status::Remote, Status::Decode, Status::NotFound, Status::Decode}));
    EXPECT_EQ(others, std::vector<std::string>{"bytes"});

    // With a default handler, that one is for what nobody else is for; and a name does as well as a type.
    reactor.on_default([&](Delivery &delivery) { others.emplace_back(delivery.type_name()); });
    reactor.off<Reading>();
    reactor.on("acme.v1.Alarm", [&](Delivery &delivery) {
        EXPECT_EQ(delivery.source().native().id, pair.subscriber.native().id);
        delivery.reactor().stop();
    });
    pair.publisher.send(Question());
    pair.publisher.send(Reading());
    pair.publisher.send(Alarm());
    reactor.run();
    EXPECT_EQ(others, (std::vector<std::string>{"bytes", "acme.v1.Question", "acme.v1.Reading"}));
    EXPECT_EQ(errors.size(), 4U);
}

TEST(Reactor, timers_idle_and_posted_functions_run_on_its_thread) {
    Reactor reactor;
    std::vector<std::string> order;
    const auto here = std::this_thread::get_id();
    int ticks = 0;
    dividere::TimerId ticking = 0;
    const auto never = reactor.call_after(1h, [] { ADD_FAILURE() << "an hour is not over"; });
    reactor.cancel_timer(never);
    EXPECT_EQ(thrown([&] { reactor.cancel_timer(never); }), Status::NotFound);
    reactor.post([&] { order.emplace_back("first"); });
    reactor.post([&, owned = std::make_unique<int>(3)](ReactorRef self) {
        EXPECT_EQ(*owned, 3);
        EXPECT_EQ(std::this_thread::get_id(), here);
        order.emplace_back("second");
        ticking = self.call_every(1ms, [&](ReactorRef again) {
            if (++ticks == 3) {
                again.cancel_timer(ticking);
                again.on_idle(1ms, [&](ReactorRef idle) {
                    order.emplace_back("idle");
                    idle.stop();
                });
            }
        });
    });
    reactor.run();
    EXPECT_EQ(ticks, 3);
    EXPECT_EQ(order, (std::vector<std::string>{"first", "second", "idle"}));
}

TEST(Reactor, what_a_posted_function_throws_goes_to_the_exception_handler_and_ends_nothing) {
    std::atomic<int> told{0};
    dividere::set_exception_handler([&](std::exception_ptr) { ++told; });
    Reactor reactor;
    reactor.post([] { throw std::runtime_error("no"); });
    reactor.post([](ReactorRef self) { self.stop(); });
    reactor.run();
    EXPECT_EQ(told, 1);
    dividere::set_exception_handler(nullptr);
}

TEST(Reactor, callables_end_exactly_once) {
    std::atomic<int> ended{0};
    {
        support::PublishSubscribe pair;
        Reactor reactor;
        reactor.add(pair.subscriber);
        reactor.on<Reading>([witness = Witness(ended)](const Reading &) {});
        reactor.on<Reading>([witness = Witness(ended)](const Reading &) {}); // replaces the first
        EXPECT_EQ(ended, 1);
        reactor.on_default([witness = Witness(ended)](Delivery &) {});
        reactor.on_error([witness = Witness(ended)](const Error &, Delivery &) {});
        reactor.on_idle(1h, [witness = Witness(ended)] {});
        reactor.call_after(1h, [witness = Witness(ended)] {});
        reactor.post([witness = Witness(ended)] {});
        pair.subscriber.set_event_callback([witness = Witness(ended)](const dividere::Event &) {});
        EXPECT_EQ(ended, 1);
        reactor.close();
        EXPECT_EQ(ended, 7);
        // Registering fails: the callable ends all the same.
        EXPECT_EQ(thrown([&] { reactor.on<Alarm>([witness = Witness(ended)](const Alarm &) {}); }), Status::Closed);
        EXPECT_EQ(thrown([&] { reactor.post([witness = Witness(ended)] {}); }), Status::Closed);
        EXPECT_EQ(ended, 9);
    }
    EXPECT_EQ(ended, 10);
}

TEST(Reactor, sources_are_added_closed_and_removed_inside_a_handler) {
    support::PublishSubscribe one;
    support::PublishSubscribe other;
    Reactor reactor;
    reactor.add(one.subscriber);
    reactor.on<Reading>([&](const Reading &reading, Delivery &delivery) {
        if (reading.value() == 1) {
            delivery.reactor().add(other.subscriber);
            delivery.source().close();
        } else {
            delivery.reactor().remove(delivery.source());
            delivery.reactor().stop();
        }
    });
    Reading reading;
    reading.set_value(1);
    one.publisher.send(reading);
    reading.set_value(2);
    other.publisher.send(reading);
    reactor.run();
    EXPECT_EQ(one.subscriber.try_recv<Reading>(0s).status(), Status::Closed);
    EXPECT_EQ(other.subscriber.try_recv<Reading>(0s).status(), Status::WouldBlock);
    EXPECT_EQ(thrown([&] { reactor.remove(other.subscriber); }), Status::NotFound);
    EXPECT_EQ(thrown([&] { reactor.add(other.publisher); }), Status::Unsupported);
}

} // namespace
