//! Fewer system calls: for a thread that looks for the commands of others, and for one that writes to a connection.

use super::Patch;

const NUMBER: &str = "the process's number is known";
const NOTHING: &str = "that there are no commands is seen without a system call";
const LOOK: &str = "looks for commands that do not wait";
const ROOM: &str = "room is polled for where there was none";

const ENGINE: &str = "src/stream_engine_base.cpp";
const HEADER: &str = "src/stream_engine_base.hpp";

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
    // A connection that had nothing to send was polled for room before each write, found to have it, and polled for it no
    // more: two calls of epoll_ctl and a turn of the I/O thread for each message that is sent alone, one of them before the
    // message. Now it is polled for room only where the system did not take everything, or where there may be more.
    Patch {
        file: HEADER,
        why: ROOM,
        old: "    void reset_pollout () { io_object_t::reset_pollout (_handle); }
    void set_pollout () { io_object_t::set_pollout (_handle); }
",
        new: "    void reset_pollout ()
    {
        if (_polls_out) {
            _polls_out = false;
            io_object_t::reset_pollout (_handle);
        }
    }
    void set_pollout ()
    {
        if (!_polls_out) {
            _polls_out = true;
            io_object_t::set_pollout (_handle);
        }
    }
",
    },
    Patch {
        file: HEADER,
        why: ROOM,
        old: "    bool _output_stopped;
",
        new: "    bool _output_stopped;

    //  The poller tells when the underlying socket has room.
    bool _polls_out;
",
    },
    Patch {
        file: ENGINE,
        why: ROOM,
        old: "    _output_stopped (false),
",
        new: "    _output_stopped (false),
    _polls_out (false),
",
    },
    Patch {
        file: ENGINE,
        why: ROOM,
        old: "    //  If write buffer is empty, try to read new data from the encoder.
    if (!_outsize) {
",
        new: "    //  Whoever has more to send restarts the output.
    bool is_all = false;

    //  If write buffer is empty, try to read new data from the encoder.
    if (!_outsize) {
",
    },
    Patch {
        file: ENGINE,
        why: ROOM,
        old: "                if (errno == ECONNRESET)
                    return;
                else
                    break;
            }
            _encoder->load_msg (&_tx_msg);
            unsigned char *bufptr = _outpos + _outsize;
",
        new: "                if (errno == ECONNRESET)
                    return;
                is_all = true;
                break;
            }
            _encoder->load_msg (&_tx_msg);
            unsigned char *bufptr = _outpos + _outsize;
",
    },
    Patch {
        file: ENGINE,
        why: ROOM,
        old: "    //  If we are still handshaking and there are no data
    //  to send, stop polling for output.
    if (unlikely (_handshaking))
        if (_outsize == 0)
            reset_pollout ();
}
",
        new: "    //  If we are still handshaking and there are no data
    //  to send, stop polling for output.
    if (unlikely (_handshaking)) {
        if (_outsize == 0)
            reset_pollout ();
        else
            set_pollout ();
    } else if (_outsize == 0 && is_all) {
        _output_stopped = true;
        reset_pollout ();
    } else
        set_pollout ();
}
",
    },
    Patch {
        file: ENGINE,
        why: ROOM,
        old: "    if (likely (_output_stopped)) {
        set_pollout ();
        _output_stopped = false;
    }
",
        new: "    _output_stopped = false;
",
    },
];
