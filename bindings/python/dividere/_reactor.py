"""Reactors: each message that arrives at one of several objects goes to the handler that is named after its type."""

from __future__ import annotations

import collections
import datetime
import logging
import multiprocessing
import os
import select
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import google

from dividere import MsgLib, _logging, connection, messaging
from dividere._connector import Handle
from dividere.errors import Closed, DecodeError, Error, NotFound, StateError, TimedOut, WouldBlock

logger = _logging.messaging

# Messages from one object before the next one's turn.
TURN = 32
# After `stop` a reactor handles what still arrives, until nothing has come for this long: what was sent before the
# call is on its way then. And no longer than the limit.
GRACE_SECONDS = 0.25
GRACE_LIMIT_SECONDS = 2
# How often a reactor looks that has an `idle` of its own, or an object without a descriptor.
IDLE_SECONDS = 0.01
# How long `stop` of an MpMsgReactor waits between two looks whether the process is still there.
LOOK_SECONDS = 0.2


# What the components of an MpMsgReactor may name besides: the modules that `messaging` of dividere 2.2.0 imports.
_NAMES = {
    one.__name__: one
    for one in (collections, datetime, google, logging, multiprocessing, os, sys, threading, time, uuid)
}


class Watcher:
    """Sleeps until there may be something to receive, or until it is woken, from any thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # Taken again where a signal's handler, as one that stops the reactor, wakes it in the middle of waking it.
        self._lock = threading.RLock()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._epoll.register(self._read, select.EPOLLIN)
        # What is watched, by its descriptor.
        self._watched: dict[int, Any] = {}

    def wake(self) -> None:
        """Ends the sleep, or the next one; after the end it does nothing."""
        with self._lock:
            if self._write >= 0:
                try:
                    os.write(self._write, b"x")
                except BlockingIOError:
                    # It is woken already.
                    pass

    def sleep(self, objects: list[Any], seconds: float | None) -> None:
        """Sleeps until one of these objects may have something, or for so long."""
        wanted: dict[int, Any] = {}
        for one in objects:
            inner = _inner(one)
            if getattr(inner, "_owing", False):
                # It receives nothing before its answer is sent, and wakes us then.
                inner._when_answered = self.wake
                if inner._owing:
                    continue
            try:
                wanted[one.fileno()] = one
            except Closed:
                continue
            except (AttributeError, Error):
                seconds = IDLE_SECONDS if seconds is None else min(seconds, IDLE_SECONDS)
        for fd in [fd for fd, one in self._watched.items() if wanted.get(fd) is not one]:
            del self._watched[fd]
            try:
                self._epoll.unregister(fd)
            except OSError:
                # Closed meanwhile, and so forgotten.
                pass
        for fd, one in wanted.items():
            if fd not in self._watched:
                self._watched[fd] = one
                try:
                    self._epoll.register(fd, select.EPOLLIN)
                except FileExistsError:
                    self._epoll.modify(fd, select.EPOLLIN)
                except OSError:
                    # Closed meanwhile.
                    del self._watched[fd]
        for fd, _ in self._epoll.poll(-1 if seconds is None else seconds):
            if fd == self._read:
                self._drain()

    def _drain(self) -> None:
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Ends it."""
        with self._lock:
            # Whoever wakes must not write to a number that is somebody else's by then.
            write, self._write = self._write, -1
            os.close(write)
        os.close(self._read)
        self._epoll.close()
        self._watched.clear()


def _inner(one: Any) -> Any:
    """The connection below an object of `messaging`."""
    return getattr(one, "sock_", one)


def _is_ours(one: Any) -> bool:
    """Whether it receives as our own classes do, so that one call is enough. A class of the program's may have its
    own `wait` and `recv`, as dividere 2.2.0 calls them."""
    if not isinstance(one, (messaging._Receiving, Handle)):
        return False
    kind = type(one)
    mine = kind.__module__ in ("dividere.messaging", "dividere.connection")
    return mine or not any(
        "recv" in base.__dict__ or "wait" in base.__dict__
        for base in kind.__mro__[: kind.__mro__.index(messaging._Receiving)]
        if base.__module__ not in ("dividere.messaging", "dividere.connection")
    )


