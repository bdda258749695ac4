// Names: registering, finding, watching, in both forms, and over the ends of servers and clients.
#include "support.hpp"

#include <set>
#include <thread>

using dividere::Instance;
using dividere::Options;
using dividere::RegistryClient;
using dividere::RegistryServer;
using dividere::Status;
using dividere::Watch;
using dividere::WatchEventKind;
using support::any_port;
using support::limit;
using support::thrown;
using namespace std::chrono_literals;

namespace {

struct Registry {
    RegistryServer server{any_port};
    RegistryClient client{server.last_endpoint(), Options().registry_advertise("127.0.0.1").registry_lease(4s)};
};

TEST(Registry, WhatIsRegisteredIsFoundUntilItIsUnregistered) {
    Registry registry;
    const RegistryClient &client = registry.client;
    EXPECT_EQ(client.try_lookup("acme.clock", limit).status(), Status::NotFound);
    EXPECT_EQ(thrown([&] { client.lookup("acme.clock", limit); }), Status::NotFound);
    const std::uint64_t first = client.register_service("acme.clock", 5101, limit, std::string("a\0b", 3));
    const std::uint64_t second = client.try_register_service("acme.clock", 5102, limit).value();
    std::set<std::uint64_t> ids;
    for (const Instance &instance : client.lookup_all("acme.clock", limit)) {
        ids.insert(instance.id);
    }
    EXPECT_EQ(ids, (std::set<std::uint64_t>{first, second}));
    client.unregister_service(second, limit);
    EXPECT_EQ(client.try_unregister_service(second, limit).status(), Status::NotFound);
    const Instance one = client.lookup("acme.clock", limit);
    EXPECT_EQ(one.name, "acme.clock");
    EXPECT_EQ(one.endpoint, "tcp://127.0.0.1:5101");
    EXPECT_EQ(one.server, "127.0.0.1");
    EXPECT_EQ(one.port, 5101);
    EXPECT_EQ(one.metadata, std::string("a\0b", 3));
    EXPECT_EQ(one.lease, 4s);
    EXPECT_EQ(one.id, first);
    EXPECT_EQ(one.revision, 1u);
    EXPECT_EQ(client.list("acme.", limit).size(), 1u);
    EXPECT_TRUE(client.list("other.", limit).empty());
    EXPECT_TRUE(client.lookup_all("nobody", limit).empty());
    EXPECT_EQ(client.try_lookup(std::string_view("a\0b", 3), limit).status(), Status::InvalidArgument);
}

TEST(Registry, AWatchTellsWhatIsThereAndThenEachChange) {
    Registry registry;
    const RegistryClient &client = registry.client;
    const std::uint64_t first = client.register_service("a.x", 1, limit);
    const Watch watch = client.watch("a.x", limit);
    const Watch all = client.watch_prefix("", limit);
    EXPECT_EQ(watch.recv(limit).instance.id, first);
    EXPECT_EQ(watch.recv(limit).kind, WatchEventKind::Complete);
    EXPECT_EQ(watch.try_recv(dividere::no_wait).status(), Status::WouldBlock);
    EXPECT_EQ(watch.try_recv(1ms).status(), Status::Timeout);
    EXPECT_GE(watch.fd(), 0);
    client.unregister_service(first, limit);
    const dividere::WatchEvent gone = watch.recv(limit);
    EXPECT_EQ(gone.kind, WatchEventKind::Delete);
    EXPECT_EQ(gone.instance.name, "a.x");
    EXPECT_EQ(gone.instance.revision, 2u);
    int events = 0;
    for (const dividere::WatchEvent &event : all) {
        ++events;
        if (event.kind == WatchEventKind::Delete) {
            all.close();
        }
    }
    EXPECT_EQ(events, 3);
}

TEST(Registry, ClosingTheClientEndsItsWatchesAndUnregisters) {
    Registry registry;
    RegistryClient observer(registry.server.last_endpoint());
    registry.client.register_service("a", 1, limit);
    const Watch watch = registry.client.watch("a", limit);
    EXPECT_EQ(watch.recv(limit).kind, WatchEventKind::Put);
    EXPECT_EQ(watch.recv(limit).kind, WatchEventKind::Complete);
    auto end = std::async(std::launch::async, [&] { return watch.try_recv(dividere::forever).status(); });
    registry.client.close();
    EXPECT_EQ(support::await(end), Status::Closed);
    EXPECT_TRUE(observer.lookup_all("a", limit).empty());
    EXPECT_EQ(registry.client.try_lookup("a", limit).status(), Status::Closed);
}

TEST(Registry, HandlesMoveAndTheirOptionsAreChecked) {
    RegistryServer server(any_port);
    RegistryServer moved = std::move(server);
    EXPECT_EQ(thrown([&] { static_cast<void>(server.statistics()); }), Status::Closed);
    EXPECT_NE(moved.publish_endpoint(), moved.last_endpoint());
    RegistryClient client(moved.last_endpoint());
    RegistryClient other = std::move(client);
    EXPECT_EQ(client.native().id, 0u);
    Watch watch = other.watch_prefix("", limit);
    Watch second = std::move(watch);
    EXPECT_EQ(second.recv(limit).kind, WatchEventKind::Complete);
    EXPECT_EQ(watch.try_recv(limit).status(), Status::Closed);
    EXPECT_EQ(RegistryServer::try_make(moved.last_endpoint()).status(), Status::AddressInUse);
    EXPECT_EQ(RegistryClient::try_make("nowhere").status(), Status::Endpoint);
    EXPECT_EQ(thrown([] { Options().registry_lease(1ms); }), Status::InvalidArgument);
    const auto options = Options().registry_max_watches(0).registry_max_instances(2).registry_max_metadata_bytes(1);
    RegistryServer small(any_port, options);
    RegistryClient of_small(small.last_endpoint());
    EXPECT_EQ(of_small.try_register_service("a", 1, limit, "ab").status(), Status::Limit);
    EXPECT_EQ(of_small.try_watch("a", limit).status(), Status::Limit);
}

} // namespace
