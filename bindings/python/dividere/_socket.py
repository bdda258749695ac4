"""The attribute `socket_`, through which programs written for dividere 2.2.0 reach the socket of pyzmq below a
connection: what of pyzmq's methods has a meaning here, over the same handle. Options are pyzmq's constants,
which are integers.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from dividere._waiting import given
from dividere.errors import NotFound, Unsupported, WouldBlock

if TYPE_CHECKING:
    from dividere._connector import Receiver

# ZeroMQ's numbers (zmq.h).
IDENTITY = 5
SUBSCRIBE = 6
UNSUBSCRIBE = 7
RCVMORE = 13
FD = 14
EVENTS = 15
TYPE = 16
LINGER = 17
SNDHWM = 23
RCVHWM = 24
RCVTIMEO = 27
SNDTIMEO = 28
LAST_ENDPOINT = 32
NOBLOCK = 1
SNDMORE = 2
POLLIN = 1
POLLOUT = 2
PUB, SUB, REQ, REP, DEALER, ROUTER = 1, 2, 3, 4, 5, 6

# Options as attributes, as pyzmq has them.
_NAMES = {
    "identity": IDENTITY,
    "fd": FD,
    "events": EVENTS,
    "type": TYPE,
    "linger": LINGER,
    "sndhwm": SNDHWM,
    "rcvhwm": RCVHWM,
    "rcvtimeo": RCVTIMEO,
    "sndtimeo": SNDTIMEO,
    "rcvmore": RCVMORE,
}
_FROM_OPTIONS = {
    LINGER: ("linger_ms", 1000),
    SNDHWM: ("send_high_water_mark", 1000),
    RCVHWM: ("receive_high_water_mark", 1000),
    SNDTIMEO: ("send_timeout_ms", 10_000),
}


class SocketView:
    """A connection as a socket of pyzmq. It does not keep the connection open."""

    def __init__(self, connector: Any, kind: int, identity: bytes = b"") -> None:
        self._connector = weakref.ref(connector)
        self._identity = identity
        #: Its type, as a constant of ZeroMQ.
        self.socket_type = kind

    def _get(self) -> Receiver:
        connector = self._connector()
        if connector is None:
            raise Unsupported("the connection of this socket is gone")
        return connector  # type: ignore[no-any-return]

    @property
    def last_endpoint(self) -> bytes:
        """The endpoint bound last; empty where there is none."""
        try:
            return self._get().last_endpoint.encode()
        except NotFound:
            return b""

    LAST_ENDPOINT = last_endpoint

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""
        connector = self._connector()
        return connector is None or connector.closed

    def fileno(self) -> int:
        """A descriptor for select and poll."""
        return self._get().fileno()

    def getsockopt(self, option: int) -> Any:
        """The value of an option; `Unsupported` for one that has no meaning here."""
        if option == LAST_ENDPOINT:
            return self.last_endpoint
        if option == IDENTITY:
            return self._identity
        if option == TYPE:
            return self.socket_type
        if option == RCVMORE:
            # Whole messages are received.
            return 0
        if option == FD:
            return self.fileno()
        if option == EVENTS:
            readable = self.socket_type != PUB and self.poll(0)
            return (POLLIN if readable else 0) | (POLLOUT if self.socket_type != SUB else 0)
        if option == RCVTIMEO:
            seconds = self._get()._receive_seconds
            return -1 if seconds is None else round(seconds * 1000)
        if option in _FROM_OPTIONS:
            name, default = _FROM_OPTIONS[option]
            options = self._get()._options
            return options.get(name, default) if options is not None else default
        raise Unsupported(f"the socket option {option} cannot be read")

    get = getsockopt

    def getsockopt_string(self, option: int, encoding: str = "utf-8") -> str:
        """An option that is bytes, as text."""
        value: bytes = self.getsockopt(option)
        return value.decode(encoding)

    get_string = getsockopt_string

    def setsockopt(self, option: int, value: Any) -> None:
        """Sets what can be set while a connection is open: subscriptions, and the receive timeout, which then is the
        one of each receive that is given none. The others are `dividere.Options`, given to the constructor; setting
        one to the value that it has is no error."""
        if option == SUBSCRIBE:
            self._get().subscribe(value)  # type: ignore[attr-defined]
        elif option == UNSUBSCRIBE:
            self._get().unsubscribe(value)  # type: ignore[attr-defined]
        elif option == RCVTIMEO:
            self._get()._set_receive_seconds(None if value < 0 else value / 1000)
        elif option == LINGER and self._connector() is not None:
            # Closing sends what was accepted, within the linger time of the options: a shorter time loses messages.
            pass
        elif option in (*_FROM_OPTIONS, IDENTITY) and self.getsockopt(option) == value:
            pass
        else:
            raise Unsupported(f"the socket option {option} is set by options= when the connection is made")

    set = setsockopt

    def setsockopt_string(self, option: int, value: str, encoding: str = "utf-8") -> None:
        """Sets an option that is bytes, from text."""
        self.setsockopt(option, value.encode(encoding))

    set_string = setsockopt_string

    def __getattr__(self, name: str) -> Any:
        if name.lower() not in _NAMES:
            raise AttributeError(f"the socket of a connection has no attribute {name!r}")
        return self.getsockopt(_NAMES[name.lower()])

    def __setattr__(self, name: str, value: Any) -> None:
        if name.lower() in _NAMES:
            self.setsockopt(_NAMES[name.lower()], value)
        elif name.startswith("_") or name == "socket_type":
            super().__setattr__(name, value)
        else:
            raise AttributeError(f"the socket of a connection has no attribute {name!r} that can be set")

    def subscribe(self, topic: str | bytes) -> None:
        """Receives whatever begins with `topic`, too."""
        self.setsockopt(SUBSCRIBE, topic)

    def unsubscribe(self, topic: str | bytes) -> None:
        """Ends a subscription."""
        self.setsockopt(UNSUBSCRIBE, topic)

    def recv(self, flags: int = 0) -> bytes:
        """The next message."""
        return self.recv_multipart(flags)[-1]

    def recv_multipart(self, flags: int = 0) -> list[bytes]:
        """The next message with the frames that routed it here in front."""
        received = self._get().recv(timeout=0 if flags & NOBLOCK else None)
        return [*received[0], received[1]] if isinstance(received, tuple) else [received]

    def recv_string(self, flags: int = 0, encoding: str = "utf-8") -> str:
        """The next message as text."""
        return self.recv(flags).decode(encoding)

    def send(self, data: bytes, flags: int = 0) -> None:
        """Sends one message."""
        self.send_multipart([data], flags)

    def send_multipart(self, frames: list[bytes] | tuple[bytes, ...], flags: int = 0) -> None:
        """Sends the last frame as a message, with the others in front as its route."""
        if flags & SNDMORE:
            raise Unsupported("a message is sent in one call, with all its frames")
        connector: Any = self._get()
        if len(frames) == 1:
            connector.send(frames[0])
        elif self.socket_type == DEALER and frames:
            connector.send((list(frames[:-1]), frames[-1]))
        else:
            raise Unsupported(f"this socket sends messages of one frame, not of {len(frames)}")

    def send_string(self, text: str, flags: int = 0, encoding: str = "utf-8") -> None:
        """Sends text as one message."""
        self.send(text.encode(encoding), flags)

    def poll(self, timeout: float | None = None, flags: int = POLLIN) -> int:
        """Waits up to `timeout` milliseconds; POLLIN where there is a message, else 0."""
        ready = 0
        if flags & POLLIN and self._get().wait(given(timeout, None)):
            ready = POLLIN
        return ready | (flags & POLLOUT)

    def bind(self, endpoint: str) -> None:
        """Binds to one more endpoint."""
        self._get().attach("@" + endpoint)

    def connect(self, endpoint: str) -> None:
        """Connects to one more endpoint."""
        self._get().attach(">" + endpoint)

    def disconnect(self, endpoint: str) -> None:
        """Gives up an endpoint that it connects to."""
        self._get().detach(endpoint)

    def disable_monitor(self) -> None:
        """There is no monitor to disable: events are kept and logged by the library."""

    def close(self, linger: int | None = None) -> None:
        """Closes the connection."""
        connector = self._connector()
        if connector is not None:
            connector.close()

    def __repr__(self) -> str:
        return f"<socket of {self._connector()!r}>"


class Poller:
    """The attribute `poller_`: waits for one socket, as pyzmq's."""

    def __init__(self, socket: SocketView) -> None:
        self._socket = socket

    def poll(self, timeout: float | None = None) -> list[tuple[SocketView, int]]:
        """The socket with POLLIN where there is a message within `timeout` milliseconds; else nothing."""
        return [(self._socket, POLLIN)] if self._socket.poll(timeout) else []

    def __repr__(self) -> str:
        return f"<poller of {self._socket!r}>"


__all__ = ["Poller", "SocketView", "WouldBlock"]
