/* dividere: typed protobuf messages over ZeroMQ.
 *
 * Made from src/ffi by `make header`; do not edit. SPDX-License-Identifier: Apache-2.0
 *
 * What holds for every function, and is not repeated at each:
 *
 * Handles (dividere_publisher_t and so on) are numbers in a struct of their own, passed by value; 0 is none.
 * Any thread may use one, with any number of calls at once. _new makes one, _close ends it: blocked calls
 * return CLOSED, and so does every later use. The number of another kind is INVALID_ARGUMENT, one from before
 * a fork FORKED. Closing none, or a closed one, does no harm.
 *
 * Objects (dividere_message_t, dividere_options_t) are pointers and belong to one thread at a time. _free of
 * NULL does nothing. A send that consumes a message does so on success only.
 *
 * What can fail returns a status; dividere_last_error() has the words. NULL where something has to be is
 * NULL_POINTER. Numbers out are written on success only; handles and pointers out are none on failure.
 *
 * Strings in are NUL-terminated UTF-8. Bytes in are pointer and length; the pointer may be NULL where the
 * length is 0. Strings out go into the caller's buffer as snprintf does it: cut where they do not fit,
 * NUL-terminated, the whole length told. Names and bytes off the wire go out as pointer and length, not
 * NUL-terminated, valid until their message is changed, sent or freed. Booleans and constants come in as
 * int32_t and are checked.
 *
 * Timeouts are milliseconds: negative waits without limit, 0 does not wait. TIMEOUT where the time was over,
 * WOULD_BLOCK where there was none; signals cut no wait short, but see dividere_interrupt_waits.
 *
 * A callback is a function, its context, and a destructor for the context, which may be NULL and is called
 * exactly once, after the last call has returned, also when registering failed. Callbacks run with no lock
 * held and may call anything, closing included. No exception may leave one. */

#ifndef DIVIDERE_H
#define DIVIDERE_H

#include <stddef.h>
#include <stdint.h>

/** Version of this header. Changes when programs have to be changed. */
#define DIVIDERE_VERSION_MAJOR 3

/** Version of this header. Changes when something was added. */
#define DIVIDERE_VERSION_MINOR 0

/** Version of this header. Changes when something was mended. */
#define DIVIDERE_VERSION_PATCH 0

/**
 * The outcome of a call, as a dividere_status_t. The numbers are never changed, and never
 * used again for something else; a later version may add some.
 */
enum dividere_status {
    /** It worked. */
    DIVIDERE_OK = 0,
    /** An argument or an option is outside of what is allowed; the text names it. */
    DIVIDERE_INVALID_ARGUMENT = 100,
    /** A pointer that has to point somewhere was NULL. */
    DIVIDERE_NULL_POINTER = 101,
    /** There was no memory left for it. */
    DIVIDERE_OUT_OF_MEMORY = 102,
    /** The process ran out of descriptors or sockets, or the far side has a limit that would be exceeded. */
    DIVIDERE_LIMIT = 103,
    /** The time given was over before it happened. */
    DIVIDERE_TIMEOUT = 200,
    /** It cannot be done at once, and the caller asked not to wait. */
    DIVIDERE_WOULD_BLOCK = 201,
    /** The handle is closed, or was closed during the call. */
    DIVIDERE_CLOSED = 202,
    /** The handle belongs to the process that this one was forked from. */
    DIVIDERE_FORKED = 203,
    /** The call was given up on request. */
    DIVIDERE_CANCELLED = 204,
    /** Not in this state: the order of send and receive was broken, or a reactor has the socket. */
    DIVIDERE_STATE = 205,
    /** The endpoint is malformed, or it makes no sense for this role. */
    DIVIDERE_ENDPOINT = 300,
    /** Another socket is bound to the address. */
    DIVIDERE_ADDRESS_IN_USE = 301,
    /** The host, the address or the network device cannot be reached or does not exist. */
    DIVIDERE_UNREACHABLE = 302,
    /** The other side refused our key, or the system refused the access. */
    DIVIDERE_PERMISSION = 303,
    /** The handshake failed for another reason than a refused key. */
    DIVIDERE_HANDSHAKE = 304,
    /** The message is larger than the maximum message size. */
    DIVIDERE_TOO_LARGE = 305,
    /** The bytes are not an envelope, or not a message of the type that they name. */
    DIVIDERE_DECODE = 400,
    /** The message is of another type than the one asked for. */
    DIVIDERE_TYPE = 401,
    /** Nothing has that name. */
    DIVIDERE_NOT_FOUND = 500,
    /** The far side has no capacity for it now. */
    DIVIDERE_BUSY = 501,
    /** The handler on the far side failed. */
    DIVIDERE_REMOTE = 502,
    /** This build, or the libzmq underneath, cannot do it. */
    DIVIDERE_UNSUPPORTED = 900,
    /** A fault in dividere itself. */
    DIVIDERE_INTERNAL = 901,
};

/**
 * One of the sockets of a broker.
 */
enum dividere_broker_side
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Where clients connect to.
     */
    DIVIDERE_BROKER_SIDE_FRONT = 1,
    /**
     * Where workers connect to.
     */
    DIVIDERE_BROKER_SIDE_BACK = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_broker_side dividere_broker_side;
#else
typedef int32_t dividere_broker_side;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What happened. Over inproc there are no events.
 */
enum dividere_event
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * A connection is ready: the handshake succeeded, on the side that tells.
     */
    DIVIDERE_EVENT_CONNECTED = 1,
    /**
     * A peer reached a bound endpoint; its handshake is still to come.
     */
    DIVIDERE_EVENT_ACCEPTED = 2,
    /**
     * An established connection ended.
     */
    DIVIDERE_EVENT_DISCONNECTED = 3,
    /**
     * A connection attempt failed; the next one follows.
     */
    DIVIDERE_EVENT_RETRIED = 4,
    /**
     * An endpoint is bound.
     */
    DIVIDERE_EVENT_LISTENING = 5,
    /**
     * A peer was there, but the two sides cannot talk: keys, mechanism or role.
     */
    DIVIDERE_EVENT_HANDSHAKE_FAILED = 6,
    /**
     * An endpoint was closed by this side.
     */
    DIVIDERE_EVENT_CLOSED = 7,
    /**
     * The events of the socket cannot be read any more; none follows.
     */
    DIVIDERE_EVENT_MONITOR_LOST = 8,
    /**
     * A peer that arrived could not be taken in: mostly, no descriptors left.
     */
    DIVIDERE_EVENT_ACCEPT_FAILED = 9,
    /**
     * A connection that the transport had given up for good was begun anew.
     */
    DIVIDERE_EVENT_RESTARTED = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_event dividere_event;
#else
typedef int32_t dividere_event;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a full queue does: values of DIVIDERE_OPTION_FULL_QUEUE.
 */
enum dividere_full_queue
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * What is usual for the role: a publisher drops, all others block.
     */
    DIVIDERE_FULL_QUEUE_USUAL = 0,
    /**
     * Gives the message up, and counts it.
     */
    DIVIDERE_FULL_QUEUE_DROP = 1,
    /**
     * Waits for room, as long as the send timeout allows.
     */
    DIVIDERE_FULL_QUEUE_BLOCK = 2,
    /**
     * Returns WOULD_BLOCK.
     */
    DIVIDERE_FULL_QUEUE_FAIL = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_full_queue dividere_full_queue;
#else
typedef int32_t dividere_full_queue;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much a line of the log matters.
 */
enum dividere_log
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Something failed that no call could return.
     */
    DIVIDERE_LOG_ERROR = 1,
    /**
     * Something went wrong that mends itself, or that concerns one peer.
     */
    DIVIDERE_LOG_WARNING = 2,
    /**
     * Connections that come and go.
     */
    DIVIDERE_LOG_INFO = 3,
    /**
     * What helps to find a fault.
     */
    DIVIDERE_LOG_DEBUG = 4,
    /**
     * Everything.
     */
    DIVIDERE_LOG_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_log dividere_log;
#else
typedef int32_t dividere_log;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a message holds.
 */
enum dividere_message
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing: it is new, or was sent.
     */
    DIVIDERE_MESSAGE_EMPTY = 0,
    /**
     * Bytes without an envelope, or not looked at as one.
     */
    DIVIDERE_MESSAGE_BYTES = 1,
    /**
     * A protobuf message with its type name.
     */
    DIVIDERE_MESSAGE_TYPED = 2,
    /**
     * Received as a typed message, but not an envelope: type name and payload are not known, the
     * bytes are.
     */
    DIVIDERE_MESSAGE_UNDECODABLE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_message dividere_message;
#else
typedef int32_t dividere_message;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which option, how it is set (number, text, bytes), and what it is unless set.
 */
