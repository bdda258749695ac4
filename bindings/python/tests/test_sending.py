"""How long a send may wait, said for one call: in every role, with and without asyncio."""

import asyncio
import math
import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import messages_pb2
import pytest
from conftest import LIMIT
from dividere import aio, connection, messaging

Reading = messages_pb2.Reading
Msg01 = clientMsgs.Msg01
# Nobody listens there.
NOWHERE = "tcp://127.0.0.1:1"
SMALL = {"send_high_water_mark": 2, "receive_high_water_mark": 2}


def message(number=0, size=0):
    return Reading(sensor=str(number), blob=bytes(size))


# So long nothing moves where everything on the way is full.
STILL = 0.3


def fill(send):
    """Sends until there has been no room for a while; how many went."""
    for count in range(10_000):
        try:
            send(count)
        except dividere.TimedOut:
            return count
    raise AssertionError("it is never full")


def full(module, **more):
    """What sends to a full queue, by role, and a message for it."""
    options = dividere.Options(**SMALL, **more)
    bytes_only = module is connection
    one = b"x" if bytes_only else message()
    dealer = module.Dealer(NOWHERE, options=options)
    routed = ([b"someone"], one)
    return {
        "dealer": (dealer, dealer.send, one),
        "dealer on a route": (dealer, dealer.send, routed),
        "dealer with an empty frame": (dealer, dealer.sendWithEmptyFrame, one),
        "request": ((made := module.Request(NOWHERE, options=options)), made.send, one),
    }


@pytest.mark.parametrize("module", (messaging, connection))
def test_a_send_waits_as_long_as_it_is_told(module):
    # The options say that it waits for as long as it takes.
    for role, (made, send, one) in full(module, send_timeout_ms=-1).items():
        if role != "request":
            fill(
                lambda _, made=made, one=one: made.send(one[1] if isinstance(one, tuple) else one, timeout=0)
            )
        began = time.monotonic()
        with pytest.raises(dividere.WouldBlock):
            send(one, timeout=0)
        with pytest.raises(dividere.TimedOut):
            send(one, timeout=0.05)
        assert 0.05 <= time.monotonic() - began < LIMIT, role


@pytest.mark.parametrize("policy", ("fail", "drop"))
def test_it_waits_whatever_the_options_say(policy):
    server = messaging.Dealer("tcp://127.0.0.1:*", options=dividere.Options(**SMALL))
    dealer = messaging.Dealer(server.last_endpoint, options=dividere.Options(**SMALL, full_queue=policy))
    # More than the system's own buffers hold.
    sent = fill(lambda count: dealer.send(message(count, 100_000), timeout=STILL))
    with pytest.raises(dividere.TimedOut):
        dealer.send(message(sent, 100_000), timeout=0.05)
    received = []
    reader = threading.Thread(
        target=lambda: received.extend(server.recv(timeout=LIMIT) for _ in range(sent + 1))
    )
    waiting = threading.Timer(0.1, reader.start)
    waiting.start()
    dealer.send(message(sent, 100_000), timeout=LIMIT)
    waiting.join()
    reader.join()
    # None was sent twice, and none of those that were refused.
    assert [int(one.sensor) for one in received] == list(range(sent + 1))


def test_a_publisher_that_drops_waits_where_it_is_told_to():
    publisher = messaging.Publisher("tcp://127.0.0.1:*", options=dividere.Options(**SMALL))
    subscriber = messaging.Subscriber(publisher.last_endpoint, options=dividere.Options(**SMALL))
    publisher.wait_for_subscribers(timeout=LIMIT)
    sent = fill(lambda count: publisher.send(message(count, 100_000), timeout=STILL))
    with pytest.raises(dividere.TimedOut):
        publisher.send(message(), timeout=0.05)
    with pytest.raises(dividere.WouldBlock):
        publisher.connection.send(b"bytes", timeout=0)
    received = []
    reader = threading.Thread(
        target=lambda: received.extend(subscriber.recv(timeout=LIMIT) for _ in range(sent + 1))
    )
    reader.start()
    publisher.send(message(sent), timeout=math.inf)
    reader.join()
    assert [int(one.sensor) for one in received] == list(range(sent + 1))
    assert publisher.statistics().dropped_queue_full == 0


