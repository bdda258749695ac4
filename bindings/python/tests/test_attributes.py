"""Every attribute and method of dividere 2.2.0 is there, or is named as absent in the README, with the reason."""

import inspect
import json
import re
from pathlib import Path

import pytest
from dividere import connection, messaging, registry, service

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
NAMED = set(re.findall(r"`(?:\w+\.)?(\w+)`", README[README.index("Absent, with the reason") :]))
# What is not there, each of them named in the README.
ABSENT = {
    "connection.Proxy": "poller",
    "connection.Broker": "queue_ handleFeMsg handleBeMsg heartbeatServers updateWorker selectWorker run",
    "messaging.Broker": "context_ queue_ heartbeatServers run",
    "registry.Server": "pubSock_ reqSock_ run handleRegisterService handleUnregisterService handleServiceLookupReq",
    "service.Service": "reregisterThread",
}
CONNECTED = "ctx_ socket_ tid_ registerSocketMonitoring socketEventMonitor"
RECEIVING = f"{CONNECTED} poller_ recv wait"

ENDS = ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
NOBODY = "tcp://127.0.0.1:1"


class Worker(connection.LoadBalancingPattern.Worker):
    pass


class Answers(service.Service):
    pass


def a_service(monkeypatch):
    monkeypatch.setattr(registry.ServiceRegistry.Server, "port", 0)
    monkeypatch.setattr(registry.ServiceRegistry.Server, "subPort", 0)
    server = registry.ServiceRegistry.Server()
    monkeypatch.setattr(registry.ServiceRegistry.Server, "port", int(server.last_endpoint.rpartition(":")[2]))
    made = Answers()
    made.the_registry = server
    return made


def a_registry(monkeypatch):
    monkeypatch.setattr(registry.ServiceRegistry.Server, "port", 0)
    monkeypatch.setattr(registry.ServiceRegistry.Server, "subPort", 0)
    return registry.ServiceRegistry.Server()