def handler_for(reactor: Any, one: Any, message: Any) -> tuple[str, Any]:
    """The name of the handler for what came to an object, and the handler: None, which is logged, without one."""
    name = f"handle{type(message).__name__}"
    handler = getattr(reactor, name, None)
    if handler is None:
        logger.error("%s has no %s for a message that came to %r", type(reactor).__name__, name, one)
    return name, handler


def refuse(inner: Any, name: str, error: BaseException | None) -> None:
    """Tells who asked that there will be no answer: the handler of this name failed, or, without an error, there is
    none."""
    if not getattr(inner, "_owing", False):
        return
    try:
        if error is None:
            inner.send_error(f"there is no handler for {name[len('handle') :]}", NotFound.status)
        else:
            inner.send_error(f"{type(error).__name__}: {error}")
    except Error as untold:
        logger.debug("cannot tell a requester of an error: %s", untold)


class _Dispatching:
    """Calls the handlers."""

    def idle(self) -> None:
        """Called between messages, and some hundred times a second while there are none, where a derived class has
        one of its own."""

    def handleShutdownEvent(self, obj: Any, msg: Any) -> None:
        """Ends the reactor."""
        self.done_ = True

    done_: bool
    # When it was told to end after what is on its way.
    _ending_since: float | None = None

    def _serve(self, objects: Callable[[], list[Any]], watcher: Watcher) -> None:
        has_idle = type(self).idle is not _Dispatching.idle
        last_message = time.monotonic()
        while not self.done_:
            current = objects()
            busy = False
            for one in current:
                busy |= self._take_turn(one)
                if self.done_:
                    return
            try:
                self.idle()
            except Exception:
                logger.exception("idle of %r failed", self)
            now = time.monotonic()
            if busy:
                last_message = now
            seconds = IDLE_SECONDS if has_idle else None
            if self._ending_since is not None:
                quiet_at = max(last_message, self._ending_since) + GRACE_SECONDS
                left = min(quiet_at, self._ending_since + GRACE_LIMIT_SECONDS) - now
                if left <= 0:
                    return
                seconds = left
            if not busy and not self.done_:
                watcher.sleep(current, seconds)

    def _take_turn(self, one: Any) -> bool:
        """Handles what one object has, up to a limit; whether it had anything."""
        ours = _is_ours(one)
        for count in range(TURN):
            if getattr(_inner(one), "_owing", False):
                return count > 0
            try:
                if not ours and not one.wait(0):
                    return count > 0
                received = one.recv(timeout=0) if ours else one.recv()
            except WouldBlock:
                return count > 0
            except (Closed, StateError):
                return count > 0
            except DecodeError as error:
                logger.error("a message of no use at %r: %s", one, error)
                continue
            except Exception:
                logger.exception("%r cannot be received from", one)
                return count > 0
            self._dispatch(one, received)
            if self.done_:
                return True
        return True

    def _dispatch(self, one: Any, received: Any) -> None:
        name, handler = handler_for(self, one, received[1] if isinstance(received, tuple) else received)
        if handler is None:
            refuse(_inner(one), name, None)
            return
        logger.debug("calling %s", name)
        try:
            self._call(handler, one, received)
        except Exception as error:
            logger.exception("%s.%s failed", type(self).__name__, name)
            refuse(_inner(one), name, error)

    def _call(self, handler: Any, one: Any, received: Any) -> None:
        if isinstance(received, tuple):
            handler(one, received[0], received[1])
        else:
            handler(one, received)


class _OnThread(_Dispatching):
    """Calls them on a thread of its own, which sleeps until there is something to do."""

    def __init__(self) -> None:
        self._done = False
        self._watcher = Watcher()

    @property
    def done_(self) -> bool:
        """Whether it shall end; setting it wakes the thread."""
        return self._done

    @done_.setter
    def done_(self, value: bool) -> None:
        self._done = value
        self._watcher.wake()


