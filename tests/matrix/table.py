"""Reads scenarios.txt and languages.txt, whose first lines describe them."""

import dataclasses
import json
import re
import shlex
import zlib
from typing import Optional

TRANSPORTS = ("tcp", "ipc", "inproc")
LONGEST_TOLD = 64


class Malformed(Exception):
    """A line of a table that is not as described."""


@dataclasses.dataclass(eq=False)
class Language:
    name: str
    command: list[str]
    cannot: dict[str, str] = dataclasses.field(default_factory=dict)
    # Not paired with itself, and why.
    alone: Optional[str] = None

    def lacks(self, feature, transport):
        """Why it cannot, or None where it can."""
        return self.cannot.get(feature) or self.cannot.get(f"{feature}_{transport}")


@dataclasses.dataclass
class Message:
    type_name: str
    payload: str

    def written(self):
        return f"typed {self.type_name} {self.payload}"

    def told(self):
        return f"typed {self.type_name} {told_payload(payload_of(self.payload))}"


@dataclasses.dataclass
class Step:
    line: int
    # A or B; for a join none.
    side: str
    # do, begins, ends or join
    kind: str
    command: str
    answer: str = "ok"
    answers_of: dict[str, str] = dataclasses.field(default_factory=dict)

    def expected(self, language):
        return self.answers_of.get(language, self.answer)


@dataclasses.dataclass
class Scenario:
    name: str
    transports: list[str]
    # side -> features
    needs: dict[str, list[str]]
    steps: list[Step]


def payload_of(text):
    if text == "-":
        return b""
    parts = (part.partition("x") for part in text.split(","))
    return b"".join(bytes.fromhex(digits) * int(times or 1) for digits, _, times in parts)


def told_payload(data):
    """As the peers tell a payload: a long one by its length and CRC-32."""
    if not data:
        return "-"
    return data.hex() if len(data) <= LONGEST_TOLD else f"{len(data)}:{zlib.crc32(data):08x}"


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#", 1)[0].split()
            if words:
                yield number, words


def read_languages(path, places):
    languages = []
    for number, words in lines_of(path):
        if words[0] == "language":
            command = [word.format(**places) for word in shlex.split(" ".join(words[2:]))]
            languages.append(Language(words[1], command))
        elif words[0] == "cannot" and len(words) > 2:
            languages[-1].cannot[words[1]] = " ".join(words[2:])
        elif words[0] == "alone":
            languages[-1].alone = " ".join(words[1:])
        else:
            raise Malformed(f"{path}:{number}: not understood: {' '.join(words)}")
    return languages


def read_scenarios(path, vectors_path):
    """All scenarios, each with `for X in ...` as often as it says, and the messages by name."""
    messages, blocks = {}, []
    for number, words in lines_of(path):
        if words[0] == "message" and len(words) == 4:
            messages[words[1]] = Message(words[2], words[3])
        elif words[0] == "scenario":
            blocks.append((" ".join(words[1:]), []))
        elif blocks:
            blocks[-1][1].append((number, words))
        else:
            raise Malformed(f"{path}:{number}: not in a scenario: {' '.join(words)}")
    vectors = read_vectors(vectors_path, messages)
    scenarios = []
    try:
        for name, lines in blocks:
            scenarios += scenarios_of(name, unrolled(lines, vectors), messages)
    except Malformed as error:
        raise Malformed(f"{path}:{error}") from None
    names = [scenario.name for scenario in scenarios]
    if len(set(names)) < len(names):
        raise Malformed(f"{path}: two scenarios have the same name")
    return scenarios, messages


def read_vectors(path, messages):
    """For each vector what its three words stand for; adds them to the messages."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    words = []
    for number, vector in enumerate(vectors):
        name = f"vector{number}"
        messages[name] = Message(vector["full_name"], vector["payload"] or "-")
        # 2.2.0 begins with field 1, the short name; ours is the full one.
        short, full = (
            b"\x0a%c%b" % (len(vector[key]), vector[key].encode()) for key in ("class_name", "full_name")
        )
        theirs = bytes.fromhex(vector["envelope"])
        if not theirs.startswith(short):
            raise Malformed(f"{path}: vector {number} does not begin with its class name")
        written = full + theirs[len(short) :]
        words.append(
            {
                "{vector}": f"{{{name}}}",
                "{envelope}": f"bytes {theirs.hex()}",
                "{written}": f"bytes {written.hex()}",
            }
        )
    return words


def unrolled(lines, vectors):
    """The lines with `repeat` and `for each vector`, neither within the other, written out."""
    out, rounds, inner = [], None, []
    for number, words in lines:
        if words[0] == "repeat":
            rounds = [{}] * int(words[1])
        elif words == ["for", "each", "vector"]:
            rounds = vectors
        elif words == ["end"] and rounds is not None:
            for values in rounds:
                out += [(n, " ".join(values.get(word, word) for word in line).split()) for n, line in inner]
            rounds, inner = None, []
        else:
            (out if rounds is None else inner).append((number, words))
    if rounds is not None:
        raise Malformed(f"{lines[-1][0]}: `end` is missing")
    return out


def scenarios_of(name, lines, messages):
    loop = next((words for _, words in lines if words[0] == "for"), None)
    if loop is None:
        return [scenario_of(name, lines, messages)]
    _, variable, _, *values = loop
    return [
        scenario_of(
            f"{name} ({variable} = {value})",
            [
                (n, [value if word == variable else word for word in line])
                for n, line in lines
                if line is not loop
            ],
            messages,
        )
        for value in values
    ]


def scenario_of(name, lines, messages):
    scenario = Scenario(name, list(TRANSPORTS), {"A": [], "B": []}, [])
    for number, words in lines:
        if words[0] == "only":
            scenario.transports = words[1:]
        elif words[0] == "needs" and words[1] in scenario.needs:
            scenario.needs[words[1]] += words[2:]
        elif words[0] == "join":
            scenario.steps.append(Step(number, "", "join", " ".join(words[1:])))
        elif words[0] in ("A", "B"):
            scenario.steps.append(step_of(number, words, messages))
        else:
            raise Malformed(f"{number}: not understood: {' '.join(words)}")
    if not scenario.steps:
        raise Malformed(f" the scenario `{name}` has no step")
    return scenario


def step_of(number, words, messages):
    def filled(text, told):
        def value(match):
            message = messages.get(match.group(1))
            if message is None:
                raise Malformed(f"{number}: no message is called {match.group(1)}")
            return message.told() if told else message.written()

        return re.sub(r"\{(\w+)\}", value, text)

    side, text = words[0], " ".join(words[1:])
    kind = "do"
    if words[1] in ("begins", "ends"):
        kind, text = words[1], " ".join(words[2:])
    command, arrow, answers = text.partition("=>")
    step = Step(number, side, kind, filled(command.strip(), False))
    if arrow:
        answer, *others = answers.split("~")
        step.answer = filled(bytes_told(answer.strip()), True)
        for other in others:
            language, _, its = other.strip().partition(" ")
            step.answers_of[language] = filled(bytes_told(its), True)
    return step


def bytes_told(answer):
    verb, _, payload = answer.partition(" ")
    return f"bytes {told_payload(payload_of(payload))}" if verb == "bytes" else answer
