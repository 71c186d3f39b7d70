"""The difference between what a record asks for and what Kartra acknowledged, for one lead. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pipelines.contacts.lead import CustomValue, DesiredLead, Snapshot, Unwanted

Cause = tuple[str, str]
"""A command and what it is to give, as ("calendar_subscribe", "Webinar: Tuesday"); "" for the lead itself."""

StepEffect = tuple[str, str]
"""A collection of a snapshot and what of it, as ("sequences", "Onboarding") or ("points", "+10")."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action behind the profile. `name` is that of a tag, list, sequence or calendar, or how many points.

    `at` is the step of a sequence, the class of a calendar, the days that points last; `when` the start of
    the class.
    """

    cmd: str
    name: str
    at: str | None = None
    when: str | None = None

    @property
    def label(self) -> str:
        """What tells it from other steps of its command, in words for people."""
        match self.cmd:
            case "calendar_subscribe":
                return f"{self.name}: {self.at}"
            case "give_points_to_lead":
                return f"+{self.name}"
            case "remove_points_from_lead":
                return f"-{self.name}"
            case _:
                return self.name

    @property
    def cause(self) -> Cause:
        """What Kartra may refuse, whoever it is for."""
        return self.cmd, self.label

    @property
    def effect(self) -> StepEffect:
        """The collection of a snapshot it changes, and what of it."""
        return _EFFECT[self.cmd][0], self.label

    @property
    def takes(self) -> bool:
        """Whether the lead is to be without it."""
        return not _EFFECT[self.cmd][1]


@dataclass(frozen=True, slots=True)
class Change:
    """What one call has to effect. Its parts stand in the order of the call's actions.

    Sequences come last: where a call stops at a failure, no mail has been started yet. `score` is the lead's
    before the call, where points are in it; None if nobody looked.
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
        return any(_EFFECT[step.cmd][0] == "points" for step in self.steps)

    def __bool__(self) -> bool:
        return self.writes_profile or bool(self.steps)


def diff_lead(desired: DesiredLead, snapshot: Snapshot | None) -> Change:
    """The change that turns `snapshot` into `desired`; None is a lead Kartra does not have from us."""
    if snapshot is None:
        return Change(
            create=True,
            email=desired.email,
            fields={name: value for name, value in desired.fields.items() if value},
            custom_fields={name: value for name, value in desired.custom_fields.items() if value},
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
        steps=_steps(desired, snapshot),
    )


def created_lead(desired: DesiredLead) -> Snapshot:
    """A lead only just created: it has nothing of what the record wants gone."""
    return Snapshot(email=desired.email, unwanted=desired.unwanted)


def remembered(snapshot: Snapshot, desired: DesiredLead | None) -> Snapshot:
    """The snapshot as it is kept: what the record does not want gone any more may be wanted gone anew."""
    return replace(snapshot, unwanted=snapshot.unwanted & (desired.unwanted if desired else frozenset()))


def theirs(desired: DesiredLead, snapshot: Snapshot | None) -> frozenset[Unwanted]:
    """What the record wants gone anew and we never gave: nothing tells that the account has such a name."""
    if snapshot is None:
        return desired.unwanted
    ours = {"tags": snapshot.tags, "lists": snapshot.lists, "sequences": snapshot.sequences}
    anew = desired.unwanted - snapshot.unwanted
    return frozenset((kind, name) for kind, name in anew if name not in ours[kind])


def removal(snapshot: Snapshot, on_removed: Sequence[str]) -> Change:
    """What is taken from a lead whose contact has gone from the source: only what we gave."""
    steps: list[Step] = []
    if "untag" in on_removed:
        steps += [Step("unassign_tag", name) for name in sorted(snapshot.tags)]
    if "unsubscribe" in on_removed:
        steps += [Step("unsubscribe_lead_from_list", name) for name in sorted(snapshot.lists)]
    return Change(steps=tuple(steps))


