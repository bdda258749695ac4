"""The real Python dividere 2.2.0, as a registry, as its client, or as a service, for test_registry.py.

    registry_peer_py22.py registry PORT PUBLISH_PORT
    registry_peer_py22.py client PORT
    registry_peer_py22.py service PORT PUBLISH_PORT

Says "ready" when it is there (a service with its name and port), answers each line of its input with one
line, and ends with its input.
"""

import os
import sys

from dividere import MsgLib, messaging, registry, service

# 2.2.0 asks for the address that leads to 8.8.8.8, which a test machine need not have.
registry.ServiceRegistry.Client.getLocalIp = lambda self: "127.0.0.1"


class Clock(service.Service):
    def handleServiceLookupReq(self, msg):
        self.send(MsgLib.ack(ok=True))


def say(*words):
    print(*words, flush=True)


def serve(role, ports):
    registry.ServiceRegistry.Server.port = ports[0]
    if role == "client":
        client = registry.ServiceRegistry.Client("localhost", ports[0])
        say("ready")
        for line in sys.stdin:
            verb, name, port = (line.split() + ["", ""])[:3]
            if verb == "register":
                client.registerService(name, int(port))
                say("done")
            elif verb == "unregister":
                client.unregisterService(name, int(port))
                say("done")
            elif verb == "call":
                found = client.lookupService(name)
                request = messaging.Request(f"tcp://{found.server}:{found.port}")
                request.send(MsgLib.ServiceLookupReq(serviceName="what"))
                say("answered", request.recv().ok)
            else:
                found = client.lookupService(name)
                say(found.server, found.port)
        return
    registry.ServiceRegistry.Server.subPort = ports[1]
    if role == "registry":
        kept = registry.ServiceRegistry.Server()
        say("ready")
    else:
        kept = Clock()
        say("ready", kept.name_, kept.port_)
    for _line in sys.stdin:
        say("alive" if kept.tid_.is_alive() else "dead")


serve(sys.argv[1], [int(port) for port in sys.argv[2:]])
# Its threads look only now and then whether they shall end.
os._exit(0)
