"""The changes of a plan, one by one: in the order of the source, then leads that have gone from it.

Read in batches from what was staged and from the state: a million need no more memory than a thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Literal

from pipelines.changes.compile import change_to_json
from pipelines.changes.diff import Change
from pipelines.changes.shown import ShownChange, shown
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Origin, Snapshot
from pipelines.load.choosing import EVERYBODY, Choice
from pipelines.load.decisions import (
    Decision,
    decide,
    decided_differences,
    planned_removals,
    planned_withdrawals,
)
from pipelines.load.plan import Plan
from pipelines.state.given import WITHDRAWN
from pipelines.state.plans import SavedChange
from pipelines.state.staging import Difference
from pipelines.state.store import Store

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Planned:
    """A change of one lead. `snapshot` is None for one that Kartra does not have from us."""

    key: str
    kind: Literal["load", "removal"]
    row: int | None
    line: int | None
    digest: bytes
    outcome: str
    change: Change
    snapshot: Snapshot | None
    origin: Origin | None

    def shown(self) -> ShownChange:
        """As people read it."""
        known = self.snapshot if self.origin != "skipped" else None
        return shown(self.key, self.row, self.line, self.outcome, self.change, known)

    def saved(self) -> SavedChange:
        """As a plan that is kept has it."""
        return SavedChange(
            self.key,
            self.kind,
            self.row,
            self.line,
            self.digest,
            self.outcome,
            change_to_json(self.change),
            self.snapshot.lead_id if self.snapshot else None,
            self.origin,
            self.snapshot.to_json() if self.snapshot else None,
        )


def planned_changes(
    store: Store,
    load: LoadConfig,
    plan: Plan,
    unknown: frozenset[str] = NOBODY,
    choice: Choice = EVERYBODY,
) -> Iterator[Planned]:
    """After `make_plan`: what it has counted. Leads in `unknown` are left alone, as there."""
    taken = 0
    new = ((difference, decide(difference, load)) for difference in store.new_leads.leads())
    known = decided_differences(store, load, unknown, plan.addresses.circles, plan.names)
    for difference, decision in merge(new, known, key=lambda one: one[0].row):
        if decision.change:
            taken += 1
            yield _planned(difference, decision)
    # Behind the records, as in `make_plan`: a limit counts them last.
    for key, snapshot, change in choice.of_removals(planned_removals(store, load, unknown), taken):
        taken += 1
        yield Planned(key, "removal", None, None, b"", "removed", change, snapshot, None)
    withdrawals = planned_withdrawals(store, load, unknown, plan.withdrawing)
    for key, snapshot, change in choice.of_removals(withdrawals, taken):
        yield Planned(key, "removal", None, None, WITHDRAWN, "edited", change, snapshot, None)


def _planned(difference: Difference, decision: Decision) -> Planned:
    return Planned(
        difference.key,
        "load",
        difference.row,
        difference.line,
        difference.digest,
        decision.outcome,
        decision.change,
        difference.snapshot,
        difference.origin,
    )
