"""The difference between what a record asks for and what Kartra acknowledged, for one lead. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from pipelines.contacts.lead import CustomValue, DesiredLead, Snapshot, Unwanted
from pipelines.contacts.wishes import KEPT_UP, ONCE_ONLY, WISH, WISHES, Cause, Step, StepEffect, Wish


@dataclass(frozen=True, slots=True)
class Change:
    """What one call is meant to effect, in the order of the call's actions.

    Sequences come last: where a call stops at a failure, no mail has been started yet. `score` is the lead's
    score before a call with points; None if it was not read.
    """

    create: bool = False
    email: str | None = None
    """The address of a new lead, or the new address of a known one."""
    fields: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, CustomValue] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    score: int | None = None

    @property
    def writes_profile(self) -> bool:
        return self.create or self.email is not None or bool(self.fields) or bool(self.custom_fields)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of the call, in order."""
        profile = ("create_lead" if self.create else "edit_lead",) if self.writes_profile else ()
        return (*profile, *(step.cmd for step in self.steps))

    @property
    def gives_points(self) -> bool:
        """Whether it changes the lead's score."""
        return any(step.wish.is_amount for step in self.steps)

    @property
    def takes_what_can_be_left(self) -> bool:
        """Whether it takes the lead off something that its person may have left before."""
        return any(step.takes and step.wish.can_be_left for step in self.steps)

    @property
    def needs_read(self) -> bool:
        """Whether the lead has to be read before the call leaves.

        Points are proven by the score before and after. And a lead that has left a list must stay off it,
        which does not show any more once we took the list back. A new lead has neither.
        """
        return not self.create and (self.gives_points or self.takes_what_can_be_left)

    def __bool__(self) -> bool:
        return self.writes_profile or bool(self.steps)


def diff_lead(
    desired: DesiredLead, snapshot: Snapshot | None, withdrawn: Collection[Unwanted] = frozenset()
) -> Change:
    """The change that turns `snapshot` into `desired`; None is a lead that we have not sent yet.

    `withdrawn` names have left the pipeline file: they are taken back even where the record is silent.
    """
    if snapshot is None:
        return Change(
            create=True,
            email=desired.email,
            fields={name: value for name, value in desired.fields.items() if value},
            custom_fields={name: value for name, value in desired.custom_fields.items() if value},
            # Not against an empty snapshot: a new lead has nothing that could be taken away.
            steps=_steps(desired, created_lead(desired)),
        )
    return Change(
        email=desired.email if desired.email != snapshot.email else None,
        fields={
            name: value
            for name, value in desired.fields.items()
            if value != snapshot.fields.get(name, "") and ("fields", name) not in snapshot.kept
        },
        custom_fields={
            name: value
            for name, value in desired.custom_fields.items()
            if not same_value(value, snapshot.custom_fields.get(name, ""))
            and ("custom_fields", name) not in snapshot.kept
        },
        steps=_steps(desired, snapshot, withdrawn),
    )


def created_lead(desired: DesiredLead) -> Snapshot:
    """The snapshot of a lead just created: everything that its record wants gone is absent."""
    return Snapshot(email=desired.email, unwanted=desired.unwanted)


def remembered(snapshot: Snapshot, desired: DesiredLead | None) -> Snapshot:
    """The snapshot to keep: what the record no longer wants gone can be wanted gone again later."""
    return replace(snapshot, unwanted=snapshot.unwanted & (desired.unwanted if desired else frozenset()))


def theirs(desired: DesiredLead, snapshot: Snapshot | None) -> frozenset[Unwanted]:
    """What the record newly wants gone and we never gave: the account may not even have such a name."""
    if snapshot is None:
        return desired.unwanted
    anew = desired.unwanted - snapshot.unwanted
    return frozenset((kind, name) for kind, name in anew if name not in WISH[kind].given(snapshot))


