"""Publish and subscribe: every subscriber to a type gets every message of that type."""

import threading

from dividere.messaging import Publisher, Subscriber
from example_pb2 import Alarm, Reading

READINGS = 5


def publish(publisher):
    # At its end the publisher is closed. What it accepted still arrives, for up to a second (the option `linger_ms`).
    with publisher:
        # What is sent before a subscription has arrived is gone: wait for it.
        publisher.wait_for_subscribers(1, Reading, timeout=10)
        for number in range(READINGS):
            publisher.send(Reading(sensor="kitchen", celsius=20 + number))
            publisher.send(Alarm(text="Nobody subscribes to this, so it does not leave the publisher."))


def main():
    publisher = Publisher("tcp://127.0.0.1:*")  # * takes a free port
    with Subscriber(publisher.last_endpoint, [Reading]) as subscriber:
        publishing = threading.Thread(target=publish, args=(publisher,))
        publishing.start()
        received = 0
        # Ends when the subscriber is closed. `recv(timeout=10)` waits no longer than that.
        for reading in subscriber:
            print(f"{reading.sensor}: {reading.celsius:g} °C")
            assert reading.celsius == 20 + received, "this is not the next reading"
            received += 1
            if received == READINGS:
                subscriber.close()
        publishing.join()


if __name__ == "__main__":
    main()
