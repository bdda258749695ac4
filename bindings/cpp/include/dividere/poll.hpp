// Waiting for several roles at once, without callbacks.
#ifndef DIVIDERE_POLL_HPP
#define DIVIDERE_POLL_HPP

#include <dividere/socket.hpp>

#include <vector>

namespace dividere {

/// Waits until at least one of the roles may be received from, and tells which, in their order. It is no promise:
/// another thread may take the message first. Timeout, or WouldBlock where the timeout is 0, where none is; Closed
/// where one of them is closed, before or meanwhile.
///
///     const auto ready = poll({subscriber, response}, 1s);
inline Result<std::vector<bool>> try_poll(const std::vector<Socket> &roles, Timeout timeout) {
    std::vector<dividere_poll_item_t> items;
    items.reserve(roles.size());
    for (const Socket &role : roles) {
        items.push_back({role.native(), 0});
    }
    const dividere_status_t status = dividere_poll(items.data(), items.size(), timeout.ms(), nullptr);
    if (status != DIVIDERE_OK) {
        return detail::failure(status);
    }
    std::vector<bool> ready;
    ready.reserve(items.size());
    for (const dividere_poll_item_t &item : items) {
        ready.push_back(item.ready == 1);
    }
    return ready;
}
inline std::vector<bool> poll(const std::vector<Socket> &roles, Timeout timeout) {
    return try_poll(roles, timeout).value();
}

} // namespace dividere

#endif
