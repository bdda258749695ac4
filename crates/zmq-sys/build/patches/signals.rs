//! How a thread looks for commands of others: with a system call less.

use super::Patch;

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
];
