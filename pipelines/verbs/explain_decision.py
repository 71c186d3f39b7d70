"""What the next run does with one lead, in words.

The decision is that of a run, made by the same functions. What a run learns from Kartra on its way (names
that are missing, addresses that go round in a circle) is not asked for here.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from connectors.privacy import mask_text
from pipelines.changes.diff import Change, removal, unproven_wishes, why_parked
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import DesiredLead, Snapshot, Unwanted, digest
from pipelines.contacts.mapping import Mapped
from pipelines.contacts.wishes import WISH
from pipelines.contacts.withdrawn import Withdrawn
from pipelines.load.decisions import decide
from pipelines.state.given import WITHDRAWN
from pipelines.state.leads import LeadState
from pipelines.state.outbox import JournalEntry
from pipelines.state.refusals import Refusal
from pipelines.state.staging import Difference

_REMOVAL = b""
"""The digest under which the refusal of a removal is kept."""


@dataclass(frozen=True, slots=True)
class LeftTheFile:
    """Something that the lead has from us and that the file no longer gives."""

    what: str
    name: str
    is_taken_back: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A lead in one account and mode beside its record. `journal` is what was done with it there."""

    load: LoadConfig
    winner: Mapped | None
    state: LeadState
    gone: Withdrawn
    refusals: tuple[Refusal, ...]
    journal: tuple[JournalEntry, ...]

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.from_json(self.state.snapshot, lead_id=self.state.lead_id)

    @property
    def wish(self) -> DesiredLead | None:
        """What is asked for, unless it may not be sent."""
        return self.winner.lead if self.winner and not self.winner.blocked else None

    @property
    def withdrawn(self) -> frozenset[Unwanted]:
        """What has left the file and is taken back, if the lead has it from us."""
        if self.state.origin == "skipped" or self.load.sync_mode == "create_only":
            return frozenset()
        return self.gone.of_lead(self.snapshot)

    @property
    def why_left_alone(self) -> str:
        """The journal is pruned after a while; who then has no entry was in Kartra before us."""
        reasons = (entry.reason for entry in self.journal if entry.outcome == "skipped" and entry.reason)
        return next(reasons, "was in Kartra before")


def left_the_file(standing: Standing) -> Iterator[LeftTheFile]:
    """What the lead has from us that has left the file and its record does not ask for."""
    if standing.state.origin == "skipped":
        return
    gone, snapshot, wish = standing.gone, standing.snapshot, standing.wish
    stays = {(kind, name) for kind in gone.unmapped for name in WISH[kind].given(snapshot)}
    stays |= {("sequences", name) for name in gone.begun & snapshot.sequences}
    for kind, name in sorted(gone.of_lead(snapshot) | stays):
        if wish is None or not WISH[kind].asks_for(wish, name):
            yield LeftTheFile(WISH[kind].one, mask_text(name), (kind, name) in standing.withdrawn)


def first_decision(load: LoadConfig, winner: Mapped | None, refusals: Collection[Refusal]) -> str:
    """Of a lead of which Kartra acknowledged nothing."""
    if winner is None:
        return "nothing: neither the source nor Kartra's answers know this key"
    if winner.blocked:
        return f"not sent: {winner.blocked}"
    decision = decide(_difference(winner.lead, refusals), load)
    if not decision.change:
        return _refused(decision.reason)
    sent = _describe(decision.change)
    return f"create: {sent}" if decision.outcome == "created" else f"edit it if Kartra has it: {sent}"


def next_decision(standing: Standing) -> str:
    """Of a lead that is known."""
    # Before anything else, as in a run: whatever is decided depends on how that call ended.
    if standing.journal and standing.journal[0].state == "sent":
        return "read back first: a call for it has no outcome yet"
    wish, state = standing.wish, standing.state
    if wish is None:
        return _without_record(standing)
    is_same = state.digest == digest(wish.to_json()) and not state.removed_at
    if is_same and state.origin == "skipped":
        return f"left alone: {standing.why_left_alone}"
    if is_same and not standing.withdrawn:
        return "nothing: as Kartra acknowledged it"
    return _of_difference(standing, wish)


def _of_difference(standing: Standing, wish: DesiredLead) -> str:
    state, snapshot = standing.state, standing.snapshot
    difference = replace(
        _difference(wish, standing.refusals),
        snapshot=snapshot,
        origin=state.origin,
        was_removed=state.removed_at is not None,
    )
    decision = decide(difference, standing.load, standing.withdrawn)
    if difference.refused and not decision.change:
        return _refused(decision.reason)
    if decision.outcome == "skipped":
        is_ours = state.origin != "skipped"
        return f"left alone: {'sync_mode is create_only' if is_ours else standing.why_left_alone}"
    if state.origin == "skipped":
        return f"read, then edit: {_describe(decision.change)}"
    unproven = unproven_wishes(wish, snapshot)
    parked = f"held back: {why_parked(unproven)}" if unproven else ""
    if decision.change:
        return f"edit: {_describe(decision.change)}" + (f"; {parked}" if parked else "")
    return parked or "nothing: no difference in what is sent"


def _without_record(standing: Standing) -> str:
    """Of a lead whose record is gone or may not be sent."""
    winner, state, refused = standing.winner, standing.state, {one.digest for one in standing.refusals}
    on_removed: tuple[str, ...] = ()
    if winner is not None:
        said = f"not sent: {winner.blocked}"
    elif state.removed_at:
        said = "gone from the source, removed"
    else:
        said = "gone from the source"
        on_removed = () if _REMOVAL in refused else tuple(standing.load.on_removed)
    if state.origin == "skipped":
        return said
    taken = removal(
        standing.snapshot, on_removed, frozenset() if WITHDRAWN in refused else standing.withdrawn
    )
    return f"{said}; taken back: {_describe(taken)}" if taken else said


def _difference(wish: DesiredLead, refusals: Collection[Refusal]) -> Difference:
    """The lead as a run compares it, as long as Kartra knows nothing of it."""
    wished = digest(wish.to_json())
    refused = next((one for one in refusals if one.digest == wished), None)
    return Difference(0, 0, "", wished, wish, None, None, was_removed=False, refused=refused)


def _refused(reason: str) -> str:
    return f"was refused: {reason}; sent again when its row changes"


def _describe(change: Change) -> str:
    parts = [*change.fields, *change.custom_fields]
    if change.email and not change.create:
        parts.append("new address")
    return ", ".join([*parts, *(f"{step.cmd} {step.label}" for step in change.steps)]) or "the address alone"
