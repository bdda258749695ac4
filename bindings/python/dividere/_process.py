"""The process: its version, its end, and the end of those that `multiprocessing` starts."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing import util

from dividere._library import lib, quick
from dividere._waiting import beside, milliseconds
from dividere.errors import check

# Behind whatever the program itself does at the end of its process.
_LAST = -1000


def version() -> str:
    """The version of the shared library."""
    text: bytes = quick.version()
    return text.decode()


def has(feature: str) -> bool:
    """Whether the library can do what is asked for: "curve", "ipc", "tcp", "inproc"."""
    return bool(quick.has(feature.encode()))


def shutdown(timeout: float | None = None) -> None:
    """Closes every handle of the process and waits until what was accepted is sent: at most `timeout` seconds, or
    the longest linger time among the handles. New ones can be made afterwards. The normal end of a process does
    this by itself."""
    beside(lambda: check(lib.shutdown(milliseconds(timeout))))


def _end_of_child() -> None:
    """A child of `multiprocessing` ends with _exit, so that no exit handler of the library runs."""
    if multiprocessing.parent_process() is None:
        return
    # The child would wait for these next; they may still be sending.
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    lib.shutdown(-1)


def _watch(_: object = None) -> None:
    util.Finalize(None, _end_of_child, exitpriority=_LAST)


_watch()
# A forked child starts with no such hook.
util.register_after_fork(util, _watch)
