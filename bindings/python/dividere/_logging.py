"""The log of the library as lines of `logging`: of `dividere.connection.logger` and `dividere.messaging.logger`.

The library hands its lines over on threads of its own, which take the interpreter's lock for it. So it is told
which level is wanted, at every change of it; and at exit it is told to stop, and waited for, because a thread
that asks for the lock while the interpreter ends would be ended in the middle of the library.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import time
from typing import Any

from dividere._abi import LogCallback, LogLevel
from dividere._library import lib
from dividere.errors import check

_EXIT_SECONDS = 10
_TO_PYTHON = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.TRACE: logging.DEBUG - 5,
}
# Parts of the library that speak of messages; all others speak of connections.
_MESSAGING = {b"messaging", b"reactor", b"balancing", b"registry", b"service"}

connection = logging.getLogger("dividere.connection")
messaging = logging.getLogger("dividere.messaging")


def _take(_context: Any, level: int, target: bytes, text: bytes) -> None:
    logger = messaging if target.split(b".")[0] in _MESSAGING else connection
    words = text.decode("utf-8", "replace")
    if target == b"events":
        words = f"Event: {words}"
    logger.log(_TO_PYTHON.get(LogLevel(level), logging.ERROR), "%s", words, extra={"target": target.decode()})


_callback: Any = LogCallback(_take)


class _Registration:
    """The callback as the library has it, and a semaphore that the library posts when its last call is over."""

    def __init__(self, level: LogLevel) -> None:
        self.level = level
        self._semaphore = (ctypes.c_long * 8)()
        _libc.sem_init(self._semaphore, 0, 0)
        check(
            lib.log_set_callback(
                level,
                ctypes.cast(_callback, ctypes.c_void_p),
                ctypes.addressof(self._semaphore),
                ctypes.cast(_libc.sem_post, ctypes.c_void_p),
            )
        )

    def wait_for_the_last_call(self) -> None:
        """With the interpreter's lock free: that call may wait for it."""
        end = time.time() + _EXIT_SECONDS
        until = (ctypes.c_long * 2)(int(end), 0)
        _libc.sem_timedwait(self._semaphore, until)


_libc = ctypes.CDLL(None)
_libc.sem_init.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint]
_libc.sem_timedwait.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
# Replaced ones are kept: their last call may still be under way.
_registrations: list[_Registration] = []


def _wanted() -> LogLevel:
    lowest = min(connection.getEffectiveLevel(), messaging.getEffectiveLevel())
    for level, python in _TO_PYTHON.items():
        if python <= lowest:
            return level
    return LogLevel.TRACE


def adjust() -> None:
    """Tells the library which lines are wanted now."""
    level = _wanted()
    if not _ended and (not _registrations or _registrations[-1].level is not level):
        _registrations.append(_Registration(level))


def _watch(logger: logging.Logger) -> None:
    """As in dividere 2.2.0 only errors are logged, unless the program says otherwise: before it imports this, or
    at any time with `setLevel`, which is followed at once."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    plain = logger.setLevel

    def set_level(level: int | str) -> None:
        plain(level)
        adjust()

    logger.setLevel = set_level  # type: ignore[method-assign]


@atexit.register
def _end() -> None:
    global _ended
    _ended = True
    lib.log_set_callback(LogLevel.ERROR, None, None, None)
    for registration in _registrations:
        registration.wait_for_the_last_call()


_ended = False
_watch(connection)
_watch(messaging)
adjust()
