"""Reactors, of a thread and of a process."""

import logging
import os
import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import messages_pb2
import pytest
from conftest import LIMIT
from dividere import connection, messaging

Reading = messages_pb2.Reading
Msg01, Msg02 = clientMsgs.Msg01, clientMsgs.Msg02


class Echo(messaging.MsgReactor):
    def handleMsg01(self, obj, msg):
        msg.field1 = msg.field1[::-1]
        obj.send(msg)

    def handleReading(self, obj, msg):
        raise ValueError("a handler's fault")


def test_handlers_are_found_by_name_and_failures_end_nothing(caplog):
    response = messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request(response.last_endpoint)
    with Echo([response]) as reactor:
        assert request.call(Msg01(field1="abc"), timeout=LIMIT).field1 == "cba"
        with pytest.raises(dividere.RemoteError, match="a handler's fault"):
            request.call(Reading(), timeout=LIMIT)
        with pytest.raises(dividere.NotFound, match="Msg02"):
            request.call(Msg02(), timeout=LIMIT)
        request.connection.send(b"\xff")
        with pytest.raises(dividere.DecodeError):
            request.recv(timeout=LIMIT)
        assert request.call(Msg01(field1="still there"), timeout=LIMIT).field1 == "ereht llits"
        assert reactor.tid_.is_alive() and "running" in repr(reactor)
    assert not reactor.tid_.is_alive() and "stopped" in repr(reactor)
    failed = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in failed] == ["a handler's fault"]
    assert all(record.name == "dividere.messaging" for record in caplog.records)


def test_several_objects_are_served_and_stop_is_prompt():
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    response = messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request(response.last_endpoint)
    seen = []
    both = threading.Event()

    class Both(Echo):
        def handleMsg02(self, obj, msg):
            seen.append((obj, msg.field1))
            if len(seen) == 100:
                both.set()

    objects = [response, messaging.Subscriber(publisher.last_endpoint)]
    reactor = Both(objects)
    assert reactor.objList_ is objects and objects[0] is response and len(objects) == 3
    publisher.wait_for_subscribers(timeout=LIMIT)
    for i in range(100):
        publisher.send(Msg02(field1=str(i)))
        if i % 10 == 0:
            assert request.call(Msg01(field1="ab"), timeout=LIMIT).field1 == "ba"
    assert both.wait(LIMIT)
    assert seen == [(objects[1], str(i)) for i in range(100)]
    began = time.monotonic()
    reactor.stop()
    # 2.2.0 takes more than a second, since it sleeps.
    assert time.monotonic() - began < 0.9


def test_setting_done_ends_it_and_a_shutdown_event_does():
    response = messaging.Response("tcp://127.0.0.1:*")
    reactor = Echo(response)
    reactor.done_ = True
    reactor.tid_.join(LIMIT)
    assert not reactor.tid_.is_alive()

    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    reactor = Echo([messaging.Subscriber(publisher.last_endpoint)])
    publisher.wait_for_subscribers(timeout=LIMIT)
    publisher.send(dividere.MsgLib.ShutdownEvent())
    reactor.tid_.join(LIMIT)
    assert not reactor.tid_.is_alive() and reactor.done_

    reactor = Echo(messaging.Subscriber(publisher.last_endpoint))
    shutdown = messaging.Publisher(reactor.ipcName_)
    shutdown.wait_for_subscribers(timeout=LIMIT)
    shutdown.send(dividere.MsgLib.ShutdownEvent())
    reactor.tid_.join(LIMIT)
    assert not reactor.tid_.is_alive()


def test_a_routed_message_comes_with_its_route():
    class Worker(messaging.MtMsgReactor):
        def handleMsg01(self, obj, id, msg):
            obj.send((id, Msg02(field1=msg.field1)))

    with connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        with Worker([messaging.Dealer(proxy.backend.last_endpoint.decode())]):
            request = messaging.Request(proxy.last_endpoint)
            assert request.call(Msg01(field1="x"), timeout=LIMIT) == Msg02(field1="x")


