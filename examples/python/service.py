"""A service: two instances under one name; a client that knows nothing but the name asks them in turn, and one of them
stops without the client noticing."""

import time

import dividere
from dividere.registry import ServiceRegistry
from dividere.service import Service, ServiceClient
from example_pb2 import Job, JobDone

NAME = "example.Square"


class Registry(ServiceRegistry.Server):
    """A registry at free ports; without these two lines, at those of dividere 2.2.0."""

    port = 0
    subPort = 0


class Square(Service):
    """An instance that squares numbers. Its name is that of its module and class."""

    __module__ = "example"

    def __init__(self, who):
        self.who = who
        super().__init__()

    def handleJob(self, job):
        if job.number >= 2**32:
            raise ValueError("that is too large")  # the asker is told
        self.send(JobDone(number=job.number, square=job.number**2, worker=self.who))


def ask(client, instances):
    """Asks until so many different instances have answered."""
    deadline = time.monotonic() + 20
    answered, number = set(), 0
    while len(answered) < instances:
        number += 1
        # What may be done twice is asked of another instance where the first one dies.
        done = client.call(Job(number=number), timeout=10, repeat=True)
        print(f"{done.number} squared is {done.square}, says {done.worker}")
        assert done.square == number**2, "that is wrong"
        answered.add(done.worker)
        assert time.monotonic() < deadline, "one of the instances was never asked"


def fails(client, number, *errors):
    """Asks what fails with one of these errors."""
    try:
        client.call(Job(number=number), timeout=10)
    except errors as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("that was answered")


def main():
    with Registry() as registry:
        # Where services of this program register.
        ServiceRegistry.Server.port = int(registry.last_endpoint.rpartition(":")[2])
        with ServiceClient(NAME, f"tcp://127.0.0.1:{ServiceRegistry.Server.port}") as client:
            with Square("grace"):
                with Square("ada"):
                    client.wait_for_service(timeout=10)
                    ask(client, 2)
                # The client goes to the other one.
                ask(client, 1)
                fails(client, 2**64 - 1, dividere.RemoteError)
            # At once, also where the client has not heard yet that the last one is gone.
            fails(client, 1, dividere.NotFound, dividere.Unreachable)


if __name__ == "__main__":
    main()
