"""What a subscriber reads ahead: where messages queue, one call into C takes several, and `recv` hands them out.

It reads ahead only while messages come faster than they are taken: one at first, and twice as many each time that
all asked for were there, up to 128 and an eighth of the receive high-water mark, which so holds but for that. What
was read ahead is received, for whoever asks: `wait` and `poll` say that it is there, the bytes of the connection
below are its bytes, and statistics count it. While somebody sleeps for a message, or has the descriptor, nothing is
read ahead: it would lie here, and nobody would wake them for it. Closing drops it, as it does what is queued, and a
forked child has none of it.
"""

from __future__ import annotations

import os
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable
from ctypes import string_at
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError as ProtobufDecodeError

from dividere import _slots
from dividere._library import NO_HANDLE, NOW, bare, handle_of, lib
from dividere._types import class_of, makers, parse, undecodable
from dividere._waiting import WOULD_BLOCK, interruptible
from dividere.errors import DecodeError, Error, error_of

#: The most messages.
MOST = 128
# Of a queue at least so many times what is read ahead.
_QUEUES = 8

_recv_batch = bare.recv_batch
#: What was taken from C: what makes the message, of what, and its place in the slot.
Entry = tuple[Callable[[bytes], Any], bytes, int]


def made(entry: Entry) -> Any:
    """The message."""
    make, payload, _ = entry
    try:
        return make(payload)
    except DecodeError:
        raise
    except ProtobufDecodeError as cause:
        raise undecodable(payload, f"the payload is no message of its type: {cause}") from None


