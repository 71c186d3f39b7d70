"""A lead on our side: what the source wants it to be, and what Kartra last acknowledged.

Both are kept as JSON in the state store; both compare by names and labels, never by Kartra's internal
option ids, so that comparing needs no call.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Literal

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading a stored text raises that is not what was written."""


class UnreadableTextError(ValueError):
    """A text of the state is not what was written. Tells nothing of it."""


Origin = Literal["created", "adopted", "skipped"]
"""How Kartra came to have a lead: by us, before us, or before us and left alone."""
Record = Mapping[str, str]
"""The cells of one record by the name of their column."""
CustomValue = str | tuple[str, ...]
"""Text, or the labels of the options chosen in a checkbox field (in the source's order)."""

Unwanted = tuple[str, str]
"""Something to be taken from a lead: ("tags", "VIP"), ("lists", "News") or ("sequences", "Onboarding")."""

DIGEST_VERSION = b"1"
"""Part of every digest: raise it when the byte form below changes."""


@dataclass(frozen=True, slots=True)
class Points:
    """The total of points to give to a lead; they expire after `expiration_days` (0: never)."""

    amount: int
    expiration_days: int = 0


@dataclass(frozen=True, slots=True)
class CalendarClass:
    """A class of a calendar. `starting_at` is Kartra's wall clock, as 2027-01-16 18:00; "" leaves it open."""

    calendar: str
    name: str
    starting_at: str = ""


