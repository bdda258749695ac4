"""Writes dividere/_abi.py, the declarations of the C functions, from include/dividere.h.

    python tools/declarations.py            writes it anew
    python tools/declarations.py --check    fails where it differs from what the header says

The header is cbindgen's, so that its form is known: this is no C parser, but it fails at whatever it does
not know instead of passing over it.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE.parents[2] / "include" / "dividere.h"
OUTPUT = HERE.parent / "dividere" / "_abi.py"

SCALARS = {
    "char": "c_char",
    "int32_t": "c_int32",
    "uint32_t": "c_uint32",
    "int64_t": "c_int64",
    "uint64_t": "c_uint64",
    "size_t": "c_size_t",
    "dividere_status_t": "c_int32",
}
# Others are called as their C name says.
ENUM_NAMES = {
    "dividere_event": "EventKind",
    "dividere_log": "LogLevel",
    "dividere_message": "MessageKind",
    "dividere_option": "OptionKey",
    "dividere_proxy": "ProxyKind",
    "dividere_watch": "WatchKind",
}


def camel(name):
    """dividere_poll_item_t -> PollItem"""
    inner = name.removeprefix("dividere_").removesuffix("_t")
    return "".join(part.capitalize() for part in inner.split("_"))


class Header:
    def __init__(self, text):
        self.version = [int(n) for n in re.findall(r"#define DIVIDERE_VERSION_\w+ (\d+)", text)]
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        code = re.sub(r"//[^\n]*", "", code)
        code = self._resolve_conditions(code)
        self.enums = {}
        self.structs = {}
        self.callbacks = {}
        self.functions = {}
        self.opaque = set()
        self._read(code)
        # A struct that is one number is passed by value exactly as that number is, on every platform supported.
        self.handles = {
            name
            for name, fields in self.structs.items()
            if [field[:2] for field in fields] == [("uint64_t", "id")]
        }

    @staticmethod
    def _resolve_conditions(code):
        """What a C compiler older than C23 sees."""
        lines, keep = [], [True]
        for line in code.splitlines():
            word = line.strip()
            if word.startswith("#if"):
                keep.append("ifndef __cplusplus" in word or "ifndef DIVIDERE_H" in word)
            elif word.startswith("#else"):
                keep[-1] = not keep[-1]
            elif word.startswith("#endif"):
                keep.pop()
            elif word.startswith(("#define", "#include")):
                pass
            elif word.startswith("#"):
                raise SystemExit(f"{HEADER}: unknown directive: {line}")
            elif all(keep):
                lines.append(line)
        return "\n".join(lines)

    def _read(self, code):
        declaration = re.compile(
            r"\s*(?:"
            r"enum (?P<enum>\w+)\s*\{(?P<constants>[^}]*)\};"
            r"|typedef struct (?P<opaque>\w+) \w+;"
            r"|typedef struct (?P<struct>\w+) \{(?P<fields>[^}]*)\} \w+;"
            r"|typedef int32_t \w+;"
            r"|typedef (?P<returned>[\w ]+?) \(\*(?P<callback>\w+)\)\((?P<taken>[^)]*)\);"
            r"|(?P<result>[\w ]+?[ *]+)(?P<function>dividere_\w+)\((?P<parameters>[^)]*)\);"
            r")"
        )
        at = 0
        code = code.strip()
        while at < len(code):
            found = declaration.match(code, at)
            if not found:
                raise SystemExit(f"{HEADER}: not understood: {code[at : at + 200]!r}")
            at = found.end()
            if found["enum"]:
                pairs = re.findall(r"(\w+) = (\d+)", found["constants"])
                self.enums[found["enum"]] = [(name, int(value)) for name, value in pairs]
            elif found["opaque"]:
                self.opaque.add(found["opaque"])
            elif found["struct"]:
                self.structs[found["struct"]] = [
                    self._field(line) for line in found["fields"].split(";") if line.strip()
                ]
            elif found["callback"]:
                self.callbacks[found["callback"]] = (found["returned"], self._parameters(found["taken"]))
            elif found["function"]:
                self.functions[found["function"]] = (found["result"], self._parameters(found["parameters"]))

    @staticmethod
    def _field(line):
        kind, name, length = re.fullmatch(r"(.*?[ *])(\w+)(?:\[(\d+)\])?", " ".join(line.split())).groups()
        return kind.strip(), name, int(length) if length else None

    @staticmethod
    def _parameters(text):
        text = " ".join(text.split())
        if text == "void":
            return []
        return [re.fullmatch(r"(.*?[ *])(\w+)", one.strip()).groups() for one in text.split(",")]

    def ctype(self, declared):
        """The ctypes type of a parameter, a field or a result."""
        kind = " ".join(declared.replace("const", " ").replace("*", " * ").replace("struct ", "").split())
        if kind == "void":
            return "None"
        if kind == "char *":
            return "c_char_p"
        base, stars = re.fullmatch(r"(\w+)((?: \*)*)", kind).groups()
        stars = stars.count("*")
        if base in self.callbacks:
            # Passed as an address: a function made by CFUNCTYPE is cast, or NULL.
            return "c_void_p"
        if stars == 0:
            return "c_uint64" if base in self.handles else SCALARS[base]
        if base == "void" or base in self.opaque or base == "char":
            pointed = "c_void_p" if base != "char" else "c_char_p"
            return pointed if stars == 1 else f"POINTER({pointed})"
        if base in self.handles:
            pointed = "c_uint64"
        else:
            pointed = camel(base) if base in self.structs else SCALARS[base]
        return f"POINTER({pointed})"


def render(header):
    out = [
        '"""What include/dividere.h declares, for ctypes. Made from it by tools/declarations.py; do not edit.',
        "",
        "A handle is one number in a struct, which is passed by value as that number is.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "import enum",
        "from ctypes import (",
        "    CFUNCTYPE,",
        "    POINTER,",
        "    Structure,",
        *(f"    {name}," for name in sorted({"c_char", "c_char_p", "c_void_p", *SCALARS.values()})),
        ")",
        "from typing import Any",
        "",
        f"VERSION = ({', '.join(map(str, header.version))})",
    ]
    for name, constants in header.enums.items():
        prefix = "DIVIDERE_" if name == "dividere_status" else name.upper() + "_"
        out += [
            "",
            "",
            f"class {ENUM_NAMES.get(name) or camel(name)}(enum.IntEnum):",
            f'    """enum {name}"""',
            "",
        ]
        out += [f"    {constant[len(prefix) :]} = {value}" for constant, value in constants]
    for name, fields in header.structs.items():
        if name in header.handles:
            continue
        out += [
            "",
            "",
            f"class {camel(name)}(Structure):",
            f'    """struct {name}"""',
            "",
            "    _fields_ = [",
        ]
        for kind, field, length in fields:
            # Not c_char_p, which would be looked at as ending with a NUL.
            ctype = "c_void_p" if kind.endswith("*") else header.ctype(kind)
            out.append(f'        ("{field}", {ctype}{f" * {length}" if length else ""}),')
        out.append("    ]")
    out += ["", ""]
    for name, (result, parameters) in header.callbacks.items():
        types = []
        for kind, _ in parameters:
            types.append(header.ctype(kind))
        out.append(f"{camel(name)} = CFUNCTYPE({', '.join([header.ctype(result), *types])})")
    out += ["", "# Name, result, parameters.", "FUNCTIONS: list[tuple[str, Any, list[Any]]] = ["]
    for name, (result, parameters) in header.functions.items():
        types = ", ".join(header.ctype(kind) for kind, _ in parameters)
        out.append(f'    ("{name}", {header.ctype(result)}, [{types}]),')
    out += ["]", ""]
    return "\n".join(out)


def main():
    wanted = render(Header(HEADER.read_text()))
    if sys.argv[1:] == ["--check"]:
        if OUTPUT.read_text() != wanted:
            raise SystemExit(
                f"{OUTPUT} is not what {HEADER} declares: run tools/declarations.py (or make header)"
            )
    elif sys.argv[1:]:
        raise SystemExit(__doc__)
    else:
        OUTPUT.write_text(wanted)


if __name__ == "__main__":
    main()
