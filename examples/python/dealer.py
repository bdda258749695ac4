"""Dealers: many jobs under way at once, handed to the workers in turn; results come back in any order."""

import threading

from dividere.messaging import Dealer
from example_pb2 import Job, JobDone

JOBS = 12


def work(dealer, name):
    # Ends when the dealer is closed.
    for job in dealer:
        dealer.send(JobDone(number=job.number, square=job.number**2, worker=name))


def hand_out(dealer):
    dealer.wait_connected(2, timeout=10)
    for number in range(JOBS):
        dealer.send(Job(number=number))  # does not wait for any answer
    numbers, workers = set(), set()
    while len(numbers) < JOBS:
        done = dealer.recv(timeout=10)
        print(f"{done.number} squared is {done.square}, says {done.worker}")
        assert done.square == done.number**2 and done.number not in numbers, "that is wrong, or came twice"
        numbers.add(done.number)
        workers.add(done.worker)
    assert workers == {"ada", "grace"}, "one worker did everything"


def main():
    with Dealer("tcp://127.0.0.1:*") as dealer:
        workers = {name: Dealer(dealer.last_endpoint) for name in ("ada", "grace")}
        threads = [threading.Thread(target=work, args=(one, name)) for name, one in workers.items()]
        for thread in threads:
            thread.start()
        try:
            hand_out(dealer)
        finally:
            for worker in workers.values():
                worker.close()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()
