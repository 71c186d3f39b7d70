"""Checks the open rows of a source with Kartra before the first one is sent."""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from connectors.errors import SyncError
from pipelines.calls.context import RunContext
from pipelines.calls.guards import FailureGuard
from pipelines.calls.workers import Workers
from pipelines.operations.checks import Checked, Checks, above
from pipelines.operations.journal import Ended
from pipelines.operations.operation import Operation
from pipelines.operations.rows import Row

Asked = tuple[Row, Operation]
Found = Checked | Ended


@dataclass(frozen=True, slots=True)
class Open:
    """A row to carry out, with the result of its check."""

    row: Row
    asked: Operation
    checked: Checked


def check_rows(run: RunContext, checks: Checks, rows: Iterable[Row], guard: FailureGuard) -> list[Open]:
    """The rows that may be sent, in order; the others get an outcome.

    Raises GuardError if too many are refused, and ApiError. A stop leaves rows without an outcome.
    """
    rows = list(rows)
    found, failure = _found(run, checks, rows)
    opened = []
    left: dict[str, Decimal] = {}
    # In the order of the source and not of the answers: of what is left of a sale the earlier row has its
    # share first.
    for row in rows:
        checked = found.get(row.number)
        if isinstance(checked, Checked) and checked.rest is not None and row.operation is not None:
            checked = _share_of(row.operation, checked, checked.rest, left)
        if isinstance(checked, Ended):
            row.end(checked)
        elif checked is not None and row.operation is not None:
            row.amount = checked.amount
            opened.append(Open(row, row.operation, checked))
        guard.observe(failed=row.outcome == "refused")
    if failure is not None:
        raise failure
    return opened


def _found(run: RunContext, checks: Checks, rows: list[Row]) -> tuple[dict[int, Found], SyncError | None]:
    """The result of each open row by its number, and what stopped the checks early."""
    found: dict[int, Found] = {}

    def take(landed: list[tuple[Asked, Future[Found]]]) -> None:
        for (row, _), future in landed:
            try:
                found[row.number] = future.result()
            except SyncError as error:
                workers.fail(error)

    workers: Workers[Asked, Found] = Workers(
        run,
        lambda batch: [(one, partial(checks.check, one[1])) for one in batch],
        take,
        # If the credentials are refused, that costs one call and not one for each worker.
        first_alone=True,
    )
    workers.work((row, row.operation) for row in rows if row.is_open and row.operation)
    return found, workers.failure


def _share_of(asked: Operation, checked: Checked, rest: Decimal, left: dict[str, Decimal]) -> Found:
    """What is left for a refund after the earlier rows of the same transaction."""
    rest = left.get(asked.place, rest)
    amount = rest if asked.amount is None else asked.amount
    if rest <= 0 or amount > rest:
        return above(rest)
    left[asked.place] = rest - amount
    return replace(checked, amount=amount)
