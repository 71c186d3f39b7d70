"""What can be asked for a lead beside its fields: one row for each kind of wish, with all its rules. Pure.

Whoever handles wishes takes what it knows of them from here: the diff and its opposite, the compiled call,
the read-back, the names that an account has to have, what a plan says of automations, drift, adoption, the
files for Kartra's own import, examples, merging and `explain`. None of them names a wish.

A new one is a row here, the fields that hold it, its key in the file, and a test. Notes that a lead is given
once, had Kartra a command `add_note`, were tried; this is the whole change, 40 lines, the tests aside:

    connectors/kartra/commands.py  +add_note(note), that a second one is a second effect, and that it is about
                                   a lead
    connectors/kartra/client.py    +add_note, whose docstring is the help of `call add_note`
    pipelines/config/load.py       +notes: Names = ()
    pipelines/contacts/lead.py     +notes: tuple[str, ...] of what is asked for, frozenset[str] of what was
                                   +given, each with its two lines of JSON
    pipelines/contacts/asked.py    +notes=notes(record)[0], read as tags are
    pipelines/contacts/wishes.py   +Wish("notes", "note", _notes, once_only=True, triggers=False,
                                   +     gives=Command("add_note", lambda step: commands.add_note(step.name)),
                                   +     proof=_no_profile_shows_it, merged=_together), _notes, its steps, and
                                   +     its name in OnceOnly
    sql/state/adoption.sql         +what adoption takes for given, because it is given once
    tests/                         +a note in the lead of contacts/test_wishes.py and in the strategies;
                                   +kartra/test_commands.py counts the commands
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from connectors.kartra import commands
from connectors.kartra.commands import Action, InventoryName
from connectors.kartra.profile import LeadProfile
from pipelines.config.load import LoadConfig
from pipelines.config.values import Value
from pipelines.config.wishes import TAKEN_BY
from pipelines.contacts.lead import DesiredLead, Points, Snapshot, Unwanted

OnceOnly = Literal["sequences", "points", "calendars"]
"""The wishes that are `once_only` below: giving one again has a second effect."""

Cause = tuple[str, str]
"""A command and what it gives: ("calendar_subscribe", "Webinar: Tuesday"); "" for the lead itself."""

StepEffect = tuple[str, str]
"""A collection of a snapshot and an element of it: ("sequences", "Onboarding") or ("points", "+10")."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a call after the profile. `name` is a tag, list, sequence or calendar, or a number of
    points.

    `at` is the step of a sequence, the class of a calendar or the days that points last; `when` is the start
    of the class.
    """

    cmd: str
    name: str
    at: str | None = None
    when: str | None = None

    @property
    def wish(self) -> "Wish":
        return _OF_COMMAND[self.cmd][0]

    @property
    def label(self) -> str:
        """What distinguishes it from other steps of its command, in words for people."""
        return _OF_COMMAND[self.cmd][1].label(self)

    @property
    def cause(self) -> Cause:
        """What Kartra may refuse for every lead alike."""
        return self.cmd, self.label

    @property
    def effect(self) -> StepEffect:
        """The element of a snapshot that it changes."""
        return self.wish.collection, self.label

    @property
    def takes(self) -> bool:
        """Whether the step takes something away."""
        taking = self.wish.takes
        return taking is not None and taking.cmd == self.cmd

    def action(self) -> Action:
        """The step as a command of Kartra."""
        return _OF_COMMAND[self.cmd][1].action(self)


def _name(step: Step) -> str:
    return step.name


@dataclass(frozen=True, slots=True)
class Command:
    """A command that gives or takes, how a step becomes an action of it, and how the step is named."""

    cmd: str
    action: Callable[[Step], Action]
    label: Callable[[Step], str] = _name


def _no_names(_: LeadProfile) -> Collection[str]:
    return ()


def _as_later(_earlier: Any, later: Any, _gone: Collection[str]) -> Any:
    return later


@dataclass(frozen=True, slots=True)
class Wish:
    """All that is known of one kind of wish."""

    collection: str
    """The key of the load section, and the field of a lead and of a snapshot."""
    one: str
    """The word for one element in messages."""
    wanted: Callable[[DesiredLead, Snapshot], Iterator[Step]]
    """The steps that give all that is asked for, whether the lead has it or not."""
    gives: Command
    takes: Command | None = None
    corrects: Command | None = None
    """Lowers an amount that was given; its label is a negative number."""

    once_only: bool = False
    """Giving it again has a second effect, so it is given once, and parked if nobody knows whether it landed.
    Otherwise the lead has it or not, and what we gave is taken back when it is no longer asked for."""
    is_amount: bool = False
    """The snapshot keeps a number of it instead of names."""
    can_be_left: bool = False
    """A person can leave it in Kartra; the profile then shows it as inactive, and the lead is not put
    back."""
    listed_as: InventoryName | None = None
    """The account's list of all its names. A name that is not in it is reported before anything is sent."""
    triggers: bool = True
    """Automations of an account commonly wait for it."""
    is_imported: bool = False
    """Kartra's own import of leads carries it."""

    in_profile: Callable[[LeadProfile], Collection[str]] = _no_names
    """The names in a profile, including those that the lead has left."""
    has_left: Callable[[LeadProfile, str], bool] = lambda _profile, _name: False
    """Whether the profile shows that the lead has left it."""
    proof: Callable[[Step, LeadProfile, int | None], bool | None] | None = None
    """Whether a profile proves a step, by the score before it if that was read; None if it cannot. Left out:
    the names in the profile prove it."""
    merged: Callable[[Any, Any, Collection[str]], Any] = _as_later
    """What two records of one person ask for together: by the earlier one, the later one, and the names that
    the later one wants gone."""
    elements: Callable[[LoadConfig], Iterable[object]] | None = None
    """The names and values in the load section. Left out: those listed under its key."""
    when_gone: str = ""
    """What became of it, in words for people, where we gave it and it is not there any more."""
    when_missing: str = ""
    """What a lead is without it, in words for people."""

    @property
    def taken_by(self) -> str | None:
        """The key of the load section that asks for it to be gone."""
        return TAKEN_BY.get(self.collection)

    def given(self, snapshot: Snapshot) -> frozenset[str]:
        """The names of it that a snapshot holds."""
        return frozenset() if self.is_amount else getattr(snapshot, self.collection)

    def is_wanted_by(self, lead: DesiredLead) -> bool:
        """Whether a record asks for any of it."""
        return bool(getattr(lead, self.collection))

    def names(self, lead: DesiredLead) -> Collection[str]:
        """The names of it that a record asks for."""
        if not self.once_only:
            names: Collection[str] = getattr(lead, self.collection)
            return names
        return [] if self.is_amount else [step.label for step in self.wanted(lead, _NOTHING)]

    def asks_for(self, lead: DesiredLead, label: str) -> bool:
        """Whether a record asks for this; for any number of it, where it is an amount."""
        return self.is_wanted_by(lead) if self.is_amount else label in self.names(lead)

    def is_asked_for(self, load: LoadConfig) -> bool:
        """Whether the load section gives it to anybody."""
        return bool(getattr(load, self.collection))

    def is_taken(self, load: LoadConfig) -> bool:
        """Whether the load section takes it from anybody, whoever gave it."""
        return self.taken_by is not None and bool(getattr(load, self.taken_by))

    def values(self, load: LoadConfig) -> Iterator[Value]:
        """What the names of it are made of, where they are not the same for all."""
        elements = self.elements(load) if self.elements else getattr(load, self.collection)
        return (element for element in elements if isinstance(element, Value))

    def taken_values(self, load: LoadConfig) -> Iterator[Value]:
        """What the names of it that are to be gone are made of, where they are not the same for all."""
        elements = getattr(load, self.taken_by) if self.taken_by else ()
        return (element for element in elements if isinstance(element, Value))

    def shows(self, profile: LeadProfile, name: str) -> bool:
        """Whether the profile shows that the lead has it now."""
        return name in self.in_profile(profile) and not self.has_left(profile, name)

    def landed(self, step: Step, profile: LeadProfile, score_before: int | None) -> bool | None:
        """Whether the profile shows the effect of a step of this wish; None where it cannot prove it."""
        if self.proof is not None:
            return self.proof(step, profile, score_before)
        if self.collection in profile.unread and step.name not in self.in_profile(profile):
            # Not there is no proof then: what may be repeated is, and the rest waits for a person.
            return None if self.once_only and not step.takes else False
        if self.once_only and not step.takes:  # it stays there when the lead has left it
            return step.name in self.in_profile(profile)
        return self.shows(profile, step.label) is not step.takes


