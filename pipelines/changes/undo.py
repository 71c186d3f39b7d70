"""What taking a run back does to one lead, from how it was, how it became, and how it is now in Kartra. Pure.

What somebody changed since stays, whoever it was; what cannot be taken back is told. What is left is a wish
like that of a record, so it is sent, proven and read back as any other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change, diff_lead, same_value
from pipelines.changes.readback import same_address
from pipelines.changes.spelling import folded
from pipelines.contacts.lead import CustomValue, DesiredLead, Points, Snapshot
from pipelines.contacts.wishes import KEPT_UP, WISH, StepEffect, Wish

Why = Literal[
    "changed since",
    "a later run changed it",
    "another pipeline asks for it",
    "old value not known",
    "left by its person",
    "says no since",
    "not readable",
    "not in the account any more",
    "renamed or deleted",
    "whoever gave it is not known",
    "begun",
    "stopped",
    "booked",
    "expired",
    "not proven",
]
"""Why something of a run stays as it is."""


@dataclass(frozen=True, slots=True)
class Stays:
    """What a run did and that stays, named as in a snapshot: ("fields", "city"), ("tags", "VIP")."""

    kind: str
    name: str
    why: Why


@dataclass(frozen=True, slots=True)
class Undone:
    """What a run did to a lead. `was` is None for one that it created, `since` what was done later, in order.

    `met`: the run found the lead in Kartra, so all that it had was seen. `taken_back`: by how much earlier
    tries to take this run back changed the points. `elsewhere`: what other pipelines know of the lead.
    """

    was: Snapshot | None
    became: Snapshot
    now: Snapshot
    is_ours: bool = False
    """Whether we created it, now or earlier: a field that nobody had filled was blank."""
    met: bool = False
    since: Sequence[tuple[Snapshot | None, Snapshot]] = ()
    taken_back: int = 0
    elsewhere: Sequence[Snapshot] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for, and what the account and the pipeline say."""

    stop_sequences: bool = False
    names: Mapping[str, Collection[str] | None] = field(default_factory=dict)
    """By collection the names that the account has, each `folded`; None where they cannot be listed."""
    points_expired: bool = False
    says_no: bool = False
    """Whether the record or a suppression list has said no since: nothing is given again."""

    def is_gone(self, kind: str, name: str) -> bool:
        """Whether the account is known to have no such name, in whatever spelling."""
        known = self.names.get(kind)
        return known is not None and folded(name) not in known


@dataclass(frozen=True, slots=True)
class TakingBack:
    """What is to be sent, and what stays. `desired` is what the lead is to be."""

    desired: DesiredLead
    change: Change
    stays: tuple[Stays, ...]


def taking_back(done: Undone, profile: LeadProfile, choice: Choice) -> TakingBack:
    """What is sent to take a run back from a lead, as it is in Kartra now."""
    stays: list[Stays] = []
    email = _address(done, profile, stays)
    fields = dict(_fields(done, profile, stays))
    custom_fields = dict(_custom_fields(done, profile, choice, stays))
    gives: set[StepEffect] = set()
    parts: dict[str, Any] = {}
    for wish in KEPT_UP:
        takes = set(_given(wish, done, profile, choice, stays))
        again = set(_taken(wish, done, profile, choice, stays))
        parts[wish.collection] = tuple(sorted((wish.given(done.now) - takes) | again))
        gives |= {(wish.collection, name) for name in again}
    stops = frozenset(_begun(done, profile, choice, stays))
    desired = DesiredLead(
        email=email,
        fields=fields,
        custom_fields=custom_fields,
        points=_points(done, choice, stays),
        unwanted=(done.now.unwanted - gives) | stops,
        **parts,
    )
    return TakingBack(desired, diff_lead(desired, done.now), tuple(stays))


def needs_names(done: Undone, profile: LeadProfile) -> bool:
    """Whether the names of the account decide: something is to be given again, or does not show any more.

    What does not show was taken off by somebody, or is there under another name since.
    """
    was, became = _before(done), done.became
    is_taken = bool(became.unwanted - was.unwanted) if done.was is not None else False
    for wish in (*KEPT_UP, WISH["sequences"]):
        given, had = wish.given(became), wish.given(was)
        is_taken = is_taken or (wish in KEPT_UP and bool(had - given))
        shown = wish.in_profile(profile)
        if wish.collection not in profile.unread and any(name not in shown for name in given - had):
            return True
    fills = (name for name, value in became.custom_fields.items() if value)
    is_readable = "custom_fields" not in profile.unread
    return is_taken or (is_readable and any(name not in profile.custom_fields for name in fills))


def _before(done: Undone) -> Snapshot:
    return done.was or Snapshot(email=done.became.email)


def _address(done: Undone, profile: LeadProfile, stays: list[Stays]) -> str:
    old, sent, now = _before(done).email, done.became.email, done.now.email
    if old == sent or same_address(old, profile.email):
        return now
    why: Why | None = None
    if now != sent:
        why = "a later run changed it"
    elif not same_address(sent, profile.email):
        why = "changed since"
    if why is not None:
        stays.append(Stays("email", "", why))
        return now
    return old


def _fields(done: Undone, profile: LeadProfile, stays: list[Stays]) -> Iterator[tuple[str, str]]:
    was = _before(done).fields
    for name, sent in done.became.fields.items():
        old = was.get(name, "")
        there = profile.fields.get(name)
        if sent == old or there == old:
            continue
        why = _why_field_stays(done, "fields", name, is_there=there is not None, is_as_sent=there == sent)
        if why is None:
            yield name, old
        else:
            stays.append(Stays("fields", name, why))


