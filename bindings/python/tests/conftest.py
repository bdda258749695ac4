"""What the tests share: message classes, programs in processes of their own, and limits."""

import atexit
import faulthandler
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# Where only a failure would wait so long.
LIMIT = 20


def _generate():
    """Python classes of the messages, for the processes of the tests, too."""
    folder, mine = tempfile.mkdtemp(prefix="dividere-messages-"), os.getpid()
    # Not at the end of a child that was forked.
    atexit.register(lambda: os.getpid() == mine and shutil.rmtree(folder))
    command = [
        "protoc",
        f"--proto_path={HERE}",
        f"--python_out={folder}",
        "messages.proto",
        "clientMsgs.proto",
    ]
    subprocess.run(command, check=True)
    return folder


GENERATED = os.environ.get("DIVIDERE_TEST_MESSAGES") or _generate()
os.environ["DIVIDERE_TEST_MESSAGES"] = GENERATED
sys.path[:0] = [GENERATED, str(HERE)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Says where a test hangs, and ends it."""
    faulthandler.dump_traceback_later(6 * LIMIT, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


class Program:
    """A Python program in a process of its own, whose lines are read as they come."""

    def __init__(self, text, *arguments, python=sys.executable):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([GENERATED, str(HERE)]),
            "PYTHONUNBUFFERED": "1",
        }
        if python == sys.executable and os.environ.get("PYTHONPATH"):
            environment["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
        self.process = subprocess.Popen(
            [python, "-X", "faulthandler", "-c", text, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def line(self):
        """Its next line; fails with what it said on stderr when it ended."""
        line = self.process.stdout.readline()
        if not line:
            _, errors = self.process.communicate(timeout=LIMIT)
            pytest.fail(f"the program ended with status {self.process.returncode}:\n{errors}")
        return line.strip()

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ends(self, status=0):
        """Waits for its end, and gives what it wrote."""
        try:
            out, errors = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.send_signal(6)
            out, errors = self.process.communicate()
            pytest.fail(f"the program does not end:\n{errors}")
        assert self.process.returncode == status, f"status {self.process.returncode}\n{out}\n{errors}"
        return out, errors


def enveloped(name, payload):
    """What travels for a message of this type, whatever its payload."""
    from dividere import MsgLib

    envelope = MsgLib.msgEnvelope(msgName=name)
    envelope.msg.type_url = f"type.googleapis.com/{name}"
    envelope.msg.value = payload
    return envelope.SerializeToString()


@pytest.fixture
def run():
    """Starts programs, and leaves none behind."""
    programs = []

    def start(text, *arguments, **more):
        programs.append(Program(text, *arguments, **more))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()


@pytest.fixture
def python22():
    """An interpreter that has the real dividere 2.2.0."""
    python = os.environ.get("DIVIDERE_PYTHON22")
    if not python:
        pytest.skip(
            "DIVIDERE_PYTHON22 names no Python with dividere 2.2.0 (tests/interop/setup.sh makes one)"
        )
    return python
