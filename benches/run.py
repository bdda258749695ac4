#!/usr/bin/env python3
"""Runs every library in turns and prints tables of ratios to raw libzmq; writes JSON with --json FILE.

Each cell is the median of the ratios of alternating runs: ours, theirs, ours, ... so that
whatever else the machine does hits both. Throughput: messages per second from the first
received to the last. Round trip: p50 and p99. Both sides have libzmq's own high-water marks,
senders wait where a queue is full. Build first: scripts/bench.sh.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile

TRANSPORTS = ("tcp", "ipc", "inproc")
SIZES = (64, 1024, 65536, 1048576)
# Enough for about half a second each, and no more than a machine has memory for.
COUNTS = {64: 1_000_000, 1024: 300_000, 65536: 15_000, 1048576: 1_000}
ROUND_TRIPS = {64: 10_000, 1024: 10_000, 65536: 3_000, 1048576: 300}
LIMIT_S = 60


class Program:
    """One library in one form: how it is started, and the frames that it is to be compared with."""

    def __init__(self, name, command, against=None, target=None, target_latency=None, equal_frames=False):
        """The target is a ratio, or one for each size that has one. With equal_frames the other one
        sends as many bytes more as the envelope takes, which the program tells."""
        self.name, self.command, self.against = name, command, against
        self.target, self.target_latency, self.equal_frames = target, target_latency, equal_frames

    @property
    def system_libzmq(self):
        return self.name.startswith("cppzmq")

    def exists(self):
        return os.access(self.command[0], os.X_OK)

    def target_at(self, size):
        return self.target.get(size) if isinstance(self.target, dict) else self.target

    def frame(self, size):
        """The payload with which the other program's frames are as long as ours with SIZE bytes."""
        if not self.equal_frames:
            return size
        done = subprocess.run(
            [*self.command, "frame", "-", str(size), "0"], capture_output=True, text=True, check=True
        )
        return int(done.stdout)


def endpoint(transport, folder, serial):
    if transport == "tcp":
        return "tcp://127.0.0.1:*"
    if transport == "ipc":
        return f"ipc://{folder}/{serial}"
    return f"inproc://bench-{serial}"


class Runner:
    def __init__(self, folder):
        self.folder, self.serial = folder, 0

    def pair(self, program, first, second, transport, size, count):
        self.serial += 1
        at = endpoint(transport, self.folder, self.serial)
        if transport == "inproc":
            command = [*program.command, "both", at, str(size), str(count)]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
        server = subprocess.Popen(
            [*program.command, first, at, str(size), str(count)], stdout=subprocess.PIPE, text=True
        )
        try:
            bound = server.stdout.readline().strip()
            command = [*program.command, second, bound, str(size), str(count)]
            out = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S
            ).stdout
            if server.wait(LIMIT_S) != 0:
                raise RuntimeError(f"{program.name} {first} failed")
            return out
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def pair_in_time(self, program, *pair):
        """As pair, once more where the system's libzmq hung, as 4.3.4 was seen to. Ours may not."""
        try:
            return self.pair(program, *pair)
        except subprocess.TimeoutExpired as error:
            if not program.system_libzmq:
                raise
            print(f"once more: {error}", flush=True)
            return self.pair(program, *pair)

    def throughput(self, program, transport, size, count):
        return count * 1e9 / int(self.pair_in_time(program, "send", "recv", transport, size, count))

    def round_trip(self, program, transport, size, count):
        times = sorted(int(t) for t in self.pair(program, "pong", "ping", transport, size, count).split())
        return times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000


def programs(build, target):
    raw = [f"{target}/dividere-bench", "raw"]
    c, cpp = f"{build}/benches/bench_c", f"{build}/benches/"
    return [
        Program("raw libzmq", raw),
        Program("Rust API", [f"{target}/dividere-bench", "rust"], "raw libzmq", 0.95, 1.05),
        Program("C ABI, bytes", [c, "bytes"], "raw libzmq", 0.95, 1.05),
        Program("C ABI, typed", [c, "typed"], "raw libzmq", 0.95, 1.05, equal_frames=True),
        Program("reactor", [c, "reactor"], "C ABI, typed", 0.8),
        Program("raw libzmq + protobuf", [cpp + "bench_raw_cpp"]),
        Program("C++", [cpp + "bench_cpp"], "raw libzmq + protobuf", 0.95, 1.05, equal_frames=True),
        Program("cppzmq + envelope by hand", [cpp + "bench_by_hand"]),
        Program("C++ to by hand", [cpp + "bench_cpp"], "cppzmq + envelope by hand", {64: 2.0}),
        Program("zmq4 + protobuf by hand", [f"{build}/go/by_hand"]),
        Program("Go", [f"{build}/go/ours", "one"], "zmq4 + protobuf by hand", 1.0, 1.1, equal_frames=True),
        Program(
            "Go, batches", [f"{build}/go/ours", "many"], "zmq4 + protobuf by hand", 2.0, equal_frames=True
        ),
    ]


