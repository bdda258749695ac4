"""What include/dividere.h declares, for ctypes. Made from it by tools/declarations.py; do not edit.

A handle is one number in a struct, which is passed by value as that number is.
"""

from __future__ import annotations

import enum
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

VERSION = (3, 0, 0)


class Status(enum.IntEnum):
    """enum dividere_status"""

    OK = 0
    INVALID_ARGUMENT = 100
    NULL_POINTER = 101
    OUT_OF_MEMORY = 102
    LIMIT = 103
    TIMEOUT = 200
    WOULD_BLOCK = 201
    CLOSED = 202
    FORKED = 203
    CANCELLED = 204
    STATE = 205
    ENDPOINT = 300
    ADDRESS_IN_USE = 301
    UNREACHABLE = 302
    PERMISSION = 303
    HANDSHAKE = 304
    TOO_LARGE = 305
    DECODE = 400
    TYPE = 401
    NOT_FOUND = 500
    BUSY = 501
    REMOTE = 502
    UNSUPPORTED = 900
    INTERNAL = 901


class BrokerSide(enum.IntEnum):
    """enum dividere_broker_side"""

    FRONT = 1
    BACK = 2


class EventKind(enum.IntEnum):
    """enum dividere_event"""

    CONNECTED = 1
    ACCEPTED = 2
    DISCONNECTED = 3
    RETRIED = 4
    LISTENING = 5
    HANDSHAKE_FAILED = 6
    CLOSED = 7
    MONITOR_LOST = 8
    ACCEPT_FAILED = 9
    RESTARTED = 10


class FullQueue(enum.IntEnum):
    """enum dividere_full_queue"""

    USUAL = 0
    DROP = 1
    BLOCK = 2
    FAIL = 3


class LogLevel(enum.IntEnum):
    """enum dividere_log"""

    ERROR = 1
    WARNING = 2
    INFO = 3
    DEBUG = 4
    TRACE = 5


class MessageKind(enum.IntEnum):
    """enum dividere_message"""

    EMPTY = 0
    BYTES = 1
    TYPED = 2
    UNDECODABLE = 3


class OptionKey(enum.IntEnum):
    """enum dividere_option"""

    SEND_HIGH_WATER_MARK = 1
    RECEIVE_HIGH_WATER_MARK = 2
    LINGER_MS = 3
    HEARTBEAT_INTERVAL_MS = 4
    HEARTBEAT_TIMEOUT_MS = 5
    RECONNECT_INTERVAL_MS = 6
    RECONNECT_INTERVAL_MAX_MS = 7
    CONNECT_TIMEOUT_MS = 8
    HANDSHAKE_TIMEOUT_MS = 9
    SEND_TIMEOUT_MS = 10
    TCP_KEEPALIVE = 11
    TCP_KEEPALIVE_IDLE_S = 12
    TCP_KEEPALIVE_INTERVAL_S = 13
    TCP_KEEPALIVE_COUNT = 14
    IPV6 = 15
    MAX_MESSAGE_SIZE = 16
    IDENTITY = 17
    KEEP_LATEST = 18
    FULL_QUEUE = 19
    BACKLOG = 20
    TYPE_OF_SERVICE = 21
    CURVE_SERVER_SECRET_KEY = 30
    CURVE_CLIENT_PUBLIC_KEY = 31
    CURVE_CLIENT_SECRET_KEY = 32
    CURVE_SERVER_PUBLIC_KEY = 33
    CURVE_ALLOWED_KEY = 34
    CURVE_ALLOW_ANY = 35
    IO_THREADS = 100
    MAX_SOCKETS = 101
    THREAD_NAME_PREFIX = 102
    REGISTRY_PUBLISH_ENDPOINT = 200
    REGISTRY_LEASE_MS = 201
    REGISTRY_LEASE_MIN_MS = 202
    REGISTRY_LEASE_MAX_MS = 203
    REGISTRY_MAX_INSTANCES = 204
    REGISTRY_MAX_INSTANCES_PER_NAME = 205
    REGISTRY_MAX_METADATA_BYTES = 206
    REGISTRY_MAX_WATCHES = 207
    REGISTRY_ADVERTISE = 208
    WORKER_HEARTBEAT_MS = 300
    WORKER_BUSY_LIMIT_MS = 301
    BROKER_QUEUE_LIMIT = 302
    BROKER_QUEUE_BYTES = 303
    WORKER_CAPACITY = 304
    SERVICE_QUEUE_BYTES = 400


