//! Connections that end in the middle of a message that is being received.

use super::Patch;

const CUT: &str = "connections given up in the middle of a message";
const FQ: &str = "src/fq.cpp";
const ROUTER: &str = "src/router.cpp";

pub const PATCHES: &[Patch] = &[
    // ZMQ_EVENTS takes the first frame out of the queue on ROUTER and SUB. A zmq_disconnect after that ended the pipe, and
    // the next frame was either missing (!_more) or taken from another peer. Now the message is cut off: ECONNRESET.
    Patch {
        file: "src/fq.hpp",
        why: CUT,
        old: "    bool _more;
",
        new: "    bool _more;

    //  The pipe of a message that is being received has ended.
    bool _cut;
",
    },
    Patch {
        file: FQ,
        why: CUT,
        old: "zmq::fq_t::fq_t () : _active (0), _current (0), _more (false)
",
        new: "zmq::fq_t::fq_t () : _active (0), _current (0), _more (false), _cut (false)
",
    },
    Patch {
        file: FQ,
        why: CUT,
        old: "    //  Remove the pipe from the list; adjust number of active pipes
    //  accordingly.
    if (index < _active) {
        _active--;
        _pipes.swap (index, _active);
        if (_current == _active)
            _current = 0;
    }
",
        new: "    //  Remove the pipe from the list; adjust number of active pipes
    //  accordingly. The current pipe stays the current one where it is moved.
    if (index < _active) {
        if (_more && index == _current) {
            _more = false;
            _cut = true;
        }
        _active--;
        _pipes.swap (index, _active);
        if (_current == _active)
            _current = index < _active ? index : 0;
    }
",
    },
    Patch {
        file: FQ,
        why: CUT,
        old: "    //  Round-robin over the pipes to get the next message.
    while (_active > 0) {
",
        new: "    if (unlikely (_cut)) {
        _cut = false;
        rc = msg_->init ();
        errno_assert (rc == 0);
        errno = ECONNRESET;
        return -1;
    }

    //  Round-robin over the pipes to get the next message.
    while (_active > 0) {
",
    },
    Patch {
        file: FQ,
        why: CUT,
        old: "        //  Check the atomicity of the message.
        //  If we've already received the first part of the message
        //  we should get the remaining parts without blocking.
        zmq_assert (!_more);

        _active--;
        _pipes.swap (_current, _active);
        if (_current == _active)
            _current = 0;
    }
",
        new: "        const bool was_more = _more;
        _more = false;
        _active--;
        _pipes.swap (_current, _active);
        if (_current == _active)
            _current = 0;

        //  The parts of a message are available at once, unless its pipe was
        //  given up in between.
        if (unlikely (was_more)) {
            rc = msg_->init ();
            errno_assert (rc == 0);
            errno = ECONNRESET;
            return -1;
        }
    }
",
    },
    Patch {
        file: ROUTER,
        why: CUT,
        old: "    while (rc == 0 && msg_->is_routing_id ())
        rc = _fq.recvpipe (msg_, &pipe);

    if (rc != 0)
        return -1;

    zmq_assert (pipe != NULL);

    //  If we are in the middle of reading a message, just return the next part.
",
        new: "    while (rc == 0 && msg_->is_routing_id ())
        rc = _fq.recvpipe (msg_, &pipe);

    if (rc != 0) {
        if (_more_in) {
            _more_in = false;
            _terminate_current_in = false;
            _current_in = NULL;
        }
        return -1;
    }

    zmq_assert (pipe != NULL);

    //  If we are in the middle of reading a message, just return the next part.
",
    },
    Patch {
        file: ROUTER,
        why: CUT,
        old: "        if (pipe_ == _current_out)
            _current_out = NULL;
    }
}

void zmq::router_t::xread_activated",
        new: "        if (pipe_ == _current_out)
            _current_out = NULL;
        if (pipe_ == _current_in) {
            _current_in = NULL;
            _terminate_current_in = false;
        }
    }
}

void zmq::router_t::xread_activated",
    },
    Patch {
        file: "src/xsub.cpp",
        why: CUT,
        old: "        //  If there's no message available, return immediately.
        //  The same when error occurs.
        if (rc != 0)
            return -1;

        //  Check whether the message matches at least one subscription.
        //  Non-initial parts of the message are passed
        if (_more_recv ||",
        new: "        //  If there's no message available, return immediately.
        //  The same when error occurs.
        if (rc != 0) {
            _more_recv = false;
            return -1;
        }

        //  Check whether the message matches at least one subscription.
        //  Non-initial parts of the message are passed
        if (_more_recv ||",
    },
];
