"""Typed protobuf messages over ZeroMQ: `dividere.messaging`, and bytes: `dividere.connection`.

    import dividere

    publisher = dividere.messaging.Publisher("tcp://127.0.0.1:*")
    subscriber = dividere.messaging.Subscriber(publisher.last_endpoint)
    publisher.wait_for_subscribers(timeout=10)
    publisher.send(Reading(name="cpu", value=0.7))
    print(subscriber.recv(timeout=10))

Programs that were written for dividere 2.2.0 run unchanged.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dividere import MsgLib, MsgLib_pb2, connection, messaging, registry, service
from dividere._abi import FullQueue, MessageKind, ProxyKind, Status
from dividere._connector import Event, EventKind, Statistics
from dividere._process import has, shutdown, version
from dividere.errors import (
    AddressInUse,
    Busy,
    Cancelled,
    Closed,
    DecodeError,
    EndpointError,
    Error,
    Forked,
    HandshakeFailed,
    InternalError,
    InvalidArgument,
    LimitReached,
    NotFound,
    OutOfMemory,
    PermissionDenied,
    RemoteError,
    StateError,
    TimedOut,
    TooLarge,
    UnknownType,
    Unreachable,
    Unsupported,
    WouldBlock,
    WrongType,
)
from dividere.options import KeyPair, Options, configure, curve_keypair, curve_public

if TYPE_CHECKING:
    from dividere import aio as aio
else:

    def __getattr__(name: str) -> Any:
        """`dividere.aio` without an import of its own; whoever does not use it need not load asyncio."""
        if name != "aio":
            raise AttributeError(f"module 'dividere' has no attribute {name!r}")
        return importlib.import_module("dividere.aio")


__version__ = version()

__all__ = [
    "AddressInUse",
    "Busy",
    "Cancelled",
    "Closed",
    "DecodeError",
    "EndpointError",
    "Error",
    "Event",
    "EventKind",
    "Forked",
    "FullQueue",
    "HandshakeFailed",
    "InternalError",
    "InvalidArgument",
    "KeyPair",
    "LimitReached",
    "MessageKind",
    "MsgLib",
    "MsgLib_pb2",
    "NotFound",
    "Options",
    "OutOfMemory",
    "PermissionDenied",
    "ProxyKind",
    "RemoteError",
    "StateError",
    "Statistics",
    "Status",
    "TimedOut",
    "TooLarge",
    "UnknownType",
    "Unreachable",
    "Unsupported",
    "WouldBlock",
    "WrongType",
    "configure",
    "connection",
    "curve_keypair",
    "curve_public",
    "has",
    "messaging",
    "registry",
    "service",
    "shutdown",
    "version",
]
