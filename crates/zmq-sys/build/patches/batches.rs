//! How much goes into one system call of a connection: an option ZMQ_SYS_BATCH_SIZE, in bytes, 8192 unless set.
//!
//! libzmq gathers and reads 8 KiB at a time, and its own options for that (drafts) would make messages between 8 KiB and
//! their size cost a copy more: whatever fits into the buffer goes through the buffer. Here a message of 8 KiB or more
//! (ZMQ_SYS_LARGE) passes by it, as it does without the option: only what shares the buffer's first 8 KiB is copied.

use super::Patch;

const BATCHES: &str = "larger batches of small messages";

pub const PATCHES: &[Patch] = &[
    Patch {
        file: "src/options.cpp",
        why: BATCHES,
        old: "#ifdef ZMQ_BUILD_DRAFT_API
        case ZMQ_IN_BATCH_SIZE:
            if (is_int && value > 0) {
",
        new: "        case 1000002: // ZMQ_SYS_BATCH_SIZE
            if (is_int && value >= 8192) {
                in_batch_size = value;
                out_batch_size = value;
                return 0;
            }
            break;

#ifdef ZMQ_BUILD_DRAFT_API
        case ZMQ_IN_BATCH_SIZE:
            if (is_int && value > 0) {
",
    },
    Patch {
        file: "src/i_encoder.hpp",
        why: BATCHES,
        old: "    virtual void load_msg (msg_t *msg_) = 0;
",
        new: "    virtual void load_msg (msg_t *msg_) = 0;

    //  True while a message is not given out to its end.
    virtual bool unfinished () = 0;
",
    },
    Patch {
        file: "src/encoder.hpp",
        why: BATCHES,
        old: "template <typename T> class encoder_base_t : public i_encoder
{
",
        new: "//  A message of this size does without the buffer.
#define ZMQ_SYS_LARGE 8192u

template <typename T> class encoder_base_t : public i_encoder
{
",
    },
    Patch {
        file: "src/encoder.hpp",
        why: BATCHES,
        old: "            if (!pos && !*data_ && _to_write >= buffersize) {
                *data_ = _write_pos;
",
        new: "            if (!pos && !*data_
                && _to_write >= std::min (
                     buffersize, static_cast<size_t> (ZMQ_SYS_LARGE))) {
                *data_ = _write_pos;
",
    },
    Patch {
        file: "src/encoder.hpp",
        why: BATCHES,
        old: "            const size_t to_copy = std::min (_to_write, buffersize - pos);
            memcpy (buffer + pos, _write_pos, to_copy);
",
        new: "            size_t to_copy = std::min (_to_write, buffersize - pos);
            if (_to_write >= ZMQ_SYS_LARGE) {
                //  What is in the buffer goes first, the rest without a copy.
                //  There is something: the message's own header, at least.
                const size_t filled =
                  static_cast<size_t> (buffer - _buf) + pos;
                if (filled >= ZMQ_SYS_LARGE)
                    break;
                to_copy = std::min (to_copy, ZMQ_SYS_LARGE - filled);
            }
            memcpy (buffer + pos, _write_pos, to_copy);
",
    },
    Patch {
        file: "src/encoder.hpp",
        why: BATCHES,
        old: "        (static_cast<T *> (this)->*_next) ();
    }

  protected:
",
        new: "        (static_cast<T *> (this)->*_next) ();
    }

    bool unfinished () ZMQ_FINAL { return _in_progress != NULL; }

  protected:
",
    },
    Patch {
        file: "src/stream_engine_base.cpp",
        why: BATCHES,
        old: "        while (_outsize < static_cast<size_t> (_options.out_batch_size)) {
",
        new: "        while (_outsize < static_cast<size_t> (_options.out_batch_size)
               && !_encoder->unfinished ()) {
",
    },
    Patch {
        file: "src/decoder.hpp",
        why: BATCHES,
        old: "        _next (NULL), _read_pos (NULL), _to_read (0), _allocator (buf_size_)
    {
",
        new: "        _next (NULL),
        _read_pos (NULL),
        _to_read (0),
        _was_large (false),
        _allocator (buf_size_)
    {
",
    },
    Patch {
        file: "src/decoder.hpp",
        why: BATCHES,
        old: "        if (_to_read >= _allocator.size ()) {
            *data_ = _read_pos;
            *size_ = _to_read;
            return;
        }

        *data_ = _buf;
        *size_ = _allocator.size ();
",
        new: "        const std::size_t large =
          std::min (_allocator.size (), static_cast<std::size_t> (8192));
        if (_to_read >= large) {
            *data_ = _read_pos;
            *size_ = _to_read;
            _was_large = true;
            return;
        }

        *data_ = _buf;
        //  Where large ones come one after the other, little of the next one
        //  is to land in the buffer.
        *size_ = _was_large ? large : _allocator.size ();
        _was_large = false;
",
    },
    Patch {
        file: "src/decoder.hpp",
        why: BATCHES,
        old: "    //  How much data to read before taking next step.
    std::size_t _to_read;
",
        new: "    //  How much data to read before taking next step.
    std::size_t _to_read;

    //  The last message was read past the buffer.
    bool _was_large;
",
    },
];
