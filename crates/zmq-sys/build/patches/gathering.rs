//! Several messages for one wake-up: between `zmq_sys_gather` with 1 and with 0, what a publisher or a dealer sends is
//! written to its pipes, and the other ends hear of it at the end, once each. libzmq tells them of every message, which
//! wakes an I/O thread that keeps up for each.

use super::Patch;

const GATHERING: &str = "one wake-up for several messages";

pub const PATCHES: &[Patch] = &[
    Patch {
        file: "src/pipe.hpp",
        why: GATHERING,
        old: "    //  Flush the messages downstream.
    void flush ();
",
        new: "    //  Flush the messages downstream.
    void flush ();

    //  Held by a flushing_t: written to, and to be flushed yet.
    bool held;
",
    },
    Patch {
        file: "src/pipe.cpp",
        why: GATHERING,
        old: "    object_t (parent_),
    _in_pipe (inpipe_),
",
        new: "    object_t (parent_),
    held (false),
    _in_pipe (inpipe_),
",
    },
    Patch {
        file: "src/pipe.hpp",
        why: GATHERING,
        old: "void send_routing_id (pipe_t *pipe_, const options_t &options_);
",
        new: "//  Flushes pipes at once, or, while it gathers, at the end of that. A pipe
//  that is terminated has been flushed by that (its delimiter), and is forgotten.
class flushing_t
{
  public:
    flushing_t () : _gathers (false) {}

    void flush (pipe_t *pipe_)
    {
        if (!_gathers)
            pipe_->flush ();
        else if (!pipe_->held) {
            _held.push_back (pipe_);
            pipe_->held = true;
        }
    }

    void gather (bool gathers_)
    {
        _gathers = gathers_;
        if (gathers_)
            return;
        for (std::vector<pipe_t *>::size_type i = 0; i < _held.size (); ++i) {
            _held[i]->held = false;
            _held[i]->flush ();
        }
        _held.clear ();
    }

    void forget (pipe_t *pipe_)
    {
        if (!pipe_->held)
            return;
        pipe_->held = false;
        for (std::vector<pipe_t *>::size_type i = 0; i < _held.size (); ++i)
            if (_held[i] == pipe_) {
                _held[i] = _held.back ();
                _held.pop_back ();
                return;
            }
    }

  private:
    bool _gathers;
    std::vector<pipe_t *> _held;

    ZMQ_NON_COPYABLE_NOR_MOVABLE (flushing_t)
};

void send_routing_id (pipe_t *pipe_, const options_t &options_);
",
    },
    Patch {
        file: "src/dist.hpp",
        why: GATHERING,
        old: "#include \"array.hpp\"
",
        new: "#include \"array.hpp\"
#include \"pipe.hpp\"
",
    },
    Patch {
        file: "src/dist.hpp",
        why: GATHERING,
        old: "    //  Put the message to all active pipes.
    void distribute (zmq::msg_t *msg_);
",
        new: "    //  Put the message to all active pipes.
    void distribute (zmq::msg_t *msg_);

    flushing_t _flushing;

  public:
    void gather (bool gathers_) { _flushing.gather (gathers_); }

  private:
",
    },
    Patch {
        file: "src/dist.cpp",
        why: GATHERING,
        old: "        pipe_->flush ();
    return true;
",
        new: "        _flushing.flush (pipe_);
    return true;
",
    },
    Patch {
        file: "src/dist.cpp",
        why: GATHERING,
        old: "    _pipes.erase (pipe_);
",
        new: "    _pipes.erase (pipe_);
    _flushing.forget (pipe_);
",
    },
    Patch {
        file: "src/lb.hpp",
        why: GATHERING,
        old: "#include \"array.hpp\"
",
        new: "#include \"array.hpp\"
#include \"pipe.hpp\"
",
    },
    Patch {
        file: "src/lb.hpp",
        why: GATHERING,
        old: "    bool has_out ();

  private:
",
        new: "    bool has_out ();

    void gather (bool gathers_) { _flushing.gather (gathers_); }

  private:
    flushing_t _flushing;

",
    },
    Patch {
        file: "src/lb.cpp",
        why: GATHERING,
        old: "        _pipes[_current]->flush ();
",
        new: "        _flushing.flush (_pipes[_current]);
",
    },
    Patch {
        file: "src/lb.cpp",
        why: GATHERING,
        old: "    _pipes.erase (pipe_);
",
        new: "    _pipes.erase (pipe_);
    _flushing.forget (pipe_);
",
    },
    Patch {
        file: "src/socket_base.hpp",
        why: GATHERING,
        old: "    virtual void xpipe_terminated (pipe_t *pipe_) = 0;
",
        new: "    virtual void xpipe_terminated (pipe_t *pipe_) = 0;

    //  What is sent from here on is told to the other ends when this is
    //  called again, with false. Socket types that cannot do it tell at once.
    virtual void xgather (bool) {}

  public:
    //  Commands are looked for at the beginning, and not at each send.
    void gather (bool gathers_)
    {
        if (gathers_)
            process_commands (0, true);
        _gathers = gathers_;
        xgather (gathers_);
    }

  protected:
",
    },
    Patch {
        file: "src/socket_base.hpp",
        why: GATHERING,
        old: "    uint64_t _last_tsc;
",
        new: "    uint64_t _last_tsc;

    //  Between the two calls of gather.
    bool _gathers;
",
    },
    Patch {
        file: "src/socket_base.cpp",
        why: GATHERING,
        old: "    int rc = process_commands (0, true);
    if (unlikely (rc != 0)) {
        return -1;
    }

    //  Clear any user-visible flags that are set on the message.
",
        new: "    int rc = _gathers ? 0 : process_commands (0, true);
    if (unlikely (rc != 0)) {
        return -1;
    }

    //  Clear any user-visible flags that are set on the message.
",
    },
    Patch {
        file: "src/socket_base.cpp",
        why: GATHERING,
        old: "    _last_tsc (0),
",
        new: "    _last_tsc (0),
    _gathers (false),
",
    },
    Patch {
        file: "src/xpub.hpp",
        why: GATHERING,
        old: "    void xpipe_terminated (zmq::pipe_t *pipe_) ZMQ_FINAL;
",
        new: "    void xpipe_terminated (zmq::pipe_t *pipe_) ZMQ_FINAL;
    void xgather (bool gathers_) ZMQ_FINAL { _dist.gather (gathers_); }
",
    },
    Patch {
        file: "src/dealer.hpp",
        why: GATHERING,
        old: "  protected:
    //  Overrides of functions from socket_base_t.
",
        new: "  protected:
    void xgather (bool gathers_) ZMQ_FINAL { _lb.gather (gathers_); }

    //  Overrides of functions from socket_base_t.
",
    },
];
