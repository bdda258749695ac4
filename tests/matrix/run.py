#!/usr/bin/env python3
"""Runs every scenario of scenarios.txt for every ordered pair of the languages of languages.txt, over
every transport: tcp and ipc between two processes, inproc within one. Prints each case that fails with
what both peers were told and answered, and a closing line; exit status 0 only where none failed.

    tests/matrix/run.py --examples target/debug/examples --build build/test --python .../bin/python
        --python22 .../bin/python [--languages rust,py22] [--transports tcp] [--only WORDS] [--strict] [--verbose]
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time

from peers import Peer, PeerFailed
from table import TRANSPORTS, Malformed, payload_of, read_languages, read_scenarios

HERE = os.path.dirname(os.path.abspath(__file__))
# How often a publisher that cannot count its subscribers tries whether one listens.
PROBE_SECONDS = 0.02
PROBE = b"probe "
JOIN_SECONDS = 20
# Where so many failed, the others are not run: each may wait for long.
MOST_FAILURES = 12


class Mismatch(Exception):
    """A peer answered something else than the table says."""


class Case:
    """One scenario with one pair over one transport."""

    def __init__(self, scenario, messages, peers, transport, folder, number):
        self.scenario = scenario
        self.messages = messages
        self.peers = peers
        self.transport = transport
        self.place = f"{folder}/{number}" if transport == "ipc" else f"matrix-{number}"
        self.bound = 0
        self.endpoints = {}
        self.owners = {}

    def run(self):
        for step in self.scenario.steps:
            try:
                if step.kind == "join":
                    self.join(step.command.split())
                else:
                    self.take(step)
            except (Mismatch, PeerFailed) as error:
                raise type(error)(f"scenarios.txt:{step.line}: {error}") from None

    def take(self, step):
        peer = self.peers[step.side]
        command = " ".join(self.word(word) for word in step.command.split())
        if step.kind != "ends":
            peer.begin(command)
        if step.kind == "begins":
            return
        answer = peer.end()
        while PROBE.hex() in answer:
            # It was meant for another subscriber.
            answer = peer.ask(command)
        words = step.command.split()
        if words[:1] == ["new"]:
            if not answer.startswith("ok"):
                raise Mismatch(f"{peer.label}: `{step.command}` was answered with `{answer}`")
            self.owners[words[2]] = peer
            self.made(words[2], answer.split()[1:])
            return
        self.compare(peer, step.command, answer, step.expected(peer.language.name))

    @staticmethod
    def compare(peer, command, answer, expected):
        # Behind a # are words for people.
        if answer.partition(" # ")[0] != expected:
            raise Mismatch(f"{peer.label}: `{command}` was answered with `{answer}`, not with `{expected}`")

    def made(self, name, endpoints):
        names = [name] if len(endpoints) == 1 else [f"{name}.front", f"{name}.back"]
        self.endpoints.update(zip(names, endpoints))

    def word(self, word):
        """A word of a command with the endpoints in their places."""
        if word == "bind":
            self.bound += 1
            address = "127.0.0.1:*" if self.transport == "tcp" else f"{self.place}-{self.bound}"
            return f"@{self.transport}://{address}"
        if "$" not in word:
            return word
        parts = []
        for part in word.split(","):
            prefix, _, name = part.partition("$")
            endpoint = self.endpoints[name]
            # A path with a star, which 2.2.0 needs to bind to it, is still to be connected to.
            parts.append((">" if "*" in endpoint else prefix) + endpoint)
        return ",".join(parts)

    def join(self, words):
        publisher, message, count = words[:3]
        receive = " ".join(words[3:])
        sender, receiver = self.owners[publisher], self.owners[words[4]]
        prefix = message.partition(":")[2]
        if "count" not in sender.language.cannot:
            type_name = "-" if prefix else self.messages[message].type_name
            command = f"subscribers {publisher} {type_name} {count}"
            self.compare(sender, command, sender.ask(command), "ok")
            return
        self.probe(sender, publisher, message, receiver, receive)

    def probe(self, sender, publisher, message, receiver, receive):
        """Sends numbered messages until one arrives, and takes those that were sent after it."""
        prefix = message.partition(":")[2]

        def probe_of(number):
            text = PROBE + b"%06d" % number
            if prefix:
                return "bytes " + (payload_of(prefix) + text).hex()
            return f"typed {self.messages[message].type_name} {(bytes([10, len(text)]) + text).hex()}"

        deadline = time.monotonic() + JOIN_SECONDS
        sent = 0
        receiver.begin(receive)
        while not receiver.wait_answer(PROBE_SECONDS):
            if time.monotonic() > deadline:
                raise Mismatch(f"{receiver.label}: nothing of {sent} messages arrived")
            sent += 1
            command = f"send {publisher} {probe_of(sent)}"
            self.compare(sender, command, sender.ask(command), "ok")
        answer = receiver.end()
        while answer != probe_of(sent):
            if PROBE.hex() not in answer:
                raise Mismatch(
                    f"{receiver.label}: `{receive}` was answered with `{answer}`, not with a probe"
                )
            answer = receiver.ask(receive)


class Matrix:
    def __init__(self, arguments):
        self.arguments = arguments
        self.passed = self.failed = self.skipped = 0
        self.why_skipped = {}
        self.peers = {}
        self.number = 0
        self.folder = tempfile.mkdtemp(prefix="matrix-", dir="/tmp")

    def load(self):
        arguments = self.arguments
        places = {
            "examples": arguments.examples,
            "build": arguments.build,
            "here": HERE,
            "python": arguments.python or "python-not-given",
            "python22": arguments.python22 or "python22-not-given",
            "generated": os.path.join(self.folder, "generated"),
        }
        self.scenarios, self.messages = read_scenarios(
            os.path.join(HERE, "scenarios.txt"), os.path.join(HERE, "..", "vectors", "envelopes.json")
        )
        every = read_languages(os.path.join(HERE, "languages.txt"), places)
        if arguments.languages:
            wanted = arguments.languages.split(",")
            unknown = set(wanted) - {language.name for language in every}
            if unknown:
                raise Malformed(f"no such language: {', '.join(sorted(unknown))}")
            every = [language for language in every if language.name in wanted]
        self.languages = [language for language in every if os.path.exists(language.command[0])]
        self.missing = [language for language in every if language not in self.languages]
        if arguments.only:
            self.scenarios = [s for s in self.scenarios if arguments.only in s.name]
        if not self.scenarios:
            raise Malformed("no scenario has that in its name")
        generated = places["generated"]
        os.mkdir(generated)
        protos = [os.path.join(HERE, "matrix.proto"), os.path.join(HERE, "..", "vectors", "telemetry.proto")]
        for proto in protos if any("py" in language.name for language in self.languages) else []:
            subprocess.run(
                ["protoc", f"--proto_path={os.path.dirname(proto)}", f"--python_out={generated}", proto],
                check=True,
            )

    def peer(self, language, side):
        """The process of a language that plays a side: started once, and again only when it failed."""
        key = language.name, side
        if key not in self.peers:
            self.peers[key] = Peer(language, f"{side} ({language.name})")
            hello = self.peers[key].start()
            if self.arguments.verbose:
                print(f"{self.peers[key].label}: {hello}")
        return self.peers[key]

    def cases(self):
        for left, right in itertools.product(self.languages, repeat=2):
            for transport in self.arguments.transports.split(","):
                if (left is right and left.alone) or (transport == "inproc" and left is not right):
                    continue
                for scenario in self.scenarios:
                    yield scenario, left, right, transport

    def run(self):
        for case in self.cases():
            self.case(*case)
            if self.failed == MOST_FAILURES:
                print(f"the others are not run: {MOST_FAILURES} failed")
                break
        for peer in self.peers.values():
            self.end(peer)

    def end(self, peer):
        status = peer.stop()
        if status != 0:
            self.failed += 1
            print(f"FAIL the end of {peer.label}: status {status}\n    {peer.stderr()}")

    def lacking(self, scenario, sides, transport):
        if transport not in scenario.transports:
            return f"not over {transport}"
        for side, language in sides.items():
            for feature in [transport] + scenario.needs[side]:
                reason = language.lacks(feature, transport)
                if reason:
                    return f"{side} = {language.name}: {reason}"
        return None

    def case(self, scenario, left, right, transport):
        name = f"{scenario.name} [{left.name} -> {right.name}, {transport}]"
        reason = self.lacking(scenario, {"A": left, "B": right}, transport)
        if reason:
            self.skipped += 1
            if self.arguments.verbose:
                print(f"skip {name}: {reason}")
            return
        self.number += 1
        started = time.monotonic()
        one_process = transport == "inproc"
        sides = {"A": (left, "A"), "B": (right, "A" if one_process else "B")}
        try:
            peers = {side: self.peer(*key) for side, key in sides.items()}
            for peer in peers.values():
                peer.transcript.clear()
            Case(scenario, self.messages, peers, transport, self.folder, self.number).run()
            for peer in dict.fromkeys(peers.values()):
                peer.reset()
        except (Mismatch, PeerFailed) as error:
            self.fail(name, error, sides)
            return
        self.passed += 1
        if self.arguments.verbose:
            print(f"pass {name} ({(time.monotonic() - started) * 1000:.0f} ms)")

    def fail(self, name, error, sides):
        self.failed += 1
        print(f"FAIL {name}: {error}")
        for language, side in dict.fromkeys(sides.values()):
            # What it is in the middle of is of no use to the next case.
            peer = self.peers.pop((language.name, side), None)
            if peer is None:
                continue
            transcript, status = list(peer.transcript), peer.stop()
            print(f"  {peer.label}, which ended with status {status}:")
            for line in transcript + peer.stderr().splitlines():
                print(f"    {line[:300]}")
        sys.stdout.flush()

    def report(self):
        for language in self.missing:
            print(f"MISSING {language.name}: {language.command[0]} is not there; its cases were not run")
        if self.missing and self.arguments.strict:
            self.failed += len(self.missing)
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return self.failed == 0 and self.passed > 0

    def clean(self):
        for peer in self.peers.values():
            peer.stop()
        for folder, folders, files in os.walk(self.folder, topdown=False):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                os.rmdir(os.path.join(folder, name))
        os.rmdir(self.folder)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", default="target/debug/examples", help="cargo's folder of examples")
    parser.add_argument("--build", default="build/test", help="the CMake build tree")
    parser.add_argument("--python", help="a Python with the Python binding")
    parser.add_argument("--python22", help="a Python with dividere 2.2.0")
    parser.add_argument("--languages", help="only these, separated by commas")
    parser.add_argument("--transports", default=",".join(TRANSPORTS), help="only these, separated by commas")
    parser.add_argument("--only", help="only scenarios with this in their names")
    parser.add_argument("--strict", action="store_true", help="a peer that is missing is a failure")
    parser.add_argument("--verbose", action="store_true", help="print every case, also why one is skipped")
    matrix = Matrix(parser.parse_args())
    # As `timeout` ends it: tidies up on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("matrix: ended from outside"))
    try:
        matrix.load()
        matrix.run()
        return 0 if matrix.report() else 1
    except Malformed as error:
        print(f"matrix: {error}", file=sys.stderr)
        return 2
    finally:
        matrix.clean()


if __name__ == "__main__":
    sys.exit(main())
