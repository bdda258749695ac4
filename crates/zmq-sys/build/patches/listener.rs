//! Connections that cannot be accepted: mostly, no descriptors are left.

use super::Patch;

const ACCEPT: &str = "peers at the door of a process without descriptors";

const NOT_ACCEPTED: &str = "    //  TODO: Handle specific errors like ENFILE/EMFILE etc.
    if (fd == retired_fd) {
        _socket->event_accept_failed (
          make_unconnected_bind_endpoint_pair (_endpoint), zmq_errno ());
        return;
";
const NOT_ACCEPTED_AND_PAUSED: &str = "    if (fd == retired_fd) {
        const int err = zmq_errno ();
        _socket->event_accept_failed (
          make_unconnected_bind_endpoint_pair (_endpoint), err);
        pause (err);
        return;
";

pub const PATCHES: &[Patch] = &[
    // The listener stays readable as long as the peers wait. Looking away for a while costs them at most as long.
    Patch {
        file: "src/stream_listener_base.hpp",
        why: ACCEPT,
        old: "    void process_term (int linger_) ZMQ_FINAL;

  protected:
",
        new: "    void process_term (int linger_) ZMQ_FINAL;

    //  The pause after a failed accept is over.
    void timer_event (int id_) ZMQ_FINAL;

    bool _paused;

  protected:
    //  To be called when accept has failed, with its errno.
    void pause (int err_);

",
    },
    Patch {
        file: "src/stream_listener_base.cpp",
        why: ACCEPT,
        old: "    io_object_t (io_thread_),
    _s (retired_fd),
",
        new: "    io_object_t (io_thread_),
    _paused (false),
    _s (retired_fd),
",
    },
    Patch {
        file: "src/stream_listener_base.cpp",
        why: ACCEPT,
        old: "void zmq::stream_listener_base_t::process_term (int linger_)
{
",
        new: "void zmq::stream_listener_base_t::pause (int err_)
{
    if (err_ == EAGAIN || err_ == EWOULDBLOCK || err_ == EINTR
        || err_ == ECONNABORTED || err_ == EPROTO)
        return;
    reset_pollin (_handle);
    add_timer (100, 1);
    _paused = true;
}

void zmq::stream_listener_base_t::timer_event (int)
{
    _paused = false;
    set_pollin (_handle);
}

void zmq::stream_listener_base_t::process_term (int linger_)
{
    if (_paused) {
        cancel_timer (1);
        _paused = false;
    }
",
    },
    Patch {
        file: "src/tcp_listener.cpp",
        why: ACCEPT,
        old: NOT_ACCEPTED,
        new: NOT_ACCEPTED_AND_PAUSED,
    },
    Patch {
        file: "src/ipc_listener.cpp",
        why: ACCEPT,
        old: NOT_ACCEPTED,
        new: NOT_ACCEPTED_AND_PAUSED,
    },
    // accept(2) passes on errors of the network, too: no reason to abort.
    Patch {
        file: "src/tcp_listener.cpp",
        why: ACCEPT,
        old: "#else
        errno_assert (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                      || errno == ECONNABORTED || errno == EPROTO
                      || errno == ENOBUFS || errno == ENOMEM || errno == EMFILE
                      || errno == ENFILE);
#endif
",
        new: "#else
        errno_assert (errno != EBADF && errno != ENOTSOCK && errno != EFAULT);
#endif
",
    },
    Patch {
        file: "src/ipc_listener.cpp",
        why: ACCEPT,
        old: "        errno_assert (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                      || errno == ECONNABORTED || errno == EPROTO
                      || errno == ENFILE);
",
        new: "        errno_assert (errno != EBADF && errno != ENOTSOCK && errno != EFAULT);
",
    },
];
