"""What kartra-sync brings with it: each library with its version, licence and size, and the lock of them.

`python -m tests.supply` prints them; `--write` writes `configs/libraries.md`, which a test keeps current, and
`--lock` the lock with its hashes, by `uv` where that is installed. `python -m tests.supply wheel` builds the
wheel twice and tries it on each Python that is found, with the demo.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LISTED = ROOT / "configs" / "libraries.md"
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MIB = 1 << 20
HEAD = """\
# The libraries of kartra-sync

What an installation brings with it, as `.venv/bin/python -m tests.supply --write` found it on Linux.
Versions are those of `requirements.lock`, which holds the hash of every file; sizes are MiB on disk.

| library | version | licence | MiB |
|---|---|---|---|
"""
_CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True)
class Library:
    """One distribution that is needed at run time."""

    name: str
    version: str
    licence: str
    mib: float

    @property
    def line(self) -> str:
        return f"| {self.name} | {self.version} | {self.licence} | {self.mib:.1f} |\n"


def libraries() -> list[Library]:
    """Of this environment: everything that kartra-sync needs, and what that needs."""
    found: dict[str, Library] = {}
    waiting = list(_needs(distribution("kartra-sync")))
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:  # of another system
            continue
        found[name] = Library(name, one.version, _licence(one), _mib(one))
        waiting += _needs(one)
    return [found[name] for name in sorted(found)]


def locked() -> dict[str, str]:
    """Names and versions of the lock, for this Python."""
    pinned = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                pinned[canonical(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return pinned


def hashes() -> dict[str, int]:
    """How many hashes each line of the lock has."""
    counted: dict[str, int] = {}
    name = ""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            name = line.partition(" ")[0]
            counted[name] = 0
        counted[name] += line.count("--hash=sha256:")
    return counted


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needs(one: Distribution) -> Iterator[str]:
    for text in one.requires or ():
        requirement = Requirement(text)
        extras = ("", "binary") if requirement.name == "psycopg" or one.name == "psycopg" else ("",)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            yield canonical(requirement.name)


def _licence(one: Distribution) -> str:
    told = one.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    named = [
        text.removeprefix(_CLASSIFIER) for text in told.get_all("Classifier") or () if _CLASSIFIER in text
    ]
    first = (told.get("License") or "").strip().partition("\n")[0]
    return " or ".join(sorted(named)) or first[:60] or "not said"


def _mib(one: Distribution) -> float:
    sizes = (Path(str(file.locate())) for file in one.files or ())
    return sum(file.stat().st_size for file in sizes if file.is_file()) / MIB


def listed() -> str:
    found = libraries()
    total = sum(library.mib for library in found)
    return HEAD + "".join(library.line for library in found) + f"\n{len(found)} libraries, {total:.0f} MiB.\n"


def build(folder: Path) -> Path:
    """The wheel, from a copy of the sources as git has them: nothing else can come into it."""
    sources = folder / "sources"
    sources.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(sources)], input=archive, check=True)
    environ = os.environ | {"SOURCE_DATE_EPOCH": "1767225600", "TZ": "UTC"}
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=sources, env=environ, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pythons() -> dict[str, str | None]:
    """The interpreter of each version, where one is found; pyenv's too."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found: dict[str, str | None] = {}
    for version in PYTHONS:
        here = sorted(versions.glob(f"{version}.*/bin/python"))
        found[version] = str(here[-1]) if here else shutil.which(f"python{version}")
    return found


def try_wheel() -> int:
    """Exit code 1 where a Python that is there cannot install or play the wheel."""
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "again").mkdir()
        wheel, again = build(folder), build(folder / "again")
        same = sha256(wheel) == sha256(again)
        print(
            f"{wheel.name}: {wheel.stat().st_size:,} bytes, sha256 {sha256(wheel)}, built twice: "
            f"{'the same' if same else 'DIFFERENT'}"
        )
        for version, python in pythons().items():
            told = "is not on this machine" if python is None else _played(python, wheel, folder / version)
            failed = failed or told.startswith("FAILED")
            print(f"Python {version}: {told}")
    return int(failed or not same)


def _played(python: str, wheel: Path, folder: Path) -> str:
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    own = folder / "bin" / "python"
    install = subprocess.run(
        [str(own), "-m", "pip", "install", "--quiet", str(wheel)], capture_output=True, text=True, check=False
    )
    if install.returncode:
        return f"FAILED to install: {install.stderr[-400:]}"
    words = [str(folder / "bin" / "kartra-sync"), "demo"]
    for _ in range(2):  # a machine that is busy makes calls bunch up, and the demo tells of it
        demo = subprocess.run(words, capture_output=True, text=True, check=False)
        if demo.returncode == 0:
            return "installs, and plays the demo"
    return f"FAILED the demo: {demo.stdout[-400:]}{demo.stderr[-400:]}"


def lock() -> int:
    words = [
        "uv",
        "pip",
        "compile",
        "--universal",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
        "--quiet",
    ]
    words += ["--python-version", PYTHONS[0], "--group", "dev", "pyproject.toml", "-o", str(LOCK)]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.supply", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["wheel"])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--lock", action="store_true")
    asked = parser.parse_args()
    if asked.lock:
        return lock()
    if asked.what == "wheel":
        return try_wheel()
    if asked.write:
        LISTED.write_text(listed(), encoding="utf-8")
    print(listed(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
