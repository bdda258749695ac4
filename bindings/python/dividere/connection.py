"""Bytes between programs: publish and subscribe, request and response, dealers, proxies.

Each class is one socket; `dividere.messaging` has the same ones for protobuf messages. Endpoints are
`tcp://host:port` (`tcp://*:port` binds to every address, `tcp://127.0.0.1:*` to a free port), `ipc://path` and
`inproc://name`; a list, or commas, name several. "@" in front binds, ">" connects, where that is not what the
role does by itself. Timeouts are seconds; `wait` takes milliseconds as well, as in dividere 2.2.0.
"""

from __future__ import annotations

import ctypes
import socket
import threading
import uuid
from collections.abc import Iterator
from ctypes import byref, c_size_t, c_void_p
from functools import partial
from typing import Any, Union

from dividere import _abi, _logging, _slots
from dividere._abi import ProxyKind, Status
from dividere._ahead import ReadAhead
from dividere._calling import Calling
from dividere._connector import (
    OK,
    Event,
    EventKind,
    Fill,
    Handle,
    Receiver,
    Sender,
    Statistics,
    bytes_of,
    event_of,
    untyped,
)
from dividere._library import lib, quick
from dividere._socket import DEALER, PUB, REP, REQ, SUB, Poller, SocketView
from dividere._types import MessageType, nested, type_name
from dividere._waiting import (
    CANCELLED,
    TIMEOUT,
    WOULD_BLOCK,
    check_aside,
    interruptible,
    milliseconds,
)
from dividere.errors import Closed, StateError, Unsupported, check, error_of
from dividere.options import Options

logger = _logging.connection

Bytes = Union[bytes, bytearray, memoryview]
#: What came through routers, or goes back through them: the route, and the message.
Routed = tuple[list[bytes], bytes]


class PortManager:
    """Finds ports that are free. A port may be taken by somebody else before it is bound; binding to
    `tcp://127.0.0.1:*` and asking for `last_endpoint` has no such gap."""

    @staticmethod
    def acquire() -> int:
        """A TCP port that is free now, as the system knows it."""
        with socket.socket() as sock:
            sock.bind(("", 0))
            port: int = sock.getsockname()[1]
        return port


class Connector(Handle):
    """What all connections have in common."""

    #: There is no context and no monitoring thread for each connection here.
    ctx_: None = None
    tid_: None = None
    #: The connection as a socket of pyzmq; None before there is one.
    socket_: SocketView | None = None

    def _open(
        self,
        new: Any,
        end_point: str | list[str] | tuple[str, ...],
        options: Options | None,
        kind: int,
        identity: bytes = b"",
    ) -> None:
        self._options = options
        self._make(new, end_point, options)
        self.socket_ = SocketView(self, kind, identity)
        if kind != PUB:
            self.poller_ = Poller(self.socket_)

    @staticmethod
    def registerSocketMonitoring(sock: SocketView) -> threading.Thread:
        """Starts a thread that logs the events of a socket until it is closed. Not needed: `logger` gets the events
        of all sockets, and `recv_event` and `events` have them."""
        thread = threading.Thread(
            target=Connector.socketEventMonitor, args=(sock,), name="dividere-events", daemon=True
        )
        thread.start()
        return thread

    @staticmethod
    def socketEventMonitor(monitorSock: SocketView) -> None:
        """Logs the events of a socket until it is closed."""
        try:
            # Not the connection, which this would keep open.
            number = monitorSock._get()._id
            while True:
                event = _abi.Event()
                check_aside(partial(lib.socket_event_recv, number, byref(event)), -1)
                logger.debug("Event: %s", event_of(event))
        except (Closed, Unsupported):
            # It is gone.
            return


# What a publisher does whose queue is full, where it does not wait.
_NEVER_WAITS = (0, 1, 3, "usual", "drop", "fail")


