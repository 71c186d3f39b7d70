"""How each lead that is not as acknowledged is to end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD
from pipelines.changes.diff import Change, diff_lead, removal, unproven_wishes, why_parked
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Snapshot, Unwanted
from pipelines.state.staging import Difference
from pipelines.state.store import Store

NOTHING = Change()


@dataclass(frozen=True, slots=True)
class Decision:
    """How a difference is to end. `change` is empty where nothing is to be sent, `reason` then why."""

    outcome: str
    change: Change = NOTHING
    calls: int = 0
    reason: str = ""


def decide(
    difference: Difference, load: LoadConfig, withdrawn: frozenset[Unwanted] = frozenset()
) -> Decision:
    """Pure. A lead Kartra may have had before us counts as created until Kartra says otherwise."""
    if difference.refused is not None and not _may_go_on(difference, load):
        return Decision("parked", reason=difference.refused.reason)
    if difference.origin == "skipped":
        if load.existing == "skip" or load.sync_mode == "create_only":
            return Decision("skipped")
        return Decision("edited", diff_lead(difference.desired, Snapshot(difference.desired.email)), 2)
    if difference.snapshot is None:
        change = diff_lead(difference.desired, None)
        if load.sync_mode == "update_only":
            return Decision("edited", change, calls=2)
        return Decision("created", change, calls=1)
    change = diff_lead(difference.desired, difference.snapshot, withdrawn)
    if not change:
        unproven = unproven_wishes(difference.desired, difference.snapshot)
        return Decision("parked", reason=why_parked(unproven)) if unproven else Decision("unchanged")
    if load.sync_mode == "create_only":
        return Decision("skipped")
    return Decision("edited", change, calls=2 if change.needs_read else 1)


def _may_go_on(difference: Difference, load: LoadConfig) -> bool:
    """Whether the file says by now what is to become of a lead that was refused because it was gone."""
    refused = difference.refused
    is_gone = refused is not None and (refused.type in NO_LEAD or refused.type == LEAD_DELETED)
    # A lead that was never ours is refused by the same numbers, and on_gone does not speak of it.
    return is_gone and difference.snapshot is not None and load.on_gone != "report"


def decided_differences(
    store: Store,
    load: LoadConfig,
    unknown: frozenset[str],
    circles: Mapping[str, str],
    withdrawn: frozenset[Unwanted] = frozenset(),
) -> Iterator[tuple[Difference, Decision]]:
    """Leads that are not as acknowledged, each with how it is to end; not new ones set apart."""
    for difference in store.staging.differences():
        if difference.key in unknown:
            yield difference, Decision("deferred")
        elif difference.key in circles:
            yield difference, Decision("parked", reason=circles[difference.key])
        else:
            yield difference, decide(difference, load, withdrawn)


def planned_removals(
    store: Store, load: LoadConfig, unknown: frozenset[str]
) -> Iterator[tuple[str, Snapshot, Change]]:
    """Leads whose contact has gone from the source, each with what is taken from it."""
    if not load.on_removed:
        return
    for key, snapshot in store.staging.removed():
        if key not in unknown and (change := removal(snapshot, load.on_removed)):
            yield key, snapshot, change


def planned_withdrawals(
    store: Store, load: LoadConfig, unknown: frozenset[str], withdrawn: frozenset[Unwanted]
) -> Iterator[tuple[str, Snapshot, Change]]:
    """Leads without a record that may be sent, each with what is taken from it of what has left the file.

    Those that are removed in this run lose it with that.
    """
    if not withdrawn or load.sync_mode == "create_only":
        return
    # Two entries of one lead would be two calls, and the second by a snapshot that no longer holds.
    going = {key for key, _, _ in planned_removals(store, load, unknown)}
    for key, snapshot in store.given.without_record(has_known=store.staging.has_known):
        change = removal(snapshot, (), withdrawn)
        if change and key not in unknown and key not in going:
            yield key, snapshot, change
