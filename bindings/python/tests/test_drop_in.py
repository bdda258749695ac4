"""Programs of dividere 2.2.0 run unchanged: the examples of its manual, its attributes, its peers."""

import inspect
import time
from pathlib import Path

import clientMsgs_pb2 as clientMsgs
import dividere
import pytest
from conftest import LIMIT
from dividere import MsgLib, connection, messaging
from google.protobuf import message_factory

MANUAL = Path(__file__).resolve().parent / "manual"
Msg01, Position = clientMsgs.Msg01, clientMsgs.Position


@pytest.mark.parametrize("name", ["publish_subscribe", "message_reactor"])
def test_the_examples_of_the_manual_run(run, name):
    """As they are printed, but for their ports, which may be taken on this machine."""
    text = (MANUAL / f"{name}.py").read_text()
    for port in ("5555", "5655"):
        text = text.replace(port, str(connection.PortManager.acquire()))
    out, errors = run(text).ends()
    assert "field1" in out and errors == ""
    if name == "message_reactor":
        assert "got msg01 msg" in out and "got msg02 msg" in out


NAMES = {
    connection: "PortManager Connector Publisher Subscriber Request Response Proxy Dealer LoadBalancingPattern logger",
    messaging: "ProtoBuffEncoder ProtoBuffDecoder Publisher Subscriber Request Response Dealer MsgReactor MtMsgReactor "
    "MpMsgReactor LoadBalancingPattern logger",
    dividere.registry: "ServiceRegistry",
    dividere.service: "Service",
    MsgLib: "msgEnvelope RegisterService UnregisterService ack RediscoverReq ServiceLookupReq ServiceLookupRep "
    "ShutdownEvent Heartbeat",
}


def test_every_name_of_its_modules_is_there():
    for module, names in NAMES.items():
        assert [name for name in names.split() if not hasattr(module, name)] == []
    from dividere import MsgLib_pb2

    assert MsgLib_pb2.Heartbeat is MsgLib.Heartbeat
    for pattern in (connection.LoadBalancingPattern, messaging.LoadBalancingPattern):
        assert pattern.Broker.HeartbeatRate == 3.0 and pattern.Client
    assert connection.LoadBalancingPattern.Broker.ServerRegisterMsg == b"\x01"
    assert connection.LoadBalancingPattern.Broker.HeartbeatMsg == b"\x02"
    registry = dividere.registry.ServiceRegistry
    assert (registry.Server.port, registry.Server.subPort) == (5000, 5001)


PARAMETERS = [
    (connection.Publisher, "endPoint"),
    (connection.Subscriber, "endPoint topic=''"),
    (connection.Request, "endPointList"),
    (connection.Response, "endPoint"),
    (connection.Dealer, "endPointList"),
    (connection.Proxy, "fePort bePort"),
    (messaging.Subscriber, "endPoint msgSubList=()"),
    (connection.Subscriber.wait, "self timeOutMs=None"),
    (messaging.Dealer.wait, "self timeOutMs=None"),
    (messaging.Dealer.sendWithEmptyFrame, "self msg"),
    (messaging.LoadBalancingPattern.Client, "endPt maxRetries=5 retryTimeOutMs=5000"),
    (messaging.LoadBalancingPattern.Server, "endPt mh=None"),
    (connection.LoadBalancingPattern.Broker, "feSockType feSockPort beSockType beSockPort"),
    (messaging.MpMsgReactor, "obj"),
]


@pytest.mark.parametrize(("function", "parameters"), PARAMETERS)
def test_parameters_have_its_names_and_defaults(function, parameters):
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
            found.append(parameter.name + default)
    assert " ".join(found) == parameters


