"""Guides that are played as they stand: what is fenced as `sh` is typed, in the order of the document.

A fence that opens with `yaml NAME` or `csv NAME` writes that file. A fence of `text` is what a reader
sees; it is not compared, because times and run ids differ. A command that ends otherwise than with 0
says so in a comment, `# ends with 3`. What needs Kartra itself, or the internet, is fenced as `shell`
and not played.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.documents.reference import CONFIGS

REPOSITORY = CONFIGS.parent
_FENCE = re.compile(r"^```(?P<kind>[a-z]+)(?: (?P<name>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDS_WITH = re.compile(r"#\s*ends with (\d+)")


@dataclass(frozen=True, slots=True)
class Fence:
    kind: str
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A line of a guide, and the exit code it is to end with."""

    line: str
    code: int


def guides() -> list[Path]:
    """Every document with something to type."""
    found = [*CONFIGS.rglob("*.md"), REPOSITORY / "README.md"]
    return sorted(path for path in found if any(fence.kind == "sh" for fence in fences(path)))


def fences(path: Path) -> Iterator[Fence]:
    for found in _FENCE.finditer(path.read_text(encoding="utf-8")):
        yield Fence(found["kind"], found["name"] or "", found["body"])


def typed(fence: Fence) -> Iterator[Typed]:
    """A line that ends in a backslash goes on in the next one."""
    for line in fence.body.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            ends = _ENDS_WITH.search(line)
            yield Typed(line, int(ends[1]) if ends else 0)