class ProxyKind(enum.IntEnum):
    """enum dividere_proxy"""

    REQUEST_RESPONSE = 1
    PUBLISH_SUBSCRIBE = 2


class ProxySide(enum.IntEnum):
    """enum dividere_proxy_side"""

    FRONT = 1
    BACK = 2
    CAPTURE = 3


class WatchKind(enum.IntEnum):
    """enum dividere_watch"""

    PUT = 1
    DELETE = 2
    COMPLETE = 3


class Key(Structure):
    """struct dividere_key_t"""

    _fields_ = [
        ("text", c_char * 41),
    ]


class View(Structure):
    """struct dividere_view_t"""

    _fields_ = [
        ("kind", c_int32),
        ("can_reply", c_int32),
        ("type_name", c_void_p),
        ("type_name_len", c_size_t),
        ("payload", c_void_p),
        ("payload_len", c_size_t),
        ("bytes", c_void_p),
        ("bytes_len", c_size_t),
        ("route_count", c_size_t),
        ("sequence", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class Copied(Structure):
    """struct dividere_copied_t"""

    _fields_ = [
        ("kind", c_int32),
        ("can_reply", c_int32),
        ("messages", c_uint64),
        ("route_count", c_uint64),
        ("type_name_len", c_uint64),
        ("payload_len", c_uint64),
        ("offset", c_uint64),
        ("type_name", c_void_p),
        ("payload", c_void_p),
    ]


class Batch(Structure):
    """struct dividere_batch_t"""

    _fields_ = [
        ("messages", c_void_p),
        ("copied", c_void_p),
        ("count", c_size_t),
        ("buffer", c_void_p),
        ("size", c_size_t),
        ("typed", c_int32),
        ("framed", c_int32),
        ("bytes_most", c_uint64),
        ("copied_most", c_uint64),
        ("received", c_uint64),
        ("described", c_uint64),
    ]


class Outlet(Structure):
    """struct dividere_outlet_t"""

    _fields_ = [
        ("socket", c_uint64),
        ("type_name", c_void_p),
        ("type_name_len", c_size_t),
        ("never_waits", c_int32),
        ("reserved", c_int32),
    ]


class Statistics(Structure):
    """struct dividere_statistics_t"""

    _fields_ = [
        ("messages_in", c_uint64),
        ("messages_out", c_uint64),
        ("bytes_in", c_uint64),
        ("bytes_out", c_uint64),
        ("dropped_queue_full", c_uint64),
        ("dropped_stale", c_uint64),
        ("dropped_malformed", c_uint64),
        ("dropped_unrouted", c_uint64),
        ("decode_errors", c_uint64),
        ("events_lost", c_uint64),
        ("reconnects", c_uint64),
        ("peers", c_uint64),
        ("subscribers", c_uint64),
        ("reserved", c_uint64 * 7),
    ]


class Event(Structure):
    """struct dividere_event_t"""

    _fields_ = [
        ("kind", c_int32),
        ("code", c_int32),
        ("endpoint", c_char * 512),
        ("peer", c_char * 512),
        ("text", c_char * 512),
        ("reserved", c_uint64 * 4),
    ]


class Bytes(Structure):
    """struct dividere_bytes_t"""

    _fields_ = [
        ("data", c_void_p),
        ("len", c_size_t),
    ]


class PollItem(Structure):
    """struct dividere_poll_item_t"""

    _fields_ = [
        ("socket", c_uint64),
        ("ready", c_int32),
    ]


class Delivery(Structure):
    """struct dividere_delivery_t"""

    _fields_ = [
        ("reactor", c_uint64),
        ("source", c_uint64),
    ]


class BrokerStatistics(Structure):
    """struct dividere_broker_statistics_t"""

    _fields_ = [
        ("workers", c_uint64),
        ("idle_workers", c_uint64),
        ("queued", c_uint64),
        ("working", c_uint64),
        ("served", c_uint64),
        ("retried", c_uint64),
        ("refused", c_uint64),
        ("failed", c_uint64),
        ("expired", c_uint64),
        ("late", c_uint64),
        ("reserved", c_uint64 * 6),
    ]


class Instance(Structure):
    """struct dividere_instance_t"""

    _fields_ = [
        ("name", c_void_p),
        ("endpoint", c_void_p),
        ("server", c_void_p),
        ("port", c_uint32),
        ("lease_ms", c_uint32),
        ("metadata", c_void_p),
        ("metadata_len", c_size_t),
        ("id", c_uint64),
        ("revision", c_uint64),
        ("reserved", c_uint64 * 4),
    ]


LogCallback = CFUNCTYPE(None, c_void_p, c_int32, c_char_p, c_char_p)
Destructor = CFUNCTYPE(None, c_void_p)
EventCallback = CFUNCTYPE(None, c_void_p, POINTER(Event))
Handler = CFUNCTYPE(c_int32, c_void_p, POINTER(Delivery), c_void_p)
ErrorHandler = CFUNCTYPE(None, c_void_p, POINTER(Delivery), c_void_p, c_int32, c_char_p)
Task = CFUNCTYPE(None, c_void_p, c_uint64)
WorkerHandler = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_void_p)
ServiceHandler = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_void_p)