def test_attributes_that_programs_reach_through():
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    endpoint = publisher.pub_.socket_.last_endpoint
    assert endpoint.startswith(b"tcp://127.0.0.1:") and publisher.endPoint_ == "tcp://127.0.0.1:*"
    assert publisher.pub_.socket_.getsockopt_string(32) == endpoint.decode()
    subscriber = messaging.Subscriber(endpoint.decode(), [Msg01()])
    publisher.wait_for_subscribers(1, Msg01, timeout=LIMIT)
    subscriber.sub_.subscribe(messaging.Subscriber.topicId(Position()))
    publisher.wait_for_subscribers(1, Position, timeout=LIMIT)
    assert messaging.Subscriber.topicId(Position()) == "\n\x08Position"
    publisher.send(Position(field1="x"))
    assert subscriber.sub_.poller_.poll(1000 * LIMIT)[0][0] is subscriber.sub_.socket_
    assert subscriber.recv() == Position(field1="x")
    assert isinstance(subscriber.decoder_, messaging.ProtoBuffDecoder)
    dealer = messaging.Dealer(["tcp://127.0.0.1:*"])
    other = connection.Dealer(dealer.last_endpoint)
    other.socket_.send_multipart([b"a", b"", dealer.encoder_.encode(Msg01(field1="y")).SerializeToString()])
    assert dealer.sock_.socket_.poll(1000 * LIMIT) == 1
    assert dealer.recv() == ([b"a", b""], Msg01(field1="y"))
    other.send(b"z")
    assert dealer.sock_.socket_.recv_multipart() == [b"z"]
    dealer.sock_.socket_.setsockopt(27, 20)
    with pytest.raises(TimeoutError):
        dealer.sock_.socket_.recv()
    assert len(dealer.sock_.socket_.getsockopt(5)) == 36
    dealer.sock_.socket_.setsockopt(17, 0)
    with pytest.raises(dividere.Unsupported):
        dealer.sock_.socket_.setsockopt(23, 5)
    reader = connection.Subscriber(endpoint.decode(), topic="t")
    reader.socket_.setsockopt(6, b"u")
    for kind in (connection.Connector, connection.Publisher):
        assert {"ctx_", "tid_", "socket_"} <= {name for base in kind.__mro__ for name in vars(base)}
    # None frees; nothing of ours keeps it.
    view = reader.socket_
    reader = None
    assert view.closed


def test_the_module_of_its_messages_is_an_attribute_of_the_package(run):
    run("import dividere; assert dividere.MsgLib_pb2.Heartbeat is dividere.MsgLib.Heartbeat").ends()


@pytest.mark.parametrize("module", [connection, messaging])
def test_a_receive_timeout_of_the_socket_holds_for_each_receive(module):
    response = module.Response("tcp://127.0.0.1:*")
    request = module.Request(response.last_endpoint)
    message = b"x" if module is connection else Msg01(field1="x")
    request.send(message)
    silent = module.Dealer("tcp://127.0.0.1:*")
    for one in (
        module.Subscriber("tcp://127.0.0.1:1"),
        silent,
        module.Response("tcp://127.0.0.1:*"),
        request,
    ):
        socket = getattr(one, "connection", one).socket_
        socket.setsockopt(27, 20)
        assert socket.getsockopt(27) == socket.rcvtimeo == 20
        for receive in (one.recv, one.recv_many, socket.recv):
            # It would wait for ever.
            with pytest.raises(TimeoutError):
                receive()
    # The request was not given up.
    assert response.recv() == message
    response.send(message)
    assert request.wait(1000 * LIMIT) and request.recv() == message
    other = module.Dealer(silent.last_endpoint)
    other.send(message)
    assert silent.wait(1000 * LIMIT) and silent.recv() == message
    getattr(silent, "connection", silent).socket_.rcvtimeo = -1
    other.send(message)
    assert silent.recv() == message


def test_a_monitor_logs_until_the_connection_is_freed(caplog):
    publisher = connection.Publisher("tcp://127.0.0.1:*")
    endpoint = publisher.last_endpoint
    caplog.set_level("DEBUG", connection.logger.name)
    monitor = publisher.registerSocketMonitoring(publisher.socket_)
    ended = time.monotonic() + LIMIT
    while "LISTENING" not in caplog.text and time.monotonic() < ended:
        time.sleep(0.01)
    assert f"Event: LISTENING on {endpoint}" in caplog.text
    # It keeps nothing open.
    publisher = None
    publisher = connection.Publisher(endpoint)
    monitor.join(LIMIT)
    assert not monitor.is_alive()
    publisher.close()
    connection.Connector.socketEventMonitor(publisher.socket_)


