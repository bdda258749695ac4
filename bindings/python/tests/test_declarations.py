"""What Python declares of the C functions is what the header declares, and what the package promises to checkers."""

import os
import subprocess
import sys
from pathlib import Path

import dividere
import dividere.aio
import pytest
from dividere import _abi, _library, errors

BINDING = Path(__file__).resolve().parents[1]


def test_the_declarations_are_those_of_the_header():
    subprocess.run([sys.executable, BINDING / "tools" / "declarations.py", "--check"], check=True)


def test_every_function_is_in_the_library():
    assert len(_abi.FUNCTIONS) > 90
    for name, _, _ in _abi.FUNCTIONS:
        assert getattr(_library.lib, name[len("dividere_") :])


@pytest.mark.parametrize("version, lacks", [(_abi.VERSION[0] + 1, ""), (_abi.VERSION[0], "outlet_call")])
def test_a_library_of_another_interface_is_refused(tmp_path, version, lacks):
    functions = {name: 0 for name, _, _ in _abi.FUNCTIONS if name != f"dividere_{lacks}"}
    functions["dividere_abi_version"] = version
    text = "".join(f"int {name}(void) {{ return {value}; }}\n" for name, value in functions.items())
    text = text.replace(
        "int dividere_version(void) { return 0; }", 'const char *dividere_version(void) { return "9.8.7"; }'
    )
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    environment = {**os.environ, "DIVIDERE_LIBRARY": str(library)}
    ended = subprocess.run(
        [sys.executable, "-c", "import dividere"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    told = ended.stderr.splitlines()[-1]
    assert told.startswith(f"ImportError: {library} is dividere 9.8.7, which is not what this package"), told
    assert (lacks or f"interface is {version}") in told


def test_structures_are_as_large_as_in_c(tmp_path):
    names = [
        (camel, name)
        for camel, name in (
            (kind.__name__, kind.__doc__.split()[1]) for kind in vars(_abi).values() if _is_structure(kind)
        )
    ]
    assert len(names) > 6
    lines = "".join(f'printf("%zu\\n", sizeof({name}));\n' for _, name in names)
    source = tmp_path / "sizes.c"
    source.write_text(f"#include <dividere.h>\n#include <stdio.h>\nint main(void) {{\n{lines}return 0;\n}}\n")
    program = tmp_path / "sizes"
    include = BINDING.parents[1] / "include"
    subprocess.run(["cc", f"-I{include}", str(source), "-o", str(program)], check=True)
    sizes = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    import ctypes

    assert sizes == [str(ctypes.sizeof(getattr(_abi, camel))) for camel, _ in names]


def _is_structure(kind):
    import ctypes

    return isinstance(kind, type) and issubclass(kind, ctypes.Structure) and kind is not ctypes.Structure


def test_every_status_has_an_exception():
    for status in _abi.Status:
        if status not in (_abi.Status.OK, _abi.Status.NULL_POINTER):
            error = errors.error_of(status, "words")
            assert isinstance(error, dividere.Error) and type(error) is not dividere.Error
            assert (error.status, str(error)) == (status, "words")
    unknown = errors.error_of(12345, "words")
    assert unknown.status == 12345 and "12345" in str(unknown)


def test_every_public_class_and_method_has_its_words():
    import inspect

    missing = []
    for module in (dividere, dividere.connection, dividere.messaging, dividere.aio, errors):
        for name in module.__all__ if hasattr(module, "__all__") else dir(module):
            thing = getattr(module, name)
            if not inspect.isclass(thing) or not thing.__module__.startswith("dividere"):
                continue
            for member, value in [(name, thing), *vars(thing).items()]:
                public = not member.startswith("_") and (callable(value) or isinstance(value, property))
                if public and not inspect.getdoc(value):
                    missing.append(f"{name}.{member}")
    assert not missing


def test_the_types_hold_in_strict_mode():
    pytest.importorskip("mypy")
    environment = {**os.environ, "MYPYPATH": ""}
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir", os.devnull],
        cwd=BINDING,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_typed_program_checks_in_strict_mode_against_what_is_installed(tmp_path):
    pytest.importorskip("mypy")
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            os.devnull,
            BINDING / "tests" / "typed_program.py",
        ],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": ""},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
