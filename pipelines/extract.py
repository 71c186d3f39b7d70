"""The source becomes the staging table: every record mapped, the bad ones set aside with the reason."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.errors import ConfigError, GuardError
from connectors.sources import BadRow, Chunk, Source
from pipelines.card_numbers import without_secrets
from pipelines.config import LoadConfig, PipelineConfig
from pipelines.contract import contract_notes
from pipelines.forgotten import REASON, Forgotten, cells_of
from pipelines.lead import DesiredLead, digest
from pipelines.mapping import Invalid, Mapped, mapper, merge_leads
from pipelines.state import Reject, Staged, Store
from pipelines.summary import Summary
from pipelines.suppression import suppressed_addresses, suppressed_by
from pipelines.transform import source_columns
from pipelines.values import Record

if TYPE_CHECKING:
    import pandas as pd

MapRecord = Callable[[Record, int], Mapped | Invalid]


def stage(
    source: Source,
    load: LoadConfig,
    store: Store,
    summary: Summary,
    *,
    run_id: str | None,
    between: Callable[[], None] = lambda: None,
) -> None:
    """Fill the staging table; one record per key is left in it. Counts rows in `summary`.

    `between` is called after each chunk. Raises SourceError, ConfigError, and GuardError for
    `duplicates: error`.
    """
    map_record = mapper(load, source.columns)
    forgotten = store.forgotten()
    store.begin_staging()
    for suppress in load.suppress:
        for addresses in suppressed_addresses(suppress):
            store.suppress(addresses, suppressed_by(suppress))
            between()
    for chunk in without_secrets(source.chunks(), load):
        staged, rejects = _map_chunk(chunk, map_record, source_columns(source))
        if forgotten is not None:
            staged = [_unless_forgotten(record, forgotten) for record in staged]
            rejects = [_without_forgotten(reject, forgotten) for reject in rejects]
        store.stage(staged, rejects, run_id)
        summary.read += len(chunk.frame) + len(chunk.bad_rows)
        summary.invalid += len(rejects)
        between()
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


def read_mapped(source: Source, load: LoadConfig) -> Iterator[tuple[int, Mapped | Invalid]]:
    """(row, mapped) of every record, without staging it."""
    map_record = mapper(load, source.columns)
    for chunk in without_secrets(source.chunks(), load):
        for bad in chunk.bad_rows:
            yield bad.row, Invalid(bad.reason)
        for row, record in _records(chunk.frame):
            yield row, map_record(record, row)


def find_record(source: Source, load: LoadConfig, key: str) -> Iterator[tuple[int, Record, Mapped]]:
    """(row, record, mapped) of every record with this key."""
    map_record = mapper(load, source.columns)
    for chunk in source.chunks():
        for row, record in _records(chunk.frame):
            mapped = map_record(record, row)
            if isinstance(mapped, Mapped) and mapped.key == key:
                yield row, record, mapped


def check_columns(source: Source, config: PipelineConfig, load: LoadConfig) -> list[str]:
    """What a person should know of its columns. Raises ConfigError where they do not fit the mapping."""
    try:
        mapper(load, source.columns)
        return contract_notes(load, source.columns)
    except ConfigError as error:
        raise ConfigError(
            "\n".join(f"{config.path.name}: {line}" for line in str(error).splitlines())
        ) from None


def _records(frame: "pd.DataFrame") -> Iterator[tuple[int, Record]]:
    columns = [str(name) for name in frame.columns]
    for row, *cells in frame.itertuples(name=None):
        yield row, dict(zip(columns, cells, strict=True))


def _map_chunk(
    chunk: Chunk, map_record: MapRecord, columns: tuple[str, ...]
) -> tuple[list[Staged], list[Reject]]:
    staged = []
    rejects = [_bad_row(bad, columns) for bad in chunk.bad_rows]
    originals = chunk.frame if chunk.originals is None else chunk.originals
    records = zip(_records(chunk.frame), _records(originals), chunk.lines, strict=True)
    for (row, record), (_, original), line in records:
        mapped = map_record(record, row)
        text = json.dumps(original, ensure_ascii=False)
        if isinstance(mapped, Invalid):
            rejects.append(Reject(row, line, "invalid", mapped.reason, record=text, key=mapped.key))
            continue
        wish = mapped.lead.to_json()
        staged.append(Staged(row, line, mapped.key, mapped.rank, digest(wish), wish, mapped.blocked, text))
    return staged, rejects


def _unless_forgotten(record: Staged, forgotten: Forgotten) -> Staged:
    """A forgotten person is not sent, whatever else the source says of them, and not written down."""
    if not forgotten.holds(record.key, json.loads(record.wish)["email"]):
        return record
    return replace(record, rank=math.inf, blocked=REASON, record="")


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
