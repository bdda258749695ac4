// The protobuf classes that the peer knows; messages of all other types go by name and serialised payload.
#ifndef TYPES_HPP
#define TYPES_HPP

#include "payload.hpp"

#include "matrix.pb.h"
#include "telemetry.pb.h"

#include <dividere/dividere.hpp>

#include <string>
#include <string_view>

using acme::telemetry::v1::Reading;

/// Stands for a class, or for none.
template <class T>
struct Type {
    using type = T;
};

/// Calls `use(Type<T>())` with the class of this name, or `use(Type<void>())`.
template <class Use>
auto with_type(std::string_view name, Use use) {
    if (name == dividere::type_name<Reading>()) {
        return use(Type<Reading>());
    }
    if (name == dividere::type_name<acme::telemetry::v1::Empty>()) {
        return use(Type<acme::telemetry::v1::Empty>());
    }
    if (name == dividere::type_name<Position>()) {
        return use(Type<Position>());
    }
    if (name == dividere::type_name<Carriage>()) {
        return use(Type<Carriage>());
    }
    if (name == dividere::type_name<Carriage::Wheel>()) {
        return use(Type<Carriage::Wheel>());
    }
    if (name == dividere::type_name<Other::Reading>()) {
        return use(Type<Other::Reading>());
    }
    return use(Type<void>());
}

template <class T>
T parsed(const std::string &payload) {
    T content;
    if (!content.ParseFromString(payload)) {
        throw dividere::Error(dividere::Status::InvalidArgument, "no payload of a " + dividere::type_name<T>());
    }
    return content;
}

template <class T>
std::string told(const T &content) {
    return "typed " + dividere::type_name<T>() + " " + tell_payload(content.SerializeAsString());
}

/// The message as the driver expects to read it: through its class where there is one.
inline std::string told_message(const dividere::detail::MessageBase &message) {
    if (message.kind() != dividere::MessageKind::Typed) {
        return "bytes " + tell_payload(message.bytes());
    }
    return with_type(message.type_name(), [&](auto type) {
        using T = typename decltype(type)::type;
        if constexpr (std::is_void_v<T>) {
            return "typed " + std::string(message.type_name()) + " " + tell_payload(message.payload());
        } else {
            return told(message.template get<T>());
        }
    });
}

#endif
