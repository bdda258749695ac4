"""asyncio over the same handles: without threads, and without losing a message."""

import asyncio
import random
import socket
import sys
import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import messages_pb2
import pytest
from conftest import LIMIT
from dividere import aio, connection, messaging

Reading = messages_pb2.Reading
Msg01, Msg02 = clientMsgs.Msg01, clientMsgs.Msg02


def run(main):
    async def limited():
        return await asyncio.wait_for(main(), 3 * LIMIT)

    return asyncio.run(limited())


async def pair():
    publisher = aio.Publisher("tcp://127.0.0.1:*")
    subscriber = aio.Subscriber(publisher.last_endpoint)
    await publisher.wait_for_subscribers(timeout=LIMIT)
    return publisher, subscriber


def test_messages_are_iterated_until_it_is_closed():
    async def main():
        publisher, subscriber = await pair()
        seen = []

        async def read():
            async for message in subscriber:
                seen.append(message.sensor)
                if len(seen) == 100:
                    subscriber.close()

        reader = asyncio.ensure_future(read())
        for i in range(100):
            publisher.send(Reading(sensor=str(i)))
            if i % 10 == 0:
                await asyncio.sleep(0)
        await reader
        assert seen == [str(i) for i in range(100)]

    threads = threading.active_count()
    run(main)
    assert threading.active_count() == threads


def test_the_same_class_is_iterated_asynchronously():
    async def main():
        publisher = messaging.Publisher("tcp://127.0.0.1:*")
        subscriber = messaging.Subscriber(publisher.last_endpoint)
        publisher.wait_for_subscribers(timeout=LIMIT)
        publisher.send(Reading(sensor="x"))
        async for message in subscriber:
            assert message.sensor == "x"
            break

    run(main)


@pytest.mark.parametrize("many", [False, True])
def test_cancelling_loses_no_message(many):
    async def main():
        publisher, subscriber = await pair()
        received = []
        count = 400
        chance = random.Random(1)

        async def send():
            for i in range(count):
                publisher.send(Reading(sensor=str(i)))
                await asyncio.sleep(chance.random() / 500)

        sender = asyncio.ensure_future(send())
        while len(received) < count:
            reader = asyncio.ensure_future(subscriber.recv_many() if many else subscriber.recv())
            await asyncio.sleep(chance.random() / 500)
            reader.cancel()
            try:
                some = await reader
                received += [one.sensor for one in (some if many else [some])]
            except asyncio.CancelledError:
                pass
        await sender
        assert received == [str(i) for i in range(count)]

    run(main)


def test_waits_end_in_time_and_when_it_is_closed():
    async def main():
        _, subscriber = await pair()
        began = time.monotonic()
        with pytest.raises(dividere.TimedOut):
            await subscriber.recv(timeout=0.05)
        assert await subscriber.wait(timeout=0.02) is False
        assert time.monotonic() - began >= 0.07
        reader = asyncio.ensure_future(subscriber.recv_many())
        await asyncio.sleep(0.01)
        subscriber.close()
        with pytest.raises(dividere.Closed):
            await reader
        with pytest.raises(dividere.Closed):
            await subscriber.recv()
        # Its descriptor's number may be another's at once.
        publisher, other = await pair()
        publisher.send(Reading(sensor="x"))
        assert (await other.recv(timeout=LIMIT)).sensor == "x"

    run(main)


@pytest.mark.parametrize("send", ["send", "call"])
def test_who_waits_for_a_connection_hears_of_the_end(send):
    async def main():
        # Nobody can be there: bound, and listening to nothing.
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            endpoint = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
            if send == "call":
                role = aio.Request(endpoint)
                waiting = asyncio.ensure_future(role.call(Msg01(field1="x")))
            else:
                options = dividere.Options(send_timeout_ms=-1, send_high_water_mark=1)
                role = aio.Dealer(endpoint, options=options)
                waiting = asyncio.ensure_future(fill(role))
            # It is there only once it sleeps.
            while not role._room._waiters:
                await asyncio.sleep(0)
            role.close()
            with pytest.raises(dividere.Closed):
                await asyncio.wait_for(waiting, LIMIT)

    async def fill(role):
        while True:
            await role.send(Msg01(field1="x"))

    run(main)


class Echo(aio.MsgReactor):
    async def handleMsg01(self, obj, msg):
        await asyncio.sleep(0.001)
        await obj.send(msg)

    def handleReading(self, obj, msg):
        raise ValueError("a handler's fault")


