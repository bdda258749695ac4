"""Message types: their full names as they travel, and their classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from dividere.errors import DecodeError, InvalidArgument, UnknownType

#: A message type: its class, one of its messages, or its full name.
MessageType = Union[type[Message], Message, str]

#: The full name of each class met so far, as C takes it.
names: dict[type[Any], bytes] = {}
#: The class of each full name met so far. Classes that the program names itself come before those that the
#: registry of protobuf would give.
classes: dict[bytes, type[Message]] = {}
#: What makes a message of its payload, for each of these.
makers: dict[bytes, Callable[[bytes], Message]] = {}


def nested(kind: type[Any]) -> list[type[Any]]:
    """The classes that are written within a class, and those within them."""
    inner = [
        one
        for one in vars(kind).values()
        if isinstance(one, type) and one.__qualname__.startswith(kind.__name__)
    ]
    return [*inner, *(deeper for one in inner for deeper in nested(one))]


def _know(name: bytes, kind: Any) -> None:
    """Remembers a class, unless one of its name is known."""
    if name not in classes:
        classes[name] = kind
        makers[name] = kind.FromString


def name_of(message: Any) -> bytes:
    """The full name of a message's type, remembered for the next one."""
    kind = type(message)
    try:
        full_name: str = message.DESCRIPTOR.full_name
    except AttributeError:
        raise InvalidArgument(f"a protobuf message is needed, not {kind.__name__}") from None
    name = full_name.encode()
    names[kind] = name
    _know(name, kind)
    return name


def type_name(of: MessageType) -> str:
    """The full name of a type given as a class, a message or a name."""
    if isinstance(of, str):
        return of
    descriptor = getattr(of, "DESCRIPTOR", None)
    if descriptor is None:
        raise InvalidArgument(f"a message type is a protobuf class, a message or a full name, not {of!r}")
    kind = of if isinstance(of, type) else type(of)
    name: str = descriptor.full_name
    _know(name.encode(), kind)
    return name


def type_names(of: MessageType | Sequence[MessageType]) -> list[bytes]:
    """The full names of several types, or of one, as C takes them."""
    several: Sequence[MessageType] = [of] if isinstance(of, (str, type, Message)) else of
    return [type_name(one).encode() for one in several]


_pool: Any = descriptor_pool
_class_of: Any
if hasattr(message_factory, "GetMessageClass"):
    _class_of = message_factory.GetMessageClass
else:  # protobuf before 4.22
    _factory: Any = message_factory.MessageFactory(_pool.Default())
    _class_of = _factory.GetPrototype


def class_of(name: bytes) -> type[Message]:
    """The class for a full name, from protobuf's registry. KeyError where no module that has it was imported."""
    descriptor = _pool.Default().FindMessageTypeByName(name.decode("utf-8", "replace"))
    kind: type[Message] = _class_of(descriptor)
    _know(name, kind)
    return classes[name]


#: What parses several messages of a type at once, by the full name; None where that cannot be.
_repeated: dict[bytes, Any] = {}


def parser_of_many(name: bytes) -> Any:
    """What makes messages of this type, as a repeated field `items`, of their payloads that stand one behind the
    other, each with the header of field 1: in about half the time that it takes one by one. None where that
    cannot be."""
    try:
        return _repeated[name]
    except KeyError:
        pass
    try:
        _repeated[name] = _make_parser_of_many(name)
    except KeyError:
        # The type may be known later.
        return None
    except TypeError:
        _repeated[name] = None
    return _repeated[name]


def _make_parser_of_many(name: bytes) -> Any:
    kind: Any = classes.get(name) or class_of(name)
    if kind.DESCRIPTOR.file.pool is not _pool.Default():
        return None
    full_name = name.decode()
    file = descriptor_pb2.FileDescriptorProto(
        name=f"dividere/many/{full_name}.proto",
        package=f"dividere.many.{full_name}",
        syntax="proto3",
        dependency=[kind.DESCRIPTOR.file.name],
    )
    field = file.message_type.add(name="Many").field.add(name="items", number=1, type_name=f".{full_name}")
    field.label, field.type = field.LABEL_REPEATED, field.TYPE_MESSAGE
    _pool.Default().AddSerializedFile(file.SerializeToString())
    many = _pool.Default().FindMessageTypeByName(f"{file.package}.Many")
    if many.fields_by_name["items"].message_type is not kind.DESCRIPTOR:
        return None
    return _class_of(many).FromString


def parse(name: bytes, payload: bytes) -> Message:
    """The message that travelled as a payload of this type."""
    try:
        kind = classes.get(name) or class_of(name)
    except KeyError:
        text = name.decode("utf-8", "replace")
        error = UnknownType(f"a message of type {text}: no module that has its class was imported")
        error.type_name, error.data = text, payload
        raise error from None
    try:
        return kind.FromString(payload)
    except ProtobufDecodeError as cause:
        raise undecodable(payload, f"the payload is no {name.decode('utf-8', 'replace')}: {cause}") from None


def undecodable(data: bytes, why: str = "what was received is no envelope") -> DecodeError:
    """The exception for bytes that are no message."""
    error = DecodeError(why)
    error.data = data
    return error
