"""Plans that were kept to be applied as they are: what each would send, and what became of it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pipelines.contacts.lead import Origin, Snapshot
from pipelines.errors import StalePlanError
from pipelines.state.clock import instant
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope

KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`basis` says by hashes what it was made from, `counts` what it would do."""

    plan_id: str
    pipeline: str
    account: str
    mode: str
    made_at: datetime
    made_by: str
    expires_at: datetime | None
    basis: Mapping[str, Any] = field(repr=False)
    counts: Mapping[str, Any]
    state: Literal["saved", "applying", "applied"]
    applied_at: datetime | None
    applied_by: str | None


@dataclass(frozen=True, slots=True)
class SavedChange:
    """A change of one lead, as JSON, and what was acknowledged of the lead when the plan was made."""

    key: str
    kind: Literal["load", "removal"]
    row: int | None
    line: int | None
    digest: bytes
    outcome: str
    change: str = field(repr=False)
    lead_id: str | None
    origin: Origin | None
    snapshot: str | None = field(repr=False)

    def is_as(self, other: "SavedChange") -> bool:
        """Whether the same is to be sent to a lead of which the same is known; rows may have moved."""
        return (self.kind, self.digest, self.change, self.lead_id, self.origin, self.snapshot) == (
            other.kind,
            other.digest,
            other.change,
            other.lead_id,
            other.origin,
            other.snapshot,
        )

    def known(self) -> Snapshot | None:
        """What is known of the lead; nothing of one that was there before us."""
        if self.snapshot is None or self.origin == "skipped":
            return None
        return Snapshot.from_json(self.snapshot, lead_id=self.lead_id)


class Plans:
    """The saved plans of a scope; reading and listing them is possible from outside of it."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("plans")

    def save(self, plan: SavedPlan, changes: Iterable[SavedChange]) -> int:
        """The whole plan or nothing of it; gives how many changes it has. Old plans go."""
        place = 0
        with self._database.transaction():
            # A plan holds what would be sent of people: one that nobody applied does not stay for ever.
            self._queries.prune(before=(plan.made_at - KEPT).isoformat())
            self._queries.add(
                plan_id=plan.plan_id,
                scope_id=self._scope.scope_id,
                made_at=plan.made_at.isoformat(),
                made_by=plan.made_by,
                expires_at=plan.expires_at.isoformat() if plan.expires_at else None,
                basis=json.dumps(plan.basis),
                counts=json.dumps(plan.counts),
            )
            numbered = enumerate(changes, start=1)
            self._queries.add_change(
                (
                    plan.plan_id,
                    place := number,
                    one.key,
                    one.kind,
                    one.row,
                    one.line,
                    one.digest,
                    one.outcome,
                    one.change,
                    one.lead_id,
                    one.origin,
                    one.snapshot,
                )
                for number, one in numbered
            )
        return place

    def get(self, plan_id: str) -> SavedPlan | None:
        row = self._queries.get(plan_id=plan_id)
        return None if row is None else _plan(row)

    def of_pipeline(self, pipeline: str) -> list[SavedPlan]:
        """The newest first."""
        return [_plan(row) for row in self._queries.of_pipeline(pipeline=pipeline)]

    def changes(self, plan_id: str) -> Iterator[SavedChange]:
        """In the order of the plan; none once it was applied. Read in batches."""
        after = 0
        while rows := self._queries.changes(plan_id=plan_id, after=after, count=BATCH):
            for row in rows:
                yield SavedChange(
                    row["key"],
                    row["kind"],
                    row["row"],
                    row["line"],
                    b"",
                    row["outcome"],
                    row["change"],
                    row["lead_id"],
                    row["origin"],
                    row["snapshot"],
                )
            after = rows[-1]["place"]

    def changes_of(self, plan_id: str, keys: Sequence[str]) -> dict[str, SavedChange]:
        """What the plan has for these leads, by key."""
        rows = self._queries.changes_of(plan_id=plan_id, keys=json.dumps(keys))
        return {
            row["key"]: SavedChange(
                row["key"],
                row["kind"],
                None,
                None,
                row["digest"],
                "",
                row["change"],
                row["lead_id"],
                row["origin"],
                row["snapshot"],
            )
            for row in rows
        }

    def tried(self, plan_id: str, keys: Sequence[str]) -> set[str]:
        """Those of these leads that a run of the plan has sent something to."""
        scope_id = self._scope.scope_id
        rows = self._queries.tried(plan_id=plan_id, scope_id=scope_id, keys=json.dumps(keys))
        return {row["key"] for row in rows}

    def count_untried(self, plan_id: str) -> int:
        """How many leads of the plan no run of it has sent anything to."""
        return int(self._queries.count_untried(plan_id=plan_id, scope_id=self._scope.scope_id))

    def begin(self, plan_id: str, run_id: str, who: str) -> None:
        """Before the first change is sent. Raises StalePlanError where it was applied meanwhile."""
        with self._database.transaction():
            # Asked by the statement that changes it: the plan may have been applied since it was read.
            if not self._queries.begin(plan_id=plan_id, now=self._database.timestamp(), who=who):
                raise StalePlanError(f"the plan {plan_id} was applied already: nothing was sent")
            self._queries.add_run(plan_id=plan_id, run_id=run_id)

    def finish(self, plan_id: str) -> None:
        """It is never applied again; what it held of people goes."""
        with self._database.transaction():
            if self._queries.finish(plan_id=plan_id, now=self._database.timestamp()):
                self._queries.drop_changes(plan_id=plan_id)


def _plan(row: Mapping[str, Any]) -> SavedPlan:
    return SavedPlan(
        plan_id=row["plan_id"],
        pipeline=row["pipeline"],
        account=row["account"],
        mode=row["mode"],
        made_at=instant(row["made_at"]),
        made_by=row["made_by"],
        expires_at=instant(row["expires_at"]) if row["expires_at"] else None,
        basis=json.loads(row["basis"]),
        counts=json.loads(row["counts"]),
        state=row["state"],
        applied_at=instant(row["applied_at"]) if row["applied_at"] else None,
        applied_by=row["applied_by"],
    )
