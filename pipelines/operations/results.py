"""Counts the outcomes of rows, and writes them to a file with one line each."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

from connectors.errors import ConfigError
from connectors.kartra.money import money_text
from pipelines.config.operations import Do
from pipelines.operations.rows import DECIDED, Bill, Row
from pipelines.private_file import replaced_private
from pipelines.summary import OperationsSummary, Summary
from pipelines.tables.spreadsheets import CsvForPeople

RESULT_COLUMNS = (
    *("row", "key", "operation", "target", "outcome", "type", "reason"),
    *("amount", "refund_id", "run_id", "at"),
)
_OLDEST = 5
"""How many columns the results have had in every version."""
_OUTCOMES = (
    *("done", "already_done", "refused", "refused_before", "parked", "unknown"),
    *("deferred", "invalid", "duplicate", "blocked"),
)


def refuse_foreign(path: Path) -> None:
    """Raises ConfigError if the file exists and does not hold results: it may be anything."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            header = next(csv.reader(handle), None)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error):
        header = []
    # An empty file is nobody's work: it may be written over.
    if header is not None and tuple(header[:_OLDEST]) != RESULT_COLUMNS[:_OLDEST]:
        raise ConfigError(
            f"operations.results: {path.name} is there already and holds no results: name another file"
        )


def write_results(rows: list[Row], path: Path, *, exact: bool = False) -> None:
    """Writes a line for each row: completely or not at all, readable by the owner alone. Raises
    ConfigError."""
    with replaced_private(path) as handle:
        writer = CsvForPeople(handle, exact=exact)
        writer.writerow(RESULT_COLUMNS)
        for row in rows:
            asked = row.operation
            writer.writerow(
                [
                    row.number,
                    row.key or "",
                    str(asked.do) if asked else "",
                    asked.target if asked else "",
                    # To whoever reads the file it is refused, whenever that was: `run_id` and `at` say it.
                    "refused" if row.outcome == "refused before" else row.outcome,
                    row.type or "",
                    row.reason or "",
                    "" if row.amount is None else money_text(row.amount),
                    row.refund_id or "",
                    row.run_id or "",
                    row.at or "",
                ]
            )


def outcomes_of(rows: list[Row]) -> dict[str, int]:
    counted = Counter(row.outcome or "to do" for row in rows)
    return {name.replace(" ", "_"): count for name, count in sorted(counted.items())}


def count_rows(summary: Summary, rows: list[Row], *, to_do: str = "deferred") -> None:
    """Counts each row in one of the counters of a run."""
    summary.counts.read += len(rows)
    for row in rows:
        match row.outcome:
            case "invalid":
                summary.counts.invalid += 1
            case "duplicate":
                summary.counts.duplicate += 1
            case "blocked":
                summary.counts.blocked += 1
            case outcome:
                summary.counts.leads[DECIDED.get(outcome, to_do)] += 1


def summary_of(rows: list[Row], bill: Bill, run_id: str) -> OperationsSummary:
    refunds = [
        row for row in rows if row.amount is not None and row.operation and row.operation.do is Do.REFUND
    ]
    now = [row for row in refunds if row.outcome == "done" and row.run_id == run_id]
    earlier = [row for row in refunds if row.outcome in ("done", "already done") and row not in now]
    parked = [row for row in refunds if row.outcome == "parked"]
    return OperationsSummary(
        {**dict.fromkeys(_OUTCOMES, 0), **outcomes_of(rows)},
        refunded=_sum(now),
        refunded_before=_sum(earlier),
        parked=_sum(parked),
        asked_for=money_text(bill.total),
    )


def _sum(rows: list[Row]) -> str:
    return money_text(sum((row.amount or Decimal(0) for row in rows), Decimal(0)))
