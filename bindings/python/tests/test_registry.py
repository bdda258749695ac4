"""The registry, its clients and services, as programs of 2.2.0 use them."""

import asyncio
import os
import select
import signal
import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import pytest
from conftest import LIMIT
from dividere import aio, connection, messaging, registry, service

Msg01 = clientMsgs.Msg01
ServiceRegistry = registry.ServiceRegistry


@pytest.fixture
def server(monkeypatch):
    """A registry at free ports, which is also where services of this process register."""
    for _ in range(20):
        monkeypatch.setattr(ServiceRegistry.Server, "port", connection.PortManager.acquire())
        monkeypatch.setattr(ServiceRegistry.Server, "subPort", connection.PortManager.acquire())
        try:
            made = ServiceRegistry.Server()
        except dividere.AddressInUse:
            continue
        yield made
        made.stop()
        return
    pytest.fail("no port is free")


def test_services_are_registered_found_and_taken_out(server):
    client = ServiceRegistry.Client("127.0.0.1", server.port)
    client.registerService("acme.Clock", 5432, b"about it", timeout=LIMIT)
    found = client.lookupService("acme.Clock", timeout=LIMIT)
    assert (found.name, found.port) == ("acme.Clock", 5432) and found == ("acme.Clock", found.server, 5432)
    assert client.lookupService("acme.Nothing", timeout=LIMIT) == ("acme.Nothing", "unavailable", 0)
    (instance,) = client.lookup_all("acme.Clock", timeout=LIMIT)
    assert instance.metadata == b"about it" and instance.endpoint.endswith(":5432") and instance.lease > 0
    assert [one.name for one in client.list("acme.", timeout=LIMIT)] == ["acme.Clock"]
    assert server.serviceMap == {"acme.Clock": (found.server, 5432)}
    client.unregisterService("acme.Clock", 5432)
    assert client.lookupService("acme.Clock", timeout=LIMIT).server == "unavailable"
    server.stop()
    server.stop()


def test_what_was_registered_stays_when_the_client_object_goes(server):
    ServiceRegistry.Client("localhost", server.port).registerService("acme.Stays", 1, timeout=LIMIT)
    assert (
        ServiceRegistry.Client("localhost", server.port).lookupService("acme.Stays", timeout=LIMIT).port == 1
    )


class Elsewhere(ServiceRegistry.Client):
    """As a program of 2.2.0 in a cloud tells the address that others reach it by."""

    def getLocalIp(self):
        return "192.0.2.7"


def test_a_client_of_the_programs_own_tells_the_address(server):
    client = Elsewhere("127.0.0.1", server.port)
    client.registerService("acme.Elsewhere", 6, timeout=LIMIT)
    assert client.lookupService("acme.Elsewhere", timeout=LIMIT) == ("acme.Elsewhere", "192.0.2.7", 6)
    client.unregisterService("acme.Elsewhere", 6)
    assert client.lookupService("acme.Elsewhere", timeout=LIMIT).port == 0


def test_registries_and_their_clients_have_keys_and_options(monkeypatch):
    monkeypatch.setattr(ServiceRegistry.Server, "port", 0)
    monkeypatch.setattr(ServiceRegistry.Server, "subPort", 0)
    keys, mine = dividere.curve_keypair(), dividere.curve_keypair()
    secret = dividere.Options(curve_server_secret_key=keys.secret, curve_allowed_key=mine.public)
    with ServiceRegistry.Server(options=secret) as made:
        port = int(made.last_endpoint.rpartition(":")[2])
        options = dividere.Options(
            curve_client_secret_key=mine.secret,
            curve_server_public_key=keys.public,
            registry_lease_ms=60_000,
            registry_advertise="192.0.2.8",
        )
        with ServiceRegistry.Client("127.0.0.1", port, options=options) as client:
            client.registerService("acme.Secret", 8, timeout=LIMIT)
            (instance,) = client.lookup_all("acme.Secret", timeout=LIMIT)
            assert instance.endpoint == "tcp://192.0.2.8:8" and 59 < instance.lease <= 60
            with service.ServiceClient("acme.Secret", client) as named:
                deadline = time.monotonic() + LIMIT
                while not named.instances() and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert [one.port for one in named.instances()] == [8]
            with client.watch("acme.", is_prefix=True, timeout=LIMIT) as watch:
                assert str(port) in repr(watch)
        assert made.statistics().messages_in > 0
        assert made.recv_event(timeout=LIMIT).kind == dividere.EventKind.LISTENING
        assert str(port) in repr(made)
        # Who has no key is not served.
        with pytest.raises(dividere.Error):
            ServiceRegistry.Client("127.0.0.1", port).lookupService("acme.Secret", timeout=0.3)
    assert "stopped" in repr(made)


