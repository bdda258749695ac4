/*  Gives C names to functions that libzmq 4.3.5 always defines but, without its
    draft API, declares as C++ (src/zmq_draft.h); and makes small messages
    without an allocation for each.                                           */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#ifndef _WIN32
#include <sys/mman.h>
#endif

#include <atomic>
#include <new>

#include "precompiled.hpp"
#include "msg.hpp"
#include "socket_base.hpp"
#include "zmq_draft.h"

/*  Small messages share slabs of memory. A thread takes them from its slab one
    after the other; whoever closes a message, most often an I/O thread, counts
    it out of the slab; and the last one out gives the slab back. So malloc, which
    two threads would meet in for each message, is asked once for many. A message
    that is kept keeps its slab: 16 KiB at most.                              */

namespace {
typedef zmq::msg_t::content_t content_t;

const size_t slab_size = 16 * 1024;
/*  Larger ones are malloc's.                                                 */
const size_t largest_in_slab = 1536;
/*  More than there are messages in a slab: while it is a thread's own, it is not
    given back.                                                               */
const uint32_t head_start = 0x40000000;

struct slab_t {
    std::atomic<uint32_t> users;
};

/*  Messages begin behind the counter, on a line of their own.                */
const size_t slab_header = 64;

struct supply_t {
    char *slab;
    char *next;
    char *end;
    uint32_t made;
    bool over;
};

/*  Of a trivial type, so that no access asks whether it was constructed.     */
thread_local supply_t supply = {NULL, NULL, NULL, 0, false};

slab_t *as_slab(char *slab_) { return reinterpret_cast<slab_t *>(slab_); }

void give_back(char *slab_, uint32_t users_) {
    if (as_slab(slab_)->users.fetch_sub(users_, std::memory_order_acq_rel) == users_) {
        as_slab(slab_)->~slab_t();
        free(slab_);
    }
}

extern "C" void zmq_sys_close_in_slab(void *, void *slab_) { give_back(static_cast<char *>(slab_), 1); }

/*  Large messages take blocks, which stay for the next when they are closed:
    malloc gives such memory back to the system, and fetches it again page by page,
    which takes longer than to fill it. There are 4 MiB of them at most for the
    whole process: what they cannot hold is malloc's, as where many messages wait.
    They are the system's own, since one in malloc's memory could hold on to all
    that lies below it. There is no lock, so that a fork finds none taken.    */
#if !defined ZMQ_HAVE_WINDOWS && !defined __SANITIZE_ADDRESS__
#define ZMQ_SYS_BLOCKS
const size_t smallest_block = 32 * 1024;
const size_t largest_block = 2 * 1024 * 1024;
const size_t most_mapped = 4 * 1024 * 1024;
/*  Sizes of blocks: four for each power of two.                              */
const size_t block_sizes = 24;
const size_t kept_of_a_size = 32;

std::atomic<char *> blocks[block_sizes][kept_of_a_size];
/*  How many bytes are in blocks, and how many blocks wait for a message.     */
std::atomic<size_t> mapped;
std::atomic<size_t> kept;

/*  The size of the block for so many bytes, and its number.                  */
size_t block_size(size_t bytes_, size_t *number_) {
    size_t power = smallest_block;
    size_t number = 0;
    while (power * 2 < bytes_) {
        power *= 2;
        number += 4;
    }
    const size_t step = power / 4;
    const size_t steps = bytes_ > power ? (bytes_ - power + step - 1) / step : 1;
    *number_ = number + steps - 1;
    return power + steps * step;
}

size_t size_of_blocks(size_t number_) {
    const size_t power = smallest_block << number_ / 4;
    return power + (number_ % 4 + 1) * (power / 4);
}

/*  The system joins mappings that touch, and refuses to take one apart where a
    process has as many as it may: such a block is lost, and stays counted.   */
void unmap_block(char *block_, size_t size_) {
    if (munmap(block_, size_) == 0)
        mapped.fetch_sub(size_, std::memory_order_relaxed);
}

char *take_kept(size_t number_) {
    for (size_t i = 0; i < kept_of_a_size; ++i) {
        if (!blocks[number_][i].load(std::memory_order_relaxed))
            continue;
        char *const block = blocks[number_][i].exchange(NULL, std::memory_order_acquire);
        if (block) {
            kept.fetch_sub(1, std::memory_order_relaxed);
            return block;
        }
    }
    return NULL;
}

/*  Blocks of other sizes that wait make way for one of so many bytes.        */
void make_room(size_t size_) {
    for (size_t number = 0; number < block_sizes; ++number)
        while (kept.load(std::memory_order_relaxed) > 0 &&
               mapped.load(std::memory_order_relaxed) + size_ > most_mapped) {
            char *const block = take_kept(number);
            if (!block)
                break;
            unmap_block(block, size_of_blocks(number));
        }
}

/*  NULL where there is none to be had.                                       */
char *take_block(size_t size_, size_t number_) {
    if (kept.load(std::memory_order_relaxed) > 0) {
        char *const block = take_kept(number_);
        if (block)
            return block;
    }
    make_room(size_);
    if (mapped.fetch_add(size_, std::memory_order_relaxed) + size_ <= most_mapped) {
        void *const block = mmap(NULL, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block != MAP_FAILED)
            return static_cast<char *>(block);
    }
    mapped.fetch_sub(size_, std::memory_order_relaxed);
    return NULL;
}

void give_back_block(char *block_, size_t size_, size_t number_) {
    /*  Before it can be taken, so that the number does not fall below zero.  */
    kept.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = 0; i < kept_of_a_size; ++i) {
        char *none = NULL;
        if (!blocks[number_][i].load(std::memory_order_relaxed) &&
            blocks[number_][i].compare_exchange_strong(none, block_, std::memory_order_release,
                                                       std::memory_order_relaxed))
            return;
    }
    kept.fetch_sub(1, std::memory_order_relaxed);
    unmap_block(block_, size_);
}