def _custom_fields(
    done: Undone, profile: LeadProfile, choice: Choice, stays: list[Stays]
) -> Iterator[tuple[str, CustomValue]]:
    was = _before(done).custom_fields
    is_readable = "custom_fields" not in profile.unread
    for name, sent in done.became.custom_fields.items():
        old, there = was.get(name, ""), profile.custom_fields.get(name, "")
        is_shown = name in profile.custom_fields or not is_readable
        if sent and not same_value(sent, old) and not is_shown and choice.is_gone("custom_fields", name):
            stays.append(Stays("custom_fields", name, "renamed or deleted"))
            continue
        if same_value(sent, old) or (is_readable and same_value(there, old)):
            continue
        is_as_sent = same_value(there, sent)
        why = _why_field_stays(done, "custom_fields", name, is_there=is_readable, is_as_sent=is_as_sent)
        if why is None:
            yield name, old
        else:
            stays.append(Stays("custom_fields", name, why))


def _why_field_stays(done: Undone, kind: str, name: str, *, is_there: bool, is_as_sent: bool) -> Why | None:
    def value(snapshot: Snapshot) -> CustomValue | None:
        values: Mapping[str, CustomValue] = getattr(snapshot, kind)
        return values.get(name)

    sent, known = value(done.became), value(done.now)
    if not is_there:
        return "not readable"
    if known is None or not same_value(known, sent or ""):
        return "a later run changed it"
    if not is_as_sent or (kind, name) in done.now.kept:
        return "changed since"
    if any(same_value(value(other) or "", sent or "") for other in done.elsewhere):
        return "another pipeline asks for it"
    if done.was is not None and value(done.was) is None and not done.is_ours:
        return "old value not known"
    return None


def _given(
    wish: Wish, done: Undone, profile: LeadProfile, choice: Choice, stays: list[Stays]
) -> Iterator[str]:
    """What the run gave and is to be taken off."""
    for name in sorted(wish.given(done.became) - wish.given(_before(done))):
        if name not in wish.given(done.now):
            continue  # it is off already
        if wish.collection not in profile.unread and name not in wish.in_profile(profile):
            # Off already, too, unless nobody has it: renamed, its leads show it by its new name.
            if choice.is_gone(wish.collection, name):
                stays.append(Stays(wish.collection, name, "renamed or deleted"))
            continue
        why: Why | None = None
        if any(name in wish.given(became) and not _had(wish, was, name) for was, became in done.since):
            why = "a later run changed it"
        elif any(name in wish.given(other) for other in done.elsewhere):
            why = "another pipeline asks for it"
        elif wish.collection in profile.unread:
            why = "not readable"
        elif wish.has_left(profile, name):
            why = "left by its person"
        if why is None:
            yield name
        else:
            stays.append(Stays(wish.collection, name, why))


def _had(wish: Wish, was: Snapshot | None, name: str) -> bool:
    return was is not None and name in wish.given(was)


def _taken(
    wish: Wish, done: Undone, profile: LeadProfile, choice: Choice, stays: list[Stays]
) -> Iterator[str]:
    """What the run took off and is to be given again."""
    ours = wish.given(_before(done)) - wish.given(done.became)
    theirs = frozenset[str]()
    if done.was is not None:
        anew = done.became.unwanted - done.was.unwanted
        theirs = frozenset(name for kind, name in anew if kind == wish.collection) - wish.given(done.was)
    for name in sorted(ours | theirs):
        if name in wish.given(done.now) or wish.shows(profile, name):
            continue  # it is there again
        why: Why | None = None
        if wish.can_be_left and (wish.collection, name) in done.now.kept | done.became.kept:
            why = "left by its person"
        elif choice.says_no:
            why = "says no since"
        elif name in theirs and not done.met:
            why = "whoever gave it is not known"
        elif wish.collection in profile.unread:
            why = "not readable"
        elif (wish.collection, name) in done.now.kept:
            why = "changed since"
        elif choice.is_gone(wish.collection, name):
            why = "not in the account any more"
        if why is None:
            yield name
        else:
            stays.append(Stays(wish.collection, name, why))


def _begun(
    done: Undone, profile: LeadProfile, choice: Choice, stays: list[Stays]
) -> Iterator[tuple[str, str]]:
    """Sequences that are to be stopped. What was sent of them, and what was booked, stays."""
    was = _before(done)
    wish = WISH["sequences"]
    for name in sorted(done.became.sequences - was.sequences):
        if name not in wish.in_profile(profile) or wish.has_left(profile, name):
            if choice.is_gone("sequences", name):
                stays.append(Stays("sequences", name, "renamed or deleted"))
            continue
        if choice.stop_sequences:
            yield ("sequences", name)
        else:
            stays.append(Stays("sequences", name, "begun"))
    if done.was is not None:
        # Not begun again: a sequence could mail its steps a second time.
        stopped = {name for kind, name in done.became.unwanted - was.unwanted if kind == "sequences"}
        stays += [Stays("sequences", name, "stopped") for name in sorted(stopped)]
    stays += [Stays("calendars", name, "booked") for name in sorted(done.became.calendars - was.calendars)]
    unproven = (done.became.unproven - was.unproven) & done.now.unproven
    stays += [Stays(kind, name, "not proven") for kind, name in sorted(unproven)]


def _points(done: Undone, choice: Choice, stays: list[Stays]) -> Points | None:
    """As many as the lead has from us without those of the run."""
    given = done.became.points - _before(done).points + done.taken_back
    if not given or any(kind == "points" for kind, _ in done.now.unproven):
        return None
    # On expiry Kartra takes off exactly these itself (§5.2): taken back as well, the lead would lose others.
    if given > 0 and choice.points_expired:
        stays.append(Stays("points", f"{given:+d}", "expired"))
        return None
    return Points(done.now.points - given)