enum dividere_option
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Number: messages that may wait to be sent to one peer; 0 for no limit. 1000 unless set.
     */
    DIVIDERE_OPTION_SEND_HIGH_WATER_MARK = 1,
    /**
     * Number: messages of one peer that may wait to be received; 0 for no limit. 1000 unless set.
     */
    DIVIDERE_OPTION_RECEIVE_HIGH_WATER_MARK = 2,
    /**
     * Number, milliseconds: how long close, flush and a normal exit send what was accepted. 1000 unless set.
     */
    DIVIDERE_OPTION_LINGER_MS = 3,
    /**
     * Number, milliseconds: how often a silent peer is asked whether it is there; 0 never. 1000 unless set.
     */
    DIVIDERE_OPTION_HEARTBEAT_INTERVAL_MS = 4,
    /**
     * Number, milliseconds: how long a peer may take to answer that. 3000 unless set.
     */
    DIVIDERE_OPTION_HEARTBEAT_TIMEOUT_MS = 5,
    /**
     * Number, milliseconds: the first pause before connecting again; it doubles each time. 50 unless set.
     */
    DIVIDERE_OPTION_RECONNECT_INTERVAL_MS = 6,
    /**
     * Number, milliseconds: the longest such pause; 0 when it shall not grow. 1000 unless set.
     */
    DIVIDERE_OPTION_RECONNECT_INTERVAL_MAX_MS = 7,
    /**
     * Number, milliseconds: how long one attempt to connect may take; 0 for the system's time. 5000 unless set.
     */
    DIVIDERE_OPTION_CONNECT_TIMEOUT_MS = 8,
    /**
     * Number, milliseconds: how long the handshake after it may take. 5000 unless set.
     */
    DIVIDERE_OPTION_HANDSHAKE_TIMEOUT_MS = 9,
    /**
     * Number, milliseconds: how long a send waits where a full queue blocks; -1 without limit. 10000 unless set.
     */
    DIVIDERE_OPTION_SEND_TIMEOUT_MS = 10,
    /**
     * 0 or 1: whether the system looks for dead TCP connections. 0 unless set.
     */
    DIVIDERE_OPTION_TCP_KEEPALIVE = 11,
    /**
     * Number, seconds: silence before TCP keepalive asks; 0 for the system's value.
     */
    DIVIDERE_OPTION_TCP_KEEPALIVE_IDLE_S = 12,
    /**
     * Number, seconds: between two of its questions; 0 for the system's value.
     */
    DIVIDERE_OPTION_TCP_KEEPALIVE_INTERVAL_S = 13,
    /**
     * Number: questions that may stay without an answer; 0 for the system's value.
     */
    DIVIDERE_OPTION_TCP_KEEPALIVE_COUNT = 14,
    /**
     * 0 or 1: whether IPv6 is used beside IPv4. 1 unless set.
     */
    DIVIDERE_OPTION_IPV6 = 15,
    /**
     * Number, bytes: the largest frame sent or received; 0 for no limit. 67108864 unless set.
     */
    DIVIDERE_OPTION_MAX_MESSAGE_SIZE = 16,
    /**
     * Text or bytes, 1 to 255 bytes, the first one not 0: the name under which peers route to this handle.
     */
    DIVIDERE_OPTION_IDENTITY = 17,
    /**
     * 0 or 1: whether a subscriber keeps only the newest message. 0 unless set.
     */
    DIVIDERE_OPTION_KEEP_LATEST = 18,
    /**
     * Number or text: what a full queue does: 1 "drop", 2 "block", 3 "fail"; 0 for what is usual for the role.
     */
    DIVIDERE_OPTION_FULL_QUEUE = 19,
    /**
     * Number: connections that may wait to be accepted; 0 for libzmq's value.
     */
    DIVIDERE_OPTION_BACKLOG = 20,
    /**
     * Number: the type-of-service field of IP packets; 0 for the system's value.
     */
    DIVIDERE_OPTION_TYPE_OF_SERVICE = 21,
    /**
     * Key (40 characters of Z85, or 32 bytes): makes the handle a CURVE server.
     */
    DIVIDERE_OPTION_CURVE_SERVER_SECRET_KEY = 30,
    /**
     * Key: the public key of a CURVE client; it may be left out, as it follows from the secret one.
     */
    DIVIDERE_OPTION_CURVE_CLIENT_PUBLIC_KEY = 31,
    /**
     * Key: the secret key of a CURVE client.
     */
    DIVIDERE_OPTION_CURVE_CLIENT_SECRET_KEY = 32,
    /**
     * Key: makes the handle a CURVE client of the server that has this public key.
     */
    DIVIDERE_OPTION_CURVE_SERVER_PUBLIC_KEY = 33,
    /**
     * Key: lets the client with this public key in. Set once for each client.
     */
    DIVIDERE_OPTION_CURVE_ALLOWED_KEY = 34,
    /**
     * 0 or 1: whether a CURVE server lets in every client that knows its public key. 0 unless set.
     */
    DIVIDERE_OPTION_CURVE_ALLOW_ANY = 35,
    /**
     * Number: threads that move bytes. Of the process. 1 unless set.
     */
    DIVIDERE_OPTION_IO_THREADS = 100,
    /**
     * Number: sockets at once. Of the process. 65535 unless set.
     */
    DIVIDERE_OPTION_MAX_SOCKETS = 101,
    /**
     * Text, 1 to 8 bytes: how the names of our threads begin. Of the process. "dividere" unless set.
     */
    DIVIDERE_OPTION_THREAD_NAME_PREFIX = 102,
    /**
     * Text: where a registry publishes that services shall register again (server), or a registry of
     * dividere 2.2.0 does (client). Unless set the port after that of the requests.
     */
    DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT = 200,
    /**
     * Number, milliseconds: how long what a client registers outlives its process. 3000 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_LEASE_MS = 201,
    /**
     * Number, milliseconds: the shortest lease that a registry grants. 200 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_LEASE_MIN_MS = 202,
    /**
     * Number, milliseconds: the longest lease that a registry grants. 3600000 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_LEASE_MAX_MS = 203,
    /**
     * Number: instances that a registry keeps in total. 250000 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES = 204,
    /**
     * Number: instances that a registry keeps of one name. 1000 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_MAX_INSTANCES_PER_NAME = 205,
    /**
     * Number, bytes: metadata that a registry keeps of one instance. 4096 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_MAX_METADATA_BYTES = 206,
    /**
     * Number: watches that a registry serves at once. 10000 unless set.
     */
    DIVIDERE_OPTION_REGISTRY_MAX_WATCHES = 207,
    /**
     * Text: the host name or address under which a client registers its services. Unless set the one that
     * reaches the registry.
     */
    DIVIDERE_OPTION_REGISTRY_ADVERTISE = 208,
    /**
     * Number, milliseconds: how often a broker asks its workers whether they are there; one that is silent for
     * twice that is dead. Of workers, too. 3000 unless set.
     */
    DIVIDERE_OPTION_WORKER_HEARTBEAT_MS = 300,
    /**
     * Number, milliseconds: how long a worker that cannot answer while it works (of dividere 2.2.0) keeps a
     * request. Of brokers. 60000 unless set.
     */
    DIVIDERE_OPTION_WORKER_BUSY_LIMIT_MS = 301,
    /**
     * Number: requests that wait at a broker for a worker; beyond it they are refused as BUSY. 10000 unless set.
     */
    DIVIDERE_OPTION_BROKER_QUEUE_LIMIT = 302,
    /**
     * Number, bytes: what a broker keeps of requests, those in work included. 268435456 unless set.
     */
    DIVIDERE_OPTION_BROKER_QUEUE_BYTES = 303,
    /**
     * Number: requests that a worker has at once, 1 to 1024. 1 unless set.
     */
    DIVIDERE_OPTION_WORKER_CAPACITY = 304,
    /**
     * Number, bytes: requests that wait at a service for a worker; beyond it they are refused as BUSY. 268435456 unless
     * set.
     */
    DIVIDERE_OPTION_SERVICE_QUEUE_BYTES = 400,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_option dividere_option;
#else
typedef int32_t dividere_option;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a proxy passes on.
 */
enum dividere_proxy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Requests that come to the front end, to responses and dealers that connect to the back end; and their
     * replies (ROUTER and DEALER).
     */
    DIVIDERE_PROXY_REQUEST_RESPONSE = 1,
    /**
     * What publishers that connect to the front end publish, to subscribers that connect to the back end; and
     * their subscriptions (XSUB and XPUB).
     */
    DIVIDERE_PROXY_PUBLISH_SUBSCRIBE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_proxy dividere_proxy;
#else
typedef int32_t dividere_proxy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * One of the sockets of a proxy.
 */
enum dividere_proxy_side
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Where requests or publications come in.
     */
    DIVIDERE_PROXY_SIDE_FRONT = 1,
    /**
     * Where they go to.
     */
    DIVIDERE_PROXY_SIDE_BACK = 2,
    /**
     * Where copies of everything are published.
     */
    DIVIDERE_PROXY_SIDE_CAPTURE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_proxy_side dividere_proxy_side;
#else
typedef int32_t dividere_proxy_side;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What happened to an instance.
 */
enum dividere_watch
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is there: it was when the watch began, or it came, or it is another than before.
     */
    DIVIDERE_WATCH_PUT = 1,
    /**
     * It is gone.
     */
    DIVIDERE_WATCH_DELETE = 2,
    /**
     * What was there when the watch began was told. Comes once, also where nothing was there.
     */
    DIVIDERE_WATCH_COMPLETE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum dividere_watch dividere_watch;
#else
typedef int32_t dividere_watch;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Instances of services, in the order in which a registry told of them. Owned by one thread at a time.
 */
typedef struct dividere_instances_t dividere_instances_t;

/**
 * A message. Owned by one thread at a time; it may go from one to another. Made once and used
 * again and again, for sending and receiving alike.
 */
typedef struct dividere_message_t dividere_message_t;

/**
 * How a handle behaves, or, for dividere_configure, the process. Owned by one thread at a time; a
 * handle copies what it needs when it is made.
 */
typedef struct dividere_options_t dividere_options_t;

/**
 * The outcome of a call: DIVIDERE_OK (0), or one of the other constants of enum dividere_status,
 * which are positive. A later version may return numbers that this header does not have.
 */
typedef int32_t dividere_status_t;

/**
 * A CURVE key as NUL-terminated text: 40 characters of Z85 (ZeroMQ RFC 32).
 */
typedef struct dividere_key_t {
    /**
     * The characters, and a NUL.
     */
    char text[41];
} dividere_key_t;

/**
 * Takes a line of the log: its level (DIVIDERE_LOG_ERROR and so on), the part of dividere that it
 * comes from, and its text, both NUL-terminated and valid for the call. Runs on the thread that has
 * something to say, on several at once; may call anything.
 */
typedef void (*dividere_log_callback_t)(void *context,
                                        int32_t level,
                                        const char *target,
                                        const char *text);

/**
 * Ends the context of a callback: called exactly once, after the last call of the callback has
 * returned, on whichever thread that was; also when registering the callback failed. May call anything.
 */
typedef void (*dividere_destructor_t)(void *context);

/**
 * Everything in a message, without a copy: valid until the message is changed, sent or freed.
 * No pointer in it is NULL, and nothing in it is NUL-terminated.
 */
typedef struct dividere_view_t {
    /**
     * What it holds: DIVIDERE_MESSAGE_EMPTY and so on.
     */
    int32_t kind;
    /**
     * 1 where dividere_message_reply can still answer it, 0 where not.
     */
    int32_t can_reply;
    /**
     * Full name of the message's type; of length 0 unless the kind is TYPED.
     */
    const char *type_name;
    /**
     * Its length in bytes.
     */
    size_t type_name_len;
    /**
     * The serialised protobuf message; for all other kinds, all bytes.
     */
    const void *payload;
    /**
     * Its length in bytes.
     */
    size_t payload_len;
    /**
     * All bytes as they are on the wire: the envelope with its header.
     */
    const void *bytes;
    /**
     * Their number.
     */
    size_t bytes_len;
    /**
     * Number of frames in front of it that routed it here; see dividere_message_route.
     */
    size_t route_count;
    /**
     * The number that its sender gave it; 0 where it gave none.
     */
    uint64_t sequence;
    /**
     * For fields to come; 0.
     */
    uint64_t reserved[2];
} dividere_view_t;

/**
 * Any role, as what it shares with the others: publisher, subscriber, request, response, dealer. The
 * same handle in another struct: there is one thing to close, and either way closes it.
 */
typedef struct dividere_socket_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_socket_t;

/**
 * What was copied, and where to: of one message its type name, and right behind it its payload; of several messages
 * in a row that have the same type, the name once, and behind it their payloads (see `framed`). It stays as it is.
 */
typedef struct dividere_copied_t {
    /**
     * What the message holds: DIVIDERE_MESSAGE_TYPED and so on.
     */
    int32_t kind;
    /**
     * 1 where dividere_message_reply can still answer it, 0 where not.
     */
    int32_t can_reply;
    /**
     * How many messages these are.
     */
    uint64_t messages;
    /**
     * Number of frames in front of the message that routed it here.
     */
    uint64_t route_count;
    /**
     * Length of the type name in bytes; 0 unless the kind is TYPED.
     */
    uint64_t type_name_len;
    /**
     * Length of the payload in bytes: for all other kinds, of all bytes; for several messages, of all together.
     */
    uint64_t payload_len;
    /**
     * Where the type name begins in the buffer; UINT64_MAX where nothing of this message was copied, since it did not fit
     * or is too large (see `copied_most`).
     */
    uint64_t offset;
    /**
     * The type name of the first one in its message, as dividere_message_view tells it.
     */
    const char *type_name;
    /**
     * The same for its payload.
     */
    const void *payload;
} dividere_copied_t;

/**
 * What to receive into. Made once and used again and again, by one thread at a time.
 */
typedef struct dividere_batch_t {
    /**
     * `count` different messages, best in the order of their addresses: each holds in full what was received into it.
     */
    struct dividere_message_t *const *messages;
    /**
     * Room for `count` descriptions of copies.
     */
    struct dividere_copied_t *copied;
    /**
     * How many messages to receive at most.
     */
    size_t count;
    /**
     * Where names and payloads are copied to, one message behind the other.
     */
    void *buffer;
    /**
     * Its size in bytes.
     */
    size_t size;
    /**
     * 1 where messages are looked at as envelopes (one that is none has the kind UNDECODABLE and is no error), 0
     * where they are not.
     */
    int32_t typed;
    /**
     * 0: each message is described by itself. 1: each payload has the header of a protobuf field in front (number 1,
     * length-delimited), and messages of one type in a row are described together: so their payloads can be
     * parsed all at once, as a message with a repeated field.
     */
    int32_t framed;
    /**
     * Once the messages received have so many bytes together, no more are received; 0: up to `count` are, whatever their
     * size.
     */
    uint64_t bytes_most;
    /**
     * A payload of more bytes is not copied, as looking at it costs less; 0: whatever fits is.
     */
    uint64_t copied_most;
    /**
     * Out: how many messages were received. Written on success only.
     */
    uint64_t received;
    /**
     * Out: how many descriptions there are. Written on success only.
     */
    uint64_t described;
} dividere_batch_t;

