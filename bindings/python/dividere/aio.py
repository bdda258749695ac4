"""The roles of `dividere.messaging` and `dividere.connection` for asyncio: what waits is a coroutine.

    from dividere import aio

    async with aio.Subscriber("tcp://localhost:5555", [Reading]) as subscriber:
        async for reading in subscriber:
            ...
    reply = await request.call(question, timeout=5)

There is no thread behind them: the event loop watches a descriptor of each socket. A wait that is cancelled takes
no message with it, because a message is only taken when it is handed over in the same step. Objects belong to
the loop that they are first used in. `asynchronous(obj)` gives the same for an object that exists already, and
its `.blocking` is the object below.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from google.protobuf.message import Message

from dividere import _logging, _slots, connection, messaging, registry, service
from dividere._calling import at_least_none
from dividere._connector import Event, Fill, Statistics, typed, untyped
from dividere._library import quick
from dividere._types import MessageType
from dividere._waiting import CANCELLED, TIMEOUT, WOULD_BLOCK, Remaining, milliseconds
from dividere.errors import (
    Closed,
    TimedOut,
    Unreachable,
    WouldBlock,
    error_of,
)
from dividere.options import Options

logger = _logging.messaging

T = TypeVar("T")
Self = TypeVar("Self", bound="_Role")

# Where nothing tells that what is waited for has come: the pauses between two looks.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02


class _Readiness:
    """Who waits for the descriptor of one socket, in one loop. It is watched while somebody does."""

    def __init__(self) -> None:
        # Each is told whether it was woken, and not out of time.
        self._waiters: set[asyncio.Future[bool]] = set()
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop

    async def wait(self, fileno: Callable[[], int], timeout: float | None) -> None:
        """Until the descriptor is readable; TimedOut otherwise."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        if self._fd < 0:
            self._loop, self._fd = loop, fileno()
            loop.add_reader(self._fd, self._wake)
        self._waiters.add(waiter)
        # Not by wait_for: until Python 3.12 it forgets that it was cancelled where the waiter was woken just before.
        timer = None if timeout is None else loop.call_later(timeout, _tell, waiter, False)
        try:
            if not await waiter:
                raise TimedOut("the time given is over")
        finally:
            if timer is not None:
                timer.cancel()
            self._waiters.discard(waiter)
            if not self._waiters:
                self._leave()

    def _wake(self) -> None:
        for waiter in self._waiters:
            _tell(waiter, True)

    def _leave(self) -> None:
        """Watches no more: before the descriptor is closed, since its number may be another one's then."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._loop.remove_reader(fd)

    def end(self) -> None:
        """Wakes all of them, and watches no more."""
        self._leave()
        self._wake()


def _tell(waiter: asyncio.Future[bool], woken: bool) -> None:
    if not waiter.done():
        waiter.set_result(woken)


async def _until(attempt: Callable[[], T], timeout: float | None) -> T:
    """What an attempt gives that does not raise WouldBlock, made again and again."""
    remaining = Remaining(milliseconds(timeout))
    pause = _FIRST_PAUSE
    while True:
        try:
            return attempt()
        except TimedOut:
            left = remaining.ms()
            if left == 0:
                raise TimedOut("the time given is over") from None
        await asyncio.sleep(pause if left < 0 else min(pause, left / 1000))
        pause = min(2 * pause, _LONGEST_PAUSE)


class _Role:
    """What all roles have in common."""

    def __init__(self, blocking: Any) -> None:
        #: The object of `dividere.messaging` or `dividere.connection` below.
        self.blocking = blocking
        self._readiness, self._room = _Readiness(), _Readiness()

    @property
    def _inner(self) -> Any:
        return getattr(self.blocking, "connection", self.blocking)

    def close(self) -> None:
        """Closes it. Coroutines that wait end with `Closed`."""
        self._readiness.end()
        self._room.end()
        self.blocking.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return bool(self.blocking.closed)

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last_endpoint(self) -> str:
        """The endpoint bound last: what peers connect to."""
        return str(self._inner.last_endpoint)

    def statistics(self) -> Statistics:
        """What was counted so far."""
        counted: Statistics = self._inner.statistics()
        return counted

    async def _send(self, send: Callable[[float | None], None], timeout: float | None) -> None:
        """Sends by `send(timeout)`, which waits for nothing where that is 0."""
        seconds = self._inner._seconds_for_room() if timeout is None else timeout
        if seconds is None:
            # As the options say it never waits.
            send(None)
        else:
            await self._when_room(partial(send, 0), seconds)

    async def _when_room(self, attempt: Callable[[], T], timeout: float | None) -> T:
        """What an attempt gives, which is made again when there may be room, or a connection, after a WouldBlock."""
        remaining = Remaining(milliseconds(timeout))
        while True:
            try:
                return attempt()
            except WouldBlock:
                left = remaining.ms()
                if left == 0:
                    raise TimedOut("nobody had room for it in the time given") from None
            if self.closed:
                raise Closed("it was closed")
            pause = None if left < 0 else left / 1000
            if not self._hears_of_room:
                pause = _LONGEST_PAUSE if pause is None else min(pause, _LONGEST_PAUSE)
            try:
                await self._room.wait(self._inner._room_fileno, pause)
            except TimedOut:
                # Another attempt, or the last one.
                pass

    #: Whether the descriptor tells of room each time. Not of a particular peer's, or of all peers'.
    _hears_of_room = True

    async def wait_connected(self, peers: int = 0, timeout: float | None = None) -> None:
        """Until that many peers are connected; with 0, until each endpoint that this side connects to is."""
        await _until(partial(self._inner.wait_connected, peers, timeout=0), timeout)

    async def flush(self, timeout: float | None = None) -> None:
        """Until everything sent so far was handed to the connections."""
        await _until(partial(self._inner.flush, timeout=0), timeout)

    async def recv_event(self, timeout: float | None = None) -> Event:
        """The oldest event of the connections."""
        return await _until(partial(self._inner.recv_event, timeout=0), timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} of {self.blocking!r}>"


class _Receiving(_Role):
    """What all roles that receive have in common."""

    async def _taken(self, take: Callable[[], T], timeout: float | None) -> T:
        remaining = Remaining(milliseconds(timeout))
        while True:
            try:
                return take()
            except WouldBlock:
                left = remaining.ms()
                if left == 0:
                    raise TimedOut("the time given is over") from None
            if self.closed:
                raise Closed("it was closed")
            inner = self._inner
            seconds = None if left < 0 else left / 1000
            ahead = getattr(inner, "_ahead", None)
            if ahead is None:
                await self._readiness.wait(inner.fileno, seconds)
                continue
            # Nothing is read ahead by others while this one sleeps.
            try:
                if ahead.asleep():
                    await self._readiness.wait(inner._own_fileno, seconds)
            finally:
                ahead.awake()

    async def recv(self, timeout: float | None = None) -> Any:
        """The next message. TimedOut after `timeout` seconds."""
        return await self._taken(partial(self.blocking.recv, timeout=0), timeout)

    async def recv_many(self, most: int = _slots.BATCH_MESSAGES, timeout: float | None = None) -> list[Any]:
        """A message, and what else is there already, at most `most`."""
        return await self._taken(partial(self.blocking.recv_many, most, timeout=0), timeout)

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether there is a message within `timeout` seconds."""

        def look() -> bool:
            if not self.blocking.wait(0):
                raise WouldBlock("nothing yet")
            return True

        try:
            return await self._taken(look, timeout)
        except TimedOut:
            return False

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The messages as they come, until it is closed."""
        while True:
            try:
                message = await self.recv()
            except Closed:
                return
            yield message


class Publisher(_Role):
    """Publishes messages. `send` does not wait, and so is no coroutine: with the option full_queue="block" it raises
    WouldBlock, and `send_when_room` waits."""

    _hears_of_room = False

    def __init__(
        self,
        endPoint: str | list[str] | messaging.Publisher | connection.Publisher,
        *,
        options: Options | None = None,
    ) -> None:
        ready = isinstance(endPoint, (messaging.Publisher, connection.Publisher))
        super().__init__(endPoint if ready else messaging.Publisher(endPoint, options=options))  # type: ignore[arg-type]
        waits = self._inner._never_waits
        self.send = partial(self.blocking.send, timeout=0) if waits else self.blocking.send

    async def send_when_room(self, msg: Message, *, timeout: float | None = None) -> None:
        """Publishes a message when all who subscribe have room for it, within `timeout` seconds or the send timeout of
        the options."""
        if timeout is None:
            timeout = self._inner._send_seconds()
        await self._when_room(partial(self.blocking.send, msg, timeout=0), timeout)

    def subscribers(self, message_type: MessageType | None = None) -> int:
        """How many subscribers get messages of a type; without one, how many subscribe to anything."""
        count: int = self.blocking.subscribers(message_type)
        return count

    async def wait_for_subscribers(
        self, count: int = 1, message_type: MessageType | None = None, timeout: float | None = None
    ) -> None:
        """Until `count` subscribers get messages of a type, or, without one, of any."""
        await _until(partial(self.blocking.wait_for_subscribers, count, message_type, timeout=0), timeout)


class Subscriber(_Receiving):
    """Receives messages of all types, or of those in `msgSubList`."""

    def __init__(
        self,
        endPoint: str | list[str] | messaging.Subscriber,
        msgSubList: MessageType | Sequence[MessageType] = (),
        *,
        options: Options | None = None,
    ) -> None:
        if not isinstance(endPoint, messaging.Subscriber):
            endPoint = messaging.Subscriber(endPoint, msgSubList, options=options)
        super().__init__(endPoint)

    def subscribe(self, message_type: MessageType) -> None:
        """Receives messages of this type, too."""
        self.blocking.subscribe(message_type)

    def unsubscribe(self, message_type: MessageType) -> None:
        """Ends a subscription to a type."""
        self.blocking.unsubscribe(message_type)


class _Calling(_Role):
    """What requests have in common."""

    async def _call(self, fill: Fill, timeout: float | None, retries: int) -> tuple[int, bytes, bytes]:
        """The reply to what `fill` makes of a message."""
        ms = milliseconds(timeout)
        at_least_none(retries)
        # What an attempt leaves of its time is the next one's, to wait for a connection.
        whole = Remaining(ms)
        for attempt in range(retries + 1):
            try:
                return await self._ask(fill, ms, int(retries > 0), whole)
            except TimedOut:
                pass
            except Unreachable:
                # Its connection was lost, or so answers a broker whose worker died with the request.
                if attempt == retries:
                    raise
            whole.extend(ms)
        raise error_of(TIMEOUT, f"no reply to {retries + 1} attempt(s) of {ms} ms each")

    async def _ask(self, fill: Fill, ms: int, may_repeat: int, whole: Remaining) -> tuple[int, bytes, bytes]:
        inner = self._inner
        start = partial(self._start, fill, ms, may_repeat)
        left = whole.ms()
        call = await self._when_room(start, None if left < 0 else left / 1000)
        remaining = whole.at_most(ms)
        over = False
        try:
            while True:
                status, reply = self._finish(call)
                over = status not in (WOULD_BLOCK, TIMEOUT, CANCELLED)
                if over:
                    if reply is None:
                        raise error_of(status)
                    return reply
                left = remaining.ms()
                if left == 0:
                    raise TimedOut("no reply in the time given")
                await self._readiness.wait(inner.fileno, None if left < 0 else left / 1000)
        finally:
            if not over:
                quick.request_abandon_call(inner._id, call)

    def _start(self, fill: Fill, ms: int, may_repeat: int) -> int:
        start, handle = quick.request_start_call, self._inner._id
        return _slots.started(lambda to, call: start(handle, to, may_repeat, ms, 0, call), fill)

    def _finish(self, call: int) -> tuple[int, tuple[int, bytes, bytes] | None]:
        return _slots.finished(quick.request_finish_call, self._inner._id, call)


class Request(_Calling):
    """Asks, and gets an answer or an exception in time. Any number of calls may be under way at once."""

    def __init__(
        self, endPoint: str | list[str] | messaging.Request, *, options: Options | None = None
    ) -> None:
        if not isinstance(endPoint, messaging.Request):
            endPoint = messaging.Request(endPoint, options=options)
        super().__init__(endPoint)

    async def call(self, msg: Message, timeout: float | None = None, retries: int = 0) -> Any:
        """Sends a message and gives its reply within `timeout` seconds; where none comes, sends it again, to the
        next endpoint, up to `retries` times. Cancelled, it gives the call up."""
        return messaging._made_of(*await self._call(typed(msg, msg.SerializeToString()), timeout, retries))


class _TwoWay(_Receiving):
    """What the roles that send and receive have in common."""

    async def send(self, msg: Any, *, timeout: float | None = None) -> None:
        """Sends a message. Where a queue is full it waits for room for `timeout` seconds, or as the options say.
        Cancelled, it has sent nothing."""
        send = self.blocking.send
        await self._send(lambda seconds: send(msg, timeout=seconds), timeout)


class Response(_TwoWay):
    """Serves requests: receives one, and sends its reply."""

    def __init__(
        self, endPoint: str | list[str] | messaging.Response, *, options: Options | None = None
    ) -> None:
        if not isinstance(endPoint, messaging.Response):
            endPoint = messaging.Response(endPoint, options=options)
        super().__init__(endPoint)

    _hears_of_room = False

    async def send_error(self, text: str, status: int = 502) -> None:
        """Answers the request received last with an error."""
        self.blocking.send_error(text, status)


class Dealer(_TwoWay):
    """Sends and receives in any order: to its peers in turn, and back to where a routed message came from."""

    def __init__(
        self, endPoint: str | list[str] | messaging.Dealer, *, options: Options | None = None
    ) -> None:
        if not isinstance(endPoint, messaging.Dealer):
            endPoint = messaging.Dealer(endPoint, options=options)
        super().__init__(endPoint)

    async def sendWithEmptyFrame(self, msg: Message, *, timeout: float | None = None) -> None:
        """Sends with an empty frame in front: the form in which a Response expects a request."""
        send = self.blocking.sendWithEmptyFrame
        await self._send(lambda seconds: send(msg, timeout=seconds), timeout)


class Watch(_Receiving):
    """Tells what is registered under a name, and every change of it, in order: each as a kind (`WatchKind`) and an
    instance. Made of the `Watch` that a registry's client gives."""

    def __init__(self, watch: registry.Watch) -> None:
        super().__init__(watch)


