"""Names of services, and where they are: a registry, and clients that register and look up."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import threading
from collections import namedtuple
from collections.abc import Iterator, Sequence
from ctypes import byref, c_int32, c_uint64, c_void_p
from functools import partial
from typing import Any, NamedTuple
from urllib.request import urlopen

from dividere import MsgLib, _abi, _logging, messaging
from dividere._abi import WatchKind
from dividere._connector import Event, Statistics, event_of, statistics_of, text_of, until_closed
from dividere._library import lib, quick
from dividere._waiting import await_end, check_aside, milliseconds
from dividere.errors import Error, NotFound, check
from dividere.options import Options, pointer_of

logger = _logging.messaging

# A question that is cut into slices is asked again in each: long enough for any answer.
_SLICE_MS = 5000

#: What `lookupService` gives: the name, and where it is; "unavailable" and 0 where there is no such service.
Element = namedtuple("Element", ["name", "server", "port"])


class Instance(NamedTuple):
    """One place at which a service can be reached."""

    name: str
    #: Where to connect to: "tcp://10.0.0.7:5101".
    endpoint: str
    server: str
    port: int
    #: How long it stays without being renewed, in seconds; 0 for ever (a service of dividere 2.2.0).
    lease: float
    #: What the service tells of itself.
    metadata: bytes


def _instances(pointer: c_void_p) -> list[Instance]:
    """What C found, freed."""
    try:
        found = []
        for i in range(quick.instances_count(pointer)):
            one = _abi.Instance()
            check(quick.instances_get(pointer, i, byref(one)))
            name, endpoint, server = (
                ctypes.string_at(text).decode("utf-8", "replace")
                for text in (one.name, one.endpoint, one.server)
            )
            metadata = ctypes.string_at(one.metadata, one.metadata_len) if one.metadata_len else b""
            found.append(Instance(name, endpoint, server, one.port, one.lease_ms / 1000, metadata))
        return found
    finally:
        quick.instances_free(pointer)


class Watch:
    """Tells what is registered under a name, and every change of it, in order: each as a kind (`WatchKind`) and an
    instance."""

    def __init__(self, handle: int, client: Any) -> None:
        self._id = handle
        # It ends with its client.
        self._client = client

    def recv(self, timeout: float | None = None) -> tuple[int, Instance]:
        """The next event."""
        kind, pointer = c_int32(), c_void_p()

        def call(ms: int) -> int:
            status: int = lib.watch_recv(self._id, ms, byref(kind), byref(pointer))
            return status

        check_aside(call, milliseconds(timeout))
        return kind.value, _instances(pointer)[0]

    def fileno(self) -> int:
        """A descriptor for select and event loops: when it is readable, take events with `timeout=0`."""
        fd = c_int32()
        check(quick.watch_fd(self._id, byref(fd)))
        return fd.value

    def __iter__(self) -> Iterator[tuple[int, Instance]]:
        """The events as they come, until it is closed."""
        return until_closed(self)

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self._id == 0

    def close(self) -> None:
        """Ends it. Waits of other threads end with `Closed`."""
        handle, self._id = self._id, 0
        if handle:
            lib.watch_close(handle)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<dividere.registry.Watch at {self._client!r}{' closed' if self.closed else ''}>"

    def __del__(self) -> None:
        if lib is not None:
            self.close()


class _Shared:
    """The client of the library for one registry, one for a process: what it registered stays registered for as
    long as the process lives, also where the object that registered it is gone, as in dividere 2.2.0."""

    _all: dict[tuple[str, int, str], _Shared] = {}
    _lock = threading.Lock()

    def __init__(self, endpoint: str, options: Options | None) -> None:
        handle = c_uint64()
        check(lib.registry_client_new(endpoint.encode(), pointer_of(options), byref(handle)))
        self.handle = handle.value
        #: Numbers of registrations by name and port.
        self.registrations: dict[tuple[str, int], list[int]] = {}

    @classmethod
    def at(cls, endpoint: str, options: Options | None = None) -> _Shared:
        """The one of this process for these options: a forked child has its own."""
        with cls._lock:
            key = (endpoint, os.getpid(), "" if options is None else repr(sorted(options._values.items())))
            if key not in cls._all:
                cls._all[key] = cls(endpoint, options)
            return cls._all[key]

    @classmethod
    def _forked(cls) -> None:
        """In a forked child: another thread may have held the lock."""
        cls._lock = threading.Lock()


os.register_at_fork(after_in_child=_Shared._forked)


class ServiceRegistry:
    """The registry and its client, under the names that they have in dividere 2.2.0."""

    class Server:
        """A registry. Services register with their names; it tells where they are. Services of dividere 3 renew what
        they registered, and are forgotten when they die; those of 2.2.0 stay."""

        #: Where it is asked, and where it tells services of 2.2.0 to register again.
        port = 5000
        subPort = 5001
        tid_: None = None

        def __init__(self, *, options: Options | None = None) -> None:
            mine = options.copy() if options is not None else Options()
            if mine.get("registry_publish_endpoint") is None:
                mine.set("registry_publish_endpoint", f"tcp://*:{self.subPort or '*'}")
            _logging.adjust()
            handle = c_uint64()
            check(
                lib.registry_server_new(f"tcp://*:{self.port or '*'}".encode(), mine._pointer, byref(handle))
            )
            self._id = handle.value
            self.done_ = False

        @property
        def last_endpoint(self) -> str:
            """Where it is asked."""
            return text_of(partial(quick.socket_last_endpoint, quick.registry_server_socket(self._id)))

        @property
        def publish_endpoint(self) -> str:
            """Where it tells services of 2.2.0 to register again."""
            return text_of(partial(quick.registry_server_publish_endpoint, self._id))

        @property
        def serviceMap(self) -> dict[str, tuple[str, int]]:
            """What is registered: the place of each name."""
            port = int(self.last_endpoint.rpartition(":")[2])
            with _Listing(f"tcp://127.0.0.1:{port}") as listing:
                return {one.name: (one.server, one.port) for one in listing}

        def stop(self) -> None:
            """Ends it. Its ports are free again when this returns."""
            self.done_ = True
            handle, self._id = self._id, 0
            if handle:
                check(lib.registry_server_close(handle))

        close = stop

        def wait_ended(self, timeout: float | None = None) -> None:
            """Waits until it has ended: returns once it was stopped, and raises what went wrong where a fault of its
            own ended it, which closes it. TimedOut while it runs."""
            await_end(lib.registry_server_wait_ended, self._id, timeout)

        def statistics(self) -> Statistics:
            """What its connections counted so far."""
            counted = _abi.Statistics()
            check(quick.socket_statistics(quick.registry_server_socket(self._id), byref(counted)))
            return statistics_of(counted)

        def recv_event(self, timeout: float | None = None) -> Event:
            """Takes the oldest event of its connections, or waits for one."""
            event, socket = _abi.Event(), quick.registry_server_socket(self._id)
            check_aside(partial(lib.socket_event_recv, socket, byref(event)), milliseconds(timeout))
            return event_of(event)

        def __repr__(self) -> str:
            name = f"{type(self).__module__}.{type(self).__qualname__}"
            try:
                return f"<{name} at {self.last_endpoint}>" if getattr(self, "_id", 0) else f"<{name} stopped>"
            except Error as error:
                return f"<{name} at {error}>"

        def __enter__(self) -> ServiceRegistry.Server:
            return self

        def __exit__(self, *_: object) -> None:
            self.stop()

        def __del__(self) -> None:
            handle, self._id = getattr(self, "_id", 0), 0
            if handle and lib is not None:
                lib.registry_server_close(handle)

    class Client:
        """Registers services, and finds them."""

        def __init__(self, addr: str, port: int, *, options: Options | None = None) -> None:
            self._endpoint = f"tcp://{addr}:{port}"
            self._options = options
            self._shared = _Shared.at(self._endpoint, options)
            self._request: messaging.Request | None = None

        def close(self) -> None:
            """Ends what it asked by. What it registered stays so."""
            if self._request is not None:
                self._request.close()

        def __enter__(self) -> ServiceRegistry.Client:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def _registering(self) -> _Shared:
            """What registers: a class of the program's own may tell the address of this host by `getLocalIp`."""
            if getattr(self.getLocalIp, "__func__", None) is ServiceRegistry.Client.getLocalIp:
                return self._shared
            mine = self._options.copy() if self._options is not None else Options()
            return _Shared.at(self._endpoint, mine.set("registry_advertise", self.getLocalIp()))

        @property
        def reqSock_(self) -> messaging.Request:
            """A request to the registry, for the messages of 2.2.0."""
            if self._request is None:
                self._request = messaging.Request([self._endpoint], options=self._options)
            return self._request

        def registerService(
            self, serviceName: str, port: int, metadata: bytes = b"", timeout: float | None = None
        ) -> int:
            """Makes a service known: its port on this host. It stays so until it is unregistered or this process
            ends. Returns the number of the registration."""
            number, shared = c_uint64(), self._registering()

            def call(ms: int) -> int:
                name = serviceName.encode()
                status: int = lib.registry_client_register(
                    shared.handle, name, port, metadata, len(metadata), ms, byref(number)
                )
                return status

            check_aside(call, milliseconds(timeout), _SLICE_MS)
            shared.registrations.setdefault((serviceName, port), []).append(number.value)
            return number.value

        def unregisterService(self, serviceName: str, port: int, timeout: float | None = 5) -> None:
            """Takes a service out: what this process registered, or, as in 2.2.0, what somebody else did."""
            shared = self._registering()
            numbers = shared.registrations.pop((serviceName, port), [])
            for number in numbers:
                call = partial(lib.registry_client_unregister, shared.handle, number)
                check_aside(call, milliseconds(timeout), _SLICE_MS)
            if not numbers:
                message = MsgLib.UnregisterService(
                    serviceName=serviceName, server=self.getLocalIp(), port=port
                )
                self.reqSock_.call(message, timeout)

        def lookupService(self, serviceName: str, timeout: float | None = None) -> Element:
            """Where a service is; where there are several of the name, they take turns."""
            try:
                found = self._find(lib.registry_client_lookup, serviceName, timeout)[0]
            except NotFound:
                return Element(serviceName, "unavailable", 0)
            return Element(serviceName, found.server, found.port)

        def lookup_all(self, name: str, timeout: float | None = None) -> Sequence[Instance]:
            """All instances of a service; there may be none."""
            return self._find(lib.registry_client_lookup_all, name, timeout)

        def list(self, prefix: str = "", timeout: float | None = None) -> Sequence[Instance]:
            """All instances whose names begin so. Unsupported where the registry is of 2.2.0."""
            return self._find(lib.registry_client_list, prefix, timeout)

        def watch(self, name: str, is_prefix: bool = False, timeout: float | None = None) -> Watch:
            """Follows the instances of one name, or of all names that begin so. Unsupported where the registry is of
            2.2.0."""
            handle = c_uint64()

            def call(ms: int) -> int:
                status: int = lib.registry_client_watch(
                    self._shared.handle, name.encode(), int(is_prefix), ms, byref(handle)
                )
                return status

            check_aside(call, milliseconds(timeout), _SLICE_MS)
            return Watch(handle.value, self)

        def _find(self, function: Any, name: str, timeout: float | None) -> Sequence[Instance]:
            pointer = c_void_p()

            def call(ms: int) -> int:
                status: int = function(self._shared.handle, name.encode(), ms, byref(pointer))
                return status

            check_aside(call, milliseconds(timeout), _SLICE_MS)
            return _instances(pointer)

        def getLocalIp(self) -> str:
            """The address of this host that leads to the world; no packet is sent for it."""
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("8.8.8.8", 1))
                address: str = probe.getsockname()[0]
            return address

        def getPublicIp(self) -> str:
            """The address of this host as a server on the internet sees it: it asks checkip.dyndns.com."""
            with urlopen("http://checkip.dyndns.com/", timeout=10) as page:
                found = re.search(r"Address: (\d+\.\d+\.\d+\.\d+)", page.read().decode("utf-8", "replace"))
            if found is None:
                raise NotFound("checkip.dyndns.com tells no address")
            return found.group(1)

        def __repr__(self) -> str:
            return f"<dividere.registry.ServiceRegistry.Client of {self._endpoint}>"


class _Listing:
    """What a registry holds now, by a client of its own."""

    def __init__(self, endpoint: str) -> None:
        self._shared = _Shared(endpoint, None)

    def __enter__(self) -> list[Instance]:
        pointer = c_void_p()
        check(lib.registry_client_list(self._shared.handle, b"", 10_000, byref(pointer)))
        return _instances(pointer)

    def __exit__(self, *_: object) -> None:
        lib.registry_client_close(self._shared.handle)


__all__ = ["Element", "Instance", "ServiceRegistry", "Watch", "WatchKind", "logger"]
