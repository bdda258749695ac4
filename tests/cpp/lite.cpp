// The lite runtime of protobuf, which knows no descriptors.
#include "support.hpp"

#include "lite.pb.h"

using acme::lite::Ack;
using acme::lite::Reading;
using support::any_port;
using support::limit;

namespace {

static_assert(dividere::is_protobuf<Reading>);

TEST(Lite, messages_of_the_lite_runtime_are_published_asked_and_dispatched) {
    EXPECT_EQ(dividere::type_name<Reading>(), "acme.lite.Reading");
    dividere::Publisher publisher(any_port);
    auto subscriber = dividere::Subscriber::of<Reading>(publisher.last_endpoint());
    publisher.wait_for_subscribers<Reading>(1, limit);
    Reading reading;
    reading.set_sensor("cpu");
    reading.set_value(0.5);
    publisher.send(reading);
    EXPECT_EQ(subscriber.recv<Reading>(limit).sensor(), "cpu");

    dividere::Response response(any_port);
    dividere::Request request(response.last_endpoint());
    dividere::Reactor reactor;
    reactor.add(response);
    reactor.on<Reading>([](const Reading &asked, dividere::Delivery &delivery) {
        Ack ack;
        ack.set_ok(asked.value() == 0.5);
        delivery.reply(ack);
    });
    reactor.start();
    EXPECT_TRUE(request.call<Ack>(reading, limit).ok());
    const auto wrong = request.try_call<Reading>(reading, limit);
    EXPECT_EQ(wrong.status(), dividere::Status::Type);
}

} // namespace