/**
 * What stays the same from one message to the next: where it goes, and its type. Not written to by the library.
 */
typedef struct dividere_outlet_t {
    /**
     * The socket to send with.
     */
    struct dividere_socket_t socket;
    /**
     * Full name of the message type; need not end with a NUL.
     */
    const char *type_name;
    /**
     * Its length in bytes.
     */
    size_t type_name_len;
    /**
     * What a send does where a queue is full (a request: or nobody is connected). 0: what dividere_socket_send does; 1: it
     * never waits, as dividere_socket_send_within with 0.
     */
    int32_t never_waits;
    /**
     * 0.
     */
    int32_t reserved;
} dividere_outlet_t;

/**
 * What a handle counted since it was made. Each counter by itself is exact and only grows; two of
 * them may be a message apart.
 */
typedef struct dividere_statistics_t {
    /**
     * Messages received; one of several frames counts once.
     */
    uint64_t messages_in;
    /**
     * Messages that the transport accepted for sending.
     */
    uint64_t messages_out;
    /**
     * Bytes of all frames of the messages received.
     */
    uint64_t bytes_in;
    /**
     * Bytes of all frames of the messages sent.
     */
    uint64_t bytes_out;
    /**
     * Messages given up because the queue to a peer was full.
     */
    uint64_t dropped_queue_full;
    /**
     * Late replies to requests that nobody waits for any more.
     */
    uint64_t dropped_stale;
    /**
     * Messages whose frames are not those of this role.
     */
    uint64_t dropped_malformed;
    /**
     * Messages whose receiver has gone.
     */
    uint64_t dropped_unrouted;
    /**
     * Messages received that could not be decoded; their bytes were handed out.
     */
    uint64_t decode_errors;
    /**
     * Events that were pushed out of the full event queue before anybody took them.
     */
    uint64_t events_lost;
    /**
     * Connections that came back after they were lost.
     */
    uint64_t reconnects;
    /**
     * Connected peers now.
     */
    uint64_t peers;
    /**
     * Of a publisher: subscribers now.
     */
    uint64_t subscribers;
    /**
     * For counters to come; 0.
     */
    uint64_t reserved[7];
} dividere_statistics_t;

/**
 * One thing that happened to one connection. A plain value: nothing to be freed. Texts are
 * NUL-terminated, and cut where they do not fit.
 */
typedef struct dividere_event_t {
    /**
     * What happened: DIVIDERE_EVENT_CONNECTED and so on.
     */
    int32_t kind;
    /**
     * A number that goes with the kind: a status, an errno or a code of ZeroMQ's; 0 for none.
     */
    int32_t code;
    /**
     * The endpoint of this socket that it happened on.
     */
    char endpoint[512];
    /**
     * The address of the peer; empty where it cannot be known.
     */
    char peer[512];
    /**
     * What the number means and what to do; may be empty.
     */
    char text[512];
    /**
     * For fields to come; 0.
     */
    uint64_t reserved[4];
} dividere_event_t;

/**
 * Takes an event, which is valid for the call, when it happens. Runs on dividere's service thread: what
 * it does there holds up the events of all sockets. May call anything.
 */
typedef void (*dividere_event_callback_t)(void *context, const struct dividere_event_t *event);

/**
 * Publishes messages to whoever subscribes to them.
 */
typedef struct dividere_publisher_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_publisher_t;

/**
 * Receives what publishers publish: everything, some types of messages, or what begins with some bytes.
 */
typedef struct dividere_subscriber_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_subscriber_t;

/**
 * Asks, and gets an answer or an error in time. Never stuck: after a timeout the next request may be sent,
 * and a late reply to the old one is dropped and counted, never delivered.
 */
typedef struct dividere_request_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_request_t;

/**
 * Serves requests, each answered exactly once: by dividere_response_send in turn with receiving, or by
 * dividere_message_reply at any time. What is never answered is answered with an error.
 */
typedef struct dividere_response_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_response_t;

/**
 * Sends and receives in any order: to its peers in turn, and back to where a routed message came from.
 */
typedef struct dividere_dealer_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_dealer_t;

/**
 * Some bytes of the caller's.
 */
typedef struct dividere_bytes_t {
    /**
     * Where they are; may be NULL where there are none.
     */
    const void *data;
    /**
     * How many there are.
     */
    size_t len;
} dividere_bytes_t;

/**
 * A socket to wait for, and whether there is something to receive.
 */
typedef struct dividere_poll_item_t {
    /**
     * What to wait for.
     */
    struct dividere_socket_t socket;
    /**
     * Out: 1 where a receive may work, 0 where not. Written on success only.
     */
    int32_t ready;
} dividere_poll_item_t;

/**
 * Calls a function for each message that arrives at any of its sources, one after the other on one thread,
 * its own or the caller's. Nothing ends it but stopping or closing it: what cannot be handled goes to the
 * error handler, and a request that is left unanswered is answered with an error.
 */
typedef struct dividere_reactor_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_reactor_t;

/**
 * Where a message came from, as its handler is told; valid for the call.
 */
typedef struct dividere_delivery_t {
    /**
     * The reactor that calls.
     */
    struct dividere_reactor_t reactor;
    /**
     * The source, as it was added.
     */
    struct dividere_socket_t source;
} dividere_delivery_t;

/**
 * Handles one message: borrowed for the call, not to be freed; dividere_message_clone keeps it. Returns OK,
 * or what went wrong, which a requester is told (as REMOTE, with the last error of this thread, see
 * dividere_fail) and the error handler, too. Reactor and source may be changed, stopped and closed inside.
 */
typedef dividere_status_t (*dividere_handler_t)(void *context,
                                                const struct dividere_delivery_t *delivery,
                                                struct dividere_message_t *message);

/**
 * Is told what could not be handled: DECODE for an undecodable message, NOT_FOUND for one that no handler is
 * for, else what the handler returned; with words, and the message at fault, both valid for the call.
 */
typedef void (*dividere_error_handler_t)(void *context,
                                         const struct dividere_delivery_t *delivery,
                                         struct dividere_message_t *message,
                                         dividere_status_t status,
                                         const char *text);

/**
 * A function for timers, the idle hook and dividere_reactor_post; runs on the reactor's thread.
 */
typedef void (*dividere_task_t)(void *context, struct dividere_reactor_t reactor);

/**
 * Passes messages between two sockets, from its making to its close, on a thread of its own.
 */
typedef struct dividere_proxy_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_proxy_t;

/**
 * Hands the requests of clients to workers, from its making to its close, on a thread of its own. A request goes to
 * the worker that has the least to do and has been idle for longest, waits where none is free, and is answered once.
 * Compatible with clients and workers of dividere 2.2.0.
 */
typedef struct dividere_broker_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_broker_t;

/**
 * How a broker stands, and what it counted since it was made; exact at one moment.
 */
typedef struct dividere_broker_statistics_t {
    /**
     * Workers that are there.
     */
    uint64_t workers;
    /**
     * Of these, those that have nothing to do.
     */
    uint64_t idle_workers;
    /**
     * Requests that wait for a worker.
     */
    uint64_t queued;
    /**
     * Requests that a worker has.
     */
    uint64_t working;
    /**
     * Requests that a worker answered.
     */
    uint64_t served;
    /**
     * Times that a request was handed to another worker, because the one before did not answer.
     */
    uint64_t retried;
    /**
     * Requests that found the queue full.
     */
    uint64_t refused;
    /**
     * Requests that were lost with their worker, or kept by it for too long, and not handed to another.
     */
    uint64_t failed;
    /**
     * Requests that nobody waited for any more when their turn came.
     */
    uint64_t expired;
    /**
     * Answers that nobody waited for any more: of a worker that was given up, or a second one.
     */
    uint64_t late;
    /**
     * For counters to come; 0.
     */
    uint64_t reserved[6];
} dividere_broker_statistics_t;

/**
 * Serves what brokers hand it: as many requests at once, from each broker, as DIVIDERE_OPTION_WORKER_CAPACITY says. A
 * thread of its own answers the brokers, also while all handlers work, and announces the worker again when a broker
 * comes back.
 */
typedef struct dividere_worker_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_worker_t;

/**
 * Serves one request. Both messages are lent for the call: what is prepared in `reply` is the answer; or `request` is
 * answered by dividere_message_reply, at once or later by a clone. Returns OK, or what went wrong, which the asker is
 * told, with the last error of this thread (see dividere_fail). A request that is no envelope comes as bytes. Runs on
 * several threads at once where the capacity is more than 1; may call anything, closing the worker included.
 */
typedef dividere_status_t (*dividere_worker_handler_t)(void *context,
                                                       struct dividere_worker_t worker,
                                                       struct dividere_message_t *request,
                                                       struct dividere_message_t *reply);

/**
 * One instance of a service: a place at which it can be reached. Its texts and bytes are valid until the
 * object that it is from is freed; no pointer in it is NULL.
 */
typedef struct dividere_instance_t {
    /**
     * Name of the service, NUL-terminated.
     */
    const char *name;
    /**
     * Where to connect to, NUL-terminated: "tcp://10.0.0.7:5101".
     */
    const char *endpoint;
    /**
     * The host name or address in it, NUL-terminated.
     */
    const char *server;
    /**
     * The TCP port in it.
     */
    uint32_t port;
    /**
     * How long it stays without being renewed, in milliseconds; 0 for ever (a service of dividere 2.2.0).
     */
    uint32_t lease_ms;
    /**
     * What the service tells of itself; of length 0 for nothing.
     */
    const void *metadata;
    /**
     * Its length in bytes.
     */
    size_t metadata_len;
    /**
     * Names it among all instances of its registry; 0 for the one of a name that is of dividere 2.2.0.
     */
    uint64_t id;
    /**
     * Number of the change that made it what it is, counted by its registry.
     */
    uint64_t revision;
    /**
     * For fields to come; 0.
     */
    uint64_t reserved[4];
} dividere_instance_t;

/**
 * Registers services with a name registry and finds them there. With several registries it asks the one that answered
 * last, and the next where that fails; they need not know of each other.
 *
 * What it registers stays registered until it is unregistered or the client closed: a thread of its own renews the
 * leases, and registers again where a registry comes back empty or another one takes over.
 */
typedef struct dividere_registry_client_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_registry_client_t;

/**
 * Follows what is registered: first what is there, then every change, in order. Where a registry is away, nothing is
 * told; when it, or another one, is there, what has changed. It ends with its client.
 */
typedef struct dividere_watch_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_watch_t;

/**
 * A name registry: keeps names of services, and where they are reached. Serves clients of dividere 2.2.0, too. It
 * answers on a thread of its own, from its making to its close, and keeps everything in memory.
 */
typedef struct dividere_registry_server_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_registry_server_t;

/**
 * Serves requests under a name, on several threads where it is told so, and answers each: with a reply, or with an
 * error. UNSUPPORTED for a type that no handler is for, DECODE for what is no envelope, REMOTE where a handler failed;
 * BUSY where too many wait, and CLOSED while it stops: these two say that nothing was done, and a service client asks
 * another instance.
 */
typedef struct dividere_service_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_service_t;

/**
 * Serves one request. Both messages are lent for the call: what is prepared in `reply` is the answer; or `request` is
 * answered by dividere_message_reply, at once or later by a clone. Returns OK, or what went wrong, which the asker is
 * told as REMOTE, with the last error of this thread (see dividere_fail). Runs on several threads at once where there
 * are several workers; may call anything.
 */
