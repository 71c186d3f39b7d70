"""What became of each lead of each run, and which rejects are known from the runs before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.contacts.lead import Snapshot
from pipelines.state.database import Database


@dataclass(frozen=True, slots=True)
class LeadOutcome:
    """What became of one lead or record of a run. `outcome` is as the state keeps it.

    `done` says what was effected, by command names; `became` is None where nothing was tried or the version
    then kept no snapshots. `kind` is load, removal or record.
    """

    run_id: str
    key: str | None
    row: int | None
    line: int | None
    kind: str
    outcome: str
    type: str | None
    reason: str | None
    done: str | None
    at: str
    was: Snapshot | None
    became: Snapshot | None


@dataclass(frozen=True, slots=True)
class Past:
    """Since when somebody is among the rejects, and in how many kept runs."""

    since: str
    times: int


class Outcomes:
    """The outcomes of every run of this file."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("outcomes")

    def of_run(self, run_id: str) -> Iterator[LeadOutcome]:
        """Leads that something was planned for and records that were left out; read as asked for."""
        for part in self._queries.of_run_cursor(run_id=run_id):
            yield from map(_outcome, part)

    def untouched(self, run_id: str) -> Iterator[tuple[LeadOutcome, int]]:
        """The leads known before a run that it has no outcome of, each with how many they are."""
        for part in self._queries.untouched_cursor(run_id=run_id):
            yield from ((_outcome(row[:-1]), row[-1]) for row in part)

    def of_key(self, pipeline: str, key: str) -> Iterator[LeadOutcome]:
        """The same for one key, in all kept runs."""
        for part in self._queries.of_key_cursor(pipeline=pipeline, key=key):
            yield from map(_outcome, part)

    def last_run(self, pipeline: str) -> str | None:
        """The last one that read its source."""
        run_id: str | None = self._queries.last_run(pipeline=pipeline)
        return run_id

    def runs_named(self, pipeline: str, prefix: str) -> list[str]:
        """At most two."""
        return [row["run_id"] for row in self._queries.runs(pipeline=pipeline, prefix=prefix)]

    def known_refusals(self, pipeline: str, run_id: str) -> int:
        """How many records that did not get through in a run did not in the run before either."""
        before = self._queries.run_before(pipeline=pipeline, run_id=run_id)
        return int(self._queries.known(run_id=run_id, before=before)) if before else 0

    def history(self, pipeline: str, run_id: str) -> Mapping[tuple[str, str], Past]:
        """By key (or text, of who has none) and kind, of those who were rejects before."""
        rows = self._queries.history(pipeline=pipeline, run_id=run_id)
        return {(row["who"], row["kind"]): Past(row["since"], row["times"]) for row in rows}


def _outcome(row: tuple[Any, ...]) -> LeadOutcome:
    return LeadOutcome(*row[:-2], *map(_snapshot, row[-2:]))


def _snapshot(stored: str | None) -> Snapshot | None:
    return Snapshot.from_json(stored, lead_id=None) if stored else None
