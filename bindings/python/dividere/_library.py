"""Finds and loads the shared library, and declares its functions, each in two forms.

`lib.f` lets go of the interpreter's lock (the GIL) for the time of the call: for whatever may wait. `quick.f`
keeps it, which costs a fraction: for what never waits, and calls nothing of Python's.
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


def _load() -> tuple[Functions, Functions]:
    path = _path()
    try:
        lib, quick = ctypes.CDLL(path), ctypes.PyDLL(path)
    except OSError as error:
        raise ImportError(
            f"cannot load the shared library of dividere: {error}. `pip install` builds it into the package; "
            "DIVIDERE_LIBRARY names another one."
        ) from None
    try:
        return Functions(lib), Functions(quick)
    except AttributeError as error:
        lib.dividere_version.restype = ctypes.c_char_p
        raise ImportError(
            f"{path} is dividere {lib.dividere_version().decode()}, which is not what this package "
            f"({'.'.join(map(str, _abi.VERSION))}) was made for: {error}"
        ) from None


lib, quick = _load()