typedef dividere_status_t (*dividere_service_handler_t)(void *context,
                                                        struct dividere_service_t service,
                                                        struct dividere_message_t *request,
                                                        struct dividere_message_t *reply);

/**
 * Calls a service by its name. A thread of its own follows what is registered and connects to every instance; calls
 * take turns at those that are connected. Where the registry is of dividere 2.2.0, which tells of no changes, it is
 * asked whenever no instance is connected.
 */
typedef struct dividere_service_client_t {
    /**
     * Its number; 0 for none.
     */
    uint64_t id;
} dividere_service_client_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status without its prefix, as "TIMEOUT"; "UNKNOWN" for a number that is none. The
 * text is static. From any thread.
 */
const char *dividere_status_name(int32_t status);

/**
 * What the last call that failed on this thread was about: the endpoint, the option or the type at
 * fault, and what to do. Never NULL; empty when no call failed. Calls that succeed, close or free
 * leave it alone. Valid until the next call on this thread that fails.
 */
const char *dividere_last_error(void);

/**
 * Makes `text` the last error of this thread and returns `status`, so that a handler can end with
 * `return dividere_fail(DIVIDERE_NOT_FOUND, "no such sensor")`. INVALID_ARGUMENT where `status` is
 * none; NULL_POINTER where `text` is NULL.
 */
dividere_status_t dividere_fail(int32_t status, const char *text);

/**
 * The version of the library that is loaded, as "3.0.0"; compare DIVIDERE_VERSION_MAJOR and the
 * others, which are the header's. The text is static.
 */
const char *dividere_version(void);

/**
 * The version of the binary interface: the same as the number in the name of the shared library.
 * Programs built against a header of the same DIVIDERE_VERSION_MAJOR run with it.
 */
uint32_t dividere_abi_version(void);

/**
 * 1 when this build can do what is asked for ("curve": encryption and authentication; "ipc",
 * "tcp", "inproc": transports), 0 when not or when the name is unknown or NULL.
 */
int32_t dividere_has(const char *feature);

/**
 * Makes a new CURVE key pair from the random numbers of the system. The public key names its owner
 * and goes to the other side; the secret one stays. UNSUPPORTED where the build has no CURVE.
 */
dividere_status_t dividere_curve_keypair(struct dividere_key_t *public_key,
                                         struct dividere_key_t *secret_key);

/**
 * The public key that belongs to a secret one, given as 40 characters of Z85. INVALID_ARGUMENT
 * where it is no key; UNSUPPORTED where the build has no CURVE.
 */
dividere_status_t dividere_curve_public(const char *secret_key, struct dividere_key_t *public_key);

/**
 * Makes options with all defaults. End them with dividere_options_free.
 */
dividere_status_t dividere_options_new(struct dividere_options_t **options);

/**
 * Frees options; NULL does nothing. Handles made with them are not touched.
 */
void dividere_options_free(struct dividere_options_t *options);

/**
 * Makes a copy, to be freed on its own.
 */
dividere_status_t dividere_options_clone(const struct dividere_options_t *options,
                                         struct dividere_options_t **copy);

/**
 * Sets an option that is a number, or a switch (0 or 1). INVALID_ARGUMENT, with the range in the
 * text, where the key is none, the option is no number or the value is outside of its range; the
 * option stays as it was then.
 */
dividere_status_t dividere_options_set_int(struct dividere_options_t *options,
                                           int32_t option,
                                           int64_t value);

/**
 * Sets an option that is text; CURVE keys as 40 characters of Z85. INVALID_ARGUMENT as above.
 */
dividere_status_t dividere_options_set_string(struct dividere_options_t *options,
                                              int32_t option,
                                              const char *value);

/**
 * Sets an option that is bytes; CURVE keys as 32 bytes. INVALID_ARGUMENT as above.
 */
dividere_status_t dividere_options_set_bytes(struct dividere_options_t *options,
                                             int32_t option,
                                             const void *data,
                                             size_t len);

/**
 * Sets what belongs to the process: the options from DIVIDERE_OPTION_IO_THREADS on; NULL for the
 * defaults. INVALID_ARGUMENT where others are set, too; STATE once a handle was made.
 */
dividere_status_t dividere_configure(const struct dividere_options_t *options);

/**
 * Closes every handle of the process and waits until what was accepted is sent: at most `timeout_ms`
 * milliseconds, or, where that is negative, the longest linger time among the handles. They are
 * CLOSED afterwards, and new ones can be made. A normal exit (return from main, exit) does this by
 * itself; programs that end in another way call it before.
 */
dividere_status_t dividere_shutdown(int64_t timeout_ms);

/**
 * With 1, a wait ends with CANCELLED when a signal handler ran on its thread meanwhile, in the whole process: for
 * runtimes, as Python's, that run what they call a signal handler only after the call has returned. With 0, as it
 * is from the beginning, waits go on. Meant are the waits for something to receive, for a reply and for room to
 * send; what is waited for can still come, and the call be made again.
 */
dividere_status_t dividere_interrupt_waits(int32_t on);

/**
 * Hands each line of the log of this level or a more important one to `callback`, in place of the
 * one set before; a NULL `callback` ends it. What dividere says because of a call inside the
 * callback is not handed to it. The environment variable DIVIDERE_LOG (error, warning, info, debug,
 * trace) writes to stderr, independently of this. INVALID_ARGUMENT where the level is none.
 */
dividere_status_t dividere_log_set_callback(int32_t level,
                                            dividere_log_callback_t callback,
                                            void *context,
                                            dividere_destructor_t destructor);

/**
 * The size in bytes of the envelope of a message of the type `type_name` (full name) with a payload of
 * `payload_len` bytes. INVALID_ARGUMENT where the name is none; TOO_LARGE beyond what protobuf allows.
 */
dividere_status_t dividere_envelope_size(const char *type_name,
                                         size_t payload_len,
                                         size_t *size);

/**
 * Writes an envelope into `buffer`, which has room for `size` bytes, and tells its length. TOO_LARGE
 * where it does not fit, and as dividere_envelope_size, which tells the room that it takes.
 */
dividere_status_t dividere_envelope_encode(const char *type_name,
                                           const void *payload,
                                           size_t payload_len,
                                           void *buffer,
                                           size_t size,
                                           size_t *len);

/**
 * Reads bytes as an envelope, without a copy: the view is valid as long as they are. DECODE where they
 * are none: then the view is that of an empty message.
 */
dividere_status_t dividere_envelope_decode(const void *data,
                                           size_t len,
                                           struct dividere_view_t *view);

/**
 * Makes an empty message, to prepare for sending or to receive into. End it with
 * dividere_message_free.
 */
dividere_status_t dividere_message_new(struct dividere_message_t **message);

/**
 * Frees a message; NULL does nothing. A request that was received, never answered and not cloned is
 * answered with an error.
 */
void dividere_message_free(struct dividere_message_t *message);

/**
 * Makes a second message with the same content and the same way back, to be freed on its own. Bytes
 * are shared, not copied, so neither may be written to afterwards.
 */
dividere_status_t dividere_message_clone(struct dividere_message_t *message,
                                         struct dividere_message_t **copy);

/**
 * Empties a message, and lets go of what it held.
 */
dividere_status_t dividere_message_clear(struct dividere_message_t *message);

/**
 * Makes it a message of the type `type_name` (full name, as acme.v1.Reading) with a payload of `size`
 * bytes, and gives the place to serialise it into: all of it, before the message is sent. The place
 * is valid until the message is changed, sent or freed. What it held before is gone.
 * INVALID_ARGUMENT where the name is none; TOO_LARGE beyond what protobuf allows; OUT_OF_MEMORY.
 */
dividere_status_t dividere_message_prepare(struct dividere_message_t *message,
                                           const char *type_name,
                                           size_t size,
                                           void **payload);

/**
 * Makes it a message of `size` bytes without an envelope, and gives the place for them, under the
 * same rules.
 */
dividere_status_t dividere_message_prepare_bytes(struct dividere_message_t *message,
                                                 size_t size,
                                                 void **data);

/**
 * Makes it a message of the type `type_name` with a copy of a payload that is serialised already.
 * Fails as dividere_message_prepare.
 */
dividere_status_t dividere_message_set(struct dividere_message_t *message,
                                       const char *type_name,
                                       const void *payload,
                                       size_t len);

/**
 * Makes it a message of bytes without an envelope, copied.
 */
dividere_status_t dividere_message_set_bytes(struct dividere_message_t *message,
                                             const void *data,
                                             size_t len);

/**
 * Everything in a message, in one call and without a copy.
 */
dividere_status_t dividere_message_view(const struct dividere_message_t *message,
                                        struct dividere_view_t *view);

/**
 * 1 where it is a message of the type `type_name` (full name), 0 where it is another, or bytes, or
 * where an argument is NULL.
 */
int32_t dividere_message_is(const struct dividere_message_t *message, const char *type_name);

/**
 * Looks at bytes that were received as such, or set, as an envelope: the message is a typed one
 * afterwards. DECODE where they are none; they stay readable. STATE where the message is empty.
 */
dividere_status_t dividere_message_decode(struct dividere_message_t *message);

/**
 * One of the frames that routed a message here, counted from 0; a frame may be empty. Valid until the
 * message is changed, sent or freed. NOT_FOUND beyond the last one.
 */
dividere_status_t dividere_message_route(const struct dividere_message_t *message,
                                         size_t index,
                                         const void **data,
                                         size_t *len);

/**
 * Answers `message`, which is a request or came through a router, with `reply`: once, at any time,
 * from any thread. `reply` is empty afterwards, on success only. STATE where it has no way back or was
 * answered before; UNREACHABLE where the asker is gone; CLOSED where the handle that received it is.
 */
dividere_status_t dividere_message_reply(struct dividere_message_t *message,
                                         struct dividere_message_t *reply);

/**
 * Answers `message` with an error: the asker's call returns `status` (REMOTE where a handler failed)
 * and finds `text` in its last error. INVALID_ARGUMENT where `status` is OK or none; else fails as
 * dividere_message_reply.
 */
dividere_status_t dividere_message_reply_error(struct dividere_message_t *message,
                                               int32_t status,
                                               const char *text);

/**
 * As dividere_socket_recv_many, and copies what came. What does not fit into the buffer is in its message only.
 */
dividere_status_t dividere_socket_recv_batch(struct dividere_socket_t socket,
                                             struct dividere_batch_t *batch,
                                             int64_t timeout_ms);

/**
 * As dividere_socket_send_typed, for languages in which each argument costs. Any number of threads may use one outlet.
 */
dividere_status_t dividere_outlet_send(const struct dividere_outlet_t *outlet,
                                       const void *payload,
                                       size_t len);

/**
 * As dividere_request_start_call and dividere_request_finish_call in one, for languages in which each call costs.
 *
 * Where `*call` is 0, the payload is sent to the next endpoint that is connected (WOULD_BLOCK where there is none, or its
 * queue is full), and `*call` is the number of the call from then on; else the call of that number goes on, and the payload
 * is not looked at. Then its reply is waited for, and received and copied as by dividere_socket_recv_batch, into a batch
 * for one message, for `timeout_ms` milliseconds. Where `*call` is not 0 after TIMEOUT, WOULD_BLOCK or CANCELLED, the reply is still expected; after
 * everything else it is 0. Where the other side answered with an error: its status.
 */
dividere_status_t dividere_outlet_call(const struct dividere_outlet_t *outlet,
                                       const void *payload,
                                       size_t len,
                                       int32_t may_repeat,
                                       int64_t reply_timeout_ms,
                                       int64_t timeout_ms,
                                       uint64_t *call,
                                       struct dividere_batch_t *batch);

