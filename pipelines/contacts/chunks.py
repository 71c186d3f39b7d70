"""Maps a chunk of the source to leads, and to rejects with a reason. Pure."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from connectors.sources import BadRow, Chunk
from pipelines.config.load import LoadConfig
from pipelines.contacts.by_column import ColumnMapper
from pipelines.contacts.fingerprint import HASH_BYTES
from pipelines.contacts.forgotten import REASON, Forgotten, cells_of
from pipelines.contacts.lead import Record, digest, shape
from pipelines.contacts.mapping import Invalid, mapper
from pipelines.contacts.originals import pack
from pipelines.contacts.staged import Reject, Staged, StagedRow
from pipelines.contacts.text_columns import chosen_of, text_columns

_record_text = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class MappedChunk:
    """The leads and rejects of a chunk of `count` records; unchanged records are in neither.

    `originals` is the first row, and the packed original texts of the staged rows that carry none.
    `held_back` counts the reasons of records that may not be sent, `unclear` (column, word) of statuses.
    """

    count: int
    staged: list[StagedRow]
    rejects: list[Reject]
    originals: tuple[int, bytes] | None
    held_back: Counter[str] = field(default_factory=Counter)
    unclear: Counter[tuple[str, str]] = field(default_factory=Counter)
    former: tuple[tuple[int, str], ...] = ()
    """(row, key) of each record under the former sync key, where that has changed."""


class ChunkMapper:
    """The mapping of a load section for a source with these columns. Raises ConfigError as `mapper` does."""

    def __init__(
        self,
        load: LoadConfig,
        columns: tuple[str, ...],
        own_columns: tuple[str, ...],
        forgotten: Forgotten | None,
    ) -> None:
        """`own_columns` are the columns of the source itself, `columns` those after a hook."""
        self._map_record = mapper(load, columns)
        self._columns = ColumnMapper(load, columns)
        self._own_columns, self._forgotten = own_columns, forgotten

    def map(self, chunk: Chunk, hashes: bytes, is_new: npt.NDArray[np.bool_] | None) -> MappedChunk:
        """`hashes` are those of all records, concatenated; `is_new` says which to map, None means all."""
        count = len(chunk.frame) + len(chunk.bad_rows)
        if is_new is not None and not is_new.any() and not chunk.bad_rows:
            return MappedChunk(count, [], [], None)
        left = np.ones(len(chunk.frame), dtype=np.bool_) if is_new is None else is_new.copy()
        unclear: Counter[tuple[str, str]] = Counter()
        staged, originals = self._by_columns(chunk, hashes, left, unclear)
        rejects = [_bad_row(bad, self._own_columns) for bad in chunk.bad_rows]
        for one in self._by_themselves(chunk, hashes, left, unclear) if left.any() else ():
            rejects.append(one) if isinstance(one, Reject) else staged.append(one)
        if self._forgotten is not None:
            staged = [_unless_forgotten(Staged._make(one), self._forgotten) for one in staged]
            rejects = [_without_forgotten(reject, self._forgotten) for reject in rejects]
        held_back = Counter(blocked for _, _, _, _, _, _, blocked, _, _, _ in staged if blocked)
        return MappedChunk(count, staged, rejects, originals, held_back, unclear)

    def marked(self, chunk: Chunk) -> npt.NDArray[np.bool_]:
        """Which records opt out in a column that the mapping does not read."""
        columns = text_columns(chunk.frame)
        if columns is not None:
            return self._columns.marked(columns, len(chunk.frame))
        return np.ones(len(chunk.frame), dtype=np.bool_)  # rare, so it is simply mapped each time

    def _by_columns(
        self,
        chunk: Chunk,
        hashes: bytes,
        left: npt.NDArray[np.bool_],
        unclear: Counter[tuple[str, str]],
    ) -> tuple[list[StagedRow], tuple[int, bytes] | None]:
        """Maps the records that can be mapped by columns, and takes them out of `left`. Also their packed
        originals."""
        columns = text_columns(chunk.frame)
        originals = columns if chunk.originals is None else text_columns(chunk.originals)
        if columns is None or originals is None:
            return [], None
        places, rows = np.flatnonzero(left), chunk.frame.index.to_numpy()
        mapped = self._columns.map(chosen_of(columns, left), rows[places])
        unclear.update(mapped.unclear)
        places = places[mapped.places]
        if not len(places):
            return [], None
        is_mapped = np.zeros(len(left), dtype=np.bool_)
        is_mapped[places] = True
        left &= ~is_mapped
        staged = Staged.rows(
            row=rows[places].tolist(),
            line=[chunk.lines[place] for place in places.tolist()],
            key=mapped.keys,
            rank=mapped.ranks,
            digest=mapped.digests,
            wish=mapped.wishes,
            blocked=mapped.blocked,
            record=repeat(None, len(places)),
            raw=[hashes[at : at + HASH_BYTES] for at in (places * HASH_BYTES).tolist()],
            shape=mapped.shapes,
        )
        packed = pack(chosen_of(originals, is_mapped), rows[places])
        return list(staged), (int(rows[places].min()), packed)

    def _by_themselves(
        self,
        chunk: Chunk,
        hashes: bytes,
        left: npt.NDArray[np.bool_],
        unclear: Counter[tuple[str, str]],
    ) -> Iterator[Staged | Reject]:
        originals = {} if chunk.originals is None else _by_place(chunk.originals, left)
        for place, row, record in records_of(chunk.frame, left):
            line = chunk.lines[place]
            mapped = self._map_record(record, row)
            text = _record_text(originals.get(place, record))
            if isinstance(mapped, Invalid):
                yield Reject(row, line, "invalid", mapped.reason, record=text, key=mapped.key)
                continue
            unclear.update(mapped.unclear)
            wish = mapped.lead.to_json()
            yield Staged(
                row=row,
                line=line,
                key=mapped.key,
                rank=mapped.rank,
                digest=digest(wish),
                wish=wish,
                blocked=mapped.blocked,
                record=text,
                raw=hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES],
                shape=shape(mapped.lead),
            )


def records_of(
    frame: pd.DataFrame, chosen: npt.NDArray[np.bool_] | None = None
) -> Iterator[tuple[int, int, Record]]:
    """(place, row, record) of a frame, or of the chosen records."""
    places = list(range(len(frame))) if chosen is None else np.flatnonzero(chosen).tolist()
    if len(places) < len(frame):
        frame = frame.iloc[places]
    columns = [str(name) for name in frame.columns]
    cells = [_texts(frame.iloc[:, number]) for number in range(len(columns))]
    rows = frame.index.tolist()
    for place, row, *record in zip(places, rows, *cells, strict=True):
        yield place, row, dict(zip(columns, record, strict=True))


def _by_place(frame: pd.DataFrame, chosen: npt.NDArray[np.bool_] | None) -> dict[int, Record]:
    return {place: record for place, _, record in records_of(frame, chosen)}


def _texts(column: pd.Series) -> list[str]:
    """The cells of a column as str."""
    if isinstance(column.dtype, pd.ArrowDtype):
        # pandas would convert each cell by itself, at ten times the price.
        texts: list[str] = pa.array(column).to_pylist()
        return texts
    return column.to_list()


def _unless_forgotten(record: Staged, forgotten: Forgotten) -> Staged:
    """Blocks a forgotten person, whatever the source says of them, and drops the record's text."""
    if not forgotten.holds(record.key, json.loads(record.wish)["email"]):
        return record
    # The highest rank: no other record of the key may speak for this person.
    return record._replace(rank=math.inf, blocked=REASON, record="")


def _without_forgotten(reject: Reject, forgotten: Forgotten) -> Reject:
    """Drops text and key of a reject that may be about a forgotten person: any cell may be their key."""
    if reject.record is None or not forgotten.holds_one_of(cells_of(reject.record)):
        return reject
    return replace(reject, record=None, key=None)


def _bad_row(bad: BadRow, columns: tuple[str, ...]) -> Reject:
    """A reject whose record is the pair (header, cells), because the two do not fit each other."""
    record = json.dumps([columns, bad.cells], ensure_ascii=False)
    return Reject(bad.row, bad.line, "invalid", bad.reason, record=record)