def test_a_watch_tells_every_change(server):
    client = ServiceRegistry.Client("127.0.0.1", server.port)
    with client.watch("acme.", is_prefix=True, timeout=LIMIT) as watch:
        assert watch.recv(timeout=LIMIT)[0] == registry.WatchKind.COMPLETE
        client.registerService("acme.New", 7, timeout=LIMIT)
        kind, instance = watch.recv(timeout=LIMIT)
        assert (kind, instance.name, instance.port) == (registry.WatchKind.PUT, "acme.New", 7)
        client.unregisterService("acme.New", 7)
        kind, instance = watch.recv(timeout=LIMIT)
        assert (kind, instance.name) == (registry.WatchKind.DELETE, "acme.New")
        with pytest.raises(TimeoutError):
            watch.recv(timeout=0.02)


class Reverse(service.Service):
    def handleMsg01(self, msg):
        if not msg.field1:
            raise ValueError("nothing to turn around")
        self.send(Msg01(field1=msg.field1[::-1]))


def test_a_service_registers_and_answers(server):
    with Reverse() as reverse:
        assert reverse.name_ == f"{__name__}.Reverse" and 5100 < reverse.port_ <= 6000
        found = ServiceRegistry.Client("localhost", server.port).lookupService(reverse.name_, timeout=LIMIT)
        assert found.port == reverse.port_
        request = messaging.Request([f"tcp://{found.server}:{found.port}"])
        assert request.call(Msg01(field1="abc"), timeout=LIMIT).field1 == "cba"
        with pytest.raises(dividere.RemoteError, match="nothing to turn around"):
            request.call(Msg01(), timeout=LIMIT)
        assert request.call(Msg01(field1="ab"), timeout=LIMIT).field1 == "ba"
        # A second one of the same class takes the next port.
        with Reverse() as second:
            assert second.port_ != reverse.port_
    client = ServiceRegistry.Client("localhost", server.port)
    assert client.lookupService(reverse.name_, timeout=LIMIT).server == "unavailable"
    assert not [thread for thread in threading.enumerate() if thread is reverse.tid_]


def test_a_service_has_keys_and_the_registry_that_it_is_given(monkeypatch):
    monkeypatch.setattr(ServiceRegistry.Server, "port", 0)
    monkeypatch.setattr(ServiceRegistry.Server, "subPort", 0)
    keys, mine = dividere.curve_keypair(), dividere.curve_keypair()
    server = dividere.Options(curve_server_secret_key=keys.secret, curve_allowed_key=mine.public)
    client = dividere.Options(curve_client_secret_key=mine.secret, curve_server_public_key=keys.public)
    with ServiceRegistry.Server(options=server) as made:
        port = int(made.last_endpoint.rpartition(":")[2])
        names = ServiceRegistry.Client("127.0.0.1", port, options=client)
        # Nobody is where a service registers unless it is told.
        with Reverse(options=server, registry=names) as reverse:
            with service.ServiceClient(reverse.name_, names, options=client) as named:
                named.wait_for_service(timeout=LIMIT)
                assert named.call(Msg01(field1="abc"), timeout=LIMIT).field1 == "cba"
            with service.ServiceClient(reverse.name_, names) as without_keys, pytest.raises(dividere.Error):
                without_keys.call(Msg01(field1="abc"), timeout=0.5)
        assert names.lookupService(reverse.name_, timeout=LIMIT).port == 0


class Slow(service.Service):
    """Answers once it is told to."""

    asked, go_on = threading.Event(), threading.Event()

    def handleMsg01(self, msg):
        self.asked.set()
        assert self.go_on.wait(LIMIT)
        self.send(msg)


