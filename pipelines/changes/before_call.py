"""What a profile shows before a call leaves: what its person left, and which lead took its place. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change
from pipelines.changes.readback import adopt, same_address
from pipelines.config.load import Existing
from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.contacts.wishes import KEPT_UP, ONCE_ONLY, WISH, StepEffect, Wish


def left_by_its_person(change: Change, snapshot: Snapshot, profile: LeadProfile) -> frozenset[StepEffect]:
    """The effects that a change would take back but that the person has already left.

    Afterwards nobody can tell our taking back from the person's leaving, so this is the last chance. A list
    that we took back ourselves also shows as left, and says nothing about its person.
    """
    return frozenset(
        step.effect
        for step in change.steps
        if step.takes
        and step.wish.can_be_left
        and step.wish.has_left(profile, step.label)
        and step.label not in snapshot.taken
    )


def unread_before_taking(change: Change, profile: LeadProfile) -> list[str]:
    """The parts that a change takes from, and in which the profile does not show what the person left."""
    takes = (step.wish for step in change.steps if step.takes and step.wish.can_be_left)
    return sorted({wish.collection for wish in takes if wish.collection in profile.unread})


def kept_as_left(snapshot: Snapshot, left: Iterable[StepEffect], desired: DesiredLead | None) -> Snapshot:
    """The snapshot of a lead that stays off what its person left, even if the source wishes for it later."""
    left = frozenset(left)
    parts: dict[str, Any] = {
        wish.collection: wish.given(snapshot) - {name for kind, name in left if kind == wish.collection}
        for wish in KEPT_UP
        if wish.can_be_left
    }
    unwanted = snapshot.unwanted | (left & (desired.unwanted if desired else frozenset()))
    return replace(snapshot, **parts, kept=snapshot.kept | left, unwanted=unwanted)


def found_again(desired: DesiredLead, known: Snapshot, profile: LeadProfile, existing: Existing) -> Snapshot:
    """The snapshot of the lead that now has the address of one whose number is gone (merged or made anew).

    What the person was given once is not given again; what we gave and the lead still has can be taken back;
    what was left stays left.
    """
    adopted = adopt(desired, profile, "fill_blanks" if existing == "fill_blanks" else "update")
    kept = set(adopted.kept) | {(kind, name) for kind, name in known.kept if _can_be_left(kind)}
    parts: dict[str, Any] = {}
    for wish in KEPT_UP:
        is_unread = wish.collection in profile.unread
        ours = frozenset(name for name in wish.given(known) if is_unread or wish.shows(profile, name))
        parts[wish.collection] = ours
        # `adopt` takes whatever is there for somebody else's; what we gave is ours to take back.
        kept -= {(wish.collection, name) for name in ours}
    for wish in ONCE_ONLY:
        parts[wish.collection] = (
            getattr(known, wish.collection) if wish.is_amount else wish.given(known) | wish.given(adopted)
        )
    is_same = same_address(desired.email, profile.email)
    return replace(
        adopted,
        **parts,
        email=desired.email if is_same else known.email,
        kept=frozenset(kept),
        taken=known.taken,
        unproven=known.unproven,
    )


def unproven_of(change: Change) -> frozenset[StepEffect]:
    """The effects of an open try that may have landed on a lead that can no longer be read."""
    return frozenset(step.effect for step in change.steps if step.wish.once_only and not step.takes)


def _can_be_left(collection: str) -> bool:
    wish: Wish | None = WISH.get(collection)
    return wish is not None and wish.can_be_left
