"""What a subscriber reads ahead is seen by nobody: order, waits, descriptors, threads, forks and closing."""

import os
import select
import threading
import time

import dividere
import messages_pb2
import pytest
from conftest import LIMIT, enveloped
from dividere import connection, messaging
from dividere._ahead import MOST

Reading = messages_pb2.Reading
MANY = 3 * MOST


def publishing(count=MANY, **options):
    """A publisher, and a subscriber for which so many messages are there."""
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    options = dividere.Options(**options) if options else None
    subscriber = messaging.Subscriber(publisher.last_endpoint, options=options)
    publisher.wait_for_subscribers(timeout=LIMIT)
    for i in range(count):
        publisher.send(numbered(i))
    publisher.flush(timeout=LIMIT)
    assert count == 0 or subscriber.wait(timeout=LIMIT)
    return publisher, subscriber


def numbered(i):
    return Reading(sensor=str(i))


def number(message):
    return int(message.sensor)


def read_ahead(subscriber):
    """Takes messages until some were read ahead, and gives those that it took."""
    taken = []
    end = time.monotonic() + LIMIT
    while len(subscriber.connection._ahead.queue) < 5:
        assert time.monotonic() < end, "nothing is read ahead"
        taken.append(number(subscriber.recv(timeout=LIMIT)))
    return taken


def test_messages_keep_their_order_however_they_are_taken():
    publisher, subscriber = publishing()
    taken = read_ahead(subscriber)
    ways = [
        lambda: [subscriber.recv(timeout=LIMIT)],
        lambda: subscriber.recv_many(3, timeout=LIMIT),
        lambda: [decoded(subscriber.connection.recv(timeout=LIMIT))],
        lambda: [decoded(one) for one in subscriber.connection.recv_many(3, timeout=LIMIT)],
        lambda: [decoded(subscriber.connection.socket_.recv_multipart()[0])],
    ]
    i = 0
    while len(taken) < MANY:
        assert subscriber.wait(timeout=LIMIT) and subscriber.connection.wait(timeout=LIMIT)
        taken += [number(message) for message in ways[i % len(ways)]()]
        i += 1
    assert taken == list(range(MANY))
    assert not subscriber.wait(0) and not subscriber.connection.wait(0)
    with pytest.raises(dividere.WouldBlock):
        subscriber.recv(timeout=0)


def decoded(data):
    envelope = dividere.MsgLib.msgEnvelope.FromString(data)
    return messaging.ProtoBuffDecoder().decode(envelope)


def test_recv_many_takes_what_was_read_ahead_and_what_is_queued():
    _, subscriber = publishing()
    taken = read_ahead(subscriber)
    ahead = len(subscriber.connection._ahead.queue)
    many = [number(message) for message in subscriber.recv_many(ahead + 7)]
    assert many == list(range(len(taken), len(taken) + ahead + 7))


def test_what_cannot_be_decoded_is_told_in_its_turn():
    publisher, subscriber = publishing(40)
    for data in (b"\xff\xff", enveloped("nowhere.Unknown", b"x"), enveloped("acme.v1.Reading", b"\xff")):
        publisher.connection.send(data)
    publisher.send(numbered(40))
    publisher.flush(timeout=LIMIT)
    seen = []
    for _ in range(44):
        try:
            seen.append(number(subscriber.recv(timeout=LIMIT)))
        except dividere.DecodeError as error:
            seen.append((type(error), error.data))
    assert seen == [
        *range(40),
        (dividere.DecodeError, b"\xff\xff"),
        (dividere.UnknownType, b"x"),
        (dividere.DecodeError, b"\xff"),
        40,
    ]


def test_large_messages_among_small_ones_arrive_and_end_the_reading_ahead():
    publisher, subscriber = publishing(0)
    sizes = [10, 10, 100_000, 200_000, 10, 300_000, 10] * 10
    for i, size in enumerate(sizes):
        publisher.send(Reading(sensor=str(i), blob=bytes(size)))
    publisher.flush(timeout=LIMIT)
    for i, size in enumerate(sizes):
        message = subscriber.recv(timeout=LIMIT)
        assert (number(message), len(message.blob)) == (i, size)
        held = sum(len(payload) for _, payload, _ in subscriber.connection._ahead.queue)
        assert held < 256 * 1024 + max(sizes)


@pytest.mark.parametrize(
    "options, most",
    [
        ({"receive_high_water_mark": 80}, 10),
        ({"receive_high_water_mark": 4}, 1),
        ({"keep_latest": 1}, 1),
        ({"receive_high_water_mark": 0}, MOST),
        ({}, 125),
    ],
)
def test_no_more_is_read_ahead_than_belongs_to_the_queue(options, most):
    publisher, subscriber = publishing(**options)
    deepest = 0
    try:
        while True:
            subscriber.recv(timeout=1)
            deepest = max(deepest, len(subscriber.connection._ahead.queue) + 1)
    except dividere.TimedOut:
        assert deepest <= most
    assert subscriber.connection._ahead._most == most


def test_all_that_was_read_ahead_goes_to_threads_that_wait():
    """One thread that takes messages leaves none lying while others sleep."""
    publisher, subscriber = publishing(0)
    taken = []
    done = threading.Event()

    def take():
        try:
            while True:
                taken.append(number(subscriber.recv()))
                if len(taken) == MANY:
                    done.set()
        except dividere.Closed:
            pass

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(MANY):
        publisher.send(numbered(i))
    assert done.wait(LIMIT), f"{len(taken)} of {MANY}"
    subscriber.close()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert sorted(taken) == list(range(MANY))


