"""What messages are received into: a message of the library, and a buffer into which it copies what came, so
that a receive is one call into C. They are used again and again, by one call at a time.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from ctypes import byref, c_uint64, c_void_p, string_at
from typing import Any

from dividere._abi import Batch, Copied, MessageKind, View
from dividere._library import quick
from dividere.errors import check

# The buffers. What is larger than COPIED_MOST is not copied into them but taken from the message.
SINGLE_BYTES = 16 * 1024
BATCH_BYTES = 256 * 1024
COPIED_MOST = 8 * 1024
#: The most messages that one call receives.
BATCH_MESSAGES = 256
#: Once it has so many bytes a call receives no more: the memory that many large messages take together is fetched from
#: the system each time, which costs more than they do.
BATCH_MOST_BYTES = 64 * 1024

UNDECODABLE = int(MessageKind.UNDECODABLE)
TYPED = int(MessageKind.TYPED)
#: kind, can_reply, messages, route_count, type_name_len, payload_len, offset, type_name, payload
ENTRY = struct.Struct("=iiQQQQQQQ")
NOT_COPIED = (1 << 64) - 1

assert ENTRY.size == ctypes.sizeof(Copied)


class Slot:
    """Room for `count` messages."""

    def __init__(self, count: int, size: int, typed: int) -> None:
        self.messages = (c_void_p * count)()
        self._copied = (Copied * count)()
        self.buffer: Any = (ctypes.c_char * size)()
        #: The first description as numbers: kind | can_reply << 32, and the others in their order.
        self.fields: Any = (ctypes.c_uint64 * (ENTRY.size // 8)).from_buffer(self._copied)
        self.entries = memoryview(self._copied).cast("B")
        self.batch = Batch(
            messages=ctypes.cast(self.messages, c_void_p),
            copied=ctypes.cast(self._copied, c_void_p),
            count=count,
            buffer=ctypes.cast(self.buffer, c_void_p),
            size=size,
            typed=typed,
            bytes_most=BATCH_MOST_BYTES,
            copied_most=COPIED_MOST,
        )
        #: What C is given.
        self.into = byref(self.batch)
        #: The number of the call whose reply is received into it, and where C writes it.
        self.call = c_uint64()
        self.called = byref(self.call)
        for i in range(count):
            message = c_void_p()
            check(quick.message_new(byref(message)))
            self.messages[i] = message.value
        # In their order C need not look whether one stands twice.
        self.messages[:] = sorted(self.messages)

    def __del__(self) -> None:
        if quick is not None:
            messages: Any = getattr(self, "messages", ())
            for i, message in enumerate(messages):
                # Whoever else is at its end may still have the slot.
                messages[i] = None
                quick.message_free(message)

    def described(self) -> Iterator[tuple[int, ...]]:
        """What was received, as ENTRY has it."""
        return ENTRY.iter_unpack(self.entries[: self.batch.described * ENTRY.size])

    def route(self, index: int = 0) -> list[bytes]:
        """The frames that routed a message here."""
        view = View()
        check(quick.message_view(self.messages[index], byref(view)))
        frames = []
        for i in range(view.route_count):
            data, length = c_void_p(), ctypes.c_size_t()
            check(quick.message_route(self.messages[index], i, byref(data), byref(length)))
            frames.append(ctypes.string_at(data.value or 0, length.value))
        return frames

    def all_bytes(self, index: int) -> bytes:
        """All bytes of a message, as they came."""
        view = View()
        check(quick.message_view(self.messages[index], byref(view)))
        return ctypes.string_at(view.bytes, view.bytes_len)

    def look(self, index: int) -> tuple[int, bytes, bytes]:
        """Kind, type name and payload of a message, from itself."""
        view = View()
        check(quick.message_view(self.messages[index], byref(view)))
        return (
            view.kind,
            ctypes.string_at(view.type_name, view.type_name_len),
            ctypes.string_at(view.payload, view.payload_len),
        )

    def clear(self, index: int) -> None:
        """Lets go of what a message holds."""
        check(quick.message_clear(self.messages[index]))

    def take(self, index: int = 0) -> tuple[int, bytes, bytes]:
        """Kind, type name and payload of a message that was described by itself."""
        entry = ENTRY.unpack_from(self.entries, index * ENTRY.size)
        kind, _, _, _, name, payload, offset, name_at, payload_at = entry
        if offset != NOT_COPIED:
            middle = offset + name
            return kind, self.buffer[offset:middle], self.buffer[middle : middle + payload]
        taken = kind, string_at(name_at, name), string_at(payload_at, payload)
        # Not to hold on to a large frame until the next message comes.
        self.clear(index)
        return taken

    def taken_message(self, index: int = 0) -> tuple[int, bytes, bytes]:
        """The same from the message itself, which is empty afterwards."""
        taken = self.look(index)
        self.clear(index)
        return taken


#: Free ones, each of one message.
singles: list[Slot] = []
#: The same for typed messages.
typed_singles: list[Slot] = []
#: Free ones, each of many.
batches: list[Slot] = []


def single() -> Slot:
    """One that nobody else uses; it goes back to `singles`."""
    try:
        return singles.pop()
    except IndexError:
        return Slot(1, SINGLE_BYTES, 0)


def started(start: Callable[[Any, Any], int], fill: Callable[[Any], None]) -> int:
    """The number of a call that `start(message, number)` begins with what `fill` makes of a message, copied."""
    slot, call = single(), c_uint64()
    try:
        message = slot.messages[0]
        fill(message)
        check(start(message, byref(call)))
        return call.value
    finally:
        singles.append(slot)


def finished(finish: Any, handle: int, call: int) -> tuple[int, tuple[int, bytes, bytes] | None]:
    """What came so far of a call that was started: a status, and the reply. `finish` is the function of the library."""
    slot = single()
    try:
        status: int = finish(handle, call, slot.messages[0], 0)
        return status, slot.taken_message() if status == 0 else None
    finally:
        singles.append(slot)


def typed_single() -> Slot:
    """The same for `typed_singles`."""
    try:
        return typed_singles.pop()
    except IndexError:
        return Slot(1, SINGLE_BYTES, 1)


def batch() -> Slot:
    """The same for `batches`."""
    try:
        return batches.pop()
    except IndexError:
        return Slot(BATCH_MESSAGES, BATCH_BYTES, 0)
