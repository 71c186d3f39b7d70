"""Raw records, as a reader of any kind cuts them, and the chunks that are made of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from connectors.errors import SourceError
from connectors.sources import BadRow, CellFault, Chunk
from connectors.sources.names import column_name, unique_names
from connectors.sources.values import HOLDS_NUL

CHUNK_CHARS = 32 * 1024 * 1024
CHUNK_CELLS = 2_000_000
MAX_COLUMNS = 16_384
"""As many as a spreadsheet can have."""


class RawRecord(NamedTuple):
    """One record of a source. `fault` says without personal data why it cannot be used; else it is "".

    `cell_faults` are (place, reason) of cells that cannot be used, as `CellFault` has them.
    """

    row: int
    line: int
    cells: list[str]
    fault: str = ""
    cell_faults: tuple[tuple[int, str], ...] = ()


def record_of(number: int, line: int, cells: Sequence[tuple[str, str]]) -> RawRecord:
    """A record of cells as `values.cell_of` gives them: (text, fault) each."""
    faults = tuple((place, fault) for place, (_, fault) in enumerate(cells) if fault)
    return RawRecord(number, line, [text for text, _ in cells], "", faults)


def with_nul_faults(record: RawRecord) -> RawRecord:
    """Adds a fault to each cell with a NUL. The cell keeps it, so that the rejects show the original."""
    if "\0" not in "".join(record.cells):
        return record
    faults = tuple((place, HOLDS_NUL) for place, cell in enumerate(record.cells) if "\0" in cell)
    return record._replace(cell_faults=(*record.cell_faults, *faults))


def next_chunk(records: Sequence[RawRecord], names: Sequence[str]) -> Chunk:
    """A chunk: records as wide as the header become its frame, the others bad rows."""
    good: list[RawRecord] = []
    bad: list[BadRow] = []
    for record in records:
        if fault := record.fault or _misfit(record.cells, len(names)):
            bad.append(BadRow(record.row, record.line, fault, tuple(record.cells)))
        else:
            good.append(record)
    # dtype=object: no inference, no missing values, the very str objects that were read
    frame = pd.DataFrame(
        [record.cells[: len(names)] for record in good],
        columns=list(names),
        index=pd.Index([record.row for record in good], name="row", dtype="int64"),
        dtype=object,
    )
    faults = tuple(
        CellFault(record.row, names[place], reason)
        for record in good
        for place, reason in record.cell_faults
        if place < len(names)
    )
    return Chunk(frame, tuple(record.line for record in good), tuple(bad), faults=faults)


def text_column(cells: Sequence[str]) -> pa.Array | None:
    """The cells as pyarrow holds them; None if one has a NUL. Raises UnicodeEncodeError for a lone
    surrogate."""
    return None if "\0" in "".join(cells) else pa.array(cells, type=pa.string())


def whole_chunk(
    columns: Mapping[str, Any], rows: range, lines: range, faults: tuple[CellFault, ...] = ()
) -> Chunk:
    """A chunk of columns as pyarrow holds them, without bad rows."""
    frame: pd.DataFrame = pa.table(dict(columns)).to_pandas(types_mapper=pd.ArrowDtype)
    frame.index = pd.Index(rows, name="row", dtype="int64")
    return Chunk(frame, lines, (), faults=faults)


def chunks_of(records: Iterable[RawRecord], names: Sequence[str], chunk_rows: int) -> Iterator[Chunk]:
    """Of at most so many records, and of fewer where they are wide or large."""
    fitting = rows_that_fit(chunk_rows, len(names))
    part: list[RawRecord] = []
    size = 0
    for record in records:
        part.append(record)
        size += sum(map(len, record.cells))
        if len(part) == fitting or size > CHUNK_CHARS:
            yield next_chunk(part, names)
            part, size = [], 0
    if part:
        yield next_chunk(part, names)


def rows_that_fit(chunk_rows: int, columns: int) -> int:
    return max(1, min(chunk_rows, CHUNK_CELLS // max(columns, 1)))


def named_columns(cells: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names in a header, and the remarks on them.

    Remarks show numbers instead of names, because the header may be a person that was taken for one.
    """
    if len(cells) > MAX_COLUMNS:
        raise SourceError(
            f"the source has {len(cells):,} columns; {MAX_COLUMNS:,} is the most: is it a table of contacts?"
        )
    own = [column_name(cell) for cell in cells]
    columns = tuple(name or f"column {number}" for number, name in enumerate(own, 1))
    unnamed = [str(number) for number, name in enumerate(own, 1) if not name]
    repeated = [
        str(number)
        for number, (name, unique) in enumerate(zip(columns, unique_names(columns), strict=True), 1)
        if name != unique
    ]
    notes = []
    if unnamed:
        notes.append(f"columns without a name are called 'column N', by number: {', '.join(unnamed)}")
    if repeated:
        notes.append(
            f"columns that repeat an earlier name get ' (2)' or higher after it: {', '.join(repeated)}"
        )
    return columns, tuple(notes)


def _misfit(cells: Sequence[str], width: int) -> str:
    """Why the cells do not fit the header, or "". Empty ones beyond it fit: spreadsheet programs write
    them."""
    if len(cells) == width or (len(cells) > width and not "".join(cells[width:]).strip()):
        return ""
    return f"{len(cells)} cell{'' if len(cells) == 1 else 's'}, the header has {width}"
