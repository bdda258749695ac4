"""The peer of the matrix that is the Python binding.

It does what each line of its input says with the classes of dividere.messaging, or, for bytes, of
dividere.connection below them, and answers each with one line.
"""

import gc
import queue
import sys
import zlib

import dividere
from dividere import connection, messaging, registry, service
from google.protobuf import descriptor_pool, message_factory

# Where only a failure would wait so long.
LIMIT = 20
LONGEST_TOLD = 64


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
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(type_name))


def typed(words):
    return class_of(words[1]).FromString(payload_of(words[2]))


def told(message):
    data = message.SerializeToString(deterministic=True)
    return f"typed {message.DESCRIPTOR.full_name} {told_payload(data)}"


class Handle:
    """An object of dividere.messaging, and that of dividere.connection in it."""

    def __init__(self, outer, inner):
        self.outer, self.inner = outer, inner
        # What came with the message received last: its route, or nothing.
        self.route = None

    def send(self, words):
        if words[0] == "bytes":
            self.inner.send(payload_of(words[1]))
        else:
            self.outer.send(typed(words))

    def took(self, received):
        self.route = None
        if isinstance(received, tuple):
            route, received = received
            # A response answers a dealer with a lone empty frame in front.
            self.route = route if route != [b""] else None
        return received

    def recv(self):
        received = self.took(self.outer.recv(timeout=LIMIT))
        return told(received) + (" routed" if self.route else "")

    def recv_bytes(self):
        received = self.took(self.inner.recv(timeout=LIMIT))
        return "bytes " + told_payload(received) + (" routed" if self.route else "")

    def reply(self, words):
        message = payload_of(words[1]) if words[0] == "bytes" else typed(words)
        sender = self.inner if words[0] == "bytes" else self.outer
        sender.send((self.route, message) if self.route else message)


class Reactor:
    """A MsgReactor: its handlers record each message, and may send it back."""

    def __init__(self):
        self.handlers, self.sources = {}, []
        self.records = queue.Queue()
        self.running = None

    def on(self, type_name, action):
        def handle(_reactor, source, *received):
            message = received[-1]
            self.records.put(told(message))
            if action == ["echo"]:
                source.send(received if len(received) > 1 else message)
            elif action[0] == "fail":
                raise RuntimeError(" ".join(action[1:]))

        self.handlers["handle" + type_name.split(".")[-1]] = handle

    def start(self):
        self.running = type("MatrixReactor", (messaging.MsgReactor,), self.handlers)(list(self.sources))

    def stop(self):
        if self.running:
            self.running.stop()


class Registry(registry.ServiceRegistry.Server):
    """At a free port."""

    port = subPort = 0


class Echo(service.Service):
    """Answers each request with the same, whatever its type."""

    def __getattr__(self, name):
        if not name.startswith("handle"):
            raise AttributeError(name)
        return self.send


class Queueing(messaging.LoadBalancingPattern.Server.ServerMsgReactor):
    """Hands what a broker hands it to another thread, which answers."""

    def __init__(self, endpoint):
        self.requests = queue.Queue()
        super().__init__([messaging.Dealer(endpoint)])

    def __getattr__(self, name):
        if not name.startswith("handle"):
            raise AttributeError(name)
        return lambda dealer, route, message: self.requests.put((dealer, route, message))


class Worker:
    """A server of a broker, for `recv` and `reply`."""

    def __init__(self, endpoint):
        self.serving = Queueing(endpoint)
        self.asked = None

    def recv(self):
        self.asked = self.serving.requests.get(timeout=LIMIT)
        return told(self.asked[-1])

    def reply(self, words):
        dealer, route, _ = self.asked
        dealer.send((route, typed(words)))

    def stop(self):
        self.serving.stop()


