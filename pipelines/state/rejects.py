"""Records that did not become leads, with their reason and their original text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.contacts.forgotten import REASON as FORGOTTEN
from pipelines.contacts.staged import Reject
from pipelines.state.database import BATCH, Database


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a record did not become a lead, without its text."""

    row: int
    line: int | None
    kind: str
    reason: str


class Rejects:
    """The rejects of every run of this file. The texts of staged records come from the staging table."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("rejects")

    def add(self, run_id: str, rejects: Sequence[Reject]) -> None:
        """Adds records that did not get through; inside a transaction."""
        self._queries.add(
            [
                {
                    "run_id": run_id,
                    "row": reject.row,
                    "line": reject.line,
                    "kind": reject.kind,
                    "type": reject.type,
                    "reason": reject.reason,
                    "record": reject.record,
                    "key": reject.key if reject.reason != FORGOTTEN else None,
                }
                for reject in rejects
            ],
        )

    def add_staged(self, run_id: str, row: int, kind: str, type: str | None, reason: str) -> None:  # noqa: A002
        """Adds a staged lead that Kartra refused or that is parked."""
        self._add_all(run_id, [(row, reason)], kind, type)

    def _add_all(
        self,
        run_id: str,
        rows: Iterable[tuple[int, str]],
        kind: str,
        type: str | None,  # noqa: A002
    ) -> None:
        staged = ((row, self._queries.staged(row=row), reason) for row, reason in rows)
        self.add(
            run_id,
            [
                Reject(
                    row,
                    one["line"],
                    kind,
                    reason,
                    type=type,
                    record=self._text(row, one["record"]),
                    key=one["key"],
                )
                for row, one, reason in staged
                if one is not None
            ],
        )

    def add_parked(self, run_id: str, row: int, type: str | None, reason: str) -> None:  # noqa: A002
        """Adds a staged lead that is not sent again because it was refused before."""
        self.add_staged(run_id, row, "parked", type, reason)

    def leave_out(self, run_id: str, left_out: Sequence[tuple[int, str]]) -> None:
        """Adds staged records, as (row, reason), that are left out."""
        with self._database.transaction():
            self._add_all(run_id, left_out, "invalid", None)

    def add_losers(self, run_id: str) -> None:
        """Adds the duplicates that do not count; inside a transaction."""
        for part in self._queries.losers_cursor():
            self.add(
                run_id,
                [
                    self._unsent(row, line, "duplicate", f"same key as row {winner}", record, key)
                    for row, line, winner, record, key in part
                ],
            )

    def add_blocked(self, run_id: str) -> None:
        """Adds staged records that may not be sent; inside a transaction."""
        for part in self._queries.blocked_cursor():
            self.add(
                run_id,
                [
                    self._unsent(row, line, "blocked", blocked, record, key)
                    for row, line, blocked, record, key in part
                ],
            )

    def _unsent(self, row: int, line: int, kind: str, reason: str, record: str | None, key: str) -> Reject:
        """An empty text is of somebody who was forgotten: no key of theirs is written down again."""
        text = self._text(row, record)
        return Reject(row, line, kind, reason, record=text, key=None if record == "" else key)

    def _text(self, row: int, record: str | None) -> str | None:
        """The text of a staged record; many are packed together, and unpacked when one is asked for."""
        return self._database.original_of(row) if record is None else record

    def take_back(self, run_id: str | None, *, kept: int) -> None:
        """Drops the rejects of a run except the first `kept`; inside a transaction."""
        self._queries.take_back(run_id=run_id, kept=kept)

    def prune(self, pipeline: str, before: str) -> None:
        """Drops the texts of all but the last runs, and all from before a time; inside a transaction."""
        self._queries.drop_texts(pipeline=pipeline)
        self._queries.prune(pipeline=pipeline, before=before)

    def count(self, run_id: str | None) -> int:
        """How many rejects a run has so far."""
        return int(self._queries.count(run_id=run_id))

    def of_run(self, run_id: str) -> Iterator[Reject]:
        """The rejects of a run in the order of the source. Read in batches."""
        row, place = -1, 0
        while rows := self._queries.of_run(run_id=run_id, row=row, place=place, count=BATCH):
            for found in rows:
                yield Reject(
                    found["row"],
                    found["line"],
                    found["kind"],
                    found["reason"],
                    type=found["type"],
                    record=found["record"],
                    key=found["key"],
                )
            row, place = rows[-1]["row"], rows[-1]["place"]

    def reasons(self, run_id: str) -> Iterator[Reason]:
        """The rejects of a run in the order of the source; read as asked for."""
        for part in self._queries.reasons_cursor(run_id=run_id):
            yield from (Reason(*row) for row in part)
