"""Request and response: a question gets its answer, or an error, in time."""

import threading

import dividere
from dividere.messaging import Request, Response
from example_pb2 import Division, Quotient


def serve(response):
    # Ends when the response is closed.
    for division in response:
        if division.divisor == 0:
            response.send_error("nothing can be divided by zero", dividere.Status.INVALID_ARGUMENT)
            continue
        quotient, remainder = divmod(division.dividend, division.divisor)
        response.send(Quotient(quotient=quotient, remainder=remainder))


def ask(endpoint):
    with Request(endpoint) as request:
        # Waits two seconds for the answer, and asks up to four times more where none comes.
        answer = request.call(Division(dividend=17, divisor=5), timeout=2, retries=4)
        print(f"17 / 5 = {answer.quotient}, remainder {answer.remainder}")
        assert (answer.quotient, answer.remainder) == (3, 2), "that is wrong"
        # The server's error is ours.
        try:
            request.call(Division(dividend=17, divisor=0), timeout=2, retries=4)
        except dividere.InvalidArgument as error:
            print(f"17 / 0: {type(error).__name__}: {error}")
        else:
            raise AssertionError("17 / 0 was not refused")


def main():
    with Response("tcp://127.0.0.1:*") as response:
        server = threading.Thread(target=serve, args=(response,))
        server.start()
        try:
            ask(response.last_endpoint)
        finally:
            response.close()  # wakes the server
            server.join()


if __name__ == "__main__":
    main()