def removal(
    snapshot: Snapshot, on_removed: Sequence[str], withdrawn: Collection[Unwanted] = frozenset()
) -> Change:
    """The change for a lead whose contact left the source: takes back what we gave and nothing else.

    `withdrawn` names have left the pipeline file, and go as well.
    """
    return Change(
        steps=tuple(
            Step(wish.takes.cmd, name)
            for wish in KEPT_UP
            if wish.takes is not None
            for name in sorted(wish.given(snapshot))
            if wish.taken_by in on_removed or (wish.collection, name) in withdrawn
        )
    )


def apply_change(snapshot: Snapshot, change: Change, done: Sequence[bool]) -> Snapshot:
    """The snapshot after the actions of `change` that are `done`; one flag per command, in order."""
    flags = list(done)
    if change.writes_profile and flags.pop(0):
        snapshot = replace(
            snapshot,
            email=change.email or snapshot.email,
            fields={**snapshot.fields, **change.fields},
            custom_fields={**snapshot.custom_fields, **change.custom_fields},
        )
    landed = [step for step, is_done in zip(change.steps, flags, strict=True) if is_done]
    return _after(snapshot, [(step.effect, not step.takes) for step in landed])


def resolve(snapshot: Snapshot, effects: Iterable[StepEffect], *, landed: bool) -> Snapshot:
    """The snapshot once a person has said whether these unproven effects landed."""
    settled = snapshot.unproven.intersection(effects)
    after = _after(snapshot, [(effect, True) for effect in settled]) if landed else snapshot
    return replace(after, unproven=snapshot.unproven - settled)


def unproven_wishes(desired: DesiredLead, snapshot: Snapshot) -> list[str]:
    """The wishes of a record that may have landed already, unproven: `sequences Onboarding`."""
    return sorted(
        f"{collection} {label}"
        for collection, label in snapshot.unproven
        if WISH[collection].asks_for(desired, label)
    )


def causes_of(change: Change) -> list[Cause]:
    """(command, label) of each action; the label of the profile is ""."""
    head = [(change.commands[0], "")] if change.writes_profile else []
    return head + [step.cause for step in change.steps]


def without(change: Change, names: Collection[Cause]) -> Change:
    """The change without some of its actions; without its profile a creation is empty."""
    if not names:
        return change
    if change.writes_profile and (change.commands[0], "") in names:
        if change.create:
            return Change()
        change = replace(change, email=None, fields={}, custom_fields={})
    steps = tuple(step for step in change.steps if step.cause not in names)
    return replace(change, steps=steps)


def remaining(change: Change, proven: Sequence[bool]) -> Change:
    """The change without the actions that are proven; one flag per command."""
    flags = list(proven)
    if change.writes_profile and flags.pop(0):
        # The lead is there then: whatever is left is an edit of it.
        change = replace(change, create=False, email=None, fields={}, custom_fields={})
    steps = tuple(step for step, is_proven in zip(change.steps, flags, strict=True) if not is_proven)
    return replace(change, steps=steps)


def first_only(change: Change) -> Change:
    """The first action alone. After a chain failed without saying where, each action is sent by itself."""
    return replace(change, steps=() if change.writes_profile else change.steps[:1])


def landed_commands(change: Change, owed: Change, unproven: Collection[StepEffect]) -> list[str]:
    """The commands of a change that are neither still owed nor unproven."""
    still = set(causes_of(owed)) if owed else set()
    still_steps: set[Step] = set(owed.steps)
    landed = [
        step.cmd
        for step in change.steps
        if step not in still_steps and (step.takes or step.effect not in unproven)
    ]
    if change.writes_profile and (change.commands[0], "") not in still:
        landed.insert(0, change.commands[0])
    return landed


def same_value(one: CustomValue, other: CustomValue) -> bool:
    """Whether two values of a custom field are the same, whatever the order and case of options.

    Several values in a text field are compared as one joined text.
    """
    if isinstance(one, tuple) or isinstance(other, tuple):
        return _labels(one) == _labels(other) or joined(one) == joined(other)
    return one == other


def joined(value: CustomValue) -> str:
    """The value as a text field stores it."""
    return value if isinstance(value, str) else "; ".join(value)


