// The message object on its own: what it holds, decoding, cloning, and types known only at run time.
#include "support.hpp"

#include "messages.pb.h"

#include <google/protobuf/dynamic_message.h>

#include <cstring>

using acme::v1::Alarm;
using acme::v1::Reading;
using dividere::Message;
using dividere::MessageKind;
using dividere::Status;
using support::limit;

namespace {

static_assert(dividere::is_protobuf<Reading>);
static_assert(dividere::is_protobuf<google::protobuf::Message>);
static_assert(!dividere::is_protobuf<std::string>);
static_assert(!dividere::is_protobuf<Message>);
static_assert(!std::is_copy_constructible_v<Message> && std::is_nothrow_move_constructible_v<Message>);

TEST(Message, a_new_one_is_empty_and_costs_nothing) {
    const Message message;
    EXPECT_EQ(message.native(), nullptr);
    EXPECT_TRUE(message.empty());
    EXPECT_EQ(message.type_name(), "");
    EXPECT_EQ(message.payload(), "");
    EXPECT_FALSE(message.is<Reading>());
    EXPECT_FALSE(message.can_reply());
    EXPECT_TRUE(message.route().empty());
    EXPECT_EQ(message.try_get<Reading>().status(), Status::Type);
    EXPECT_EQ(message.try_reply(Reading()).status(), Status::State);
    EXPECT_TRUE(message.clone().empty());
}

TEST(Message, what_was_set_is_got) {
    Reading reading;
    reading.set_sensor("cpu");
    Message message(reading);
    EXPECT_EQ(message.kind(), MessageKind::Typed);
    EXPECT_EQ(message.type_name(), "acme.v1.Reading");
    EXPECT_EQ(message.payload(), reading.SerializeAsString());
    EXPECT_EQ(message.get<Reading>().sensor(), "cpu");
    EXPECT_EQ(message.try_get<Alarm>().status(), Status::Type);

    const std::string envelope(message.bytes());
    message.set_bytes(envelope);
    EXPECT_EQ(message.kind(), MessageKind::Bytes);
    message.decode();
    EXPECT_EQ(message.get<Reading>().sensor(), "cpu");

    message.set_bytes("\xff");
    EXPECT_EQ(message.try_decode().status(), Status::Decode);
    EXPECT_EQ(message.bytes(), "\xff");

    std::memcpy(message.prepare("acme.v1.Alarm", 3), "\x0a\x01!", 3);
    EXPECT_EQ(message.get<Alarm>().text(), "!");
    std::memcpy(message.prepare_bytes(2), "ab", 2);
    EXPECT_EQ(message.bytes(), "ab");
    message.clear();
    EXPECT_TRUE(message.empty());
}

TEST(Message, a_clone_outlives_its_origin) {
    Reading reading;
    reading.set_blob(std::string(100000, 'x'));
    Message copy;
    {
        const Message message(reading);
        copy = message.clone();
    }
    EXPECT_EQ(copy.get<Reading>().blob(), reading.blob());
}

TEST(Message, a_type_known_only_at_run_time_is_sent_and_received) {
    support::PublishSubscribe pair;
    google::protobuf::DynamicMessageFactory factory;
    const google::protobuf::Message &prototype = *factory.GetPrototype(Reading::descriptor());
    const std::unique_ptr<google::protobuf::Message> dynamic(prototype.New());
    dynamic->GetReflection()->SetString(dynamic.get(), Reading::descriptor()->FindFieldByName("sensor"), "gpu");
    pair.publisher.send(*dynamic);
    EXPECT_EQ(pair.subscriber.recv<Reading>(limit).sensor(), "gpu");

    Reading reading;
    reading.set_sensor("fan");
    pair.publisher.send(static_cast<const google::protobuf::Message &>(reading));
    pair.subscriber.recv(*dynamic, limit);
    EXPECT_NE(dynamic->ShortDebugString().find("fan"), std::string::npos);
}

} // namespace
