// Protobuf messages, known by the members that every generated class has: no protobuf header is included, so
// programs that send bytes need none, and any runtime from 3.12 on will do, full or lite.
#ifndef DIVIDERE_PROTOBUF_HPP
#define DIVIDERE_PROTOBUF_HPP

#include <dividere/status.hpp>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace dividere {
namespace detail {

template <class T, class = void>
struct IsProtobuf : std::false_type {};
template <class T>
struct IsProtobuf<
    T,
    std::void_t<decltype(std::declval<const T &>().ByteSizeLong()), decltype(std::declval<const T &>().GetTypeName()),
                decltype(std::declval<const T &>().IsInitialized()),
                decltype(std::declval<const T &>().SerializeWithCachedSizesToArray(std::declval<std::uint8_t *>())),
                decltype(std::declval<T &>().ParseFromArray(std::declval<const void *>(), 0))>> : std::true_type {};

/// A generated class, whose name is known without an object.
template <class T, class = void>
struct IsGenerated : std::false_type {};
template <class T>
struct IsGenerated<T, std::void_t<decltype(T::default_instance().GetTypeName())>> : std::is_default_constructible<T> {};

} // namespace detail

/// Whether T is a protobuf message, of the full or the lite runtime.
template <class T>
inline constexpr bool is_protobuf = detail::IsProtobuf<T>::value;

template <class T>
using if_protobuf = std::enable_if_t<is_protobuf<T>, int>;

/// The full name of a message type, as "acme.v1.Reading". Asked of the runtime once for each type.
template <class T, if_protobuf<T> = 0>
const std::string &type_name() {
    static_assert(detail::IsGenerated<T>::value, "only a generated message class has a name of its own");
    // Never destroyed: objects that live until the very end of the process may still send.
    static const std::string &name = *new std::string(T::default_instance().GetTypeName());
    return name;
}

namespace detail {

/// The name of this message's type; of DynamicMessage and of the base classes, the object knows it.
template <class T, class Use>
auto with_type_name(const T &message, Use use) {
    if constexpr (IsGenerated<T>::value) {
        return use(type_name<T>());
    } else {
        return use(std::string(message.GetTypeName()));
    }
}

/// Serialises straight into the place in `target` that the frame is sent from.
template <class T>
Result<void> serialise(const T &message, dividere_message_t *target) {
    return with_type_name(message, [&](const std::string &name) -> Result<void> {
        if (!message.IsInitialized()) {
            return Result<void>(Status::InvalidArgument, "a required field of a " + name + " is not set");
        }
        void *place = nullptr;
        // Also caches the sizes that the next call but one uses.
        const std::size_t size = message.ByteSizeLong();
        const dividere_status_t status = dividere_message_prepare(target, name.c_str(), size, &place);
        if (status == DIVIDERE_OK) {
            message.SerializeWithCachedSizesToArray(static_cast<std::uint8_t *>(place));
        }
        return outcome(status);
    });
}

/// Parses what `view` shows into `message`. Type where it is of another type, Decode where the payload is malformed.
template <class T>
Result<void> parse(const dividere_view_t &view, T &message) {
    return with_type_name(message, [&](const std::string &wanted) -> Result<void> {
        if (view.kind != DIVIDERE_MESSAGE_TYPED) {
            return Result<void>(Status::Type, "bytes without an envelope where a " + wanted + " was asked for");
        }
        const std::string_view found(view.type_name, view.type_name_len);
        if (found != wanted) {
            return Result<void>(Status::Type, "a " + std::string(found) + " where a " + wanted + " was asked for");
        }
        if (view.payload_len > static_cast<std::size_t>(INT_MAX) ||
            !message.ParseFromArray(view.payload, static_cast<int>(view.payload_len))) {
            return Result<void>(Status::Decode, "the payload is no " + wanted);
        }
        return {};
    });
}

} // namespace detail
} // namespace dividere

#endif
