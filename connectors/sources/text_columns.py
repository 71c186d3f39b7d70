"""Turns rows of a database into columns of text with the faults of their cells."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from connectors.sources import CellFault, Chunk
from connectors.sources.records import whole_chunk
from connectors.sources.values import cell_of

TextColumn = tuple[pa.Array, Mapping[int, str]]
"""A column as pyarrow holds it, and the reason for each place where its text cannot be used."""


def chunk_of(rows: Sequence[Sequence[Any]], first: int, columns: Sequence[str]) -> Chunk:
    """The chunk of the rows that a driver gave; `first` is the number of the first row."""
    return chunk_of_columns(map(_column, zip(*rows, strict=True)), len(rows), first, columns)


def chunk_of_columns(texts: Iterable[TextColumn], count: int, first: int, columns: Sequence[str]) -> Chunk:
    made = dict(zip(columns, texts, strict=True))
    faults = tuple(
        CellFault(first + place, name, reason)
        for name, (_, reasons) in made.items()
        for place, reason in reasons.items()
    )
    numbers = range(first, first + count)
    return whole_chunk({name: cells for name, (cells, _) in made.items()}, numbers, numbers, faults)


def text_column_of(cells: Iterable[tuple[str, str]]) -> TextColumn:
    """A column of cells that are (text, fault) each."""
    pairs = list(cells)
    faults = {place: fault for place, (_, fault) in enumerate(pairs) if fault}
    return pa.array([text for text, _ in pairs], type=pa.string()), faults


def _column(values: Sequence[Any]) -> TextColumn:
    """The column of values, converted as a whole if all are text, which is true of nearly all columns."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        texts = [value or "" for value in values]
        if "\0" not in "".join(texts):
            try:
                return pa.array(texts, type=pa.string()), {}
            except UnicodeEncodeError:
                pass  # half of a surrogate pair somewhere
    if kinds <= {bytes, type(None)}:
        raw = [value or b"" for value in values]
        if b"\0" not in b"".join(raw):
            try:
                return pa.array(raw, type=pa.binary()).cast(pa.string()), {}
            except pa.ArrowInvalid:
                pass  # some are not UTF-8
    return text_column_of(map(cell_of, values))


def values_of(rows: Sequence[Sequence[Any]], place: int) -> Iterator[Any]:
    """The values of a column without NULLs. SQLite's text, which is read as bytes, is decoded."""
    for row in rows:
        value = row[place]
        if value is not None:
            yield value.decode("utf-8", "replace") if isinstance(value, bytes) else value
