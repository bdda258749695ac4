"""Reads scenarios.txt and languages.txt, whose first lines describe them."""

import dataclasses
import re
import shlex
import zlib
from typing import Dict, List, Optional

TRANSPORTS = ("tcp", "ipc", "inproc")
LONGEST_TOLD = 64


class Malformed(Exception):
    """A line of a table that is not as described."""


@dataclasses.dataclass
class Language:
    name: str
    command: List[str]
    cannot: Dict[str, str] = dataclasses.field(default_factory=dict)
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
    answers_of: Dict[str, str] = dataclasses.field(default_factory=dict)

    def expected(self, language):
        return self.answers_of.get(language, self.answer)


@dataclasses.dataclass
class Scenario:
    name: str
    transports: List[str]
    # side -> features
    needs: Dict[str, List[str]]
    steps: List[Step]


def payload_of(text):
    if text == "-":
        return b""
    parts = (part.partition("x") for part in text.split(","))
    return b"".join(bytes.fromhex(digits) * int(times or 1) for digits, _, times in parts)


def told_payload(data):
    """As the peers tell a payload: a long one by its length and CRC-32."""
    if not data:
        return "-"
    return data.hex() if len(data) <= LONGEST_TOLD else "%d:%08x" % (len(data), zlib.crc32(data))


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


def read_scenarios(path):
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
    scenarios = []
    for name, lines in blocks:
        loops = [words for _, words in lines if words[0] == "for"]
        lines = [(number, words) for number, words in lines if words[0] != "for"]
        for value in loops[0][3:] if loops else [None]:
            variable = loops[0][1] if loops else None
            told = f"{name} ({variable} = {value})" if loops else name
            here = [(n, [value if word == variable else word for word in words]) for n, words in lines]
            try:
                scenarios.append(scenario_of(told, here, messages))
            except Malformed as error:
                raise Malformed(f"{path}:{error}") from None
    names = [scenario.name for scenario in scenarios]
    if len(set(names)) < len(names):
        raise Malformed(f"{path}: two scenarios have the same name")
    return scenarios, messages


def scenario_of(name, lines, messages):
    transports, needs, steps = list(TRANSPORTS), {"A": [], "B": []}, []
    # The steps of an open `repeat`, and how often.
    outer, times = None, 0
    for number, words in lines:
        if words[0] == "only":
            transports = words[1:]
        elif words[0] == "needs" and words[1] in needs:
            needs[words[1]] += words[2:]
        elif words[0] == "repeat":
            outer, times, steps = steps, int(words[1]), []
        elif words[0] == "end":
            outer, steps = None, outer + steps * times
        elif words[0] == "join":
            steps.append(Step(number, "", "join", " ".join(words[1:])))
        elif words[0] in ("A", "B"):
            steps.append(step_of(number, words, messages))
        else:
            raise Malformed(f"{number}: not understood: {' '.join(words)}")
    if outer is not None or not steps:
        raise Malformed(f"{name}: `repeat` without `end`, or no step at all")
    return Scenario(name, transports, needs, steps)


def step_of(number, words, messages):
    def filled(text, told):
        def value(match):
            message = messages.get(match.group(1))
            if message is None:
                raise Malformed(f"{number}: no message is called {match.group(1)}")
            if match.group(2):
                return message.type_name
            return message.told() if told else message.written()

        return re.sub(r"\{(\w+)(\.type)?\}", value, text)

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