class ReadAhead:
    """What was read ahead of one subscriber. Any thread may use it."""

    def __init__(self, number: int, high_water_mark: int, keeps_latest: bool) -> None:
        self.queue: deque[Entry] = deque()
        #: Takes the oldest one; IndexError where there is none.
        self.take: Callable[[], Entry] = self.queue.popleft
        # Of the subscriber: 0 once it is closed.
        self._id = number
        self._handle = handle_of(number)
        self._most = MOST if high_water_mark == 0 else max(1, min(MOST, high_water_mark // _QUEUES))
        if keeps_latest:
            # What is read ahead would not be the latest.
            self._most = 1
        #: How long a receive waits that has no limit.
        self.endless_ms = -1
        self._count = 1
        self._slot: _slots.Slot | None = None
        # How many messages of the slot were put into the queue; and whether there may be more: a signal's handler that
        # raises, as Ctrl-C does, may end a fetch at any point.
        self._queued = 0
        self._is_fetching = False
        # The places of those messages in the slot that are large, and not replaced by the next ones.
        self._large: list[int] = []
        # Taken again by a signal's handler that closes the subscriber, whatever this thread does then.
        self._lock = threading.RLock()
        #: One entry for each that sleeps, or may sleep, until there is something to receive.
        self._sleepers: list[None] = []
        self._shown: _Shown | None = None
        _all.add(self)

    def next(self, ms: int) -> Any:
        """The next message, where none was read ahead."""
        if (self._count > 1 and not self._sleepers) or self._is_fetching:
            entry = self._fetch()
            if entry is not None:
                return made(entry)
        slot = _slots.typed_single()
        if ms < 0:
            ms = self.endless_ms
        try:
            status = _recv_batch(self._handle, slot.into, NOW)
            if status == 0:
                self._count = min(2, self._most)
            elif status == WOULD_BLOCK and ms:
                self._count = 1
                try:
                    self.asleep()
                    entry = self._taken()
                    if entry is not None:
                        return made(entry)
                    status = interruptible(partial(lib.socket_recv_batch, self._id, slot.into), ms)
                finally:
                    self.awake()
            if status:
                raise error_of(status)
            kind, name, payload = slot.take()
        finally:
            _slots.typed_singles.append(slot)
        if kind == _slots.UNDECODABLE:
            raise undecodable(payload)
        return parse(name, payload)

    def next_bytes(self) -> bytes | None:
        """The bytes of the oldest message read ahead, as they came."""
        with self._lock:
            entry = self._taken()
            if entry is None:
                return None
            assert self._slot is not None
            return self._slot.all_bytes(entry[2])

    def many_bytes(self, most: int) -> list[bytes]:
        """The bytes of what was read ahead, at most so many messages."""
        found: list[bytes] = []
        while len(found) < most:
            data = self.next_bytes()
            if data is None:
                break
            found.append(data)
        return found

    def many(self, most: int) -> list[Any]:
        """What was read ahead, at most so many messages; a DecodeError in place of one that is none."""
        found: list[Any] = []
        while len(found) < most:
            entry = self._take_now()
            if entry is None:
                break
            try:
                found.append(made(entry))
            except DecodeError as error:
                found.append(error)
        return found

    def and_more(
        self,
        take: Callable[[int], list[Any]],
        receive: Callable[[int, float | None], list[Any]],
        most: int,
        timeout: float | None,
    ) -> list[Any]:
        """What was read ahead, as `take` gives it, and what else is there, which `receive` waits for if need be."""
        try:
            found = [] if self.asleep() else take(most)
            if not found:
                return receive(most, timeout)
            if len(found) < most:
                try:
                    found += receive(most - len(found), 0)
                except Error:
                    # What was found comes first; what is wrong is told next time.
                    pass
            return found
        finally:
            self.awake()

    def asleep(self) -> bool:
        """Somebody is about to sleep until there is something to receive: nothing is read ahead until `awake`. False
        where something was: nothing is to be waited for then."""
        self._sleepers.append(None)
        with self._lock:
            # Nobody is about to fill the queue any more, but for what a signal kept from it.
            if self._is_fetching:
                self._fill()
            return not self.queue

    def awake(self) -> None:
        """Somebody sleeps no more."""
        if self._sleepers:
            self._sleepers.pop()

    def show(self, fd: int) -> int:
        """The descriptor to be given out in place of this one: from here on somebody always counts as sleeping."""
        with self._lock:
            if self._shown is None:
                # Never taken away again.
                self._sleepers.append(None)
                self._shown = _Shown(fd, self.queue)
                self.take = self._shown.take
            return self._shown.fd

    def close(self) -> None:
        """Drops what was read ahead, and reads no more."""
        self._id, self._handle = 0, NO_HANDLE
        with self._lock:
            self.queue.clear()
            self._release()

    def drop(self) -> None:
        """The same for the end of an object: the slot may be at its end, too, if both are garbage."""
        self._id, self._handle = 0, NO_HANDLE
        self.queue.clear()

    def forked(self) -> None:
        """In a forked child: what was read ahead is the parent's, and another thread may have held the lock."""
        self.queue.clear()
        self._lock = threading.RLock()
        self._slot, self._is_fetching = None, False
        self._large.clear()

    def _taken(self) -> Entry | None:
        try:
            return self.take()
        except IndexError:
            return None

    def _take_now(self) -> Entry | None:
        with self._lock:
            return self._taken()

    def _fetch(self) -> Entry | None:
        """Takes what is there from C, without waiting; the first message of it. None where that gives none: asking
        for one message tells why."""
        with self._lock:
            if self.queue:
                return self._taken()
            if not self._is_fetching:
                if self._sleepers:
                    # Whoever is about to sleep may have looked into the queue already.
                    return None
                self._clear_large()
                slot = self._slot
                if slot is None:
                    slot = self._slot = _slots.batch()
                batch = slot.batch
                batch.count, batch.typed, batch.framed = self._count, 1, 0
                batch.received = batch.described = self._queued = 0
                self._is_fetching = True
                _recv_batch(self._handle, slot.into, NOW)
            self._fill()
            return self._taken()

    def _fill(self) -> None:
        """Puts into the queue what was received."""
        slot = self._slot
        if slot is not None and slot.batch.received:
            buffer, batch, total = slot.buffer, slot.batch, 0
            described = enumerate(slot.described())
            for index, (kind, _, _, _, length, size, offset, name_at, payload_at) in described:
                total += size
                if index < self._queued:
                    continue
                if offset == _slots.NOT_COPIED:
                    self._large.append(index)
                if kind != _slots.TYPED:
                    entry: Entry = (_refuse, slot.all_bytes(index), index)
                elif offset == _slots.NOT_COPIED:
                    name = string_at(name_at, length)
                    entry = (makers.get(name) or _maker(name), string_at(payload_at, size), index)
                else:
                    middle = offset + length
                    name = buffer[offset:middle]
                    entry = (makers.get(name) or _maker(name), buffer[middle : middle + size], index)
                self._queued = index + 1
                self.queue.append(entry)
            if batch.received == batch.count:
                self._count = min(2 * self._count, self._most)
            elif total < _slots.BATCH_MOST_BYTES * 3 // 4:
                # It was not its bytes that ended it: there was no more.
                self._count = 1
        else:
            self._count = 1
            self._release()
        self._is_fetching = False
        if not self._id:
            # Closed meanwhile.
            self.queue.clear()
            self._release()

    def _clear_large(self) -> None:
        if self._slot is not None:
            for index in self._large:
                self._slot.clear(index)
        self._large.clear()

    def _release(self) -> None:
        self._clear_large()
        slot, self._slot, self._is_fetching = self._slot, None, False
        if slot is not None:
            _slots.batches.append(slot)


class _Shown:
    """A descriptor of a subscriber that had read ahead: readable also while that is not taken."""

    def __init__(self, fd: int, queue: deque[Entry]) -> None:
        self.fd = fd
        self._queue = queue
        self._pipe: tuple[int, int] | None = None
        self._epoll: Any = None
        if queue:
            self._pipe = os.pipe()
            os.write(self._pipe[1], b"x")
            self._epoll = select.epoll()
            self._epoll.register(fd, select.EPOLLIN)
            self._epoll.register(self._pipe[0], select.EPOLLIN)
            self.fd = self._epoll.fileno()

    def take(self) -> Entry:
        """The oldest one; the last one makes the descriptor quiet."""
        entry = self._queue.popleft()
        if not self._queue:
            self._quiet()
        return entry

    def _quiet(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            for end in pipe:
                os.close(end)

    def __del__(self) -> None:
        self._quiet()


def _maker(name: bytes) -> Callable[[bytes], Any]:
    try:
        class_of(name)
        return makers[name]
    except KeyError:
        # Told by whoever makes it; the type may be known until then.
        return lambda payload: parse(name, payload)


def _refuse(data: bytes) -> Any:
    raise undecodable(data)


_all: weakref.WeakSet[ReadAhead] = weakref.WeakSet()


def _forked() -> None:
    for one in list(_all):
        one.forked()


os.register_at_fork(after_in_child=_forked)

__all__ = ["MOST", "ReadAhead", "made"]
