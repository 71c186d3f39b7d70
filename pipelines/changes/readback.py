"""What a lead's profile proves: which actions of an open try landed, what the lead had before us. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.kartra.clock import EST
from connectors.kartra.commands import Call, get_lead
from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change, apply_change, created_lead, same_value
from pipelines.config.kartra import Mode
from pipelines.config.load import Existing
from pipelines.contacts.lead import DesiredLead, Origin, Snapshot
from pipelines.contacts.wishes import KEPT_UP, ONCE_ONLY, WISH, WISHES, StepEffect

CLOCKS_DIFFER = timedelta(minutes=5)
CLOCKS_WRONG = timedelta(hours=26)
"""More than a wrong clock is off, its time zone included."""
LEFT_WITHIN = timedelta(hours=1)
"""A call leaves this long after its intent at most: permits and storms of 429 can make it wait."""
SUMMER = timedelta(hours=1)
WHOLE_SECONDS = timedelta(seconds=2)
"""What Kartra's times and its `Date` leave out."""
JUST_NOW = timedelta(minutes=15)
"""Within this time nobody joins a list through us and leaves it again; later they may have."""

TEST_DOMAIN = "kartra.com"
"""Test mode replaces the domain of every address with this one (§2.2)."""


def reads_of(snapshot: Snapshot, mode: Mode) -> Iterator[Call]:
    """The calls that read a known lead: by its id, or by its address as long as the id is unknown.

    A lead without an id was taken over after an import, which does not rewrite addresses even in Test mode:
    so the plain address comes first.
    """
    if snapshot.lead_id:
        yield get_lead(id=snapshot.lead_id)
        return
    yield get_lead(email=snapshot.email)
    if mode == "test":
        yield get_lead(email=test_address(snapshot.email))


def test_address(email: str) -> str:
    """The address as Test mode stores it."""
    return f"{email.rpartition('@')[0]}@{TEST_DOMAIN}"


def landed(change: Change, profile: LeadProfile) -> tuple[bool | None, ...]:
    """Whether the profile shows the effect of each command; None where no profile can prove it.

    No profile shows bookings of calendars (§6.2). Points are proven by the score before and after, unless it
    changed otherwise meanwhile.
    """
    head = (_profile_landed(change, profile),) if change.writes_profile else ()
    return (*head, *(step.wish.landed(step, profile, change.score) for step in change.steps))


def after_unknown(
    change: Change,
    desired: DesiredLead,
    snapshot: Snapshot | None,
    profile: LeadProfile,
    existing: Existing,
    sent_at: datetime,
    now: datetime,
    *,
    is_clock_known: bool = True,
    has_died: bool = False,
) -> tuple[Snapshot, Origin | None]:
    """The snapshot that a profile proves after an unanswered try, and the origin of a new lead.

    `sent_at` is when the creation was intended. A lead that joined before that existed before us: Kartra then
    refused the creation and everything chained to it. `is_clock_known` False: it is by a clock that may have
    been wrong, and proves nothing but what happened in the same minutes. `has_died`: `sent_at` is the last
    intent of a process that is over, so a lead that joined hours later was made by somebody else.
    """
    flags = landed(change, profile)
    unproven = frozenset(
        step.effect
        for step, flag in zip(change.steps, flags[len(flags) - len(change.steps) :], strict=True)
        if flag is None
    )
    if change.create:
        ours = joined_after(profile.joined, sent_at)
        if not is_clock_known and not _is_same_time(profile.joined, sent_at):
            ours = None
        elif has_died and joined_hours_later(profile.joined, sent_at):
            ours = False
        if not (flags[0] if ours is None else ours):
            adopted = adopt(desired, profile, existing)
            # By the clocks the lead is not ours. A wrong clock is rare, but then all it shows is ours and
            # must not be given again.
            if not is_clock_known:
                unproven = _may_be_given(change, flags)
            elif ours is False:
                unproven = (
                    _may_be_given(change, flags) if _is_recent(profile.joined, sent_at) else frozenset()
                )
            return replace(adopted, unproven=unproven), "adopted"
        flags = (True, *flags[1:])
    known = snapshot or created_lead(desired)
    after = apply_change(known, change, [bool(flag) for flag in flags])
    after = replace(after, unproven=known.unproven | unproven)
    if change.create:
        # The values as they are now: somebody may have edited the lead since it was created.
        after = replace(after, **_values(desired, profile))
    left = _left(desired, profile)
    if _never_carried_out(change, known, flags, now - sent_at, profile.unread):
        # The call never ran, so a list that we took back before is inactive because of us.
        left -= {("lists", name) for name in known.taken}
    after = replace(after, lead_id=profile.id or after.lead_id, kept=after.kept | left)
    return after, "created" if change.create else None


def _never_carried_out(
    change: Change,
    known: Snapshot,
    flags: Sequence[bool | None],
    age: timedelta,
    unread: frozenset[str],
) -> bool:
    """Whether a call left no trace in the profile.

    A list proves nothing, because its person may have joined it or left it again, and neither does the
    absence of something that the lead may never have had, or that stands in a part that could not be read.
    """
    # One flag for the profile, if it is written, then one for each step.
    head = flags[: len(flags) - len(change.steps)]
    ours = {(wish.collection, name) for wish in KEPT_UP for name in wish.given(known)}
    telling = [
        (step, flag)
        for step, flag in zip(change.steps, flags[len(head) :], strict=True)
        if flag is not None and (not step.takes or step.effect in ours) and step.wish.collection not in unread
    ]
    traces = [*head, *(flag for step, flag in telling if step.takes or not step.wish.can_be_left)]
    shown = any(traces) if traces else any(flag for _, flag in telling)
    return not shown and (age < JUST_NOW or False in traces)


