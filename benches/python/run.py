"""Compares the Python binding with dividere 2.2.0 and with pyzmq by hand, in alternating runs.

    run.py --ours PYTHON --old PYTHON [--rounds 5] [--sizes 64,1024,65536] [--json FILE]

PYTHON names an interpreter that has the library: ours (and protobuf), and one with dividere 2.2.0 and pyzmq.
Each cell is the median of the ratios of rounds in which each ran once, right after the other. Sending and
receiving are measured apart: a sender with a subscriber that takes everything; a receiver for which everything
waits already. Both sides of a round trip have one core together: on two it takes half as long again or not, as the
system places them, which hides everything else.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNTS = {64: 60_000, 1024: 50_000, 65536: 3_000}
ROUND_TRIPS = {64: 4_000, 1024: 4_000, 65536: 1_500}
LIMIT_S = 120

# What, with which side, against which library, and the target at 64 B.
COMPARED = [
    ("send", "2.2.0", 3.0),
    ("send", "by-hand", 1.0),
    ("recv", "2.2.0", 2.0),
    ("recv", "by-hand", None),
    ("wait", "2.2.0", 3.0),
    ("many", "by-hand", 1.5),
    # A request's `call`, which the others do not have, and its `send` and `recv`.
    ("call", "by-hand", 1.0),
    ("turns", "by-hand", 1.0),
    ("turns", "2.2.0", None),
]


class Side:
    def __init__(self, python, library, *arguments, alone=False):
        core = {max(os.sched_getaffinity(0))}
        self.process = subprocess.Popen(
            [python, str(HERE / "peer.py"), library, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, core)) if alone else None,
        )

    def line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"a peer ended with status {self.process.wait()}")
        return line

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def ends(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Bench:
    def __init__(self, pythons):
        self.pythons = pythons

    def side(self, library, *arguments, alone=False):
        python, name = self.pythons[library]
        return Side(python, name, *arguments, alone=alone)

    def throughput(self, library, size, count, how):
        """Seconds to send and seconds to receive."""
        sender = self.side(library, "publish", "tcp://127.0.0.1:*", size, count)
        # 2.2.0 cannot receive many at once, nor can anything by hand: they are compared with what they can.
        plain = "recv" if how == "many" and library != "ours" else how
        receiver = self.side(library, "subscribe", sender.line(), size, count, plain)
        receiver.line()
        while True:
            sender.tell("warm")
            sender.line()
            if receiver.line() == "there":
                break
        while receiver.line() != "empty":
            pass
        sender.tell("go")
        sent = float(sender.line())
        # Everything is on its way or there: the receiver's transport takes it in the background.
        receiver.tell("go")
        received = float(receiver.line())
        sender.ends()
        receiver.ends()
        return sent, received

    def round_trip(self, library, size, count, how):
        server = self.side(library, "respond", "tcp://*:*", size, count + count // 10, alone=True)
        client = self.side(library, "ask", server.line(), size, count, how, alone=True)
        seconds = float(client.line())
        server.process.kill()
        server.ends()
        client.ends()
        return seconds


def measure(bench, size, rounds, told):
    values = {}
    for number in range(rounds):
        libraries = ("ours", "2.2.0", "by-hand")
        for library in libraries if number % 2 == 0 else reversed(libraries):
            for how in ("recv", "wait", "many"):
                if how == "wait" and library == "by-hand" or how == "many" and library == "2.2.0":
                    continue
                sent, received = bench.throughput(library, size, COUNTS[size], how)
                values.setdefault((library, how), []).append(received / COUNTS[size])
                values.setdefault((library, "send", how), []).append(sent / COUNTS[size])
            took = bench.round_trip(library, size, ROUND_TRIPS[size], "turns")
            values.setdefault((library, "turns"), []).append(took)
            if library == "ours":
                took = bench.round_trip(library, size, ROUND_TRIPS[size], "call")
            values.setdefault((library, "call"), []).append(took)
        told(f"{size} B, round {number + 1} of {rounds}")
    for library in ("ours", "2.2.0", "by-hand"):
        values[(library, "send")] = values[(library, "send", "recv")]
    return values


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--old", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="64,1024,65536")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        proto = HERE
        command = ["protoc", f"--proto_path={proto}", f"--python_out={folder}", "payload.proto"]
        subprocess.run(command, check=True)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        pythons = {
            "ours": (arguments.ours, "dividere"),
            "2.2.0": (arguments.old, "dividere"),
            "by-hand": (arguments.old, "by-hand"),
        }
        bench = Bench(pythons)
        table = []
        for size in map(int, arguments.sizes.split(",")):
            values = measure(bench, size, arguments.rounds, lambda text: print(text, file=sys.stderr))
            for what, other, target in COMPARED:
                mine, theirs = values[("ours", what)], values[(other, what if what != "many" else "many")]
                ratio = statistics.median(b / a for a, b in zip(mine, theirs))
                row = {
                    "size": size,
                    "what": what,
                    "against": other,
                    "ours_us": statistics.median(mine) * 1e6,
                    "theirs_us": statistics.median(theirs) * 1e6,
                    "ratio": ratio,
                    "target": target if size == 64 else None,
                }
                table.append(row)
                verdict = "" if row["target"] is None else ("reached" if ratio >= target else "MISSED")
                print(
                    f"{size:>6} B  {what:<5} {row['ours_us']:8.2f} us  {other:<8} {row['theirs_us']:8.2f} us"
                    f"  {ratio:5.2f} times  {'target ' + str(row['target']) if row['target'] else '':<11} {verdict}"
                )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
