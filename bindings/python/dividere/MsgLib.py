"""The messages of dividere 2.2.0: the envelope, and those of its registry, its reactors and its load balancer."""

from __future__ import annotations

from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf.internal import builder as _builder

_TEXT = _descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_NUMBER = _descriptor_pb2.FieldDescriptorProto.TYPE_UINT32
_FLAG = _descriptor_pb2.FieldDescriptorProto.TYPE_BOOL
_PLACE = [("serviceName", _TEXT), ("server", _TEXT), ("port", _NUMBER)]
# Fields are numbered from 1 in their order.
_MESSAGES = [
    ("msgEnvelope", [("msgName", _TEXT), ("msg", ".google.protobuf.Any")]),
    ("RegisterService", _PLACE),
    ("UnregisterService", _PLACE),
    ("ack", [("ok", _FLAG)]),
    ("RediscoverReq", []),
    ("ServiceLookupReq", [("serviceName", _TEXT)]),
    ("ServiceLookupRep", _PLACE),
    ("ShutdownEvent", []),
    ("Heartbeat", [("id", _TEXT)]),
]


def _describe() -> bytes:
    """The description of the file MsgLib.proto, byte for byte what protoc makes of it: both may be loaded."""
    file = _descriptor_pb2.FileDescriptorProto(
        name="MsgLib.proto", syntax="proto3", dependency=[_any_pb2.DESCRIPTOR.name]
    )
    for name, fields in _MESSAGES:
        message = file.message_type.add(name=name)
        for number, (field_name, kind) in enumerate(fields, 1):
            field = message.field.add(
                name=field_name, number=number, label=_descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
            )
            if isinstance(kind, str):
                field.type = _descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = kind
            else:
                field.type = kind
    return file.SerializeToString(deterministic=True)


DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(_describe())
_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, __name__, globals())
