"""The name registry with the Python dividere 2.2.0, in both directions: its client and its service with our
server, our client with its server. Its server does one thing a second, and dies of messages that it does not know."""

import os
import pathlib
import queue
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ours import NOT_FOUND, UNSUPPORTED, Client, Failed, Server, Service, ServiceClient  # noqa: E402

PEER = pathlib.Path(__file__).parent / "registry_peer_py22.py"

# Only a failure waits so long.
LIMIT_S = 30


class Peer:
    """dividere 2.2.0 in a process of its own."""

    def __init__(self, *arguments):
        command = [sys.executable, str(PEER), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.next()
        assert self.ready.startswith("ready"), self.ready

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put("(it ended)")

    def next(self):
        return self.lines.get(timeout=LIMIT_S)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.next()

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT_S)


@pytest.fixture
def started():
    """Starts peers, and ends them with the test."""
    peers = []

    def start(*arguments):
        peers.append(Peer(*arguments))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()


@pytest.fixture
def ports():
    """Two ports that nobody has, and that no connection gets: they stay free between two registries."""
    port = 30000 + os.getpid() % 1300 * 2
    while True:
        try:
            for number in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port, port + 1
        except OSError:
            port = 30000 + (port - 30000 + 2) % 2600


def wait_for(what, expected):
    end = time.monotonic() + LIMIT_S
    while True:
        value = what()
        if value == expected:
            return
        assert time.monotonic() < end, f"{value}, not {expected}"
        # What others register shows only by asking.
        time.sleep(0.02)


def test_a_client_of_old_registers_finds_and_unregisters_with_our_server(started, ports):
    server = Server(*ports)
    ours = Client(*ports)
    theirs = started("client", ports[0])
    assert theirs.ask("lookup clock") == "unavailable 0"
    assert theirs.ask("register clock 5107") == "done"
    assert theirs.ask("lookup clock") == "127.0.0.1 5107"
    # No lease: it stays.
    assert ours.lookup_all("clock") == [("127.0.0.1", 5107, 0)]
    # In 2.2.0 the last registration of a name wins.
    assert theirs.ask("register clock 5108") == "done"
    assert ours.lookup_all("clock") == [("127.0.0.1", 5108, 0)]
    # What ours register has a lease, and is rather given than what may be dead.
    registration = ours.register("clock", 5109)
    assert theirs.ask("lookup clock") == "127.0.0.1 5109"
    assert len(ours.lookup_all("clock")) == 2
    ours.unregister(registration)
    assert theirs.ask("lookup clock") == "127.0.0.1 5108"
    assert theirs.ask("unregister clock 5108") == "done"
    assert theirs.ask("unregister clock 5108") == "done"
    assert theirs.ask("lookup clock") == "unavailable 0"
    ours.close()
    server.close()


def test_our_client_does_with_a_server_of_old_what_that_can_do_and_does_not_kill_it(started, ports):
    theirs = started("registry", *ports)
    observer = started("client", ports[0])
    ours = Client(*ports)
    with pytest.raises(Failed) as failed:
        ours.lookup("clock")
    assert failed.value.status == NOT_FOUND
    registration = ours.register("clock", 5107)
    assert observer.ask("lookup clock") == "127.0.0.1 5107"
    assert ours.lookup("clock") == ("127.0.0.1", 5107, 0)
    for call in (ours.list, ours.watch):
        with pytest.raises(Failed) as failed:
            call("clock")
        assert failed.value.status == UNSUPPORTED
    ours.unregister(registration)
    assert observer.ask("lookup clock") == "unavailable 0"
    # It dies when a name is to be unregistered that it does not have; and of others' names we keep off.
    registration = ours.register("clock", 5107)
    assert observer.ask("register clock 6000") == "done"
    ours.unregister(registration)
    assert observer.ask("lookup clock") == "127.0.0.1 6000"
    # Closing unregisters.
    ours.register("watch", 5107)
    ours.close()
    assert observer.ask("lookup watch") == "unavailable 0"
    assert theirs.ask("how are you") == "alive"


def test_a_service_of_old_is_back_after_our_server_was_away(started, ports):
    server = Server(*ports)
    _, name, port = started("service", *ports).ready.split()
    ours = Client(*ports)
    assert ours.lookup(name) == ("127.0.0.1", int(port), 0)
    for away_s in (0, 1):
        server.close()
        time.sleep(away_s)
        server = Server(*ports)
        start = time.monotonic()
        wait_for(lambda: ours.lookup_all(name), [("127.0.0.1", int(port), 0)])
        print(f"away for {away_s} s: back after {time.monotonic() - start:.2f} s")
    ours.close()
    server.close()


def test_our_service_is_back_after_a_server_of_old_was_away(started, ports):
    theirs = started("registry", *ports)
    ours = Client(*ports)
    ours.register("clock", 5107)
    theirs.kill()
    theirs = started("registry", *ports)
    observer = started("client", ports[0])
    wait_for(lambda: observer.ask("lookup clock"), "127.0.0.1 5107")
    ours.close()
    assert observer.ask("lookup clock") == "unavailable 0"
    assert theirs.ask("how are you") == "alive"


def test_our_services_move_from_our_server_to_one_of_old_and_back(started, ports):
    # The same port, so that the client cannot know who will answer.
    server = Server(*ports)
    ours = Client(*ports)
    ours.register("clock", 5107)
    server.close()
    theirs = started("registry", *ports)
    observer = started("client", ports[0])
    wait_for(lambda: observer.ask("lookup clock"), "127.0.0.1 5107")
    assert theirs.ask("how are you") == "alive"
    theirs.kill()
    server = Server(*ports)
    wait_for(lambda: ours.lookup_all("clock"), [("127.0.0.1", 5107, 3000)])
    ours.close()
    server.close()


def test_where_a_server_of_old_cannot_do_it_the_next_one_is_asked(started, ports):
    theirs = started("registry", *ports)
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    other = free.getsockname()[1]
    free.close()
    server = Server(other, "*")
    Client(other, ports[1]).register("clock", 5107)  # and is never closed: it stays
    ours = Client(*ports, other)
    assert ours.list("") == [("127.0.0.1", 5107, 3000)]
    ours.watch("clock")
    assert theirs.ask("how are you") == "alive"
    ours.close()
    server.close()


def test_a_client_of_old_finds_and_calls_our_service(started, ports):
    server = Server(*ports)
    ours = Client(*ports)
    service = Service("clock", ours)
    theirs = started("client", ports[0])
    assert theirs.ask("call clock") == "answered True"
    service.stop()
    assert theirs.ask("lookup clock") == "unavailable 0"
    ours.close()
    server.close()


def test_our_service_client_calls_a_service_of_old(started, ports):
    server = Server(*ports)
    _, name, _port = started("service", *ports).ready.split()
    ours = Client(*ports)
    caller = ServiceClient(name, ours)
    assert caller.call()
    caller.close()
    ours.close()
    server.close()


def test_our_service_client_finds_by_a_server_of_old(started, ports):
    theirs = started("registry", *ports)
    ours = Client(*ports)
    caller = ServiceClient("clock", ours)
    with pytest.raises(Failed) as failed:
        caller.call()
    assert failed.value.status == NOT_FOUND
    service = Service("clock", ours)
    assert caller.call()
    service.stop()
    caller.close()
    ours.close()
    assert theirs.ask("how are you") == "alive"
