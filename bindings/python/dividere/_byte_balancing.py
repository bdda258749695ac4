"""Load balancing of bytes, for `dividere.connection`."""

from __future__ import annotations

import threading
from typing import Any

from dividere import _balancing
from dividere._socket import ROUTER
from dividere._waiting import given
from dividere.connection import Bytes, Dealer, Request, logger
from dividere.errors import InvalidArgument, TimedOut
from dividere.options import Options

# How the answer begins that a broker gives where there is none: its worker died, or it ends.
_NO_ANSWER = b"\n\x11dividere.v1.Error\x12"


class LoadBalancingPattern:
    """Load balancing of bytes: clients ask a broker, which hands each request to a worker that is there."""

    class Broker(_balancing.Broker):
        """Binds to two ports at every address, or to two endpoints: for clients, and for workers. The types of the
        sockets, which dividere 2.2.0 takes as constants of pyzmq, have to be ROUTER."""

        ServerRegisterMsg = b"\x01"
        HeartbeatMsg = b"\x02"
        HeartbeatRate = _balancing.HEARTBEAT_RATE

        def __init__(
            self,
            feSockType: int,
            feSockPort: int | str,
            beSockType: int,
            beSockPort: int | str,
            *,
            options: Options | None = None,
        ) -> None:
            if (int(feSockType), int(beSockType)) != (ROUTER, ROUTER):
                raise InvalidArgument("both sockets of a broker are ROUTER (6)")
            self._open(feSockPort, beSockPort, self.HeartbeatRate, options)
            self.frontEnd_ = {"sockType": feSockType, "endPt": _balancing.where(feSockPort, self.frontend)}
            self.backEnd_ = {"sockType": beSockType, "endPt": _balancing.where(beSockPort, self.backend)}

    class Worker:
        """Receives requests on a thread of its own. Derive from it, with a method `handletuple(self, msg)`: `msg` is
        the route of a request and its bytes, and what the method returns is sent as its answer; or it calls
        `self.send((route, answer))` at any time."""

        def __init__(self, endPt: str, *, options: Options | None = None) -> None:
            self._options = options
            self.done_ = False
            self.sock_: Dealer | None = None
            self.tid_ = threading.Thread(target=self.run, args=(endPt,))
            self.tid_.start()

        def stop(self) -> None:
            """Ends it after the request that it serves, and waits for that."""
            self.done_ = True
            if threading.current_thread() is not self.tid_:
                self.tid_.join()

        def __enter__(self) -> LoadBalancingPattern.Worker:
            return self

        def __exit__(self, *_: object) -> None:
            self.stop()

        def __repr__(self) -> str:
            state = "running" if self.tid_.is_alive() else "stopped"
            return f"<{type(self).__module__}.{type(self).__qualname__} {state}>"

        def send(self, msg: Any) -> None:
            """Sends an answer: a tuple of the route that the request came with, and bytes."""
            if self.sock_ is not None:
                self.sock_.send(msg)

        def run(self, endPt: str) -> None:
            """What the thread does."""
            broker = LoadBalancingPattern.Broker
            with Dealer(endPt, options=self._options) as sock:
                self.sock_ = sock
                life = _balancing.SignOfLife(broker.HeartbeatRate)
                sock.send(broker.ServerRegisterMsg)
                while not self.done_:
                    if life.is_due:
                        # A broker that was started anew knows nobody.
                        sock.send(broker.ServerRegisterMsg)
                        life.heard()
                    if not sock.wait(timeout=min(0.1, life.remaining())):
                        continue
                    msg = sock.recv()
                    life.heard()
                    if msg == broker.HeartbeatMsg:
                        sock.send(msg)
                    else:
                        self._serve(msg)

        def _serve(self, msg: Any) -> None:
            name = f"handle{type(msg).__name__}"
            try:
                answer = getattr(self, name)(msg)
                if answer is not None:
                    self.send((msg[0], answer) if isinstance(msg, tuple) else answer)
            except Exception:
                logger.exception("%s.%s failed", type(self).__name__, name)

    class Client:
        """Asks a broker, and asks again where no answer comes."""

        MaxRetry = 3

        def __init__(self, endPointList: str | list[str], *, options: Options | None = None) -> None:
            self._options = options
            self.msg_: Bytes | None = None
            self.endPointList_ = endPointList
            self.socket_: Request | None = Request(endPointList, options=options)

        def _request(self) -> Request:
            if self.socket_ is None:
                self.socket_ = Request(self.endPointList_, options=self._options)
            return self.socket_

        def close(self) -> None:
            """Closes it."""
            if self.socket_ is not None:
                self.socket_.close()

        def __enter__(self) -> LoadBalancingPattern.Client:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def __repr__(self) -> str:
            return f"<{type(self).__module__}.{type(self).__qualname__} with {self.socket_!r}>"

        def send(self, msg: Bytes) -> None:
            """Sends a request."""
            self.msg_ = msg
            self._request().send(msg)

        def recv(self, timeOutMs: float | None = None, *, timeout: float | None = None) -> bytes | None:
            """The answer, within `timeOutMs` milliseconds or `timeout` seconds; where none comes, the request is sent
            again, up to three times. None where none of them is answered. Without a time the first one waits for as
            long as it takes."""
            ms, is_asked = given(timeOutMs, timeout), True
            seconds = None if ms < 0 else ms / 1000
            for _ in range(self.MaxRetry + 1):
                try:
                    if not is_asked and self.msg_ is not None:
                        self._request().send(self.msg_, timeout=seconds)
                        is_asked = True
                    answer: bytes = self._request().recv(timeout=seconds)
                    if not answer.startswith(_NO_ANSWER):
                        return answer
                    logger.debug("the broker has no answer, and is asked again: %r", answer)
                except TimedOut:
                    # Asked again, or given up.
                    pass
                is_asked = False
            # The last one is given up with its time.
            return None
