//! What a small message costs on its way in, where two threads share it: fewer writes to what both of them count in.

use super::Patch;

const PLAIN: &str = "received messages without properties";
const BLOCKS: &str = "large messages are received into blocks that are used again";
const COUNTED_AT_ONCE: &str = "messages of a buffer are counted at once";

pub const PATCHES: &[Patch] = &[
    // ZMQ_SYS_PLAIN_MESSAGES. Each received message holds a reference to the properties of its connection (Peer-Address,
    // User-Id, the descriptor), counted by the thread that reads it and the one that receives it. Who does not ask for
    // them does without.
    Patch {
        file: "src/options.hpp",
        why: PLAIN,
        old: "    // Use zero copy strategy for storing message content when decoding.
    bool zero_copy;
",
        new: "    // Use zero copy strategy for storing message content when decoding.
    bool zero_copy;

    // Received messages tell nothing of the connection that brought them.
    bool plain_messages;
",
    },
    Patch {
        file: "src/options.cpp",
        why: PLAIN,
        old: "    zero_copy (true),
",
        new: "    zero_copy (true),
    plain_messages (false),
",
    },
    Patch {
        file: "src/options.cpp",
        why: PLAIN,
        old: "        case 1000002: // ZMQ_SYS_BATCH_SIZE
",
        new: "        case 1000003: // ZMQ_SYS_PLAIN_MESSAGES
            if (is_int && (value == 0 || value == 1)) {
                plain_messages = value == 1;
                return 0;
            }
            break;

        case 1000002: // ZMQ_SYS_BATCH_SIZE
",
    },
    Patch {
        file: "src/stream_engine_base.cpp",
        why: PLAIN,
        old: "    if (_metadata)
        msg_->set_metadata (_metadata);
",
        new: "    if (_metadata && !_options.plain_messages)
        msg_->set_metadata (_metadata);
",
    },
    // Those that do not fit into the buffer; see src/shim.cpp.
    Patch {
        file: "src/v2_decoder.cpp",
        why: BLOCKS,
        old: "        rc = _in_progress.init_size (static_cast<size_t> (msg_size_));
",
        new: "        rc = zmq_sys_msg_init_size (
          reinterpret_cast<zmq_msg_t *> (&_in_progress),
          static_cast<size_t> (msg_size_));
",
    },
    Patch {
        file: "src/v2_decoder.cpp",
        why: BLOCKS,
        old: "#include \"err.hpp\"
",
        new: "#include \"err.hpp\"

extern \"C\" int zmq_sys_msg_init_size (zmq_msg_t *msg_, size_t size_);
",
    },
    // A buffer's counter went up with each message in it, in the thread that reads, while the one that receives took it
    // down. Now it starts far above, and is brought to what it should be once, when the buffer is full.
    Patch {
        file: "src/decoder_allocators.hpp",
        why: COUNTED_AT_ONCE,
        old: "    zmq::msg_t::content_t *_msg_content;
    std::size_t _max_counters;
",
        new: "    zmq::msg_t::content_t *_msg_content;
    std::size_t _max_counters;

    //  What the counter of a buffer begins with: more than there can be
    //  messages in it, so that none of them ends it while it is ours.
    enum
    {
        head_start = 0x40000000
    };

    //  Messages that were made in the buffer.
    zmq::atomic_counter_t::integer_t _made;
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "    _max_counters ((_max_size + msg_t::max_vsm_size - 1) / msg_t::max_vsm_size)
",
        new: "    _max_counters ((_max_size + msg_t::max_vsm_size - 1) / msg_t::max_vsm_size),
    _made (0)
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "    _max_counters (max_messages_)
",
        new: "    _max_counters (max_messages_),
    _made (0)
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "        if (c->sub (1)) {
            // buffer is still",
        new: "        if (_made && c->sub (head_start - _made)) {
            // buffer is still",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "            release ();
        }
    }
",
        new: "            clear ();
        }
    }
",
    },
    // Called where one message takes the buffer over as a whole (raw_decoder_t).
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "    unsigned char *b = _buf;
    clear ();
",
        new: "    unsigned char *b = _buf;
    (reinterpret_cast<zmq::atomic_counter_t *> (b))
      ->sub (head_start - _made - 1);
    clear ();
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "        new (_buf) atomic_counter_t (1);
",
        new: "        new (_buf) atomic_counter_t (head_start);
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "        c->set (1);
    }
",
        new: "        if (_made)
            c->set (head_start);
    }
    _made = 0;
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "    if (_buf && !c->sub (1)) {
        c->~atomic_counter_t ();
        std::free (_buf);
    }
    clear ();
",
        new: "    if (_buf && !c->sub (head_start - _made)) {
        c->~atomic_counter_t ();
        std::free (_buf);
    }
    clear ();
",
    },
    Patch {
        file: "src/decoder_allocators.cpp",
        why: COUNTED_AT_ONCE,
        old: "    (reinterpret_cast<zmq::atomic_counter_t *> (_buf))->add (1);
",
        new: "    ++_made;
",
    },
];
