"""Protobuf messages between programs: publish and subscribe, request and response, dealers, reactors.

Each class holds the one of `dividere.connection` that carries its bytes, as `pub_`, `sub_` or `sock_`, and shares
its methods. A message travels with the full name of its type; it is received as an object of its class, whose
module has to be imported. Message types are given as classes, messages or names. Timeouts are seconds; `wait`
takes milliseconds as well, as in dividere 2.2.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from ctypes import c_int64
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from dividere import MsgLib, _logging, _slots, connection
from dividere._ahead import made
from dividere._connector import Event, Statistics, typed, until_closed
from dividere._library import FOREVER, NOW, bare, waiting
from dividere._types import (
    MessageType,
    makers,
    nested,
    parse,
    parser_of_many,
    type_name,
    type_names,
    undecodable,
)
from dividere._waiting import CANCELLED, milliseconds
from dividere.errors import Closed, DecodeError, Error, error_of
from dividere.options import Options

logger = _logging.messaging

Self = TypeVar("Self", bound="_Role")
#: What came through routers, or goes back through them: the route, and the message.
Routed = tuple[list[bytes], Message]
_UNDECODABLE = _slots.UNDECODABLE
_BATCH = _slots.BATCH_MESSAGES
_wait = bare.wait
_recv_batch = bare.recv_batch
_recv_batch_waiting = waiting.recv_batch


class ProtoBuffEncoder:
    """Puts messages into envelopes, as objects. The other classes of this module do so by themselves, faster."""

    def encode(self, msg: Message) -> Any:
        """The envelope of a message."""
        envelope: Any = MsgLib.msgEnvelope()
        envelope.msgName = msg.DESCRIPTOR.full_name
        envelope.msg.Pack(msg)
        return envelope


class ProtoBuffDecoder:
    """Takes messages out of envelopes."""

    def decode(self, msgEnv: Any) -> Message:
        """The message in an envelope. UnknownType where no module that has its class was imported."""
        # The name after the last slash is a full one also where the sender, as 2.2.0 does, leaves out the package.
        name: str = msgEnv.msg.type_url.rpartition("/")[2] or msgEnv.msgName
        return parse(name.encode(), msgEnv.msg.value)


class _Role:
    """What all roles have in common."""

    _attribute = "sock_"

    endPoint_: Any
    encoder_: ProtoBuffEncoder | None
    decoder_: ProtoBuffDecoder | None

    def __init__(self, end_point: Any) -> None:
        self.endPoint_ = end_point
        self.encoder_ = ProtoBuffEncoder()
        self.decoder_ = ProtoBuffDecoder()

    @property
    def connection(self) -> Any:
        """The object of `dividere.connection` that carries the bytes."""
        inner = getattr(self, self._attribute, None)
        if inner is None:
            raise Closed(f"the {type(self).__name__.lower()} is closed")
        return inner

    def close(self) -> None:
        """Closes it. Waits of other threads end with `Closed`. Closing twice does no harm."""
        inner = getattr(self, self._attribute, None)
        if inner is not None:
            inner.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        inner = getattr(self, self._attribute, None)
        return inner is None or bool(inner.closed)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """A descriptor for select, poll and event loops: when it is readable, receive with `timeout=0` until
        `WouldBlock`."""
        fd: int = self.connection.fileno()
        return fd

    def statistics(self) -> Statistics:
        """What was counted so far."""
        counted: Statistics = self.connection.statistics()
        return counted

    def recv_event(self, timeout: float | None = None) -> Event:
        """Takes the oldest event of the connections, or waits for one."""
        event: Event = self.connection.recv_event(timeout)
        return event

    def events(self) -> Iterator[Event]:
        """The events that are there now, oldest first."""
        return iter(self.connection.events())

    def wait_connected(self, peers: int = 0, timeout: float | None = None) -> None:
        """Waits until that many peers are connected; with 0, until each endpoint that this side connects to is."""
        self.connection.wait_connected(peers, timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Waits until everything sent so far was handed to the connections."""
        self.connection.flush(timeout)

    @property
    def last_endpoint(self) -> str:
        """The endpoint bound last: what peers connect to."""
        endpoint: str = self.connection.last_endpoint
        return endpoint

    @property
    def endpoints(self) -> list[str]:
        """What it is bound and connected to."""
        endpoints: list[str] = self.connection.endpoints
        return endpoints

    def attach(self, endpoint: str) -> None:
        """Binds or connects to one more endpoint."""
        self.connection.attach(endpoint)

    def detach(self, endpoint: str) -> None:
        """Gives up an endpoint that it connects to."""
        self.connection.detach(endpoint)

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if self.closed:
            return f"<{name} closed>"
        try:
            where = ", ".join(self.endpoints)
        except Error as error:
            where = str(error)
        return f"<{name} at {where}>"


