"""The difference between what a record asks for and what Kartra acknowledged, for one lead. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.lead import CustomValue, DesiredLead, Snapshot


@dataclass(frozen=True, slots=True)
class Step:
    """One tag, list or sequence action; `at` is the step of the sequence."""

    cmd: str
    name: str
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one call has to effect. Its parts stand in the order of the call's actions.

    Sequences come last: where a call stops at a failure, no mail has been started yet.
    """

    create: bool = False
    email: str | None = None
    """The address of a new lead, or the new address of a known one."""
    fields: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, CustomValue] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    @property
    def writes_profile(self) -> bool:
        return self.create or self.email is not None or bool(self.fields) or bool(self.custom_fields)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of the call, in order."""
        profile = ("create_lead" if self.create else "edit_lead",) if self.writes_profile else ()
        return (*profile, *(step.cmd for step in self.steps))

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
            steps=_steps(desired, Snapshot(email=desired.email)),
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
    gained: dict[str, set[str]] = {"tags": set(), "lists": set(), "sequences": set()}
    lost: dict[str, set[str]] = {"tags": set(), "lists": set(), "sequences": set()}
    for step, landed in zip(change.steps, flags, strict=True):
        if landed:
            collection, gives = _EFFECT[step.cmd]
            (gained if gives else lost)[collection].add(step.name)
    return replace(
        snapshot,
        tags=(snapshot.tags | gained["tags"]) - lost["tags"],
        lists=(snapshot.lists | gained["lists"]) - lost["lists"],
        sequences=snapshot.sequences | gained["sequences"],
    )


def same_value(one: CustomValue, other: CustomValue) -> bool:
    """Whether two values of a custom field are the same. Options have neither order nor case."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        return _labels(one) == _labels(other)
    return one == other


_EFFECT = {
    "assign_tag": ("tags", True),
    "unassign_tag": ("tags", False),
    "subscribe_lead_to_list": ("lists", True),
    "unsubscribe_lead_from_list": ("lists", False),
    "subscribe_lead_to_sequence_at_step": ("sequences", True),
}


def _steps(desired: DesiredLead, snapshot: Snapshot) -> tuple[Step, ...]:
    steps: list[Step] = []
    if "tags" not in desired.silent:
        steps += [Step("unassign_tag", name) for name in sorted(snapshot.tags - set(desired.tags))]
    steps += [
        Step("assign_tag", name)
        for name in desired.tags
        if name not in snapshot.tags and ("tags", name) not in snapshot.kept
    ]
    if "lists" not in desired.silent:
        left = sorted(snapshot.lists - set(desired.lists))
        steps += [Step("unsubscribe_lead_from_list", name) for name in left]
    steps += [
        Step("subscribe_lead_to_list", name)
        for name in desired.lists
        if name not in snapshot.lists and ("lists", name) not in snapshot.kept
    ]
    steps += [
        Step("subscribe_lead_to_sequence_at_step", name, at)
        for name, at in desired.sequences
        if name not in snapshot.sequences
    ]
    return tuple(steps)


def _labels(value: CustomValue) -> set[str]:
    labels = value if isinstance(value, tuple) else (value,) if value else ()
    return {label.casefold() for label in labels}
