"""The few leads that are sent first: which, and how what Kartra stored differs from what was sent. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.kartra.profile import LeadProfile
from connectors.privacy import mask_text, mask_value
from pipelines.changes.diff import Change, joined, same_value
from pipelines.changes.readback import same_address
from pipelines.contacts.lead import CustomValue, Snapshot
from pipelines.contacts.wishes import Step

MOST_KINDS = 10_000
"""Kinds of change that are told apart; of more, the first ones."""

Kind = tuple[str, ...]
"""Such as ("field", "city"), ("option", "fruits", "pear") or ("assign_tag", "VIP")."""


@dataclass(slots=True)
class Sample:
    """Leads that between them have every kind of change: every option and name, and of fields the longest."""

    _best: dict[Kind, tuple[int, str]] = field(default_factory=dict)
    _kinds: dict[str, frozenset[Kind]] = field(default_factory=dict)
    _first: list[str] = field(default_factory=list)

    def see(self, key: str, change: Change, wanted: int) -> None:
        """In the order of the plan; `wanted` leads are looked for."""
        kinds = dict(_kinds(change))
        if len(self._first) < wanted:
            self._first.append(key)
        better = {kind: (length, key) for kind, length in kinds.items() if self._is_better(kind, length)}
        if better:
            self._best |= better
            self._kinds[key] = frozenset(kinds)
            self._forget()

    def _is_better(self, kind: Kind, length: int) -> bool:
        known = self._best.get(kind)
        return len(self._best) < MOST_KINDS if known is None else length > known[0]

    def _forget(self) -> None:
        """Leads that are best in nothing any more, once they are many."""
        if len(self._kinds) > 4 * len(self._best) + 100:
            best = {key for _, key in self._best.values()}
            self._kinds = {key: kinds for key, kinds in self._kinds.items() if key in best}

    def chosen(self, count: int) -> list[str]:
        """So many keys at most: each takes the lead that is best in most of what is still open."""
        best: dict[str, set[Kind]] = {}
        for kind, (_, key) in self._best.items():
            best.setdefault(key, set()).add(kind)
        found: list[str] = []
        open_kinds = set(self._best)
        while best and open_kinds and len(found) < count:
            key = max(best, key=lambda one: (len(best[one] & open_kinds), len(self._kinds[one] & open_kinds)))
            if not best[key] & open_kinds:
                break
            open_kinds -= best.pop(key)
            open_kinds -= {kind for kind in self._kinds[key] if kind[0] not in _BY_LENGTH}
            found.append(key)
        rest = (key for key in self._first if key not in found)
        return [*found, *(key for key, _ in zip(rest, range(count - len(found)), strict=False))]


_BY_LENGTH = frozenset({"field", "custom field"})


def _kinds(change: Change) -> Iterator[tuple[Kind, int]]:
    """What of a change is of another kind, and how much there is of it."""
    yield ("create" if change.create else "edit",), 0
    if change.email is not None and not change.create:
        yield ("email",), 0
    for name, value in change.fields.items():
        yield (("field", name) if value else ("cleared", name)), len(value)
    for name, custom in change.custom_fields.items():
        yield (("custom field", name) if custom else ("cleared", name)), len(joined(custom))
        for label in custom if isinstance(custom, tuple) else ():
            yield ("option", name, label), 0
    for step in change.steps:
        yield step.cause if not step.wish.is_amount else (step.cmd,), 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that Kartra stored otherwise than it was sent. `what` and `how` hold no values of people."""

    what: str
    how: str
    rule: str

    def __str__(self) -> str:
        return f"{self.what}: {self.how}. {self.rule}"


