"""A proxy: clients and servers know one address each, and none of the other side; servers come and go behind it."""

import threading
import time

from dividere.connection import Proxy
from dividere.messaging import Request, Response
from example_pb2 import Job, JobDone


def serve(response, name):
    # Ends when the response is closed.
    for job in response:
        response.send(JobDone(number=job.number, square=job.number**2, worker=name))


def ask(endpoint):
    """Asks until both servers have answered."""
    deadline = time.monotonic() + 20
    servers, number = set(), 0
    with Request(endpoint) as request:
        while len(servers) < 2:
            number += 1
            done = request.call(Job(number=number), timeout=10)
            print(f"{done.number} squared is {done.square}, says {done.worker}")
            assert done.square == number**2, "that is wrong"
            servers.add(done.worker)
            assert time.monotonic() < deadline, "one of the servers was never asked"


def main():
    with Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        # A response binds where its endpoint has a *, and connects where it has none.
        back = proxy.backend.last_endpoint.decode()
        servers = {name: Response(back) for name in ("ada", "grace")}
        threads = [threading.Thread(target=serve, args=(one, name)) for name, one in servers.items()]
        for thread in threads:
            thread.start()
        try:
            ask(proxy.last_endpoint)
        finally:
            for server in servers.values():
                server.close()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()
