"""The command dividere talks to programs that run the Python dividere 2.2.0."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/dividere"
PY22 = pathlib.Path(__file__).with_name("command_py22.py")
# Where only a failure would wait so long.
LIMIT_S = 30
LIMIT = f"{LIMIT_S}s"


@pytest.fixture
def start():
    """Starts processes that end with the test."""
    started = []

    def begin(*command):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def run(*arguments):
    done = subprocess.run(
        [str(COMMAND), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
    )
    assert done.returncode == 0, done
    return done.stdout


def test_sub_shows_what_a_publisher_of_22_sends(start, port):
    start(sys.executable, PY22, "publisher", port)
    for wanted in ([], ["RegisterService"]):
        out = run("sub", f"tcp://127.0.0.1:{port}", *wanted, "--count", "1", "--timeout", LIMIT, "--json")
        shown = json.loads(out)
        assert shown["type"] == "RegisterService"
        assert shown["message"] == {"serviceName": "roof", "server": "host", "port": 5101}


def test_a_subscriber_of_22_gets_what_pub_sends(start, port):
    subscriber = start(sys.executable, PY22, "subscriber", port)
    message = json.dumps({"serviceName": "roof", "server": "host", "port": 5101})
    run("pub", f"tcp://127.0.0.1:{port}", "RegisterService", message, "--timeout", LIMIT)
    assert subscriber.communicate(timeout=LIMIT_S)[0] == "RegisterService roof host 5101\n"


def test_call_asks_a_response_of_22(start, port):
    response = start(sys.executable, PY22, "response", port)
    assert response.stdout.readline() == "ready\n"
    question = [
        "call",
        f"tcp://127.0.0.1:{port}",
        "ServiceLookupReq",
        '{"serviceName": "roof"}',
        "--timeout",
        LIMIT,
    ]
    for _ in range(2):
        answer = json.loads(run(*question, "--json"))
        assert answer["type"] == "ServiceLookupRep"
        assert answer["message"] == {"serviceName": "roof", "server": "host", "port": 7}
