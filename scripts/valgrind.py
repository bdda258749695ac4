"""Runs the C and C++ tests of a CMake build tree under valgrind's memcheck.

    python3 scripts/valgrind.py BUILD [REGEX]

Takes the tests from ctest, without those whose command
is a script rather than a program. Fails when a test fails or memcheck finds an
error or a definite leak. DIVIDERE_TEST_SLOW=1 is set, for tests that measure time.
"""

import json
import os
import re
import subprocess
import sys

LIMIT_SECONDS = 600
FOUND = 99
VALGRIND = [
    "valgrind",
    "--quiet",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
    f"--error-exitcode={FOUND}",
    f"--suppressions={os.path.join(os.path.dirname(os.path.abspath(__file__)), 'valgrind.supp')}",
]


def tests(build):
    """The tests that ctest knows: name, command, environment, folder."""
    text = subprocess.run(
        ["ctest", "--show-only=json-v1"], cwd=build, check=True, stdout=subprocess.PIPE
    ).stdout
    for test in json.loads(text)["tests"]:
        properties = {item["name"]: item["value"] for item in test.get("properties", [])}
        if "command" not in test:
            continue
        environment = dict(line.split("=", 1) for line in properties.get("ENVIRONMENT", []))
        yield test["name"], test["command"], environment, properties.get("WORKING_DIRECTORY", build)


def is_program(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def run(command, environment, folder):
    """The outcome in a word or two, and what was printed."""
    try:
        done = subprocess.run(
            VALGRIND + command,
            cwd=folder,
            env={**os.environ, **environment, "DIVIDERE_TEST_SLOW": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired as expired:
        return f"no end within {LIMIT_SECONDS} s", expired.output or b""
    if done.returncode == 0:
        return "passed", done.stdout
    if done.returncode == FOUND:
        return "MEMORY", done.stdout
    return f"FAILED with {done.returncode}", done.stdout


def main():
    build = os.path.abspath(sys.argv[1])
    wanted = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    passed, failed, skipped = 0, [], 0
    for name, command, environment, folder in tests(build):
        if not wanted.search(name):
            continue
        if not is_program(command[0]):
            skipped += 1
            continue
        outcome, output = run(command, environment, folder)
        print(f"{outcome:8} {name}", flush=True)
        if outcome == "passed":
            passed += 1
        else:
            failed.append(name)
            sys.stdout.buffer.write(output)
            sys.stdout.flush()
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
