"""Publishing and subscribing, typed and as bytes."""

import threading
import time

import clientMsgs_pb2 as clientMsgs
import dividere
import messages_pb2
import pytest
from conftest import LIMIT, enveloped
from dividere import connection, messaging

Reading = messages_pb2.Reading


def pair(*types, **options):
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    subscriber = messaging.Subscriber(publisher.last_endpoint, list(types), **options)
    publisher.wait_for_subscribers(timeout=LIMIT)
    return publisher, subscriber


def test_messages_arrive_equal_and_in_order():
    publisher, subscriber = pair()
    sent = [Reading(sensor=str(i), blob=bytes(i % 50)) for i in range(500)]
    for message in sent:
        publisher.send(message)
    assert [subscriber.recv(timeout=LIMIT) for _ in sent] == sent
    assert subscriber.wait(0) is False


def test_large_and_empty_messages_arrive():
    publisher, subscriber = pair()
    for size in (0, 1, 16 * 1024 - 30, 16 * 1024, 1_000_000):
        message = Reading(blob=b"x" * size)
        publisher.send(message)
        assert subscriber.recv(timeout=LIMIT) == message
    publisher.send(Reading())
    assert subscriber.recv(timeout=LIMIT) == Reading()


@pytest.mark.parametrize("listed", [list, tuple, lambda types: types[0]])
@pytest.mark.parametrize("given", [Reading, Reading(sensor="any"), "acme.v1.Reading"])
def test_a_type_may_be_a_class_a_message_or_a_name(given, listed):
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    subscriber = messaging.Subscriber(publisher.last_endpoint, listed([given]))
    publisher.wait_for_subscribers(1, given, timeout=LIMIT)
    assert publisher.subscribers(given) == 1
    assert publisher.subscribers(clientMsgs.Msg01) == 0
    publisher.send(clientMsgs.Msg01(field1="other"))
    publisher.send(Reading.Unit(name="nested, so another type"))
    publisher.send(Reading(sensor="wanted"))
    assert subscriber.recv(timeout=LIMIT).sensor == "wanted"


def test_types_are_added_and_removed():
    publisher, subscriber = pair(Reading)
    subscriber.subscribe(clientMsgs.Msg01)
    publisher.wait_for_subscribers(1, clientMsgs.Msg01, timeout=LIMIT)
    subscriber.unsubscribe(Reading)
    with pytest.raises(dividere.NotFound):
        subscriber.unsubscribe(Reading)
    subscriber.subscribe(clientMsgs.Msg02)
    publisher.wait_for_subscribers(1, clientMsgs.Msg02, timeout=LIMIT)
    publisher.send(Reading())
    publisher.send(clientMsgs.Msg02(field1="2"))
    assert subscriber.recv(timeout=LIMIT) == clientMsgs.Msg02(field1="2")


def test_many_are_received_at_once():
    publisher, subscriber = pair()
    sent = [Reading(sensor=str(i), blob=bytes(3000)) for i in range(700)]
    for message in sent:
        publisher.send(message)
    received = []
    while len(received) < len(sent):
        some = subscriber.recv_many(timeout=LIMIT)
        assert 1 <= len(some) <= 256
        received += some
    assert received == sent
    publisher.send(sent[0])
    publisher.send(sent[1])
    assert subscriber.recv_many(1, timeout=LIMIT) == sent[:1]
    assert subscriber.recv_many(1, timeout=LIMIT) == sent[1:2]
    with pytest.raises(TimeoutError):
        subscriber.recv_many(timeout=0.01)
    with pytest.raises(ValueError):
        subscriber.recv_many(0)


def test_many_large_ones_are_received_at_once_as_far_as_memory_is_cheap():
    publisher, subscriber = pair()
    sent = [
        Reading(sensor=str(i), blob=bytes([i]) * size) for i, size in enumerate((100, 9_000, 65_536) * 12)
    ]
    for one in sent:
        publisher.send(one)
    publisher.flush(timeout=LIMIT)
    received, largest = [], 0
    while len(received) < len(sent):
        some = subscriber.recv_many(timeout=LIMIT)
        largest = max(largest, sum(one.ByteSize() for one in some))
        received += some
    assert received == sent
    # What reaches 64 KiB ends a batch; a subscriber may have one that was read ahead as well.
    assert largest < 2 * (64 * 1024 + 65_536 + 100)


