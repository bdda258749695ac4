"""The peer of the matrix that is the real Python dividere 2.2.0.

It does what each line of its input says with the classes of dividere.messaging, or, for bytes, of
dividere.connection below them, and answers each with one line.
"""

import faulthandler
import gc
import os
import queue
import sys
import zlib

import google.protobuf.message
import zmq
from dividere import connection, messaging
from google.protobuf import descriptor_pool, message_factory

# Where only a failure would wait so long.
LIMIT_MS = 20000
LONGEST_TOLD = 64


class Refused(Exception):
    """What is answered with an error: the status, then why."""


def payload_of(text):
    if text == "-":
        return b""
    parts = (part.partition("x") for part in text.split(","))
    return b"".join(bytes.fromhex(digits) * int(times or 1) for digits, _, times in parts)


def told_payload(data):
    if not data:
        return "-"
    return data.hex() if len(data) <= LONGEST_TOLD else f"{len(data)}:{zlib.crc32(data):08x}"


def class_of(type_name):
    found = descriptor_pool.Default().FindMessageTypeByName(type_name)
    return message_factory.GetMessageClass(found)


def told(message):
    data = message.SerializeToString(deterministic=True)
    return f"typed {message.DESCRIPTOR.full_name} {told_payload(data)}"


def bound(socket):
    """Where a socket is bound, as others connect to it."""
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0").replace("0.0.0.0", "127.0.0.1")


class Handle:
    """An object of dividere.messaging, and that of dividere.connection in it."""

    def __init__(self, outer, inner):
        self.outer = outer
        self.inner = inner
        # What came with the message received last: its route, or nothing.
        self.route = None

    def wait(self):
        if not self.inner.wait(LIMIT_MS):
            raise Refused("TIMEOUT", "nothing arrived")

    def send(self, words):
        if words[0] == "bytes":
            self.inner.send(payload_of(words[1]))
        else:
            self.outer.send(typed(words))

    def recv(self):
        self.wait()
        received = self.outer.recv()
        self.route = None
        if isinstance(received, tuple):
            route, received = received
            # A Response answers a dealer with a lone empty frame in front.
            self.route = route if route != [b""] else None
        return told(received) + (" routed" if self.route else "")

    def recv_bytes(self):
        self.wait()
        received = self.inner.recv()
        if isinstance(received, tuple):
            received = received[1]
        return "bytes " + told_payload(received)

    def reply(self, words):
        self.outer.send((self.route, typed(words)) if self.route else typed(words))


def typed(words):
    message = class_of(words[1])()
    message.ParseFromString(payload_of(words[2]))
    return message


class Reactor:
    """An MtMsgReactor: its handlers record each message, and may send it back."""

    def __init__(self):
        self.handlers = {}
        self.sources = []
        self.records = queue.Queue()
        self.running = None

    def on(self, type_name, action):
        def handle(_reactor, source, *received):
            message = received[-1]
            self.records.put(told(message))
            if action == ["echo"]:
                source.send(received if len(received) > 1 else message)

        self.handlers["handle" + type_name.split(".")[-1]] = handle

    def start(self):
        kind = type("MatrixReactor", (messaging.MtMsgReactor,), self.handlers)
        self.running = kind(list(self.sources))

    def stop(self):
        if self.running:
            # As its handler of the shutdown message does; `stop` itself takes more than a second.
            self.running.done_ = True
            self.running.tid_.join()