def test_a_reply_may_be_sent_later_and_by_another_thread():
    asked = threading.Event()

    class Later(messaging.MsgReactor):
        def handleMsg01(self, obj, msg):
            asked.set()

        def handleMsg02(self, obj, msg):
            obj.send(msg)

    response = messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request(response.last_endpoint)
    with Later([response]) as reactor:
        request.send(Msg01())
        assert asked.wait(LIMIT)
        # The next request is there already, and has to wait.
        second = messaging.Request(response.last_endpoint)
        second.send(Msg02(field1="second"))
        turns = []
        sleep = reactor._watcher.sleep
        reactor._watcher.sleep = lambda *arguments: (turns.append(1), sleep(*arguments))
        reactor._watcher.wake()
        time.sleep(0.2)
        assert len(turns) < 5, "it turns while it waits for the answer"
        response.send(Msg01(field1="later"))
        assert request.recv(timeout=LIMIT).field1 == "later"
        assert second.recv(timeout=LIMIT).field1 == "second"
        assert request.call(Msg02(field1="next"), timeout=LIMIT).field1 == "next"


def test_idle_is_called_and_objects_of_the_programs_own_are_served():
    calls = threading.Semaphore(0)
    served = threading.Event()

    class Own:
        left = 3

        def wait(self, timeOutMs):
            return self.left > 0

        def recv(self):
            self.left -= 1
            return Msg01(field1="own")

    class Idle(messaging.MsgReactor):
        count = 0

        def handleMsg01(self, obj, msg):
            self.count += 1
            if self.count == 3:
                served.set()

        def idle(self):
            calls.release()

    with Idle([Own()]):
        for _ in range(5):
            assert calls.acquire(timeout=LIMIT)
        assert served.wait(LIMIT)


def test_an_idle_reactor_costs_nothing():
    with Echo([messaging.Response("tcp://127.0.0.1:*")]):
        time.sleep(0.1)
        used = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - used < 0.15


def test_stop_in_a_handler_does_not_wait_for_itself():
    class Stopping(messaging.MsgReactor):
        def handleMsg01(self, obj, msg):
            obj.send(msg)
            self.stop()

    response = messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request(response.last_endpoint)
    reactor = Stopping([response])
    request.call(Msg01(), timeout=LIMIT)
    reactor.tid_.join(LIMIT)
    assert not reactor.tid_.is_alive()


class InProcess(messaging.MpMsgReactor):
    def initThread(self):
        self.greeting = f"{os.getpid()}:"

    def handleMsg01(self, obj, msg):
        obj.send(Msg01(field1=self.greeting + msg.field1))

    def handleMsg02(self, obj, msg):
        obj.send(msg)
        self.stop()

    def handleReading(self, obj, msg):
        raise ValueError("in the other process")


def test_a_reactor_in_a_process_of_its_own():
    port = connection.PortManager.acquire()
    reactor = InProcess([f"Response('tcp://*:{port}')", "connection.Subscriber('tcp://127.0.0.1:1')"])
    request = messaging.Request(f"tcp://127.0.0.1:{port}")
    reply = request.call(Msg01(field1="hello"), timeout=LIMIT)
    assert reply.field1 == f"{reactor.tid_.pid}:hello" and reactor.tid_.pid != os.getpid()
    with pytest.raises(dividere.RemoteError):
        request.call(Reading(), timeout=LIMIT)
    reactor.stop()
    assert reactor.tid_.exitcode == 0


class ByName(messaging.MpMsgReactor):
    """Its components name what 2.2.0 evaluates them with: the modules that it imports, and the reactor itself."""

    def __init__(self, port):
        self.endpoint = f"tcp://*:{port}"
        super().__init__(
            ["Response(self.endpoint)", "Subscriber('tcp://127.0.0.1:%d' % min(os.getpid(), 1))"]
        )

    def handleMsg01(self, obj, msg):
        obj.send(Msg01(field1=self.endpoint))


