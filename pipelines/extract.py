"""The source becomes the staging table: every record mapped, the bad ones set aside with the reason."""

import json
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from connectors.errors import GuardError
from connectors.sources import BadRow, Chunk, Source
from pipelines.ahead import one_ahead
from pipelines.card_numbers import without_secrets
from pipelines.columns import naming_file
from pipelines.config import LoadConfig, PipelineConfig
from pipelines.contract import contract_notes
from pipelines.forgotten import REASON, Forgotten, cells_of
from pipelines.known import KnownRecords
from pipelines.lead import DesiredLead, digest, shape
from pipelines.mapping import Invalid, Mapped, mapper, merge_leads
from pipelines.mapping_columns import ColumnMapper
from pipelines.originals import pack, unpack
from pipelines.raw_hash import HASH_BYTES, fingerprint, raw_hashes
from pipelines.state import Reject, Staged, StagedColumns, Store
from pipelines.summary import Summary
from pipelines.suppression import suppressed_addresses, suppressed_by
from pipelines.text_columns import chosen_of, text_columns
from pipelines.transform import source_columns
from pipelines.values import Record


def stage(
    source: Source,
    load: LoadConfig,
    store: Store,
    summary: Summary,
    *,
    run_id: str | None,
    between: Callable[[], None] = lambda: None,
    skip_known: bool = False,
) -> None:
    """Fill the staging table; one record per key is left in it. Counts rows in `summary`.

    With `skip_known` records that are known to be as Kartra acknowledged them are counted as unchanged leads
    and not staged: nothing else differs. `between` is called after each chunk. Raises SourceError,
    ConfigError, and GuardError for `duplicates: error`.
    """
    staging = _Staging(source, load, store, summary, run_id, between)
    store.begin_staging(unpack)
    for suppress in load.suppress:
        for addresses in suppressed_addresses(suppress):
            store.suppress(addresses, suppressed_by(suppress))
            between()
    with summary.timed("known"):
        known = _known_records(load, store) if skip_known else None
    rejects = store.count_rejects(run_id)
    while shared := staging.read(known):
        # Several records of one key have to be compared, so all of them are staged.
        assert known is not None  # noqa: S101 - what is shared was known
        known.leave_out(shared)
        known.begin_again()
        store.stage_again(run_id, rejects)
    with summary.timed("duplicates"):
        _settle(load, store, summary, run_id)
    if known is not None and known.seen_count:
        summary.leads["unchanged"] = known.seen_count
        if load.on_removed:
            store.note_unseen(known.unseen())


def _settle(load: LoadConfig, store: Store, summary: Summary, run_id: str | None) -> None:
    """One record speaks for each key."""
    summary.duplicate = store.end_staging()
    merged: Iterator[dict[str, Any]] = iter(())
    if summary.duplicate and load.duplicates.how == "error":
        rows = ", ".join(
            " = ".join(str(row.row) for row in group)
            for group, _ in zip(store.duplicate_groups(), range(5), strict=False)
        )
        raise GuardError(
            f"{summary.duplicate:,} records have the key of another (rows {rows}) and load.duplicates is"
            " error: nothing was sent"
        )
    if summary.duplicate and load.duplicates.how == "merge":
        merged = _merged(store)
    summary.blocked = store.settle_staging(merged, run_id)


def _known_records(load: LoadConfig, store: Store) -> KnownRecords | None:
    """None where a record that did not change may have to be stopped now, and its address is not its key."""
    if load.suppress and load.key.column is not None:
        return None
    known = KnownRecords(store.raw_hashes())
    known.leave_out(store.raw_hashes_of_suppressed())
    return known


