"""A program as a user with mypy in strict mode writes it: checked, not run."""

from __future__ import annotations

import asyncio

import dividere
from dividere import aio, connection, messaging, registry, service
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct


class Handler(messaging.MtMsgReactor):
    def handleStruct(self, obj: messaging.Response, msg: Struct) -> None:
        obj.send(msg)


class Clock(service.Service):
    def handleStruct(self, msg: Struct) -> None:
        self.send(msg)


def publish(options: dividere.Options) -> dividere.Statistics:
    with messaging.Publisher("tcp://127.0.0.1:*", options=options) as publisher:
        subscriber = messaging.Subscriber(publisher.last_endpoint, [Struct, "acme.Other", Struct()])
        publisher.wait_for_subscribers(1, Struct, timeout=1)
        publisher.send(Struct())
        there: bool = subscriber.wait(100) or subscriber.wait(timeout=0.1)
        message: Message = subscriber.recv(timeout=1.0)
        many: list[Message] = subscriber.recv_many(10)
        for each in subscriber:
            print(each, message, many, there)
        return publisher.statistics()


def call() -> bytes:
    with messaging.Request(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]) as request:
        try:
            request.call(Struct(), timeout=1, retries=2)
        except dividere.TimedOut as error:
            print(error.status)
    with service.ServiceClient("acme.Clock", "tcp://127.0.0.1:5000") as client:
        client.call(Struct(), timeout=1, repeat=True)
    dealer = connection.Dealer("tcp://127.0.0.1:1")
    received = dealer.recv(timeout=1)
    return received if isinstance(received, bytes) else received[1]


async def follow(client: registry.ServiceRegistry.Client) -> str:
    watch = aio.Watch(client.watch("acme."))
    async with aio.Subscriber("tcp://127.0.0.1:1", [Struct]) as subscriber:
        async for message in subscriber:
            print(message)
    async for kind, instance in watch:
        endpoint: str = instance.endpoint
        return f"{kind} {endpoint}"
    return ""


if __name__ == "__main__":
    print(
        publish(dividere.Options(linger_ms=0)),
        call(),
        asyncio.run(follow(registry.ServiceRegistry.Client("a", 1))),
    )