def compare(runner, program, other, transport, size, runs, scale):
    count = max(100, int(COUNTS[size] * scale))
    frame = program.frame(size)
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(runner.throughput(program, transport, size, count))
        theirs.append(runner.throughput(other, transport, frame, count))
    return {
        "kind": "throughput",
        "program": program.name,
        "against": other.name,
        "transport": transport,
        "size": size,
        "ours": statistics.median(ours),
        "theirs": statistics.median(theirs),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs)),
        "target": program.target_at(size),
    }


def compare_latency(runner, program, other, transport, size, runs, scale):
    count = max(100, int(ROUND_TRIPS[size] * scale))
    frame = program.frame(size)
    pairs = [
        (
            runner.round_trip(program, transport, size, count),
            runner.round_trip(other, transport, frame, count),
        )
        for _ in range(runs)
    ]
    return {
        "kind": "round trip",
        "program": program.name,
        "against": other.name,
        "transport": transport,
        "size": size,
        "ours": statistics.median(a[0] for a, _ in pairs),
        "theirs": statistics.median(b[0] for _, b in pairs),
        "p99": statistics.median(a[1] for a, _ in pairs),
        "their_p99": statistics.median(b[1] for _, b in pairs),
        "ratio": statistics.median(a[0] / b[0] for a, b in pairs),
        "target": program.target_latency,
    }


# Clients, requests of each under way, workers, requests of each at once, requests of each client.
BALANCING = (
    ("1 x 100 to 1", 1, 100, 1, 1000, 200_000),
    ("8 x 1 to 8", 8, 1, 8, 1, 10_000),
    ("50 x 2 to 20", 50, 2, 20, 4, 4_000),
)