def test_a_service_is_called_by_its_name(server):
    endpoint = f"tcp://127.0.0.1:{server.port}"
    client = service.ServiceClient(f"{__name__}.Reverse", endpoint)
    with pytest.raises(dividere.NotFound):
        client.call(Msg01(field1="abc"), timeout=LIMIT)
    with pytest.raises(dividere.TimedOut):
        client.wait_for_service(timeout=0.02)
    with Reverse() as reverse:
        client.wait_for_service(timeout=LIMIT)
        (instance,) = client.instances()
        assert (instance.name, instance.port) == (reverse.name_, reverse.port_)
        assert client.call(Msg01(field1="abc"), timeout=LIMIT).field1 == "cba"
        with pytest.raises(dividere.RemoteError, match="nothing to turn around"):
            client.call(Msg01(), timeout=LIMIT)
        answers = []
        calls = [
            threading.Thread(
                target=lambda text=text: answers.append(client.call(Msg01(field1=text), timeout=LIMIT).field1)
            )
            for text in ("ab", "cd", "ef")
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join(LIMIT)
        assert sorted(answers) == ["ba", "dc", "fe"]
    with service.ServiceClient(
        f"{__name__}.Reverse", ServiceRegistry.Client("localhost", server.port)
    ) as other:
        assert "Reverse" in repr(other) and not other.closed
    assert other.closed
    with pytest.raises(dividere.Closed):
        other.call(Msg01(field1="late"), timeout=LIMIT)
    client.close()
    client.close()


def test_closing_a_service_client_ends_its_calls(server):
    Slow.asked.clear(), Slow.go_on.clear()
    with Slow() as slow, service.ServiceClient(slow.name_, f"tcp://127.0.0.1:{server.port}") as client:
        client.wait_for_service(timeout=LIMIT)
        ended = []

        def call():
            with pytest.raises(dividere.Closed):
                client.call(Msg01(field1="a"), timeout=LIMIT)
            ended.append(True)

        caller = threading.Thread(target=call)
        caller.start()
        assert Slow.asked.wait(LIMIT)
        client.close()
        caller.join(LIMIT)
        Slow.go_on.set()
        assert ended


def test_services_and_watches_in_an_event_loop(server):
    async def main():
        registry_client = ServiceRegistry.Client("127.0.0.1", server.port)
        watch = aio.asynchronous(registry_client.watch(Slow.__module__, is_prefix=True, timeout=LIMIT))
        assert (await watch.recv(timeout=LIMIT))[0] == registry.WatchKind.COMPLETE
        with pytest.raises(dividere.TimedOut):
            await watch.recv(timeout=0.01)
        coming = asyncio.ensure_future(watch.recv(timeout=LIMIT))
        slow = await asyncio.get_running_loop().run_in_executor(None, Slow)
        client = aio.ServiceClient(slow.name_, registry_client)
        kind, instance = await coming
        assert (kind, instance.port) == (registry.WatchKind.PUT, slow.port_)
        await client.wait_for_service(timeout=LIMIT)
        assert [one.port for one in client.instances()] == [slow.port_]
        call = asyncio.ensure_future(client.call(Msg01(field1="a"), timeout=LIMIT))
        given_up = asyncio.ensure_future(client.call(Msg01(field1="b"), timeout=LIMIT))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        used = time.process_time()
        await asyncio.sleep(0.3)
        # It sleeps until the answer comes.
        assert time.process_time() - used < 0.15
        Slow.go_on.set()
        assert (await call).field1 == "a"
        assert (await client.call(Msg01(field1="c"), timeout=LIMIT)).field1 == "c"
        # What came to the one that was given up, before that, keeps nobody awake.
        assert not select.select([client.blocking._fileno()], [], [], 0)[0]
        seen = []

        async def follow():
            async for kind, instance in watch:
                seen.append((kind, instance.port))
                watch.close()

        following = asyncio.ensure_future(follow())
        slow.stop()
        await asyncio.wait_for(following, LIMIT)
        assert seen == [(registry.WatchKind.DELETE, slow.port_)]
        slow.tid_.join(LIMIT)
        async with client:
            pass
        with pytest.raises(dividere.Closed):
            await client.call(Msg01(), timeout=LIMIT)

    Slow.asked.clear(), Slow.go_on.clear()
    asyncio.run(asyncio.wait_for(main(), 3 * LIMIT))


def test_a_fork_does_not_wait_for_a_thread_that_the_child_has_not(server):
    held, forked = threading.Event(), threading.Event()

    def hold():
        with registry._Shared._lock:
            held.set()
            forked.wait(LIMIT)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(LIMIT)
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT)
        client = ServiceRegistry.Client("127.0.0.1", server.port)
        os._exit(0 if client.lookupService("acme.None", timeout=LIMIT).port == 0 else 1)
    forked.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


OLD = """
import sys, time
from dividere import messaging, registry
import clientMsgs_pb2
port = int(sys.argv[1])
client = registry.ServiceRegistry.Client("localhost", port)
client.getLocalIp = lambda: "127.0.0.1"
client.registerService("old.Service", 4321)
found = client.lookupService("new.Service")
print(found.server, found.port, flush=True)
sys.stdin.readline()
client.unregisterService("old.Service", 4321)
print("unregistered", flush=True)
import os; os._exit(0)
"""


def test_a_program_of_2_2_0_registers_and_looks_up_here(server, run, python22):
    client = ServiceRegistry.Client("localhost", server.port)
    client.registerService("new.Service", 1234, timeout=LIMIT)
    old = run(OLD, server.port, python=python22)
    assert old.line().split()[1] == "1234"
    assert client.lookupService("old.Service", timeout=LIMIT).port == 4321
    old.tell("go on")
    assert old.line() == "unregistered"
    assert client.lookupService("old.Service", timeout=LIMIT).server == "unavailable"