# Name, result, parameters.
FUNCTIONS: list[tuple[str, Any, list[Any]]] = [
    ("dividere_status_name", c_char_p, [c_int32]),
    ("dividere_last_error", c_char_p, []),
    ("dividere_fail", c_int32, [c_int32, c_char_p]),
    ("dividere_version", c_char_p, []),
    ("dividere_abi_version", c_uint32, []),
    ("dividere_has", c_int32, [c_char_p]),
    ("dividere_curve_keypair", c_int32, [POINTER(Key), POINTER(Key)]),
    ("dividere_curve_public", c_int32, [c_char_p, POINTER(Key)]),
    ("dividere_options_new", c_int32, [POINTER(c_void_p)]),
    ("dividere_options_free", None, [c_void_p]),
    ("dividere_options_clone", c_int32, [c_void_p, POINTER(c_void_p)]),
    ("dividere_options_set_int", c_int32, [c_void_p, c_int32, c_int64]),
    ("dividere_options_set_string", c_int32, [c_void_p, c_int32, c_char_p]),
    ("dividere_options_set_bytes", c_int32, [c_void_p, c_int32, c_void_p, c_size_t]),
    ("dividere_configure", c_int32, [c_void_p]),
    ("dividere_shutdown", c_int32, [c_int64]),
    ("dividere_interrupt_waits", c_int32, [c_int32]),
    ("dividere_log_set_callback", c_int32, [c_int32, c_void_p, c_void_p, c_void_p]),
    ("dividere_envelope_size", c_int32, [c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_envelope_encode", c_int32, [c_char_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_envelope_decode", c_int32, [c_void_p, c_size_t, POINTER(View)]),
    ("dividere_message_new", c_int32, [POINTER(c_void_p)]),
    ("dividere_message_free", None, [c_void_p]),
    ("dividere_message_clone", c_int32, [c_void_p, POINTER(c_void_p)]),
    ("dividere_message_clear", c_int32, [c_void_p]),
    ("dividere_message_prepare", c_int32, [c_void_p, c_char_p, c_size_t, POINTER(c_void_p)]),
    ("dividere_message_prepare_bytes", c_int32, [c_void_p, c_size_t, POINTER(c_void_p)]),
    ("dividere_message_set", c_int32, [c_void_p, c_char_p, c_void_p, c_size_t]),
    ("dividere_message_set_bytes", c_int32, [c_void_p, c_void_p, c_size_t]),
    ("dividere_message_view", c_int32, [c_void_p, POINTER(View)]),
    ("dividere_message_is", c_int32, [c_void_p, c_char_p]),
    ("dividere_message_decode", c_int32, [c_void_p]),
    ("dividere_message_route", c_int32, [c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t)]),
    ("dividere_message_reply", c_int32, [c_void_p, c_void_p]),
    ("dividere_message_reply_error", c_int32, [c_void_p, c_int32, c_char_p]),
    ("dividere_socket_recv_batch", c_int32, [c_uint64, POINTER(Batch), c_int64]),
    ("dividere_outlet_send", c_int32, [POINTER(Outlet), c_void_p, c_size_t]),
    ("dividere_outlet_call", c_int32, [POINTER(Outlet), c_void_p, c_size_t, c_int32, c_int64, c_int64, POINTER(c_uint64), POINTER(Batch)]),
    ("dividere_socket_send", c_int32, [c_uint64, c_void_p]),
    ("dividere_socket_send_within", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_socket_send_typed", c_int32, [c_uint64, c_char_p, c_void_p, c_size_t]),
    ("dividere_socket_send_bytes", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_socket_send_many", c_int32, [c_uint64, POINTER(c_void_p), c_size_t, POINTER(c_size_t)]),
    ("dividere_socket_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_socket_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_socket_recv_many", c_int32, [c_uint64, POINTER(c_void_p), c_size_t, c_int32, c_int64, POINTER(c_size_t)]),
    ("dividere_socket_wait", c_int32, [c_uint64, c_int64]),
    ("dividere_socket_fd", c_int32, [c_uint64, POINTER(c_int32)]),
    ("dividere_socket_room_fd", c_int32, [c_uint64, POINTER(c_int32)]),
    ("dividere_socket_watch", c_int32, [c_uint64, c_int32]),
    ("dividere_socket_statistics", c_int32, [c_uint64, POINTER(Statistics)]),
    ("dividere_socket_event_recv", c_int32, [c_uint64, POINTER(Event), c_int64]),
    ("dividere_socket_set_event_callback", c_int32, [c_uint64, c_void_p, c_void_p, c_void_p]),
    ("dividere_socket_last_endpoint", c_int32, [c_uint64, c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_socket_endpoint_count", c_int32, [c_uint64, POINTER(c_size_t)]),
    ("dividere_socket_endpoint", c_int32, [c_uint64, c_size_t, c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_socket_attach", c_int32, [c_uint64, c_char_p]),
    ("dividere_socket_detach", c_int32, [c_uint64, c_char_p]),
    ("dividere_socket_wait_connected", c_int32, [c_uint64, c_size_t, c_int64]),
    ("dividere_socket_flush", c_int32, [c_uint64, c_int64]),
    ("dividere_socket_close", c_int32, [c_uint64]),
    ("dividere_publisher_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_publisher_close", c_int32, [c_uint64]),
    ("dividere_publisher_socket", c_uint64, [c_uint64]),
    ("dividere_publisher_send", c_int32, [c_uint64, c_void_p]),
    ("dividere_publisher_send_typed", c_int32, [c_uint64, c_char_p, c_void_p, c_size_t]),
    ("dividere_publisher_send_bytes", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_publisher_subscribers", c_int32, [c_uint64, c_char_p, POINTER(c_size_t)]),
    ("dividere_publisher_wait_for_subscribers", c_int32, [c_uint64, c_char_p, c_size_t, c_int64]),
    ("dividere_subscriber_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_subscriber_new_for_types", c_int32, [c_char_p, POINTER(c_char_p), c_size_t, c_void_p, POINTER(c_uint64)]),
    ("dividere_subscriber_close", c_int32, [c_uint64]),
    ("dividere_subscriber_socket", c_uint64, [c_uint64]),
    ("dividere_subscriber_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_subscriber_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_subscriber_subscribe", c_int32, [c_uint64, c_char_p]),
    ("dividere_subscriber_unsubscribe", c_int32, [c_uint64, c_char_p]),
    ("dividere_subscriber_subscribe_prefix", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_subscriber_unsubscribe_prefix", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_request_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_request_close", c_int32, [c_uint64]),
    ("dividere_request_socket", c_uint64, [c_uint64]),
    ("dividere_request_call", c_int32, [c_uint64, c_void_p, c_void_p, c_int64, c_uint32]),
    ("dividere_request_start_call", c_int32, [c_uint64, c_void_p, c_int32, c_int64, c_int64, POINTER(c_uint64)]),
    ("dividere_request_finish_call", c_int32, [c_uint64, c_uint64, c_void_p, c_int64]),
    ("dividere_request_abandon_call", c_int32, [c_uint64, c_uint64]),
    ("dividere_request_send", c_int32, [c_uint64, c_void_p]),
    ("dividere_request_send_bytes", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_request_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_request_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_response_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_response_close", c_int32, [c_uint64]),
    ("dividere_response_socket", c_uint64, [c_uint64]),
    ("dividere_response_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_response_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_response_send", c_int32, [c_uint64, c_void_p]),
    ("dividere_response_send_bytes", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_response_send_error", c_int32, [c_uint64, c_int32, c_char_p]),
    ("dividere_dealer_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_dealer_close", c_int32, [c_uint64]),
    ("dividere_dealer_socket", c_uint64, [c_uint64]),
    ("dividere_dealer_send", c_int32, [c_uint64, c_void_p]),
    ("dividere_dealer_send_bytes", c_int32, [c_uint64, c_void_p, c_size_t]),
    ("dividere_dealer_send_routed", c_int32, [c_uint64, POINTER(Bytes), c_size_t, c_void_p]),
    ("dividere_dealer_send_routed_within", c_int32, [c_uint64, POINTER(Bytes), c_size_t, c_void_p, c_int64]),
    ("dividere_dealer_send_with_empty_frame", c_int32, [c_uint64, c_void_p]),
    ("dividere_dealer_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_dealer_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_poll", c_int32, [POINTER(PollItem), c_size_t, c_int64, POINTER(c_size_t)]),
    ("dividere_reactor_new", c_int32, [POINTER(c_uint64)]),
    ("dividere_reactor_close", c_int32, [c_uint64]),
    ("dividere_reactor_add", c_int32, [c_uint64, c_uint64]),
    ("dividere_reactor_remove", c_int32, [c_uint64, c_uint64]),
    ("dividere_reactor_on", c_int32, [c_uint64, c_char_p, c_void_p, c_void_p, c_void_p]),
    ("dividere_reactor_on_error", c_int32, [c_uint64, c_void_p, c_void_p, c_void_p]),
    ("dividere_reactor_add_timer", c_int32, [c_uint64, c_int64, c_int32, c_void_p, c_void_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_reactor_cancel_timer", c_int32, [c_uint64, c_uint64]),
    ("dividere_reactor_on_idle", c_int32, [c_uint64, c_int64, c_void_p, c_void_p, c_void_p]),
    ("dividere_reactor_post", c_int32, [c_uint64, c_void_p, c_void_p, c_void_p]),
    ("dividere_reactor_run", c_int32, [c_uint64]),
    ("dividere_reactor_start", c_int32, [c_uint64, c_char_p]),
    ("dividere_reactor_stop", c_int32, [c_uint64, c_int64]),
    ("dividere_proxy_new", c_int32, [c_int32, c_char_p, c_char_p, c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_proxy_close", c_int32, [c_uint64]),
    ("dividere_proxy_last_endpoint", c_int32, [c_uint64, c_int32, c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_proxy_statistics", c_int32, [c_uint64, c_int32, POINTER(Statistics)]),
    ("dividere_proxy_event_recv", c_int32, [c_uint64, c_int32, POINTER(Event), c_int64]),
    ("dividere_proxy_wait_ended", c_int32, [c_uint64, c_int64]),
    ("dividere_broker_new", c_int32, [c_char_p, c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_broker_close", c_int32, [c_uint64]),
    ("dividere_broker_statistics", c_int32, [c_uint64, POINTER(BrokerStatistics)]),
    ("dividere_broker_wait_workers", c_int32, [c_uint64, c_uint64, c_int64]),
    ("dividere_broker_wait_ended", c_int32, [c_uint64, c_int64]),
    ("dividere_broker_last_endpoint", c_int32, [c_uint64, c_int32, c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_broker_side_statistics", c_int32, [c_uint64, c_int32, POINTER(Statistics)]),
    ("dividere_broker_event_recv", c_int32, [c_uint64, c_int32, POINTER(Event), c_int64]),
    ("dividere_worker_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_worker_close", c_int32, [c_uint64]),
    ("dividere_worker_socket", c_uint64, [c_uint64]),
    ("dividere_worker_serve", c_int32, [c_uint64, c_void_p, c_void_p, c_void_p]),
    ("dividere_worker_recv", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_worker_recv_bytes", c_int32, [c_uint64, c_void_p, c_int64]),
    ("dividere_worker_stop", c_int32, [c_uint64, c_int64]),
    ("dividere_worker_wait_ended", c_int32, [c_uint64, c_int64]),
    ("dividere_instances_count", c_size_t, [c_void_p]),
    ("dividere_instances_get", c_int32, [c_void_p, c_size_t, POINTER(Instance)]),
    ("dividere_instances_free", None, [c_void_p]),
    ("dividere_registry_client_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_registry_client_close", c_int32, [c_uint64]),
    ("dividere_registry_client_register", c_int32, [c_uint64, c_char_p, c_uint32, c_void_p, c_size_t, c_int64, POINTER(c_uint64)]),
    ("dividere_registry_client_unregister", c_int32, [c_uint64, c_uint64, c_int64]),
    ("dividere_registry_client_lookup", c_int32, [c_uint64, c_char_p, c_int64, POINTER(c_void_p)]),
    ("dividere_registry_client_lookup_all", c_int32, [c_uint64, c_char_p, c_int64, POINTER(c_void_p)]),
    ("dividere_registry_client_list", c_int32, [c_uint64, c_char_p, c_int64, POINTER(c_void_p)]),
    ("dividere_registry_client_watch", c_int32, [c_uint64, c_char_p, c_int32, c_int64, POINTER(c_uint64)]),
    ("dividere_registry_server_new", c_int32, [c_char_p, c_void_p, POINTER(c_uint64)]),
    ("dividere_registry_server_close", c_int32, [c_uint64]),
    ("dividere_registry_server_socket", c_uint64, [c_uint64]),
    ("dividere_registry_server_publish_endpoint", c_int32, [c_uint64, c_char_p, c_size_t, POINTER(c_size_t)]),
    ("dividere_registry_server_wait_ended", c_int32, [c_uint64, c_int64]),
    ("dividere_watch_recv", c_int32, [c_uint64, c_int64, POINTER(c_int32), POINTER(c_void_p)]),
    ("dividere_watch_fd", c_int32, [c_uint64, POINTER(c_int32)]),
    ("dividere_watch_close", c_int32, [c_uint64]),
    ("dividere_service_new", c_int32, [c_char_p, c_uint64, c_char_p, c_void_p, c_uint32, c_uint32, c_void_p, c_size_t, POINTER(c_uint64)]),
    ("dividere_service_close", c_int32, [c_uint64]),
    ("dividere_service_on", c_int32, [c_uint64, c_char_p, c_void_p, c_void_p, c_void_p]),
    ("dividere_service_start", c_int32, [c_uint64, c_int64]),
    ("dividere_service_port", c_int32, [c_uint64, POINTER(c_uint32)]),
    ("dividere_service_stop", c_int32, [c_uint64, c_int64]),
    ("dividere_service_wait_ended", c_int32, [c_uint64, c_int64]),
    ("dividere_service_client_new", c_int32, [c_char_p, c_uint64, c_void_p, POINTER(c_uint64)]),
    ("dividere_service_client_close", c_int32, [c_uint64]),
    ("dividere_service_client_call", c_int32, [c_uint64, c_void_p, c_void_p, c_int64, c_int32]),
    ("dividere_service_client_start_call", c_int32, [c_uint64, c_void_p, c_int64, c_int32, POINTER(c_uint64)]),
    ("dividere_service_client_finish_call", c_int32, [c_uint64, c_uint64, c_void_p, c_int64]),
    ("dividere_service_client_finish_next", c_int32, [c_uint64, POINTER(c_uint64), c_void_p, c_int64]),
    ("dividere_service_client_abandon_call", c_int32, [c_uint64, c_uint64]),
    ("dividere_service_client_fd", c_int32, [c_uint64, POINTER(c_int32)]),
    ("dividere_service_client_wait", c_int32, [c_uint64, c_int64]),
    ("dividere_service_client_instances", c_int32, [c_uint64, POINTER(c_void_p)]),
]
