"""A broker, a worker or a client of the real Python dividere 2.2.0, as a process of its own.

balancing_py22.py broker LEVEL FRONT_PORT BACK_PORT
balancing_py22.py worker LEVEL ENDPOINT [WORK_S]
balancing_py22.py client LEVEL ENDPOINT TIMEOUT_MS

LEVEL is bytes (dividere.connection) or typed (dividere.messaging). Prints "ready". A client asks once for
each line of its input, and prints what it came to.
"""

import os
import sys
import time

import zmq
from dividere import MsgLib, connection, messaging

# The time of 2.2.0 is 3 s; the tests do not wait that long.
HEARTBEAT_S = 0.5


def say(text):
    print(text, flush=True)


def broker(level, front, back):
    if level == "bytes":
        of = connection.LoadBalancingPattern.Broker
        of.HeartbeatRate = HEARTBEAT_S
        made = of(zmq.ROUTER, int(front), zmq.ROUTER, int(back))
    else:
        of = messaging.LoadBalancingPattern.Broker
        of.HeartbeatRate = HEARTBEAT_S
        made = of(int(front), int(back))
    say("ready")
    for line in sys.stdin:
        # How many workers it knows.
        assert line.strip() == "workers"
        say(len(made.queue_))


class BytesWorker(connection.LoadBalancingPattern.Worker):
    """Its own loop: that of 2.2.0 ends at the first request, by formatting it for its log, and would
    have no way to answer it."""

    work_s = 0.0

    def run(self, endpoint):
        of = connection.LoadBalancingPattern.Broker
        dealer = connection.Dealer(endpoint)
        dealer.send(of.ServerRegisterMsg)
        while not self.done_:
            if not dealer.wait(1000):
                continue
            message = dealer.recv()
            if message == of.HeartbeatMsg:
                dealer.send(message)
            else:
                time.sleep(self.work_s)
                dealer.send(message)


class TypedWorker(messaging.LoadBalancingPattern.Server.ServerMsgReactor):
    work_s = 0.0
    # 2.2.0 sets it after it has started the thread that reads it.
    hbExpireTime_ = messaging.datetime.datetime.max

    def handleServiceLookupReq(self, sock, route, message):
        time.sleep(self.work_s)
        sock.send((route, message))


def worker(level, endpoint, work_s="0"):
    messaging.LoadBalancingPattern.Broker.HeartbeatRate = HEARTBEAT_S
    if level == "bytes":
        BytesWorker.work_s = float(work_s)
        kept = BytesWorker(endpoint)
    else:
        TypedWorker.work_s = float(work_s)
        kept = messaging.LoadBalancingPattern.Server(endpoint, TypedWorker([messaging.Dealer(endpoint)]))
    say("ready")
    sys.stdin.read()
    del kept


def client(level, endpoint, timeout_ms):
    say("ready")
    timeout = int(timeout_ms)
    if level == "bytes":
        asked = connection.LoadBalancingPattern.Client(endpoint)
    else:
        asked = messaging.LoadBalancingPattern.Client(endpoint, retryTimeOutMs=timeout)
    for number, _ in enumerate(sys.stdin):
        name = f"name-{number}"
        question = name.encode() if level == "bytes" else MsgLib.ServiceLookupReq(serviceName=name)
        asked.send(question)
        try:
            answer = asked.recv(timeout) if level == "bytes" else asked.recv()
        except Exception as error:
            say(f"{type(error).__name__} {number}")
            continue
        if answer is None:
            say(f"nothing {number}")
        else:
            say(f"{'answer' if answer == question else 'wrong'} {number}")


if __name__ == "__main__":
    {"broker": broker, "worker": worker, "client": client}[sys.argv[1]](*sys.argv[2:])
    # Its threads do not all end by themselves.
    os._exit(0)