def test_what_is_no_envelope_is_an_error_with_its_bytes():
    publisher, subscriber = pair()
    publisher.connection.send(b"\xff\xffno envelope")
    publisher.send(Reading(sensor="next"))
    with pytest.raises(dividere.DecodeError) as caught:
        subscriber.recv(timeout=LIMIT)
    assert caught.value.data == b"\xff\xffno envelope"
    assert isinstance(caught.value, ValueError)
    assert subscriber.recv(timeout=LIMIT).sensor == "next"
    publisher.connection.send(b"\xff")
    publisher.send(Reading(sensor="last"))
    subscriber.wait()
    received = []
    while len(received) < 2:
        received += subscriber.recv_many(timeout=LIMIT)
    assert isinstance(received[0], dividere.DecodeError) and received[1].sensor == "last"
    assert subscriber.statistics().decode_errors == 2


def test_a_type_without_a_class_is_an_error_that_names_it():
    publisher, subscriber = pair()
    payload = Reading(sensor="x").SerializeToString()
    publisher.connection.send(enveloped("nowhere.Unknown", payload))
    with pytest.raises(dividere.UnknownType) as caught:
        subscriber.recv(timeout=LIMIT)
    assert (caught.value.type_name, caught.value.data) == ("nowhere.Unknown", payload)
    assert isinstance(caught.value, KeyError) and "nowhere.Unknown" in str(caught.value)


def test_bytes_arrive_and_are_filtered_by_topic():
    publisher = connection.Publisher("tcp://127.0.0.1:*")
    subscriber = connection.Subscriber(publisher.last_endpoint, "topic")
    publisher.wait_for_subscribers(timeout=LIMIT)
    publisher.send(b"another")
    publisher.send(bytearray(b"topic 1"))
    publisher.send(memoryview(b"topic \x00\xff"))
    assert subscriber.recv(timeout=LIMIT) == b"topic 1"
    assert subscriber.recv() == b"topic \x00\xff"
    with pytest.raises(TypeError):
        publisher.send("text")


def test_a_wait_takes_its_time_and_no_longer():
    _, subscriber = pair()
    for wait in (lambda: subscriber.wait(60), lambda: subscriber.wait(timeout=0.06)):
        began = time.monotonic()
        assert wait() is False
        assert time.monotonic() - began >= 0.06
    with pytest.raises(dividere.WouldBlock):
        subscriber.recv(timeout=0)
    with pytest.raises(dividere.TimedOut) as caught:
        subscriber.recv(timeout=0.01)
    assert not isinstance(caught.value, dividere.WouldBlock)


def test_a_subscriber_is_iterated_until_it_is_closed():
    publisher, subscriber = pair()
    for i in range(3):
        publisher.send(Reading(sensor=str(i)))
    seen = []

    def read():
        for message in subscriber:
            seen.append(message.sensor)
            if len(seen) == 3:
                all_there.set()

    all_there = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    assert all_there.wait(LIMIT)
    subscriber.close()
    reader.join(LIMIT)
    assert not reader.is_alive() and seen == ["0", "1", "2"]
    assert subscriber.closed
    with pytest.raises(dividere.Closed):
        subscriber.recv()


def test_a_blocked_receive_does_not_stop_other_threads():
    publisher, subscriber = pair()
    received = []
    reader = threading.Thread(target=lambda: received.append(subscriber.recv(timeout=LIMIT)))
    reader.start()
    # Runs while the other thread waits in C, and so without the interpreter's lock.
    publisher.send(Reading(sensor="from the main thread"))
    reader.join(LIMIT)
    assert received == [Reading(sensor="from the main thread")]


def test_none_frees_and_the_address_can_be_bound_on_the_next_line():
    for _ in range(20):
        publisher = messaging.Publisher("tcp://127.0.0.1:*")
        endpoint = publisher.last_endpoint
        subscriber = messaging.Subscriber(endpoint)
        publisher.wait_for_subscribers(timeout=LIMIT)
        publisher = None
        publisher = messaging.Publisher(endpoint)
        with pytest.raises(OSError) as caught:
            messaging.Publisher(endpoint)
        assert isinstance(caught.value, dividere.AddressInUse)
        assert "Address already in use" in str(caught.value)
        assert subscriber is not None


