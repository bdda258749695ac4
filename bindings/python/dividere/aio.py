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
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from ctypes import byref, c_uint64
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from google.protobuf.message import Message

from dividere import _logging, _slots, connection, messaging, registry, service
from dividere._connector import Event, Statistics
from dividere._library import quick
from dividere._types import MessageType, name_of, names
from dividere._waiting import CANCELLED, TIMEOUT, WOULD_BLOCK, Remaining, elsewhere, milliseconds
from dividere.errors import (
    Closed,
    DecodeError,
    Error,
    NotFound,
    TimedOut,
    Unreachable,
    WouldBlock,
    check,
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
        self._waiters: set[asyncio.Future[None]] = set()
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop

    async def wait(self, fileno: Callable[[], int], timeout: float | None) -> None:
        """Until the descriptor is readable; TimedOut otherwise."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if self._fd < 0:
            self._loop, self._fd = loop, fileno()
            loop.add_reader(self._fd, self._wake)
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout)
        except asyncio.TimeoutError:
            raise TimedOut("the time given is over") from None
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._leave()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _leave(self) -> None:
        """Watches no more: before the descriptor is closed, since its number may be another one's then."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._loop.remove_reader(fd)

    def end(self) -> None:
        """Wakes all of them, and watches no more."""
        self._leave()
        self._wake()


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
        self._readiness = _Readiness()

    @property
    def _inner(self) -> Any:
        return getattr(self.blocking, "connection", self.blocking)

    def close(self) -> None:
        """Closes it. Coroutines that wait end with `Closed`."""
        self._readiness.end()
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
    """Publishes messages. Sending does not wait, and so is no coroutine."""

    def __init__(
        self, endPoint: str | list[str] | messaging.Publisher, *, options: Options | None = None
    ) -> None:
        ready = isinstance(endPoint, messaging.Publisher)
        super().__init__(endPoint if ready else messaging.Publisher(endPoint, options=options))  # type: ignore[arg-type]
        self.send = self.blocking.send

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
        msgSubList: Sequence[MessageType] = (),
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


class Request(_Role):
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
        name, payload = names.get(type(msg)) or name_of(msg), msg.SerializeToString()
        ms = milliseconds(timeout)
        # What an attempt leaves of its time is the next one's, to wait for a connection.
        whole = Remaining(ms)
        for attempt in range(retries + 1):
            try:
                return await self._ask(name, payload, ms, int(retries > 0), whole)
            except TimedOut:
                pass
            except Unreachable:
                # Its connection was lost, or so answers a broker whose worker died with the request.
                if attempt == retries:
                    raise
            whole.extend(ms)
        raise error_of(TIMEOUT, f"no reply to {retries + 1} attempt(s) of {ms} ms each")

    async def _ask(self, name: bytes, payload: bytes, ms: int, may_repeat: int, whole: Remaining) -> Message:
        inner = self._inner
        left = whole.ms()
        call = await _until(
            partial(self._start, name, payload, ms, may_repeat), None if left < 0 else left / 1000
        )
        remaining = whole.at_most(ms)
        over = False
        try:
            while True:
                status, reply = self._finish(call)
                over = status not in (WOULD_BLOCK, TIMEOUT, CANCELLED)
                if over:
                    if reply is None:
                        raise error_of(status)
                    return messaging._made_of(*reply)
                left = remaining.ms()
                if left == 0:
                    raise TimedOut("no reply in the time given")
                await self._readiness.wait(inner.fileno, None if left < 0 else left / 1000)
        finally:
            if not over:
                quick.request_abandon_call(inner._id, call)

    def _start(self, name: bytes, payload: bytes, ms: int, may_repeat: int) -> int:
        slot = _slots.single()
        try:
            call = c_uint64()
            check(quick.message_set(slot.messages[0], name, payload, len(payload)))
            check(quick.request_start_call(self._inner._id, slot.messages[0], may_repeat, ms, 0, byref(call)))
            return call.value
        finally:
            _slots.singles.append(slot)

    def _finish(self, call: int) -> tuple[int, tuple[int, bytes, bytes] | None]:
        slot = _slots.single()
        try:
            status: int = quick.request_finish_call(self._inner._id, call, slot.messages[0], 0)
            return status, slot.taken_message() if status == 0 else None
        finally:
            _slots.singles.append(slot)


class _TwoWay(_Receiving):
    """What the roles that send and receive have in common."""

    async def send(self, msg: Any) -> None:
        """Sends a message. A full queue is waited for in a thread of the loop's executor."""
        await _send(self.blocking.send, msg)


async def _send(send: Callable[[Any], None], msg: Any) -> None:
    # It waits only where a queue is full, which cannot be asked for beforehand.
    await _elsewhere(partial(send, msg))


async def _elsewhere(call: Callable[[], T]) -> T:
    """What a call gives that waits, on another thread. Cancelled, nobody hears what comes of it."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(result: Any, failure: BaseException | None) -> None:
        if outcome.done():
            return
        if failure is not None:
            outcome.set_exception(failure)
        else:
            outcome.set_result(result)

    def done(result: T | None, failure: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(tell, result, failure)
        except RuntimeError:
            # The loop is closed: nobody waits.
            pass

    elsewhere(call, done)
    return await outcome


class Response(_TwoWay):
    """Serves requests: receives one, and sends its reply."""

    def __init__(
        self, endPoint: str | list[str] | messaging.Response, *, options: Options | None = None
    ) -> None:
        if not isinstance(endPoint, messaging.Response):
            endPoint = messaging.Response(endPoint, options=options)
        super().__init__(endPoint)

    async def send(self, msg: Message) -> None:
        """Answers the request received last. That does not wait."""
        self.blocking.send(msg)

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

    async def sendWithEmptyFrame(self, msg: Message) -> None:
        """Sends with an empty frame in front: the form in which a Response expects a request."""
        await _send(self.blocking.sendWithEmptyFrame, msg)


class Watch(_Receiving):
    """Tells what is registered under a name, and every change of it, in order: each as a kind (`WatchKind`) and an
    instance. Made of the `Watch` that a registry's client gives."""

    def __init__(self, watch: registry.Watch) -> None:
        super().__init__(watch)


class ServiceClient:
    """Calls a service by its name; see `dividere.service.ServiceClient`. Each call that is under way has a thread of
    its own: the library waits for changes of the instances as well as for the reply."""

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

    async def call(self, msg: Message, timeout: float | None = None, *, repeat: bool = False) -> Any:
        """Asks an instance and gives its reply within `timeout` seconds. Cancelled, it gives the reply up."""
        return messaging._made_of(*await _elsewhere(self.blocking._asking(msg, timeout, repeat)))

    async def wait_for_service(self, timeout: float | None = None) -> None:
        """Until an instance is connected."""
        await _until(partial(self.blocking.wait_for_service, timeout=0), timeout)

    def instances(self) -> Sequence[registry.Instance]:
        """The instances that are known now, connected or not."""
        return self.blocking.instances()

    def close(self) -> None:
        """Closes it. Calls under way end with `Closed`."""
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


class MsgReactor:
    """Receives from several objects as a task of the loop. Derive from it, with a method `handleX(self, obj, msg)` for
    each type of message X (`handleX(self, obj, id, msg)` for a routed one); methods may be coroutines. Messages of
    one object are handled one after the other, those of different ones side by side.

        async with MyReactor([aio.Response("tcp://*:5555")]) as reactor:
            await reactor.wait_stopped()
    """

    def __init__(self, obj: _Receiving | list[_Receiving]) -> None:
        self.objList_: list[_Receiving] = obj if isinstance(obj, list) else [obj]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped: asyncio.Event | None = None

    def start(self) -> None:
        """Begins to receive, in the running loop."""
        self._stopped = asyncio.Event()
        self._tasks = [asyncio.ensure_future(self._serve(one)) for one in self.objList_]

    async def stop(self) -> None:
        """Ends it after the handlers that are under way: what was taken is handled, what was not stays."""
        if self._stopped is not None:
            self._stopped.set()
        current = asyncio.current_task()
        others = [task for task in self._tasks if task is not current]
        if others:
            await asyncio.gather(*others)

    async def wait_stopped(self) -> None:
        """Until it is stopped."""
        if self._stopped is not None:
            await self._stopped.wait()

    async def handleShutdownEvent(self, obj: Any, msg: Any) -> None:
        """Ends the reactor."""
        if self._stopped is not None:
            self._stopped.set()

    async def __aenter__(self) -> MsgReactor:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, one: _Receiving) -> None:
        assert self._stopped is not None
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while not stopped.done():
                receiving = asyncio.ensure_future(one.recv())
                await asyncio.wait({receiving, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                try:
                    received = await receiving
                except asyncio.CancelledError:
                    if not receiving.cancelled():
                        raise
                    return
                except Closed:
                    return
                except DecodeError as error:
                    logger.error("a message of no use at %r: %s", one, error)
                    continue
                await self._dispatch(one, received)
        finally:
            stopped.cancel()

    async def _dispatch(self, one: _Receiving, received: Any) -> None:
        arguments = (one, *received) if isinstance(received, tuple) else (one, received)
        name = f"handle{type(arguments[-1]).__name__}"
        handler = getattr(self, name, None)
        if handler is None:
            logger.error("%s has no %s for a message that came to %r", type(self).__name__, name, one)
            self._refuse(one, f"there is no handler for {name[len('handle') :]}", NotFound.status)
            return
        try:
            outcome = handler(*arguments)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as error:
            logger.exception("%s.%s failed", type(self).__name__, name)
            self._refuse(one, f"{type(error).__name__}: {error}")

    @staticmethod
    def _refuse(one: _Receiving, text: str, status: int = 502) -> None:
        """Tells who asked that there will be no answer."""
        if getattr(one._inner, "_owing", False):
            try:
                one._inner.send_error(text, status)
            except Error as error:
                logger.debug("cannot tell a requester of an error: %s", error)


def asynchronous(blocking: Any) -> Any:
    """The object for asyncio over one of `dividere.messaging` or `dividere.connection`."""
    kinds: dict[type[Any], Callable[[Any], Any]] = {
        messaging.Publisher: Publisher,
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
        return _Receiving(blocking)
    raise TypeError(f"there is nothing to wait for at {blocking!r}")


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
