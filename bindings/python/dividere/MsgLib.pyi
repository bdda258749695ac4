from google.protobuf import any_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message

DESCRIPTOR: FileDescriptor

class msgEnvelope(Message):
    def __init__(self, *, msgName: str = ..., msg: any_pb2.Any = ...) -> None: ...
    msgName: str
    @property
    def msg(self) -> any_pb2.Any: ...

class RegisterService(Message):
    def __init__(self, *, serviceName: str = ..., server: str = ..., port: int = ...) -> None: ...
    serviceName: str
    server: str
    port: int

class UnregisterService(Message):
    def __init__(self, *, serviceName: str = ..., server: str = ..., port: int = ...) -> None: ...
    serviceName: str
    server: str
    port: int

class ack(Message):
    def __init__(self, *, ok: bool = ...) -> None: ...
    ok: bool

class RediscoverReq(Message): ...

class ServiceLookupReq(Message):
    def __init__(self, *, serviceName: str = ...) -> None: ...
    serviceName: str

class ServiceLookupRep(Message):
    def __init__(self, *, serviceName: str = ..., server: str = ..., port: int = ...) -> None: ...
    serviceName: str
    server: str
    port: int

class ShutdownEvent(Message): ...

class Heartbeat(Message):
    def __init__(self, *, id: str = ...) -> None: ...
    id: str
