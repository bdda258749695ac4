"""Load balancing at both levels, with servers and clients of 2.2.0 among ours."""

import logging
import threading
import time
from functools import partial

import clientMsgs_pb2 as clientMsgs
import dividere
import pytest
from conftest import LIMIT
from dividere import connection, messaging

Msg01 = clientMsgs.Msg01
ROUTER = 6


def ends(broker):
    return [
        end.last_endpoint.decode().replace("[::]", "127.0.0.1") for end in (broker.frontend, broker.backend)
    ]


class Worker(connection.LoadBalancingPattern.Worker):
    def handletuple(self, msg):
        if msg[1] == b"fail":
            raise ValueError("a handler's fault")
        return msg[1][::-1]


def test_bytes_are_served_by_workers_that_are_there():
    with connection.LoadBalancingPattern.Broker(ROUTER, 0, ROUTER, 0) as broker:
        front, back = ends(broker)
        workers = [Worker(back) for _ in range(3)]
        broker.wait_workers(3, timeout=LIMIT)
        client = connection.LoadBalancingPattern.Client([front])
        for i in range(20):
            client.send(b"%d!" % i)
            assert client.recv(1000 * LIMIT) == (b"%d!" % i)[::-1]
        assert broker.statistics().workers == 3 and broker.statistics().served == 20
        for side in (broker.frontend, broker.backend):
            events = [side.recv_event(timeout=LIMIT) for _ in range(2)]
            assert [one.kind for one in events] == [dividere.EventKind.LISTENING, dividere.EventKind.ACCEPTED]
            assert events[0].endpoint == side.last_endpoint.decode()
        assert front.rpartition(":")[2] in repr(broker) and "running" in repr(workers[0])
        for worker in workers:
            worker.stop()
            assert not worker.tid_.is_alive() and "stopped" in repr(worker)
    assert "stopped" in repr(broker)
    with pytest.raises(ValueError):
        connection.LoadBalancingPattern.Broker(5, 0, ROUTER, 0)


class Heard(logging.Handler):
    """Tells that something was logged."""

    def __init__(self):
        super().__init__()
        self.something = threading.Event()

    def emit(self, record):
        self.something.set()


def test_a_handler_of_a_worker_that_fails_is_logged_and_ends_nothing(caplog):
    heard = Heard()
    connection.logger.addHandler(heard)
    with connection.LoadBalancingPattern.Broker(ROUTER, 0, ROUTER, 0) as broker:
        front, back = ends(broker)
        with Worker(back) as worker, connection.LoadBalancingPattern.Client(front) as client:
            broker.wait_workers(1, timeout=LIMIT)
            # Asked once: each time would be another worker that owes an answer.
            client.MaxRetry = 0
            client.send(b"fail")
            assert heard.something.wait(LIMIT)
            connection.logger.removeHandler(heard)
            assert client.recv(50) is None
            (failed, *_) = [record for record in caplog.records if record.exc_info]
            assert str(failed.exc_info[1]) == "a handler's fault" and failed.name == "dividere.connection"
            assert worker.tid_.is_alive()
            # The worker is one that owes an answer, which the broker takes for busy: another one tells.
            with Worker(back):
                broker.wait_workers(2, timeout=LIMIT)
                client.send(b"ab")
                assert client.recv(timeout=LIMIT) == b"ba"
        assert not worker.tid_.is_alive()
        with pytest.raises(dividere.Closed):
            client.send(b"x")


def test_a_broker_says_where_it_is_bound_as_2_2_0_does():
    port = connection.PortManager.acquire()
    with connection.LoadBalancingPattern.Broker(ROUTER, port, ROUTER, 0) as broker:
        assert broker.frontEnd_ == {"sockType": ROUTER, "endPt": f"tcp://*:{port}"}
        assert broker.backEnd_["endPt"] == broker.backend.last_endpoint.decode()


@pytest.mark.parametrize("level", [connection, messaging])
def test_workers_and_clients_have_keys(level):
    server, client = dividere.curve_keypair(), dividere.curve_keypair()
    mine = dividere.Options(curve_server_secret_key=server.secret, curve_allowed_key=client.public)
    theirs = dividere.Options(curve_client_secret_key=client.secret, curve_server_public_key=server.public)
    types = (ROUTER, ROUTER) if level is connection else ()
    arguments = [0, 0] if not types else [ROUTER, 0, ROUTER, 0]
    with level.LoadBalancingPattern.Broker(*arguments, options=mine) as broker:
        front, back = ends(broker)
        if level is connection:
            serving = Worker(back, options=theirs)
            client, message, answer = level.LoadBalancingPattern.Client(front, options=theirs), b"ab", b"ba"
        else:
            serving = Pattern.Server(back, mh=Reverse([messaging.Dealer(back, options=theirs)]))
            client = Pattern.Client(front, retryTimeOutMs=1000 * LIMIT, options=theirs)
            message, answer = Msg01(field1="ab"), Msg01(field1="ba")
        with serving, client:
            broker.wait_workers(1, timeout=LIMIT)
            client.send(message)
            assert (client.recv(timeout=LIMIT) if level is connection else client.recv()) == answer
            assert "127.0.0.1" in repr(client) and "running" in repr(serving)


Pattern = messaging.LoadBalancingPattern


class Reverse(Pattern.Server.ServerMsgReactor):
    def handleMsg01(self, obj, id, msg):
        obj.send((id, Msg01(field1=msg.field1[::-1])))


