"""Refuses records in which a cell that is needed cannot be read. Does not import pandas."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from connectors.sources import BadRow, Chunk
from connectors.sources.values import NOT_TEXT


def without_faults(chunks: Iterable[Chunk], read: Container[str] | None = None) -> Iterator[Chunk]:
    """The chunks, with a bad row for each record that has a fault in a column that is read.

    Without `read` every column counts. A fault in a column that nobody reads refuses no record.
    """
    for chunk in chunks:
        reasons: dict[int, str] = {}
        for fault in chunk.faults:
            if read is None or fault.column in read:
                reasons.setdefault(fault.row, f'the column "{_plain(fault.column)}" {fault.reason}')
        yield _refusing(chunk, reasons) if reasons else chunk


def _refusing(chunk: Chunk, reasons: Mapping[int, str]) -> Chunk:
    is_kept = ~chunk.frame.index.isin(list(reasons))
    lines = dict(zip(chunk.frame.index, chunk.lines, strict=True))
    shown = chunk.frame if chunk.originals is None else chunk.originals
    hidden = {(fault.row, fault.column) for fault in chunk.faults if fault.reason == NOT_TEXT}
    bad = []
    for row, *cells in shown[~is_kept].itertuples(name=None):
        # The rejects can be loaded again: bytes that are not text leave nothing there.
        named = zip(shown.columns, cells, strict=True)
        texts = tuple("" if (row, name) in hidden else str(cell) for name, cell in named)
        bad.append(BadRow(row, lines[row], reasons[row], texts))
    return replace(
        chunk,
        frame=chunk.frame[is_kept],
        lines=[line for line, kept in zip(chunk.lines, is_kept, strict=True) if kept],
        bad_rows=(*chunk.bad_rows, *bad),
        originals=None if chunk.originals is None else chunk.originals[is_kept],
        faults=tuple(fault for fault in chunk.faults if fault.row not in reasons),
    )


def _plain(name: str) -> str:
    """A column's name for a message: one line, and nothing that could be an address."""
    return re.sub(r"[^\w .()/+#&:;,*?!%-]", "?", name)
