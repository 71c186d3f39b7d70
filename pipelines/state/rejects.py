"""Records that did not become leads, with their reason and their original text."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row

from pipelines.contacts.staged import Reject
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


class Rejects:
    """The rejects of every run of this file."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def add(self, run_id: str, rejects: Sequence[Reject]) -> None:
        """Records that did not get through, with the reason; inside a transaction."""
        if rejects:
            self._insert(run_id, rejects)

    def _insert(self, run_id: str, rejects: Sequence[Reject]) -> None:
        self._database.run_lines(
            "INSERT INTO rejects (run_id, row, line, kind, type, reason, record)"
            " VALUES (:run_id, :row, :line, :kind, :type, :reason, :record)",
            [
                {
                    "run_id": run_id,
                    "row": reject.row,
                    "line": reject.line,
                    "kind": reject.kind,
                    "type": reject.type,
                    "reason": reject.reason,
                    "record": reject.record,
                }
                for reject in rejects
            ],
        )

    def add_parked(self, run_id: str, row: int, type: str | None, reason: str) -> None:  # noqa: A002
        """A staged lead that is not sent again because it was refused before."""
        self.add_staged(run_id, row, "parked", type, reason)

    def add_staged(self, run_id: str, row: int, kind: str, type: str | None, reason: str) -> None:  # noqa: A002
        """A staged lead that Kartra refused, or that is parked."""
        self._database.run("reject_staged", run_id=run_id, row=row, kind=kind, type=type, reason=reason)

    def add_losers(self, run_id: str) -> None:
        """Staged records that do not speak for their key; inside a transaction."""
        self._database.run("reject_duplicates", run_id=run_id)

    def add_blocked(self, run_id: str) -> None:
        """Staged records that may not be sent; inside a transaction."""
        self._database.run("reject_blocked", run_id=run_id)

    def take_back(self, run_id: str | None, *, kept: int) -> None:
        """All of a run but the first; inside a transaction."""
        self._database.run("take_back_rejects", run_id=run_id, kept=kept)

    def prune(self, pipeline: str) -> None:
        """They are kept for the last runs of a pipeline; inside a transaction."""
        self._database.run("prune_rejects", pipeline=pipeline)

    def leave_out(self, run_id: str, left_out: Sequence[tuple[int, str]]) -> None:
        """(row, reason) of staged records as rejects."""
        with self._database.transaction():
            fixed = {"run_id": run_id, "kind": "invalid", "type": None}
            self._database.run_many(
                "reject_staged", [{**fixed, "row": row, "reason": reason} for row, reason in left_out]
            )

    def count(self, run_id: str | None) -> int:
        """How many rejects a run has up to now."""
        kept = "SELECT count(*) FROM rejects WHERE run_id = :run_id"
        return int(self._database.run_line(kept, run_id=run_id)[0][0])

    def of_run(self, run_id: str) -> Iterator[Row[Any]]:
        """The rejects of a run in the order of the source. Read in batches."""
        after = {"row": -1, "place": 0}
        while rows := self._database.run("rejects", run_id=run_id, count=BATCH, **after):
            yield from rows
            after = {"row": rows[-1].row, "place": rows[-1].place}

    def reasons(self, run_id: str) -> Iterator[Row[Any]]:
        """(row, line, kind, reason) of the rejects of a run in the order of the source; read as asked for."""
        yield from self._database.stream(
            "SELECT row, line, kind, reason FROM rejects WHERE run_id = :run_id ORDER BY row", run_id=run_id
        )
