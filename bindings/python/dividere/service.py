"""Services: they register with their names, and answer requests; and clients that call them by name."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from ctypes import byref, c_uint64, c_void_p
from functools import partial
from typing import Any

from google.protobuf.message import Message

from dividere import _logging, _slots, messaging, registry
from dividere._connector import typed
from dividere._library import lib, quick
from dividere._reactor import _OnThread
from dividere._types import name_of, names
from dividere._waiting import beside, check_aside, milliseconds
from dividere.errors import AddressInUse, Error, check
from dividere.options import Options, pointer_of

logger = _logging.messaging

# The ports that services use, as in dividere 2.2.0.
_PORTS = range(5101, 6001)


class Service(_OnThread):
    """Answers requests to the name of its class, `module.Class`. Derive from it, with a method `handleX(self, msg)` for
    each type of message X that answers with `self.send`. It registers with the registry on this host, at
    `ServiceRegistry.Server.port`, or by the `ServiceRegistry.Client` given, and waits for that. `options` are those of
    the connections that it is asked at."""

    #: The library registers again by itself: there is no thread for it.
    tid1_: None = None

    def __init__(
        self, *, options: Options | None = None, registry: registry.ServiceRegistry.Client | None = None
    ) -> None:
        super().__init__()
        self._options, self._registrar = options, registry
        self.name_ = f"{self.__module__}.{self.__class__.__name__}"
        self.setupSocket()
        self.tid_ = threading.Thread(target=self.run, args=())
        self.tid_.start()

    def setupSocket(self) -> None:
        """Binds to the first free port between 5101 and 6000, and registers."""
        for port in _PORTS:
            try:
                self.sock_ = messaging.Response(f"tcp://*:{port}", options=self._options)
            except AddressInUse:
                continue
            self.port_ = port
            logger.info("%s is at port %d", self.name_, port)
            self._registry = self._registrar or registry.ServiceRegistry.Client(
                "localhost", registry.ServiceRegistry.Server.port
            )
            self._registry.registerService(self.name_, port)
            return
        raise AddressInUse("Unable to find available port between 5101 and 6000: Address already in use")

    def stop(self) -> None:
        """Ends it after the handler that is under way, and takes its name out of the registry."""
        self.done_ = True

    def run(self) -> None:
        """What the thread does."""
        try:
            self._serve(lambda: [self.sock_], self._watcher)
        finally:
            self._watcher.close()
            try:
                self._registry.unregisterService(self.name_, self.port_, timeout=1)
            except Error as error:
                logger.info("%s could not be unregistered: %s", self.name_, error)

    def _call(self, handler: Any, one: Any, received: Any) -> None:
        handler(received)

    def send(self, msg: Any) -> None:
        """Answers the request received last."""
        self.sock_.send(msg)

    def wait(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bool:
        """Waits until there is a request, and tells whether there is one."""
        return self.sock_.wait(timeOutMs, timeout=timeout)

    def recv(self, timeout: float | None = None) -> Any:
        """The next request."""
        return self.sock_.recv(timeout)

    def __del__(self) -> None:
        if hasattr(self, "_watcher"):
            self.stop()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.tid_.join()

    def __repr__(self) -> str:
        return f"<{self.name_} at port {getattr(self, 'port_', None)}>"


class ServiceClient:
    """Calls a service by its name. It follows what is registered, and connects to every instance; calls take turns at
    those that are connected. `registry` is a `ServiceRegistry.Client`, or the endpoint of a registry. Any thread may
    call, any number at once.

        with ServiceClient("acme.Clock", "tcp://names:5000") as clock:
            clock.wait_for_service(timeout=10)
            print(clock.call(TimeRequest(), timeout=5))
    """

    _id = 0

    def __init__(
        self,
        name: str,
        registry: registry.ServiceRegistry.Client | str | list[str],
        *,
        options: Options | None = None,
    ) -> None:
        _logging.adjust()
        self.name = name
        handle = c_uint64()
        shared = _shared_of(registry)
        check(lib.service_client_new(name.encode(), shared.handle, pointer_of(options), byref(handle)))
        self._id = handle.value

    def call(self, msg: Message, timeout: float | None = None, *, repeat: bool = False) -> Any:
        """Asks an instance and waits for its reply, `timeout` seconds in all; another one where that one is too busy,
        or stops. With `repeat` also where an instance went away with the request: it may be served more than once.
        NotFound, at once, where nobody has the name; Busy where all are; Unreachable where the instance went away and
        may have served it or not; else the exception for what the service answered."""
        name, payload = names.get(type(msg)) or name_of(msg), msg.SerializeToString()
        ask = partial(self._ask, name, payload, milliseconds(timeout), int(repeat))
        return messaging._made_of(*beside(ask))

    def _ask(self, name: bytes, payload: bytes, ms: int, may_repeat: int) -> tuple[int, bytes, bytes]:
        # Taken and given back by the thread that makes the call: nobody else has them when it is given up.
        request, reply = _slots.single(), _slots.single()
        try:
            check(quick.message_set(request.messages[0], name, payload, len(payload)))
            check(lib.service_client_call(self._id, request.messages[0], reply.messages[0], ms, may_repeat))
            return reply.taken_message()
        finally:
            request.clear(0)
            _slots.singles += (request, reply)

    def _start(self, msg: Message, timeout: float | None, repeat: bool) -> int:
        """Begins a call, without waiting; its number."""
        ms, start, fill = (
            milliseconds(timeout),
            lib.service_client_start_call,
            typed(msg, msg.SerializeToString()),
        )
        return _slots.started(lambda to, call: start(self._id, to, ms, int(repeat), call), fill)

    def _finish(self, call: int) -> tuple[int, tuple[int, bytes, bytes] | None]:
        """What came of it so far: a status, and the reply."""
        return _slots.finished(lib.service_client_finish_call, self._id, call)

    def _abandon(self, call: int) -> None:
        lib.service_client_abandon_call(self._id, call)

    def _fileno(self) -> int:
        """What is readable while calls are over that were begun."""
        fd = ctypes.c_int32()
        check(quick.service_client_fd(self._id, byref(fd)))
        return fd.value

    def wait_for_service(self, timeout: float | None = None) -> None:
        """Waits until an instance is connected: for those who are there before the service is."""
        check_aside(partial(lib.service_client_wait, self._id), milliseconds(timeout))

    def instances(self) -> Sequence[registry.Instance]:
        """The instances that are known now, connected or not."""
        pointer = c_void_p()
        check(lib.service_client_instances(self._id, byref(pointer)))
        return registry._instances(pointer)

    def close(self) -> None:
        """Closes it. Calls under way end with `Closed`."""
        handle, self._id = self._id, 0
        if handle:
            check(lib.service_client_close(handle))

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self._id == 0

    def __enter__(self) -> ServiceClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        handle, self._id = self._id, 0
        if handle and lib is not None:
            lib.service_client_close(handle)

    def __repr__(self) -> str:
        return f"<dividere.service.ServiceClient of {self.name}{' closed' if self.closed else ''}>"


def _shared_of(client: registry.ServiceRegistry.Client | str | list[str]) -> registry._Shared:
    if isinstance(client, registry.ServiceRegistry.Client):
        return client._shared
    return registry._Shared.at(client if isinstance(client, str) else ",".join(client))


__all__ = ["Service", "ServiceClient", "logger"]