def test_calls_run_side_by_side_and_each_gets_its_reply():
    async def main():
        response = aio.Response("tcp://127.0.0.1:*")
        request = aio.Request(response.last_endpoint)
        async with Echo([response]):
            calls = [request.call(Msg01(field1=str(i)), timeout=LIMIT) for i in range(50)]
            assert [reply.field1 for reply in await asyncio.gather(*calls)] == [str(i) for i in range(50)]
            with pytest.raises(dividere.RemoteError, match="a handler's fault"):
                await request.call(Reading(), timeout=LIMIT)
            with pytest.raises(dividere.NotFound):
                await request.call(Msg02(), timeout=LIMIT)
            given_up = asyncio.ensure_future(request.call(Msg01()))
            await asyncio.sleep(0)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            assert (await request.call(Msg01(field1="after"), timeout=LIMIT)).field1 == "after"
            # Its reply came before that one, and nobody waits for it.
            assert request.statistics().dropped_stale == 1
        with pytest.raises(dividere.TimedOut):
            await request.call(Msg01(), timeout=0.05, retries=1)

    run(main)


class Later(Echo):
    """Leaves some answers for later."""

    def __init__(self, objects):
        super().__init__(objects)
        self.asked = asyncio.Event()

    def handleMsg02(self, obj, msg):
        self.asked.set()

    async def handlePosition(self, obj, msg):
        given_up = asyncio.get_running_loop().create_future()
        given_up.cancel()
        await given_up


def test_an_answer_may_be_sent_later_and_by_another_thread():
    async def main():
        response = aio.Response("tcp://127.0.0.1:*")
        request = aio.Request(response.last_endpoint)
        # Says so where something is done by a thread that is only the loop's to do.
        asyncio.get_running_loop().set_debug(True)
        async with Later([response]) as reactor:
            for answer in (response.send, in_a_thread(response.blocking.send)):
                call = asyncio.ensure_future(request.call(Msg02(), timeout=LIMIT))
                await asyncio.wait_for(reactor.asked.wait(), LIMIT)
                reactor.asked.clear()
                # Is there already, and waits for its turn.
                second = asyncio.ensure_future(request.call(Msg01(field1="second"), timeout=LIMIT))
                await asyncio.sleep(0.05)
                assert not call.done() and not second.done()
                await answer(Msg02(field1="later"))
                assert (await call).field1 == "later"
                assert (await second).field1 == "second"
            # It ends where an answer is still to come.
            call = asyncio.ensure_future(request.call(Msg02(), timeout=LIMIT))
            await asyncio.wait_for(reactor.asked.wait(), LIMIT)
        await response.send(Msg02(field1="last"))
        assert (await call).field1 == "last"

    run(main)


def in_a_thread(function):
    return lambda *arguments: asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def test_who_gives_up_a_stop_ends_no_handler():
    async def main():
        handled, go_on = [], asyncio.Event()

        class Waiting(Later):
            async def handleMsg02(self, obj, msg):
                self.asked.set()
                await go_on.wait()
                handled.append(msg)
                await obj.send(msg)

        response = aio.Response("tcp://127.0.0.1:*")
        request = aio.Request(response.last_endpoint)
        reactor = Waiting([response])
        reactor.start()
        call = asyncio.ensure_future(request.call(Msg02(), timeout=LIMIT))
        await asyncio.wait_for(reactor.asked.wait(), LIMIT)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reactor.stop(), 0.02)
        assert not handled
        go_on.set()
        await call
        await reactor.stop()
        assert len(handled) == 1

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a task cannot tell whether it was cancelled itself")
def test_a_handler_whose_wait_is_cancelled_ends_nothing():
    async def main():
        response = aio.Response("tcp://127.0.0.1:*")
        request = aio.Request(response.last_endpoint)
        async with Later([response]):
            with pytest.raises(dividere.RemoteError, match="CancelledError"):
                await request.call(clientMsgs.Position(), timeout=LIMIT)
            assert (await request.call(Msg01(field1="after"), timeout=LIMIT)).field1 == "after"

    run(main)


def test_what_a_reactor_has_taken_is_handled_also_when_it_is_cancelled():
    async def main():
        class Counting(aio.MsgReactor):
            handled = 0

            async def handleMsg01(self, obj, msg):
                self.handled += 1

        class Giving(aio.Dealer):
            async def recv(self, timeout=None):
                message = await super().recv(timeout)
                # Before the reactor hears of it.
                for task in reactor._tasks:
                    task.cancel()
                return message

        dealer = Giving("tcp://127.0.0.1:*")
        other = aio.Dealer(dealer.last_endpoint)
        reactor = Counting([dealer])
        reactor.start()
        await other.send(Msg01())
        await asyncio.wait_for(asyncio.gather(*reactor._tasks, return_exceptions=True), LIMIT)
        assert all(task.cancelled() for task in reactor._tasks)
        assert reactor.handled == 1

    run(main)


