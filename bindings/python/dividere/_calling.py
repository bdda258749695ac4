"""Calls of a request: sending it when somebody is connected, and waiting for its reply, so that signals are heard."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from ctypes import byref, c_int64, c_uint64
from functools import partial
from threading import get_ident
from typing import Any

from dividere import _slots
from dividere._abi import Status
from dividere._connector import Fill, Sender
from dividere._library import FOREVER, NOW, lib, quick, waiting
from dividere._waiting import (
    CANCELLED,
    ENDLESS,
    TIMEOUT,
    WOULD_BLOCK,
    Remaining,
    interruptible,
    milliseconds,
)
from dividere.errors import InvalidArgument, error_of

#: An attempt of a call: its milliseconds, whether it may be repeated, and the time of the whole.
Ask = Callable[[int, bool, Remaining], int]

_outlet_call = waiting.outlet_call
# It goes on: after a signal, or when somebody is connected.
_UNFINISHED = (CANCELLED, WOULD_BLOCK)
_main = threading.main_thread().ident


def _forked() -> None:
    """A child's main thread is the one that forked."""
    global _main
    _main = threading.main_thread().ident


os.register_at_fork(after_in_child=_forked)


def _sleep_at(fd: int, ms: int) -> None:
    """Sleeps until a descriptor is readable. A signal's handler is called meanwhile."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.poll(None if ms < 0 else ms)


def at_least_none(retries: int) -> None:
    """Refuses a number of retries that is none."""
    if retries < 0:
        raise InvalidArgument(f"a call is made again 0 times or more, not {retries}")


class Calling(Sender):
    """A handle that makes calls."""

    # Whether threads other than the main one call: then one of them may be the one that receives for all.
    _shared = False

    def _send_from(self, message: Any, timeout: float | None) -> int:
        # The library's own wait for a connection is one that no signal ends.
        seconds = self._seconds_for_room() if timeout is None else timeout
        if seconds is None:
            return super()._send_from(message, None)
        remaining = Remaining(milliseconds(seconds))
        while True:
            status: int = quick.socket_send_within(self._id, message, 0)
            if status != WOULD_BLOCK or timeout == 0:
                return status
            if not self._wait_for_room(remaining.ms()):
                raise error_of(TIMEOUT, "nobody was connected, or had room, in the time given")

    def _call(self, ask: Ask, timeout: float | None, retries: int) -> None:
        """Makes a call: as many attempts as it may take, `ask(ms, may_repeat, whole)`."""
        at_least_none(retries)
        ms = milliseconds(timeout)
        # What an attempt leaves of its time is the next one's, to wait for a connection.
        whole = Remaining(ms)
        status = ask(ms, retries > 0, whole)
        if status:
            self._ask_again(status, ask, ms, retries, whole)

    def _call_typed(
        self, slot: _slots.Slot, outlet: Any, payload: bytes, timeout: float | None, retries: int
    ) -> None:
        """The same with a payload and its outlet, where an attempt is one call into C."""
        if retries:
            at_least_none(retries)
        ms, whole = -1, ENDLESS
        if timeout is not None:
            ms = milliseconds(timeout)
            whole = Remaining(ms)
        status = self._ask_typed(slot, outlet, payload, ms, retries > 0, whole)
        if status:
            self._ask_again(status, partial(self._ask_typed, slot, outlet, payload), ms, retries, whole)

    @staticmethod
    def _ask_again(status: int, ask: Ask, ms: int, retries: int, whole: Remaining) -> None:
        """What follows on the status of a first attempt: the others, until one is answered."""
        for _ in range(retries):
            # Unreachable: its connection was lost, or so answers a broker whose worker died with the request.
            if status not in (TIMEOUT, WOULD_BLOCK, Status.UNREACHABLE):
                break
            whole.extend(ms)
            status = ask(ms, True, whole)
            if not status:
                return
        if status in (TIMEOUT, WOULD_BLOCK):
            raise error_of(TIMEOUT, f"no reply to {retries + 1} attempt(s) of {ms} ms each")
        raise error_of(status)

    def _ask(self, slot: _slots.Slot, fill: Fill, ms: int, may_repeat: bool, whole: Remaining) -> int:
        """Sends what `fill` makes of the message in a slot, and receives the reply into it."""
        message: Any = slot.messages[0]
        fill(message)
        call = c_uint64()
        status: int = quick.request_start_call(self._id, message, may_repeat, ms, 0, byref(call))
        while status == WOULD_BLOCK:
            if not self._wait_for_room(whole.ms()):
                return TIMEOUT
            status = quick.request_start_call(self._id, message, may_repeat, ms, 0, byref(call))
        if status:
            return status
        over = False
        try:
            status = self._finish(call.value, message, whole.at_most(ms))
            over = status not in (TIMEOUT, WOULD_BLOCK, CANCELLED)
        finally:
            if not over:
                quick.request_abandon_call(self._id, call.value)
        return status

    def _ask_typed(
        self, slot: _slots.Slot, outlet: Any, payload: bytes, ms: int, may_repeat: bool, whole: Remaining
    ) -> int:
        """The same with a payload and its outlet: in one call into C, where nothing comes between."""
        # Where others call, too, one of them may receive for all, and the sleep of the others is one that no signal
        # ends: so the main thread waits at the descriptor then.
        beside = self._shared
        if get_ident() != _main:
            self._shared, beside = True, False
        call, time = slot.call, FOREVER if ms < 0 else c_int64(ms)
        call.value = 0
        try:
            status: int = _outlet_call(
                outlet,
                payload,
                len(payload),
                may_repeat,
                time,
                NOW if beside else time,
                slot.called,
                slot.into,
            )
            if status in _UNFINISHED:
                go_on = partial(_outlet_call, outlet, payload, len(payload), may_repeat, time)
                status = self._go_on(
                    slot, lambda ms: go_on(c_int64(ms), slot.called, slot.into), ms, whole, beside
                )
            return status
        finally:
            if call.value:
                quick.request_abandon_call(self._id, call.value)

    def _go_on(
        self, slot: _slots.Slot, go_on: Callable[[int], int], ms: int, whole: Remaining, beside: bool
    ) -> int:
        """Goes on with an attempt that found nobody connected, or was interrupted: `go_on(ms)` until it is over."""
        remaining = whole.at_most(ms)
        while True:
            if not slot.call.value:
                if not self._wait_for_room(whole.ms()):
                    return TIMEOUT
                remaining = whole.at_most(ms)
                left = remaining.ms()
            else:
                left = remaining.ms()
                if left == 0:
                    return TIMEOUT
                if beside:
                    _sleep_at(self._own_fileno(), left)
            status = go_on(0 if beside else left)
            if status not in _UNFINISHED:
                return status

    def _wait_for_room(self, ms: int) -> bool:
        """Until somebody is connected and has room, as far as can be told; False where the time is over."""
        if ms:
            _sleep_at(self._room_fileno(), ms)
        return ms != 0

    def _finish(self, call: int, message: int, remaining: Remaining) -> int:
        is_main = get_ident() == _main
        if not is_main:
            self._shared = True
        elif self._shared:
            return self._finish_beside_others(call, message, remaining)
        return interruptible(partial(lib.request_finish_call, self._id, call, message), remaining.ms())

    def _finish_beside_others(self, call: int, message: int, remaining: Remaining) -> int:
        """Waits at the descriptor: another thread may receive for all, and the sleep of the others is not
        interruptible."""
        while True:
            status: int = quick.request_finish_call(self._id, call, message, 0)
            if status != WOULD_BLOCK:
                return status
            left = remaining.ms()
            if left == 0:
                return TIMEOUT
            _sleep_at(self._own_fileno(), left)