def test_a_request_waits_for_a_connection_and_ends_when_it_is_closed():
    port = connection.PortManager.acquire()
    request = messaging.Request(f"tcp://127.0.0.1:{port}", options=dividere.Options(reconnect_interval_ms=20))
    with pytest.raises(dividere.TimedOut):
        request.send(Msg01(field1="nobody"), timeout=0.02)
    servers = []
    server = threading.Timer(0.1, lambda: servers.append(messaging.Response(f"@tcp://127.0.0.1:{port}")))
    server.start()
    request.send(Msg01(field1="somebody"), timeout=LIMIT)
    server.join()
    assert servers[0].recv(timeout=LIMIT).field1 == "somebody"
    servers[0].send(Msg01(field1="answer"), timeout=LIMIT)
    assert request.recv(timeout=LIMIT).field1 == "answer"

    waiting = messaging.Request(NOWHERE)
    closing = threading.Timer(0.1, waiting.close)
    closing.start()
    began = time.monotonic()
    with pytest.raises(dividere.Closed):
        waiting.send(Msg01(), timeout=2 * LIMIT)
    assert time.monotonic() - began < LIMIT
    closing.join()


def test_a_coroutine_waits_for_room_without_a_thread():
    async def main():
        server = messaging.Dealer("tcp://127.0.0.1:*", options=dividere.Options(**SMALL))
        dealer = aio.Dealer(server.last_endpoint, options=dividere.Options(**SMALL))
        sent = fill(lambda count: dealer.blocking.send(message(count, 100_000), timeout=STILL))
        with pytest.raises(dividere.TimedOut):
            await dealer.send(message(sent, 100_000), timeout=0.02)
        given_up = asyncio.ensure_future(dealer.send(message(-1, 100_000)))
        waiting = [asyncio.ensure_future(dealer.send(message(sent + i, 100_000))) for i in range(3)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in waiting)
        assert threading.active_count() == threads
        given_up.cancel()
        used = time.process_time()
        await asyncio.sleep(0.3)
        # It sleeps.
        assert time.process_time() - used < 0.15
        reader = aio.asynchronous(server)
        received = [int((await reader.recv(timeout=LIMIT)).sensor) for _ in range(sent + 3)]
        await asyncio.gather(*waiting)
        assert sorted(received) == list(range(sent + 3))
        assert received[:sent] == list(range(sent))

        nobody = aio.Dealer(NOWHERE, options=dividere.Options(**SMALL))
        fill(lambda count: nobody.blocking.send(message(count), timeout=STILL))
        waiting = asyncio.ensure_future(nobody.send(message()))
        await asyncio.sleep(0.05)
        nobody.close()
        with pytest.raises(dividere.Closed):
            await waiting

    threads = threading.active_count()
    asyncio.run(asyncio.wait_for(main(), 3 * LIMIT))


def test_a_publishing_coroutine_waits_for_all():
    async def main():
        options = dividere.Options(**SMALL, full_queue="block")
        publisher = aio.Publisher("tcp://127.0.0.1:*", options=options)
        subscriber = aio.Subscriber(publisher.last_endpoint, options=dividere.Options(**SMALL))
        await publisher.wait_for_subscribers(timeout=LIMIT)
        send, sent = publisher.blocking.send, 0
        for _ in range(50):
            sent += fill(lambda count, first=sent: send(message(first + count, 100_000), timeout=STILL))
            # On a busy machine there may be room yet.
            try:
                # It never waits in the loop.
                publisher.send(message(sent))
                sent += 1
                continue
            except dividere.WouldBlock:
                pass
            try:
                await publisher.send_when_room(message(sent), timeout=0.02)
                sent += 1
            except dividere.TimedOut:
                break
        else:
            pytest.fail("it is never full")
        waiting = asyncio.ensure_future(publisher.send_when_room(message(sent)))
        received = [int((await subscriber.recv(timeout=LIMIT)).sensor) for _ in range(sent + 1)]
        await waiting
        assert received == list(range(sent + 1))

    asyncio.run(asyncio.wait_for(main(), 3 * LIMIT))