def _tags(lead: DesiredLead, _: Snapshot) -> Iterator[Step]:
    return (Step("assign_tag", name) for name in lead.tags)


def _lists(lead: DesiredLead, _: Snapshot) -> Iterator[Step]:
    return (Step("subscribe_lead_to_list", name) for name in lead.lists)


def _points(lead: DesiredLead, snapshot: Snapshot) -> Iterator[Step]:
    """What is missing of the whole; nothing while it is unproven how many the lead has."""
    if lead.points is None or any(collection == "points" for collection, _ in snapshot.unproven):
        return
    owed = lead.points.amount - snapshot.points
    if owed > 0:
        yield Step("give_points_to_lead", str(owed), str(lead.points.expiration_days))
    elif owed < 0:
        yield Step("remove_points_from_lead", str(-owed))


def _calendars(lead: DesiredLead, _: Snapshot) -> Iterator[Step]:
    for one in lead.calendars:
        yield Step("calendar_subscribe", one.calendar, one.name, one.starting_at or None)


def _sequences(lead: DesiredLead, _: Snapshot) -> Iterator[Step]:
    return (Step("subscribe_lead_to_sequence_at_step", name, at) for name, at in lead.sequences)


def _give_points(step: Step) -> Action:
    return commands.give_points_to_lead(int(step.name), expiration_days=int(step.at or 0) or None)