def balanced(bench, between, clients, window, workers, capacity, count, size):
    """Requests per second through zmq_proxy or our broker, with the same clients and workers."""
    with contextlib.ExitStack() as started:

        def start(*words):
            command = [*bench, *map(str, words)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            started.callback(process.stdout.close)
            started.callback(process.wait)
            started.callback(process.stdin.close)
            return process.stdout.readline().split()

        front, back = start(between)
        start("worker", back, workers, capacity)
        command = [*bench, *map(str, ("client", front, clients, window, size, count))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
        return clients * count * 1e9 / int(done.stdout)


def compare_balancing(target, runs, scale):
    bench = [f"{target}/dividere-bench", "balancing"]
    for name, clients, window, workers, capacity, count in BALANCING:
        shape = clients, window, workers, capacity, max(100, int(count * scale)), 64
        pairs = [(balanced(bench, "broker", *shape), balanced(bench, "proxy", *shape)) for _ in range(runs)]
        yield {
            "kind": "requests",
            "program": name,
            "against": "zmq_proxy",
            "transport": "tcp",
            "size": 64,
            "ours": statistics.median(ours for ours, _ in pairs),
            "theirs": statistics.median(theirs for _, theirs in pairs),
            "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
            "target": 0.7,
        }


# Clients, questions of each.
ASKING = ((1, 20_000), (100, 400))
NAMES = (10, 100_000)


@contextlib.contextmanager
def serving(command):
    """A server of names, for the time of a block: where it is."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def compare_names(target, runs, scale):
    """Look-ups and registrations per second at our registry, and at a bare response with the same replies."""
    bench = [f"{target}/dividere-bench", "names"]

    def asked(server, what, clients, count, names):
        command = [*bench, "ask", server, what, str(clients), str(count), str(names)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
        return clients * count * 1e9 / int(done.stdout)

    for names in NAMES:
        with serving([*bench, "registry"]) as registry, serving([*bench, "response"]) as response:
            subprocess.run([*bench, "fill", registry, str(names)], check=True, timeout=LIMIT_S)
            for what in ("lookup", "register"):
                for clients, questions in ASKING:
                    shape = what, clients, max(20, int(questions * scale)), names
                    pairs = [(asked(registry, *shape), asked(response, *shape)) for _ in range(runs)]
                    yield {
                        "kind": what,
                        "program": f"{clients} client{'s' if clients > 1 else ''}",
                        "against": f"a bare response, {names} names",
                        "transport": "tcp",
                        "size": 0,
                        "ours": statistics.median(ours for ours, _ in pairs),
                        "theirs": statistics.median(theirs for _, theirs in pairs),
                        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
                        "target": 0.8,
                    }


# So long a registry of 2.2.0, which answers one request a second, is asked; and each of the brokers.
OLD_QUESTIONS = 5
BROKER_S = 3
INTEROP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "interop")


def free_ports():
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1]), str(two.getsockname()[1])


def compare_names_with_old(target, python22, runs):
    """The same questions to our registry and to that of dividere 2.2.0, with one name."""
    bench = [f"{target}/dividere-bench", "names"]

    def asked(server, what, count):
        command = [*bench, "ask", server, what, "1", str(count), "1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
        return count * 1e9 / int(done.stdout)

    ports = free_ports()
    old = [python22, os.path.join(INTEROP, "registry_peer_py22.py"), "registry", *ports]
    with serving([*bench, "registry"]) as registry, serving(old):
        theirs_at = f"tcp://127.0.0.1:{ports[0]}"
        for server in (registry, theirs_at):
            subprocess.run([*bench, "fill", server, "1"], check=True, timeout=LIMIT_S)
        for what in ("lookup", "register"):
            ours = statistics.median(asked(registry, what, 5_000) for _ in range(runs))
            theirs = asked(theirs_at, what, OLD_QUESTIONS)
            yield {
                "kind": what,
                "program": "1 client",
                "against": "the registry of 2.2.0",
                "transport": "tcp",
                "size": 0,
                "ours": ours,
                "theirs": theirs,
                "ratio": ours / theirs,
                "target": None,
            }


def compare_broker_with_old(target, python22, runs):
    """One call after another through our broker and through that of dividere 2.2.0, whose own ends when it is asked
    while no worker is free: the same client and the same two workers."""
    bench = [f"{target}/dividere-bench", "balancing"]

    def calls(front, back):
        with serving([*bench, "echo", back, "2"]):
            command = [*bench, "call", front, str(BROKER_S)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
            return float(done.stdout)

    def ours():
        with serving([*bench, "broker"]) as ends:
            return calls(*ends.split())

    def theirs():
        ports = free_ports()
        old = [python22, os.path.join(INTEROP, "balancing_py22.py"), "broker", "bytes", *ports]
        with serving(old):
            return calls(*(f"tcp://127.0.0.1:{port}" for port in ports))

    pairs = [(ours(), theirs()) for _ in range(min(runs, 3))]
    yield {
        "kind": "requests",
        "program": "1 at once",
        "against": "the broker of 2.2.0",
        "transport": "tcp",
        "size": 64,
        "ours": statistics.median(ours for ours, _ in pairs),
        "theirs": statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
        "target": None,
    }


# What dies and how, the time of its lease or heartbeat, and by when it is to be gone, in ms.
DEATHS = (
    ("service killed", ("service", "KILL", 1000), 1000),
    ("service frozen", ("service", "STOP", 1000), 1000),
    ("worker killed", ("worker", "KILL", 500), 1000),
    ("worker frozen", ("worker", "STOP", 500), 1000),
)


def vanishing(target, runs):
    """The time from a death until it is told of, beside the one that is promised: the lease, or two heartbeats."""
    for name, words, promised in DEATHS:
        times = []
        for _ in range(runs):
            command = [f"{target}/dividere-bench", "vanishing", *map(str, words)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
            times.append(int(done.stdout) / 1000)
        ours = statistics.median(times)
        yield {
            "kind": "gone after",
            "program": name,
            "against": "the time promised",
            "transport": "tcp",
            "size": 0,
            "ours": ours,
            "theirs": promised * 1000,
            "ratio": ours / (promised * 1000),
            "target": 1.1,
        }


def compare_service(target, runs, scale):
    """Round trips of a call by name, and of a request to a bare response."""
    bench = [f"{target}/dividere-bench"]
    count = str(max(100, int(10_000 * scale)))

    def asked(*words):
        command = [*bench, "service", *words, count]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S)
        times = sorted(map(int, done.stdout.split()))
        return times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000

    with serving([*bench, "names", "registry"]) as registry:
        with (
            serving([*bench, "service", "serve", registry]),
            serving([*bench, "service", "response"]) as response,
        ):
            pairs = [(asked("call", registry), asked("ask", response)) for _ in range(runs)]
    yield {
        "kind": "round trip",
        "program": "call by name",
        "against": "a bare request",
        "transport": "tcp",
        "size": 0,
        "ours": statistics.median(ours[0] for ours, _ in pairs),
        "theirs": statistics.median(theirs[0] for _, theirs in pairs),
        "p99": statistics.median(ours[1] for ours, _ in pairs),
        "their_p99": statistics.median(theirs[1] for _, theirs in pairs),
        "ratio": statistics.median(ours[0] / theirs[0] for ours, theirs in pairs),
        "target": 1.1,
    }


def show(row):
    units = {"throughput": "msg/s", "requests": "req/s", "lookup": "req/s", "register": "req/s"}
    unit = units.get(row["kind"], "us")
    digits = 1 if unit == "us" else 0
    reached = ""
    if row["target"] is not None:
        good = row["ratio"] <= row["target"] if unit == "us" else row["ratio"] >= row["target"]
        reached = f"target {row['target']}" + ("" if good else "  MISSED")
    p99 = f"  p99 {row['p99']:.0f}/{row['their_p99']:.0f}" if "p99" in row else ""
    print(
        f"{row['kind']:<11}{row['program']:<16}{row['transport']:<8}{row['size']:>8} B"
        f"{row['ours']:>14,.{digits}f}{row['theirs']:>14,.{digits}f} {unit:<6}{row['ratio']:>7.3f} of "
        f"{row['against']}{p99}  {reached}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="CMake's build folder, with benches/ in it")
    parser.add_argument("--target", required=True, help="cargo's folder with dividere-bench in it")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the usual number of messages")
    parser.add_argument("--only", default="", help="part of a program's name")
    parser.add_argument("--transports", default=",".join(TRANSPORTS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument(
        "--python22", help="an interpreter with dividere 2.2.0: tests/interop/setup.sh prints one"
    )
    parser.add_argument("--json")
    arguments = parser.parse_args()
    known = {program.name: program for program in programs(arguments.build, arguments.target)}
    rows = []
    with tempfile.TemporaryDirectory(prefix="dividere-bench-") as folder:
        runner = Runner(folder)
        for program in known.values():
            if program.against is None or arguments.only not in program.name:
                continue
            other = known[program.against]
            missing = [p.name for p in (program, other) if not p.exists()]
            if missing:
                print(f"left out: {program.name}: {', '.join(missing)} was not built", flush=True)
                continue
            for transport in arguments.transports.split(","):
                for size in map(int, arguments.sizes.split(",")):
                    rows.append(
                        compare(runner, program, other, transport, size, arguments.runs, arguments.scale)
                    )
                    show(rows[-1])
                    if transport != "inproc" and program.target_latency is not None:
                        rows.append(
                            compare_latency(
                                runner, program, other, transport, size, arguments.runs, arguments.scale
                            )
                        )
                        show(rows[-1])
    others = [
        ("balancing", compare_balancing(arguments.target, arguments.runs, arguments.scale)),
        ("names", compare_names(arguments.target, arguments.runs, arguments.scale)),
        ("service", compare_service(arguments.target, arguments.runs, arguments.scale)),
        ("vanishing", vanishing(arguments.target, arguments.runs)),
    ]
    if arguments.python22:
        others.append(("names", compare_names_with_old(arguments.target, arguments.python22, arguments.runs)))
        others.append(
            ("balancing", compare_broker_with_old(arguments.target, arguments.python22, arguments.runs))
        )
    for name, compared in others:
        if arguments.only not in name or "tcp" not in arguments.transports:
            continue
        for row in compared:
            rows.append(row)
            show(row)
    if not arguments.python22:
        print("left out: the registry and the broker of 2.2.0: --python22 says where it is", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
