"""Columns of cells, worked on as wholes: which cells are odd, and how all of them are written in JSON. Pure.

A cell is plain if it is printable ASCII, trimmed and without a mark before it: `normal_cell` gives it back
then, and nearly all are plain. Only the others are looked at one by one, and of equal ones one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contacts.normalise import ODD_BEGINNINGS, normal_cell

Flags = npt.NDArray[np.bool_]
NO_TEXT = pa.scalar(None, pa.string())

_SPACE = 0x20
_IS_ODD = np.ones(256, dtype=np.bool_)
_IS_ODD[_SPACE:0x7F] = False
_IS_ODD_FIRST = np.zeros(256, dtype=np.bool_)
_IS_ODD_FIRST[[_SPACE, *map(ord, ODD_BEGINNINGS)]] = True
_IS_ODD_IN_JSON = _IS_ODD.copy()
_IS_ODD_IN_JSON[[ord('"'), ord("\\")]] = True

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""As the JSON of a lead is written."""


Columns = Mapping[str, pa.StringArray]


def text_columns(frame: pd.DataFrame) -> Columns | None:
    """The columns of a chunk; None where a cell holds half of a surrogate pair, which no column can."""
    try:
        return {str(name): _column(frame[name]) for name in frame.columns}
    except UnicodeEncodeError:
        return None


def chosen_of(columns: Columns, chosen: Flags) -> Columns:
    """The chosen records."""
    if chosen.all():
        return columns
    which = pa.array(chosen)
    return {name: cells.filter(which) for name, cells in columns.items()}


def normal_texts(cells: pa.StringArray) -> pa.StringArray:
    """The cells in the form of `normal_cell`."""
    return _replaced(cells, _odd_cells(cells, _IS_ODD), normal_cell)


def normal_in_json(cells: pa.StringArray) -> pa.StringArray:
    """The normal cells escaped for JSON, without quotes around them."""
    return _replaced(cells, _odd_cells(cells, _IS_ODD_IN_JSON), lambda cell: _in_json(normal_cell(cell)))


def are_filled(cells: pa.StringArray) -> Flags:
    """Which cells are not blank."""
    offsets = offsets_of(cells)
    return np.asarray(offsets[1:] > offsets[:-1])


def members(name: str, texts: pa.StringArray, is_member: Flags) -> pa.StringArray:
    """The member `"name":"text"` of a JSON object for each text of `normal_in_json`; null where not
    `is_member`."""
    every = pc.binary_join_element_wise(f'{to_json(name)}:"', texts, '"', "")
    return every if is_member.all() else pc.if_else(pa.array(is_member), every, NO_TEXT)


def joined(parts: Sequence[pa.StringArray], count: int) -> pa.StringArray:
    """For each of `count` records its parts that are not null, joined by commas."""
    if not parts:
        return pa.array([""] * count, pa.string())
    first, *others = parts
    is_bare = reduce(pc.and_, (part.is_null() for part in parts))
    # With nothing but nulls in a record the kernel gives null instead of "" (narwhals-dev/narwhals 3965).
    if pc.any(is_bare).as_py():
        first = pc.if_else(is_bare, "", first)
    return pc.binary_join_element_wise(first, *others, ",", null_handling="skip")


def records_in_json(columns: Columns) -> list[str]:
    """Each record as a JSON object with its original cells."""
    pieces: list[str | pa.StringArray] = []
    for name, cells in columns.items():
        before = '", ' if pieces else "{"
        texts = _replaced(cells, _odd_cells(cells, _IS_ODD_IN_JSON), _in_json)
        pieces += [f'{before}{to_json(name)}: "', texts]
    texts = pc.binary_join_element_wise(*pieces, '"}', "")
    return list(texts.to_pylist())


def _column(series: pd.Series) -> pa.StringArray:
    column = pa.array(series, pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _in_json(text: str) -> str:
    return to_json(text)[1:-1]


def _replaced(cells: pa.StringArray, chosen: Flags, by: Callable[[str], str]) -> pa.StringArray:
    """Replaces the chosen cells by what `by` makes of them."""
    if not chosen.any():
        return cells
    which = pa.array(chosen)
    distinct = cells.filter(which).dictionary_encode()
    texts = pa.array([by(cell) for cell in distinct.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(cells, which, texts.take(distinct.indices))


def _odd_cells(cells: pa.StringArray, is_odd: Flags) -> Flags:
    """Which cells hold an odd byte, have a space at an end, or begin with a spreadsheet's mark."""
    offsets, text = offsets_of(cells), bytes_of(cells)
    starts, ends = offsets[:-1], offsets[1:]
    odd = np.zeros(len(cells), dtype=np.bool_)
    if not len(text):
        return odd
    places = np.flatnonzero(is_odd[text[offsets[0] : offsets[-1]]]) + offsets[0]
    # Places are few, cells are many: each odd byte finds its cell, not each cell its bytes.
    odd[np.searchsorted(offsets, places, side="right") - 1] = True
    # Empty cells at the end begin behind the last byte; what they read there is masked below.
    last = len(text) - 1
    first_bytes, last_bytes = text[np.minimum(starts, last)], text[np.maximum(ends - 1, 0)]
    odd |= (_IS_ODD_FIRST[first_bytes] | (last_bytes == _SPACE)) & (ends > starts)
    return odd


def offsets_of(cells: pa.StringArray) -> npt.NDArray[np.int32]:
    """The start of each cell in `bytes_of`, and the end of the last one."""
    whole = np.frombuffer(cells.buffers()[1], dtype=np.int32)
    return whole[cells.offset : cells.offset + len(cells) + 1]


def bytes_of(cells: pa.StringArray) -> npt.NDArray[np.uint8]:
    buffer = cells.buffers()[2]
    return np.frombuffer(buffer, dtype=np.uint8) if buffer else np.zeros(0, dtype=np.uint8)