# What makes one, and what 2.2.0's has, methods included.
OBJECTS = {
    "connection.Publisher": (lambda _: connection.Publisher(ENDS[0]), f"{CONNECTED} send"),
    "connection.Subscriber": (lambda _: connection.Subscriber(NOBODY), f"{RECEIVING} subscribe"),
    "connection.Request": (lambda _: connection.Request(NOBODY), f"{RECEIVING} send"),
    "connection.Response": (lambda _: connection.Response(ENDS[0]), f"{RECEIVING} send"),
    "connection.Dealer": (lambda _: connection.Dealer(NOBODY), f"{RECEIVING} send sendWithEmptyFrame"),
    "connection.Proxy": (
        lambda _: connection.Proxy(*ENDS),
        f"{CONNECTED} backend done_ mtid_ poller tid1_ stop run",
    ),
    "connection.Broker": (
        lambda _: connection.LoadBalancingPattern.Broker(6, ENDS[0], 6, ENDS[1]),
        "HeartbeatMsg HeartbeatRate ServerRegisterMsg backEnd_ backend done_ frontEnd_ frontend queue_ tid_ stop "
        "handleFeMsg handleBeMsg heartbeatServers updateWorker selectWorker run",
    ),
    "connection.Worker": (lambda _: Worker(NOBODY), "done_ tid_ stop run"),
    "connection.Client": (
        lambda _: connection.LoadBalancingPattern.Client(NOBODY),
        "endPointList_ msg_ socket_ send recv",
    ),
    "messaging.Publisher": (lambda _: messaging.Publisher(ENDS[0]), "encoder_ endPoint_ pub_ send"),
    "messaging.Subscriber": (
        lambda _: messaging.Subscriber(NOBODY),
        "decoder_ endPoint_ sub_ topicId recv wait",
    ),
    "messaging.Request": (
        lambda _: messaging.Request(NOBODY),
        "decoder_ encoder_ endPoint_ sock_ send recv wait",
    ),
    "messaging.Response": (
        lambda _: messaging.Response(ENDS[0]),
        "decoder_ encoder_ endPoint_ sock_ send recv wait",
    ),
    "messaging.Dealer": (
        lambda _: messaging.Dealer(NOBODY),
        "decoder_ encoder_ endPoint_ sock_ send recv wait sendWithEmptyFrame",
    ),
    "messaging.MtMsgReactor": (
        lambda _: messaging.MtMsgReactor([]),
        "done_ ipcName_ objList_ tid_ idle stop msgHandler handleShutdownEvent",
    ),
    "messaging.MpMsgReactor": (
        lambda _: messaging.MpMsgReactor([]),
        "done_ shutdownPub_ tid_ idle initThread stop msgHandler handleShutdownEvent",
    ),
    "messaging.Broker": (
        lambda _: messaging.LoadBalancingPattern.Broker(*ENDS),
        "HeartbeatRate beSock_ context_ decoder_ done_ encoder_ feSock_ queue_ tid_ stop heartbeatServers run",
    ),
    "messaging.Server": (lambda _: messaging.LoadBalancingPattern.Server(NOBODY), "msgHandler_ stop"),
    "messaging.ServerMsgReactor": (
        lambda _: messaging.LoadBalancingPattern.Server.ServerMsgReactor([messaging.Dealer(NOBODY)]),
        "done_ ipcName_ objList_ tid_ hbExpireTime_ resetHbTimer sendHeartbeat handleHeartbeat idle stop",
    ),
    "messaging.Client": (
        lambda _: messaging.LoadBalancingPattern.Client(NOBODY),
        "lastMsg_ maxRetries_ retryCount_ retryTimeOutMs_ sock_ send recv",
    ),
    "registry.Server": (
        a_registry,
        "port subPort done_ pubSock_ reqSock_ serviceMap tid_ stop run handleRegisterService "
        "handleUnregisterService handleServiceLookupReq",
    ),
    "registry.Client": (
        lambda _: registry.ServiceRegistry.Client("127.0.0.1", 1),
        "reqSock_ registerService unregisterService getLocalIp getPublicIp lookupService",
    ),
    "service.Service": (
        a_service,
        "done_ name_ port_ sock_ tid1_ tid_ stop send wait recv run reregisterThread setupSocket",
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_2_2_0_has_is_there_or_named_as_absent(name, monkeypatch):
    make, attributes = OBJECTS[name]
    made = make(monkeypatch)
    try:
        missing = [one for one in attributes.split() if not hasattr(made, one)]
    finally:
        end = getattr(made, "stop", None) or getattr(made, "close", None)
        if end is not None:
            end()
        if isinstance(made, service.Service):
            made.tid_.join()
            made.the_registry.stop()
    assert missing == [one for one in attributes.split() if one in ABSENT.get(name, "").split()]
    assert NAMED.issuperset(missing)


# Prints each class of the modules of dividere 2.2.0 with its methods and their parameters and defaults.
SURFACE = """
import inspect, json
from dividere import connection, messaging, registry, service
found = {}
def look(name, kind):
    for member, value in [("__init__", kind.__init__), *inspect.getmembers(kind)]:
        if inspect.isclass(value) and member[:1] != "_":
            look(name + "." + member, value)
        elif inspect.isfunction(value) and (member[:1] != "_" or member == "__init__"):
            parameters = inspect.signature(value).parameters.values()
            found[name + "." + member] = [
                (one.name, None if one.default is one.empty else repr(one.default)) for one in parameters
            ]
        elif member[:1] != "_" and not callable(value):
            found[name + "." + member] = repr(value)
for module in (connection, messaging, registry, service):
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if kind.__module__ == module.__name__:
            look(module.__name__[len("dividere."):] + "." + name, kind)
print(json.dumps(found))
"""
# An empty list that nobody can change.
SAME = {"[]": "()"}


def ours(name):
    thing = {"connection": connection, "messaging": messaging, "registry": registry, "service": service}
    path = name.split(".")
    found = thing[path[0]]
    for part in path[1:]:
        found = getattr(found, part)
    return found


def test_its_classes_have_the_methods_parameters_and_defaults_of_the_real_one(run, python22):
    theirs = json.loads(run(SURFACE, python=python22).line())
    assert len(theirs) > 80
    wrong = []
    for name, value in theirs.items():
        try:
            mine = ours(name)
        except AttributeError:
            if name.rpartition(".")[2] not in " ".join(ABSENT.values()).split():
                wrong.append(f"{name} is missing")
            continue
        if isinstance(value, str):
            if repr(mine) != value:
                wrong.append(f"{name} is {mine!r}, not {value}")
            continue
        if mine is object.__init__:
            continue
        parameters = [
            one for one in inspect.signature(mine).parameters.values() if one.kind != one.KEYWORD_ONLY
        ]
        for (wanted, default), one in zip(value, parameters):
            given = None if one.default is one.empty else repr(one.default)
            # What had to be given may be left out.
            if one.name != wanted or (default is not None and given != SAME.get(default, default)):
                wrong.append(f"{name}: {one} where it has {wanted}={default}")
        more = parameters[len(value) :]
        if len(parameters) < len(value) or any(one.default is one.empty for one in more):
            wrong.append(f"{name} takes {parameters}")
    assert not wrong
