"""Load balancing: a broker hands jobs to workers, which come and go; one dies on the way, and the client never
notices."""

import time

from dividere.messaging import Dealer, LoadBalancingPattern, Request
from example_pb2 import Job, JobDone


class Squares(LoadBalancingPattern.Server.ServerMsgReactor):
    """A worker that squares numbers, on a thread of its own."""

    def __init__(self, endpoint, name):
        self.name = name
        super().__init__([Dealer(endpoint)])

    def handleJob(self, dealer, route, job):
        dealer.send((route, JobDone(number=job.number, square=job.number**2, worker=self.name)))


def ask(request, workers):
    """Asks until so many different workers have answered."""
    deadline = time.monotonic() + 20
    answered, number = set(), 0
    while len(answered) < workers:
        number += 1
        # With retries a job may be done twice: it goes to another worker where the first one dies.
        done = request.call(Job(number=number), timeout=10, retries=2)
        print(f"{done.number} squared is {done.square}, says {done.worker}")
        assert done.square == number**2, "that is wrong"
        answered.add(done.worker)
        assert time.monotonic() < deadline, "one of the workers was never asked"


def main():
    with LoadBalancingPattern.Broker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as broker:
        back = broker.backend.last_endpoint.decode()
        ada, grace = Squares(back, "ada"), Squares(back, "grace")
        try:
            broker.wait_workers(2, timeout=10)
            with Request(broker.frontend.last_endpoint.decode()) as request:
                ask(request, 2)
                ada.objList_[0].close()  # gone without a word, as one that crashes
                ask(request, 1)
        finally:
            ada.stop()
            grace.stop()
        counts = broker.statistics()
        print(f"{counts.served} served, {counts.retried} handed to another worker")
        assert counts.failed == 0 and counts.refused == 0


if __name__ == "__main__":
    main()