class Publisher(Connector, Sender):
    """Publishes to whoever subscribes. It binds to its endpoint."""

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__()
        # With its usual options a publisher drops and never waits, so that a send need not let go of the GIL.
        waits = options is not None and options.get("full_queue", 0) not in _NEVER_WAITS
        self._send_one = (lib if waits else quick).socket_send_bytes
        self._never_waits = int(waits)
        self._open(lib.publisher_new, endPoint, options, PUB)

    def send(self, msg: Bytes, *, timeout: float | None = None) -> None:
        """Publishes bytes. What is sent while nobody subscribes is gone. With a `timeout` it waits so many seconds
        until all who subscribe have room, whatever the options say."""
        if timeout is not None:
            self._send_message(untyped(msg), timeout)
            return
        data = msg if msg.__class__ is bytes else bytes_of(msg)
        status = self._send_one(self._id, data, len(data))
        if status:
            self._failed(status, partial(self._send_one, self._id, data, len(data)))

    def _failed(self, status: int, again: Any) -> None:
        while status == CANCELLED:
            status = again()
        if status:
            raise error_of(status)

    def subscribers(self, message_type: MessageType | None = None) -> int:
        """How many subscribers get messages of a type; without one, how many subscribe to anything."""
        name = None if message_type is None else type_name(message_type).encode()
        count = c_size_t()
        check(quick.publisher_subscribers(self._id, name, byref(count)))
        return count.value

    def wait_for_subscribers(
        self, count: int = 1, message_type: MessageType | None = None, timeout: float | None = None
    ) -> None:
        """Waits until `count` subscribers get messages of a type, or, without one, of any. A subscriber counted
        here gets everything that is published from now on."""
        name = None if message_type is None else type_name(message_type).encode()
        wait = partial(lib.publisher_wait_for_subscribers, self._id, name, count)
        check_aside(wait, milliseconds(timeout))


def _prefix_of(topic: str | Bytes) -> bytes:
    return topic.encode() if isinstance(topic, str) else bytes_of(topic)


