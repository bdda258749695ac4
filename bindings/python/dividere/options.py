"""How a handle behaves: high-water marks, linger, heartbeats, reconnection, keys, and what a full queue does."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import Any, NamedTuple, Union

from dividere._abi import Key, OptionKey
from dividere._library import quick
from dividere.errors import InvalidArgument, check

Value = Union[int, str, bytes]
_PROCESS = int(OptionKey.IO_THREADS)


class Options:
    """Options by their names, checked when they are set:

        Options(send_high_water_mark=10_000, linger_ms=0, full_queue="block")

    The names are those of docs/options.md in lower case, times are milliseconds where they end with `_ms`. A
    list sets an option once for each of its values (`curve_allowed_key`). A handle copies what it needs when it
    is made. Equal options compare equal.
    """

    def __init__(self, **values: Value | list[Value] | tuple[Value, ...]) -> None:
        pointer = c_void_p()
        check(quick.options_new(byref(pointer)))
        self._pointer = pointer.value
        self._values: dict[str, Any] = {}
        for name, value in values.items():
            self.set(name, value)

    def set(self, name: str, value: Value | list[Value] | tuple[Value, ...]) -> Options:
        """Sets one more option, and returns the options. InvalidArgument tells the range."""
        try:
            key = OptionKey[name.upper()]
        except KeyError:
            known = ", ".join(one.name.lower() for one in OptionKey)
            raise InvalidArgument(f"there is no option {name!r}; there are: {known}") from None
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, str):
                check(quick.options_set_string(self._pointer, key, one.encode()))
            elif isinstance(one, int):
                if not -(1 << 63) <= one < 1 << 63:
                    raise InvalidArgument(f"{name}={one} is out of range")
                check(quick.options_set_int(self._pointer, key, one))
            elif isinstance(one, (bytes, bytearray, memoryview)):
                check(quick.options_set_bytes(self._pointer, key, bytes(one), len(bytes(one))))
            else:
                raise InvalidArgument(f"{name} is a number, a text or bytes, not {one!r}")
        if name in self._values and key is OptionKey.CURVE_ALLOWED_KEY:
            before = self._values[name]
            self._values[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            self._values[name] = value
        return self

    def get(self, name: str, default: Any = None) -> Any:
        """What an option was set to here."""
        return self._values.get(name, default)

    def copy(self) -> Options:
        """Options with the same values, to be changed on their own."""
        return Options(**self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Options) else NotImplemented

    def __hash__(self) -> int:
        raise TypeError("options can be changed, and so have no hash")

    def __repr__(self) -> str:
        shown = {name: "..." if "secret" in name else value for name, value in self._values.items()}
        return f"Options({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._values,)

    def __del__(self) -> None:
        pointer, self._pointer = getattr(self, "_pointer", None), None
        if pointer:
            quick.options_free(pointer)


def _restored(values: dict[str, Any]) -> Options:
    return Options(**values)


def pointer_of(options: Options | None) -> int | None:
    """What C takes for options; None for the defaults."""
    return None if options is None else options._pointer


def configure(**values: Value) -> None:
    """Sets what belongs to the process (`io_threads`, `max_sockets`, `thread_name_prefix`), before the first
    handle is made; StateError afterwards."""
    check(quick.configure(Options(**values)._pointer))


class KeyPair(NamedTuple):
    """The two halves of a CURVE key, as text: the public one goes to the other side, the secret one stays."""

    public: str
    secret: str


def curve_keypair() -> KeyPair:
    """Makes a new CURVE key pair from the random numbers of the system."""
    public, secret = Key(), Key()
    check(quick.curve_keypair(byref(public), byref(secret)))
    return KeyPair(public.text.decode(), secret.text.decode())


def curve_public(secret: str) -> str:
    """The public key that belongs to a secret one."""
    public = Key()
    check(quick.curve_public(secret.encode(), byref(public)))
    text: bytes = public.text
    return text.decode()
