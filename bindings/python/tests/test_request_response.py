"""Asking and answering; dealers and proxies between them."""

import asyncio
import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import messages_pb2
import pytest
from conftest import LIMIT
from dividere import connection, messaging

Reading = messages_pb2.Reading
Msg01 = clientMsgs.Msg01


def pair(**options):
    response = messaging.Response("tcp://127.0.0.1:*")
    return messaging.Request(response.last_endpoint, **options), response


def test_send_and_receive_in_turn():
    request, response = pair()
    for i in range(20):
        request.send(Msg01(field1=str(i)))
        assert response.wait(LIMIT * 1000) is True
        assert response.recv().field1 == str(i)
        response.send(Reading(sensor=str(i)))
        assert request.recv(timeout=LIMIT).sensor == str(i)


def test_out_of_turn_is_an_error_and_harms_nothing():
    request, response = pair()
    assert request.wait(1) is False
    with pytest.raises(dividere.StateError):
        request.recv(timeout=0)
    with pytest.raises(dividere.StateError):
        response.send(Msg01())
    request.send(Msg01())
    with pytest.raises(dividere.StateError):
        request.send(Msg01())
    response.recv(timeout=LIMIT)
    assert response.wait(1) is False
    response.send(Msg01(field1="answer"))
    assert request.recv(timeout=LIMIT).field1 == "answer"


def test_after_a_timeout_the_next_request_is_served():
    request, response = pair()
    request.send(Msg01(field1="late"))
    with pytest.raises(TimeoutError):
        request.recv(timeout=0.05)
    request.send(Msg01(field1="next"))
    assert response.recv(timeout=LIMIT).field1 == "late"
    response.send(Msg01(field1="too late"))
    assert response.recv(timeout=LIMIT).field1 == "next"
    response.send(Msg01(field1="in time"))
    assert request.recv(timeout=LIMIT).field1 == "in time"


def serve(response, answer):
    def run():
        try:
            while True:
                answer(response.recv())
        except dividere.Closed:
            pass

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_calls_of_many_threads_each_get_their_own_reply():
    request, response = pair()
    server = serve(response, lambda message: response.send(message))
    wrong = []

    def ask(number):
        for i in range(50):
            text = f"{number} {i}"
            if request.call(Msg01(field1=text), timeout=LIMIT).field1 != text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ask("main")
    for thread in threads:
        thread.join()
    response.close()
    server.join()
    assert not wrong


def test_a_call_gives_up_in_time_or_asks_the_next_one():
    silent, response = messaging.Response("tcp://127.0.0.1:*"), messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request([silent.last_endpoint, response.last_endpoint])
    request.wait_connected(timeout=LIMIT)
    server = serve(response, lambda message: response.send(message))
    assert request.call(Msg01(field1="x"), timeout=0.2, retries=20).field1 == "x"
    response.close()
    server.join()
    began = time.monotonic()
    with pytest.raises(dividere.TimedOut):
        request.call(Msg01(), timeout=0.05, retries=2)
    assert time.monotonic() - began >= 0.14


def test_a_call_is_not_made_fewer_than_no_times_again():
    with messaging.Request("tcp://127.0.0.1:9") as request:
        for call in (request.call, dividere.aio.Request(request).call):
            with pytest.raises(ValueError, match="not -1"):
                made = call(Msg01(field1="x"), timeout=LIMIT, retries=-1)
                asyncio.run(asyncio.wait_for(made, LIMIT))
        with pytest.raises(ValueError, match="not -1"):
            request.connection.call(b"x", timeout=LIMIT, retries=-1)


def test_the_reply_to_a_call_that_was_given_up_is_dropped_and_counted():
    request, response = pair()
    with pytest.raises(dividere.TimedOut):
        request.call(Msg01(field1="late"), timeout=0.05)
    assert response.recv(timeout=LIMIT).field1 == "late"
    response.send(Msg01(field1="too late"))
    server = serve(response, lambda message: response.send(message))
    assert request.call(Msg01(field1="next"), timeout=LIMIT).field1 == "next"
    response.close()
    server.join()
    # It came before that one.
    assert request.statistics().dropped_stale == 1


@pytest.mark.parametrize("retries", [0, 1])
def test_a_call_tells_brokers_on_its_way_whether_it_may_be_repeated(retries):
    broker = messaging.Dealer("tcp://127.0.0.1:*")
    request = messaging.Request(broker.last_endpoint)
    told = []

    def answer():
        route, message = broker.recv(timeout=LIMIT)
        told.extend(route)
        broker.send((route, message))

    thread = threading.Thread(target=answer)
    thread.start()
    assert request.call(Msg01(field1="x"), timeout=LIMIT, retries=retries).field1 == "x"
    thread.join()
    # The number, "DV1", a byte of flags, and the time.
    assert told[0][8:12] == b"DV1" + bytes([retries])


def test_a_call_without_anybody_there_times_out():
    request = messaging.Request("tcp://127.0.0.1:1")
    with pytest.raises(TimeoutError):
        request.call(Msg01(), timeout=0.1)