def _book(step: Step) -> Action:
    starting_at = datetime.fromisoformat(step.when) if step.when else None
    return commands.calendar_subscribe(step.name, step.at or "", starting_at)


def _by_score(step: Step, profile: LeadProfile, before: int | None) -> bool | None:
    """Whether the score changed by exactly these points; another difference proves nothing."""
    if before is None or profile.score is None:
        return None
    if profile.score == before:
        return False
    return True if profile.score == before + int(step.label) else None


def _no_profile_shows_it(_step: Step, _profile: LeadProfile, _before: int | None) -> bool | None:
    return None


def _point_values(load: LoadConfig) -> Iterable[object]:
    return [Value(column=load.points.column)] if load.points and load.points.column else []


def _together(earlier: tuple[str, ...], later: tuple[str, ...], gone: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (*earlier, *later) if name not in gone))


def _steps_together(
    earlier: tuple[tuple[str, str], ...], later: tuple[tuple[str, str], ...], gone: Collection[str]
) -> tuple[tuple[str, str], ...]:
    steps = {**dict(earlier), **dict(later)}
    return tuple((name, step) for name, step in steps.items() if name not in gone)


def _later_if_any(earlier: Points | None, later: Points | None, _gone: Collection[str]) -> Points | None:
    return later or earlier


WISHES = (
    Wish(
        "tags",
        "tag",
        _tags,
        gives=Command("assign_tag", lambda step: commands.assign_tag(step.name)),
        takes=Command("unassign_tag", lambda step: commands.unassign_tag(step.name)),
        listed_as="tags",
        is_imported=True,
        in_profile=lambda profile: profile.tags,
        merged=_together,
        when_gone="taken away",
        when_missing="without the tag",
    ),
    Wish(
        "lists",
        "list",
        _lists,
        gives=Command("subscribe_lead_to_list", lambda step: commands.subscribe_lead_to_list(step.name)),
        takes=Command(
            "unsubscribe_lead_from_list", lambda step: commands.unsubscribe_lead_from_list(step.name)
        ),
        can_be_left=True,
        listed_as="lists",
        is_imported=True,
        in_profile=lambda profile: profile.lists.keys(),
        has_left=lambda profile, name: profile.lists.get(name) is False,
        merged=_together,
        when_gone="left",
        when_missing="not on the list",
    ),
    Wish(
        "points",
        "point",
        _points,
        gives=Command("give_points_to_lead", _give_points, lambda step: f"+{step.name}"),
        corrects=Command(
            "remove_points_from_lead",
            lambda step: commands.remove_points_from_lead(int(step.name)),
            lambda step: f"-{step.name}",
        ),
        once_only=True,
        is_amount=True,
        triggers=False,
        proof=_by_score,
        merged=_later_if_any,
        elements=_point_values,
    ),
    Wish(
        "calendars",
        "class",
        _calendars,
        gives=Command("calendar_subscribe", _book, lambda step: f"{step.name}: {step.at}"),
        once_only=True,
        proof=_no_profile_shows_it,  # §6.2
    ),
    Wish(
        "sequences",
        "sequence",
        _sequences,
        gives=Command(
            "subscribe_lead_to_sequence_at_step",
            lambda step: commands.subscribe_lead_to_sequence_at_step(step.name, step.at or ""),
        ),
        takes=Command(
            "unsubscribe_lead_from_sequence", lambda step: commands.unsubscribe_lead_from_sequence(step.name)
        ),
        once_only=True,
        listed_as="sequences",
        in_profile=lambda profile: profile.sequences.keys(),
        has_left=lambda profile, name: name in profile.left_sequences,
        merged=_steps_together,
        elements=lambda load: (part for one in load.sequences for part in (one.name, one.step)),
        when_missing="not in the sequence",
    ),
)
"""All wishes in the order of a call's actions. Sequences come last: where a call stops, no mail has begun."""

WISH: Mapping[str, Wish] = {wish.collection: wish for wish in WISHES}
KEPT_UP = tuple(wish for wish in WISHES if not wish.once_only)
"""Wishes that a lead has or has not; what we gave is taken back when it is no longer asked for."""
ONCE_ONLY = tuple(wish for wish in WISHES if wish.once_only)
_NOTHING = Snapshot(email="")
_OF_COMMAND = {
    command.cmd: (wish, command)
    for wish in WISHES
    for command in (wish.gives, wish.takes, wish.corrects)
    if command is not None
}


def wish_of(cmd: str) -> Wish | None:
    """The wish that a command gives or takes."""
    known = _OF_COMMAND.get(cmd)
    return known[0] if known else None


def wanted(lead: DesiredLead) -> frozenset[Unwanted]:
    """The names that a lead asks for, in the form of `unwanted`."""
    return frozenset(
        (wish.collection, name) for wish in WISHES if wish.taken_by is not None for name in wish.names(lead)
    )
