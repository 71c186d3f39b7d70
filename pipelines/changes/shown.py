"""A change of one lead as people read it: each value as it is and as it is to be, names by sign. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from connectors.privacy import mask_text, mask_value
from pipelines.changes.diff import Change, joined
from pipelines.contacts.lead import Snapshot

Sign = Literal["+", "-"]


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One value. `old` is None where nobody knows it before the lead is read."""

    kind: Literal["email", "field", "custom field"]
    name: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class NameChange:
    """A tag, list, sequence or class that is given or taken, or points."""

    sign: Sign
    what: str
    name: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """All that one lead is about to see. `row` and `line` are absent where it has gone from the source."""

    key: str
    row: int | None
    line: int | None
    outcome: str
    values: tuple[ValueChange, ...]
    names: tuple[NameChange, ...]

    @property
    def size(self) -> int:
        return len(self.values) + len(self.names)

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "row": self.row,
            "line": self.line,
            "outcome": self.outcome,
            "values": [
                {"kind": one.kind, "name": one.name, "old": one.old, "new": one.new} for one in self.values
            ],
            "names": [{"sign": one.sign, "kind": one.what, "name": one.name} for one in self.names],
        }


def shown(
    key: str, row: int | None, line: int | None, outcome: str, change: Change, snapshot: Snapshot | None
) -> ShownChange:
    """`snapshot` None: a lead that is to be created has nothing, and of any other nobody knows yet."""
    known = Snapshot("") if snapshot is None and outcome == "created" else snapshot
    return ShownChange(key, row, line, outcome, tuple(_values(change, known)), tuple(_names(change)))


def masked(change: ShownChange) -> ShownChange:
    """Without personal data: values by their first letter, addresses in names masked."""
    return replace(
        change,
        key=mask_value(change.key),
        values=tuple(
            replace(
                one,
                name=mask_text(one.name),
                old=None if one.old is None else mask_value(one.old),
                new=mask_value(one.new),
            )
            for one in change.values
        ),
        names=tuple(replace(one, name=mask_text(one.name)) for one in change.names),
    )


def _values(change: Change, known: Snapshot | None) -> Iterator[ValueChange]:
    if change.email is not None and known is not None:
        yield ValueChange("email", "email", known.email, change.email)
    for name, value in change.fields.items():
        yield ValueChange("field", name, None if known is None else known.fields.get(name, ""), value)
    for name, custom in change.custom_fields.items():
        old = None if known is None else joined(known.custom_fields.get(name, ""))
        yield ValueChange("custom field", name, old, joined(custom))


def _names(change: Change) -> Iterator[NameChange]:
    for step in change.steps:
        if step.wish.is_amount:
            yield NameChange("-" if step.label.startswith("-") else "+", step.wish.one, step.name)
        else:
            label = f"{step.label} (step {step.at})" if _has_step(step.cmd, step.at) else step.label
            yield NameChange("-" if step.takes else "+", step.wish.one, label)


def _has_step(cmd: str, at: str | None) -> bool:
    # Of sequences alone: a class stands in the same place, and so do the days of points.
    return at is not None and cmd.startswith("subscribe_lead_to_sequence")