def test_an_error_of_the_server_is_raised_at_the_caller():
    request, response = pair()
    request.send(Msg01())
    response.recv(timeout=LIMIT)
    response.send_error("no such sensor", dividere.Status.NOT_FOUND)
    with pytest.raises(dividere.NotFound, match="no such sensor"):
        request.recv(timeout=LIMIT)
    request.connection.send(b"\xff")
    with pytest.raises(dividere.DecodeError):
        response.recv(timeout=LIMIT)
    with pytest.raises(dividere.DecodeError):
        request.recv(timeout=LIMIT)


def test_bytes_are_asked_and_answered():
    response = connection.Response("tcp://127.0.0.1:*")
    request = connection.Request([response.last_endpoint])
    request.send(b"ask \x00")
    assert response.recv(timeout=LIMIT) == b"ask \x00"
    response.send(b"")
    assert request.recv(timeout=LIMIT) == b""
    server = serve(response, lambda data: response.send(data[::-1]))
    assert request.call(b"abc", timeout=LIMIT) == b"cba"
    assert request.call(bytes(100_000), timeout=LIMIT) == bytes(100_000)
    response.close()
    server.join()


def test_dealers_send_and_receive_in_any_order():
    one = messaging.Dealer("tcp://127.0.0.1:*")
    two = messaging.Dealer(one.last_endpoint)
    for i in range(10):
        two.send(Msg01(field1=str(i)))
    assert [one.recv(timeout=LIMIT).field1 for _ in range(10)] == [str(i) for i in range(10)]
    one.send(Reading(sensor="back"))
    assert two.recv(timeout=LIMIT).sensor == "back"
    assert len(one.connection.identity) == 36
    assert one.connection.socket_.getsockopt(5) == one.connection.identity


def test_a_dealer_asks_a_response_with_an_empty_frame():
    response = messaging.Response("tcp://127.0.0.1:*")
    dealer = messaging.Dealer(response.last_endpoint)
    dealer.sendWithEmptyFrame(Msg01(field1="ask"))
    assert response.recv(timeout=LIMIT).field1 == "ask"
    response.send(Msg01(field1="answer"))
    received = dealer.recv(timeout=LIMIT)
    assert (received[1] if isinstance(received, tuple) else received).field1 == "answer"


@pytest.mark.parametrize("asker", [messaging.Request, messaging.Dealer])
def test_through_a_proxy_a_dealer_answers_on_the_route(asker):
    with connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        dealer = messaging.Dealer(proxy.backend.last_endpoint.decode())
        request = asker(proxy.socket_.last_endpoint.decode())
        request.send(Msg01(field1="ask"))
        route, message = dealer.recv(timeout=LIMIT)
        assert isinstance(route, list) and message.field1 == "ask"
        dealer.send((route, Msg01(field1="answer")))
        assert request.recv(timeout=LIMIT).field1 == "answer"
        assert proxy.statistics().messages_in == 1


def test_a_proxy_passes_requests_to_responses_and_frees_its_ports():
    proxy = connection.Proxy(0, 0)
    front, back = proxy.socket_.last_endpoint.decode(), proxy.backend.last_endpoint.decode()
    here = "tcp://127.0.0.1:"
    response = messaging.Response(here + back.rpartition(":")[2])
    request = messaging.Request([here + front.rpartition(":")[2]])
    request.send(Msg01(field1="ask"))
    assert response.recv(timeout=LIMIT).field1 == "ask"
    response.send(Msg01(field1="answer"))
    assert request.recv(timeout=LIMIT).field1 == "answer"
    proxy.stop()
    with messaging.Publisher(front):
        pass


def test_a_proxy_passes_what_is_published():
    kind = dividere.ProxyKind.PUBLISH_SUBSCRIBE
    with connection.Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", kind=kind) as proxy:
        publisher = messaging.Publisher(">" + proxy.last_endpoint)
        subscriber = messaging.Subscriber(proxy.backend.last_endpoint.decode(), [Reading])
        publisher.wait_for_subscribers(1, Reading, timeout=LIMIT)
        publisher.send(Msg01())
        publisher.send(Reading(sensor="x"))
        assert subscriber.recv(timeout=LIMIT).sensor == "x"


def test_a_call_that_may_be_repeated_survives_a_lost_worker():
    """What a broker answers whose worker died with the request."""
    response = messaging.Response("tcp://127.0.0.1:*")
    request = messaging.Request(response.last_endpoint)

    def serve():
        for count, message in enumerate(response):
            if count % 2 == 0:
                response.send_error("the worker died", dividere.Status.UNREACHABLE)
            else:
                response.send(message)

    server = threading.Thread(target=serve)
    server.start()
    try:
        assert request.call(Msg01(field1="again"), timeout=LIMIT, retries=1).field1 == "again"
        with pytest.raises(dividere.Unreachable, match="the worker died"):
            request.call(Msg01(), timeout=LIMIT)
        # One more, so that the next one fails again.
        assert request.call(Msg01(field1="x"), timeout=LIMIT).field1 == "x"

        async def main():
            from dividere import aio

            caller = aio.Request(request)
            assert (await caller.call(Msg01(field1="b"), timeout=LIMIT, retries=1)).field1 == "b"
            with pytest.raises(dividere.Unreachable):
                await caller.call(Msg01(), timeout=LIMIT)

        asyncio.run(main())
    finally:
        response.close()
        server.join(LIMIT)