/**
 * Sends a message that was prepared, typed or bytes; it is empty afterwards, on success only. STATE
 * where it is empty or (request, response) out of turn; TOO_LARGE beyond the maximum message size;
 * TIMEOUT or WOULD_BLOCK where a full queue blocks or fails; UNSUPPORTED where the role sends nothing.
 */
dividere_status_t dividere_socket_send(struct dividere_socket_t socket,
                                       struct dividere_message_t *message);

/**
 * As dividere_socket_send; where a queue is full it waits for room for `timeout_ms` whatever the options of the handle say
 * (a request: for a connection, too): 0 does not wait (WOULD_BLOCK), a negative time has no end (TIMEOUT otherwise). What
 * was not sent is still in the message.
 */
dividere_status_t dividere_socket_send_within(struct dividere_socket_t socket,
                                              struct dividere_message_t *message,
                                              int64_t timeout_ms);

/**
 * Sends a typed message whose payload is serialised already, copied. Fails as dividere_socket_send;
 * INVALID_ARGUMENT where the name of the type is none.
 */
dividere_status_t dividere_socket_send_typed(struct dividere_socket_t socket,
                                             const char *type_name,
                                             const void *payload,
                                             size_t len);

/**
 * Sends bytes as they are, without an envelope. Fails as dividere_socket_send.
 */
dividere_status_t dividere_socket_send_bytes(struct dividere_socket_t socket,
                                             const void *data,
                                             size_t len);

/**
 * Sends several messages, in order, until one fails, and tells how many were sent: those are empty
 * afterwards. Fails as dividere_socket_send, and only where the first one did.
 */
dividere_status_t dividere_socket_send_many(struct dividere_socket_t socket,
                                            struct dividere_message_t *const *messages,
                                            size_t count,
                                            size_t *sent);

/**
 * Receives the next typed message into `message`, whatever it held before. DECODE where what came is no
 * envelope: its bytes are in the message. TYPE never: any type is received. STATE where (request,
 * response) it is out of turn, or where a reactor has the socket. UNSUPPORTED where the role receives
 * nothing.
 */
dividere_status_t dividere_socket_recv(struct dividere_socket_t socket,
                                       struct dividere_message_t *message,
                                       int64_t timeout_ms);

/**
 * Receives the next message as it is, without looking for an envelope. Fails as dividere_socket_recv, but
 * never with DECODE.
 */
dividere_status_t dividere_socket_recv_bytes(struct dividere_socket_t socket,
                                             struct dividere_message_t *message,
                                             int64_t timeout_ms);

/**
 * Waits for a message, takes what else is there already, at most `count`, and tells how many. With `typed`
 * 1 each is looked at as an envelope (one that is none has the kind UNDECODABLE and is no error), with 0
 * none is. The messages are `count` different objects. Fails as dividere_socket_recv where none came.
 */
dividere_status_t dividere_socket_recv_many(struct dividere_socket_t socket,
                                            struct dividere_message_t *const *messages,
                                            size_t count,
                                            int32_t typed,
                                            int64_t timeout_ms,
                                            size_t *received);

/**
 * Waits until a receive may work. It is no promise: another thread may take the message first. Fails as
 * dividere_socket_recv.
 */
dividere_status_t dividere_socket_wait(struct dividere_socket_t socket,
                                       int64_t timeout_ms);

/**
 * A descriptor for poll, epoll and event loops: when it is readable, receive with a timeout of 0 until
 * WOULD_BLOCK. It belongs to the socket: do not read from it or close it. From the first call on, each send
 * on this socket costs a little more. UNSUPPORTED for a publisher.
 */
dividere_status_t dividere_socket_fd(struct dividere_socket_t socket,
                                     int32_t *fd);

/**
 * A descriptor for poll, epoll and event loops, of those who send: when it is readable, a send that said WOULD_BLOCK may
 * work now; try again with dividere_socket_send_within and 0, until it works or says WOULD_BLOCK. It may be readable at any
 * other time. For a request it tells of connections, too. Where a message goes to all that want it, or to a particular
 * peer (publisher, response), look again after 20 ms even if it is not readable: libzmq does not always tell. It belongs
 * to the socket: do not read from it or close it. UNSUPPORTED for a role that only receives.
 */
dividere_status_t dividere_socket_room_fd(struct dividere_socket_t socket,
                                          int32_t *fd);

/**
 * Tells whether somebody may be waiting at the descriptor, as it is from its first dividere_socket_fd on. With 0 it need
 * not become readable, and receives cost less while there is much to receive; with 1 again, it becomes readable where
 * there is something already, anew also for those who see edges alone. For event loops that wait only after a receive said WOULD_BLOCK: 1, receive once more, wait, 0.
 * INVALID_ARGUMENT where it is neither.
 */
dividere_status_t dividere_socket_watch(struct dividere_socket_t socket,
                                        int32_t watched);

/**
 * What was counted so far.
 */
dividere_status_t dividere_socket_statistics(struct dividere_socket_t socket,
                                             struct dividere_statistics_t *statistics);

/**
 * Takes the oldest event of this socket's connections, or waits for one. The last 1024 are kept.
 */
dividere_status_t dividere_socket_event_recv(struct dividere_socket_t socket,
                                             struct dividere_event_t *event,
                                             int64_t timeout_ms);

/**
 * Hands each event to `callback` as it happens, in place of the one set before; a NULL `callback` ends it.
 * Events can still be pulled. CLOSED where the socket is.
 */
dividere_status_t dividere_socket_set_event_callback(struct dividere_socket_t socket,
                                                     dividere_event_callback_t callback,
                                                     void *context,
                                                     dividere_destructor_t destructor);

/**
 * The endpoint bound last, as tcp://127.0.0.1:40001 where tcp://127.0.0.1:* was asked for: what peers connect
 * to. Goes into `buffer` of `size` bytes, cut where it does not fit; its whole length goes to `length`, which
 * may be NULL. NOT_FOUND where none is bound.
 */
dividere_status_t dividere_socket_last_endpoint(struct dividere_socket_t socket,
                                                char *buffer,
                                                size_t size,
                                                size_t *length);

/**
 * How many endpoints it is bound or connected to.
 */
dividere_status_t dividere_socket_endpoint_count(struct dividere_socket_t socket, size_t *count);

/**
 * One of its endpoints, counted from 0, given out as dividere_socket_last_endpoint does. NOT_FOUND beyond
 * the last one.
 */
dividere_status_t dividere_socket_endpoint(struct dividere_socket_t socket,
                                           size_t index,
                                           char *buffer,
                                           size_t size,
                                           size_t *length);

/**
 * Binds or connects to one more endpoint, as the role does by itself; "@" in front binds, ">" connects.
 * ENDPOINT, ADDRESS_IN_USE or UNREACHABLE where that fails. UNSUPPORTED for a request, whose endpoints are
 * given when it is made.
 */
dividere_status_t dividere_socket_attach(struct dividere_socket_t socket,
                                         const char *endpoint);

/**
 * Gives up one endpoint that it connects to. NOT_FOUND where it is not among them.
 */
dividere_status_t dividere_socket_detach(struct dividere_socket_t socket, const char *endpoint);

/**
 * Waits until `peers` peers are connected; with 0, until each endpoint that this side connects to is. It
 * does not prove that a subscription has arrived at a publisher: see dividere_publisher_wait_for_subscribers.
 * PERMISSION where a key was refused, HANDSHAKE where the handshake failed otherwise.
 */
dividere_status_t dividere_socket_wait_connected(struct dividere_socket_t socket,
                                                 size_t peers,
                                                 int64_t timeout_ms);

/**
 * Waits until everything sent so far was handed to the connections: no queue of the socket holds a message. What the
 * operating system has then may still be on its way. TIMEOUT, or WOULD_BLOCK where the time is 0, while a peer is slow,
 * or is connected to and not there. Over inproc there is nothing to wait for. Closing and a normal exit need no
 * flush before them. UNSUPPORTED with another libzmq than the one built in.
 */
dividere_status_t dividere_socket_flush(struct dividere_socket_t socket,
                                        int64_t timeout_ms);

/**
 * Closes the role behind the view, as its own close does.
 */
dividere_status_t dividere_socket_close(struct dividere_socket_t socket);

/**
 * Makes a publisher that binds to each of the comma-separated endpoints (">" in front connects);
 * tcp://127.0.0.1:* takes a free port, which dividere_socket_last_endpoint tells. NULL options are the
 * defaults. Messages for a subscriber whose queue is full are dropped and counted, unless the option says
 * to block or to fail. INVALID_ARGUMENT where options contradict each other; ENDPOINT, ADDRESS_IN_USE,
 * UNREACHABLE, PERMISSION; LIMIT where descriptors ran out.
 */
dividere_status_t dividere_publisher_new(const char *endpoints,
                                         const struct dividere_options_t *options,
                                         struct dividere_publisher_t *publisher);

/**
 * Closes a publisher: blocked calls return CLOSED, its addresses are free again when this returns, and what
 * was accepted goes on being sent for at most the linger time.
 */
dividere_status_t dividere_publisher_close(struct dividere_publisher_t publisher);

/**
 * The view that carries what all roles share. Nothing to be closed.
 */
struct dividere_socket_t dividere_publisher_socket(struct dividere_publisher_t publisher);

/**
 * Publishes a message that was prepared, typed or bytes; it is empty afterwards, on success only. What is
 * sent while nobody subscribes is gone. STATE where the message is empty; TOO_LARGE beyond the maximum
 * message size; TIMEOUT or WOULD_BLOCK where a full queue is told to block or to fail.
 */
dividere_status_t dividere_publisher_send(struct dividere_publisher_t publisher,
                                          struct dividere_message_t *message);

/**
 * Publishes a typed message whose payload is serialised already, copied. Fails as dividere_publisher_send;
 * INVALID_ARGUMENT where the name of the type is none.
 */
dividere_status_t dividere_publisher_send_typed(struct dividere_publisher_t publisher,
                                                const char *type_name,
                                                const void *payload,
                                                size_t len);

/**
 * Publishes bytes as they are, without an envelope, copied. Fails as dividere_publisher_send.
 */
dividere_status_t dividere_publisher_send_bytes(struct dividere_publisher_t publisher,
                                                const void *data,
                                                size_t len);

/**
 * How many subscribers get messages of the type `type_name` (full name); with NULL, how many subscribe to
 * anything.
 */
dividere_status_t dividere_publisher_subscribers(struct dividere_publisher_t publisher,
                                                 const char *type_name,
                                                 size_t *count);

/**
 * Waits until `count` subscribers get messages of the type `type_name`, or, with NULL, of any. A subscriber
 * counted here gets everything that is published from now on. TIMEOUT, or WOULD_BLOCK where the timeout is
 * 0, while they are fewer.
 */
dividere_status_t dividere_publisher_wait_for_subscribers(struct dividere_publisher_t publisher,
                                                          const char *type_name,
                                                          size_t count,
                                                          int64_t timeout_ms);

/**
 * Makes a subscriber to all messages, which connects to each of the comma-separated endpoints ("@" in front
 * binds). NULL options are the defaults. What was published before the subscription arrived is not
 * received. Fails as dividere_publisher_new.
 */
dividere_status_t dividere_subscriber_new(const char *endpoints,
                                          const struct dividere_options_t *options,
                                          struct dividere_subscriber_t *subscriber);

/**
 * The same for messages of `count` types only, given by their full names; with none, nothing is received
 * until something is subscribed to. INVALID_ARGUMENT where a name is none.
 */
dividere_status_t dividere_subscriber_new_for_types(const char *endpoints,
                                                    const char *const *type_names,
                                                    size_t count,
                                                    const struct dividere_options_t *options,
                                                    struct dividere_subscriber_t *subscriber);

/**
 * Closes a subscriber: blocked calls return CLOSED, and its addresses are free again when this returns.
 */
dividere_status_t dividere_subscriber_close(struct dividere_subscriber_t subscriber);