def test_components_name_what_2_2_0_evaluates_them_with():
    port = connection.PortManager.acquire()
    reactor = ByName(port)
    try:
        request = messaging.Request(f"tcp://127.0.0.1:{port}")
        assert request.call(Msg01(), timeout=LIMIT).field1 == f"tcp://*:{port}"
    finally:
        reactor.stop()


STARTED = """
import multiprocessing, os, sys
from dividere import connection, messaging
from clientMsgs_pb2 import Msg01
class Started(messaging.MpMsgReactor):
    greeting = "not set"
    def initThread(self):
        self.greeting = str(os.getpid())
    def handleMsg01(self, obj, msg):
        obj.send(Msg01(field1=self.greeting))
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    port = connection.PortManager.acquire()
    with Started(f"Response('tcp://*:{port}')") as reactor:
        request = messaging.Request(f"tcp://127.0.0.1:{port}")
        assert request.call(Msg01(), timeout=20) == Msg01(field1=str(reactor.tid_.pid))
    assert reactor.tid_.exitcode == 0, reactor.tid_.exitcode
    print("done")
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_is_started_by_each_method(run, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(STARTED)
    start = (
        f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {str(program)!r}, {method!r}]))"
    )
    assert run(start).ends()[0] == "done\n"


def test_a_handler_stops_its_process():
    port = connection.PortManager.acquire()
    reactor = InProcess(f"Response('tcp://*:{port}')")
    request = messaging.Request(f"tcp://127.0.0.1:{port}")
    assert request.call(Msg02(field1="end"), timeout=LIMIT) == Msg02(field1="end")
    reactor.tid_.join(LIMIT)
    assert reactor.tid_.exitcode == 0
    reactor.stop()


def test_stop_ends_also_when_the_process_has_died():
    reactor = InProcess("Response('tcp://127.0.0.1:*')")
    reactor.tid_.kill()
    reactor.stop()
    assert not reactor.tid_.is_alive()


class Reentering(logging.Handler):
    """Uses the library from where its lines arrive."""

    def __init__(self, publisher):
        super().__init__()
        self.publisher, self.done = publisher, threading.Event()

    def emit(self, record):
        if not self.done.is_set():
            self.publisher.send(Reading(sensor="from the log"))
            with messaging.Subscriber(self.publisher.last_endpoint) as another:
                another.statistics()
            # It would lock if one of the library's locks were held.
            self.publisher.recv_event(timeout=0)
            self.publisher.attach("@inproc://from-the-log")
            assert self.publisher.statistics().messages_out == 1 and len(self.publisher.endpoints) == 2
            self.done.set()


def test_who_is_told_of_an_event_may_use_what_it_happened_to():
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    handler = Reentering(publisher)
    before = connection.logger.level
    connection.logger.addHandler(handler)
    connection.logger.setLevel(logging.DEBUG)
    try:
        subscriber = messaging.Subscriber(publisher.last_endpoint)
        assert handler.done.wait(LIMIT)
        publisher.wait_for_subscribers(timeout=LIMIT)
        publisher.send(Reading(sensor="after"))
        while subscriber.recv(timeout=LIMIT).sensor != "after":
            pass
    finally:
        connection.logger.setLevel(before)
        connection.logger.removeHandler(handler)


def test_the_log_has_the_events_of_connections(caplog):
    before = connection.logger.level
    assert before == logging.ERROR
    connection.logger.setLevel(logging.DEBUG)
    try:
        publisher = messaging.Publisher("tcp://127.0.0.1:*")
        subscriber = messaging.Subscriber(publisher.last_endpoint)
        publisher.wait_for_subscribers(timeout=LIMIT)
        subscriber.wait_connected(timeout=LIMIT)
        # Events are told in their order: what came before this one is logged.
        ended = time.monotonic() + LIMIT
        while "connected" not in caplog.text.lower() and time.monotonic() < ended:
            time.sleep(0.01)
        assert "Event: " in caplog.text and "connected" in caplog.text.lower()
        assert {record.name for record in caplog.records} == {"dividere.connection"}
    finally:
        connection.logger.setLevel(before)
