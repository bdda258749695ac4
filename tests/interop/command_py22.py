"""A publisher, a subscriber or a response of the real Python dividere 2.2.0, as a process of its own.

command_py22.py publisher PORT     publishes until it is ended
command_py22.py subscriber PORT    prints what it gets first
command_py22.py response PORT      answers look-ups until it is ended
"""

import os
import sys
import time

from dividere import MsgLib, messaging

role, port = sys.argv[1], int(sys.argv[2])
if role == "publisher":
    publisher = messaging.Publisher(f"tcp://*:{port}")
    while True:
        # Nobody tells a publisher of 2.2.0 that it has a subscriber.
        publisher.send(MsgLib.RegisterService(serviceName="roof", server="host", port=5101))
        time.sleep(0.05)
elif role == "subscriber":
    subscriber = messaging.Subscriber(f"tcp://127.0.0.1:{port}")
    message = subscriber.recv()
    print(type(message).__name__, message.serviceName, message.server, message.port, flush=True)
    # Its threads would keep the process.
    os._exit(0)
else:
    response = messaging.Response(f"tcp://*:{port}")
    print("ready", flush=True)
    while True:
        asked = response.recv()
        response.send(MsgLib.ServiceLookupRep(serviceName=asked.serviceName, server="host", port=7))
