"""What all roles have in common: one handle of the library, and what can be asked of it."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Iterator
from ctypes import byref, c_size_t, c_uint64
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from dividere import _abi, _logging, _slots
from dividere._abi import EventKind, Status
from dividere._ahead import ReadAhead
from dividere._library import NO_HANDLE, NOW, bare, handle_of, lib, quick
from dividere._types import name_of, names
from dividere._waiting import CANCELLED, check_aside, given, interruptible, milliseconds
from dividere.errors import Closed, Error, StateError, TimedOut, WouldBlock, check, error_of
from dividere.options import Options, pointer_of

Self = TypeVar("Self", bound="Handle")
#: Makes a message of the library the one that is to be sent.
Fill = Callable[[Any], None]

OK = int(Status.OK)
TIMEOUT = int(Status.TIMEOUT)
WOULD_BLOCK = int(Status.WOULD_BLOCK)
STATE = int(Status.STATE)


class Statistics(NamedTuple):
    """What a handle counted since it was made. Counters only grow; `peers` and `subscribers` are those of now."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    dropped_queue_full: int
    dropped_stale: int
    dropped_malformed: int
    dropped_unrouted: int
    decode_errors: int
    events_lost: int
    reconnects: int
    peers: int
    subscribers: int


class Event(NamedTuple):
    """One thing that happened to one connection."""

    #: What happened: `EventKind`, or a number that a later version of the library knows.
    kind: int
    #: A number that goes with it: a status, an errno or a code of ZeroMQ's; 0 for none.
    code: int
    #: The endpoint of this side.
    endpoint: str
    #: The address of the peer; empty where it cannot be known.
    peer: str
    #: What the number means and what to do; may be empty.
    text: str

    def __str__(self) -> str:
        try:
            name = EventKind(self.kind).name
        except ValueError:
            name = str(self.kind)
        peer = f" peer {self.peer}" if self.peer else ""
        return f"{name} on {self.endpoint}{peer}{': ' + self.text if self.text else ''}"


def statistics_of(counted: Any) -> Statistics:
    """The counters out of what C wrote."""
    return Statistics(*(getattr(counted, name) for name in Statistics._fields))


def event_of(event: Any) -> Event:
    """The event out of what C wrote."""
    kind = EventKind(event.kind) if event.kind in set(EventKind) else event.kind
    texts = (text.decode("utf-8", "replace") for text in (event.endpoint, event.peer, event.text))
    return Event(kind, event.code, *texts)


def text_of(call: Any) -> str:
    """A text that C writes into a buffer, `call(buffer, size, length)`."""
    size, length = 256, c_size_t()
    while True:
        buffer = ctypes.create_string_buffer(size)
        check(call(buffer, size, byref(length)))
        if length.value < size:
            return buffer.value.decode("utf-8", "replace")
        size = length.value + 1


def endpoints_of(end_point: str | bytes | list[str] | tuple[str, ...]) -> bytes:
    """One endpoint or several as C takes them; also in bytes, as `socket_.last_endpoint` gives one."""
    if isinstance(end_point, bytes):
        return end_point
    if isinstance(end_point, str):
        return end_point.encode()
    if isinstance(end_point, (list, tuple)):
        return b",".join(map(endpoints_of, end_point))
    raise TypeError(f"an endpoint is text, or a list of them, not {type(end_point).__name__}")


