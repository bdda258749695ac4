"""Load balancing as in dividere 2.2.0: clients ask a broker, which hands each request to a worker that is there.

The broker is the library's, at the level of bytes and of messages alike: it takes clients and workers of both
versions. Workers that die are found out, and their requests are handed on.
"""

from __future__ import annotations

import time
from ctypes import byref, c_uint64
from functools import partial
from typing import Any, NamedTuple

from dividere import _abi, _logging
from dividere._abi import BrokerSide
from dividere._connector import Event, Statistics, event_of, statistics_of, text_of
from dividere._library import lib, quick
from dividere._waiting import await_end, check_aside, milliseconds
from dividere.errors import Error, check
from dividere.options import Options

#: Seconds between two signs of life of a worker that has nothing to do.
HEARTBEAT_RATE = 3.0


class BrokerStatistics(NamedTuple):
    """How a broker stands: its workers, those that are idle, requests that wait for one and that are being served;
    and what it counted."""

    workers: int
    idle_workers: int
    queued: int
    working: int
    served: int
    retried: int
    refused: int
    failed: int
    expired: int
    late: int


class BrokerSocket:
    """One side of a broker, as a socket of pyzmq: what can be asked of it."""

    def __init__(self, broker: int, side: BrokerSide) -> None:
        self._broker, self._side = broker, side

    @property
    def last_endpoint(self) -> bytes:
        """Where this side is bound."""
        return text_of(partial(quick.broker_last_endpoint, self._broker, self._side)).encode()

    LAST_ENDPOINT = last_endpoint

    def statistics(self) -> Statistics:
        """What its connections counted so far."""
        counted = _abi.Statistics()
        check(quick.broker_side_statistics(self._broker, self._side, byref(counted)))
        return statistics_of(counted)

    def recv_event(self, timeout: float | None = None) -> Event:
        """Takes the oldest event of this side's connections, or waits for one."""
        event = _abi.Event()
        call = partial(lib.broker_event_recv, self._broker, self._side, byref(event))
        check_aside(call, milliseconds(timeout))
        return event_of(event)

    def __repr__(self) -> str:
        return f"<{self._side.name.lower()} of a broker>"


class Broker:
    """What the brokers of both levels have in common."""

    #: There is no thread of Python's for it.
    tid_: None = None

    def _open(self, front: int | str, back: int | str, rate: float, options: Options | None) -> None:
        mine = options.copy() if options is not None else Options()
        if mine.get("worker_heartbeat_ms") is None:
            mine.set("worker_heartbeat_ms", max(1, round(rate * 1000)))
        _logging.adjust()
        handle = c_uint64()
        ends = [_endpoint(end) for end in (front, back)]
        check(lib.broker_new(*ends, mine._pointer, byref(handle)))
        self._id = handle.value
        self.done_ = False
        self.frontend = BrokerSocket(self._id, BrokerSide.FRONT)
        self.backend = BrokerSocket(self._id, BrokerSide.BACK)

    def stop(self) -> None:
        """Ends it. Its ports are free again when this returns; requests that wait are answered with Unreachable."""
        self.done_ = True
        handle, self._id = self._id, 0
        if handle:
            check(lib.broker_close(handle))

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def wait_ended(self, timeout: float | None = None) -> None:
        """Waits until it has ended: returns once it was stopped, and raises what went wrong where a fault of its own
        ended it, which closes it. TimedOut while it runs."""
        await_end(lib.broker_wait_ended, self._id, timeout)

    def statistics(self) -> BrokerStatistics:
        """How it stands now."""
        counted = _abi.BrokerStatistics()
        check(quick.broker_statistics(self._id, byref(counted)))
        return BrokerStatistics(*(getattr(counted, name) for name in BrokerStatistics._fields))

    def wait_workers(self, count: int = 1, timeout: float | None = None) -> None:
        """Waits until so many workers are there."""
        check_aside(partial(lib.broker_wait_workers, self._id, count), milliseconds(timeout))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if not getattr(self, "_id", 0):
            return f"<{name} stopped>"
        try:
            where = ", ".join(end.last_endpoint.decode() for end in (self.frontend, self.backend))
        except Error as error:
            where = str(error)
        return f"<{name} at {where}>"

    def __del__(self) -> None:
        handle, self._id = getattr(self, "_id", 0), 0
        if handle and lib is not None:
            lib.broker_close(handle)


def where(end: int | str, side: BrokerSocket) -> str:
    """What one side binds to: as dividere 2.2.0 writes it for a port."""
    return f"tcp://*:{end}" if isinstance(end, int) and end else side.last_endpoint.decode()


def _endpoint(end: int | str) -> bytes:
    return f"tcp://*:{end or '*'}".encode() if isinstance(end, int) else end.encode()


class SignOfLife:
    """When a worker has to announce itself anew: its broker asks in time as long as it knows it."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.heard()

    def heard(self) -> None:
        """The broker was heard of, or told."""
        self._due = time.monotonic() + 1.5 * self._rate

    @property
    def is_due(self) -> bool:
        """Whether the broker was silent for so long that it may not know the worker."""
        return time.monotonic() >= self._due

    def remaining(self) -> float:
        """Seconds until then."""
        return max(0.0, self._due - time.monotonic())