def test_messages_are_served_and_asked_again():
    with Pattern.Broker(0, 0) as broker:
        front, back = ends(broker)
        client = Pattern.Client(front, maxRetries=1, retryTimeOutMs=50)
        client.send(Msg01(field1="nobody there"))
        assert client.recv() is None and client.retryCount_ == 1
        client = Pattern.Client(front, retryTimeOutMs=1000 * LIMIT)
        with Pattern.Server(back, mh=Reverse([messaging.Dealer(back)])):
            broker.wait_workers(1, timeout=LIMIT)
            for i in range(20):
                client.send(Msg01(field1=f"{i}!"))
                assert client.recv().field1 == f"{i}!"[::-1]


def test_a_broker_that_is_started_anew_gets_its_servers_back(monkeypatch):
    monkeypatch.setattr(Pattern.Broker, "HeartbeatRate", 0.2)
    broker = Pattern.Broker(0, 0)
    back = ends(broker)[1]
    with Pattern.Server(back, mh=Reverse([messaging.Dealer(back)])):
        broker.wait_workers(1, timeout=LIMIT)
        broker.stop()
        with Pattern.Broker(0, int(back.rpartition(":")[2])) as again:
            again.wait_workers(1, timeout=LIMIT)
            client = Pattern.Client(ends(again)[0], retryTimeOutMs=1000 * LIMIT)
            client.send(Msg01(field1="ab"))
            assert client.recv().field1 == "ba"


@pytest.mark.parametrize("level", ["bytes", "messages"])
def test_a_client_outlives_its_broker(level):
    if level == "bytes":
        client_of, message, milliseconds = connection.LoadBalancingPattern.Client, b"ab", (200,)
    else:
        client_of = partial(Pattern.Client, maxRetries=2, retryTimeOutMs=200)
        message, milliseconds = Msg01(field1="ab"), ()
    # A peer that takes the request and goes away with its connection, as a broker that is killed.
    killed = connection.Dealer("tcp://127.0.0.1:*")
    client = client_of(killed.last_endpoint)
    client.send(message)
    assert killed.recv(timeout=LIMIT)
    killed.close()
    began = time.monotonic()
    assert client.recv(*milliseconds) is None
    # Not the send timeout, of 10 s, for each attempt.
    assert time.monotonic() - began < 5


def test_a_client_asks_again_where_its_server_died():
    response = messaging.Response("tcp://127.0.0.1:*")

    def serve():
        for level in ("messages", "bytes"):
            assert response.recv(timeout=LIMIT) == Msg01(field1=level)
            response.send_error("the worker died", dividere.Status.UNREACHABLE)
            response.send(response.recv(timeout=LIMIT))

    server = threading.Thread(target=serve)
    server.start()
    client = Pattern.Client(response.last_endpoint, maxRetries=1, retryTimeOutMs=1000 * LIMIT)
    client.send(Msg01(field1="messages"))
    assert client.recv() == Msg01(field1="messages") and client.retryCount_ == 1
    client = connection.LoadBalancingPattern.Client(response.last_endpoint)
    asked = messaging.ProtoBuffEncoder().encode(Msg01(field1="bytes")).SerializeToString()
    client.send(asked)
    assert client.recv(1000 * LIMIT) == asked
    server.join(LIMIT)
    assert not server.is_alive()


OLD_SERVER = """
import sys, os
from dividere import messaging
import clientMsgs_pb2
class Old(messaging.LoadBalancingPattern.Server.ServerMsgReactor):
    def handleMsg01(self, obj, id, msg):
        obj.send((id, clientMsgs_pb2.Msg01(field1="old " + msg.field1)))
server = messaging.LoadBalancingPattern.Server(sys.argv[1], mh=Old([messaging.Dealer(sys.argv[1])]))
sys.stdin.readline()
os._exit(0)
"""

OLD_CLIENT = """
import sys, os
from dividere import messaging
import clientMsgs_pb2
client = messaging.LoadBalancingPattern.Client(sys.argv[1])
client.send(clientMsgs_pb2.Msg01(field1="ab"))
print(client.recv().field1, flush=True)
os._exit(0)
"""


def test_servers_and_clients_of_2_2_0_work_with_ours(run, python22):
    with Pattern.Broker(0, 0) as broker:
        front, back = ends(broker)
        run(OLD_SERVER, back, python=python22)
        broker.wait_workers(1, timeout=LIMIT)
        client = Pattern.Client(front, retryTimeOutMs=1000 * LIMIT)
        client.send(Msg01(field1="x"))
        assert client.recv().field1 == "old x"
    with Pattern.Broker(0, 0) as broker:
        front, back = ends(broker)
        with Pattern.Server(back, mh=Reverse([messaging.Dealer(back)])):
            broker.wait_workers(1, timeout=LIMIT)
            assert run(OLD_CLIENT, front, python=python22).line() == "ba"


def test_stopping_a_worker_in_its_handler_does_not_wait_for_itself():
    stopped = threading.Event()

    class Stopping(connection.LoadBalancingPattern.Worker):
        def handletuple(self, msg):
            self.stop()
            stopped.set()

    with connection.LoadBalancingPattern.Broker(ROUTER, 0, ROUTER, 0) as broker:
        front, back = ends(broker)
        worker = Stopping(back)
        broker.wait_workers(1, timeout=LIMIT)
        client = connection.LoadBalancingPattern.Client([front])
        client.send(b"x")
        assert stopped.wait(LIMIT)
        worker.tid_.join(LIMIT)
        assert not worker.tid_.is_alive()