def test_a_cancel_right_after_it_was_woken_is_not_forgotten():
    async def main():
        _, subscriber = await pair()
        reader = asyncio.ensure_future(subscriber.recv(timeout=LIMIT))
        await asyncio.sleep(0.01)
        # As where another one takes the message that it is woken for.
        subscriber._readiness._wake()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reader, LIMIT / 2)

    run(main)


def test_dealers_and_routes():
    async def main():
        with connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
            worker = aio.Dealer(proxy.backend.last_endpoint.decode())
            asker = aio.Dealer(proxy.last_endpoint)
            await asker.send(Msg01(field1="x"))
            route, message = await worker.recv(timeout=LIMIT)
            await worker.send((route, message))
            assert (await asker.recv(timeout=LIMIT)).field1 == "x"

    run(main)


def test_bytes_are_sent_and_received():
    async def main():
        response = aio.asynchronous(connection.Response("tcp://127.0.0.1:*"))
        request = aio.asynchronous(connection.Request(response.last_endpoint))
        await request.send(b"ask", timeout=LIMIT)
        assert await response.recv(timeout=LIMIT) == b"ask"
        await response.send(b"answer")
        assert await request.recv(timeout=LIMIT) == b"answer"
        call = asyncio.ensure_future(request.call(b"ask again", timeout=LIMIT))
        assert await response.recv(timeout=LIMIT) == b"ask again"
        await response.send(b"\xff answer")
        assert await call == b"\xff answer"
        with pytest.raises(dividere.TimedOut):
            await request.call(b"nobody answers", timeout=0.02, retries=1)
        publisher = aio.asynchronous(connection.Publisher("tcp://127.0.0.1:*"))
        subscriber = aio.asynchronous(connection.Subscriber(publisher.last_endpoint))
        await publisher.wait_for_subscribers(timeout=LIMIT)
        publisher.send(b"1")
        await publisher.send_when_room(b"2", timeout=LIMIT)
        assert [await subscriber.recv(timeout=LIMIT) for _ in range(2)] == [b"1", b"2"]
        nobody = aio.asynchronous(connection.Request("tcp://127.0.0.1:1"))
        with pytest.raises(dividere.TimedOut):
            await nobody.send(b"ask", timeout=0.02)
        dealer = aio.asynchronous(connection.Dealer("tcp://127.0.0.1:*"))
        other = aio.asynchronous(connection.Dealer(dealer.last_endpoint))
        await other.send(b"x")
        assert await dealer.recv(timeout=LIMIT) == b"x"

    run(main)


def test_what_one_task_reads_ahead_does_not_keep_another_waiting():
    async def main():
        publisher, subscriber = await pair()
        count, seen = 600, []

        async def read():
            while len(seen) < count:
                try:
                    seen.append(int((await subscriber.recv(timeout=LIMIT)).sensor))
                except dividere.Closed:
                    return
            subscriber.close()

        readers = [asyncio.ensure_future(read()) for _ in range(3)]
        for i in range(count):
            publisher.send(Reading(sensor=str(i)))
            if i % 97 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*readers)
        assert sorted(seen) == list(range(count))
        # One that sleeps alone is not passed by.
        publisher, subscriber = await pair()
        first = asyncio.ensure_future(subscriber.recv(timeout=LIMIT))
        await asyncio.sleep(0)
        assert subscriber.blocking.connection._ahead._sleepers
        for i in range(7):
            publisher.send(Reading(sensor=str(i)))
        publisher.blocking.flush(timeout=LIMIT)
        # Read ahead, this would be all there is.
        for i in range(4):
            assert subscriber.blocking.recv(timeout=LIMIT).sensor == str(i)
        assert (await first).sensor == "4"
        # And once nobody sleeps, it is read ahead again.
        for i in range(count):
            publisher.send(Reading(sensor=str(i)))
        publisher.blocking.flush(timeout=LIMIT)
        rest = ["5", "6", *map(str, range(count))]
        while not subscriber.blocking.connection._ahead.queue:
            assert (await subscriber.recv(timeout=LIMIT)).sensor == rest.pop(0)
        assert [(await subscriber.recv(timeout=LIMIT)).sensor for _ in rest] == rest

    run(main)


def test_a_waiting_loop_costs_nothing():
    async def main():
        _, subscriber = await pair()
        waiting = asyncio.ensure_future(subscriber.recv())
        await asyncio.sleep(0.1)
        used = time.process_time()
        await asyncio.sleep(0.3)
        assert time.process_time() - used < 0.15
        waiting.cancel()

    run(main)