def bytes_of(data: bytes | bytearray | memoryview) -> bytes:
    """Bytes as C takes them."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"bytes are needed, not {type(data).__name__}; text is sent as text.encode()")


class Handle:
    """One handle of the library. Any thread may use it, with any number of calls at once. It is closed by
    `close`, at the end of a `with` block, or when the last reference to it goes; then what was sent is still
    delivered for the linger time, and its addresses are free again."""

    _id = 0
    #: The same for `bare`.
    _handle = NO_HANDLE
    _options: Options | None = None
    #: What `new` of the library is called with.
    _endpoints = b""
    #: What was read ahead of a subscriber.
    _ahead: ReadAhead | None = None

    def _make(self, new: Any, end_point: str | list[str] | tuple[str, ...], options: Options | None) -> None:
        _logging.adjust()
        handle = c_uint64()
        self._endpoints = endpoints_of(end_point)
        check(new(self._endpoints, pointer_of(options), byref(handle)))
        self._id = handle.value
        self._handle = handle_of(handle.value)
        self._outlets: dict[type, tuple[Any, Any]] = {}

    def close(self) -> None:
        """Closes it. Waits of other threads end with `Closed`. Closing twice does no harm."""
        handle, self._id = self._id, 0
        if handle:
            self._handle = NO_HANDLE
            if self._ahead is not None:
                self._ahead.close()
            status = lib.socket_close(handle)
            if status not in (OK, Status.CLOSED, Status.FORKED):
                raise error_of(status)

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self._id == 0

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        handle, self._id = self._id, 0
        if handle and lib is not None:
            self._handle = NO_HANDLE
            if self._ahead is not None:
                self._ahead.drop()
            lib.socket_close(handle)

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} belongs to its process and cannot be pickled; make it in there"
        )

    def fileno(self) -> int:
        """A descriptor for select, poll and event loops: when it is readable, receive with `timeout=0` until
        `WouldBlock`. It belongs to the handle."""
        fd = self._own_fileno()
        return fd if self._ahead is None else self._ahead.show(fd)

    def _own_fileno(self) -> int:
        """The library's descriptor, for those who look at what was read ahead before they wait for it."""
        fd = ctypes.c_int32()
        check(quick.socket_fd(self._id, byref(fd)))
        return fd.value

    def statistics(self) -> Statistics:
        """What was counted so far."""
        counted = _abi.Statistics()
        check(quick.socket_statistics(self._id, byref(counted)))
        return statistics_of(counted)

    def recv_event(self, timeout: float | None = None) -> Event:
        """Takes the oldest event of the connections, or waits for one; the last 1024 are kept."""
        event = _abi.Event()
        check_aside(partial(lib.socket_event_recv, self._id, byref(event)), milliseconds(timeout))
        return event_of(event)

    def events(self) -> Iterator[Event]:
        """The events that are there now, oldest first."""
        while True:
            try:
                yield self.recv_event(timeout=0)
            except WouldBlock:
                return

    def wait_connected(self, peers: int = 0, timeout: float | None = None) -> None:
        """Waits until that many peers are connected; with 0, until each endpoint that this side connects to is.
        It does not prove that a subscription has arrived at a publisher: see `wait_for_subscribers`."""
        check_aside(partial(lib.socket_wait_connected, self._id, peers), milliseconds(timeout))

    def flush(self, timeout: float | None = None) -> None:
        """Waits until everything sent so far was handed to the connections. Closing needs no flush before it."""
        check_aside(partial(lib.socket_flush, self._id), milliseconds(timeout))

    @property
    def last_endpoint(self) -> str:
        """The endpoint bound last, with the port that was free where `*` was asked for: what peers connect to."""
        return text_of(partial(quick.socket_last_endpoint, self._id))

    @property
    def endpoints(self) -> list[str]:
        """What it is bound and connected to."""
        count = c_size_t()
        check(quick.socket_endpoint_count(self._id, byref(count)))
        return [text_of(partial(quick.socket_endpoint, self._id, i)) for i in range(count.value)]

    def attach(self, endpoint: str) -> None:
        """Binds or connects to one more endpoint, as the role does by itself; "@" in front binds, ">" connects."""
        check(lib.socket_attach(self._id, endpoint.encode()))

    def detach(self, endpoint: str) -> None:
        """Gives up an endpoint that it connects to."""
        check(lib.socket_detach(self._id, endpoint.encode()))

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if not self._id:
            return f"<{name} closed>"
        try:
            where = ", ".join(self.endpoints)
        except Error as error:
            where = str(error)
        return f"<{name} at {where}>"


