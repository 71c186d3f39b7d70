"""What a source of contacts gives: chunks of text, each record with the row and the line it stands on.

Only the shapes live here, so that a module may name them without importing pandas. The sources
themselves are in `connectors.sources.kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that could not be read as one, with its text as it stands in the source.

    `row` is the row a spreadsheet program shows, `line` the physical line it starts on. `reason` holds no
    personal data, `cells` does. A record whose quotes are wrong has one cell: its whole text.
    """

    row: int
    line: int
    reason: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell that could not be read as text. It spoils its record only where something reads the column.

    `column` is its name in the frame, `reason` what is to be said after it, without personal data:
    "holds bytes that are not text".
    """

    row: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records in the order of the source.

    The columns of `frame` are the header names, made unique; every value is a Python str and an empty cell
    is "". Its index is called "row": the row a spreadsheet program shows, where a header on the first line
    is row 1. `lines` has, for each record of the frame, the physical line it starts on, from 1. `originals`
    has the same records as they stand in the source, where the frame is what a hook made of them. A cell of
    `faults` has some text in the frame, which is not to be used: `faults.without_faults` sees to it.
    """

    frame: pd.DataFrame
    lines: Sequence[int]
    bad_rows: tuple[BadRow, ...]
    originals: pd.DataFrame | None = None
    faults: tuple[CellFault, ...] = ()


class Source(Protocol):
    """Contacts that were found and can be read, as often as wished."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The header, in order and trimmed. Names that repeat do so here; in a frame they are unique."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for a person on how the source is read. No personal data."""

    @property
    def words(self) -> tuple[str, ...]:
        """A few words beyond ASCII as they are read, where an encoding was guessed: for a person to judge.

        They are of people, so that only what a person asks for shows them: `check` and `inspect`.
        """

    def chunks(self) -> Iterator[Chunk]:
        """Raises SourceError, also after the last chunk: only a finished iteration is the whole source."""
