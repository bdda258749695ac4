// Options: chained, checked where they are set, copied; keys; what belongs to the process.
#include "support.hpp"

#include "messages.pb.h"

using acme::v1::Reading;
using dividere::FullQueue;
using dividere::KeyPair;
using dividere::Options;
using dividere::Publisher;
using dividere::Status;
using dividere::Subscriber;
using support::any_port;
using support::limit;
using support::thrown;
using namespace std::chrono_literals;

namespace {

TEST(Options, setters_chain_and_handles_keep_what_they_need) {
    Publisher publisher(any_port, Options()
                                      .linger(10ms)
                                      .send_high_water_mark(5)
                                      .full_queue(FullQueue::Fail)
                                      .max_message_size(100)
                                      .ipv6(false)
                                      .identity(std::string_view("a\0b", 3)));
    EXPECT_EQ(publisher.try_send_bytes(std::string(101, 'x')).status(), Status::TooLarge);
    EXPECT_EQ(publisher.try_send_bytes(std::string(100, 'x')).status(), Status::Ok);
}

TEST(Options, a_value_outside_of_its_range_is_refused_where_it_is_set) {
    Options options;
    EXPECT_EQ(options.native(), nullptr);
    EXPECT_EQ(thrown([&] { options.send_high_water_mark(-1); }), Status::InvalidArgument);
    EXPECT_EQ(thrown([&] { options.set(DIVIDERE_OPTION_FULL_QUEUE, "whatever"); }), Status::InvalidArgument);
    EXPECT_EQ(options.try_set(DIVIDERE_OPTION_LINGER_MS, std::string_view("soon")).status(), Status::InvalidArgument);
    EXPECT_EQ(options.try_set(DIVIDERE_OPTION_FULL_QUEUE, std::string_view("block")).status(), Status::Ok);
    EXPECT_EQ(thrown([&] { Publisher(any_port, Options().keep_latest(true)); }), Status::InvalidArgument);
}

TEST(Options, a_copy_is_a_copy) {
    Options small = Options().max_message_size(10);
    const Options before = small;
    small.max_message_size(20);
    EXPECT_EQ(Publisher(any_port, before).try_send_bytes("eleven chars").status(), Status::TooLarge);
    EXPECT_EQ(Publisher(any_port, small).try_send_bytes("eleven chars").status(), Status::Ok);
    small = before;
    EXPECT_EQ(Publisher(any_port, small).try_send_bytes("eleven chars").status(), Status::TooLarge);
}

TEST(Options, curve_lets_in_who_has_the_key) {
    if (!dividere::has("curve")) {
        GTEST_SKIP() << "this build has no CURVE";
    }
    const KeyPair server = KeyPair::generate();
    const KeyPair client = KeyPair::generate();
    const KeyPair stranger = KeyPair::generate();
    EXPECT_EQ(KeyPair::from_secret(server.secret_key).public_key, server.public_key);

    Publisher publisher(any_port,
                        Options().curve_server_secret_key(server.secret_key).curve_allowed_key(client.public_key));
    const auto options_of = [&](const KeyPair &keys) {
        return Options().curve_client_secret_key(keys.secret_key).curve_server_public_key(server.public_key);
    };
    Subscriber friendly(publisher.last_endpoint(), options_of(client));
    publisher.wait_for_subscribers<Reading>(1, limit);
    publisher.send(Reading());
    EXPECT_TRUE(friendly.recv(limit).is<Reading>());
    Subscriber refused(publisher.last_endpoint(), options_of(stranger));
    EXPECT_EQ(refused.try_wait_connected(0, limit).status(), Status::Permission);
}

TEST(Options, the_process_has_a_version_and_a_log) {
    EXPECT_EQ(dividere::version().find(std::to_string(DIVIDERE_VERSION_MAJOR) + "."), 0U);
    EXPECT_TRUE(dividere::has("tcp"));
    EXPECT_FALSE(dividere::has("telepathy"));

    auto said = std::make_shared<std::promise<dividere::LogLevel>>();
    auto level = said->get_future();
    const std::weak_ptr<std::promise<dividere::LogLevel>> alive = said;
    dividere::set_log_callback(dividere::LogLevel::Trace,
                               [said = std::move(said), first = std::make_shared<std::once_flag>()](
                                   dividere::LogLevel at, std::string_view part, std::string_view text) {
                                   if (!part.empty() && !text.empty()) {
                                       std::call_once(*first, [&] { said->set_value(at); });
                                   }
                               });
    support::PublishSubscribe pair;
    EXPECT_GE(static_cast<int>(support::await(level)), static_cast<int>(dividere::LogLevel::Error));
    dividere::clear_log_callback();
    // A handle made: too late for the settings of the process.
    EXPECT_EQ(thrown([] { dividere::configure(Options().io_threads(2)); }), Status::State);
}

} // namespace