def _steps(
    desired: DesiredLead, snapshot: Snapshot, withdrawn: Collection[Unwanted] = frozenset()
) -> tuple[Step, ...]:
    kept_up = [
        (*_taken(wish, desired, snapshot, withdrawn), *_owed(wish, desired, snapshot)) for wish in KEPT_UP
    ]
    # Everything that takes away comes before what begins: a lead leaves one sequence before it enters the
    # next.
    taken = [_taken(wish, desired, snapshot) for wish in ONCE_ONLY]
    owed = [_owed(wish, desired, snapshot) for wish in ONCE_ONLY]
    return tuple(chain.from_iterable((*kept_up, *taken, *owed)))


def _owed(wish: Wish, desired: DesiredLead, snapshot: Snapshot) -> list[Step]:
    """The wishes that the lead does not have from us, does not keep from before, and cannot have got
    unproven."""
    given = wish.given(snapshot)
    # Most leads that are compared have all of it: no step is made for what they have.
    if not wish.is_wanted_by(desired) or (given and given.issuperset(wish.names(desired))):
        return []
    others = snapshot.kept | snapshot.unproven
    return [
        step
        for step in wish.wanted(desired, snapshot)
        if step.label not in given and step.effect not in others
    ]


def _taken(
    wish: Wish, desired: DesiredLead, snapshot: Snapshot, withdrawn: Collection[Unwanted] = frozenset()
) -> list[Step]:
    """The steps that take away: what we gave and nobody asks for any more, and what is unwanted."""
    if wish.takes is None:
        return []
    gone = {name for kind, name in desired.unwanted - snapshot.unwanted if kind == wish.collection}
    given = frozenset() if wish.once_only else wish.given(snapshot)
    if given and (ours := given.difference(wish.names(desired))):
        is_silent = wish.collection in desired.silent
        gone |= {name for name in ours if not is_silent or (wish.collection, name) in withdrawn}
    return [Step(wish.takes.cmd, name) for name in sorted(gone)]


def why_parked(unproven: Sequence[str]) -> str:
    """The message for the person who has to decide."""
    return (
        f"{', '.join(unproven)}: sent once, not proven to have landed. Look it up in Kartra, then tell"
        " kartra-sync resolve"
    )


def _after(snapshot: Snapshot, effects: Iterable[tuple[StepEffect, bool]]) -> Snapshot:
    """The snapshot after these effects; the flag of each says whether it gave or took."""
    names = {wish.collection: set(wish.given(snapshot)) for wish in WISHES if not wish.is_amount}
    amounts = {wish.collection: getattr(snapshot, wish.collection) for wish in WISHES if wish.is_amount}
    unwanted, kept, taken = set(snapshot.unwanted), set(snapshot.kept), set(snapshot.taken)
    for (collection, label), gives in effects:
        wish = WISH[collection]
        if wish.is_amount:
            amounts[wish.collection] += int(label)
        elif gives:
            names[wish.collection].add(label)
            unwanted.discard((collection, label))
        else:
            unwanted.add((collection, label))
            if wish.once_only:
                # It stays in the snapshot: a lead that was in a sequence is never put into it again.
                continue
            names[wish.collection].discard(label)
            if not wish.can_be_left:
                kept.discard((collection, label))
            elif (collection, label) not in kept:
                taken.add(label)
    # What is given once more was taken back no longer: if it shows as left now, its person left it.
    there_again = set().union(*(names[wish.collection] for wish in WISHES if wish.can_be_left))
    parts: dict[str, Any] = {collection: frozenset(held) for collection, held in names.items()}
    return replace(
        snapshot,
        **parts,
        **amounts,
        taken=frozenset(taken - there_again),
        unwanted=frozenset(unwanted),
        kept=frozenset(kept),
    )


def _labels(value: CustomValue) -> set[str]:
    labels = value if isinstance(value, tuple) else (value,) if value else ()
    return {label.casefold() for label in labels}