extern "C" void zmq_sys_close_block(void *, void *block_) {
    const size_t size = *static_cast<size_t *>(block_);
    size_t number;
    block_size(size, &number);
    give_back_block(static_cast<char *>(block_), size, number);
}

/*  In front of a message in a block.                                         */
const size_t block_header = 16;
#endif

/*  The thread ends: its slab is left to the messages in it.                  */
struct ending_t {
    ~ending_t() {
        if (supply.slab)
            give_back(supply.slab, head_start - supply.made);
        supply.slab = supply.next = supply.end = NULL;
        supply.over = true;
    }
    void known() {}
};
thread_local ending_t ending;

/*  A slab with room, in place of the full one. False where there is none.    */
__attribute__((noinline)) bool renew() {
    if (supply.over)
        return false;
    ending.known();
    if (supply.slab) {
        const uint32_t unused = head_start - supply.made;
        if (as_slab(supply.slab)->users.load(std::memory_order_acquire) == unused) {
            /*  All of its messages are closed: it is ours alone.             */
            as_slab(supply.slab)->users.store(head_start, std::memory_order_relaxed);
            supply.next = supply.slab + slab_header;
            supply.made = 0;
            return true;
        }
        give_back(supply.slab, unused);
        supply.slab = supply.next = supply.end = NULL;
    }
    char *const slab = static_cast<char *>(malloc(slab_size));
    if (!slab)
        return false;
    new (slab) slab_t;
    as_slab(slab)->users.store(head_start, std::memory_order_relaxed);
    supply.slab = slab;
    supply.next = slab + slab_header;
    supply.end = slab + slab_size;
    supply.made = 0;
    return true;
}
} // namespace

