"""Finds and loads the shared library, and declares its functions, each in two forms.

`lib.f` lets go of the interpreter's lock (the GIL) for the time of the call: for whatever may wait. `quick.f`
keeps it, which costs a fraction: for what never waits. `bare` and
`waiting` have four of each for the path of every message.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from dividere import _abi

FILE = "libdividere.so"


def _path() -> str:
    """The library in the package, unless DIVIDERE_LIBRARY names another one."""
    return os.environ.get("DIVIDERE_LIBRARY") or str(Path(__file__).parent / FILE)


class Functions:
    """The functions of the library by their names without `dividere_`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        for name, result, parameters in _abi.FUNCTIONS:
            function = getattr(library, name)
            function.restype = result
            function.argtypes = parameters
            setattr(self, name[len("dividere_") :], function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dividere has no C function dividere_{name}")


class Bare:
    """The functions on the path of every message, without declared arguments: ctypes then passes objects of its
    own and bytes as they are, and a number as a C int, in half the time. So these are given what `handle_of` makes,
    `NOW`, `FOREVER` or a `c_int64` as a timeout, and lengths of serialised messages, which protobuf keeps below 2 GiB;
    the platforms supported widen an int that is passed where C takes 64 bits."""

    def __init__(self, library: ctypes.CDLL) -> None:
        #: (outlet, payload, length)
        self.outlet_send: Any = library.dividere_outlet_send
        #: (outlet, payload, length, may_repeat, reply_timeout, timeout, call, batch)
        self.outlet_call: Any = library.dividere_outlet_call
        #: (handle, batch, timeout)
        self.recv_batch: Any = library.dividere_socket_recv_batch
        #: (handle, timeout)
        self.wait: Any = library.dividere_socket_wait
        for function in (self.outlet_send, self.outlet_call, self.recv_batch, self.wait):
            function.restype = ctypes.c_int32


#: Timeouts for these: not to wait, and to wait without a limit. Converted once, and not anew for each call.
NOW: Any = ctypes.c_int64.from_param(0)
FOREVER: Any = ctypes.c_int64.from_param(-1)


def handle_of(number: int) -> Any:
    """A handle for these, by its number."""
    return ctypes.c_uint64.from_param(number)


#: The one of what is closed.
NO_HANDLE = handle_of(0)


def _load() -> tuple[Functions, Functions, Bare, Bare]:
    path = _path()
    try:
        # Each object has functions of its own.
        libraries = [kind(path) for kind in (ctypes.CDLL, ctypes.PyDLL, ctypes.PyDLL, ctypes.CDLL)]
    except OSError as error:
        raise ImportError(
            f"cannot load the shared library of dividere: {error}. `pip install` builds it into the package; "
            "DIVIDERE_LIBRARY names another one."
        ) from None
    try:
        lib, quick = (Functions(one) for one in libraries[:2])
        if lib.abi_version() != _abi.VERSION[0]:
            raise AttributeError(f"its binary interface is {lib.abi_version()}")
        return lib, quick, Bare(libraries[2]), Bare(libraries[3])
    except AttributeError as error:
        version = libraries[0].dividere_version
        version.restype = ctypes.c_char_p
        raise ImportError(
            f"{path} is dividere {version().decode()}, which is not what this package "
            f"({'.'.join(map(str, _abi.VERSION))}) was made for: {error}"
        ) from None


#: `bare` keeps the interpreter's lock, `waiting` lets go of it.
lib, quick, bare, waiting = _load()
