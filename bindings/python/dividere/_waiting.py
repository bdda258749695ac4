"""Waiting in C so that Ctrl-C, and every other signal, is heard at once.

Python runs signal handlers only between its own instructions, on the main thread. A wait for messages therefore
ends with CANCELLED when a signal came (`dividere_interrupt_waits`), Python runs its handler, and unless that
raised, the wait goes on for the time that remains. The few waits that sleep otherwise are made on a thread of
their own while the main thread waits for that one.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from dividere._abi import Status
from dividere._library import quick
from dividere.errors import check, error_of, last_error

T = TypeVar("T")

CANCELLED = int(Status.CANCELLED)
TIMEOUT = int(Status.TIMEOUT)
WOULD_BLOCK = int(Status.WOULD_BLOCK)

_LONGEST_MS = (1 << 63) - 1
# How soon the thread of a wait that was given up sees it. Nobody waits for that.
_SLICE_MS = 200

check(quick.interrupt_waits(1))


def milliseconds(timeout: float | None) -> int:
    """A timeout in seconds as C takes it: None waits without limit."""
    if timeout is None:
        return -1
    if timeout <= 0:
        return 0
    return min(math.ceil(timeout * 1000), _LONGEST_MS) if timeout < 9e15 else -1


def given(time_out_ms: float | None, timeout: float | None) -> int:
    """Milliseconds from the two forms of a timeout: in milliseconds as in dividere 2.2.0, or in seconds."""
    if timeout is not None:
        return milliseconds(timeout)
    if time_out_ms is None or time_out_ms < 0:
        return -1
    return math.ceil(time_out_ms)


class Remaining:
    """Counts down from the moment at which it was made."""

    __slots__ = ("_end",)

    def __init__(self, ms: int) -> None:
        self._end = None if ms < 0 else time.monotonic() + ms / 1000

    def ms(self) -> int:
        """What is left, rounded up; negative where there is no limit."""
        if self._end is None:
            return -1
        return max(0, math.ceil((self._end - time.monotonic()) * 1000))

    def extend(self, ms: int) -> None:
        """Ends that much later."""
        if self._end is not None:
            self._end += ms / 1000

    def at_most(self, ms: int) -> Remaining:
        """What is left, and no more than this from now on."""
        return self if ms < 0 or self.ms() <= ms else Remaining(ms)


#: Without a limit.
ENDLESS = Remaining(-1)


def interruptible(call: Callable[[int], int], ms: int) -> int:
    """The status of `call(ms)`, which ends with CANCELLED at a signal and is made again then."""
    remaining = Remaining(ms)
    status = call(ms)
    while status == CANCELLED:
        left = remaining.ms()
        status = call(left)
        if left == 0 and status == WOULD_BLOCK:
            return TIMEOUT
    return status


def aside(call: Callable[[int], int], ms: int, slice_ms: int = _SLICE_MS) -> tuple[int, str]:
    """Status and text of `call(ms)`, which cannot be interrupted: on the main thread it is made by another one, in
    slices, so that it ends soon after it was given up."""
    if threading.current_thread() is not threading.main_thread() or ms == 0:
        status = call(ms)
        return status, last_error() if status else ""
    if slice_ms == _SLICE_MS:
        # What asks nobody may be over already.
        status = call(0)
        if status not in (WOULD_BLOCK, TIMEOUT):
            return status, last_error() if status else ""
    wait = _Wait(call, ms, slice_ms)
    try:
        return beside(wait.run)
    finally:
        wait.given_up = True


class _Wait:
    """A wait on another thread. Until it is given up, or over."""

    def __init__(self, call: Callable[[int], int], ms: int, slice_ms: int) -> None:
        self.given_up = False
        self._call = call
        self._ms = ms
        self._slice_ms = slice_ms

    def run(self) -> tuple[int, str]:
        """Makes it, and gives its status and text."""
        remaining = Remaining(self._ms)
        while not self.given_up:
            left = remaining.ms()
            slice_ms = self._slice_ms if left < 0 else min(left, self._slice_ms)
            status = self._call(slice_ms)
            over = left >= 0 and left <= slice_ms
            if status not in (TIMEOUT, WOULD_BLOCK, CANCELLED) or over:
                status = TIMEOUT if status == WOULD_BLOCK else status
                return status, last_error() if status else ""
        return CANCELLED, "nobody waits any more"


class _Helper:
    """Makes calls for others on a thread, one at a time, and then waits for the next one. It keeps no process alive."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._run, name="dividere-wait", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._jobs.get()()
            _idle.append(self)

    def make(self, job: Callable[[], None]) -> None:
        """Makes a call, which has to catch what it raises."""
        self._jobs.put(job)


# Helpers that have nothing to do.
_idle: list[_Helper] = []
# A forked child has none of the threads.
os.register_at_fork(after_in_child=_idle.clear)


def elsewhere(call: Callable[[], T], done: Callable[[T | None, BaseException | None], None]) -> None:
    """Makes a call on another thread, which tells `done` what came of it."""

    def job() -> None:
        try:
            result, failure = call(), None
        except BaseException as error:
            result, failure = None, error
        done(result, failure)

    try:
        helper = _idle.pop()
    except IndexError:
        helper = _Helper()
    helper.make(job)


def beside(call: Callable[[], T]) -> T:
    """What a call gives that no signal interrupts: on the main thread it is made by another one, which goes on with it
    when this one is interrupted."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: list[Any] = []
    over = threading.Event()

    def done(result: T | None, failure: BaseException | None) -> None:
        outcome.extend((result, failure))
        over.set()

    try:
        elsewhere(call, done)
    except RuntimeError:
        # At the end of the interpreter Python 3.12 starts no more threads.
        return call()
    over.wait()
    result, failure = outcome
    if failure is not None:
        raise failure
    return result  # type: ignore[no-any-return]


def check_aside(call: Callable[[int], int], ms: int, slice_ms: int = _SLICE_MS) -> None:
    """Makes the wait and raises what came of it."""
    status, text = aside(call, ms, slice_ms)
    if status:
        raise error_of(status, text)


def await_end(wait_ended: Callable[[int, int], int], number: int, timeout: float | None) -> None:
    """Waits until the server with this number has ended, and raises its fault where it had one. 0 has ended before."""
    if number:
        status, text = aside(partial(wait_ended, number), milliseconds(timeout))
        if status not in (0, Status.CLOSED):
            raise error_of(status, text)
