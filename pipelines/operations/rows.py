"""Reads the rows of a source as operations, each with its record in the journal. Sends nothing."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.sources import Chunk, Source
from connectors.sources.faults import without_faults
from pipelines.config.operations import MONEY, Do, OperationsConfig
from pipelines.contacts.forgotten import REASON, Forgotten, cells_of
from pipelines.contacts.mapping import Invalid
from pipelines.contacts.staged import Reject
from pipelines.errors import GuardError
from pipelines.operations.journal import Ended, OperationStore, Recorded
from pipelines.operations.operation import Operation, ReadRow, operation_reader, used_columns

DECIDED = {
    "done": "edited",
    "already done": "unchanged",
    "refused": "rejected",
    "refused before": "parked",
    "parked": "parked",
    "unknown": "deferred",
    "deferred": "deferred",
}
"""The counter of a run for each outcome of a row."""


@dataclass(slots=True)
class Row:
    """A row of the source. Without an `outcome` it will be carried out. `record` is its text as JSON."""

    number: int
    line: int | None
    record: str | None
    key: str | None
    operation: Operation | None = None
    outcome: str = ""
    type: str | None = None
    reason: str | None = None
    amount: Decimal | None = None
    refund_id: str | None = None
    run_id: str | None = None
    at: str | None = None

    def note(self, outcome: str, reason: str | None = None) -> None:
        """Notes an outcome that is not settled; "" if it will be carried out."""
        self.outcome, self.reason = outcome, reason

    def end(self, ended: Ended) -> None:
        """Notes how it ended."""
        self.outcome, self.type, self.reason = ended.outcome, ended.type, ended.reason
        self.amount, self.refund_id = ended.amount, ended.refund_id

    @property
    def is_open(self) -> bool:
        return self.operation is not None and not self.outcome

    @property
    def reject(self) -> Reject | None:
        """The reject of a row that did not get through; None for any other."""
        kinds = {"refused before": "parked", "refused": "rejected"}
        kind = kinds.get(self.outcome, self.outcome)
        if kind not in ("invalid", "duplicate", "blocked", "parked", "rejected"):
            return None
        return Reject(self.number, self.line, kind, self.reason or "", self.type, self.record, self.key)


def read_rows(
    source: Source, operations: OperationsConfig, store: OperationStore, forgotten: Forgotten | None
) -> list[Row]:
    """All rows in order. Raises SourceError, ConfigError, and GuardError beyond `guards.max_rows`."""
    read = operation_reader(operations, source.columns)
    rows: list[Row] = []
    first: dict[str, Row] = {}
    columns = {column for _, column in used_columns(operations)}
    for chunk in without_faults(source.chunks(), columns):
        fresh = list(_rows(chunk, read, source.columns))
        for row in fresh:
            _forget(row, forgotten)
            if row.is_open:
                _once(row, first)
        _decide(fresh, store)
        rows += sorted(fresh, key=lambda row: row.number)  # bad rows come before the others
        if len(first) > operations.guards.max_rows:
            raise GuardError(
                f"the source asks for more than {operations.guards.max_rows:,} operations"
                " (operations.guards.max_rows): nothing was sent"
            )
    return rows


def _rows(chunk: Chunk, read: ReadRow, columns: tuple[str, ...]) -> Iterator[Row]:
    for bad in chunk.bad_rows:
        text = json.dumps([columns, bad.cells], ensure_ascii=False)
        yield Row(bad.row, bad.line, text, None, outcome="invalid", reason=bad.reason)
    names = [str(name) for name in chunk.frame.columns]
    for (number, *cells), line in zip(chunk.frame.itertuples(name=None), chunk.lines, strict=True):
        record = dict(zip(names, cells, strict=True))
        asked = read(record)
        row = Row(number, line, json.dumps(record, ensure_ascii=False), asked.key)
        if isinstance(asked, Invalid):
            row.outcome, row.reason = "invalid", asked.reason
        else:
            row.operation = asked
        yield row


def _forget(row: Row, forgotten: Forgotten | None) -> None:
    """Blocks the row of a forgotten person and drops its text."""
    if forgotten is None or row.record is None or not forgotten.holds_one_of(cells_of(row.record)):
        return
    row.record = row.operation = None
    row.outcome, row.reason = "blocked", REASON


def _once(row: Row, first: dict[str, Row]) -> None:
    """Marks repeated keys. A second row that asks for something else is a mistake and not a copy."""
    assert row.operation is not None  # noqa: S101 - by the caller
    earlier = first.setdefault(row.operation.key, row)
    if earlier is row:
        return
    assert earlier.operation is not None  # noqa: S101 - by the line above
    if earlier.operation.digest == row.operation.digest:
        row.outcome, row.reason = "duplicate", f"the same as row {earlier.number}"
    else:
        row.outcome = "invalid"
        row.reason = f"the key of row {earlier.number}, which asks for something else"
    row.operation = None


def _decide(rows: list[Row], store: OperationStore) -> None:
    """Decides rows whose key is in the journal."""
    open_rows = [row for row in rows if row.is_open]
    known = store.recorded([row.key for row in open_rows if row.key is not None])
    asked = [row.operation for row in open_rows if row.operation is not None and row.key not in known]
    known |= store.recorded_elsewhere(asked)
    for row in open_rows:
        if (found := known.get(row.key or "")) is not None:
            _decide_one(row, found)


def _decide_one(row: Row, known: Recorded) -> None:
    assert row.operation is not None  # noqa: S101 - by the caller
    is_same = known.digest == row.operation.digest
    if known.outcome == "refused" and not is_same:
        return  # another wish under the key of one that was never carried out
    row.type, row.reason, row.run_id, row.at = known.type, known.reason, known.run_id, known.settled_at
    row.amount, row.refund_id = known.amount, known.refund_id
    match known.outcome:
        case None:
            row.outcome, row.reason = "unknown", "a try of it has no outcome yet"
        case "parked":
            row.outcome = "parked"
        case "refused":
            row.outcome = "refused before"
        case _ if is_same:
            row.outcome = "already done"
        case _:
            row.outcome, row.operation, row.amount = "invalid", None, None
            row.reason = (
                f"the key stands for another operation, {known.outcome} {(known.settled_at or '')[:10]}:"
                " give the row a key of its own"
            )


@dataclass(frozen=True, slots=True)
class Bill:
    """The money of open operations: how many of each kind, and the total of their refunds.

    `before` is the total of this source's refunds in earlier runs, parked ones included.
    """

    counts: Mapping[Do, int]
    total: Decimal
    before: Decimal

    @property
    def moves_money(self) -> bool:
        return any(self.counts.values())

    def to_json(self) -> dict[str, Any]:
        return {str(do): count for do, count in sorted(self.counts.items())}


def bill_of(rows: list[Row]) -> Bill:
    open_rows = [row.operation for row in rows if row.is_open and row.operation]
    counts = Counter(asked.do for asked in open_rows if asked.do in MONEY)
    total = sum((row.amount or Decimal(0) for row in rows if row.is_open), Decimal(0))
    before = sum((row.amount or Decimal(0) for row in rows if not row.is_open), Decimal(0))
    return Bill(counts, total, before)