extern "C" {

int zmq_sys_msg_init_size(zmq_msg_t *msg_, size_t size_) {
    zmq::msg_t *const msg = reinterpret_cast<zmq::msg_t *>(msg_);
#ifndef __SANITIZE_ADDRESS__ /* which sees the end of an allocation only */
    if (size_ > static_cast<size_t>(zmq::msg_t::max_vsm_size) && size_ <= largest_in_slab) {
        const size_t taken = (sizeof(content_t) + size_ + 15) & ~static_cast<size_t>(15);
        if (static_cast<size_t>(supply.end - supply.next) >= taken || renew()) {
            content_t *const content = reinterpret_cast<content_t *>(supply.next);
            supply.next += taken;
            ++supply.made;
            return msg->init_external_storage(content, content + 1, size_, zmq_sys_close_in_slab, supply.slab);
        }
    }
#endif
#ifdef ZMQ_SYS_BLOCKS
    const size_t whole = block_header + sizeof(content_t) + size_;
    if (size_ >= smallest_block && size_ < largest_block && whole <= largest_block) {
        size_t number;
        const size_t taken = block_size(whole, &number);
        char *const block = take_block(taken, number);
        if (block) {
            *reinterpret_cast<size_t *>(block) = taken;
            content_t *const content = reinterpret_cast<content_t *>(block + block_header);
            return msg->init_external_storage(content, content + 1, size_, zmq_sys_close_block, block);
        }
    }
#endif
    return msg->init_size(size_);
}

void *zmq_sys_msg_renew(zmq_msg_t *msg_, size_t size_) {
    zmq::msg_t *const msg = reinterpret_cast<zmq::msg_t *>(msg_);
    msg->close();
    if (zmq_sys_msg_init_size(msg_, size_) == 0)
        return msg->data();
    msg->init();
    return NULL;
}

const void *zmq_sys_msg_look(const zmq_msg_t *msg_, size_t *size_, int *more_) {
    zmq::msg_t *const msg = reinterpret_cast<zmq::msg_t *>(const_cast<zmq_msg_t *>(msg_));
    *size_ = msg->size();
    *more_ = msg->flags() & zmq::msg_t::more;
    return msg->data();
}

int zmq_sys_socket_monitor_versioned(void *s_, const char *addr_, uint64_t events_, int event_version_, int type_) {
    return zmq_socket_monitor_versioned(s_, addr_, events_, event_version_, type_);
}

int zmq_sys_ctx_set_ext(void *context_, int option_, const void *optval_, size_t optvallen_) {
    return zmq_ctx_set_ext(context_, option_, optval_, optvallen_);
}

int zmq_sys_ctx_get_ext(void *context_, int option_, void *optval_, size_t *optvallen_) {
    return zmq_ctx_get_ext(context_, option_, optval_, optvallen_);
}

int zmq_sys_socket_get_peer_state(void *socket_, const void *routing_id_, size_t routing_id_size_) {
    return zmq_socket_get_peer_state(socket_, routing_id_, routing_id_size_);
}

void zmq_sys_gather(void *socket_, int gathers_) { static_cast<zmq::socket_base_t *>(socket_)->gather(gathers_ != 0); }

int zmq_sys_msg_init_buffer(zmq_msg_t *msg_, const void *buf_, size_t size_) {
    return zmq_msg_init_buffer(msg_, buf_, size_);
}
}

namespace {
typedef int (*parting_fn)(int, const unsigned char *, size_t, int);
std::atomic<parting_fn> parting(NULL);
} // namespace

extern "C" void zmq_sys_set_parting(parting_fn parting_) { parting.store(parting_, std::memory_order_release); }

/*  Called by an engine that ends (build/patches/engine.rs).                  */
extern "C" int zmq_sys_part(int fd_, const unsigned char *rest_, size_t size_, int linger_) {
    const parting_fn takes_over = parting.load(std::memory_order_acquire);
    return takes_over ? takes_over(fd_, rest_, size_, linger_) : 0;
}