def test_options_of_a_socket_are_attributes_too():
    dealer = connection.Dealer("tcp://127.0.0.1:*")
    socket = dealer.socket_
    assert (socket.identity, socket.type, socket.SNDHWM) == (dealer.identity, 5, 1000)
    socket.linger = 0
    with pytest.raises(dividere.Unsupported):
        socket.sndhwm = 5
    for name in ("nothing", "maxmsgsize"):
        with pytest.raises(AttributeError):
            getattr(socket, name)
        # Nothing is set that has no effect.
        with pytest.raises(AttributeError):
            setattr(socket, name, 1)
    publisher = connection.Publisher("tcp://127.0.0.1:*")
    reader = connection.Subscriber(publisher.last_endpoint, "first")
    reader.socket_.subscribe(b"second")
    reader.socket_.unsubscribe("first")
    publisher.wait_for_subscribers(timeout=LIMIT)
    other = connection.Subscriber(publisher.last_endpoint)
    publisher.wait_for_subscribers(2, timeout=LIMIT)
    publisher.flush(timeout=LIMIT)
    for topic in (b"first", b"second"):
        publisher.send(topic)
    assert [other.recv(timeout=LIMIT) for _ in range(2)] == [b"first", b"second"]
    assert reader.recv(timeout=LIMIT) == b"second"


def test_an_endpoint_may_be_what_last_endpoint_gives():
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    at = publisher.pub_.socket_.last_endpoint
    assert isinstance(at, bytes)
    with messaging.Subscriber(at) as subscriber, messaging.Dealer([at]) as dealer:
        assert subscriber.connection.endpoints == dealer.connection.endpoints == [at.decode()]
    with pytest.raises(TypeError, match="an endpoint is text"):
        messaging.Publisher(5000)


def test_envelopes_are_those_of_2_2_0():
    envelope = messaging.ProtoBuffEncoder().encode(Msg01(field1="abc"))
    assert envelope.msgName == "Msg01" and envelope.msg.type_url == "type.googleapis.com/Msg01"
    assert messaging.ProtoBuffDecoder().decode(envelope) == Msg01(field1="abc")
    publisher = messaging.Publisher("tcp://127.0.0.1:*")
    raw = connection.Subscriber(publisher.last_endpoint)
    publisher.wait_for_subscribers(timeout=LIMIT)
    publisher.send(Msg01(field1="abc"))
    assert raw.recv(timeout=LIMIT) == envelope.SerializeToString()


@pytest.mark.skipif(
    not hasattr(message_factory, "GetMessageClass"), reason="2.2.0, and its peer, need protobuf 4.22 or newer"
)
def test_the_program_of_the_matrix_for_2_2_0_runs_with_ours(run):
    """The peer that tests/matrix has for the real 2.2.0, but for pyzmq, which it takes two constants of."""
    peer = (MANUAL.parents[3] / "tests" / "matrix" / "peer_py22.py").read_text()
    stand_in = "import sys, types; z = types.ModuleType('zmq'); z.LAST_ENDPOINT = 32; z.__version__ = '-'\n"
    stand_in += (
        "z.zmq_version = lambda: '-'; z.ZMQError = type('ZMQError', (Exception,), {'errno': 0}); z.EFSM = 1\n"
    )
    stand_in += "sys.modules['zmq'] = z\n"
    docstring = peer.index('"""', 3) + 3
    text = peer[:docstring] + "\n" + stand_in + peer[docstring:]
    text = text.replace("    import matrix_pb2  # noqa: F401\n    import telemetry_pb2  # noqa: F401\n", "")
    text = text.replace("import faulthandler\n", "import faulthandler\nimport clientMsgs_pb2\n")
    program = run(text.replace('__name__ == "__main__"', "True"), "/tmp")

    def tell(line):
        program.tell(line)
        return program.line()

    assert tell("hello").startswith("ok")
    at = tell("new response r tcp://*:*").split()[1].replace("[::]", "127.0.0.1")
    assert tell(f"new request q {at}").startswith("ok")
    assert tell("send q typed Msg01 0a0161") == "ok"
    assert tell("recv r") == "typed Msg01 0a0161"
    assert tell("send r typed Msg02 0a0162") == "ok"
    assert tell("recv q") == "typed Msg02 0a0162"
    assert tell("new reactor R") == "ok" and tell("on R Msg01 echo") == "ok"
    assert tell("add R r") == "ok" and tell("start R") == "ok"
    assert tell("call q typed Msg01 0a0163") == "typed Msg01 0a0163"
    assert tell("taken R") == "typed Msg01 0a0163"
    assert tell("new proxy x request_response - -").startswith("ok ")
    assert tell("reset") == "ok"
    program.process.stdin.close()
    program.process.stdin = None
    program.ends()
