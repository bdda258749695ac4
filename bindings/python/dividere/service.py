"""Services: they register with their names, and answer requests."""

from __future__ import annotations

import threading
from typing import Any

from dividere import _logging, messaging, registry
from dividere._reactor import Watcher, _Dispatching
from dividere.errors import AddressInUse, Error

logger = _logging.messaging

# The ports that services use, as in dividere 2.2.0.
_PORTS = range(5101, 6001)


class Service(_Dispatching):
    """Answers requests to the name of its class, `module.Class`. Derive from it, with a method `handleX(self, msg)` for
    each type of message X that answers with `self.send`. It registers with the registry on this host, at
    `ServiceRegistry.Server.port`, and waits for that."""

    #: The library registers again by itself: there is no thread for it.
    tid1_: None = None

    def __init__(self) -> None:
        self._done = False
        self._watcher = Watcher()
        self.name_ = f"{self.__module__}.{self.__class__.__name__}"
        self.setupSocket()
        self.tid_ = threading.Thread(target=self.run, args=())
        self.tid_.start()

    @property
    def done_(self) -> bool:
        """Whether it shall end; setting it wakes the thread."""
        return self._done

    @done_.setter
    def done_(self, value: bool) -> None:
        self._done = value
        self._watcher.wake()

    def setupSocket(self) -> None:
        """Binds to the first free port between 5101 and 6000, and registers."""
        for port in _PORTS:
            try:
                self.sock_ = messaging.Response(f"tcp://*:{port}")
            except AddressInUse:
                continue
            self.port_ = port
            logger.info("%s is at port %d", self.name_, port)
            self._registry = registry.ServiceRegistry.Client(
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


__all__ = ["Service", "logger"]
