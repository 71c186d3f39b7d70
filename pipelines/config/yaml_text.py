"""Parses the text of a pipeline file to YAML nodes with positions, within bounds, or says what is wrong with
it.

A file of kilobytes can stand for gigabytes: aliases of aliases, brackets in brackets. So there are bounds,
far beyond what a person writes.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from connectors.errors import ConfigError, Lines
from connectors.small_files import OtherThanSmallFileError, read_small
from pipelines.words.nearest import nearest

MAX_BYTES = 1024 * 1024
MAX_NODES = 20_000
"""Keys and values, those that an alias repeats counted each time."""
MAX_DEPTH = 64
MAX_FAULTS = 100
Where = tuple[str | int, ...]
"""The keys and places that lead to a node."""
TOO_MANY = f"the file stands for more than {MAX_NODES:,} keys and values; does an alias repeat others?"
SYNTAX = (
    (r"'\\t' that cannot start", "a tab stands here; indent with spaces"),
    (r"that cannot start any token", "a value cannot begin with this character; put it in quotes"),
    (
        r"mapping values are not allowed",
        "no colon is expected here: either the line above lacks its colon or has another indentation, "
        "or a value with a colon needs quotes",
    ),
    (r"simple key.*could not find expected ':'", "a colon is missing after the key"),
    (r"quoted scalar.*end of stream", "this quote is never closed"),
    (r"unknown escape", "unknown escape; in single quotes a backslash is itself"),
    (r"flow (mapping|sequence).*end of stream|stream end", "this bracket is never closed"),
    (
        r"flow (mapping|sequence).*expected ','",
        "a comma or the closing bracket is missing here; text with ? or : in it needs quotes",
    ),
    (r"block (mapping|collection).*scalar>", "text after a closed quote; put the whole value in quotes"),
    (r"expected <block end>", "the indentation does not fit the lines above"),
    (r"undefined alias", "no anchor has this name; a value that begins with * needs quotes"),
    (r"duplicate anchor", "this anchor stands twice"),
    (r"another document", "a second document begins here; a file holds one pipeline"),
)
"""PyYAML's context and problem, and what we say instead; PyYAML's own words may quote the file."""
AT_THE_BEGINNING = (
    "a colon is missing after the key",
    "this quote is never closed",
    "this bracket is never closed",
)


@dataclass(frozen=True, slots=True)
class Fault:
    line: int
    column: int
    where: Where
    text: str

    def __str__(self) -> str:
        label = ""
        for step in self.where:
            name = "".join(letter if letter.isprintable() else "?" for letter in str(step))
            label += f"[{step}]" if isinstance(step, int) else f".{name}"
        label = f"{label.removeprefix('.')}: " if label else ""
        return f"{self.line}:{self.column}: {label}{self.text}"


def fault_at(mark: yaml.Mark, where: Where, text: str) -> Fault:
    return Fault(mark.line + 1, mark.column + 1, where, text)


def config_error(path: Path, faults: Iterable[Fault]) -> ConfigError:
    ordered = sorted(set(faults), key=lambda fault: (fault.line, fault.column, str(fault)))
    lines = [f"{shown_path(path)}:{fault}" for fault in ordered[:MAX_FAULTS]]
    if len(ordered) > MAX_FAULTS:
        lines.append(f"{shown_path(path)}: and {len(ordered) - MAX_FAULTS:,} faults more")
    return ConfigError(Lines(lines))


def shown_path(path: Path) -> str:
    here = path.absolute()
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


class _Bounded(yaml.SafeLoader):
    """A loader that stops at too many or too deep nodes before it builds them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooMuchError(mark, TOO_MANY)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuchError(mark, "nested too deeply")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _TooMuchError(Exception):
    def __init__(self, mark: yaml.Mark, text: str) -> None:
        super().__init__(text)
        self.fault = fault_at(mark, (), text)


def compose(path: Path, only: Collection[str] | None = None) -> yaml.Node | None:
    """The root; None for an empty file. Raises ConfigError.

    `only`: of a file with faults elsewhere, nothing but these keys of its outermost map.
    """
    text = _text_of(path)
    if only is not None:
        text = "".join(part for part in _OUTERMOST.split(text) if _key_of(part) in only)
    try:
        return _Bounded(text).get_single_node()
    except _TooMuchError as error:
        raise config_error(path, [error.fault]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise config_error(path, [Fault(line, column, (), "a control character stands here")]) from None
    except yaml.MarkedYAMLError as error:
        raise config_error(path, [_syntax_fault(error, text)]) from None
    except RecursionError:
        raise config_error(path, [Fault(1, 1, (), "nested too deeply")]) from None


# A line that begins without a blank begins the next key: not a comment, and not an item of the key above.
_OUTERMOST = re.compile(r"^(?=[^\s#-])", re.MULTILINE)


def _key_of(part: str) -> str:
    return part.partition(":")[0].strip("\"' ")


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Fault:
    problem = f"{error.context} {error.problem}"
    words = next((ours for theirs, ours in SYNTAX if re.search(theirs, problem)), "this is not valid YAML")
    mark = error.problem_mark
    if words in AT_THE_BEGINNING or mark is None:
        mark = error.context_mark or mark
    if mark is None:
        return Fault(1, 1, (), words)
    if text[mark.index - 1 : mark.index + 1] == "${":
        words = "inside { } and [ ] a variable needs quotes"
    return fault_at(mark, (), words)


def _text_of(path: Path) -> str:
    try:
        raw = read_small(path, at_most=MAX_BYTES).content
        return raw.decode("utf-8-sig")
    except OtherThanSmallFileError as error:
        if path.is_dir():
            raise ConfigError(f"{shown_path(path)}: a folder, not a pipeline file{_hint(path, '')}") from None
        raise ConfigError(f"{shown_path(path)}: {error}: name a pipeline file") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown_path(path)}:{line}: not UTF-8; save the file as UTF-8") from None
    except FileNotFoundError:
        raise ConfigError(f"{shown_path(path)}: no such file{_hint(path.parent, path.name)}") from None
    except OSError as error:
        raise ConfigError(f"{shown_path(path)}: cannot be read: {error.strerror}") from error


def _hint(folder: Path, name: str) -> str:
    names = sorted(file.name for file in folder.glob("*.y*ml"))
    near = nearest(name, names)
    if near:
        return f'; did you mean "{near}"?'
    return f"; the folder has {', '.join(names)}" if names else ""
