//! Heartbeats: a peer counts as alive while bytes arrive, and as not heard while it is us who do not read.

use super::Patch;

const ENGINE: &str = "src/stream_engine_base.cpp";
const HEADER: &str = "src/stream_engine_base.hpp";
const ZMTP: &str = "src/zmtp_engine.cpp";

const ALIVE: &str = "heartbeats of a peer that is alive";
const PING: &str = "PING commands";

pub const PATCHES: &[Patch] = &[
    Patch {
        file: HEADER,
        why: ALIVE,
        old: "    bool _has_ttl_timer;
    bool _has_timeout_timer;
    bool _has_heartbeat_timer;
",
        new: "    bool _has_ttl_timer;
    bool _has_timeout_timer;
    bool _has_heartbeat_timer;

    //  The time that the peer asked to be given, in milliseconds.
    int _ttl_interval;
    //  Bytes received, and how many they were when the timers were set.
    uint64_t _received;
    uint64_t _received_at_ttl;
    uint64_t _received_at_timeout;
",
    },
    Patch {
        file: HEADER,
        why: ALIVE,
        old: "  private:
    bool in_event_internal ();
",
        new: "  private:
    bool in_event_internal ();

    //  True if the peer cannot be called silent since *received_ was taken.
    bool heard_since (uint64_t *received_);
",
    },
    Patch {
        file: ENGINE,
        why: ALIVE,
        old: "    _has_heartbeat_timer (false),
    _peer_address",
        new: "    _has_heartbeat_timer (false),
    _ttl_interval (0),
    _received (0),
    _received_at_ttl (0),
    _received_at_timeout (0),
    _peer_address",
    },
    Patch {
        file: ENGINE,
        why: ALIVE,
        old: "        //  Adjust input size
        _insize = static_cast<size_t> (rc);
",
        new: "        //  Adjust input size
        _insize = static_cast<size_t> (rc);
        _received += _insize;
",
    },
    // A message that takes longer than the timeout, a receiver at its high-water mark (which reads no PONG), and a
    // process that was stopped for a while (its timers run before its input is read) all lost a good connection.
    Patch {
        file: ENGINE,
        why: ALIVE,
        old: "        _has_ttl_timer = false;
        error (timeout_error);
    } else if (id_ == heartbeat_timeout_timer_id) {
        _has_timeout_timer = false;
        error (timeout_error);
",
        new: "        if (heard_since (&_received_at_ttl)) {
            add_timer (_ttl_interval, heartbeat_ttl_timer_id);
            return;
        }
        _has_ttl_timer = false;
        error (timeout_error);
    } else if (id_ == heartbeat_timeout_timer_id) {
        if (heard_since (&_received_at_timeout)) {
            add_timer (_options.heartbeat_timeout == -1
                         ? _options.heartbeat_interval
                         : _options.heartbeat_timeout,
                       heartbeat_timeout_timer_id);
            return;
        }
        _has_timeout_timer = false;
        error (timeout_error);
",
    },
    Patch {
        file: ENGINE,
        why: ALIVE,
        old: "int zmq::stream_engine_base_t::read (void *data_, size_t size_)
",
        new: "bool zmq::stream_engine_base_t::heard_since (uint64_t *received_)
{
    const bool heard = _received != *received_;
    *received_ = _received;
    //  While input is stopped it is the receiver who does not read.
    if (heard || _input_stopped)
        return true;
    //  Bytes that have arrived but were not read yet.
    char byte;
    return recv (_s, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

int zmq::stream_engine_base_t::read (void *data_, size_t size_)
",
    },
    Patch {
        file: ZMTP,
        why: ALIVE,
        old: "        add_timer (_heartbeat_timeout, heartbeat_timeout_timer_id);
        _has_timeout_timer = true;
",
        new: "        add_timer (_heartbeat_timeout, heartbeat_timeout_timer_id);
        _has_timeout_timer = true;
        _received_at_timeout = _received;
",
    },
    // A PING without its TTL was answered with bytes from beyond its end; a TTL over 65.5 s wrapped to milliseconds.
    Patch {
        file: ZMTP,
        why: PING,
        old: "        uint16_t remote_heartbeat_ttl;

        // Get the remote heartbeat TTL to setup the timer
",
        new: "        uint16_t remote_heartbeat_ttl;

        if (msg_->size () < ping_ttl_len)
            return -1;

        // Get the remote heartbeat TTL to setup the timer
",
    },
    Patch {
        file: ZMTP,
        why: PING,
        old: "        remote_heartbeat_ttl *= 100;

        if (!_has_ttl_timer && remote_heartbeat_ttl > 0) {
            add_timer (remote_heartbeat_ttl, heartbeat_ttl_timer_id);
            _has_ttl_timer = true;
        }
",
        new: "        if (!_has_ttl_timer && remote_heartbeat_ttl > 0) {
            _ttl_interval = 100 * static_cast<int> (remote_heartbeat_ttl);
            add_timer (_ttl_interval, heartbeat_ttl_timer_id);
            _has_ttl_timer = true;
            _received_at_ttl = _received;
        }
",
    },
];