def typed(msg: Any, payload: bytes) -> Fill:
    """What makes a message of the library this message, which is serialised already."""
    name = names.get(type(msg)) or name_of(msg)
    return lambda message: check(quick.message_set(message, name, payload, len(payload)))


def untyped(data: bytes | bytearray | memoryview) -> Fill:
    """The same for bytes as they are."""
    plain = bytes_of(data)
    return lambda message: check(quick.message_set_bytes(message, plain, len(plain)))


class Sender(Handle):
    """A handle that sends bytes."""

    #: 1: a send that would have to wait says so, and waits apart. So it need not let go of the interpreter's lock.
    _never_waits = 1
    #: Sends a payload by an outlet.
    _deliver: Any = bare.outlet_send

    def _send_bytes(self, data: bytes | bytearray | memoryview, timeout: float | None) -> None:
        if timeout is not None:
            self._send_message(untyped(data), timeout)
            return
        plain = bytes_of(data)
        status = lib.socket_send_bytes(self._id, plain, len(plain))
        while status == CANCELLED:
            status = lib.socket_send_bytes(self._id, plain, len(plain))
        if status:
            raise error_of(status)

    def _outlet_for(self, msg: Any) -> tuple[Any, Any]:
        """How messages of this class are serialised, and where they go. Kept for the next one."""
        kind = type(msg)
        name = names.get(kind) or name_of(msg)
        place = _abi.Outlet(
            socket=self._id,
            type_name=ctypes.cast(ctypes.c_char_p(name), ctypes.c_void_p),
            type_name_len=len(name),
            never_waits=self._never_waits,
        )
        # Methods are looked up slowly in a message: its fields come first.
        way = self._outlets[kind] = kind.SerializeToString, byref(place)
        return way

    def _undelivered(self, status: int, msg: Any, payload: bytes, timeout: float | None) -> None:
        """What follows when a send gave a status: it waits for room, or fails."""
        if status != WOULD_BLOCK or not self._never_waits or timeout == 0:
            raise error_of(status)
        self._send_message(typed(msg, payload), timeout)

    def _send_message(self, fill: Fill, timeout: float | None) -> None:
        """Sends what `fill` makes of a message; it waits for room so many seconds, or as the options say."""
        slot = _slots.single()
        try:
            message = slot.messages[0]
            fill(message)
            try:
                check(self._send_from(message, timeout))
            except BaseException:
                slot.clear(0)
                raise
        finally:
            _slots.singles.append(slot)

    def _send_from(self, message: Any, timeout: float | None) -> int:
        if timeout is not None:
            return interruptible(partial(lib.socket_send_within, self._id, message), milliseconds(timeout))
        status: int = lib.socket_send(self._id, message)
        while status == CANCELLED:
            status = lib.socket_send(self._id, message)
        return status

    def _room_fileno(self) -> int:
        """What is readable when a send that would have waited may work."""
        fd = ctypes.c_int32()
        check(quick.socket_room_fd(self._id, byref(fd)))
        return fd.value

    def _seconds_for_room(self) -> float | None:
        """How long a send waits for room as the options say; None where it does not wait."""
        options = self._options if self._options is not None else Options()
        if options.get("full_queue", 0) not in (0, 2, "usual", "block"):
            return None
        return self._send_seconds()

    def _send_seconds(self) -> float:
        """The send timeout of the options."""
        ms: int = 10_000 if self._options is None else self._options.get("send_timeout_ms", 10_000)
        return math.inf if ms < 0 else ms / 1000


