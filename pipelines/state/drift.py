"""What comparisons with Kartra found that we did not put there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.contacts.lead import Origin, Snapshot
from pipelines.state.clock import CLOCKS_DIFFER
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Comparable:
    """A lead as acknowledged, to be compared with Kartra. `found` is the JSON of the last comparison."""

    key: str
    snapshot: Snapshot
    origin: Origin
    changed_at: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Drifted:
    """A lead that differs from what was acknowledged; `found` is JSON."""

    key: str
    lead_id: str | None
    looked_at: str
    found: str


class Drift:
    """The comparisons of the leads of a scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("drift")

    def comparable(
        self, settled_before: datetime, looked_before: datetime, *, after: str = ""
    ) -> list[Comparable]:
        """Leads without open calls that were not compared since, at most `BATCH`, by key."""
        rows = self._queries.comparable(
            scope_id=self._scope.scope_id,
            settled_before=settled_before.isoformat(),
            latest=(self._database.clock.now() + CLOCKS_DIFFER).isoformat(),
            looked_before=looked_before.isoformat(),
            after=after,
            count=BATCH,
        )
        return [_comparable(row) for row in rows]

    def comparable_lead(self, lead_id: str, settled_before: datetime) -> list[Comparable]:
        """Our leads with this number of Kartra's, if they have no open calls."""
        rows = self._queries.comparable_lead(
            scope_id=self._scope.scope_id,
            lead_id=lead_id,
            settled_before=settled_before.isoformat(),
            latest=(self._database.clock.now() + CLOCKS_DIFFER).isoformat(),
        )
        return [_comparable(row) for row in rows]

    def keep(self, lead: Comparable, snapshot: Snapshot, found: str) -> None:
        """Keeps what a comparison found and the snapshot after it, unless the lead changed meanwhile."""
        fixed = {"scope_id": self._scope.scope_id, "key": lead.key}
        with self._database.transaction():
            if snapshot == lead.snapshot or self._queries.take(
                **fixed, snapshot=snapshot.to_json(), changed_at=lead.changed_at
            ):
                self._queries.keep(**fixed, now=self._database.timestamp(), found=found)

    def found(self) -> list[Drifted]:
        """The drifted leads by key."""
        return [Drifted(**row) for row in self._queries.found(scope_id=self._scope.scope_id)]


def _comparable(row: Mapping[str, Any]) -> Comparable:
    snapshot = Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"])
    return Comparable(row["key"], snapshot, row["origin"], row["changed_at"], row["found"])