_record_text = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A chunk of so many records as it is staged: without those that are known."""

    count: int
    staged: list[StagedColumns]
    rejects: list[Reject]
    originals: tuple[int, bytes] | None


class _Staging:
    """Reads a source into the staging table, as often as it has to."""

    def __init__(
        self,
        source: Source,
        load: LoadConfig,
        store: Store,
        summary: Summary,
        run_id: str | None,
        between: Callable[[], None],
    ) -> None:
        self._source, self._load, self._store, self._summary = source, load, store, summary
        self._run_id, self._between = run_id, between
        self._map_record = mapper(load, source.columns)
        self._columns = ColumnMapper(load, source.columns)
        self._forgotten = store.forgotten()
        self._under = fingerprint(load, source.columns, self._forgotten)

    def read(self, known: KnownRecords | None) -> list[bytes]:
        """Gives the hashes of known records that are not the only ones of their key."""
        self._summary.read = self._summary.invalid = 0
        with one_ahead(self._chunks()) as chunks, one_ahead(self._mapped(chunks, known)) as mapped:
            for one in mapped:
                self._summary.read += one.count
                self._summary.invalid += len(one.rejects)
                if one.staged or one.rejects:
                    with self._summary.timed("stage"):
                        self._store.stage(one.staged, one.rejects, self._run_id, one.originals)
                self._between()
        if known is None or not known.seen_count:
            return []
        of_staged = self._store.raw_hashes_of_staged()
        return known.repeated + [one for part in of_staged for one in known.seen_among(part)]

    def _chunks(self) -> Generator[Chunk]:
        yield from self._summary.timed_each("read", without_secrets(self._source.chunks(), self._load))

    def _mapped(self, chunks: Iterator[Chunk], known: KnownRecords | None) -> Generator["_Mapped"]:
        timed = self._summary.timed
        for chunk in chunks:
            with timed("hash"):
                hashes = raw_hashes(chunk.frame, self._under)
            with timed("compare"):
                is_new = None if known is None else ~known.see(hashes)
            with timed("map"):
                mapped = self._map(chunk, hashes, is_new)
            yield mapped

    def _map(self, chunk: Chunk, hashes: bytes, is_new: npt.NDArray[np.bool_] | None) -> "_Mapped":
        count = len(chunk.frame) + len(chunk.bad_rows)
        if is_new is not None and not is_new.any() and not chunk.bad_rows:
            return _Mapped(count, [], [], None)
        left = np.ones(len(chunk.frame), dtype=np.bool_) if is_new is None else is_new.copy()
        staged, originals = self._by_columns(chunk, hashes, left)
        rejects = [_bad_row(bad, source_columns(self._source)) for bad in chunk.bad_rows]
        for one in self._by_themselves(chunk, hashes, left) if left.any() else ():
            rejects.append(one) if isinstance(one, Reject) else staged.append(one)
        if self._forgotten is not None:
            staged = [_unless_forgotten(Staged._make(one), self._forgotten) for one in staged]
            rejects = [_without_forgotten(reject, self._forgotten) for reject in rejects]
        return _Mapped(
            count=count,
            staged=staged,
            rejects=rejects,
            originals=originals,
        )

    def _by_columns(
        self, chunk: Chunk, hashes: bytes, left: npt.NDArray[np.bool_]
    ) -> tuple[list[StagedColumns], tuple[int, bytes] | None]:
        """Those that can be mapped by columns are not left any more."""
        columns = text_columns(chunk.frame)
        originals = columns if chunk.originals is None else text_columns(chunk.originals)
        if columns is None or originals is None:
            return [], None
        places, rows = np.flatnonzero(left), chunk.frame.index.to_numpy()
        mapped = self._columns.map(chosen_of(columns, left), rows[places])
        places = places[mapped.places]
        if not len(places):
            return [], None
        is_mapped = np.zeros(len(left), dtype=np.bool_)
        is_mapped[places] = True
        left &= ~is_mapped
        staged = zip(  # the columns of Staged, which would take as long again to make as the rest of this
            rows[places].tolist(),
            [chunk.lines[place] for place in places.tolist()],
            mapped.keys,
            mapped.ranks,
            mapped.digests,
            mapped.wishes,
            mapped.blocked,
            repeat(None, len(places)),
            [hashes[at : at + HASH_BYTES] for at in (places * HASH_BYTES).tolist()],
            mapped.shapes,
            strict=True,
        )
        packed = pack(chosen_of(originals, is_mapped), rows[places])
        return list(staged), (int(rows[places].min()), packed)

    def _by_themselves(
        self, chunk: Chunk, hashes: bytes, left: npt.NDArray[np.bool_]
    ) -> Iterator[Staged | Reject]:
        originals = {} if chunk.originals is None else _by_place(chunk.originals, left)
        for place, row, record in _records(chunk.frame, left):
            line = chunk.lines[place]
            mapped = self._map_record(record, row)
            text = _record_text(originals.get(place, record))
            if isinstance(mapped, Invalid):
                yield Reject(row, line, "invalid", mapped.reason, record=text, key=mapped.key)
                continue
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


def read_mapped(source: Source, load: LoadConfig) -> Iterator[tuple[int, Mapped | Invalid]]:
    """(row, mapped) of every record, without staging it."""
    map_record = mapper(load, source.columns)
    for chunk in without_secrets(source.chunks(), load):
        for bad in chunk.bad_rows:
            yield bad.row, Invalid(bad.reason)
        for _, row, record in _records(chunk.frame):
            yield row, map_record(record, row)


def find_record(source: Source, load: LoadConfig, key: str) -> Iterator[tuple[int, Record, Mapped]]:
    """(row, record, mapped) of every record with this key."""
    map_record = mapper(load, source.columns)
    for chunk in source.chunks():
        for _, row, record in _records(chunk.frame):
            mapped = map_record(record, row)
            if isinstance(mapped, Mapped) and mapped.key == key:
                yield row, record, mapped


def check_columns(source: Source, config: PipelineConfig, load: LoadConfig) -> list[str]:
    """What a person should know of its columns. Raises ConfigError where they do not fit the mapping."""
    with naming_file(config.path.name):
        mapper(load, source.columns)
        return contract_notes(load, source.columns)


def _records(
    frame: pd.DataFrame, chosen: npt.NDArray[np.bool_] | None = None
) -> Iterator[tuple[int, int, Record]]:
    """(place, row, record) of all of a frame, or of those that are chosen."""
    places = list(range(len(frame))) if chosen is None else np.flatnonzero(chosen).tolist()
    if len(places) < len(frame):
        frame = frame.iloc[places]
    columns = [str(name) for name in frame.columns]
    cells = [_texts(frame.iloc[:, number]) for number in range(len(columns))]
    rows = frame.index.tolist()
    for place, row, *record in zip(places, rows, *cells, strict=True):
        yield place, row, dict(zip(columns, record, strict=True))


def _by_place(frame: pd.DataFrame, chosen: npt.NDArray[np.bool_] | None) -> dict[int, Record]:
    return {place: record for place, _, record in _records(frame, chosen)}


def _texts(column: pd.Series) -> list[str]:
    """By pyarrow, where it holds them: pandas makes each a text by itself, at ten times the price."""
    if isinstance(column.dtype, pd.ArrowDtype):
        texts: list[str] = pa.array(column).to_pylist()
        return texts
    return column.to_list()


def _unless_forgotten(record: Staged, forgotten: Forgotten) -> Staged:
    """A forgotten person is not sent, whatever else the source says of them, and not written down."""
    if not forgotten.holds(record.key, json.loads(record.wish)["email"]):
        return record
    return record._replace(rank=math.inf, blocked=REASON, record="")


def _without_forgotten(reject: Reject, forgotten: Forgotten) -> Reject:
    """A record that maps to no lead has no key: any of its cells may be that of a forgotten person."""
    if reject.record is None or not forgotten.holds_one_of(cells_of(reject.record)):
        return reject
    return replace(reject, record=None)


def _bad_row(bad: BadRow, columns: tuple[str, ...]) -> Reject:
    """Its record is a pair, the header and the cells, because they do not fit each other."""
    record = json.dumps([columns, bad.cells], ensure_ascii=False)
    return Reject(bad.row, bad.line, "invalid", bad.reason, record=record)


def _merged(store: Store) -> Iterator[dict[str, Any]]:
    """Per key the merged wish, on the row that speaks for it: the last. One blocked record blocks all."""
    for group in list(store.duplicate_groups()):
        lead = DesiredLead.from_json(group[0].wish)
        for record in group[1:]:
            lead = merge_leads(lead, DesiredLead.from_json(record.wish))
        wish = lead.to_json()
        blocked = next((record.blocked for record in group if record.blocked), None)
        for record in group:
            yield {"row": record.row, "wish": wish, "digest": digest(wish), "blocked": blocked}
