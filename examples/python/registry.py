"""Names: a service registers, a client that knows nothing but its name finds it, and hears when it goes."""

import threading

import dividere
from dividere.messaging import Request, Response
from dividere.registry import ServiceRegistry, WatchKind
from example_pb2 import Division, Quotient

SERVICE = "example.division"


class Registry(ServiceRegistry.Server):
    """A registry at free ports; without these two lines, at those of dividere 2.2.0."""

    port = 0
    subPort = 0


def serve(response):
    # Ends when the response is closed.
    for division in response:
        if division.divisor == 0:
            response.send_error("nothing can be divided by zero", dividere.Status.INVALID_ARGUMENT)
            continue
        quotient, remainder = divmod(division.dividend, division.divisor)
        response.send(Quotient(quotient=quotient, remainder=remainder))


def find_and_ask(client):
    (place,) = client.lookup_all(SERVICE, timeout=5)
    print(f"{SERVICE} is at {place.endpoint} ({place.metadata.decode()})")
    with Request(place.endpoint) as request:
        answer = request.call(Division(dividend=17, divisor=5), timeout=5)
    print(f"17 / 5 = {answer.quotient}, remainder {answer.remainder}")
    assert (answer.quotient, answer.remainder) == (3, 2), "that is wrong"


def run(response):
    with Registry() as registry:
        port = int(registry.last_endpoint.rpartition(":")[2])
        # It renews what it registers as long as the process lives.
        client = ServiceRegistry.Client("127.0.0.1", port)
        service_port = int(response.last_endpoint.rpartition(":")[2])
        client.registerService(SERVICE, service_port, b"version 1", timeout=5)
        with client.watch(SERVICE, timeout=5) as watch:
            find_and_ask(client)
            client.unregisterService(SERVICE, service_port)
            for kind, instance in watch:
                if kind == WatchKind.DELETE:
                    print(f"{instance.name} is gone")
                    break
        assert client.lookupService(SERVICE, timeout=5).server == "unavailable", "it was unregistered"


def main():
    # At every address: what is registered is one that others reach.
    with Response("tcp://*:*") as response:
        server = threading.Thread(target=serve, args=(response,))
        server.start()
        try:
            run(response)
        finally:
            response.close()  # wakes the server
            server.join()


if __name__ == "__main__":
    main()