def adopt(desired: DesiredLead, profile: LeadProfile, existing: Existing) -> Snapshot:
    """The snapshot of a lead that Kartra had before us, limited to what the record mentions."""
    # Only what the record mentions: other fields are no business of this pipeline.
    values = _values(desired, profile)
    absent = frozenset((kind, name) for kind, name in desired.unwanted if not WISH[kind].shows(profile, name))
    kept = {(wish.collection, name) for wish in KEPT_UP for name in wish.in_profile(profile)}
    # What is there and wanted gone is not kept as it is: it has to go.
    kept -= desired.unwanted - absent
    if existing == "fill_blanks":
        kept |= {(kind, name) for kind, known in values.items() for name, value in known.items() if value}
    ever_given: dict[str, Any] = {
        wish.collection: frozenset(wish.in_profile(profile)) for wish in ONCE_ONLY if not wish.is_amount
    }
    return Snapshot(
        email=desired.email,
        lead_id=profile.id or None,
        kept=frozenset(kept),
        unwanted=absent,
        **values,
        **ever_given,
    )


def unclear_parts(
    desired: DesiredLead, profile: LeadProfile, existing: Existing, left_out: Collection[str] = ()
) -> list[str]:
    """The parts of a lead from before us without which nobody can say what may be sent to it.

    What it was begun in, or has left, is not given a second time; under `fill_blanks` what stands in a field
    is not written over. `left_out` are parts that the account leaves out of a profile where they are empty.
    """
    unclear = profile.garbled | profile.missing.difference(left_out)
    parts = [
        wish.collection
        for wish in WISHES
        if (wish.can_be_left or wish.once_only) and wish.collection in unclear and wish.names(desired)
    ]
    if existing == "fill_blanks" and "custom_fields" in unclear and desired.custom_fields:
        parts.append("custom_fields")
    return parts


def _values(desired: DesiredLead, profile: LeadProfile) -> dict[str, Any]:
    """The values of the profile in the fields that the record mentions."""
    return {
        "fields": {name: profile.fields.get(name, "") for name in desired.fields},
        "custom_fields": {name: profile.custom_fields.get(name, "") for name in desired.custom_fields},
    }


def joined_after(joined: datetime | None, sent_at: datetime) -> bool | None:
    """Whether a lead joined after an intent; None if its clock leaves that open.

    Kartra writes EST and does not say whether that has daylight saving time (§8.5): a lead may seem an hour
    younger than it is.
    """
    if joined is None:
        return None
    age = joined.replace(tzinfo=EST) - sent_at
    # An hour off in summer can only make a lead seem younger, so the older side is certain.
    if age < -CLOCKS_DIFFER:
        return False
    return None if CLOCKS_DIFFER < age < SUMMER - CLOCKS_DIFFER else True


def joined_hours_later(joined: datetime | None, sent_at: datetime) -> bool:
    """Whether a lead joined later than any call of an intent arrives, in summer as in winter."""
    return joined is not None and joined.replace(tzinfo=EST) - sent_at > LEFT_WITHIN + SUMMER + CLOCKS_DIFFER


def joined_since(joined: datetime | None, sent_at: datetime, *, is_clock_known: bool) -> bool:
    """Whether a lead certainly joined after an intent; on Kartra's own clock minutes are no excuse."""
    if joined is None or joined_after(joined, sent_at) is not True:
        return False
    return not is_clock_known or joined.replace(tzinfo=EST) >= sent_at - WHOLE_SECONDS


def _is_same_time(joined: datetime | None, sent_at: datetime) -> bool:
    return joined is not None and abs(joined.replace(tzinfo=EST) - sent_at) <= CLOCKS_DIFFER


def _is_recent(joined: datetime | None, sent_at: datetime) -> bool:
    """Whether a wrong clock could explain that the lead seems to have joined before our intent."""
    return joined is not None and joined.replace(tzinfo=EST) - sent_at > -CLOCKS_WRONG


def _may_be_given(change: Change, flags: Sequence[bool | None]) -> frozenset[StepEffect]:
    """The effects that must not be given twice and are not disproven. A profile shows names but no
    amounts."""
    steps = zip(change.steps, flags[len(flags) - len(change.steps) :], strict=True)
    return frozenset(
        step.effect
        for step, flag in steps
        if step.wish in ONCE_ONLY and (flag is None or (flag and step.wish.is_amount))
    )


def _left(desired: DesiredLead, profile: LeadProfile) -> frozenset[tuple[str, str]]:
    """The wishes that the person has left: the profile keeps them as inactive."""
    return frozenset(
        (wish.collection, name)
        for wish in WISHES
        if wish.can_be_left
        for name in wish.names(desired)
        if wish.has_left(profile, name)
    )


def _profile_landed(change: Change, profile: LeadProfile) -> bool:
    # A creation was looked up by its address: no more is asked of that.
    return (
        (change.create or change.email is None or same_address(change.email, profile.email))
        and all(value == profile.fields.get(name, "") for name, value in change.fields.items())
        and all(
            same_value(value, profile.custom_fields.get(name, ""))
            for name, value in change.custom_fields.items()
        )
    )


def same_address(sent: str, stored: str) -> bool:
    """Whether the stored address is the sent one, also as Test mode stores it."""
    return stored.lower() in (sent, test_address(sent))