/**
 * The view that carries what all roles share. Nothing to be closed.
 */
struct dividere_socket_t dividere_subscriber_socket(struct dividere_subscriber_t subscriber);

/**
 * Receives the next typed message into `message`, whatever it held before. DECODE where what came is no
 * envelope: its bytes are in the message. STATE where a reactor has the socket.
 */
dividere_status_t dividere_subscriber_recv(struct dividere_subscriber_t subscriber,
                                           struct dividere_message_t *message,
                                           int64_t timeout_ms);

/**
 * Receives the next message as it is, without looking for an envelope.
 */
dividere_status_t dividere_subscriber_recv_bytes(struct dividere_subscriber_t subscriber,
                                                 struct dividere_message_t *message,
                                                 int64_t timeout_ms);

/**
 * Receives messages of this type (full name), too. Counted: as many unsubscribe calls end it.
 */
dividere_status_t dividere_subscriber_subscribe(struct dividere_subscriber_t subscriber,
                                                const char *type_name);

/**
 * Ends a subscription to a type. NOT_FOUND where there is none. What is on its way still arrives.
 */
dividere_status_t dividere_subscriber_unsubscribe(struct dividere_subscriber_t subscriber,
                                                  const char *type_name);

/**
 * Receives whatever begins with these bytes, too; with none, everything. For messages without an envelope.
 * Counted, as types are.
 */
dividere_status_t dividere_subscriber_subscribe_prefix(struct dividere_subscriber_t subscriber,
                                                       const void *prefix,
                                                       size_t len);

/**
 * Ends a subscription to a prefix. NOT_FOUND where there is none.
 */
dividere_status_t dividere_subscriber_unsubscribe_prefix(struct dividere_subscriber_t subscriber,
                                                         const void *prefix,
                                                         size_t len);

/**
 * Makes a request, which connects to each of the comma-separated endpoints ("@" in front binds) and asks
 * them in turn. NULL options are the defaults. Fails as dividere_publisher_new.
 */
dividere_status_t dividere_request_new(const char *endpoints,
                                       const struct dividere_options_t *options,
                                       struct dividere_request_t *request);

/**
 * Closes a request: blocked calls return CLOSED.
 */
dividere_status_t dividere_request_close(struct dividere_request_t request);

/**
 * The view that carries what all roles share. Nothing to be closed.
 */
struct dividere_socket_t dividere_request_socket(struct dividere_request_t request);

/**
 * Sends `message` to the next endpoint that is connected and waits for its reply for `timeout_ms`
 * milliseconds; where none comes, and as soon as the connection is lost, sends again, to the next endpoint, up to
 * `retries` times: so it takes at most (retries + 1) timeouts, and a request may be served more than once. Several
 * threads may call at once.
 * A broker on the way (see dividere_broker_t) is told the timeout, and by retries that it may repeat the request.
 * `message` is empty afterwards, on success only; the two messages are different objects.
 *
 * TIMEOUT where nobody answered. Where the other side answered with an error: its status (REMOTE where a
 * handler failed), with its text as the last error. A reply that is no envelope is no error here: `reply`
 * has the kind UNDECODABLE and its bytes.
 */
dividere_status_t dividere_request_call(struct dividere_request_t request,
                                        struct dividere_message_t *message,
                                        struct dividere_message_t *reply,
                                        int64_t timeout_ms,
                                        uint32_t retries);

/**
 * Sends `message` to the next endpoint that is connected, waiting for one for `timeout_ms` milliseconds, and gives
 * the number under which dividere_request_finish_call has the reply: a call whose caller waits in an event loop of
 * its own. Any number of them may be under way. A broker on the way is told whether the request may be repeated
 * (`may_repeat` 1) or not (0), and for how long the reply will be waited for. `message` is empty afterwards, on
 * success only.
 */
dividere_status_t dividere_request_start_call(struct dividere_request_t request,
                                              struct dividere_message_t *message,
                                              int32_t may_repeat,
                                              int64_t reply_timeout_ms,
                                              int64_t timeout_ms,
                                              uint64_t *call);

/**
 * Receives the reply to what dividere_request_start_call sent; dividere_socket_fd is readable when there may be
 * one. After TIMEOUT, WOULD_BLOCK and CANCELLED it is still expected; after everything else the call is over.
 * UNREACHABLE as soon as the connection is lost, where the request may be repeated: start it again. NOT_FOUND where it was
 * over before. Else fails as dividere_request_call.
 */
dividere_status_t dividere_request_finish_call(struct dividere_request_t request,
                                               uint64_t call,
                                               struct dividere_message_t *reply,
                                               int64_t timeout_ms);

/**
 * Gives up what dividere_request_start_call sent: a reply to it is dropped and counted. NOT_FOUND where the call is
 * over.
 */
dividere_status_t dividere_request_abandon_call(struct dividere_request_t request,
                                                uint64_t call);

/**
 * Sends a request; the reply is received next. STATE where the reply to the one before was not received.
 */
dividere_status_t dividere_request_send(struct dividere_request_t request,
                                        struct dividere_message_t *message);

/**
 * The same with bytes as they are, without an envelope, copied.
 */
dividere_status_t dividere_request_send_bytes(struct dividere_request_t request,
                                              const void *data,
                                              size_t len);

/**
 * Receives the reply to what was sent. STATE where nothing was. After TIMEOUT the request is given up and
 * the next may be sent; after WOULD_BLOCK it is not. DECODE where the reply is no envelope; the status that
 * the other side answered with, where that was an error.
 */
dividere_status_t dividere_request_recv(struct dividere_request_t request,
                                        struct dividere_message_t *message,
                                        int64_t timeout_ms);

/**
 * Receives the reply as it is, without looking for an envelope.
 */
dividere_status_t dividere_request_recv_bytes(struct dividere_request_t request,
                                              struct dividere_message_t *message,
                                              int64_t timeout_ms);

/**
 * Makes a response, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds,
 * too) and connects to the others. NULL options are the defaults. Fails as dividere_publisher_new.
 */
dividere_status_t dividere_response_new(const char *endpoints,
                                        const struct dividere_options_t *options,
                                        struct dividere_response_t *response);

/**
 * Closes a response: a request that waits for its reply is answered with an error, blocked calls return
 * CLOSED, and its addresses are free again when this returns.
 */
dividere_status_t dividere_response_close(struct dividere_response_t response);

/**
 * The view that carries what all roles share. Nothing to be closed.
 */
struct dividere_socket_t dividere_response_socket(struct dividere_response_t response);

/**
 * Receives the next request. One that is no envelope is answered with an error at once, and comes back as
 * DECODE with its bytes in the message. STATE where the request before is not answered yet, or where a
 * reactor has the socket.
 */
dividere_status_t dividere_response_recv(struct dividere_response_t response,
                                         struct dividere_message_t *message,
                                         int64_t timeout_ms);

/**
 * Receives the next request as it is, without looking for an envelope.
 */
dividere_status_t dividere_response_recv_bytes(struct dividere_response_t response,
                                               struct dividere_message_t *message,
                                               int64_t timeout_ms);

/**
 * Answers the request received last; `message` is empty afterwards, on success only. STATE where there is
 * none to answer; UNREACHABLE where the asker is gone.
 */
dividere_status_t dividere_response_send(struct dividere_response_t response,
                                         struct dividere_message_t *message);

/**
 * The same with bytes as they are, without an envelope, copied.
 */
dividere_status_t dividere_response_send_bytes(struct dividere_response_t response,
                                               const void *data,
                                               size_t len);

/**
 * Answers the request received last with an error: the asker's call returns `status` (REMOTE where a handler
 * failed) and finds `text` in its last error. INVALID_ARGUMENT where `status` is OK or none.
 */
dividere_status_t dividere_response_send_error(struct dividere_response_t response,
                                               int32_t status,
                                               const char *text);

/**
 * Makes a dealer, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds,
 * too) and connects to the others. NULL options are the defaults; the identity is a random UUID unless set.
 * Fails as dividere_publisher_new.
 */
dividere_status_t dividere_dealer_new(const char *endpoints,
                                      const struct dividere_options_t *options,
                                      struct dividere_dealer_t *dealer);

/**
 * Closes a dealer: blocked calls return CLOSED, its addresses are free again when this returns, and what was
 * accepted goes on being sent for at most the linger time.
 */
dividere_status_t dividere_dealer_close(struct dividere_dealer_t dealer);

/**
 * The view that carries what all roles share. Nothing to be closed.
 */
struct dividere_socket_t dividere_dealer_socket(struct dividere_dealer_t dealer);

/**
 * Sends a message as one frame, to the peers in turn; it is empty afterwards, on success only. A full queue
 * blocks up to the send timeout unless the option says otherwise: TIMEOUT, or WOULD_BLOCK.
 */
dividere_status_t dividere_dealer_send(struct dividere_dealer_t dealer,
                                       struct dividere_message_t *message);

/**
 * The same with bytes as they are, without an envelope, copied.
 */
dividere_status_t dividere_dealer_send_bytes(struct dividere_dealer_t dealer,
                                             const void *data,
                                             size_t len);

/**
 * Sends a message with `count` frames in front: what dividere_message_route gave, to answer where a routed
 * message came from, as dividere_message_reply does by itself.
 */
dividere_status_t dividere_dealer_send_routed(struct dividere_dealer_t dealer,
                                              const struct dividere_bytes_t *route,
                                              size_t count,
                                              struct dividere_message_t *message);

/**
 * The same; where the queue is full it waits for room for `timeout_ms`, as dividere_socket_send_within does. With a `count`
 * of 0 there is no frame in front.
 */
dividere_status_t dividere_dealer_send_routed_within(struct dividere_dealer_t dealer,
                                                     const struct dividere_bytes_t *route,
                                                     size_t count,
                                                     struct dividere_message_t *message,
                                                     int64_t timeout_ms);

/**
 * Sends a message with an empty frame in front: the form in which a response expects a request.
 */
dividere_status_t dividere_dealer_send_with_empty_frame(struct dividere_dealer_t dealer,
                                                        struct dividere_message_t *message);

/**
 * Receives the next typed message into `message`, whatever it held before; one that came through routers
 * carries its way back. DECODE where what came is no envelope: its bytes are in the message.
 */
dividere_status_t dividere_dealer_recv(struct dividere_dealer_t dealer,
                                       struct dividere_message_t *message,
                                       int64_t timeout_ms);

/**
 * Receives the next message as it is, without looking for an envelope.
 */
dividere_status_t dividere_dealer_recv_bytes(struct dividere_dealer_t dealer,
                                             struct dividere_message_t *message,
                                             int64_t timeout_ms);

/**
 * Waits until at least one of `count` sockets may be received from, marks which in `items`, and tells how
 * many. It is no promise: another thread may take the message first. TIMEOUT, or WOULD_BLOCK where the
 * timeout is 0, where none is; CLOSED where one of them is closed, before or meanwhile. `ready` may be NULL.
 */
dividere_status_t dividere_poll(struct dividere_poll_item_t *items,
                                size_t count,
                                int64_t timeout_ms,
                                size_t *ready);

/**
 * Makes a reactor without sources. It does not run yet.
 */
dividere_status_t dividere_reactor_new(struct dividere_reactor_t *reactor);

/**
 * Stops a reactor and lets go of its sources, handlers, timers and tasks; their destructors have run when this
 * returns, but for the one of a callback that is under way. The sources stay open. TIMEOUT where a callback
 * takes longer than 10 s; the reactor ends after it all the same.
 */
dividere_status_t dividere_reactor_close(struct dividere_reactor_t reactor);

/**
 * Receives from a subscriber, response or dealer from now on. The reactor holds a reference; to receive from
 * the socket directly is STATE until it is removed, and closing it removes it. STATE where a reactor has it
 * already; UNSUPPORTED for a publisher or a request.
 */
