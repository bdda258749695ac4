//! How a thread looks for commands of others: with fewer system calls.

use super::Patch;

const NUMBER: &str = "the process's number is known";
const NOTHING: &str = "that there are no commands is seen without a system call";
const LOOK: &str = "looks for commands that do not wait";

pub const PATCHES: &[Patch] = &[
    // Only mailbox_t::recv calls it, and reads the eventfd next, which does not block: EAGAIN where nothing was there.
    // A look that finds something thus takes one system call, not two. Whoever waits for ZMQ_FD himself looks like this
    // each time he wakes.
    Patch {
        file: "src/signaler.cpp",
        why: LOOK,
        old: "        errno = EINTR;
        return -1;
    }
#endif

#ifdef ZMQ_POLL_BASED_ON_POLL
    struct pollfd pfd;
",
        new: "        errno = EINTR;
        return -1;
    }
#endif

#ifdef ZMQ_HAVE_EVENTFD
    if (timeout_ == 0)
        return 0;
#endif

#ifdef ZMQ_POLL_BASED_ON_POLL
    struct pollfd pfd;
",
    },
    // Each send and each wait asks the kernel for the process's number, to tell a forked child: up to seven times for one
    // wake-up. It changes by fork alone, which can be heard of.
    Patch {
        file: "src/signaler.cpp",
        why: NUMBER,
        old: "#if !defined(ZMQ_HAVE_WINDOWS)
// Helper to sleep",
        new: "#ifdef HAVE_FORK
#include <atomic>
#include <pthread.h>

static std::atomic<int> known_pid (0);

extern \"C\" {
static void note_pid ()
{
    known_pid.store (static_cast<int> (::getpid ()),
                     std::memory_order_relaxed);
}
}

static int current_pid ()
{
    const int known = known_pid.load (std::memory_order_relaxed);
    if (likely (known != 0))
        return known;
    //  Twice, where two threads come at once, is no harm. Where it cannot
    //  be heard of, the kernel is asked each time.
    if (pthread_atfork (NULL, NULL, note_pid) == 0)
        note_pid ();
    return static_cast<int> (::getpid ());
}

#define getpid current_pid
#endif

#if !defined(ZMQ_HAVE_WINDOWS)
// Helper to sleep",
    },
    // Whoever reads commands until there are none, or looks before he waits, read the eventfd in vain. A pipe whose reader
    // sleeps tells whether anything was written since: then, and only then, a signal was sent or is about to be.
    Patch {
        file: "src/mailbox.cpp",
        why: NOTHING,
        old: "    //  Receive the signal.
    rc = _signaler.recv_failable ();
",
        new: "    if (timeout_ == 0 && _cpipe.reader_sleeps ()) {
        errno = EAGAIN;
        return -1;
    }

    //  Receive the signal.
    rc = _signaler.recv_failable ();
",
    },
];
