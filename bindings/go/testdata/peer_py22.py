"""The Python dividere 2.2.0, as the tests of the Go binding speak with it.

peer_py22.py publish             prints its endpoint; sends Position{text: line} for each line of its input
peer_py22.py subscribe ENDPOINT  prints the text of each Position
peer_py22.py ask ENDPOINT        asks with Position{text: line}, and prints the text of the reply
peer_py22.py answer              prints its endpoint; answers each Position with its text twice
peer_py22.py deal ENDPOINT       sends Position{text: line}, and prints the text of what comes back
"""

import sys

import zmq
from dividere import messaging
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

file = descriptor_pb2.FileDescriptorProto(name="position.proto", syntax="proto3")
field = file.message_type.add(name="Position").field.add(name="text", number=1)
field.type, field.label = field.TYPE_STRING, field.LABEL_OPTIONAL
descriptor_pool.Default().Add(file)
Position = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("Position"))


def say(text):
    print(text, flush=True)


def bound(socket):
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0").replace("0.0.0.0", "127.0.0.1")


def lines():
    return (line.rstrip("\n") for line in sys.stdin)


def publish():
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    say(bound(publisher.pub_.socket_))
    for line in lines():
        publisher.send(Position(text=line))


def subscribe(endpoint):
    subscriber = messaging.Subscriber(endpoint, [Position()])
    say("ready")
    while True:
        say(subscriber.recv().text)


def ask(endpoint):
    request = messaging.Request([endpoint])
    for line in lines():
        request.send(Position(text=line))
        say(request.recv().text)


def answer():
    response = messaging.Response("tcp://*:*")
    say(bound(response.sock_.socket_))
    while True:
        response.send(Position(text=2 * response.recv().text))


def deal(endpoint):
    dealer = messaging.Dealer(endpoint)
    for line in lines():
        dealer.send(Position(text=line))
        say(dealer.recv().text)


globals()[sys.argv[1]](*sys.argv[2:])
