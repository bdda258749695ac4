// A message object for the time of one call, so that sending and receiving protobuf messages allocates nothing of
// its own: each thread keeps a few.
#ifndef DIVIDERE_SCRATCH_HPP
#define DIVIDERE_SCRATCH_HPP

#include <dividere/status.hpp>

#include <cstddef>

namespace dividere {
namespace detail {

/// Plain data, so that it can be looked at before the thread's first use and after its end.
struct ScratchShelf {
    static constexpr std::size_t places = 4;
    dividere_message_t *messages[places];
    std::size_t count;
    bool swept;
};

inline thread_local ScratchShelf scratch_shelf = {};

/// Frees what is on the shelf when its thread ends; what comes later finds it swept and uses objects of its own.
struct ScratchSweeper {
    ~ScratchSweeper() {
        ScratchShelf &shelf = scratch_shelf;
        shelf.swept = true;
        while (shelf.count > 0) {
            dividere_message_free(shelf.messages[--shelf.count]);
        }
    }
};

/// A message object off the shelf, put back at the end. As many at once as are asked for, so a handler that is
/// called in the middle of a call may send.
class Scratch {
public:
    Scratch() {
        ScratchShelf &shelf = scratch_shelf;
        if (shelf.count > 0) {
            message_ = shelf.messages[--shelf.count];
        } else {
            check(dividere_message_new(&message_));
        }
    }

    ~Scratch() {
        ScratchShelf &shelf = scratch_shelf;
        if (message_ == nullptr) {
            return;
        }
        if (holds_on_) {
            // Cannot fail for an object that is there.
            static_cast<void>(dividere_message_clear(message_));
        }
        if (shelf.swept || shelf.count == ScratchShelf::places) {
            dividere_message_free(message_);
            return;
        }
        static thread_local ScratchSweeper sweeper;
        static_cast<void>(sweeper);
        shelf.messages[shelf.count++] = message_;
    }

    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    dividere_message_t *get() const noexcept { return message_; }

    /// It holds something that must not be kept until the object is used again: much memory, or a way back.
    void clear_at_end() noexcept { holds_on_ = true; }

    /// The object, now the caller's.
    dividere_message_t *release() noexcept {
        dividere_message_t *const message = message_;
        message_ = nullptr;
        return message;
    }

private:
    dividere_message_t *message_ = nullptr;
    bool holds_on_ = false;
};

} // namespace detail
} // namespace dividere

#endif