class ServiceClient:
    """Calls a service by its name; see `dividere.service.ServiceClient`. Any number of calls may be under way at once,
    without a thread for each: the library keeps their time, and the loop watches one descriptor for all."""

    def __init__(
        self,
        name: str | service.ServiceClient,
        registry: registry.ServiceRegistry.Client | str | list[str] = "",
        *,
        options: Options | None = None,
    ) -> None:
        if not isinstance(name, service.ServiceClient):
            name = service.ServiceClient(name, registry, options=options)
        #: The object of `dividere.service` below.
        self.blocking = name
        self._readiness = _Readiness()

    async def call(self, msg: Message, timeout: float | None = None, *, repeat: bool = False) -> Any:
        """Asks an instance and gives its reply within `timeout` seconds. Cancelled, it gives the reply up."""
        client = self.blocking
        call = client._start(msg, timeout, repeat)
        over = False
        try:
            while True:
                status, reply = client._finish(call)
                over = status not in (WOULD_BLOCK, CANCELLED)
                if over:
                    if reply is None:
                        raise error_of(status)
                    return messaging._made_of(*reply)
                # It tells of the end, and of the end of the time given.
                await self._readiness.wait(client._fileno, None)
        finally:
            if not over:
                client._abandon(call)

    async def wait_for_service(self, timeout: float | None = None) -> None:
        """Until an instance is connected."""
        await _until(partial(self.blocking.wait_for_service, timeout=0), timeout)

    def instances(self) -> Sequence[registry.Instance]:
        """The instances that are known now, connected or not."""
        return self.blocking.instances()

    def close(self) -> None:
        """Closes it. Calls under way end with `Closed`."""
        self._readiness.end()
        self.blocking.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self.blocking.closed

    async def __aenter__(self) -> ServiceClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<dividere.aio.ServiceClient of {self.blocking!r}>"