def apply_change(snapshot: Snapshot, change: Change, done: Sequence[bool]) -> Snapshot:
    """The snapshot after those actions of `change` that are `done`; one flag per command, in order."""
    flags = list(done)
    if change.writes_profile and flags.pop(0):
        snapshot = replace(
            snapshot,
            email=change.email or snapshot.email,
            fields={**snapshot.fields, **change.fields},
            custom_fields={**snapshot.custom_fields, **change.custom_fields},
        )
    landed = [step for step, is_done in zip(change.steps, flags, strict=True) if is_done]
    return _after(snapshot, [(step.effect, _EFFECT[step.cmd][1]) for step in landed])


def resolve(snapshot: Snapshot, effects: Iterable[StepEffect], *, landed: bool) -> Snapshot:
    """The snapshot once a person has said whether these unproven effects landed."""
    settled = snapshot.unproven.intersection(effects)
    after = _after(snapshot, [(effect, True) for effect in settled]) if landed else snapshot
    return replace(after, unproven=snapshot.unproven - settled)


def unproven_wishes(desired: DesiredLead, snapshot: Snapshot) -> list[str]:
    """What the record asks for that may have landed already and is not proven: `sequences Onboarding`."""
    asked = {step.effect for step in (*_sequences(desired), *_calendars(desired))}
    return sorted(
        f"{collection} {label}"
        for collection, label in snapshot.unproven
        if (collection, label) in asked or (collection == "points" and desired.points is not None)
    )


def causes_of(change: Change) -> list[Cause]:
    """(command, label) per action; the profile has none."""
    head = [(change.commands[0], "")] if change.writes_profile else []
    return head + [step.cause for step in change.steps]


def without(change: Change, names: Collection[Cause]) -> Change:
    """The change without some of its actions; a creation without its profile is nothing."""
    if not names:
        return change
    if change.writes_profile and (change.commands[0], "") in names:
        if change.create:
            return Change()
        change = replace(change, email=None, fields={}, custom_fields={})
    steps = tuple(step for step in change.steps if step.cause not in names)
    return replace(change, steps=steps)


def remaining(change: Change, proven: Sequence[bool]) -> Change:
    """What an answer left open: one flag per command says what needs no other proof."""
    flags = list(proven)
    if change.writes_profile and flags.pop(0):
        change = replace(change, create=False, email=None, fields={}, custom_fields={})
    steps = tuple(step for step, is_proven in zip(change.steps, flags, strict=True) if not is_proven)
    return replace(change, steps=steps)


def first_only(change: Change) -> Change:
    """The first action alone: where a chain failed and does not say where, each is sent by itself."""
    return replace(change, steps=() if change.writes_profile else change.steps[:1])


def landed_commands(change: Change, owed: Change, unproven: Collection[StepEffect]) -> list[str]:
    """The commands of a change that are neither owed any more nor unproven."""
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
    """Whether two values of a custom field are the same. Options have neither order nor case.

    Several values in a text field stand there as one text, joined.
    """
    if isinstance(one, tuple) or isinstance(other, tuple):
        return _labels(one) == _labels(other) or joined(one) == joined(other)
    return one == other


def joined(value: CustomValue) -> str:
    """As a text field takes it."""
    return value if isinstance(value, str) else "; ".join(value)


_EFFECT = {
    "assign_tag": ("tags", True),
    "unassign_tag": ("tags", False),
    "subscribe_lead_to_list": ("lists", True),
    "unsubscribe_lead_from_list": ("lists", False),
    "give_points_to_lead": ("points", True),
    "remove_points_from_lead": ("points", True),
    "calendar_subscribe": ("calendars", True),
    "subscribe_lead_to_sequence_at_step": ("sequences", True),
    "unsubscribe_lead_from_sequence": ("sequences", False),
}
"""Per command the collection of a snapshot, and whether it gives or takes; points are signed."""


