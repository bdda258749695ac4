"""What can go wrong: one exception class for each status of the C ABI, all of them `Error`, and each one also
the exception of Python's that says the same.
"""

from __future__ import annotations

import errno

import google.protobuf.message

from dividere._abi import Status
from dividere._library import quick


class Error(Exception):
    """Something that dividere could not do. Its text tells what was tried and what to do."""

    #: The number that every language knows it by.
    status: int = Status.INTERNAL

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else type(self).__doc__ or ""


class InvalidArgument(Error, ValueError):
    """An argument or an option is outside of what is allowed."""

    status = Status.INVALID_ARGUMENT


class OutOfMemory(Error, MemoryError):
    """There was no memory left for it."""

    status = Status.OUT_OF_MEMORY


class LimitReached(Error, OSError):
    """The process ran out of descriptors or sockets."""

    status = Status.LIMIT


class TimedOut(Error, TimeoutError):
    """The time given was over before it happened."""

    status = Status.TIMEOUT


class WouldBlock(TimedOut, BlockingIOError):
    """It cannot be done at once, and there was no time to wait."""

    status = Status.WOULD_BLOCK


class Closed(Error, ConnectionError):
    """The handle is closed, or was closed during the call."""

    status = Status.CLOSED


class Forked(Error, RuntimeError):
    """The handle belongs to the process that this one was forked from."""

    status = Status.FORKED


class Cancelled(Error, InterruptedError):
    """The call was given up on request."""

    status = Status.CANCELLED


class StateError(Error, RuntimeError):
    """Not in this state: the order of send and receive was broken, or a reactor has the socket."""

    status = Status.STATE


class EndpointError(Error, ValueError):
    """The endpoint is malformed, or it makes no sense for this role."""

    status = Status.ENDPOINT


class AddressInUse(Error, OSError):
    """Another socket is bound to the address."""

    status = Status.ADDRESS_IN_USE


class Unreachable(Error, ConnectionError):
    """The host, the address, the network device or the peer cannot be reached or does not exist."""

    status = Status.UNREACHABLE


class PermissionDenied(Error, PermissionError):
    """The other side refused our key, or the system refused the access."""

    status = Status.PERMISSION


class HandshakeFailed(Error, ConnectionError):
    """The handshake failed for another reason than a refused key."""

    status = Status.HANDSHAKE


class TooLarge(Error, ValueError):
    """The message is larger than the maximum message size."""

    status = Status.TOO_LARGE


class DecodeError(Error, google.protobuf.message.DecodeError, ValueError):
    """The bytes are not an envelope, or not a message of the type that they name. `data` has them."""

    status = Status.DECODE
    #: What was received.
    data: bytes = b""


class UnknownType(DecodeError, KeyError):
    """This program has no class for the type of the message: import its module. `data` has the payload."""

    #: The full name of the type.
    type_name: str = ""


class WrongType(Error, TypeError):
    """The message is of another type than the one asked for."""

    status = Status.TYPE


class NotFound(Error, LookupError):
    """Nothing has that name."""

    status = Status.NOT_FOUND


class Busy(Error, ConnectionError):
    """The far side has no capacity for it now."""

    status = Status.BUSY


class RemoteError(Error, RuntimeError):
    """The handler on the far side failed."""

    status = Status.REMOTE


class Unsupported(Error, NotImplementedError):
    """This build, or this role, cannot do it."""

    status = Status.UNSUPPORTED


class InternalError(Error, RuntimeError):
    """A fault in dividere itself."""

    status = Status.INTERNAL


_ERRNO = {
    Status.LIMIT: errno.EMFILE,
    Status.TIMEOUT: errno.ETIMEDOUT,
    Status.WOULD_BLOCK: errno.EAGAIN,
    Status.CLOSED: errno.ENOTSOCK,
    Status.CANCELLED: errno.EINTR,
    Status.ADDRESS_IN_USE: errno.EADDRINUSE,
    Status.UNREACHABLE: errno.EHOSTUNREACH,
    Status.PERMISSION: errno.EACCES,
}
_CLASSES: dict[int, type[Error]] = {
    kind.status: kind
    for kind in (
        InvalidArgument,
        OutOfMemory,
        LimitReached,
        TimedOut,
        WouldBlock,
        Closed,
        Forked,
        Cancelled,
        StateError,
        EndpointError,
        AddressInUse,
        Unreachable,
        PermissionDenied,
        HandshakeFailed,
        TooLarge,
        DecodeError,
        WrongType,
        NotFound,
        Busy,
        RemoteError,
        Unsupported,
        InternalError,
    )
}


def last_error() -> str:
    """What the last call that failed on this thread was about."""
    text: bytes = quick.last_error()
    return text.decode("utf-8", "replace")


def error_of(status: int, text: str | None = None) -> Error:
    """The exception for a status, with the words of the last error of this thread unless others are given."""
    if text is None:
        text = last_error()
    kind = _CLASSES.get(status)
    if kind is None:
        name: bytes = quick.status_name(status)
        error = Error(f"{name.decode()} ({status}): {text}")
        error.status = status
        return error
    error = kind(text)
    if isinstance(error, OSError):
        error.errno = _ERRNO.get(Status(status))
    return error


def check(status: int) -> None:
    """Raises the exception for a status, unless it is OK."""
    if status:
        raise error_of(status)