class MtMsgReactor(_OnThread):
    """Receives from several objects on a thread of its own. Derive from it, with a method `handleX(self, obj, msg)`
    for each type of message X (`handleX(self, obj, id, msg)` for one that came to a dealer through routers); `obj` is
    the object that it arrived at, to be answered with `obj.send`. A handler that fails is logged, and its request is
    answered with an error. The thread keeps the process alive until `stop`."""

    def __init__(self, obj: Any) -> None:
        super().__init__()
        self.objList_: list[Any] | None = obj if isinstance(obj, list) else [obj]
        # A ShutdownEvent that is published here ends the reactor, too.
        self.ipcName_ = f"ipc:///tmp/ipc-{uuid.uuid4()}"
        self.objList_.append(messaging.Subscriber(self.ipcName_))
        self.tid_ = threading.Thread(target=self.msgHandler, args=())
        self.tid_.start()

    def __del__(self) -> None:
        self.objList_ = None

    def stop(self) -> None:
        """Ends the thread after what was sent before and is on its way, and waits for that: a quarter of a second, if
        nothing more comes. In a handler, and with `done_ = True`, it ends right after the handler."""
        if threading.current_thread() is self.tid_:
            self.done_ = True
            return
        self._ending_since = time.monotonic()
        self._watcher.wake()
        self.tid_.join()

    def msgHandler(self) -> None:
        """What the thread does."""
        try:
            self._serve(lambda: list(self.objList_ or ()), self._watcher)
        finally:
            self._done = True
            self._watcher.close()

    def __enter__(self) -> MtMsgReactor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.tid_.is_alive() else "stopped"
        return f"<{type(self).__module__}.{type(self).__qualname__} {state}>"


class MsgReactor(MtMsgReactor):
    """`MtMsgReactor` under the name that the manual of dividere uses."""


class MpMsgReactor(_Dispatching):
    """Receives from several objects in a process of its own. What to receive from is given as strings, which are
    evaluated there with what `dividere.messaging` has (`"Subscriber('tcp://localhost:5555')"`,
    `"connection.Subscriber(...)"`), or as functions that make it. `initThread` is called there first."""

    done_ = False
    # Whether this is the new process.
    _is_there = False

    def __init__(self, obj: str | Callable[[], Any] | list[Any]) -> None:
        components = obj if isinstance(obj, list) else [obj]
        self.shutdownPub_: messaging.Publisher | None = messaging.Publisher("tcp://127.0.0.1:*")
        self.tid_: Any = multiprocessing.Process(
            target=self.msgHandler, args=(components, self.shutdownPub_.last_endpoint)
        )
        self.tid_.start()

    def __getstate__(self) -> dict[str, Any]:
        # What the new process gets, where it is not forked: the other side of these stays here.
        return {name: value for name, value in self.__dict__.items() if name not in ("shutdownPub_", "tid_")}

    def __del__(self) -> None:
        self.shutdownPub_ = None

    def initThread(self) -> None:
        """Called in the new process before the first message: to be overridden."""

    def stop(self) -> None:
        """Ends the process after the handler that is under way, and waits for that. In a handler it ends right after
        it."""
        if self._is_there:
            self.done_ = True
            return
        publisher = self.shutdownPub_
        while publisher is not None and self.tid_.is_alive():
            try:
                publisher.wait_for_subscribers(1, timeout=LOOK_SECONDS)
            except TimedOut:
                continue
            publisher.send(MsgLib.ShutdownEvent())
            break
        self.tid_.join()
        self.done_ = True

    def msgHandler(self, objList: list[Any], shutdownEndPt: str) -> None:
        """What the process does."""
        self.done_, self._is_there = False, True
        names = {**_NAMES, **vars(messaging), "messaging": messaging, "connection": connection}
        mine = {"self": self, "objList": objList, "shutdownEndPt": shutdownEndPt}
        objects = [one() if callable(one) else eval(one, names, mine) for one in objList]
        objects.append(messaging.Subscriber(shutdownEndPt))
        self.initThread()
        watcher = Watcher()
        try:
            self._serve(lambda: objects, watcher)
        finally:
            watcher.close()

    def __enter__(self) -> MpMsgReactor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        process = self.__dict__.get("tid_")
        return f"<{type(self).__module__}.{type(self).__qualname__} in {process!r}>"
