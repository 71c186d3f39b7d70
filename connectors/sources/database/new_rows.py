"""The rows of a query that appeared or changed since it was last read."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from connectors.sources import Chunk
from connectors.sources.database.watermark import Overlap, highest_of, lowered
from connectors.sources.text_columns import values_of


class Since(NamedTuple):
    """A condition: the column is at or above `lowest`, or NULL."""

    column: str
    lowest: Any


ReadRows = Callable[[Since | None], Iterator[tuple[Sequence[Any], Chunk]]]
"""Reads the rows in parts, each as the driver gave it and as a chunk; all rows for None."""


class NewRows:
    """A Source of the rows of a query whose column is at or above a value, or NULL; of all without one.

    `highest` is the highest value of the column that was read, None before `chunks()` and without a value.
    """

    def __init__(
        self,
        read: ReadRows,
        columns: tuple[str, ...],
        notes: tuple[str, ...],
        column: str,
        known: Any,
        overlap: Overlap,
        now: datetime,
    ) -> None:
        self._read, self._column, self._overlap, self._now = read, column, overlap, now
        self._lowest = None if known is None else lowered(known, overlap)
        self.columns, self.notes = columns, notes
        self.words: tuple[str, ...] = ()
        self.highest: Any = None

    def chunks(self) -> Iterator[Chunk]:
        since = None if self._lowest is None else Since(self._column, self._lowest)
        place = self.columns.index(self._column)
        for rows, chunk in self._read(since):
            self.highest = highest_of(values_of(rows, place), self.highest, self._now)
            if self.highest is not None:
                # Raises for an overlap of the wrong kind now, and not once everything was sent.
                lowered(self.highest, self._overlap)
            yield chunk
