"""Load balancing of messages, for `dividere.messaging`."""

from __future__ import annotations

import datetime
from typing import Any

from google.protobuf.message import Message

from dividere import MsgLib, _balancing
from dividere._reactor import MtMsgReactor
from dividere.errors import StateError, TimedOut, Unreachable
from dividere.messaging import Dealer, ProtoBuffDecoder, ProtoBuffEncoder, Request
from dividere.options import Options


class LoadBalancingPattern:
    """Load balancing of messages: clients ask a broker, which hands each request to a server that is there."""

    class Broker(_balancing.Broker):
        """Binds to two ports at every address, or to two endpoints: for clients, and for servers."""

        HeartbeatRate = _balancing.HEARTBEAT_RATE

        def __init__(self, fePort: int | str, bePort: int | str, *, options: Options | None = None) -> None:
            self.decoder_ = ProtoBuffDecoder()
            self.encoder_ = ProtoBuffEncoder()
            self._open(fePort, bePort, self.HeartbeatRate, options)
            self.feSock_, self.beSock_ = self.frontend, self.backend

    class Server:
        """Serves what a broker hands it, by a reactor with a dealer. Give the reactor as `mh`, derived from
        `ServerMsgReactor`: its handlers have the form `handleX(self, obj, id, msg)` and answer with
        `obj.send((id, answer))`."""

        class ServerMsgReactor(MtMsgReactor):
            """A reactor that tells a broker that it is there: its first object is the dealer to the broker."""

            def __init__(self, objList: Any) -> None:
                self._life = _balancing.SignOfLife(LoadBalancingPattern.Broker.HeartbeatRate)
                self.hbExpireTime_ = self._expires()
                super().__init__(objList)
                self.sendHeartbeat()

            @staticmethod
            def _expires() -> datetime.datetime:
                rate = LoadBalancingPattern.Broker.HeartbeatRate
                return datetime.datetime.now() + datetime.timedelta(seconds=1.5 * rate)

            def resetHbTimer(self) -> None:
                """Puts off the next sign of life that is not asked for."""
                self._life.heard()
                self.hbExpireTime_ = self._expires()

            def sendHeartbeat(self) -> None:
                """Sends a sign of life."""
                assert self.objList_ is not None
                dealer = self.objList_[0]
                dealer.send(MsgLib.Heartbeat(id=dealer.sock_.identity.decode()))
                self.resetHbTimer()

            def handleHeartbeat(self, obj: Any, msg: Any) -> None:
                """Answers the broker, which asks whether it is there."""
                self.sendHeartbeat()

            def idle(self) -> None:
                """Announces itself anew to a broker that was silent for long."""
                if self._life.is_due:
                    self.sendHeartbeat()

        def __init__(self, endPt: str, mh: Any = None) -> None:
            self.msgHandler_ = mh if mh else self.ServerMsgReactor([Dealer(endPt)])

        def stop(self) -> None:
            """Ends its reactor."""
            self.msgHandler_.stop()

        def __enter__(self) -> LoadBalancingPattern.Server:
            return self

        def __exit__(self, *_: object) -> None:
            self.stop()

        def __repr__(self) -> str:
            return f"<{type(self).__module__}.{type(self).__qualname__} with {self.msgHandler_!r}>"

    class Client:
        """Asks a broker, and asks again, up to `maxRetries` times, where no answer comes within `retryTimeOutMs`
        milliseconds."""

        def __init__(
            self,
            endPt: str | list[str],
            maxRetries: int = 5,
            retryTimeOutMs: float = 5000,
            *,
            options: Options | None = None,
        ) -> None:
            self.maxRetries_ = maxRetries
            self.retryTimeOutMs_ = retryTimeOutMs
            self.lastMsg_: Any = None
            self.retryCount_ = 0
            # A request where 2.2.0 has a dealer: a late answer to an earlier message is not taken for this one's.
            self.sock_ = Request(endPt, options=options)

        def close(self) -> None:
            """Closes it."""
            self.sock_.close()

        def __enter__(self) -> LoadBalancingPattern.Client:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def __repr__(self) -> str:
            return f"<{type(self).__module__}.{type(self).__qualname__} with {self.sock_!r}>"

        def send(self, msg: Message) -> None:
            """Sends a message; one before that was not answered is given up."""
            self.lastMsg_ = msg
            try:
                self.sock_.send(msg)
            except StateError:
                try:
                    self.sock_.recv(timeout=0.001)
                except TimedOut:
                    # Given up now.
                    pass
                self.sock_.send(msg)

        def recv(self) -> Any:
            """The answer; None where there is none after all retries."""
            self.retryCount_ = 0
            seconds, is_asked = self.retryTimeOutMs_ / 1000, True
            while True:
                try:
                    if not is_asked:
                        self.sock_.send(self.lastMsg_, timeout=seconds)
                        is_asked = True
                    return self.sock_.recv(timeout=seconds)
                except (TimedOut, Unreachable):
                    # Unreachable: the broker was ended, or the server died with the request.
                    if self.retryCount_ >= self.maxRetries_:
                        return None
                    self.retryCount_ += 1
                    is_asked = False
