"""What runs on threads of the library tells of its end, whoever waits for it and on whatever thread."""

import threading

import dividere
import pytest
from conftest import LIMIT
from dividere import connection
from dividere.registry import ServiceRegistry

ROUTER = 6


class Registry(ServiceRegistry.Server):
    port = subPort = 0


@pytest.fixture(
    params=[
        lambda: connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        lambda: connection.LoadBalancingPattern.Broker(ROUTER, 0, ROUTER, 0),
        Registry,
    ],
    ids=["proxy", "broker", "registry"],
)
def server(request):
    with request.param() as made:
        yield made


def soon(seconds, call):
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def test_its_end_is_waited_for(server):
    with pytest.raises(dividere.WouldBlock):
        server.wait_ended(0)
    with pytest.raises(dividere.TimedOut):
        server.wait_ended(timeout=0.01)
    # The wait on this thread is one that signals end, that on another thread is one in C.
    ended = threading.Event()
    waiter = threading.Thread(target=lambda: (server.wait_ended(), ended.set()))
    waiter.start()
    timer = soon(0.1, server.stop)
    server.wait_ended(LIMIT)
    assert ended.wait(LIMIT)
    waiter.join()
    timer.join()
    # It has ended for good.
    server.wait_ended(0)


def test_a_proxy_runs_until_it_is_stopped():
    proxy = connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
    timer = soon(0.1, proxy.stop)
    proxy.run()
    timer.join()
    with connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        timer = soon(0.1, lambda: setattr(proxy, "done_", True))
        proxy.run()
        timer.join()
