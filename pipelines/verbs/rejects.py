"""The verb `rejects`: the rejects of a run, as a file to mend and load again.

The file holds people's data, so that only its owner can read it.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.config.pipeline import PipelineConfig
from pipelines.config.sources import CsvOptions, SourceConfig
from pipelines.contacts.staged import KEY_COLUMN, REASON_COLUMN
from pipelines.private_file import open_private
from pipelines.tables.spreadsheets import without_formula
from pipelines.verbs.outcomes import run_named
from pipelines.verbs.reading import store_of

RejectKind = Literal["refused", "invalid", "held_back", "duplicate", "blocked"]
_KIND: Mapping[str, RejectKind] = {
    "rejected": "refused",
    "invalid": "invalid",
    "parked": "held_back",
    "duplicate": "duplicate",
    "blocked": "blocked",
}
"""By the word that the state keeps."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not get through. `key` is None where it could not be read.

    `since` and `times` say since when, and in how many kept runs, it is among the rejects; a new one has no
    `since`.
    """

    row: int
    line: int | None
    kind: RejectKind
    type: str | None
    reason: str
    key: str | None
    since: str | None
    times: int


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """With its original: an object, or header and cells where the two differ in width.

    None in runs before the last five.
    """

    reject: Reject
    original: Any = field(repr=False)


def write_rejects(
    rejects: Callable[[], Iterator[RejectedRecord]],
    path: Path | None,
    source: SourceConfig,
    *,
    exact: bool = False,
) -> int:
    """Write the original records as CSV, with the reason and the key in front; gives how many.

    The file has the separators and the encoding of a CSV source. Duplicates are left out: another record
    spoke for them. A record that was not as wide as the header is written with the cells it had. `rejects` is
    asked twice, for the header and for the rows: records are too many to be held. What a
    spreadsheet would carry out has an apostrophe before it, which a source that is read takes off again,
    unless the cells are to be `exact`.
    """

    def shown(cells: Iterable[str]) -> list[str]:
        return list(cells) if exact else list(map(without_formula, cells))

    options = source.options
    written = options if isinstance(options, CsvOptions) else None
    header = _header(_records(rejects()))
    count = 0
    with open_private(path, (written and written.encoding) or "utf-8") as handle:
        writer = csv.writer(
            handle,
            delimiter=(written and written.delimiter) or ",",
            quotechar=written.quotechar if written else '"',
        )
        if header:
            writer.writerow([REASON_COLUMN, KEY_COLUMN, *shown(header)])
        for reject in _written(rejects()):
            record, why = reject.original, reject.reject
            cells = shown(record.values() if isinstance(record, dict) else record[1])
            writer.writerow([without_formula(why.reason), *shown([why.key or ""]), *cells])
            count += 1
    return count


def _written(rejects: Iterator[RejectedRecord]) -> Iterator[RejectedRecord]:
    return (found for found in rejects if found.reject.kind != "duplicate" and found.original)


def _records(rejects: Iterator[RejectedRecord]) -> Iterator[Any]:
    """The records as they stand in the source."""
    return (found.original for found in _written(rejects))


def _header(records: Iterator[Any]) -> list[str]:
    """The header of the first record that is as wide as it, or else of the first record."""
    found: list[str] = []
    for record in records:
        if isinstance(record, dict):
            return list(record)
        found = found or record[0]
    return found


def rejects_of(
    config: PipelineConfig, run: str | None = None, kind: str | None = None, *, new_only: bool = False
) -> Iterator[RejectedRecord]:
    """The rejects of a run, or of the last run, with the original records."""
    with store_of(config) as store:
        run_id = run_named(store, config, run)
        if run_id is None:
            return
        history = store.outcomes.history(config.pipeline, run_id)
        for row in store.rejects.of_run(run_id):
            word = _KIND[row.kind]
            # A bad row may have no key; it is known again by its text.
            past = history.get((row.key or row.record or "", _GROUP.get(row.kind, row.kind)))
            if kind not in (None, word) or (new_only and past is not None):
                continue
            reject = Reject(
                row=row.row,
                line=row.line,
                kind=word,
                type=row.type,
                reason=row.reason,
                key=row.key,
                since=past.since if past else None,
                times=past.times if past else 1,
            )
            yield RejectedRecord(reject, _original(json.loads(row.record)) if row.record else None)


_GROUP = {"rejected": "refused", "parked": "refused"}
"""The kinds that the history counts as one: a refused lead is parked in the runs after it."""


def _original(record: Any) -> Any:
    """The record without reason and key, which stand in front where a file of rejects was loaded."""
    if isinstance(record, dict):
        return {name: cell for name, cell in record.items() if name not in (REASON_COLUMN, KEY_COLUMN)}
    header, cells = record
    if list(header[:2]) == [REASON_COLUMN, KEY_COLUMN]:
        return [header[2:], cells[2:]]
    return record
