"""What Python declares of the C functions is what the header declares, and what the package promises to checkers."""

import os
import subprocess
import sys
from pathlib import Path

import dividere
import dividere.aio
import pytest
from dividere import _abi, _library, errors, options

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
    for name, kind in public_classes():
        for member, value in [(name, kind), *inspect.getmembers(kind)]:
            written_here = getattr(value, "fget", value) or value
            if member.startswith("_") or not str(getattr(written_here, "__module__", "")).startswith(
                "dividere"
            ):
                continue
            # Their own: a method of Python's that is replaced would lend its words.
            if (callable(value) or isinstance(value, property)) and not value.__doc__:
                missing.append(f"{name}.{member}")
    for module in (*MODULES, errors, options):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if (
                not name.startswith("_")
                and function.__module__.startswith("dividere")
                and not function.__doc__
            ):
                missing.append(f"{module.__name__}.{name}")
    assert not missing


MODULES = (
    dividere,
    dividere.connection,
    dividere.messaging,
    dividere.registry,
    dividere.service,
    dividere.aio,
)


def public_classes():
    """Each class that the modules give out, with those within it."""
    import inspect

    found = {}

    def look(name, kind):
        found[name] = kind
        for member, value in vars(kind).items():
            if inspect.isclass(value) and not member.startswith("_"):
                look(f"{name}.{member}", value)

    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and thing.__module__.startswith("dividere"):
                look(f"{module.__name__}.{name}", thing)
    assert len(found) > 60 and "dividere.registry.ServiceRegistry.Client" in found
    return found.items()


# No objects are made of these, or they hold nothing.
NAMESPACES = (
    "LoadBalancingPattern",
    "ServiceRegistry",
    "PortManager",
    "ProtoBuffEncoder",
    "ProtoBuffDecoder",
)


def test_every_object_tells_what_it_is_and_is_closed_by_with():
    for name, kind in public_classes():
        if issubclass(kind, (Exception, tuple, int)) or name.endswith(NAMESPACES):
            continue
        assert kind.__repr__ is not object.__repr__, name
        assert hasattr(kind, "__enter__") or hasattr(kind, "__aenter__") or kind is dividere.Options, name


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
