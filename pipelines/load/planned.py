"""The changes of a plan, one by one: in the order of the source, then leads that have gone from it.

Read in batches from what was staged and from the state: a million need no more memory than a thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Literal

from pipelines.changes.diff import Change
from pipelines.changes.shown import ShownChange, shown
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Snapshot
from pipelines.load.addresses import AddressOrder
from pipelines.load.plan import Decision, decide, decided_differences, planned_removals
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
    outcome: str
    change: Change
    snapshot: Snapshot | None

    def shown(self) -> ShownChange:
        """As people read it."""
        return shown(self.key, self.row, self.line, self.outcome, self.change, self.snapshot)


def planned_changes(
    store: Store, load: LoadConfig, addresses: AddressOrder, unknown: frozenset[str] = NOBODY
) -> Iterator[Planned]:
    """After `make_plan`: what it has counted. Leads in `unknown` are left alone."""
    new = ((difference, decide(difference, load)) for difference in store.new_leads.leads())
    known = decided_differences(store, load, unknown, addresses.circles)
    for difference, decision in merge(new, known, key=lambda one: one[0].row):
        if decision.change:
            yield _planned(difference, decision)
    for key, snapshot, change in planned_removals(store, load, unknown):
        yield Planned(key, "removal", None, None, "removed", change, snapshot)


def _planned(difference: Difference, decision: Decision) -> Planned:
    known = difference.snapshot if difference.origin != "skipped" else None
    return Planned(
        difference.key,
        "load",
        difference.row,
        difference.line,
        decision.outcome,
        decision.change,
        known,
    )
