"""Builds the package (PEP 517, PEP 660): the shared library with cargo, and around it an archive.

One wheel serves every CPython from 3.9 on, since nothing in it is compiled against Python: its tag is
py3-none-<platform>. DIVIDERE_LIBRARY in the environment names a library that is built already;
DIVIDERE_WHEEL_PLATFORM another platform tag (manylinux_2_31_x86_64). Nothing is needed but Python and a Rust
toolchain.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PACKAGE = HERE / "dividere"
LIBRARY = "libdividere.so"
NAME = "dividere"
SUMMARY = "Typed protobuf messages over ZeroMQ, between C, C++, Python and Rust"
# What cargo needs of the repository; the benchmarks and examples because the workspace names them.
CORE = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "build.rs",
    "src",
    "crates",
    "proto",
    "include",
    "benches/rust",
]
CORE += ["examples/rust", "examples/proto", "tests/matrix/peer_rust"]
# The same date for every file, so that the same sources make the same archive.
DATE = (2020, 1, 1, 0, 0, 0)


def core():
    """Where the Rust sources are: the repository around this folder, or a copy in a source distribution."""
    for folder in (HERE / "core", HERE.parent.parent):
        if (folder / "Cargo.toml").is_file() and (folder / "src" / "ffi").is_dir():
            return folder
    raise SystemExit(
        "dividere: the Rust sources are not there; build from a clone or from a source distribution"
    )


def version():
    text = (core() / "Cargo.toml").read_text()
    return re.search(r'^\[package\][^\[]*^version = "([^"]+)"', text, re.M | re.S).group(1)


def platform_tag():
    """On Linux it says that it runs where glibc is as new as here, or newer (PEP 600)."""
    wanted = os.environ.get("DIVIDERE_WHEEL_PLATFORM")
    if not wanted:
        wanted = sysconfig.get_platform()
        libc = re.fullmatch(r"glibc (\d+)\.(\d+).*", libc_version())
        if wanted.startswith("linux-") and libc:
            wanted = f"manylinux_{libc[1]}_{libc[2]}_{wanted[len('linux-') :]}"
    return re.sub(r"[^A-Za-z0-9_]", "_", wanted)


def libc_version():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        # Another libc.
        return ""


def built_library():
    """The shared library, built in release mode."""
    ready = os.environ.get("DIVIDERE_LIBRARY")
    if ready:
        return Path(ready)
    root = core()
    # A folder of its own: cargo's other builds write a file of the same name.
    target = root / "build" / "python" / "cargo"
    command = [os.environ.get("CARGO", "cargo"), "rustc", "--manifest-path", str(root / "Cargo.toml")]
    command += ["--target-dir", str(target), "--release", "--locked", "--lib", "--crate-type", "cdylib"]
    environment = {name: value for name, value in os.environ.items() if name not in ("DESTDIR", "MAKEFLAGS")}
    environment["PATH"] += os.pathsep + str(Path.home() / ".cargo" / "bin")
    # What it says goes where pip shows it.
    try:
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    except FileNotFoundError:
        raise SystemExit(
            "dividere: cargo is not there. The shared library is written in Rust; https://rustup.rs installs it."
        ) from None
    triple = os.environ.get("CARGO_BUILD_TARGET", "")
    return target / triple / "release" / LIBRARY


def metadata():
    readme = HERE / "README.md"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {NAME}",
        f"Version: {version()}",
        f"Summary: {SUMMARY}",
        "License: Apache-2.0",
        "Requires-Python: >=3.9",
        "Requires-Dist: protobuf>=3.20",
        "Classifier: License :: OSI Approved :: Apache Software License",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
        "",
        readme.read_text(),
    ]
    return "\n".join(lines)


class Wheel:
    """The archive, with the list of its files as its last one."""

    def __init__(self, directory, tag):
        self.info = f"{NAME}-{version()}.dist-info"
        self.file = f"{NAME}-{version()}-{tag}.whl"
        self.archive = zipfile.ZipFile(Path(directory) / self.file, "w", zipfile.ZIP_DEFLATED)
        self.records = []
        self.tag = tag

    def add(self, name, data, mode=0o644):
        entry = zipfile.ZipInfo(name, DATE)
        entry.external_attr = (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        self.archive.writestr(entry, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.records.append(f"{name},sha256={digest},{len(data)}")

    def finish(self):
        self.add(f"{self.info}/METADATA", metadata().encode())
        self.add(f"{self.info}/LICENSE", (core() / "LICENSE").read_bytes())
        wheel = f"Wheel-Version: 1.0\nGenerator: dividere_build\nRoot-Is-Purelib: false\nTag: {self.tag}\n"
        self.add(f"{self.info}/WHEEL", wheel.encode())
        record = f"{self.info}/RECORD"
        self.records.append(f"{record},,")
        self.archive.writestr(zipfile.ZipInfo(record, DATE), "\n".join(self.records) + "\n")
        self.archive.close()
        return self.file


def package_files():
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".pyi", ".typed"):
            yield path, path.relative_to(HERE).as_posix()


def get_requires_for_build_wheel(config_settings=None):
    return []


get_requires_for_build_sdist = get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    wheel = Wheel(wheel_directory, f"py3-none-{platform_tag()}")
    for path, name in package_files():
        wheel.add(name, path.read_bytes())
    wheel.add(f"{NAME}/{LIBRARY}", built_library().read_bytes(), 0o755)
    return wheel.finish()


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    shutil.copyfile(built_library(), PACKAGE / LIBRARY)
    wheel = Wheel(wheel_directory, f"py3-none-{platform_tag()}")
    wheel.add(f"{NAME}.pth", f"{HERE}\n".encode())
    return wheel.finish()


def build_sdist(sdist_directory, config_settings=None):
    name = f"{NAME}-{version()}"
    root = core()
    with tarfile.open(Path(sdist_directory) / f"{name}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, inside in package_files():
            archive.add(path, f"{name}/{inside}")
        for inside in ("pyproject.toml", "README.md", "build_backend/dividere_build.py"):
            archive.add(HERE / inside, f"{name}/{inside}")
        for inside in CORE:
            archive.add(root / inside, f"{name}/core/{inside}", filter=without_builds)
        info = tarfile.TarInfo(f"{name}/PKG-INFO")
        data = metadata().encode()
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{name}.tar.gz"


def without_builds(info):
    """Leaves out what builds leave behind."""
    return None if os.path.basename(info.name) in ("target", "build", "__pycache__") else info