dividere_status_t dividere_reactor_add(struct dividere_reactor_t reactor,
                                       struct dividere_socket_t socket);

/**
 * Receives from a source no more; a handler that is under way finishes. NOT_FOUND where it is none.
 */
dividere_status_t dividere_reactor_remove(struct dividere_reactor_t reactor,
                                          struct dividere_socket_t socket);

/**
 * Calls `handler` for messages of the type `type_name` (full name), in place of the one set before; with NULL as
 * the name, for all that no other handler is for. A NULL `handler` ends it. From any thread, at any time.
 */
dividere_status_t dividere_reactor_on(struct dividere_reactor_t reactor,
                                      const char *type_name,
                                      dividere_handler_t handler,
                                      void *context,
                                      dividere_destructor_t destructor);

/**
 * Calls `handler` for what cannot be handled, in place of the one set before; a NULL `handler` ends it. Without
 * one these are lines in the log.
 */
dividere_status_t dividere_reactor_on_error(struct dividere_reactor_t reactor,
                                            dividere_error_handler_t handler,
                                            void *context,
                                            dividere_destructor_t destructor);

/**
 * Calls `task` in `interval_ms` milliseconds, once (`repeat` 0) or again and again (1), and gives the number to
 * cancel it with, which may be NULL. A timer that repeats has an interval above 0.
 */
dividere_status_t dividere_reactor_add_timer(struct dividere_reactor_t reactor,
                                             int64_t interval_ms,
                                             int32_t repeat,
                                             dividere_task_t task,
                                             void *context,
                                             dividere_destructor_t destructor,
                                             uint64_t *timer);

/**
 * Ends a timer. NOT_FOUND where it is over, or was cancelled before.
 */
dividere_status_t dividere_reactor_cancel_timer(struct dividere_reactor_t reactor, uint64_t timer);

/**
 * Calls `task` whenever no message came for `interval_ms` milliseconds, in place of the one set before; a NULL
 * `task` ends it.
 */
dividere_status_t dividere_reactor_on_idle(struct dividere_reactor_t reactor,
                                           int64_t interval_ms,
                                           dividere_task_t task,
                                           void *context,
                                           dividere_destructor_t destructor);

/**
 * Runs `task` once on the reactor's thread, soon, in the order of posting; while it does not run, when it runs
 * again. The destructor is called after it, or when the reactor is closed before.
 */
dividere_status_t dividere_reactor_post(struct dividere_reactor_t reactor,
                                        dividere_task_t task,
                                        void *context,
                                        dividere_destructor_t destructor);

/**
 * Runs on this thread until it is stopped or closed. STATE where it runs already.
 */
dividere_status_t dividere_reactor_run(struct dividere_reactor_t reactor);

/**
 * Runs on a thread of its own until it is stopped or closed. `name` is the thread's name, cut by the system after
 * 15 bytes; NULL for "dividere-react". STATE where it runs already.
 */
dividere_status_t dividere_reactor_start(struct dividere_reactor_t reactor,
                                         const char *name);

/**
 * Ends the loop after the callback that is under way and waits for that; in a callback of its own it does not
 * wait. It can run again. TIMEOUT where the callback takes longer: the loop ends after it all the same.
 */
dividere_status_t dividere_reactor_stop(struct dividere_reactor_t reactor,
                                        int64_t timeout_ms);

/**
 * Makes a proxy of a kind (DIVIDERE_PROXY_REQUEST_RESPONSE or ..._PUBLISH_SUBSCRIBE) that binds to the endpoints of
 * its front end and of its back end, each a comma-separated list (">" in front connects). With `capture`, which may
 * be NULL, a publisher there gets the payload of every message. NULL options are the defaults; they are for all
 * its sockets. Fails as dividere_publisher_new.
 */
dividere_status_t dividere_proxy_new(int32_t kind,
                                     const char *front,
                                     const char *back,
                                     const char *capture,
                                     const struct dividere_options_t *options,
                                     struct dividere_proxy_t *proxy);

/**
 * Stops a proxy, within 50 ms, and closes its sockets: their addresses are free again when this returns.
 */
dividere_status_t dividere_proxy_close(struct dividere_proxy_t proxy);

/**
 * The endpoint that a side (DIVIDERE_PROXY_SIDE_FRONT and so on) is bound to, the last one where there are several;
 * into `buffer` of `size` bytes, its whole length into `length`, which may be NULL. NOT_FOUND where it is bound to
 * none, or where there is no capture.
 */
dividere_status_t dividere_proxy_last_endpoint(struct dividere_proxy_t proxy,
                                               int32_t side,
                                               char *buffer,
                                               size_t size,
                                               size_t *length);

/**
 * What a side counted so far.
 */
dividere_status_t dividere_proxy_statistics(struct dividere_proxy_t proxy,
                                            int32_t side,
                                            struct dividere_statistics_t *statistics);

/**
 * Takes the oldest event of a side's connections, or waits for one. The last 1024 are kept.
 */
dividere_status_t dividere_proxy_event_recv(struct dividere_proxy_t proxy,
                                            int32_t side,
                                            struct dividere_event_t *event,
                                            int64_t timeout_ms);

/**
 * Waits until the proxy has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
 * wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
 * WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
 */
dividere_status_t dividere_proxy_wait_ended(struct dividere_proxy_t proxy,
                                            int64_t timeout_ms);

/**
 * Makes a broker that binds to the endpoints of its front end, for clients, and of its back end, for workers, each a
 * comma-separated list (">" in front connects). NULL options are the defaults; they are for both its sockets. Fails
 * as dividere_publisher_new.
 *
 * Its client is a request (dividere_request_call): with retries a request may be repeated, and is handed to another
 * worker where the first one dies. The call returns BUSY where the queue is full, and UNREACHABLE where the worker is
 * gone and the request may not be repeated: whether it was served is not known then.
 */
dividere_status_t dividere_broker_new(const char *front,
                                      const char *back,
                                      const struct dividere_options_t *options,
                                      struct dividere_broker_t *broker);

/**
 * Stops a broker, within 50 ms, and closes its sockets: their addresses are free again when this returns. Requests
 * that wait for a worker, or for its answer, are answered with UNREACHABLE.
 */
dividere_status_t dividere_broker_close(struct dividere_broker_t broker);

/**
 * How it stands now.
 */
dividere_status_t dividere_broker_statistics(struct dividere_broker_t broker,
                                             struct dividere_broker_statistics_t *statistics);

/**
 * Waits until `count` workers are there. TIMEOUT, or WOULD_BLOCK where the timeout is 0, while they are fewer.
 */
dividere_status_t dividere_broker_wait_workers(struct dividere_broker_t broker,
                                               uint64_t count,
                                               int64_t timeout_ms);

/**
 * Waits until the broker has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
 * wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
 * WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
 */
dividere_status_t dividere_broker_wait_ended(struct dividere_broker_t broker,
                                             int64_t timeout_ms);

/**
 * The endpoint that a side (DIVIDERE_BROKER_SIDE_FRONT or ..._BACK) is bound to, the last one where there are several;
 * into `buffer` of `size` bytes, its whole length into `length`, which may be NULL. NOT_FOUND where it is bound to
 * none.
 */
dividere_status_t dividere_broker_last_endpoint(struct dividere_broker_t broker,
                                                int32_t side,
                                                char *buffer,
                                                size_t size,
                                                size_t *length);

/**
 * What the connections of a side counted so far.
 */
dividere_status_t dividere_broker_side_statistics(struct dividere_broker_t broker,
                                                  int32_t side,
                                                  struct dividere_statistics_t *statistics);

/**
 * Takes the oldest event of a side's connections, or waits for one. The last 1024 are kept.
 */
dividere_status_t dividere_broker_event_recv(struct dividere_broker_t broker,
                                             int32_t side,
                                             struct dividere_event_t *event,
                                             int64_t timeout_ms);

/**
 * Makes a worker, which connects to each of the comma-separated endpoints ("@" in front binds), the back end of a
 * broker each. NULL options are the defaults; its name is a random UUID unless the option identity says otherwise.
 * Fails as dividere_publisher_new.
 */
dividere_status_t dividere_worker_new(const char *endpoints,
                                      const struct dividere_options_t *options,
                                      struct dividere_worker_t *worker);

/**
 * Closes a worker at once: blocked calls return CLOSED, and what it has not answered is lost with it, which a broker
 * notices and makes up for. Waits for handlers under way, at most for 10 s (then TIMEOUT); in a handler it does not.
 */
dividere_status_t dividere_worker_close(struct dividere_worker_t worker);

/**
 * The view that carries what all roles share. Nothing to be closed. A reactor does not take it.
 */
struct dividere_socket_t dividere_worker_socket(struct dividere_worker_t worker);

/**
 * Calls `handler` for each request from now on, on as many threads as the worker has capacity. STATE where it has a
 * handler already.
 */
dividere_status_t dividere_worker_serve(struct dividere_worker_t worker,
                                        dividere_worker_handler_t handler,
                                        void *context,
                                        dividere_destructor_t destructor);

/**
 * Receives the next request, to be answered by dividere_message_reply, at any time and from any thread. One that is no
 * envelope is answered with an error at once, and comes back as DECODE with its bytes in the message.
 */
dividere_status_t dividere_worker_recv(struct dividere_worker_t worker,
                                       struct dividere_message_t *message,
                                       int64_t timeout_ms);

/**
 * Receives the next request as it is, without looking for an envelope.
 */
dividere_status_t dividere_worker_recv_bytes(struct dividere_worker_t worker,
                                             struct dividere_message_t *message,
                                             int64_t timeout_ms);

/**
 * Takes no more requests, tells the brokers so, waits until those that the worker has are answered, and closes it.
 * TIMEOUT where that takes longer: it is closed all the same. Not to be called in a handler, whose request it would
 * wait for.
 */
dividere_status_t dividere_worker_stop(struct dividere_worker_t worker,
                                       int64_t timeout_ms);

/**
 * Waits until the worker has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
 * wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
 * WOULD_BLOCK where the timeout is 0, while it is open. To be told that nobody is served any more, on a thread of yours.
 */
dividere_status_t dividere_worker_wait_ended(struct dividere_worker_t worker,
                                             int64_t timeout_ms);

/**
 * How many there are; 0 for NULL.
 */
size_t dividere_instances_count(const struct dividere_instances_t *instances);

/**
 * Shows the one at `index`, from 0. NOT_FOUND where there are not so many.
 */
dividere_status_t dividere_instances_get(const struct dividere_instances_t *instances,
                                         size_t index,
                                         struct dividere_instance_t *instance);

/**
 * Frees them, and all that was shown of them.
 */
void dividere_instances_free(struct dividere_instances_t *instances);

/**
 * Makes a client of the registries at the comma-separated endpoints. It waits for nothing. NULL options are the
 * defaults.
 */
dividere_status_t dividere_registry_client_new(const char *endpoints,
                                               const struct dividere_options_t *options,
                                               struct dividere_registry_client_t *client);

/**
 * Closes a client: what it registered is unregistered, where a registry hears that within the linger time; its watches
 * end, and blocked calls return CLOSED.
 */
dividere_status_t dividere_registry_client_close(struct dividere_registry_client_t client);

/**
 * Makes a service known under `name`: its TCP port on this host, and `metadata_len` bytes of what it wants to tell of
 * itself. The host is the address that leads to the registry, or what DIVIDERE_OPTION_REGISTRY_ADVERTISE says.
 * Several services may have the same name. Where this process dies or stands still, the service is gone when its
 * lease is over (DIVIDERE_OPTION_REGISTRY_LEASE_MS). `registration` is the instance's number, for unregistering.
 *
 * A name is 1 to 255 bytes of UTF-8 without control characters, the port 1 to 65535: else INVALID_ARGUMENT. LIMIT
 * where the registry has no room for it or grants no such lease. TIMEOUT where no registry answered within
 * `timeout_ms` milliseconds: it is not registered, and where a registry took it in nevertheless, not renewed.
 */