class _ByteRequest(_TwoWay, _Calling):
    """A request of `dividere.connection`."""

    async def call(self, msg: connection.Bytes, timeout: float | None = None, retries: int = 0) -> bytes:
        """Sends bytes and gives the reply within `timeout` seconds; where none comes, sends them again, to the next
        endpoint, up to `retries` times. Cancelled, it gives the call up."""
        return (await self._call(untyped(msg), timeout, retries))[2]


def asynchronous(blocking: Any) -> Any:
    """The object for asyncio over one of `dividere.messaging` or `dividere.connection`."""
    kinds: dict[type[Any], Callable[[Any], Any]] = {
        messaging.Publisher: Publisher,
        connection.Publisher: Publisher,
        connection.Request: _ByteRequest,
        messaging.Subscriber: Subscriber,
        messaging.Request: Request,
        messaging.Response: Response,
        messaging.Dealer: Dealer,
        registry.Watch: Watch,
        service.ServiceClient: ServiceClient,
    }
    for kind, make in kinds.items():
        if isinstance(blocking, kind):
            return make(blocking)
    if isinstance(blocking, connection.Connector) and hasattr(blocking, "recv"):
        if not hasattr(blocking, "send"):
            return _Receiving(blocking)
        made = _TwoWay(blocking)
        made._hears_of_room = not isinstance(blocking, connection.Response)
        return made
    raise TypeError(f"there is nothing to wait for at {blocking!r}")


from dividere._aio_reactor import MsgReactor  # noqa: E402 - it uses the classes above

# Where programs know it.
MsgReactor.__module__ = __name__

__all__ = [
    "Dealer",
    "MsgReactor",
    "Publisher",
    "Request",
    "Response",
    "ServiceClient",
    "Subscriber",
    "Watch",
    "asynchronous",
]
