//! Connections that end, and that begin again: aborts that a peer can reach, and received messages that were lost.

use super::Patch;

const ENGINE: &str = "src/stream_engine_base.cpp";
const ZMTP: &str = "src/zmtp_engine.cpp";

const ENDED: &str = "events after the end of a connection";
const READ_ON: &str = "reading to the end";
const IMMEDIATE: &str = "received messages of a socket with IMMEDIATE";
const PARTING: &str = "what is left to send when a connection ends";
const FULL_PIPE: &str = "reconnection while the receiver is full";

pub const PATCHES: &[Patch] = &[
    // Closed as it is, a connection loses what the engine has not written yet, and what the system has not sent yet where
    // the peer says something meanwhile. zmq_sys_set_parting names who sends it.
    Patch {
        file: ENGINE,
        why: PARTING,
        old: "void zmq::stream_engine_base_t::terminate ()
{
    unplug ();
    delete this;
",
        new: "extern \"C\" int zmq_sys_part (int, const unsigned char *, size_t, int);

void zmq::stream_engine_base_t::terminate ()
{
    unplug ();
    if (_s != retired_fd && !_io_error && !_handshaking
        && zmq_sys_part (_s, _outpos, _outsize, _options.linger.load ()))
        _s = retired_fd;
    delete this;
",
    },
    // After the end of a connection (_io_error) the engine lives on until the receiver has taken what is buffered. A
    // heartbeat timer, or a PING among the buffered messages, then ran into the assertion.
    Patch {
        file: ENGINE,
        why: ENDED,
        old: "void zmq::stream_engine_base_t::out_event ()
{
    zmq_assert (!_io_error);
",
        new: "void zmq::stream_engine_base_t::out_event ()
{
    //  The connection has ended, and only buffered input keeps the engine.
    if (unlikely (_io_error))
        return;
",
    },
    // The pipe outlives the engine when a connecting session reconnects, so the news that it takes messages again may
    // come to an engine that never stopped, or has no decoder yet.
    Patch {
        file: ENGINE,
        why: FULL_PIPE,
        old: "    zmq_assert (_input_stopped);
    zmq_assert (_session != NULL);
",
        new: "    //  The pipe was full for an earlier engine of this session, not for this.
    if (!_input_stopped)
        return true;
    zmq_assert (_session != NULL);
",
    },
    Patch {
        file: ENGINE,
        why: READ_ON,
        old: "    while (_insize > 0) {
        size_t processed = 0;
        rc = _decoder->decode (_inpos, _insize, processed);
        zmq_assert (processed <= _insize);
        _inpos += processed;
        _insize -= processed;
        if (rc == 0 || rc == -1)
            break;
        rc = (this->*_process_msg) (_decoder->msg ());
        if (rc == -1)
            break;
    }

    if (rc == -1 && errno == EAGAIN)
        _session->flush ();
    else if (_io_error) {
        error (connection_error);
        return false;
    } else if (rc == -1) {
",
        new: "    while (true) {
        while (_insize > 0) {
            size_t processed = 0;
            rc = _decoder->decode (_inpos, _insize, processed);
            zmq_assert (processed <= _insize);
            _inpos += processed;
            _insize -= processed;
            if (rc == 0 || rc == -1)
                break;
            rc = (this->*_process_msg) (_decoder->msg ());
            if (rc == -1)
                break;
        }
        if (rc == -1 || !_io_error)
            break;

        //  The connection has ended and is polled no more, but what the peer
        //  sent before may still lie in the kernel.
        size_t bufsize = 0;
        _decoder->get_buffer (&_inpos, &bufsize);
        const int nbytes = read (_inpos, bufsize);
        if (nbytes == -1) {
            error (connection_error);
            return false;
        }
        _insize = static_cast<size_t> (nbytes);
        _decoder->resize_buffer (_insize);
    }

    if (rc == -1 && errno == EAGAIN)
        _session->flush ();
    else if (rc == -1) {
",
    },
    // Without the rest of mechanism_ready the connection refused the peer's next message as a protocol error.
    Patch {
        file: ENGINE,
        why: FULL_PIPE,
        old: "            // If the write is failing at this stage with
            // an EAGAIN the pipe must be being shut down,
            // so we can just bail out of the routing id set.
            return;
        }
        errno_assert (rc == 0);
        flush_session = true;
    }
",
        new: "            //  The pipe is being shut down; or this is a reconnection, and it
            //  is still full. Then the first connection's routing id went in
            //  before everything, and a later one would be skipped anyway.
            const int rc2 = routing_id.close ();
            errno_assert (rc2 == 0);
        } else {
            errno_assert (rc == 0);
            flush_session = true;
        }
    }
",
    },
    // The same for peers that speak ZMTP 1.0 or 2.0: wait until the pipe takes the routing id.
    Patch {
        file: ZMTP,
        why: FULL_PIPE,
        old: "        msg_->set_flags (msg_t::routing_id);
        const int rc = session ()->push_msg (msg_);
        errno_assert (rc == 0);
    } else {
",
        new: "        msg_->set_flags (msg_t::routing_id);
        const int rc = session ()->push_msg (msg_);
        if (rc == -1)
            return -1;
    } else {
",
    },
    Patch {
        file: ZMTP,
        why: FULL_PIPE,
        old: "        rc = session ()->push_msg (&subscription);
        errno_assert (rc == 0);
",
        new: "        rc = session ()->push_msg (&subscription);
        if (rc == -1)
            return -1;
",
    },
    // The hiccup made the socket drop its end of the pipe with all that it had not received yet. The termination alone
    // lets it read on to the end, and stops its sending as well.
    Patch {
        file: "src/session_base.cpp",
        why: IMMEDIATE,
        old: "        _pipe->hiccup ();
        _pipe->terminate (false);
        _terminating_pipes.insert (_pipe);
",
        new: "        _pipe->terminate (false);
        _terminating_pipes.insert (_pipe);
",
    },
];