dividere_status_t dividere_registry_client_register(struct dividere_registry_client_t client,
                                                    const char *name,
                                                    uint32_t port,
                                                    const void *metadata,
                                                    size_t metadata_len,
                                                    int64_t timeout_ms,
                                                    uint64_t *registration);

/**
 * Takes out what this client registered. It is not renewed from here on, whatever the outcome: after TIMEOUT it is
 * gone when its lease is over. NOT_FOUND where the client has no such registration.
 */
dividere_status_t dividere_registry_client_unregister(struct dividere_registry_client_t client,
                                                      uint64_t registration,
                                                      int64_t timeout_ms);

/**
 * Finds one instance of a service; where there are several they take turns. NOT_FOUND, at once, where there is none.
 * To be freed with dividere_instances_free.
 */
dividere_status_t dividere_registry_client_lookup(struct dividere_registry_client_t client,
                                                  const char *name,
                                                  int64_t timeout_ms,
                                                  struct dividere_instances_t **instances);

/**
 * Finds all instances of a service; that there is none is no error. To be freed with dividere_instances_free.
 */
dividere_status_t dividere_registry_client_lookup_all(struct dividere_registry_client_t client,
                                                      const char *name,
                                                      int64_t timeout_ms,
                                                      struct dividere_instances_t **instances);

/**
 * Finds all instances whose names begin with `prefix`, which may be empty, in the order of the names. UNSUPPORTED
 * where the registry is of dividere 2.2.0. To be freed with dividere_instances_free.
 */
dividere_status_t dividere_registry_client_list(struct dividere_registry_client_t client,
                                                const char *prefix,
                                                int64_t timeout_ms,
                                                struct dividere_instances_t **instances);

/**
 * Follows the instances of one name, or with `is_prefix` of 1 of all names that begin with `name`, which may be empty
 * then: every change from the return of this on is told. UNSUPPORTED where the registry is of dividere 2.2.0, LIMIT
 * where it serves no more watches, TIMEOUT where none answers.
 */
dividere_status_t dividere_registry_client_watch(struct dividere_registry_client_t client,
                                                 const char *name,
                                                 int32_t is_prefix,
                                                 int64_t timeout_ms,
                                                 struct dividere_watch_t *watch);

/**
 * Makes a registry that is asked at `endpoint`; NULL is port 5000 of all interfaces, and a port of "*" one that is
 * free. At the port after that, unless DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT says another place, it tells
 * services of 2.2.0 to register again. NULL options are the defaults. ADDRESS_IN_USE where one of the two is taken.
 */
dividere_status_t dividere_registry_server_new(const char *endpoint,
                                               const struct dividere_options_t *options,
                                               struct dividere_registry_server_t *server);

/**
 * Closes a registry. What was registered there is forgotten; clients of ours register again with the next.
 */
dividere_status_t dividere_registry_server_close(struct dividere_registry_server_t server);

/**
 * The socket at which it is asked, for statistics, events and endpoints; sending and receiving is UNSUPPORTED, as
 * the registry does it. Nothing to be closed.
 */
struct dividere_socket_t dividere_registry_server_socket(struct dividere_registry_server_t server);

/**
 * Where it publishes that services shall register again, into `buffer` of `size` bytes; its whole length into
 * `length`, which may be NULL.
 */
dividere_status_t dividere_registry_server_publish_endpoint(struct dividere_registry_server_t server,
                                                            char *buffer,
                                                            size_t size,
                                                            size_t *length);

/**
 * Waits until the registry has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
 * wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
 * WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
 */
dividere_status_t dividere_registry_server_wait_ended(struct dividere_registry_server_t server,
                                                      int64_t timeout_ms);

/**
 * Takes the next event: its kind (DIVIDERE_WATCH_PUT and so on), and the instance, of which there is one, with the
 * number of the change as its revision; with COMPLETE, of that one nothing but the revision is set. To be freed with
 * dividere_instances_free. LIMIT where another registry took over and serves no more watches: the watch is over.
 */
dividere_status_t dividere_watch_recv(struct dividere_watch_t watch,
                                      int64_t timeout_ms,
                                      int32_t *kind,
                                      struct dividere_instances_t **instance);

/**
 * A descriptor for poll and epoll: when it is readable, take events with a timeout of 0 until WOULD_BLOCK. It belongs
 * to the watch.
 */
dividere_status_t dividere_watch_fd(struct dividere_watch_t watch,
                                    int32_t *fd);

/**
 * Ends a watch: blocked calls return CLOSED.
 */
dividere_status_t dividere_watch_close(struct dividere_watch_t watch);

/**
 * Makes a service of this name and binds it, to a TCP endpoint ("tcp://127.0.0.1:*"), or for NULL to the first free
 * port from 5101 to 6000 on all interfaces. It is registered by `registry`, which several services and clients may
 * share, from dividere_service_start on; bound to one address with that address, unless that client has the option
 * registry_advertise; and with `metadata_len` bytes of what it wants to tell of itself. So many handlers
 * run at once as there are `workers`, 1 to 1024; so many requests wait for one at most as `most_waiting` says, and no more
 * bytes than the option service_queue_bytes. NULL
 * options are the defaults. ADDRESS_IN_USE where no port is free; INVALID_ARGUMENT where the name is none (1 to 255 bytes
 * of UTF-8 without control characters) or `workers` is out of its range.
 */
dividere_status_t dividere_service_new(const char *name,
                                       struct dividere_registry_client_t registry,
                                       const char *endpoint,
                                       const struct dividere_options_t *options,
                                       uint32_t workers,
                                       uint32_t most_waiting,
                                       const void *metadata,
                                       size_t metadata_len,
                                       struct dividere_service_t *service);

/**
 * Closes a service at once: it is unregistered, and what is not answered is answered with an error. Waits for handlers
 * under way, at most for 10 s (then TIMEOUT); in a handler it does not.
 */
dividere_status_t dividere_service_close(struct dividere_service_t service);

/**
 * Calls `handler` for requests of the type `type_name` (full name), in place of the one set before; with NULL as the
 * name, for all that no other handler is for. A NULL `handler` takes it away. From any thread, at any time.
 */
dividere_status_t dividere_service_on(struct dividere_service_t service,
                                      const char *type_name,
                                      dividere_service_handler_t handler,
                                      void *context,
                                      dividere_destructor_t destructor);

/**
 * Serves from now on, and registers the service. TIMEOUT where no registry answers: it serves nevertheless, and may be
 * started again. STATE where it is registered already.
 */
dividere_status_t dividere_service_start(struct dividere_service_t service,
                                         int64_t timeout_ms);

/**
 * The TCP port that it is bound to.
 */
dividere_status_t dividere_service_port(struct dividere_service_t service, uint32_t *port);

/**
 * Takes the service out of the registry, refuses new requests, waits until those that it has are answered, and closes
 * it. TIMEOUT where that takes longer: it is closed all the same, and what is left is answered with an error. In a
 * handler it waits for nothing: stop it from another thread. CLOSED where dividere_service_close cut it short.
 */
dividere_status_t dividere_service_stop(struct dividere_service_t service,
                                        int64_t timeout_ms);

/**
 * Waits until the service has ended. OK where it was closed meanwhile; where one of its own threads failed (which took
 * it out of the registry), what went wrong: it is closed then, and so is all that it was bound to, but its handle is
 * still to be closed. TIMEOUT, or WOULD_BLOCK where the timeout is 0, while it is open. To be told that nobody is served
 * any more, on a thread of yours.
 */
dividere_status_t dividere_service_wait_ended(struct dividere_service_t service,
                                              int64_t timeout_ms);

/**
 * Makes a client of the service `name`, which is found through `registry`; several clients and services may share it.
 * The options are those of the connections to the instances, NULL for the defaults. It waits for nothing.
 */
dividere_status_t dividere_service_client_new(const char *name,
                                              struct dividere_registry_client_t registry,
                                              const struct dividere_options_t *options,
                                              struct dividere_service_client_t *client);

/**
 * Closes a service client: calls under way return CLOSED.
 */
dividere_status_t dividere_service_client_close(struct dividere_service_client_t client);

/**
 * Asks an instance and waits for the reply, at most `timeout_ms` milliseconds in all; another one where that instance
 * is too busy, stops, or the request could not be sent. With `may_repeat` of 1 also where an instance went away with
 * the request, or has not answered in half of the time left while there was another one: so it may be served more than
 * once. Several threads may call at once. `message` is empty afterwards, on success only; the two messages are different
 * objects.
 *
 * NOT_FOUND, at once, where nobody has that name; PERMISSION or HANDSHAKE where no instance lets us in; BUSY where all
 * are too busy; UNREACHABLE where the instance went away
 * and may have served it or not; TIMEOUT where no reply came in time; else the status that the service answered with.
 */
dividere_status_t dividere_service_client_call(struct dividere_service_client_t client,
                                               struct dividere_message_t *message,
                                               struct dividere_message_t *reply,
                                               int64_t timeout_ms,
                                               int32_t may_repeat);

/**
 * Begins what dividere_service_client_call does, waiting for nothing, and gives the number under which
 * dividere_service_client_finish_call has the reply: a call whose caller waits in an event loop of its own. Any number of
 * them may be under way. A thread of the client's, there from the first of them on, keeps their time, and asks other
 * instances as the blocking call does. `message` is empty afterwards, on success only. What cannot be served, because
 * nobody has that name for instance, is told where the call is finished. What came of a call is kept until it is finished or
 * given up.
 */
dividere_status_t dividere_service_client_start_call(struct dividere_service_client_t client,
                                                     struct dividere_message_t *message,
                                                     int64_t timeout_ms,
                                                     int32_t may_repeat,
                                                     uint64_t *call);

/**
 * Takes what came of a call that was started, waiting for its end for `timeout_ms` milliseconds. WOULD_BLOCK where it is
 * not over by then: it is under way still. Everything else is its end: what dividere_service_client_call returns, its
 * TIMEOUT included; NOT_FOUND also where it was finished or given up before.
 */
dividere_status_t dividere_service_client_finish_call(struct dividere_service_client_t client,
                                                      uint64_t call,
                                                      struct dividere_message_t *reply,
                                                      int64_t timeout_ms);

/**
 * The same for whichever call ends first, or has ended: `call` is its number, and the status what came of it. WOULD_BLOCK,
 * and a `call` of 0, where none has ended by then; a `call` of 0 with every other error of this call itself.
 */
dividere_status_t dividere_service_client_finish_next(struct dividere_service_client_t client,
                                                      uint64_t *call,
                                                      struct dividere_message_t *reply,
                                                      int64_t timeout_ms);

/**
 * Gives up a call that was started: nobody else is asked, and a reply to it is dropped. NOT_FOUND where it was finished or
 * given up before.
 */
dividere_status_t dividere_service_client_abandon_call(struct dividere_service_client_t client,
                                                       uint64_t call);

/**
 * A descriptor for poll and epoll, one for all calls that were started: it is readable while there are some that are over
 * and were not finished, and after the client was closed. It makes an edge whenever calls end. It belongs to the client.
 */
dividere_status_t dividere_service_client_fd(struct dividere_service_client_t client,
                                             int32_t *fd);

/**
 * Waits until an instance is connected: for those who are there before the service is. PERMISSION or HANDSHAKE at once
 * where all that are there refuse us.
 */
dividere_status_t dividere_service_client_wait(struct dividere_service_client_t client,
                                               int64_t timeout_ms);

/**
 * The instances that are known now, connected or not. To be freed with dividere_instances_free.
 */
dividere_status_t dividere_service_client_instances(struct dividere_service_client_t client,
                                                    struct dividere_instances_t **instances);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIVIDERE_H */
