// Receiving in a range-based for loop.
#ifndef DIVIDERE_EACH_HPP
#define DIVIDERE_EACH_HPP

#include <dividere/socket.hpp>

#include <cstddef>
#include <iterator>

namespace dividere {

/// What arrives at a role, as a range to be gone through once: each step receives into the same object. It ends when
/// the handle is closed, or when nothing arrives within the timeout; everything else that fails is thrown, and a new
/// range goes on after it. With Message as Item, one that cannot be decoded is no failure: its kind tells.
template <class Role, class Item>
class Each {
public:
    Each(const Role &role, Timeout timeout) : role_(&role), timeout_(timeout) {}

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Item;
        using difference_type = std::ptrdiff_t;
        using pointer = Item *;
        using reference = Item &;

        Iterator() = default;
        explicit Iterator(Each *range) : range_(range->next() ? range : nullptr) {}

        Item &operator*() const noexcept { return range_->item_; }
        Item *operator->() const noexcept { return &range_->item_; }
        Iterator &operator++() {
            range_ = range_->next() ? range_ : nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator &one, const Iterator &other) noexcept {
            return one.range_ == other.range_;
        }
        friend bool operator!=(const Iterator &one, const Iterator &other) noexcept {
            return one.range_ != other.range_;
        }

    private:
        Each *range_ = nullptr;
    };

    Iterator begin() { return Iterator(this); }
    Iterator end() { return Iterator(); }

private:
    bool next() {
        const Result<void> received = role_->try_recv(item_, timeout_);
        switch (received.status()) {
        case Status::Ok:
            return true;
        case Status::Closed:
        case Status::Timeout:
        case Status::WouldBlock:
            return false;
        case Status::Decode:
            if constexpr (std::is_same_v<Item, Message>) {
                return true;
            }
            [[fallthrough]];
        default:
            received.raise();
        }
    }

    const Role *role_;
    Timeout timeout_;
    Item item_;
};

/// Iteration, for the roles that receive in any order.
template <class Role>
class Iterates {
public:
    /// What arrives, of type T each: else Type is thrown, with the message in the error.
    template <class T>
    Each<Role, T> each(Timeout timeout = forever) const {
        return {self(), timeout};
    }

    /// What arrives, of any type.
    Each<Role, Message> messages(Timeout timeout = forever) const { return {self(), timeout}; }

    /// `for (const Message &message : role)`: what arrives, of any type, until the handle is closed.
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Message;
        using difference_type = std::ptrdiff_t;
        using pointer = Message *;
        using reference = Message &;

        Iterator() = default;
        explicit Iterator(const Role &role) : range_(std::make_shared<Each<Role, Message>>(role, forever)) {
            at_ = range_->begin();
        }

        Message &operator*() const noexcept { return *at_; }
        Message *operator->() const noexcept { return &*at_; }
        Iterator &operator++() {
            ++at_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator &one, const Iterator &other) noexcept { return one.at_ == other.at_; }
        friend bool operator!=(const Iterator &one, const Iterator &other) noexcept { return one.at_ != other.at_; }

    private:
        std::shared_ptr<Each<Role, Message>> range_;
        typename Each<Role, Message>::Iterator at_;
    };
    Iterator begin() const { return Iterator(self()); }
    Iterator end() const { return Iterator(); }

private:
    const Role &self() const noexcept { return static_cast<const Role &>(*this); }
};

} // namespace dividere

#endif
