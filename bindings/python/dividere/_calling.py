"""Calls of a request: sending it when somebody is connected, and waiting for its reply, so that signals are heard."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from ctypes import byref, c_int64, c_uint64
from functools import partial
from typing import Any

from dividere import _slots
from dividere._abi import Status
from dividere._connector import Fill, Sender
from dividere._library import NOW, lib, quick, waiting
from dividere._waiting import CANCELLED, TIMEOUT, WOULD_BLOCK, Remaining, interruptible, milliseconds
from dividere.errors import error_of

_outlet_call = waiting.outlet_call
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

    def _call(self, ask: Callable[[int, int, Remaining], int], timeout: float | None, retries: int) -> None:
        """Makes a call: as many attempts as it may take, `ask(ms, may_repeat, whole)`."""
        ms = milliseconds(timeout)
        # What an attempt leaves of its time is the next one's, to wait for a connection.
        whole = Remaining(ms)
        for attempt in range(retries + 1):
            if attempt:
                whole.extend(ms)
            status = ask(ms, int(retries > 0), whole)
            if not status:
                return
            # Unreachable: its connection was lost, or so answers a broker whose worker died with the request.
            if status not in (TIMEOUT, WOULD_BLOCK, Status.UNREACHABLE):
                break
        if status in (TIMEOUT, WOULD_BLOCK):
            raise error_of(TIMEOUT, f"no reply to {retries + 1} attempt(s) of {ms} ms each")
        raise error_of(status)

    def _ask(self, slot: _slots.Slot, fill: Fill, ms: int, may_repeat: int, whole: Remaining) -> int:
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
        self, slot: _slots.Slot, outlet: Any, payload: bytes, ms: int, may_repeat: int, whole: Remaining
    ) -> int:
        """The same with a payload and its outlet: in one call into C, where nothing comes between."""
        # Where others call, too, one of them may receive for all, and the sleep of the others is one that no signal
        # ends: so the main thread waits at the descriptor then.
        is_main = threading.get_ident() == _main
        if not is_main:
            self._shared = True
        beside = is_main and self._shared
        call, time, size = c_uint64(), c_int64(ms), len(payload)
        into = byref(call), slot.into
        remaining: Remaining | None = None
        try:
            status: int = _outlet_call(
                outlet, payload, size, may_repeat, time, NOW if beside else time, *into
            )
            while status in (CANCELLED, WOULD_BLOCK):
                if not call.value:
                    if not self._wait_for_room(whole.ms()):
                        return TIMEOUT
                    now = c_int64(whole.at_most(ms).ms())
                else:
                    remaining = remaining or whole.at_most(ms)
                    left = remaining.ms()
                    if left == 0:
                        return TIMEOUT
                    if beside:
                        _sleep_at(self._own_fileno(), left)
                    now = c_int64(remaining.ms())
                status = _outlet_call(outlet, payload, size, may_repeat, time, NOW if beside else now, *into)
            return status
        finally:
            if call.value:
                quick.request_abandon_call(self._id, call.value)

    def _wait_for_room(self, ms: int) -> bool:
        """Until somebody is connected and has room, as far as can be told; False where the time is over."""
        if ms:
            _sleep_at(self._room_fileno(), ms)
        return ms != 0

    def _finish(self, call: int, message: int, remaining: Remaining) -> int:
        is_main = threading.get_ident() == _main
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