class Peer:
    def __init__(self):
        self.handles, self.reactors, self.proxies = {}, {}, {}
        # What is stopped in this order.
        self.callers, self.serving, self.brokers = {}, [], []

    def obey(self, words):
        return getattr(self, "do_" + words[0])(*words[1:]) or "ok"

    def do_hello(self):
        return f"ok python {dividere.version()} on {sys.version.split()[0]}"

    def do_new(self, kind, name, *arguments):
        return getattr(self, "new_" + kind)(name, *arguments)

    def keep(self, name, outer, inner):
        self.handles[name] = Handle(outer, inner)
        try:
            return "ok " + inner.last_endpoint
        except dividere.NotFound:
            return "ok -"

    def new_publisher(self, name, endpoint):
        outer = messaging.Publisher(endpoint)
        return self.keep(name, outer, outer.pub_)

    def new_subscriber(self, name, endpoints, kind, *wanted):
        if kind == "prefix":
            inner = connection.Subscriber(endpoints, payload_of(wanted[0]))
            return self.keep(name, inner, inner)
        outer = messaging.Subscriber(endpoints, wanted)
        if kind == "types" and not wanted:
            # An empty list means everything here, as in 2.2.0.
            outer.sub_.unsubscribe("")
        return self.keep(name, outer, outer.sub_)

    def _two_way(self, kind, name, endpoints):
        outer = kind(endpoints.split(","))
        return self.keep(name, outer, outer.sock_)

    def new_request(self, name, endpoints):
        return self._two_way(messaging.Request, name, endpoints)

    def new_response(self, name, endpoints):
        return self._two_way(messaging.Response, name, endpoints)

    def new_dealer(self, name, endpoints):
        return self._two_way(messaging.Dealer, name, endpoints)

    def new_proxy(self, name, kind, front, back):
        proxy = connection.Proxy(front, back, kind=dividere.ProxyKind[kind.upper()])
        self.proxies[name] = proxy
        ends = []
        for end in (proxy.socket_, proxy.backend):
            try:
                ends.append(end.last_endpoint.decode())
            except dividere.NotFound:
                ends.append("-")
        return "ok " + " ".join(ends)

    def new_caller(self, name, registry, known_as):
        self.callers[name] = service.ServiceClient(known_as, registry)

    def new_registry(self, name, endpoint):
        made = Registry()
        self.brokers.append(made)
        return "ok " + made.last_endpoint.replace("[::]", "127.0.0.1")

    def new_service(self, name, registry_at, known_as):
        # A service is known by the module and the name of its class, and looks for the registry at this port.
        registry.ServiceRegistry.Server.port = int(registry_at.rpartition(":")[2])
        module, _, kind = known_as.rpartition(".")
        self.serving.append(type(kind, (Echo,), {"__module__": module})())

    def new_worker(self, name, endpoint):
        self.handles[name] = Worker(endpoint)
        self.serving.append(self.handles[name])
        return "ok -"

    def new_broker(self, name, front, back):
        broker = messaging.LoadBalancingPattern.Broker(front, back)
        self.brokers.append(broker)
        return f"ok {broker.frontend.last_endpoint.decode()} {broker.backend.last_endpoint.decode()}"

    def new_reactor(self, name):
        self.reactors[name] = Reactor()

    def do_reset(self):
        for reactor in self.reactors.values():
            reactor.stop()
        for caller in self.callers.values():
            caller.close()
        for one in self.serving:
            one.stop()
            if isinstance(one, Echo):
                # Its name is taken out of the registry.
                one.tid_.join()
        for one in [*self.proxies.values(), *self.brokers]:
            one.stop()
        self.__init__()
        gc.collect()

    def do_send(self, name, *message):
        self.handles[name].send(message)

    def do_send_empty(self, name, *message):
        handle = self.handles[name]
        if message[0] == "bytes":
            handle.inner.sendWithEmptyFrame(payload_of(message[1]))
        else:
            handle.outer.sendWithEmptyFrame(typed(message))

    def do_recv(self, name):
        return self.handles[name].recv()

    def do_recv_bytes(self, name):
        return self.handles[name].recv_bytes()

    def do_reply(self, name, *message):
        self.handles[name].reply(message)

    do_send_routed = do_reply

    def do_reply_error(self, name, status, *words):
        self.handles[name].outer.send_error(" ".join(words), dividere.Status[status])

    def do_call(self, name, *message):
        if name in self.callers:
            return told(self.callers[name].call(typed(message), timeout=LIMIT, repeat=True))
        return told(self.handles[name].outer.call(typed(message), timeout=LIMIT))

    def do_call_again(self, name, ms, retries, *message):
        return told(
            self.handles[name].outer.call(typed(message), timeout=int(ms) / 1000, retries=int(retries))
        )

    def do_connected(self, name, peers):
        self.handles[name].inner.wait_connected(int(peers), timeout=LIMIT)

    def do_subscribe(self, name, type_name):
        self.handles[name].inner.subscribe_type(type_name)

    def do_unsubscribe(self, name, type_name):
        self.handles[name].inner.unsubscribe_type(type_name)

    def do_subscribe_prefix(self, name, payload):
        self.handles[name].inner.subscribe(payload_of(payload))

    def do_unsubscribe_prefix(self, name, payload):
        self.handles[name].inner.unsubscribe(payload_of(payload))

    def do_subscribers(self, name, type_name, count):
        wanted = None if type_name == "-" else type_name
        self.handles[name].outer.wait_for_subscribers(int(count), wanted, timeout=LIMIT)

    def do_burst(self, name, count):
        reading = class_of("acme.telemetry.v1.Reading")
        for number in range(int(count)):
            self.handles[name].outer.send(reading(sensor=f"{number:06}"))

    def do_expect(self, name, count):
        reading = class_of("acme.telemetry.v1.Reading")
        received = []
        while len(received) < int(count):
            received += self.handles[name].outer.recv_many(int(count) - len(received), timeout=LIMIT)
        for number, message in enumerate(received):
            if message != reading(sensor=f"{number:06}"):
                return f"bad message {number} is {message!r}"
        return "ok " + count

    def do_on(self, name, type_name, *action):
        self.reactors[name].on(type_name, list(action))

    def do_add(self, name, source):
        self.reactors[name].sources.append(self.handles[source].outer)

    def do_start(self, name):
        self.reactors[name].start()

    def do_taken(self, name):
        try:
            return self.reactors[name].records.get(timeout=LIMIT)
        except queue.Empty:
            raise dividere.TimedOut("the reactor was given nothing") from None


def main():
    sys.path.insert(0, sys.argv[1])
    import matrix_pb2  # noqa: F401
    import telemetry_pb2  # noqa: F401

    peer = Peer()
    for line in sys.stdin:
        try:
            answer = peer.obey(line.split())
        except dividere.Error as error:
            name = dividere.Status(error.status).name
            answer = f"error {name} # " + str(error).replace("\n", " ")
        except Exception as error:
            answer = f"error INTERNAL # {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


if __name__ == "__main__":
    main()
