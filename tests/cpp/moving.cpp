// Handles are moved, not copied; what was moved from is Closed, and nothing is closed twice.
#include "support.hpp"

#include "messages.pb.h"

#include <type_traits>

using acme::v1::Reading;
using dividere::Publisher;
using dividere::Status;
using support::any_port;
using support::limit;
using support::thrown;

namespace {

template <class Handle>
constexpr bool is_move_only() {
    return !std::is_copy_constructible_v<Handle> && !std::is_copy_assignable_v<Handle> &&
           std::is_nothrow_move_constructible_v<Handle> && std::is_nothrow_move_assignable_v<Handle> &&
           std::is_nothrow_destructible_v<Handle>;
}

static_assert(is_move_only<dividere::Publisher>());
static_assert(is_move_only<dividere::Subscriber>());
static_assert(is_move_only<dividere::Request>());
static_assert(is_move_only<dividere::Response>());
static_assert(is_move_only<dividere::Dealer>());
static_assert(is_move_only<dividere::Proxy>());
static_assert(is_move_only<dividere::Reactor>());

TEST(Moving, the_handle_goes_on_and_the_old_one_is_closed) {
    Publisher first(any_port);
    const std::string endpoint = first.last_endpoint();
    Publisher second(std::move(first));
    EXPECT_EQ(second.last_endpoint(), endpoint);
    // NOLINTBEGIN(bugprone-use-after-move): what is tested
    EXPECT_EQ(first.try_send(Reading()).status(), Status::Closed);
    EXPECT_EQ(thrown([&] { first.last_endpoint(); }), Status::Closed);
    EXPECT_EQ(first.native().id, 0U);
    first.close();
    // NOLINTEND(bugprone-use-after-move)
    EXPECT_EQ(second.last_endpoint(), endpoint);
}

TEST(Moving, assignment_closes_what_was_there) {
    Publisher publisher(any_port);
    const std::string freed = publisher.last_endpoint();
    publisher = Publisher(any_port);
    EXPECT_NE(publisher.last_endpoint(), freed);
    EXPECT_EQ(Publisher(freed).last_endpoint(), freed);
    Publisher &same = publisher;
    publisher = std::move(same);
    EXPECT_EQ(publisher.try_send(Reading()).status(), Status::Ok);
}

TEST(Moving, leaving_the_scope_frees_the_address) {
    std::string endpoint;
    {
        endpoint = Publisher(any_port).last_endpoint();
    }
    EXPECT_EQ(Publisher(endpoint).last_endpoint(), endpoint);
}

TEST(Moving, reactors_and_proxies_move_too) {
    dividere::Reactor reactor;
    dividere::Reactor other(std::move(reactor));
    EXPECT_EQ(thrown([&] { reactor.run(); }), Status::Closed); // NOLINT(bugprone-use-after-move): what is tested
    EXPECT_EQ(thrown([&] { reactor.post([] {}); }), Status::Closed);
    other.start();
    other = dividere::Reactor();
    other.stop(limit);

    dividere::Proxy proxy(dividere::ProxyKind::RequestResponse, any_port, any_port);
    const std::string front = proxy.last_endpoint(dividere::ProxySide::Front);
    dividere::Proxy next(std::move(proxy));
    EXPECT_EQ(next.last_endpoint(dividere::ProxySide::Front), front);
    EXPECT_EQ(thrown([&] { proxy.last_endpoint(dividere::ProxySide::Front); }), // NOLINT(bugprone-use-after-move)
              Status::Closed);
}

TEST(Moving, a_view_is_closed_once_its_role_is) {
    Publisher publisher(any_port);
    const dividere::Socket view = publisher;
    view.send_bytes("x");
    publisher.close();
    EXPECT_EQ(view.try_send_bytes("x").status(), Status::Closed);
}

} // namespace