@dataclass(frozen=True, slots=True)
class DesiredLead:
    """What one record asks for. An absent field is left alone, one that is "" is cleared.

    `silent` names the collections ("tags", "lists") that the record does not mention (a blank cell, no
    mapping): what was given there earlier is not taken back. `unwanted` is taken off, whoever gave it; the
    same lead wishes for nothing in it.
    """

    email: str
    fields: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, CustomValue] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    sequences: tuple[tuple[str, str], ...] = ()
    points: Points | None = None
    calendars: tuple[CalendarClass, ...] = ()
    silent: frozenset[str] = frozenset()
    unwanted: frozenset[Unwanted] = frozenset()
    overruled: frozenset[Unwanted] = frozenset()
    """What of `unwanted` the record asks for as well; nobody gets it."""

    def to_json(self) -> str:
        """The byte form that is hashed: sorted keys, sorted names, no spaces, UTF-8."""
        points = [self.points.amount, self.points.expiration_days] if self.points else None
        calendars = sorted([one.calendar, one.name, one.starting_at] for one in self.calendars)
        return _dump(
            {
                # Later additions to this form are absent when empty: the digests of leads without them stay
                # the same, and so no lead is sent again after an update.
                **({"points": points} if points else {}),
                **({"calendars": calendars} if calendars else {}),
                **({"unwanted": sorted(self.unwanted)} if self.unwanted else {}),
                **({"overruled": sorted(self.overruled)} if self.overruled else {}),
                "email": self.email,
                "fields": dict(self.fields),
                "custom_fields": dict(self.custom_fields),
                "tags": sorted(self.tags),
                "lists": sorted(self.lists),
                "sequences": sorted(self.sequences),
                "silent": sorted(self.silent),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "DesiredLead":
        """Raises UnreadableTextError."""
        try:
            return cls.of(json.loads(text))
        except UNREADABLE:
            raise UnreadableTextError from None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "DesiredLead":
        """What `to_json` wrote, once it is read as JSON."""
        return cls(
            email=stored["email"],
            fields=stored["fields"],
            custom_fields=_custom(stored["custom_fields"]),
            tags=tuple(stored["tags"]),
            lists=tuple(stored["lists"]),
            sequences=tuple((name, step) for name, step in stored["sequences"]),
            points=Points(*stored["points"]) if "points" in stored else None,
            calendars=tuple(CalendarClass(*one) for one in stored.get("calendars", ())),
            silent=frozenset(stored["silent"]),
            unwanted=frozenset((kind, name) for kind, name in stored.get("unwanted", ())),
            overruled=frozenset((kind, name) for kind, name in stored.get("overruled", ())),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Kartra acknowledged of a lead we sent or adopted.

    `kept` holds what stays as Kartra has it, such as ("fields", "city") or ("lists", "News"): a value from
    before us under `existing: fill_blanks`, a tag or list that the lead had before us, a list that its person
    has left. `tags`, `lists` and `points` are what we gave, `taken` the lists we took back, `sequences` all
    that the lead was ever in.

    `unwanted` is what the record wants gone and Kartra acknowledged to be gone: it is not asked for again
    while the record says the same. `unproven` holds what was sent and may have landed or not, such as
    ("sequences", "Onboarding"): it is not sent again before a person has said which.
    """

    email: str
    lead_id: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, CustomValue] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    kept: frozenset[tuple[str, str]] = frozenset()
    points: int = 0
    calendars: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    unproven: frozenset[tuple[str, str]] = frozenset()
    unwanted: frozenset[Unwanted] = frozenset()

    def to_json(self) -> str:
        return _dump(
            {
                **({"points": self.points} if self.points else {}),
                **({"calendars": sorted(self.calendars)} if self.calendars else {}),
                **({"taken": sorted(self.taken)} if self.taken else {}),
                **({"unproven": sorted(self.unproven)} if self.unproven else {}),
                **({"unwanted": sorted(self.unwanted)} if self.unwanted else {}),
                "email": self.email,
                "fields": dict(self.fields),
                "custom_fields": dict(self.custom_fields),
                "tags": sorted(self.tags),
                "lists": sorted(self.lists),
                "sequences": sorted(self.sequences),
                "kept": sorted(self.kept),
            }
        )

    @classmethod
    def from_json(cls, text: str, *, lead_id: str | None) -> "Snapshot":
        """Raises UnreadableTextError."""
        try:
            return cls.of(json.loads(text), lead_id)
        except UNREADABLE:
            raise UnreadableTextError from None

    @classmethod
    def of(cls, stored: Mapping[str, Any], lead_id: str | None) -> "Snapshot":
        """What `to_json` wrote, once it is read as JSON."""
        return cls(
            email=stored["email"],
            lead_id=lead_id,
            fields=stored["fields"],
            custom_fields=_custom(stored["custom_fields"]),
            tags=frozenset(stored["tags"]),
            lists=frozenset(stored["lists"]),
            sequences=frozenset(stored["sequences"]),
            kept=frozenset((kind, name) for kind, name in stored["kept"]),
            points=stored.get("points", 0),
            calendars=frozenset(stored.get("calendars", ())),
            taken=frozenset(stored.get("taken", ())),
            unproven=frozenset((kind, name) for kind, name in stored.get("unproven", ())),
            unwanted=frozenset((kind, name) for kind, name in stored.get("unwanted", ())),
        )


def digest(lead_json: str) -> bytes:
    """16 bytes of BLAKE2b over a lead's byte form: stable over versions of Python and every library."""
    return blake2b(DIGEST_VERSION + lead_json.encode(), digest_size=16).digest()


def digests(lead_jsons: Iterable[str]) -> list[bytes]:
    """The digests of many leads."""
    start, found = blake2b(DIGEST_VERSION, digest_size=16), []
    for lead_json in lead_jsons:
        # Hashing the version once and copying the state is faster than digest() for a million leads.
        one = start.copy()
        one.update(lead_json.encode())
        found.append(one.digest())
    return found


def shape(lead: DesiredLead) -> bytes:
    """A hash that is equal for leads that differ only in their address and in the values of their fields.

    Such leads need the same calls, and have the same custom fields filled.
    """
    filled = {name: "" for name, value in lead.custom_fields.items() if value}
    return digest(replace(lead, email="", fields={}, custom_fields=filled).to_json())


_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _custom(stored: Mapping[str, Any]) -> dict[str, CustomValue]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
