// Exceptions, the forms without them, and what a handle says that is closed.
#include "support.hpp"

#include "messages.pb.h"

#include <climits>

using acme::v1::Alarm;
using acme::v1::Reading;
using acme::v1::Strict;
using dividere::Error;
using dividere::Publisher;
using dividere::Result;
using dividere::Status;
using dividere::Subscriber;
using dividere::Timeout;
using support::any_port;
using support::limit;
using support::thrown;

namespace {

TEST(Errors, an_error_names_the_status_and_what_was_at_fault) {
    try {
        Publisher("tcp://127.0.0.1:99999");
        FAIL() << "there is no such port";
    } catch (const std::runtime_error &error) {
        const std::string what = error.what();
        EXPECT_EQ(what.find("ENDPOINT: "), 0U) << what;
        EXPECT_NE(what.find("99999"), std::string::npos) << what;
        EXPECT_EQ(what, std::string("ENDPOINT: ") + dynamic_cast<const Error &>(error).text());
    }
    const auto made = Publisher::try_make("tcp://127.0.0.1:99999");
    EXPECT_FALSE(made);
    EXPECT_EQ(made.status(), Status::Endpoint);
    EXPECT_NE(made.text().find("99999"), std::string::npos);
}

TEST(Errors, a_result_has_a_value_or_throws) {
    auto publisher = Publisher::try_make(any_port);
    ASSERT_TRUE(publisher.ok());
    EXPECT_EQ(publisher.status(), Status::Ok);
    EXPECT_TRUE(publisher.text().empty());
    EXPECT_EQ(Publisher::try_make(publisher->last_endpoint()).status(), Status::AddressInUse);

    Result<int> seven(7);
    EXPECT_EQ(*seven, 7);
    EXPECT_EQ(Result<int>(Result<void>(Status::Busy, "no")).value_or(8), 8);
    EXPECT_EQ(thrown([] { static_cast<void>(Result<int>(Result<void>(Status::Busy, "no")).value()); }), Status::Busy);
    EXPECT_EQ(thrown([] { static_cast<void>(Result<int>(Result<void>())); }), Status::Ok);
    EXPECT_EQ(Result<int>(Result<void>()).status(), Status::Internal);
}

TEST(Errors, a_message_that_is_not_what_was_asked_for_comes_with_the_error) {
    support::PublishSubscribe pair;
    Alarm alarm;
    alarm.set_text("fire");
    pair.publisher.send(alarm);
    try {
        pair.subscriber.recv<Reading>(limit);
        FAIL() << "an alarm is no reading";
    } catch (const Error &error) {
        EXPECT_EQ(error.status(), Status::Type);
        EXPECT_STREQ(error.what(), "TYPE: a acme.v1.Alarm where a acme.v1.Reading was asked for");
        ASSERT_NE(error.message(), nullptr);
        EXPECT_EQ(error.message()->get<Alarm>().text(), "fire");
    }

    pair.publisher.send_bytes("\xff no envelope");
    const auto undecodable = pair.subscriber.try_recv<Reading>(limit);
    EXPECT_EQ(undecodable.status(), Status::Decode);
    ASSERT_NE(undecodable.message(), nullptr);
    EXPECT_EQ(undecodable.message()->bytes(), "\xff no envelope");

    pair.publisher.send_typed("acme.v1.Reading", "\xff");
    const auto malformed = pair.subscriber.try_recv<Reading>(limit);
    EXPECT_EQ(malformed.status(), Status::Decode);
    ASSERT_NE(malformed.message(), nullptr);
    EXPECT_EQ(malformed.message()->payload(), "\xff");
    EXPECT_EQ(malformed.message()->type_name(), "acme.v1.Reading");
}

TEST(Errors, a_message_without_a_required_field_is_not_sent) {
    Publisher publisher(any_port);
    const auto sent = publisher.try_send(Strict());
    EXPECT_EQ(sent.status(), Status::InvalidArgument);
    EXPECT_NE(sent.text().find("acme.v1.Strict"), std::string::npos) << sent.text();
    EXPECT_EQ(publisher.statistics().messages_out, 0U);
}

TEST(Errors, a_closed_handle_says_so_to_everything) {
    support::PublishSubscribe pair;
    pair.publisher.close();
    pair.publisher.close();
    EXPECT_EQ(thrown([&] { pair.publisher.send(Reading()); }), Status::Closed);
    EXPECT_EQ(pair.publisher.try_send(Reading()).status(), Status::Closed);
    EXPECT_EQ(pair.publisher.try_send_bytes("x").status(), Status::Closed);
    EXPECT_EQ(thrown([&] { pair.publisher.last_endpoint(); }), Status::Closed);
    EXPECT_EQ(thrown([&] { pair.publisher.statistics(); }), Status::Closed);
    EXPECT_EQ(thrown([&] { pair.publisher.subscribers(); }), Status::Closed);
    EXPECT_EQ(pair.publisher.try_wait_for_subscribers(1, limit).status(), Status::Closed);
    EXPECT_EQ(pair.publisher.try_event_recv(dividere::no_wait).status(), Status::Closed);
    EXPECT_EQ(thrown([&] { pair.publisher.attach(any_port); }), Status::Closed);
}

TEST(Errors, texts_with_a_nul_are_refused) {
    Subscriber subscriber = Subscriber::of<>(Publisher(any_port).last_endpoint());
    EXPECT_EQ(thrown([&] { subscriber.subscribe(std::string_view("acme.v1\0Reading", 15)); }), Status::InvalidArgument);
    const std::string cut("tcp://127.0.0.1:*\0x", 19);
    EXPECT_EQ(Publisher::try_make(cut).status(), Status::InvalidArgument);
    const auto kind = dividere::ProxyKind::PublishSubscribe;
    EXPECT_EQ(dividere::Proxy::try_make(kind, cut, any_port).status(), Status::InvalidArgument);
    EXPECT_EQ(dividere::Proxy::try_make(kind, any_port, cut).status(), Status::InvalidArgument);
    EXPECT_EQ(dividere::Proxy::try_make(kind, any_port, any_port, cut).status(), Status::InvalidArgument);
    dividere::Reactor reactor;
    EXPECT_EQ(thrown([&] { reactor.on(std::string_view("a\0b", 3), [](dividere::Delivery &) {}); }),
              Status::InvalidArgument);
}

TEST(Errors, timeouts_are_rounded_up_and_never_wrap) {
    using namespace std::chrono;
    EXPECT_EQ(Timeout(microseconds(1)).ms(), 1);
    EXPECT_EQ(Timeout(milliseconds(1500)).ms(), 1500);
    EXPECT_EQ(Timeout(seconds(2)).ms(), 2000);
    EXPECT_EQ(Timeout(duration<double>(0.0005)).ms(), 1);
    // What is over does not wait, and what never ends waits for ever.
    EXPECT_EQ(Timeout(milliseconds(-5)).ms(), 0);
    EXPECT_EQ(Timeout(hours(LONG_MAX)).ms(), -1);
    EXPECT_EQ(dividere::no_wait.ms(), 0);
    EXPECT_LT(dividere::forever.ms(), 0);
}

TEST(Errors, what_an_event_callback_throws_goes_to_the_exception_handler) {
    std::promise<std::string> told;
    auto text = told.get_future();
    dividere::set_exception_handler([&](std::exception_ptr exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const std::exception &error) {
            told.set_value(error.what());
        }
    });
    const Publisher first(any_port);
    const Publisher publisher(any_port);
    const auto subscriber = Subscriber::of<>(first.last_endpoint());
    subscriber.set_event_callback([first = true](const dividere::Event &) mutable {
        if (std::exchange(first, false)) {
            throw std::runtime_error("not today");
        }
    });
    subscriber.attach(publisher.last_endpoint());
    EXPECT_EQ(support::await(text), "not today");
    subscriber.close();
    dividere::set_exception_handler(nullptr);
}

} // namespace
