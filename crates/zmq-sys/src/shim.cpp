/*  Gives C names to functions that libzmq 4.3.5 always defines but, without its
    draft API, declares as C++ (src/zmq_draft.h).                             */

#include <stddef.h>
#include <stdint.h>

#include "zmq.h"
#include "zmq_draft.h"

extern "C" {

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

int zmq_sys_msg_init_buffer(zmq_msg_t *msg_, const void *buf_, size_t size_) {
    return zmq_msg_init_buffer(msg_, buf_, size_);
}
}