class Subscriber(Connector, Receiver):
    """Receives what publishers publish, as far as it begins with one of its topics. It connects to its endpoint."""

    def __init__(
        self, endPoint: str | list[str], topic: str | bytes = "", *, options: Options | None = None
    ) -> None:
        super().__init__()
        self._make_subscriber(partial(_new_subscriber, topics=[_prefix_of(topic)]), endPoint, options)

    @classmethod
    def _of_types(cls, end_point: str | list[str], types: list[bytes], options: Options | None) -> Subscriber:
        """One for messages of these types; with none of them, for everything."""
        made = cls.__new__(cls)
        if types:
            names = (ctypes.c_char_p * len(types))(*types)
            new = partial(_new_for_types, names=names)
        else:
            new = partial(_new_subscriber, topics=[b""])
        made._make_subscriber(new, end_point, options)
        return made

    def _make_subscriber(self, new: Any, end_point: str | list[str], options: Options | None) -> None:
        self._open(new, end_point, options, SUB)
        given = options if options is not None else Options()
        self._ahead = ReadAhead(
            self._id, given.get("receive_high_water_mark", 1000), bool(given.get("keep_latest"))
        )

    #: What `dividere.messaging` has read ahead: it comes first here, too.
    _ahead: ReadAhead

    def recv(self, timeout: float | None = None) -> bytes:
        """Waits for the next message and returns its bytes. `TimedOut` after `timeout` seconds."""
        try:
            self._ahead.asleep()
            data: bytes | None = self._ahead.next_bytes()
            return data if data is not None else super().recv(timeout)
        finally:
            self._ahead.awake()

    def recv_many(self, most: int = _slots.BATCH_MESSAGES, timeout: float | None = None) -> list[bytes]:
        """Waits for a message and takes what else is there already, at most `most`, 256, and what reaches 64 KiB:
        all in one call into C."""
        return self._ahead.and_more(self._ahead.many_bytes, super().recv_many, most, timeout)

    def wait(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bool:
        """Waits until there is a message, for `timeOutMs` milliseconds or `timeout` seconds, and tells whether
        there is one. Without a time it waits for as long as it takes."""
        if self._ahead.queue:
            return True
        try:
            return not self._ahead.asleep() or super().wait(timeOutMs, timeout=timeout)
        finally:
            self._ahead.awake()

    def subscribe(self, topic: str | Bytes) -> None:
        """Receives whatever begins with `topic`, too. Counted: as many unsubscribe calls end it."""
        prefix = _prefix_of(topic)
        check(quick.subscriber_subscribe_prefix(self._id, prefix, len(prefix)))

    def unsubscribe(self, topic: str | Bytes) -> None:
        """Ends a subscription. What is on its way still arrives."""
        prefix = _prefix_of(topic)
        check(quick.subscriber_unsubscribe_prefix(self._id, prefix, len(prefix)))

    def subscribe_type(self, message_type: MessageType) -> None:
        """Receives messages of this type, too."""
        check(quick.subscriber_subscribe(self._id, type_name(message_type).encode()))

    def unsubscribe_type(self, message_type: MessageType) -> None:
        """Ends a subscription to a type."""
        check(quick.subscriber_unsubscribe(self._id, type_name(message_type).encode()))


def _new_subscriber(endpoints: bytes, options: Any, handle: Any, topics: list[bytes]) -> int:
    """A subscriber to topics and nothing else."""
    status: int = lib.subscriber_new_for_types(endpoints, None, 0, options, handle)
    for topic in topics:
        if status == 0:
            status = quick.subscriber_subscribe_prefix(handle._obj.value, topic, len(topic))
    return status


def _new_for_types(endpoints: bytes, options: Any, handle: Any, names: Any) -> int:
    status: int = lib.subscriber_new_for_types(endpoints, names, len(names), options, handle)
    return status


class Request(Connector, Calling, Receiver):
    """Asks, and gets an answer. It connects to its endpoints, and asks them in turn. Sending and receiving
    alternate; `call` does both, from any number of threads at once. After a timeout the next request may be sent,
    and the late reply to the old one is never taken for its reply."""

    def __init__(self, endPointList: str | list[str], *, options: Options | None = None) -> None:
        super().__init__()
        self._open(lib.request_new, endPointList, options, REQ)

    def send(self, msg: Bytes, *, timeout: float | None = None) -> None:
        """Sends a request; the reply is received next. StateError where the reply before was not received. It waits for
        a connection and for room, for `timeout` seconds or the send timeout of the options."""
        self._send_message(untyped(msg), timeout)

    def call(self, msg: Bytes, timeout: float | None = None, retries: int = 0) -> bytes:
        """Sends a request and waits for its reply for `timeout` seconds; where none comes, sends it again, to the
        next endpoint, up to `retries` times: so it may be served more than once."""
        slot = _slots.single()
        try:
            self._call(partial(self._ask, slot, untyped(msg)), timeout, retries)
            return slot.taken_message()[2]
        finally:
            _slots.singles.append(slot)

    def _has_turns(self) -> bool:
        return True

    def _default_seconds(self) -> float | None:
        # As with a socket of pyzmq a request whose reply does not come in that time is not given up.
        if self._receive_seconds is not None and not self.wait(timeout=self._receive_seconds):
            raise error_of(TIMEOUT, "no reply within the receive timeout of the socket")
        return self._receive_seconds


class Response(Connector, Sender, Receiver):
    """Serves requests: receives one, and sends its reply. It binds to an endpoint with a `*` in it, and connects to
    any other one."""

    _answers = True

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__()
        self._open(lib.response_new, endPoint, options, REP)

    def recv(self, timeout: float | None = None) -> bytes:
        """Waits for the next request and returns its bytes."""
        data: bytes = super().recv(timeout)
        self._owing = True
        return data

    def send(self, msg: Bytes, *, timeout: float | None = None) -> None:
        """Answers the request received last. Where its asker's queue is full it waits for room for `timeout` seconds,
        or the send timeout of the options."""
        self._send_bytes(msg, timeout)
        self._answered()

    def send_error(self, text: str, status: int = Status.REMOTE) -> None:
        """Answers the request received last with an error: the asker gets the exception for `status`."""
        check(lib.response_send_error(self._id, status, text.encode()))
        self._answered()

    def recv_many(self, most: int = 1, timeout: float | None = None) -> list[bytes]:
        """One request: the next one is received once it is answered."""
        return [self.recv(timeout)]

    def _answered(self) -> None:
        self._owing = False
        wake = self._when_answered
        if wake is not None:
            wake()

    #: What a reactor that waits for the answer wants to be told by.
    _when_answered: Any = None

    def _has_turns(self) -> bool:
        return True


class Dealer(Connector, Sender, Receiver):
    """Sends and receives in any order: to its peers in turn, and back to where a routed message came from. It binds
    to endpoints with a `*` in them, and connects to the others. Its identity is a random UUID unless the options
    give one."""

    def __init__(self, endPointList: str | list[str], *, options: Options | None = None) -> None:
        super().__init__()
        mine = options.copy() if options is not None else Options()
        identity = mine.get("identity")
        if identity is None:
            identity = str(uuid.uuid4()).encode()
            mine.set("identity", identity)
        identity = identity.encode() if isinstance(identity, str) else identity
        self._open(lib.dealer_new, endPointList, mine, DEALER, identity)

    @property
    def identity(self) -> bytes:
        """The name under which peers route to it."""
        assert self.socket_ is not None
        return self.socket_._identity

    def recv(self, timeout: float | None = None) -> bytes | Routed:
        """The next message: its bytes, or, where it came through routers, the route and its bytes."""
        slot = _slots.single()
        try:
            self._receive(slot, self._receive_ms(timeout))
            return self._taken(slot, 0)
        finally:
            _slots.singles.append(slot)

    def recv_many(
        self, most: int = _slots.BATCH_MESSAGES, timeout: float | None = None
    ) -> list[bytes | Routed]:
        """Waits for a message and takes what else is there already, at most `most`."""
        slot = _slots.batch()
        try:
            count = self._receive_batch(slot, most, 0, self._receive_ms(timeout))
            return [self._taken(slot, i) for i in range(count)]
        finally:
            _slots.batches.append(slot)

    @staticmethod
    def _taken(slot: _slots.Slot, index: int) -> bytes | Routed:
        route = slot.route(index)
        data = slot.take(index)[2]
        return (route, data) if route else data

    def send(self, msg: Bytes | Routed | tuple[Any, ...], *, timeout: float | None = None) -> None:
        """Sends bytes to the peers in turn, or, given a route and bytes, on that route. Where a queue is full it waits
        for room for `timeout` seconds, or as the options say."""
        if isinstance(msg, tuple):
            self._send_routed(msg[0], untyped(msg[1]), timeout)
        else:
            self._send_bytes(msg, timeout)

    def sendWithEmptyFrame(self, msg: Bytes, *, timeout: float | None = None) -> None:
        """Sends with an empty frame in front: the form in which a Response expects a request."""
        self._send_routed([b""], untyped(msg), timeout)

    def _send_routed(
        self, route: list[bytes] | tuple[bytes, ...] | bytes, fill: Fill, timeout: float | None
    ) -> None:
        frames = [route] if isinstance(route, bytes) else [bytes_of(frame) for frame in route]
        pointers = (_abi.Bytes * len(frames))()
        for pointer, frame in zip(pointers, frames):
            pointer.data = ctypes.cast(ctypes.c_char_p(frame), c_void_p)
            pointer.len = len(frame)
        slot = _slots.single()
        try:
            message = slot.messages[0]
            fill(message)
            try:
                check(self._send_on(pointers, message, timeout))
            except BaseException:
                slot.clear(0)
                raise
        finally:
            _slots.singles.append(slot)

    def _send_on(self, route: Any, message: Any, timeout: float | None) -> int:
        to = self._id, route, len(route), message
        if timeout is not None:
            return interruptible(partial(lib.dealer_send_routed_within, *to), milliseconds(timeout))
        status: int = lib.dealer_send_routed(*to)
        while status == CANCELLED:
            status = lib.dealer_send_routed(*to)
        return status


def poll(*receivers: Any, timeout: float | None = None) -> Iterator[Any]:
    """Waits until there is a message at one of several connections, and gives those where there is."""
    inner = [getattr(receiver, "connection", receiver) for receiver in receivers]
    ahead = [one._ahead for one in inner if one._ahead is not None]
    items = (_abi.PollItem * len(inner))()
    for item, one in zip(items, inner):
        item.socket = one._id
    try:
        # In a list: all of them have to be told.
        idle = all([one.asleep() for one in ahead])
        status = interruptible(partial(_poll, items), milliseconds(timeout if idle else 0))
        if status not in (OK, TIMEOUT, WOULD_BLOCK):
            raise error_of(status)
        there = [
            item.ready or (one._ahead is not None and one._ahead.queue) for item, one in zip(items, inner)
        ]
    finally:
        for one in ahead:
            one.awake()
    yield from (receiver for receiver, ready in zip(receivers, there) if ready)


def _poll(items: Any, ms: int) -> int:
    status: int = lib.poll(items, len(items), ms, None)
    return status


from dividere._byte_balancing import LoadBalancingPattern  # noqa: E402 - they use the classes above
from dividere._proxy import Proxy  # noqa: E402

for _kind in (LoadBalancingPattern, *nested(LoadBalancingPattern), Proxy):
    # Where programs know them.
    _kind.__module__ = __name__

__all__ = [
    "Connector",
    "Dealer",
    "Event",
    "EventKind",
    "LoadBalancingPattern",
    "Options",
    "PortManager",
    "Proxy",
    "ProxyKind",
    "Publisher",
    "Request",
    "Response",
    "StateError",
    "Statistics",
    "Subscriber",
    "logger",
    "poll",
]