class Peer:
    def __init__(self):
        self.handles = {}
        self.reactors = {}
        self.proxies = {}

    def obey(self, words):
        verb, rest = words[0], words[1:]
        return getattr(self, "do_" + verb)(*rest) or "ok"

    def do_hello(self):
        return f"ok py22 2.2.0 pyzmq {zmq.__version__} libzmq {zmq.zmq_version()}"

    def do_new(self, kind, name, *arguments):
        return getattr(self, "new_" + kind)(name, *arguments)

    def keep(self, name, outer, inner):
        self.handles[name] = Handle(outer, inner)
        return "ok " + bound(inner.socket_)

    def new_publisher(self, name, endpoint):
        outer = messaging.Publisher(endpoint.lstrip("@"))
        return self.keep(name, outer, outer.pub_)

    def new_subscriber(self, name, endpoints, kind, *wanted):
        # It connects to one; the socket below takes more.
        endpoint, *more = [e.lstrip(">") for e in endpoints.split(",")]
        if kind == "prefix":
            outer = None
            inner = connection.Subscriber(endpoint, payload_of(wanted[0]).decode())
        else:
            outer = messaging.Subscriber(endpoint, [class_of(w)() for w in wanted])
            inner = outer.sub_
        for other in more:
            inner.socket_.connect(other)
        return self.keep(name, outer, inner)

    def new_request(self, name, endpoints):
        outer = messaging.Request([e.lstrip(">") for e in endpoints.split(",")])
        return self.keep(name, outer, outer.sock_)

    def new_response(self, name, endpoint):
        outer = messaging.Response(with_star(endpoint))
        return self.keep(name, outer, outer.sock_)

    def new_dealer(self, name, endpoint):
        outer = messaging.Dealer(with_star(endpoint))
        return self.keep(name, outer, outer.sock_)

    def new_proxy(self, name, _kind, _front, _back):
        proxy = connection.Proxy(0, 0)
        self.proxies[name] = proxy
        return f"ok {bound(proxy.socket_)} {bound(proxy.backend)}"

    def new_reactor(self, name):
        self.reactors[name] = Reactor()

    def do_reset(self):
        for reactor in self.reactors.values():
            reactor.stop()
        # Proxies notice within a second that they shall stop; this process does not wait for that.
        for proxy in self.proxies.values():
            proxy.done_ = True
            RETIRED.append(proxy)
        self.__init__()
        gc.collect()

    def do_send(self, name, *message):
        self.handles[name].send(message)

    def do_send_empty(self, name, *message):
        self.handles[name].outer.sendWithEmptyFrame(typed(message))

    def do_recv(self, name):
        return self.handles[name].recv()

    def do_recv_bytes(self, name):
        return self.handles[name].recv_bytes()

    def do_reply(self, name, *message):
        self.handles[name].reply(message)

    do_send_routed = do_reply

    def do_call(self, name, *message):
        self.handles[name].send(message)
        return self.handles[name].recv()

    def do_connected(self, _name, _peers):
        # It sends to each of its endpoints in turn from the start, connected or not.
        pass

    def do_subscribe(self, name, type_name):
        topic = messaging.Subscriber.topicId(class_of(type_name)())
        self.handles[name].inner.subscribe(topic)

    def do_burst(self, name, count):
        reading = class_of("acme.telemetry.v1.Reading")
        for number in range(int(count)):
            self.handles[name].outer.send(reading(sensor=f"{number:06}"))

    def do_expect(self, name, count):
        reading = class_of("acme.telemetry.v1.Reading")
        for number in range(int(count)):
            self.handles[name].wait()
            received = self.handles[name].outer.recv()
            if received != reading(sensor=f"{number:06}"):
                return f"bad message {number} is {told(received)}"
        return "ok " + count

    def do_on(self, name, type_name, *action):
        self.reactors[name].on(type_name, list(action))

    def do_add(self, name, source):
        self.reactors[name].sources.append(self.handles[source].outer)

    def do_start(self, name):
        self.reactors[name].start()

    def do_taken(self, name):
        try:
            return self.reactors[name].records.get(timeout=LIMIT_MS / 1000)
        except queue.Empty:
            raise Refused("TIMEOUT", "the reactor was given nothing") from None


# Proxies that are stopping.
RETIRED = []


def with_star(endpoint):
    """A Response binds where there is a `*:` in the endpoint, a Dealer where there is a `*`."""
    if endpoint.startswith("@tcp://"):
        # No way to say 127.0.0.1 here.
        return "tcp://*:*"
    if endpoint.startswith("@"):
        return endpoint[1:] + "*:"
    return endpoint.lstrip(">")


def status_of(error):
    if isinstance(error, Refused):
        return error.args
    if isinstance(error, google.protobuf.message.DecodeError):
        return "DECODE", error
    if isinstance(error, KeyError) and "find message" in str(error):
        return "UNKNOWN_TYPE", error
    if isinstance(error, zmq.ZMQError) and error.errno == zmq.EFSM:
        return "STATE", error
    return "INTERNAL", f"{type(error).__name__}: {error}"


def main():
    sys.path.insert(0, sys.argv[1])
    import matrix_pb2  # noqa: F401
    import telemetry_pb2  # noqa: F401

    # Its destructors join threads, which hangs where the collector calls them while a thread is being
    # started: it is called where that does no harm.
    gc.disable()
    peer = Peer()
    for line in sys.stdin:
        # Says on stderr where it hangs, before the driver gives it up.
        faulthandler.dump_traceback_later(LIMIT_MS / 1000 + 5)
        try:
            answer = peer.obey(line.split())
        except Exception as error:  # Whatever 2.2.0 raises is its answer.
            status, why = status_of(error)
            answer = f"error {status} # " + str(why).replace("\n", " ")
        print(answer, flush=True)
    # Without waiting for its threads.
    os._exit(0)


if __name__ == "__main__":
    main()
