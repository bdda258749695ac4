"""One side of a benchmark: sends or receives typed messages with one of three libraries.

    peer.py LIBRARY ROLE ENDPOINT SIZE COUNT       LIBRARY: dividere (whichever is installed), by-hand

`by-hand` is what a user writes without any envelope: pyzmq, `send(m.SerializeToString())` and
`M.FromString(recv())`. A role that binds prints its endpoint first. For sending and receiving the seconds of
processor time that the thread took for all messages are printed, which whatever else the machine does leaves
alone; for a call the median of the seconds that passed.
"""

import sys
import time

import payload_pb2

HIGH_WATER_MARK = 0


def message_of(size):
    """A message whose serialised form has that size."""
    message = payload_pb2.Payload()
    message.body = b"x" * max(0, size - 2)
    while message.ByteSize() > size:
        message.body = message.body[:-1]
    return message


class Dividere:
    """Version 2.2.0 or ours: the programs are the same, but for what 2.2.0 cannot do."""

    def __init__(self):
        from dividere import connection, messaging

        self.messaging = messaging
        self.ours = hasattr(connection, "poll")
        # As libzmq's default, so that neither loses messages: no limit.
        if self.ours:
            import dividere

            self.options = {
                "options": dividere.Options(
                    send_high_water_mark=HIGH_WATER_MARK, receive_high_water_mark=HIGH_WATER_MARK
                )
            }
        else:
            self.options = {}
            self._unlimited(connection)

    @staticmethod
    def _unlimited(connection):
        """2.2.0 takes no options: its sockets are made without a limit from here on."""
        import zmq

        class Context(zmq.Context):
            def socket(self, *arguments):
                made = super().socket(*arguments)
                made.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
                made.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
                return made

        connection.zmq.Context = Context

    def publisher(self, endpoint):
        made = self.messaging.Publisher(endpoint, **self.options)
        return made, made.send, bound(made.pub_.socket_.last_endpoint)

    def subscriber(self, endpoint):
        made = self.messaging.Subscriber(endpoint, **self.options)
        return made, made.recv, made.wait

    def request(self, endpoint):
        made = self.messaging.Request(endpoint)

        def call(message):
            made.send(message)
            return made.recv()

        return made, call

    def response(self, endpoint):
        made = self.messaging.Response(endpoint)
        return made, made.recv, made.send, bound(made.sock_.socket_.last_endpoint)


class ByHand:
    """pyzmq without an envelope."""

    ours = False

    def __init__(self):
        import zmq

        self.zmq, self.context = zmq, zmq.Context()

    def _socket(self, kind):
        made = self.context.socket(kind)
        made.setsockopt(self.zmq.SNDHWM, HIGH_WATER_MARK)
        made.setsockopt(self.zmq.RCVHWM, HIGH_WATER_MARK)
        made.setsockopt(self.zmq.LINGER, 1000)
        return made

    def publisher(self, endpoint):
        made = self._socket(self.zmq.PUB)
        made.bind(endpoint)
        return made, lambda message: made.send(message.SerializeToString()), bound(made.last_endpoint)

    def subscriber(self, endpoint):
        made = self._socket(self.zmq.SUB)
        made.setsockopt(self.zmq.SUBSCRIBE, b"")
        made.connect(endpoint)
        parse, recv = payload_pb2.Payload.FromString, made.recv
        return made, lambda: parse(recv()), lambda ms: made.poll(ms)

    def request(self, endpoint):
        made = self._socket(self.zmq.REQ)
        made.connect(endpoint)
        parse = payload_pb2.Payload.FromString

        def call(message):
            made.send(message.SerializeToString())
            return parse(made.recv())

        return made, call

    def response(self, endpoint):
        made = self._socket(self.zmq.REP)
        made.bind(endpoint)
        parse = payload_pb2.Payload.FromString
        return (
            made,
            lambda: parse(made.recv()),
            lambda message: made.send(message.SerializeToString()),
            bound(made.last_endpoint),
        )


def bound(endpoint):
    text = endpoint.decode() if isinstance(endpoint, bytes) else endpoint
    return text.replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1")


def publish(library, endpoint, size, count):
    """Sends after a line on stdin says that the other side is there."""
    _keep, send, at = library.publisher(endpoint)
    print(at, flush=True)
    message = message_of(size)
    while True:
        word = sys.stdin.readline().strip()
        if word == "warm":
            # Until the subscription is there.
            send(message)
            print("sent", flush=True)
        else:
            break
    began = time.thread_time()
    for _ in range(count):
        send(message)
    print(time.thread_time() - began, flush=True)
    sys.stdin.readline()


def subscribe(library, endpoint, size, count, how="recv"):
    keep, recv, wait = library.subscriber(endpoint)
    print("made", flush=True)
    while not wait(10):
        print("nothing", flush=True)
    print("there", flush=True)
    # The warm-up ones, until there is nothing more.
    while wait(200):
        recv()
    print("empty", flush=True)
    # What is measured is the receiver alone: everything waits for it already.
    sys.stdin.readline()
    began = time.thread_time()
    if how == "recv":
        for _ in range(count):
            recv()
    elif how == "wait":
        for _ in range(count):
            wait(1000)
            recv()
    else:
        received = 0
        while received < count:
            received += len(keep.recv_many())
    print(time.thread_time() - began, flush=True)


def respond(library, endpoint, size, count):
    _keep, recv, send, at = library.response(endpoint)
    print(at, flush=True)
    for _ in range(count):
        send(recv())
    sys.stdin.readline()


def ask(library, endpoint, size, count, how="turns"):
    keep, call = library.request(endpoint)
    if how == "call":
        call = keep.call
    message = message_of(size)
    for _ in range(count // 10):
        call(message)
    times = []
    for _ in range(count - count // 10):
        began = time.perf_counter()
        call(message)
        times.append(time.perf_counter() - began)
    times.sort()
    print(times[len(times) // 2], flush=True)


ROLES = {"publish": publish, "subscribe": subscribe, "respond": respond, "ask": ask}


def main():
    library, role, endpoint, size, count, *more = sys.argv[1:]
    made = ByHand() if library == "by-hand" else Dividere()
    ROLES[role](made, endpoint, int(size), int(count), *more)


if __name__ == "__main__":
    main()
