//! Handshakes with CURVE, and with a ZAP handler.

use super::Patch;

const WEAK_KEY: &str = "a server's key without strength";
const STALE_ZAP: &str = "ZAP replies for an earlier connection";

pub const PATCHES: &[Patch] = &[
    // libsodium refuses a transient key of zero (and its kin); whoever holds the server's secret key could end clients.
    Patch {
        file: "src/curve_client_tools.hpp",
        why: WEAK_KEY,
        old: "        rc = crypto_box_beforenm (cn_precom_, cn_server_, cn_secret_);
        zmq_assert (rc == 0);
",
        new: "        rc = crypto_box_beforenm (cn_precom_, cn_server_, cn_secret_);
        if (rc != 0) {
            errno = EPROTO;
            return -1;
        }
",
    },
    // A connecting session keeps its pipe to the ZAP handler over reconnections. A reply to the earlier connection's
    // question then reached an engine without a mechanism (abort), or let the later connection in.
    Patch {
        file: "src/session_base.cpp",
        why: STALE_ZAP,
        old: "    reset ();

    //  Reconnect.
",
        new: "    //  What the ZAP handler has still to say is about the lost connection.
    if (_zap_pipe) {
        _zap_pipe->terminate (false);
        _terminating_pipes.insert (_zap_pipe);
        _zap_pipe = NULL;
    }

    reset ();

    //  Reconnect.
",
    },
];