def _from_message(slot: _slots.Slot, index: int) -> Message:
    """One of many, from where it was received into."""
    return _made_of(*slot.taken_message(index))


def _made_of(kind: int, name: bytes, payload: bytes) -> Message:
    if kind == _UNDECODABLE:
        raise undecodable(payload)
    return parse(name, payload)


class _Receiving(_Role):
    """What all roles that receive have in common."""

    def recv(self, timeout: float | None = None) -> Any:
        """Waits for the next message, for `timeout` seconds at most (`TimedOut`), and returns it."""
        raise NotImplementedError

    def recv_many(self, most: int = _BATCH, timeout: float | None = None) -> list[Any]:
        """Waits for a message and takes what else is there already, at most `most`, 256, and what reaches 64 KiB:
        all in one call into C. One that cannot be decoded stands in its place as the `DecodeError`, not raised.
        Messages that came together hold memory together: copy one that is kept for long."""
        slot = _slots.batch()
        try:
            inner = self.connection
            inner._receive_batch(slot, most, 1, inner._receive_ms(timeout))
            return self._all_of(slot)
        finally:
            _slots.batches.append(slot)

    def _all_of(self, slot: _slots.Slot) -> list[Any]:
        """The messages of a slot."""
        received: list[Any] = []
        first = 0
        for kind, _, count, routes, length, size, offset, _, _ in slot.described():
            many = None
            if offset == _slots.NOT_COPIED:
                received.append(self._one_of_many(slot, first))
                first += 1
                continue
            middle = offset + length
            if kind == _slots.TYPED and not routes:
                many = parser_of_many(slot.buffer[offset:middle])
            try:
                if many is not None:
                    received += many(slot.buffer[middle : middle + size]).items
            except ProtobufDecodeError:
                # One of them is at fault.
                many = None
            if many is None:
                received += [self._one_of_many(slot, i) for i in range(first, first + count)]
            first += count
        return received

    def _one_of_many(self, slot: _slots.Slot, index: int) -> Any:
        try:
            return _from_message(slot, index)
        except DecodeError as error:
            return error

    def wait(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bool:
        """Waits until there is a message, for `timeOutMs` milliseconds or `timeout` seconds, and tells whether
        there is one."""
        inner = self.connection
        there: bool = _wait(inner._handle, NOW) == 0 or inner.wait(timeOutMs, timeout=timeout)
        return there

    def __aiter__(self) -> AsyncIterator[Any]:
        """The same in an event loop of asyncio; `dividere.aio` has the rest."""
        from dividere import aio

        messages: AsyncIterator[Any] = aio.asynchronous(self).__aiter__()
        return messages

    def __iter__(self) -> Iterator[Any]:
        """The messages as they come, until the handle is closed."""
        return until_closed(self)


class Publisher(_Role):
    """Publishes messages to whoever subscribes to their types. It binds to its endpoint."""

    _attribute = "pub_"

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__(endPoint)
        self.pub_: connection.Publisher | None = connection.Publisher(endPoint, options=options)
        # Its own, a step nearer.
        self._outlets, self._deliver = self.pub_._outlets, self.pub_._deliver

    def __del__(self) -> None:
        self.pub_ = None
        self.encoder_ = None

    def send(self, msg: Message, *, timeout: float | None = None) -> None:
        """Publishes a message. What is sent while nobody subscribes is gone. With a `timeout` it waits so many seconds
        until all who subscribe have room, whatever the options say."""
        if timeout is not None:
            self.connection._send_message(typed(msg, msg.SerializeToString()), timeout)
            return
        try:
            serialize, outlet = self._outlets[type(msg)]
        except KeyError:
            serialize, outlet = self.connection._outlet_for(msg)
        payload = serialize(msg)
        status = self._deliver(outlet, payload, len(payload))
        if status:
            self.connection._undelivered(status, msg, payload, None)

    def subscribers(self, message_type: MessageType | None = None) -> int:
        """How many subscribers get messages of a type; without one, how many subscribe to anything."""
        count: int = self.connection.subscribers(message_type)
        return count

    def wait_for_subscribers(
        self, count: int = 1, message_type: MessageType | None = None, timeout: float | None = None
    ) -> None:
        """Waits until `count` subscribers get messages of a type, or, without one, of any. A subscriber counted
        here gets everything that is published from now on."""
        self.connection.wait_for_subscribers(count, message_type, timeout)


class Subscriber(_Receiving):
    """Receives messages of all types, or of those in `msgSubList`, which may be one, too. It connects to its
    endpoint."""

    _attribute = "sub_"

    @staticmethod
    def topicId(msg: MessageType) -> str:
        """How the bytes of a message of this type begin, for a subscription of `connection.Subscriber`. Of a type
        in a package these are the bytes that a sender of dividere 3 writes."""
        name = type_name(msg)
        return f"\n{_varint(len(name.encode()))}{name}"

    def __init__(
        self,
        endPoint: str | list[str],
        msgSubList: MessageType | Sequence[MessageType] = (),
        *,
        options: Options | None = None,
    ) -> None:
        super().__init__(endPoint)
        wanted = type_names(msgSubList)
        self.sub_: connection.Subscriber | None = connection.Subscriber._of_types(endPoint, wanted, options)
        self._ahead = self.sub_._ahead

    def __del__(self) -> None:
        self.sub_ = None
        self.decoder_ = None

    def recv(self, timeout: float | None = None) -> Any:
        """Waits for the next message, for `timeout` seconds at most (`TimedOut`), and returns it."""
        try:
            make, payload, _ = self._ahead.take()
        except IndexError:
            return self._ahead.next(milliseconds(timeout))
        try:
            return make(payload)
        except ProtobufDecodeError:
            return made((make, payload, 0))

    def recv_many(self, most: int = _BATCH, timeout: float | None = None) -> list[Any]:
        """Waits for a message and takes what else is there already, at most `most`, 256, and what reaches 64 KiB:
        all in one call into C. One that cannot be decoded stands in its place as the `DecodeError`, not raised.
        Messages that came together hold memory together: copy one that is kept for long."""
        return self._ahead.and_more(self._ahead.many, super().recv_many, most, timeout)

    def wait(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bool:
        """Waits until there is a message, for `timeOutMs` milliseconds or `timeout` seconds, and tells whether
        there is one."""
        return bool(self._ahead.queue) or super().wait(timeOutMs, timeout=timeout)

    def subscribe(self, message_type: MessageType) -> None:
        """Receives messages of this type, too. Counted: as many unsubscribe calls end it."""
        self.connection.subscribe_type(message_type)

    def unsubscribe(self, message_type: MessageType) -> None:
        """Ends a subscription to a type. What is on its way still arrives."""
        self.connection.unsubscribe_type(message_type)


def _varint(number: int) -> str:
    """A length of protobuf, as characters that encode to its bytes where that is possible (below 128)."""
    if number > 127:
        raise ValueError(
            "a topic as text is possible for names of up to 127 bytes; subscribe to the type instead"
        )
    return chr(number)


class _Sending(_Receiving):
    """What the roles that send and receive have in common."""

    sock_: Any

    def __del__(self) -> None:
        self.sock_ = None
        self.encoder_ = None
        self.decoder_ = None

    def send(self, msg: Message, *, timeout: float | None = None) -> None:
        """Sends a message. Where a queue is full, and a request has nobody connected, it waits for `timeout` seconds,
        or as long as the options say."""
        sock = self.sock_
        if sock is None:
            sock = self.connection
        try:
            serialize, outlet = sock._outlets[type(msg)]
        except KeyError:
            serialize, outlet = sock._outlet_for(msg)
        payload = serialize(msg)
        status = sock._deliver(outlet, payload, len(payload))
        if status:
            sock._undelivered(status, msg, payload, timeout)
        if sock._owing:
            sock._answered()

    def recv(self, timeout: float | None = None) -> Any:
        """Waits for the next message, for `timeout` seconds at most (`TimedOut`), and returns it. A dealer gives a
        tuple of the route and the message where that came through routers. A response has to answer what it received
        before the next one; what is no message it answers with an error, and raises DecodeError."""
        sock = self.sock_
        if sock is None:
            sock = self.connection
        try:
            slot = _slots.typed_singles.pop()
        except IndexError:
            slot = _slots.typed_single()
        try:
            if timeout is None and sock._receive_seconds is not None:
                timeout = sock._default_seconds()
            if timeout is None:
                # One call, which lets go of the interpreter's lock.
                status = _recv_batch_waiting(sock._handle, slot.into, FOREVER)
                while status == CANCELLED:
                    status = _recv_batch_waiting(sock._handle, slot.into, FOREVER)
                if status:
                    raise error_of(status)
            elif timeout > 0:
                began, ms = monotonic(), milliseconds(timeout)
                status = _recv_batch_waiting(sock._handle, slot.into, c_int64(ms))
                if status == CANCELLED:
                    sock._receive(slot, milliseconds(timeout - (monotonic() - began)))
                elif status:
                    raise error_of(status)
            else:
                status = _recv_batch(sock._handle, slot.into, NOW)
                if status:
                    raise error_of(status)
            fields, buffer = slot.fields, slot.buffer
            length = fields[3]
            try:
                # A request always comes through a router; only a dealer tells the route.
                if not fields[5] and (not fields[2] or sock._answers):
                    message = makers[buffer[:length]](buffer[length : length + fields[4]])
                    sock._owing = sock._answers
                    return message
            except (KeyError, ProtobufDecodeError):
                # Told below, with all that belongs to it.
                pass
            return self._decoded(sock, slot)
        finally:
            _slots.typed_singles.append(slot)

    def _decoded(self, sock: Any, slot: _slots.Slot) -> Any:
        """The message of a slot, or what is wrong with it."""
        return _made_of(*slot.take())


class Request(_Sending):
    """Asks, and gets an answer or an exception in time. It connects to its endpoints, and asks them in turn. Sending
    and receiving alternate; `call` does both, from any number of threads at once."""

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__(endPoint)
        self.sock_: connection.Request = connection.Request(endPoint, options=options)

    def call(self, msg: Message, timeout: float | None = None, retries: int = 0) -> Any:
        """Sends a message and waits for its reply for `timeout` seconds; where none comes, sends it again, to the
        next endpoint, up to `retries` times: so it may be served more than once. Where the other side answered with
        an error, that is raised."""
        sock: Any = self.sock_
        if sock is None:
            sock = self.connection
        try:
            serialize, outlet = sock._outlets[type(msg)]
        except KeyError:
            serialize, outlet = sock._outlet_for(msg)
        payload = serialize(msg)
        slot = _slots.typed_single()
        try:
            sock._call_typed(slot, outlet, payload, timeout, retries)
            fields = slot.fields
            length = fields[3]
            try:
                if not fields[5]:
                    return makers[slot.buffer[:length]](slot.buffer[length : length + fields[4]])
            except (KeyError, ProtobufDecodeError):
                # Told below, with all that belongs to it.
                pass
            return _made_of(*slot.take())
        finally:
            _slots.typed_singles.append(slot)


class Response(_Sending):
    """Serves requests: receives one, and sends its reply. It binds to an endpoint with a `*` in it, and connects to
    any other one."""

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__(endPoint)
        self.sock_: connection.Response = connection.Response(endPoint, options=options)

    def _decoded(self, sock: Any, slot: _slots.Slot) -> Any:
        kind, name, payload = slot.take()
        if kind == _UNDECODABLE:
            # Its asker was told so by the library.
            raise undecodable(payload)
        sock._owing = True
        try:
            return parse(name, payload)
        except DecodeError as error:
            sock.send_error(str(error), error.status)
            raise

    def recv_many(self, most: int = 1, timeout: float | None = None) -> list[Any]:
        """One request: the next one is received once it is answered."""
        return [self.recv(timeout)]

    def send_error(self, text: str, status: int = 502) -> None:
        """Answers the request received last with an error: the asker gets the exception for `status`, RemoteError
        unless another one is given."""
        self.connection.send_error(text, status)


class Dealer(_Sending):
    """Sends and receives in any order: to its peers in turn, and back to where a routed message came from. It binds
    to endpoints with a `*` in them, and connects to the others."""

    def __init__(self, endPoint: str | list[str], *, options: Options | None = None) -> None:
        super().__init__(endPoint)
        self.sock_: connection.Dealer = connection.Dealer(endPoint, options=options)

    def _decoded(self, sock: Any, slot: _slots.Slot) -> Any:
        if not slot.fields[2]:
            return _made_of(*slot.take())
        route = slot.route()
        return route, _made_of(*slot.take())

    def _one_of_many(self, slot: _slots.Slot, index: int) -> Any:
        try:
            route = slot.route(index)
            message = _from_message(slot, index)
        except DecodeError as error:
            return error
        return (route, message) if route else message

    def send(self, msg: Message | Routed | tuple[Any, ...], *, timeout: float | None = None) -> None:
        """Sends a message to the peers in turn, or, given a route and a message, on that route. Where a queue is full
        it waits for room for `timeout` seconds, or as the options say."""
        if isinstance(msg, tuple):
            self.connection._send_routed(msg[0], typed(msg[1], msg[1].SerializeToString()), timeout)
        else:
            super().send(msg, timeout=timeout)

    def sendWithEmptyFrame(self, msg: Message, *, timeout: float | None = None) -> None:
        """Sends with an empty frame in front: the form in which a Response expects a request."""
        self.connection._send_routed([b""], typed(msg, msg.SerializeToString()), timeout)


from dividere._reactor import (  # noqa: E402 - they use the classes above
    MpMsgReactor,
    MsgReactor,
    MtMsgReactor,
)

from dividere._message_balancing import LoadBalancingPattern  # noqa: E402 isort: skip - after the reactors

for _kind in (LoadBalancingPattern, *nested(LoadBalancingPattern), MpMsgReactor, MsgReactor, MtMsgReactor):
    # Where programs know them.
    _kind.__module__ = __name__

__all__ = [
    "Dealer",
    "LoadBalancingPattern",
    "MessageType",
    "MpMsgReactor",
    "MsgLib",
    "MsgReactor",
    "MtMsgReactor",
    "ProtoBuffDecoder",
    "ProtoBuffEncoder",
    "Publisher",
    "Request",
    "Response",
    "Routed",
    "Subscriber",
    "logger",
]