def test_with_closes():
    with messaging.Publisher("tcp://127.0.0.1:*") as publisher:
        endpoint = publisher.last_endpoint
        assert endpoint in repr(publisher)
    assert "closed" in repr(publisher)
    with pytest.raises(dividere.Closed):
        publisher.send(Reading())
    publisher.close()
    with messaging.Publisher(endpoint):
        pass


def test_what_was_sent_before_closing_arrives():
    publisher, subscriber = pair()
    for i in range(300):
        publisher.send(Reading(sensor=str(i), blob=bytes(1000)))
    publisher = None
    assert [subscriber.recv(timeout=LIMIT).sensor for _ in range(300)] == [str(i) for i in range(300)]


def test_events_statistics_and_waits():
    publisher, subscriber = pair()
    subscriber.wait_connected(timeout=LIMIT)
    publisher.send(Reading())
    publisher.flush(timeout=LIMIT)
    subscriber.recv(timeout=LIMIT)
    assert publisher.statistics().messages_out == 1
    assert subscriber.statistics().messages_in == 1
    assert publisher.statistics().subscribers == 1
    event = publisher.recv_event(timeout=LIMIT)
    assert event.kind == dividere.EventKind.LISTENING and event.endpoint == publisher.last_endpoint
    assert "LISTENING" in str(event)
    assert dividere.EventKind.CONNECTED in [event.kind for event in subscriber.events()]
    with pytest.raises(TimeoutError):
        publisher.wait_for_subscribers(2, timeout=0.05)


def test_options_are_checked_and_kept():
    options = dividere.Options(send_high_water_mark=5, full_queue="fail", linger_ms=0)
    assert options.get("send_high_water_mark") == 5 and options == options.copy()
    with pytest.raises(ValueError, match="linger_ms"):
        dividere.Options(linger_ms=-5)
    with pytest.raises(ValueError, match="no option 'lingering'"):
        dividere.Options(lingering=1)
    publisher = messaging.Publisher("tcp://127.0.0.1:*", options=options)
    subscriber = messaging.Subscriber(
        publisher.last_endpoint, options=dividere.Options(receive_high_water_mark=5)
    )
    publisher.wait_for_subscribers(timeout=LIMIT)
    with pytest.raises(dividere.WouldBlock):
        for _ in range(100_000):
            publisher.send(Reading(blob=bytes(10_000)))
    assert subscriber is not None


def test_keys_encrypt():
    server, client = dividere.curve_keypair(), dividere.curve_keypair()
    assert dividere.curve_public(server.secret) == server.public
    mine = dividere.Options(curve_server_secret_key=server.secret, curve_allowed_key=client.public)
    assert server.secret not in repr(mine)
    publisher = messaging.Publisher("tcp://127.0.0.1:*", options=mine)
    theirs = dividere.Options(curve_client_secret_key=client.secret, curve_server_public_key=server.public)
    subscriber = messaging.Subscriber(publisher.last_endpoint, options=theirs)
    publisher.wait_for_subscribers(timeout=LIMIT)
    publisher.send(Reading(sensor="secret"))
    assert subscriber.recv(timeout=LIMIT).sensor == "secret"


def test_what_is_no_message_is_refused():
    publisher, _ = pair()
    with pytest.raises(ValueError):
        publisher.send(b"bytes")
    with pytest.raises(ValueError):
        messaging.Subscriber("tcp://127.0.0.1:1", [3])
    with pytest.raises(dividere.EndpointError):
        messaging.Publisher("tcp:/127.0.0.1")


def test_poll_tells_which_have_something():
    one, two = connection.Publisher("tcp://127.0.0.1:*"), connection.Publisher("tcp://127.0.0.1:*")
    readers = [connection.Subscriber(p.last_endpoint) for p in (one, two)]
    for publisher in (one, two):
        publisher.wait_for_subscribers(timeout=LIMIT)
    assert list(connection.poll(*readers, timeout=0)) == []
    two.send(b"x")
    assert list(connection.poll(*readers, timeout=LIMIT)) == [readers[1]]