def test_nothing_is_read_ahead_while_somebody_sleeps():
    publisher, subscriber = publishing(0)
    ahead = subscriber.connection._ahead
    sleeping = threading.Thread(target=subscriber.connection.wait)
    sleeping.start()
    end = time.monotonic() + LIMIT
    while not ahead._sleepers:
        assert time.monotonic() < end
        time.sleep(0.001)
    publisher.send(numbered(0))
    sleeping.join(LIMIT)
    assert not sleeping.is_alive() and not ahead._sleepers
    # The same, held still.
    assert ahead.asleep()
    for i in range(1, MANY):
        publisher.send(numbered(i))
    taken = []
    for _ in range(50):
        taken.append(number(subscriber.recv(timeout=LIMIT)))
        assert not ahead.queue
    # Also by one that had looked before they fell asleep.
    assert ahead._fetch() is None and not ahead.queue
    ahead.awake()
    taken += read_ahead(subscriber)
    assert taken == list(range(len(taken)))
    assert not ahead.asleep(), "there is something to be taken before anybody sleeps"
    ahead.awake()


def test_a_descriptor_is_readable_while_anything_is_there():
    publisher, subscriber = publishing()
    taken = read_ahead(subscriber)
    fd = subscriber.fileno()
    assert fd == subscriber.fileno() == subscriber.connection.socket_.fileno()
    while len(taken) < MANY:
        assert select.select([fd], [], [], LIMIT)[0], f"not readable with {MANY - len(taken)} to come"
        # One at a time, as many programs do.
        taken.append(number(subscriber.recv(timeout=LIMIT)))
    assert taken == list(range(MANY))
    with pytest.raises(dividere.WouldBlock):
        subscriber.recv(timeout=0)
    assert not select.select([fd], [], [], 0)[0]
    publisher.send(numbered(7))
    assert select.select([fd], [], [], LIMIT)[0]
    assert number(subscriber.recv(timeout=0)) == 7


def test_a_descriptor_is_readable_where_everything_was_read_ahead():
    for _ in range(100):
        _, subscriber = publishing(7)
        # One, two, and then all four that are left, if they have arrived by then.
        taken = [number(subscriber.recv(timeout=LIMIT)) for _ in range(4)]
        if len(subscriber.connection._ahead.queue) == 3:
            break
    else:
        pytest.fail("the rest was never read ahead")
    fd = subscriber.fileno()
    while len(taken) < 7:
        assert select.select([fd], [], [], LIMIT)[0], f"not readable with {7 - len(taken)} to come"
        taken.append(number(subscriber.recv(timeout=0)))
    assert not select.select([fd], [], [], 0)[0]
    assert taken == list(range(7))


def test_an_interrupt_at_any_point_loses_nothing(monkeypatch):
    """As Ctrl-C right behind the call into C, and while messages are put into the queue."""
    from dividere import _ahead

    class Interrupt(BaseException):
        pass

    plain, at = _ahead._recv_batch, iter(range(1, 1000))

    def interrupted(handle, into, timeout):
        status = plain(handle, into, timeout)
        if into._obj.count > 1 and next(at) % 2:
            raise Interrupt
        return status

    class Makers(dict):
        def get(self, name):
            if next(at) % 11 == 0:
                raise Interrupt
            return super().get(name)

    publisher, subscriber = publishing()
    makers = Makers(_ahead.makers)
    taken, interrupts = [], 0
    with monkeypatch.context() as patch:
        patch.setattr(_ahead, "_recv_batch", interrupted)
        patch.setattr(_ahead, "makers", makers)
        while len(taken) < MANY:
            try:
                if len(taken) % 3 == 0:
                    assert subscriber.wait(timeout=LIMIT)
                taken.append(number(subscriber.recv(timeout=LIMIT)))
            except Interrupt:
                interrupts += 1
    assert taken == list(range(MANY)) and interrupts > 5


def test_a_signals_handler_may_close_it():
    _, subscriber = publishing()
    ahead = subscriber.connection._ahead
    read_ahead(subscriber)
    with ahead._lock:
        # As on the same thread, in the middle of anything.
        subscriber.close()
    with pytest.raises(dividere.Closed):
        subscriber.recv(timeout=0)


def test_poll_sees_what_was_read_ahead():
    _, subscriber = publishing()
    other = messaging.Subscriber("tcp://127.0.0.1:1")
    taken = read_ahead(subscriber)
    while len(taken) < MANY:
        assert list(connection.poll(other, subscriber, timeout=LIMIT)) == [subscriber]
        taken.append(number(subscriber.recv(timeout=0)))
    assert list(connection.poll(other, subscriber, timeout=0.01)) == []


def test_closing_drops_it():
    for close in (lambda one: one.close(), lambda one: one.connection.socket_.close()):
        _, subscriber = publishing()
        read_ahead(subscriber)
        close(subscriber)
        with pytest.raises(dividere.Closed):
            subscriber.recv(timeout=0)
        with pytest.raises(dividere.Closed):
            subscriber.connection.recv(timeout=0)


def test_the_end_of_the_connection_below_drops_it():
    _, subscriber = publishing()
    read_ahead(subscriber)
    subscriber.sub_ = None
    with pytest.raises(dividere.Closed):
        subscriber.recv(timeout=0)


def test_a_forked_child_has_none_of_it():
    _, subscriber = publishing()
    taken = read_ahead(subscriber)
    child = os.fork()
    if child == 0:
        try:
            subscriber.recv(timeout=0)
        except dividere.Forked:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    while len(taken) < MANY:
        taken.append(number(subscriber.recv(timeout=LIMIT)))
    assert taken == list(range(MANY))
