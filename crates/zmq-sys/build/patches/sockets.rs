//! What sockets keep of a connection, tell of it, and return.

use super::Patch;

const CONFLATED_SUBSCRIPTIONS: &str = "a conflating subscriber's own subscriptions";
const UNSENT: &str = "how many peers have messages waiting to be sent";
const SOURCE: &str = "which inproc connection a subscription came from";
const BIND_FAILED: &str = "why a bind failed";
const LATEST: &str = "the latest of conflated messages";

pub const PATCHES: &[Patch] = &[
    // Where the reader looked at that moment, the writer gave its message up, unfreed: most were followed by another one,
    // but the latest was not. The lock is held for as long as a message takes to be moved.
    Patch {
        file: "src/dbuffer.hpp",
        why: LATEST,
        old: "        if (_sync.try_lock ()) {
            _front->move (*_back);
            _has_msg = true;

            _sync.unlock ();
        }
",
        new: "        scoped_lock_t lock (_sync);
        _front->move (*_back);
        _has_msg = true;
",
    },
    // It was never true, and two threads met in it.
    Patch {
        file: "src/ypipe_conflate.hpp",
        why: LATEST,
        old: "        return reader_awake;
",
        new: "        return false;
",
    },
    Patch {
        file: "src/ypipe_conflate.hpp",
        why: LATEST,
        old: "        const bool res = dbuffer.check_read ();
        if (!res)
            reader_awake = false;

        return res;
",
        new: "        return dbuffer.check_read ();
",
    },
    Patch {
        file: "src/ypipe_conflate.hpp",
        why: LATEST,
        old: "    ypipe_conflate_t () : reader_awake (false) {}
",
        new: "    ypipe_conflate_t () {}
",
    },
    Patch {
        file: "src/ypipe_conflate.hpp",
        why: LATEST,
        old: "    bool reader_awake;
",
        new: "",
    },
    // ZMQ_CONFLATE on a SUB conflated what it sends, too: of several subscriptions only the last arrived.
    // A connecting socket: its own end is the first.
    Patch {
        file: "src/socket_base.cpp",
        why: CONFLATED_SUBSCRIPTIONS,
        old: "        bool conflates[2] = {conflate, conflate};
        rc = pipepair (parents, new_pipes, hwms, conflates);
        errno_assert (rc == 0);
",
        new: "        bool conflates[2] = {conflate, conflate && options.type != ZMQ_SUB};
        rc = pipepair (parents, new_pipes, hwms, conflates);
        errno_assert (rc == 0);
",
    },
    // Over inproc; and the mark that the option below needs.
    Patch {
        file: "src/socket_base.cpp",
        why: CONFLATED_SUBSCRIPTIONS,
        old: "        bool conflates[2] = {conflate, conflate};
        rc = pipepair (parents, new_pipes, hwms, conflates);
        if (!conflate) {
",
        new: "        bool conflates[2] = {conflate, conflate && options.type != ZMQ_SUB};
        rc = pipepair (parents, new_pipes, hwms, conflates);
        new_pipes[0]->set_inproc ();
        new_pipes[1]->set_inproc ();
        if (!conflate) {
",
    },
    // A bound socket: the session's end is the first.
    Patch {
        file: "src/session_base.cpp",
        why: CONFLATED_SUBSCRIPTIONS,
        old: "        bool conflates[2] = {conflate, conflate};
",
        new: "        bool conflates[2] = {conflate && options.type != ZMQ_SUB, conflate};
",
    },
    // ZMQ_SYS_UNSENT_PIPES. A pipe's reader that found nothing more says so in the pipe itself, where the writer sees it:
    // so a pipe is empty, for certain, when something was written and its reader sleeps. Over inproc there is nothing to
    // wait for: the pipe is the peer's own queue.
    Patch {
        file: "src/ypipe_base.hpp",
        why: UNSENT,
        old: "    virtual bool flush () = 0;
",
        new: "    virtual bool flush () = 0;
    virtual bool reader_sleeps () = 0;
",
    },
    Patch {
        file: "src/ypipe.hpp",
        why: UNSENT,
        old: "    //  Check whether item is available for reading.
    bool check_read ()
",
        new: "    //  Called by the writer: true when the reader has read everything that
    //  was flushed, and found nothing more.
    bool reader_sleeps () { return _c.cas (NULL, NULL) == NULL; }

    //  Check whether item is available for reading.
    bool check_read ()
",
    },
    Patch {
        file: "src/ypipe_conflate.hpp",
        why: UNSENT,
        old: "    //  Check whether item is available for reading.
    bool check_read ()
",
        new: "    //  Holds a value, not a queue that could be waited for.
    bool reader_sleeps () { return true; }

    //  Check whether item is available for reading.
    bool check_read ()
",
    },
    Patch {
        file: "src/pipe.hpp",
        why: UNSENT,
        old: "    void send_stats_to_peer (own_t *socket_base_);
",
        new: "    void send_stats_to_peer (own_t *socket_base_);

    //  The other end is a socket of this process, not a connection.
    void set_inproc ();

    //  What names such an end, as the descriptor names a connection; NULL for
    //  connections.
    metadata_t *inproc_source () { return _inproc_source; }

    //  True while a connection has not taken everything that was written.
    bool has_unsent () const
    {
        return _state == active && !_inproc_source && _msgs_written > 0
               && !_out_pipe->reader_sleeps ();
    }
",
    },
    Patch {
        file: "src/pipe.hpp",
        why: UNSENT,
        old: "    const bool _conflate;
",
        new: "    const bool _conflate;

    metadata_t *_inproc_source;
",
    },
    Patch {
        file: "src/pipe.cpp",
        why: UNSENT,
        old: "    _conflate (conflate_)
",
        new: "    _conflate (conflate_),
    _inproc_source (NULL)
",
    },
    Patch {
        file: "src/socket_base.cpp",
        why: UNSENT,
        old: "    if (option_ == ZMQ_LAST_ENDPOINT) {
        return do_getsockopt (optval_, optvallen_, _last_endpoint);
",
        new: "    if (option_ == 1000001) {
        const int rc = process_commands (0, false);
        if (rc != 0 && (errno == EINTR || errno == ETERM)) {
            return -1;
        }
        errno_assert (rc == 0);

        int unsent = 0;
        for (pipes_t::size_type i = 0, size = _pipes.size (); i != size; ++i)
            unsent += _pipes[i]->has_unsent () ? 1 : 0;
        return do_getsockopt<int> (optval_, optvallen_, unsent);
    }

    if (option_ == ZMQ_LAST_ENDPOINT) {
        return do_getsockopt (optval_, optvallen_, _last_endpoint);
",
    },
    // Over inproc a subscription had no ZMQ_SRCFD, so a publisher could not tell two subscribers from one: a number below
    // -1 names the connection there, also in the unsubscriptions at its end.
    Patch {
        file: "src/pipe.hpp",
        why: SOURCE,
        old: "#include \"msg.hpp\"
",
        new: "#include \"msg.hpp\"
#include \"metadata.hpp\"
",
    },
    Patch {
        file: "src/pipe.cpp",
        why: SOURCE,
        old: "    _disconnect_msg.close ();
}
",
        new: "    _disconnect_msg.close ();
    if (_inproc_source && _inproc_source->drop_ref ()) {
        LIBZMQ_DELETE (_inproc_source);
    }
}

void zmq::pipe_t::set_inproc ()
{
    static atomic_counter_t count;
    char number[16];
    snprintf (number, sizeof number, \"-%u\",
              static_cast<unsigned> ((count.add (1) & 0x3fffffff) + 2));
    metadata_t::dict_t properties;
    properties[\"__fd\"] = number;
    _inproc_source = new (std::nothrow) metadata_t (properties);
    alloc_assert (_inproc_source);
}
",
    },
    Patch {
        file: "src/pipe.cpp",
        why: SOURCE,
        old: "#include <stddef.h>
",
        new: "#include <stddef.h>
#include <stdio.h>
",
    },
    Patch {
        file: "src/xpub.cpp",
        why: SOURCE,
        old: "        metadata_t *metadata = msg.metadata ();
",
        new: "        metadata_t *metadata = msg.metadata ();
        if (!metadata)
            metadata = pipe_->inproc_source ();
",
    },
    Patch {
        file: "src/xpub.cpp",
        why: SOURCE,
        old: "        _subscriptions.rm (pipe_, send_unsubscription, this, !_verbose_unsubs);
",
        new: "        _terminated_source = pipe_->inproc_source ();
        _subscriptions.rm (pipe_, send_unsubscription, this, !_verbose_unsubs);
        _terminated_source = NULL;
",
    },
    Patch {
        file: "src/xpub.cpp",
        why: SOURCE,
        old: "        self_->_pending_metadata.push_back (NULL);
",
        new: "        if (self_->_terminated_source)
            self_->_terminated_source->add_ref ();
        self_->_pending_metadata.push_back (self_->_terminated_source);
",
    },
    Patch {
        file: "src/xpub.hpp",
        why: SOURCE,
        old: "    std::deque<unsigned char> _pending_flags;
",
        new: "    std::deque<unsigned char> _pending_flags;

    //  Of the inproc connection that just ended.
    metadata_t *_terminated_source;
",
    },
    Patch {
        file: "src/xpub.cpp",
        why: SOURCE,
        old: "    _last_pipe = NULL;
    options.type = ZMQ_XPUB;
",
        new: "    _last_pipe = NULL;
    _terminated_source = NULL;
    options.type = ZMQ_XPUB;
",
    },
    // To tell the monitor of a failed bind means to send a message, which leaves EAGAIN in errno.
    Patch {
        file: "src/socket_base.cpp",
        why: BIND_FAILED,
        old: "    event (endpoint_uri_pair_, values, 1, ZMQ_EVENT_BIND_FAILED);
",
        new: "    event (endpoint_uri_pair_, values, 1, ZMQ_EVENT_BIND_FAILED);
    errno = err_;
",
    },
];
