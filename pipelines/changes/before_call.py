"""What a profile shows before a call leaves: what its person left, and which lead took its place. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change
from pipelines.changes.readback import adopt, same_address
from pipelines.changes.spelling import alike
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


def left_of(snapshot: Snapshot | None) -> frozenset[StepEffect]:
    """What its person has left, or was on before us: whatever becomes of the lead, it is not given anew."""
    kept = snapshot.kept if snapshot else frozenset()
    return frozenset((kind, name) for kind, name in kept if _can_be_left(kind))


def gives_another_spelling(change: Change, snapshot: Snapshot) -> Iterator[StepEffect]:
    """The effects that a change would give and of which the lead keeps another spelling.

    They may be one name, which its person has left, or two of the account: its profile tells.
    """
    kept = left_of(snapshot)
    for step in change.steps if kept else ():
        others = (name for kind, name in kept if kind == step.wish.collection)
        if not step.takes and any(alike(step.label, others)):
            yield step.effect


def there_by_another_spelling(
    change: Change, snapshot: Snapshot, profile: LeadProfile
) -> frozenset[StepEffect]:
    """Those of them that the profile has: what was left stays left, and what is there need not be given.

    `profile` has its names spelled as the change has them, where it is one name.
    """
    gives = gives_another_spelling(change, snapshot)
    return frozenset((kind, name) for kind, name in gives if name in WISH[kind].in_profile(profile))


def unread_before_call(change: Change, snapshot: Snapshot, profile: LeadProfile) -> list[str]:
    """The parts in which the profile does not show what its person left, and that a change depends on."""
    takes = {step.wish.collection for step in change.steps if step.takes and step.wish.can_be_left}
    gives = {kind for kind, _ in gives_another_spelling(change, snapshot)}
    return sorted((takes | gives) & profile.unread)


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
    kept = set(adopted.kept) | left_of(known)
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
