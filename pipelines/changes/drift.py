"""Finds how a lead in Kartra differs from what Kartra acknowledged, and decides what follows. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import same_value
from pipelines.changes.readback import same_address
from pipelines.config.load import OnDrift
from pipelines.contacts.lead import CustomValue, Snapshot
from pipelines.contacts.wishes import KEPT_UP, WISH

Decision = Literal["", "left", "keep", "restore", "again"]
"""What follows: nothing; it stays, because its person left; it stays, by `on_drift: keep`; the next run sends
it again; it came back after that, and stays."""


_AHEAD = ("left", "keep", "restore")
"""Decisions after which the snapshot agrees with Kartra, so that a comparison shows no drift any more."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that was changed in Kartra, named as in a snapshot: ("fields", "city"), ("tags", "VIP").

    Also ("email", "") and ("lead", "deleted"). `value` is what Kartra now has of a field or address.
    """

    kind: str
    name: str
    value: CustomValue | None = None
    decision: Decision = ""

    @property
    def message(self) -> str:
        """In words for people, without values."""
        match self.kind:
            case "lead":
                return f"{self.name} in Kartra"
            case "email":
                return "address changed"
            case "fields" | "custom_fields":
                return f"{'custom field' if self.kind == 'custom_fields' else 'field'} {self.name} edited"
            case _:
                wish = WISH[self.kind]
                return f'{wish.one} "{self.name}" {wish.when_gone}'


def find_drift(snapshot: Snapshot, profile: LeadProfile) -> Iterator[Drift]:
    """What Kartra acknowledged and no longer shows. What is kept as Kartra has it cannot drift.

    Sequences and points change by themselves; parts that the profile lacks or that cannot be read prove
    nothing.
    """
    if profile.email and not same_address(snapshot.email, profile.email):
        yield Drift("email", "", profile.email)
    for name, value in snapshot.fields.items():
        there = profile.fields.get(name, value)
        if there != value and ("fields", name) not in snapshot.kept:
            yield Drift("fields", name, there)
    for name, custom in () if "custom_fields" in profile.unread else snapshot.custom_fields.items():
        now = profile.custom_fields.get(name, "")
        if not same_value(custom, now) and ("custom_fields", name) not in snapshot.kept:
            yield Drift("custom_fields", name, now)
    for wish in KEPT_UP:
        for name in () if wish.collection in profile.unread else sorted(wish.given(snapshot)):
            if not wish.shows(profile, name):
                yield Drift(wish.collection, name)


def decided(
    snapshot: Snapshot, profile: LeadProfile, before: Sequence[Drift], on_drift: OnDrift
) -> tuple[Snapshot, tuple[Drift, ...]]:
    """The snapshot after a comparison, and all drift known then; `before` is what the last comparison found.

    A list that its person left stays left under every setting. A value that was restored once and came back
    is Kartra's own form of it, or an automation's work: it is not sent a second time.
    """
    # What was decided before stays told as long as it is so, though no comparison finds it any more.
    found: list[Drift] = [
        one
        for one in before
        if one.decision in _AHEAD and (one.kind in profile.unread or _still_stands(one, snapshot, profile))
    ]
    # With its value: another edit of the same field is somebody's new word, and is mended once more.
    restored = {(one.kind, one.name, one.value) for one in before if one.decision in ("restore", "again")}
    for drift in find_drift(snapshot, profile):
        came_back = (drift.kind, drift.name, drift.value) in restored
        decision = "again" if came_back else _decision(drift, on_drift)
        found.append(replace(drift, decision=decision))
        snapshot = _after(snapshot, drift, decision)
    return snapshot, tuple(found)


def _decision(drift: Drift, on_drift: OnDrift) -> Decision:
    if drift.kind in WISH and WISH[drift.kind].can_be_left:
        return "left"
    if on_drift == "report" or (on_drift == "keep" and drift.kind == "email"):
        return ""
    return on_drift


def _after(snapshot: Snapshot, drift: Drift, decision: Decision) -> Snapshot:
    """The snapshot after a decision. For `restore` it takes over Kartra's value, so that the wish differs
    from it."""
    if decision in ("", "again"):
        return snapshot
    if decision in ("left", "keep"):
        snapshot = replace(snapshot, kept=snapshot.kept | {(drift.kind, drift.name)})
    match drift.kind:
        case "email":
            return replace(snapshot, email=str(drift.value))
        case "fields":
            return replace(snapshot, fields={**snapshot.fields, drift.name: str(drift.value)})
        case "custom_fields":
            custom = {**snapshot.custom_fields, drift.name: drift.value or ""}
            return replace(snapshot, custom_fields=custom)
        case kind:
            left: dict[str, Any] = {kind: WISH[kind].given(snapshot) - {drift.name}}
            return replace(snapshot, **left)


def _still_stands(drift: Drift, snapshot: Snapshot, profile: LeadProfile) -> bool:
    """Whether nothing was sent since the decision, and Kartra still shows the same."""
    match drift.kind:
        case "email":
            return snapshot.email == drift.value == profile.email
        case "fields":
            return snapshot.fields.get(drift.name) == drift.value == profile.fields.get(drift.name)
        case "custom_fields":
            now = profile.custom_fields.get(drift.name, "")
            then = drift.value or ""
            return same_value(then, now) and same_value(snapshot.custom_fields.get(drift.name, ""), then)
        case kind:
            wish = WISH[kind]
            return drift.name not in wish.given(snapshot) and not wish.shows(profile, drift.name)


def to_json(found: Sequence[Drift]) -> str:
    return json.dumps([asdict(one) for one in found], ensure_ascii=False)


def from_json(stored: str | None) -> tuple[Drift, ...]:
    return tuple(
        Drift(one["kind"], one["name"], _value(one["value"]), one["decision"])
        for one in json.loads(stored or "[]")
    )


def _value(stored: str | list[str] | None) -> CustomValue | None:
    return tuple(stored) if isinstance(stored, list) else stored
