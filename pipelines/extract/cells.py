"""Recognises blank words and destroyed values in cells, for every kind of source.

`NULL` is how programs write an absent value; it becomes a blank. A rounded number, a row of # or the error of
a formula stands where a value was: that is a fault of the cell, which must not be sent. Each column is first
searched for a sign that such cells share, because hardly any column has one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.sources import CellFault, Chunk, Source
from connectors.sources.names import column_name, unique_names
from pipelines.contacts.opt_out_rules import Verdict, header_of, verdict

ALWAYS_BLANK = ("NULL", r"\N", "#N/A", "#NV", "#N/D", "#N/B")
"""How databases and spreadsheets write an absent value, in exactly these letters."""

_ROUNDED = r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"
_HASHES = r"#{2,}"
_ERRORS = (
    r"#(?:NULL|DIV/0|VALUE|REF|NUM|SPILL|CALC|FIELD|BLOCKED|CONNECT|BUSY|UNKNOWN)!|#NAME\?|#GETTING_DATA"
    r"|#(?:WERT|BEZUG|ZAHL|ÜBERLAUF|NUL|VALEUR|NOMBRE|NULLO|VALORE|RIF|NULO|VALOR|NÚM|LEEG|DEEL/0|WAARDE|VERW"
    r"|GETAL|¡VALOR|¡REF|¡NUM|¡DIV/0|¡NULO|ARG|ADR|LICZBA|HODNOTA)!|#(?:NOM|NOME|¿NOMBRE|NAAM|NAZWA)\?|Err:[0-9]{3}"
)
_FAULTS = (
    (
        re.compile(_ROUNDED),
        "holds a rounded number, such as 4.9E+11, whose digits are gone: export the column as text",
    ),
    (re.compile(_HASHES), "holds ##### where a value was: export it again with a wider column"),
    (re.compile(_ERRORS), "holds an error of a spreadsheet, such as #REF!"),
)
_ANY_FAULT = rf"^\s*(?:{_ROUNDED}|{_HASHES}|{_ERRORS})\s*$"
_SIGNS_OF_FAULTS = ((b"+", b"E+"), (b"+", b"e+"), (b"#", b"#"), (b":", b"Err:"))
_SIGNS_OF_BLANKS = ((b"L", b"NULL"), (b"\\", rb"\N"), (b"#", b"#N"))
"""One of the second is in each such cell. The first is a byte of it that most columns lack: one byte is
looked for ten times faster than several."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A Source that cleans the cells of another one. `blanks` are words for blank, in any case."""

    source: Source
    blanks: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the form of a pipeline file, also those of a database."""
        return tuple(column_name(name) or name for name in self.source.columns)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.source.notes

    @property
    def words(self) -> tuple[str, ...]:
        return self.source.words

    def over(self, source: Source) -> "Cleaned":
        """The same for another part of the source."""
        return replace(self, source=source)

    def chunks(self) -> Iterator[Chunk]:
        chunks = self.source.chunks()
        if self.columns != self.source.columns:
            chunks = _renamed(chunks, unique_names(self.columns))
        return cleaned(chunks, self.blanks)


def _renamed(chunks: Iterable[Chunk], names: Sequence[str]) -> Iterator[Chunk]:
    for chunk in chunks:
        new = dict(zip(map(str, chunk.frame.columns), names, strict=True))
        faults = tuple(replace(fault, column=new[fault.column]) for fault in chunk.faults)
        yield replace(chunk, frame=chunk.frame.set_axis(list(names), axis="columns"), faults=faults)


def cleaned(chunks: Iterable[Chunk], blanks: Sequence[str] = ()) -> Iterator[Chunk]:
    words = frozenset(word.strip().casefold() for word in blanks)
    for chunk in chunks:
        changed: dict[str, pd.Series] = {}
        faults: list[CellFault] = []
        for name in chunk.frame.columns:
            cells = chunk.frame[name]
            text = _text_of(cells)
            if _has_sign(text, _SIGNS_OF_FAULTS):
                faults += _faults(str(name), cells)
            if words or _has_sign(text, _SIGNS_OF_BLANKS):
                changed |= _blanked(str(name), cells, words)
        if changed:
            # Assigned at once: for each single column pandas would copy all others.
            chunk = replace(chunk, frame=chunk.frame.assign(**changed))
        blank = {(row, name) for name, cells in changed.items() for row in cells.index[cells == ""]}
        # A pipeline file may declare such a cell a word for blank: then no value was lost there.
        faults = [fault for fault in faults if (fault.row, fault.column) not in blank]
        yield replace(chunk, faults=(*chunk.faults, *faults)) if faults else chunk


def _has_sign(text: bytes, signs: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(byte in text and sign in text for byte, sign in signs)


def _text_of(cells: pd.Series) -> bytes:
    """The bytes of a whole column in one piece."""
    if not isinstance(cells.dtype, pd.ArrowDtype):
        return "\n".join(cells).encode("utf-8", "surrogatepass")
    array = pa.array(cells)
    parts = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return b"".join(_bytes_of(part) for part in parts)


def _bytes_of(cells: pa.Array) -> bytes:
    if not len(cells):
        return b""
    kind = np.int64 if pa.types.is_large_string(cells.type) else np.int32
    _, offsets, data = cells.buffers()
    places = np.frombuffer(offsets, dtype=kind)
    start, end = int(places[cells.offset]), int(places[cells.offset + len(cells)])
    return data.slice(start, end - start).to_pybytes() if data is not None else b""


def _faults(name: str, cells: pd.Series) -> Iterator[CellFault]:
    if isinstance(cells.dtype, pd.ArrowDtype):
        found = np.flatnonzero(
            np.asarray(pc.match_substring_regex(pa.array(cells), _ANY_FAULT).to_numpy(zero_copy_only=False))
        )
        cells = cells.iloc[found]
    for row, cell in cells.items():
        if reason := fault_of(cell):
            yield CellFault(int(str(row)), name, reason)


@lru_cache(maxsize=4096)
def fault_of(cell: str) -> str:
    """Why the value of a cell is destroyed; "" if it is not."""
    text = cell.strip()
    return next((reason for pattern, reason in _FAULTS if pattern.fullmatch(text)), "")


def _blanked(name: str, cells: pd.Series, words: frozenset[str]) -> dict[str, pd.Series]:
    """The column with "" in place of blank words, if it has any.

    A word that says that the person opted out stays, whatever else the pipeline file calls blank.
    """
    values = cells.to_list()
    nothing = {value for value in set(values) if is_blank(value, words) and not _says_no(name, value)}
    if not nothing:
        return {}
    texts = ["" if value in nothing else value for value in values]
    return {name: pd.Series(texts, index=cells.index, dtype=cells.dtype)}


def _says_no(column: str, cell: str) -> bool:
    return cell.strip() not in ALWAYS_BLANK and verdict(header_of(column), cell) is Verdict.NO


def is_blank(cell: str, words: frozenset[str]) -> bool:
    """Whether a cell is one of the words for blank."""
    text = cell.strip()
    return bool(text) and (text in ALWAYS_BLANK or text.casefold() in words)
