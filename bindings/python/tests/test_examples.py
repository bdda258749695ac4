"""The examples of each pattern, run as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIMIT

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NAMES = sorted(path.stem for path in (EXAMPLES / "python").glob("*.py") if not path.stem.endswith("_pb2"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    protos = EXAMPLES / "proto"
    subprocess.run(
        ["protoc", f"--proto_path={protos}", f"--python_out={folder}", "example.proto"], check=True
    )
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_an_example_gets_what_it_should(name, generated):
    environment = {**os.environ, "PYTHONPATH": str(generated), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "python" / f"{name}.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=3 * LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") >= 2
    # Nothing on stderr but the log of a handler that is meant to fail.
    assert not done.stderr or (name == "service" and "ValueError: that is too large" in done.stderr)


def test_each_pattern_has_its_example_as_in_the_other_languages():
    others = sorted(path.stem for path in (EXAMPLES / "cpp").glob("*.cpp"))
    assert NAMES == others
