"""Finds and loads the shared library, and declares its functions, each in two forms.

`lib.f` lets go of the interpreter's lock (the GIL) for the time of the call: for whatever may wait. `quick.f`
keeps it, which costs a fraction: for what never waits. `bare` has three of these for the path of every message.
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
    own and bytes as they are, and a number as a C int, in half the time. So these are given `c_uint64` objects as
    handles, `NOW` as a timeout, and lengths of serialised messages, which protobuf keeps below 2 GiB; the platforms
    supported widen an int that is passed where C takes 64 bits."""

    def __init__(self, library: ctypes.CDLL) -> None:
        #: (handle, type_name, payload, length)
        self.send_typed: Any = library.dividere_socket_send_typed
        #: (handle, batch, NOW)
        self.recv_batch: Any = library.dividere_socket_recv_batch
        #: (handle, NOW)
        self.wait: Any = library.dividere_socket_wait
        for function in (self.send_typed, self.recv_batch, self.wait):
            function.restype = ctypes.c_int32


#: A timeout that does not wait, for `bare`.
NOW = ctypes.c_int64(0)


def _load() -> tuple[Functions, Functions, Bare]:
    path = _path()
    try:
        # Each object has functions of its own.
        lib, quick, bare = ctypes.CDLL(path), ctypes.PyDLL(path), ctypes.PyDLL(path)
    except OSError as error:
        raise ImportError(
            f"cannot load the shared library of dividere: {error}. `pip install` builds it into the package; "
            "DIVIDERE_LIBRARY names another one."
        ) from None
    try:
        return Functions(lib), Functions(quick), Bare(bare)
    except AttributeError as error:
        lib.dividere_version.restype = ctypes.c_char_p
        raise ImportError(
            f"{path} is dividere {lib.dividere_version().decode()}, which is not what this package "
            f"({'.'.join(map(str, _abi.VERSION))}) was made for: {error}"
        ) from None


lib, quick, bare = _load()
