"""The verb `explain` for an operation: its rows, what became of it, what the next run does with it."""

import json
from dataclasses import dataclass, replace

from connectors.errors import SyncError
from connectors.privacy import mask_address, mask_value
from pipelines.config.operations import OperationsConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.normalise import normal_cell
from pipelines.extract.sources import open_source
from pipelines.operations.journal import JournalEntry, OperationStore
from pipelines.operations.rows import Row, read_rows
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of
from pipelines.words.outcomes import word_of


@dataclass(frozen=True, slots=True)
class OperationRow:
    """A row of the source under the key. `problem`: why it is not sent."""

    row: int
    record: dict[str, str]
    operation: str | None
    target: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class ExplainedOperation:
    """All that is known of an operation."""

    key: str
    source: tuple[OperationRow, ...]
    source_problem: str | None
    decision: str
    journal: tuple[JournalEntry, ...]


def explain_operation(config: PipelineConfig, key: str, *, show: bool) -> ExplainedOperation | None:
    """Follow one operation, without credentials and without a call; None where no operation has this key."""
    if config.operations is None:
        return None
    key = normal_cell(key)
    problem, rows = None, []
    with store_of(config) as store:
        journal = OperationStore(store).journal(config.pipeline, key)
        try:
            rows = _rows_of(config.operations, store, key)
        except SyncError as error:
            problem = str(error)
    if not rows and not journal and config.load is not None:
        return None
    return ExplainedOperation(
        key=key if show else mask_address(key),
        source=tuple(_row(row, show=show) for row in rows),
        source_problem=problem,
        decision=_decision(rows, journal),
        journal=tuple(
            replace(entry, outcome=word_of(entry.outcome) if entry.outcome else None) for entry in journal
        ),
    )


def _rows_of(operations: OperationsConfig, store: Store, key: str) -> list[Row]:
    source, forgotten = open_source(operations.source), store.forgetting.forgotten()
    rows = read_rows(source, operations, OperationStore(store), forgotten)
    return [row for row in rows if row.key == key]


def _row(row: Row, *, show: bool) -> OperationRow:
    record = json.loads(row.record) if row.record else {}
    # A row that is not as wide as the header has its cells by number.
    cells = record if isinstance(record, dict) else dict(enumerate(record[1], 1))
    return OperationRow(
        row=row.number,
        record={str(name): cell if show else mask_value(str(cell)) for name, cell in cells.items()},
        operation=str(row.operation.do) if row.operation else None,
        target=row.operation.target if row.operation else None,
        problem=row.reason if row.outcome in ("invalid", "duplicate", "blocked") else None,
    )


def _decision(rows: list[Row], journal: list[JournalEntry]) -> str:
    """What the next run does, by the last entry of the journal, whatever mode and account it was made in."""
    asked = next((row.operation for row in rows if row.operation), None)
    last = journal[-1] if journal else None
    if last is None:
        return "send it" if asked else "nothing"
    match last.outcome:
        case None:
            return "read back what became of it"
        case "parked":
            return "nothing until somebody says what became of it: kartra-sync resolve"
        case "refused":
            return "nothing until its row changes, or kartra-sync resolve KEY --not-landed"
        case _:
            return "nothing: it is done, and the key is never carried out again"
