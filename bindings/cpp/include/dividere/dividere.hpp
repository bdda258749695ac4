// dividere for C++17: typed protobuf messages over ZeroMQ. Headers only, over the library of dividere.h.
//
//     dividere::Publisher publisher("tcp://127.0.0.1:5000");
//     publisher.wait_for_subscribers<acme::Reading>(1, 10s);
//     publisher.send(reading);
//
//     auto subscriber = dividere::Subscriber::of<acme::Reading>("tcp://127.0.0.1:5000");
//     for (const acme::Reading &reading : subscriber.each<acme::Reading>()) ...
//
// Handles are move-only, close at their end, and may be used from any thread, with any number of calls at once.
// Destructors never throw. Every function throws Error; its try_ form returns a Result instead.
#ifndef DIVIDERE_HPP
#define DIVIDERE_HPP

#include <dividere/broker.hpp>
#include <dividere/dealer.hpp>
#include <dividere/poll.hpp>
#include <dividere/process.hpp>
#include <dividere/proxy.hpp>
#include <dividere/publisher.hpp>
#include <dividere/reactor.hpp>
#include <dividere/registry.hpp>
#include <dividere/request.hpp>
#include <dividere/response.hpp>
#include <dividere/service.hpp>
#include <dividere/subscriber.hpp>
#include <dividere/worker.hpp>

#endif