def _steps(desired: DesiredLead, snapshot: Snapshot) -> tuple[Step, ...]:
    steps = [Step("unassign_tag", name) for name in _taken("tags", desired, snapshot)]
    steps += [
        Step("assign_tag", name)
        for name in desired.tags
        if name not in snapshot.tags and ("tags", name) not in snapshot.kept
    ]
    steps += [Step("unsubscribe_lead_from_list", name) for name in _taken("lists", desired, snapshot)]
    steps += [
        Step("subscribe_lead_to_list", name)
        for name in desired.lists
        if name not in snapshot.lists and ("lists", name) not in snapshot.kept
    ]
    steps += [
        Step("unsubscribe_lead_from_sequence", name)
        for collection, name in sorted(desired.unwanted - snapshot.unwanted)
        if collection == "sequences"
    ]
    known = {("sequences", name) for name in snapshot.sequences}
    known |= {("calendars", label) for label in snapshot.calendars} | snapshot.unproven
    once_only = (*_points(desired, snapshot), *_calendars(desired), *_sequences(desired))
    return (*steps, *(step for step in once_only if step.effect not in known))


def _taken(collection: Literal["tags", "lists"], desired: DesiredLead, snapshot: Snapshot) -> list[str]:
    """What we gave and is asked for no longer, and what is to go whoever gave it."""
    gone = {name for kind, name in desired.unwanted - snapshot.unwanted if kind == collection}
    if collection not in desired.silent:
        ours, wished = (
            (snapshot.tags, desired.tags) if collection == "tags" else (snapshot.lists, desired.lists)
        )
        gone |= ours - set(wished)
    return sorted(gone)


def why_parked(unproven: Sequence[str]) -> str:
    """What a person is told of a lead that waits for them."""
    return (
        f"{', '.join(unproven)}: sent once, not proven to have landed. Look it up in Kartra, then tell"
        " kartra-sync resolve"
    )


def _points(desired: DesiredLead, snapshot: Snapshot) -> Iterator[Step]:
    """Nothing while it is unproven how many the lead has."""
    if desired.points is None or any(collection == "points" for collection, _ in snapshot.unproven):
        return
    owed = desired.points.amount - snapshot.points
    if owed > 0:
        yield Step("give_points_to_lead", str(owed), str(desired.points.expiration_days))
    elif owed < 0:
        yield Step("remove_points_from_lead", str(-owed))


def _calendars(desired: DesiredLead) -> Iterator[Step]:
    for one in desired.calendars:
        yield Step("calendar_subscribe", one.calendar, one.name, one.starting_at or None)


def _sequences(desired: DesiredLead) -> Iterator[Step]:
    for name, at in desired.sequences:
        yield Step("subscribe_lead_to_sequence_at_step", name, at)


def _after(snapshot: Snapshot, effects: Iterable[tuple[StepEffect, bool]]) -> Snapshot:
    names = {
        "tags": set(snapshot.tags),
        "lists": set(snapshot.lists),
        "sequences": set(snapshot.sequences),
        "calendars": set(snapshot.calendars),
    }
    points, left = snapshot.points, set(snapshot.taken)
    unwanted, kept = set(snapshot.unwanted), set(snapshot.kept)
    for (collection, label), gives in effects:
        if collection == "points":
            points += int(label)
        elif gives:
            names[collection].add(label)
            unwanted.discard((collection, label))
        else:
            unwanted.add((collection, label))
            if collection != "sequences":  # who was in one is never put into it again
                names[collection].discard(label)
            if collection == "tags":
                kept.discard((collection, label))
            if collection == "lists" and (collection, label) not in kept:
                left.add(label)
    return replace(
        snapshot,
        tags=frozenset(names["tags"]),
        lists=frozenset(names["lists"]),
        sequences=frozenset(names["sequences"]),
        calendars=frozenset(names["calendars"]),
        taken=frozenset(left - names["lists"]),
        points=points,
        unwanted=frozenset(unwanted),
        kept=frozenset(kept),
    )


def _labels(value: CustomValue) -> set[str]:
    labels = value if isinstance(value, tuple) else (value,) if value else ()
    return {label.casefold() for label in labels}
