//! Publishers: subscribers that do not keep up, and those that unsubscribe from what they never subscribed to.

use super::Patch;

const DIST: &str = "src/dist.cpp";
const HEADER: &str = "src/dist.hpp";

const FULL: &str = "subscribers that lost a message already";
const STRANGER: &str = "unsubscriptions of others";

pub const PATCHES: &[Patch] = &[
    Patch {
        file: HEADER,
        why: FULL,
        old: "    //  True if last we are in the middle of a multipart message.
    bool _more;
",
        new: "    //  True if last we are in the middle of a multipart message.
    bool _more;

    //  True if a pipe that should have matched is full since earlier.
    bool _skipped;
",
    },
    Patch {
        file: DIST,
        why: FULL,
        old: "    _matching (0), _active (0), _eligible (0), _more (false)
",
        new: "    _matching (0), _active (0), _eligible (0), _more (false), _skipped (false)
",
    },
    Patch {
        file: DIST,
        why: FULL,
        old: "    //  If the pipe isn't eligible, ignore it.
    if (_pipes.index (pipe_) >= _eligible)
        return;
",
        new: "    //  If the pipe isn't eligible, ignore it.
    if (_pipes.index (pipe_) >= _eligible) {
        _skipped = true;
        return;
    }
",
    },
    Patch {
        file: DIST,
        why: FULL,
        old: "void zmq::dist_t::unmatch ()
{
    _matching = 0;
",
        new: "void zmq::dist_t::unmatch ()
{
    _skipped = false;
    _matching = 0;
",
    },
    Patch {
        file: DIST,
        why: FULL,
        old: "bool zmq::dist_t::check_hwm ()
{
",
        new: "bool zmq::dist_t::check_hwm ()
{
    if (_skipped)
        return false;

",
    },
    Patch {
        file: "src/xpub.cpp",
        why: STRANGER,
        old: "                    //  TODO reconsider what to do if rm_result == mtrie_t::not_found
                    notify =
                      rm_result != mtrie_t::values_remain || _verbose_unsubs;
",
        new: "                    notify =
                      rm_result == mtrie_t::last_value_removed || _verbose_unsubs;
",
    },
];
