"""What a terminal makes of a line: wrapped at words under its own text, with colour for what matters.

A file or a pipe gets each line as it is, in one piece and without colour.
"""

import os
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import TextIO

from connectors.unseen import one_message

FEWEST_COLUMNS = 20
_GREEN, _YELLOW, _RED, _BOLD, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[0m"

_HANGING = re.compile(r" +(?:[a-z][\w ()]{0,24}?:?  +|note: )?(?:[\d,.]+ (?:× )?)?")
"""What stands before the words of a line of ours: a label, a number. The other words hang below them."""
_COMMAND = re.compile(r"kartra-sync [a-z].*?(?=[;,)]|: | and |$)")
"""A command that a reader copies stays in one piece."""
# Defused lines never contain it, and `textwrap` does not break at it.
_KEPT = "\x00"

_COLOURS = (
    (re.compile(r"^\S+: ((?:succeeded|ok)\b)"), _GREEN),
    (re.compile(r"^\S+: ((?:failed|refused|interrupted|not ok)\b)"), _RED),
    (re.compile(r"^\S+: (partial\b|done, but not for every row|plan, nothing was sent)"), _YELLOW),
    (re.compile(r"^ +(?:[a-z]+ +)?([\d,]+ (?:refused|without an answer)\b)"), _RED),
    (re.compile(r"^ +(?:[a-z]+ +)?([\d,]+ (?:invalid|held back|waiting)\b)"), _YELLOW),
    (re.compile(r"^  ((?:note|know):)"), _YELLOW),
    (re.compile(r"^  (late:)"), _RED),
    (re.compile(r"^  (ok)  "), _GREEN),
    (re.compile(r"^  (NOT KEPT)  "), _RED),
    (re.compile(r"^  (\+ .*)"), _GREEN),
    (re.compile(r"^  (- .*)"), _RED),
    (re.compile(r"^(kartra-sync: )"), _RED),
)


def columns_of(stream: TextIO) -> int | None:
    """The width of a terminal; None where the stream is none."""
    try:
        if not stream.isatty():
            return None
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    # A terminal that does not know its width reports 0.
    return max(columns or 80, FEWEST_COLUMNS)


def has_colours(stream: TextIO) -> bool:
    """As NO_COLOR and TERM ask for."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shown(lines: Iterable[str], stream: TextIO) -> Iterator[str]:
    """Lines as this stream shows them, each defused, with its line end."""
    width, in_colour = columns_of(stream), has_colours(stream)
    for line in lines:
        safe = one_message(line)
        if width is None:
            yield f"{safe}\n"
            continue
        first, *others = [part for text in safe.split("\n") for part in wrapped(text, width)] or [""]
        yield f"{painted(first) if in_colour else first}\n"
        yield from (f"{part}\n" for part in others)


def wrapped(line: str, width: int) -> list[str]:
    """The line in parts of at most `width` columns. A word that is longer stays whole: nothing is cut."""
    if len(line) <= width:
        return [line]
    found = _HANGING.match(line)
    hanging = len(found[0]) if found else 2
    kept = _COMMAND.sub(lambda command: _whole(command[0], width - hanging), line)
    parts = textwrap.wrap(
        kept,
        width,
        subsequent_indent=" " * (hanging if hanging < width // 2 else 4),
        break_long_words=False,
        break_on_hyphens=False,  # an option such as --max-age stays whole
        drop_whitespace=True,
        replace_whitespace=False,
    )
    return [part.replace(_KEPT, " ") for part in parts]


def _whole(command: str, room: int) -> str:
    return command.replace(" ", _KEPT) if len(command) <= room else command


def painted(line: str) -> str:
    """With colour for a status, and for whoever did not get through."""
    for pattern, colour in _COLOURS:
        if found := pattern.search(line):
            start, end = found.span(1)
            return f"{line[:start]}{colour}{line[start:end]}{_PLAIN}{line[end:]}"
    return line