class Receiver(Handle):
    """A handle that receives bytes, or, for `dividere.messaging`, typed messages."""

    #: Whether what it receives are requests.
    _answers = False
    #: The last one was not answered yet.
    _owing = False
    #: How long a receive waits that is given no timeout; None: without a limit.
    _receive_seconds: float | None = None

    def recv(self, timeout: float | None = None) -> Any:
        """Waits for the next message and returns its bytes. `TimedOut` after `timeout` seconds."""
        slot = _slots.single()
        try:
            self._receive(slot, self._receive_ms(timeout))
            return slot.take()[2]
        finally:
            _slots.singles.append(slot)

    def recv_many(self, most: int = _slots.BATCH_MESSAGES, timeout: float | None = None) -> list[Any]:
        """Waits for a message and takes what else is there already, at most `most`, 256, and what reaches 64 KiB:
        all in one call into C."""
        slot = _slots.batch()
        try:
            count = self._receive_batch(slot, most, 0, self._receive_ms(timeout))
            return [slot.take(i)[2] for i in range(count)]
        finally:
            _slots.batches.append(slot)

    def _set_receive_seconds(self, seconds: float | None) -> None:
        self._receive_seconds = seconds
        if self._ahead is not None:
            self._ahead.endless_ms = milliseconds(seconds)

    def _receive_ms(self, timeout: float | None) -> int:
        """Milliseconds for a receive that is given this timeout."""
        return milliseconds(self._default_seconds() if timeout is None else timeout)

    def _default_seconds(self) -> float | None:
        return self._receive_seconds

    def wait(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bool:
        """Waits until there is a message, for `timeOutMs` milliseconds or `timeout` seconds, and tells whether
        there is one. Without a time it waits for as long as it takes."""
        status = bare.wait(self._handle, NOW)
        if not status:
            return True
        ms = given(timeOutMs, timeout)
        if status == WOULD_BLOCK:
            if ms == 0:
                return False
            status = interruptible(partial(lib.socket_wait, self._id), ms)
        if not status:
            return True
        if status in (TIMEOUT, WOULD_BLOCK):
            return False
        if status == STATE:
            return self._wait_out_of_turn(ms)
        raise error_of(status)

    def _wait_out_of_turn(self, ms: int) -> bool:
        """Out of turn nothing can be received; as with ZeroMQ's sockets, that is no error for a wait."""
        error = error_of(STATE)
        if ms < 0 or not self._has_turns():
            raise error
        time.sleep(ms / 1000)
        return bool(quick.socket_wait(self._id, 0) == OK)

    def _has_turns(self) -> bool:
        return False

    def _receive(self, slot: _slots.Slot, ms: int) -> None:
        """Receives into a slot."""
        status = quick.socket_recv_batch(self._id, slot.into, 0)
        if status:
            self._receive_after(status, slot, ms)

    def _receive_after(self, status: int, slot: _slots.Slot, ms: int) -> None:
        """What follows when the attempt without waiting gave a status."""
        if status == WOULD_BLOCK and ms:
            status = interruptible(partial(lib.socket_recv_batch, self._id, slot.into), ms)
        if status:
            raise error_of(status)

    def _receive_batch(self, slot: _slots.Slot, most: int, typed: int, ms: int) -> int:
        """Receives into a slot what is there, at most so many messages, and tells how many came."""
        if most < 1:
            raise ValueError(f"at least one message is to be received, not {most}")
        batch = slot.batch
        # Typed ones come so that those of one type in a row are parsed at once.
        batch.count, batch.typed, batch.framed = min(most, _slots.BATCH_MESSAGES), typed, typed
        self._receive(slot, ms)
        received: int = batch.received
        return received

    def __iter__(self) -> Iterator[Any]:
        """The messages as they come, until the handle is closed."""
        return until_closed(self)


def until_closed(receiver: Any) -> Iterator[Any]:
    """What it receives, until it is closed."""
    while True:
        try:
            received = receiver.recv()
        except Closed:
            return
        yield received


__all__ = ["Event", "EventKind", "Handle", "Receiver", "Sender", "StateError", "Statistics", "TimedOut"]
