"""The proxy of `dividere.connection`."""

from __future__ import annotations

from ctypes import byref, c_uint64
from functools import partial
from typing import Any

from dividere import _abi, _logging
from dividere._abi import ProxyKind, ProxySide
from dividere._connector import Event, Statistics, endpoints_of, event_of, statistics_of, text_of
from dividere._library import lib, quick
from dividere._socket import DEALER, LAST_ENDPOINT, ROUTER, TYPE
from dividere._waiting import await_end, check_aside, milliseconds
from dividere.connection import Connector
from dividere.errors import TimedOut, Unsupported, check
from dividere.options import Options, pointer_of


class _ProxySocket:
    """One side of a proxy, as a socket of pyzmq: what can be asked of it."""

    def __init__(self, proxy: Proxy, side: ProxySide) -> None:
        self._proxy = proxy._id
        self._side = side

    @property
    def last_endpoint(self) -> bytes:
        """Where this side is bound."""
        return text_of(partial(quick.proxy_last_endpoint, self._proxy, self._side)).encode()

    LAST_ENDPOINT = last_endpoint

    def getsockopt(self, option: int) -> Any:
        """LAST_ENDPOINT, and the socket's type."""
        if option == LAST_ENDPOINT:
            return self.last_endpoint
        if option == TYPE:
            return ROUTER if self._side == ProxySide.FRONT else DEALER
        raise Unsupported(f"the socket option {option} of a proxy cannot be read")

    def getsockopt_string(self, option: int, encoding: str = "utf-8") -> str:
        """An option that is bytes, as text."""
        value: bytes = self.getsockopt(option)
        return value.decode(encoding)

    def statistics(self) -> Statistics:
        """What this side counted so far."""
        counted = _abi.Statistics()
        check(quick.proxy_statistics(self._proxy, self._side, byref(counted)))
        return statistics_of(counted)

    def recv_event(self, timeout: float | None = None) -> Event:
        """Takes the oldest event of this side's connections, or waits for one."""
        event = _abi.Event()
        check_aside(
            partial(lib.proxy_event_recv, self._proxy, self._side, byref(event)), milliseconds(timeout)
        )
        return event_of(event)


class Proxy(Connector):
    """Passes requests from a front end to responses and dealers at a back end, and their replies; or, with the kind
    `ProxyKind.PUBLISH_SUBSCRIBE`, what is published. Each end is a port, which it binds to at every address, or an
    endpoint (">" in front connects). It runs from its making until `stop`, on a thread of the library."""

    def __init__(
        self,
        fePort: int | str,
        bePort: int | str,
        *,
        kind: ProxyKind = ProxyKind.REQUEST_RESPONSE,
        capture: str | None = None,
        options: Options | None = None,
    ) -> None:
        super().__init__()
        self.done_ = False
        self.mtid_ = None
        self.tid1_ = None
        self._options = options
        _logging.adjust()
        handle = c_uint64()
        front, back = (_at_port(end) for end in (fePort, bePort))
        watched = capture.encode() if capture is not None else None
        check(lib.proxy_new(kind, front, back, watched, pointer_of(options), byref(handle)))
        self._id = handle.value
        self.socket_ = _ProxySocket(self, ProxySide.FRONT)  # type: ignore[assignment]
        self.backend = _ProxySocket(self, ProxySide.BACK)

    def stop(self) -> None:
        """Stops it. Its addresses are free again when this returns."""
        self.done_ = True
        self.close()

    def close(self) -> None:
        """The same as `stop`."""
        handle, self._id = self._id, 0
        if handle:
            lib.proxy_close(handle)

    def wait_ended(self, timeout: float | None = None) -> None:
        """Waits until it has ended: returns once it was stopped, and raises what went wrong where a fault of its own
        ended it, which closes it. TimedOut while it runs."""
        await_end(lib.proxy_wait_ended, self._id, timeout)

    def run(self) -> None:
        """Waits until it is stopped: the library runs it."""
        while not self.done_:
            try:
                # Programs may set `done_`, which nobody is told of.
                return self.wait_ended(0.1)
            except TimedOut:
                pass

    @property
    def last_endpoint(self) -> str:
        """Where its front end is bound."""
        assert self.socket_ is not None
        return self.socket_.last_endpoint.decode()

    @property
    def endpoints(self) -> list[str]:
        """Where its two ends are bound."""
        return [self.last_endpoint, self.backend.last_endpoint.decode()]

    def statistics(self) -> Statistics:
        """What its front end counted; `backend.statistics()` has the other end."""
        assert self.socket_ is not None
        return self.socket_.statistics()  # type: ignore[no-any-return]

    def recv_event(self, timeout: float | None = None) -> Event:
        """Takes the oldest event of its front end; `backend.recv_event` those of the other end."""
        assert self.socket_ is not None
        return self.socket_.recv_event(timeout)  # type: ignore[no-any-return]

    def __del__(self) -> None:
        handle, self._id = self._id, 0
        if handle and lib is not None:
            lib.proxy_close(handle)


def _at_port(end: int | str) -> bytes:
    if isinstance(end, int):
        return f"tcp://*:{end or '*'}".encode()
    return endpoints_of(end)
