"""Brokers, workers and clients of ours and of dividere 2.2.0, in every mixture, as bytes and typed."""

import contextlib
import itertools
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/examples/balancing_peer"
PY22 = pathlib.Path(__file__).with_name("balancing_py22.py")
LEVELS = ("bytes", "typed")
# Where only a failure would wait so long.
LIMIT_S = 30
HEARTBEAT_MS = 500


class Process:
    """A peer, what it says line by line, and its end."""

    def __init__(self, *command):
        self.child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def line(self, limit_s=LIMIT_S):
        said = self.lines.get(timeout=limit_s)
        assert said is not None, f"{self.child.args} ended"
        return said

    def tell(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()

    def ask(self, word):
        self.tell(word)
        return self.line()

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()


@pytest.fixture
def start():
    """Starts peers that end with the test."""
    with contextlib.ExitStack() as started:

        def begin(*command):
            process = Process(*command)
            started.callback(process.end)
            return process

        yield begin


def free_ports(count):
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def until(what, check):
    deadline = time.monotonic() + LIMIT_S
    while True:
        seen = check()
        if seen:
            return seen
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Broker:
    """One of ours or of 2.2.0."""

    def __init__(self, start, whose, level, *settings):
        if whose == "ours":
            settings = [f"worker_heartbeat_ms={HEARTBEAT_MS}", *settings]
            self.process = start(PEER, "broker", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", *settings)
            self.front, self.back = self.process.line().split()
        else:
            front, back = free_ports(2)
            self.process = start(sys.executable, PY22, "broker", level, front, back)
            assert self.process.line() == "ready"
            self.front, self.back = f"tcp://127.0.0.1:{front}", f"tcp://127.0.0.1:{back}"
        self.whose = whose

    def counts(self):
        told = self.process.ask("statistics")
        return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", told)}

    def workers(self):
        return self.counts()["workers"] if self.whose == "ours" else int(self.process.ask("workers"))

    def wait_workers(self, count):
        until(f"{count} workers", lambda: self.workers() >= count)


def worker(start, whose, level, broker, work_s=0):
    if whose == "ours":
        process = start(
            PEER, "worker", broker.back, int(work_s * 1000), f"worker_heartbeat_ms={HEARTBEAT_MS}"
        )
        assert process.line() == "connected"
    else:
        process = start(sys.executable, PY22, "worker", level, broker.back, work_s)
        assert process.line() == "ready"
    return process


def client(start, whose, level, broker, timeout_ms=20000, retries=0):
    if whose == "ours":
        return start(PEER, "client", broker.front, level, timeout_ms, retries)
    process = start(sys.executable, PY22, "client", level, broker.front, timeout_ms)
    assert process.line() == "ready"
    return process


MIXTURES = [
    mixture
    for mixture in itertools.product(("ours", "theirs"), repeat=3)
    if mixture != ("theirs", "theirs", "theirs")
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("whose_broker,whose_worker,whose_client", MIXTURES)
def test_every_mixture_answers(start, level, whose_broker, whose_worker, whose_client):
    if (whose_broker, whose_worker, level) == ("theirs", "theirs", "bytes"):
        pytest.skip("a worker of bytes of 2.2.0 announces itself to its broker for one request only")
    broker = Broker(start, whose_broker, level)
    worker(start, whose_worker, level, broker)
    broker.wait_workers(1)
    asked = client(start, whose_client, level, broker)
    for number in range(5):
        # A broker of 2.2.0 dies of a request that finds no worker.
        broker.wait_workers(1)
        assert asked.ask("next") == f"answer {number}"


@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_of_2_2_0_that_works_longer_than_two_heartbeats_keeps_its_request(start, level):
    broker = Broker(start, "ours", level)
    worker(start, "theirs", level, broker, work_s=4 * HEARTBEAT_MS / 1000)
    broker.wait_workers(1)
    asked = client(start, "ours", level, broker, retries=1)
    assert [asked.ask("next"), asked.ask("next")] == ["answer 0", "answer 1"]
    counts = broker.counts()
    assert (counts["served"], counts["retried"], counts["failed"]) == (2, 0, 0)


@pytest.mark.parametrize("level", LEVELS)
def test_an_idle_worker_of_2_2_0_stays_and_a_dead_one_goes(start, level):
    broker = Broker(start, "ours", level)
    process = worker(start, "theirs", level, broker)
    broker.wait_workers(1)
    # It answers at least four questions meanwhile.
    deadline = time.monotonic() + 4.5 * HEARTBEAT_MS / 1000
    while time.monotonic() < deadline:
        assert broker.workers() == 1
        time.sleep(0.02)
    process.child.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    until("it is gone", lambda: broker.workers() == 0)
    assert time.monotonic() - begun < 2 * HEARTBEAT_MS / 1000 + 2
    process.child.send_signal(signal.SIGCONT)
    until("it is back", lambda: broker.workers() == 1)
    assert client(start, "ours", level, broker).ask("next") == "answer 0"


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_killed_worker_of_2_2_0_had_goes_to_another(start, level):
    broker = Broker(start, "ours", level)
    process = worker(start, "theirs", level, broker, work_s=LIMIT_S)
    broker.wait_workers(1)
    asked = client(start, "ours", level, broker, retries=1)
    asked.tell("next")
    until("it works", lambda: broker.counts()["working"] == 1)
    worker(start, "theirs", level, broker)
    broker.wait_workers(2)
    process.child.kill()
    assert asked.line() == "answer 0"
    until("it is counted", lambda: broker.counts()["retried"] == 1)


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_of_2_2_0_asks_again_by_itself_where_it_was_refused(start, level):
    broker = Broker(start, "ours", level, "broker_queue_limit=0")
    asked = client(start, "theirs", level, broker, timeout_ms=300)
    asked.tell("next")
    until("refused", lambda: broker.counts()["refused"] >= 1)
    worker(start, "ours", level, broker)
    assert asked.line() == "answer 0"


def test_a_broker_of_2_2_0_that_comes_back_has_our_worker_again(start):
    for level in LEVELS:
        broker = Broker(start, "theirs", level)
        process = worker(start, "ours", level, broker)
        broker.wait_workers(1)
        broker.process.end()
        front, back = (endpoint.rsplit(":", 1)[1] for endpoint in (broker.front, broker.back))
        broker.process = start(sys.executable, PY22, "broker", level, front, back)
        assert broker.process.line() == "ready"
        broker.wait_workers(1)
        assert client(start, "ours", level, broker).ask("next") == "answer 0"
        process.end()