def findings(
    change: Change, snapshot: Snapshot, profile: LeadProfile, choices: Mapping[str, bool]
) -> Iterator[Finding]:
    """What the profile shows otherwise of a change that Kartra acknowledged; `snapshot` is the lead after it.

    `choices` says of custom fields whether they have options. What stays as Kartra has it, and what no
    profile shows, is no finding.
    """
    if change.email is not None and profile.email and not same_address(snapshot.email, profile.email):
        how = f"Kartra shows {mask_value(profile.email)} instead of {mask_value(snapshot.email)}"
        yield Finding("email", how, "Write the address as Kartra stores it")
    for name in change.fields:
        if ("fields", name) not in snapshot.kept and name in profile.fields:
            yield from _of_text(f"field {name}", name, snapshot.fields.get(name, ""), profile.fields[name])
    for name in () if "custom_fields" in profile.unread else change.custom_fields:
        if ("custom_fields", name) not in snapshot.kept:
            stored = profile.custom_fields.get(name, "")
            sent = snapshot.custom_fields.get(name, "")
            yield from _of_custom(name, sent, stored, has_options=choices.get(name, False))
    for step in change.steps:
        if finding := _of_step(step, snapshot, profile):
            yield finding


def _of_custom(name: str, sent: CustomValue, stored: CustomValue, *, has_options: bool) -> Iterator[Finding]:
    what = f"custom field {name}"
    if same_value(sent, stored):
        return
    if not has_options:
        yield from _of_text(what, name, joined(sent), joined(stored))
        return
    # Kartra shows options in the letters of the account, whatever the source wrote.
    there = {label.casefold() for label in _labels(stored)}
    for label in _labels(sent):
        if label.casefold() not in there:
            how = f'Kartra does not show its option "{mask_text(label)}"'
            rule = f'Rule: {name}: {{column: …, do: [{{map: {{"{mask_text(label)}": …}}, else: keep}}]}}'
            yield Finding(what, how, f"{rule}, or add the option in Kartra")
    if there - {label.casefold() for label in _labels(sent)}:
        yield Finding(what, "Kartra shows options that were not sent", "Look at the field in Kartra")


def _labels(value: CustomValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if value else ()


def _of_text(what: str, name: str, sent: str, stored: str) -> Iterator[Finding]:
    if sent == stored:
        return
    if not stored:
        yield Finding(
            what, "Kartra shows nothing of it", f"Leave {name} out, or write it as the field takes it"
        )
    # From what was surely cut to what may be anything: the first rule that fits is the one to offer.
    elif sent.startswith(stored):
        rule = f"Rule: {name}: {{column: …, do: [{{cut: {len(stored)}}}]}}"
        yield Finding(what, f"Kartra kept the first {len(stored):,} of {len(sent):,} characters", rule)
    elif sent.casefold() == stored.casefold():
        step = "upper" if stored == stored.upper() else "lower" if stored == stored.lower() else "title"
        yield Finding(what, "Kartra writes its letters otherwise", _rule(name, step))
    elif "".join(sent.split()) == "".join(stored.split()):
        yield Finding(what, "Kartra keeps other blanks in it", _rule(name, '{replace: {"  ": " "}}'))
    else:
        how = f"Kartra shows {mask_value(stored)} instead of {mask_value(sent)}"
        yield Finding(what, how, f"Rule: {name}: {{column: …, do: [{{map: {{…}}, else: keep}}]}}")


def _rule(name: str, step: str) -> str:
    return f"Rule: {name}: {{column: …, do: [{step}]}}"


def _of_step(step: Step, snapshot: Snapshot, profile: LeadProfile) -> Finding | None:
    wish = step.wish
    if wish.collection in profile.unread or step.effect in snapshot.kept:
        return None
    # Points and classes no profile proves: what cannot be told is no finding.
    if wish.landed(step, profile, None) is not False:
        return None
    what = f'{wish.one} "{mask_text(step.label)}"'
    if step.takes:
        return Finding(
            what, "Kartra shows it still, though it was taken", "Look at its automations in Kartra"
        )
    how = "Kartra shows nothing of it, though it said that it was given"
    return Finding(what, how, "Look at it in Kartra: an automation may take it off again")
