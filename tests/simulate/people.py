"""The contacts of a source and what they are to become, and what people do to their leads by hand."""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from connectors.kartra.sandbox.account import Account, Calendar, CustomField, SandboxLead
from tests.simulate.plan import Plan

TAGS = ("VIP", "Blog", "Customer")
LISTS = ("Customers", "Partners")
SIZES = {"small": "610", "large": "612"}
BOOKED = ("calendar_subscribe", "Webinar", "Tuesday")
BEFORE = "2019-01-16 19:30:00"
COLUMNS = ("Id", "Email", "First", "City", "Note", "Size", "Tags", "Lists", "Points", "Consent")

Row = dict[str, str]


def new_account() -> Account:
    return Account(
        app_id="SIMULATEDAPP",
        api_key="KEY00000",
        api_password="PASSWORD00",
        tags=["Imported", "Old", "By hand", *TAGS],
        lists=["News", *LISTS],
        sequences={"Onboarding": ["1", "2"]},
        calendars={"Webinar": Calendar(["Monday", "Tuesday"])},
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {number: label for label, number in SIZES.items()}),
        ],
    )


@dataclass
class Person:
    """One contact: its row, whether that stands in the source, and what it has of its own."""

    number: int
    row: Row
    is_away: bool = False
    keeps_address: bool = False
    """It was away when the key became the number: its address alone tells whose its lead is."""
    consents: bool = True
    own_tags: set[str] = field(default_factory=set)
    own_lists: set[str] = field(default_factory=set)
    had_sequence: bool = False
    left: set[str] = field(default_factory=set)
    """Lists that it has left and not joined again."""
    blurred: set[str] = field(default_factory=set)
    """Lists that it left or joined while a run was under way or something was unknown: nobody can tell."""
    unclear: set[str] = field(default_factory=set)
    """Tags and lists of which nobody can tell whose they are: a clock was wrong when its lead was made."""
    city_by_hand: str | None = None
    most_points: int = 0


@dataclass
class People:
    """All that can be in the source, and how the account keeps addresses."""

    chance: Random
    count: int
    by_number: bool
    test_mode: bool
    leaving: bool = False
    """Whether who has left a list often goes from the source as well."""
    people: dict[int, Person] = field(default_factory=dict)
    in_test_mode: int = 0
    """How many leads Test mode may have left behind."""

    is_restored: bool = False
    """An older state does not know what was done since: only what is done twice can be told."""

    is_undone: bool = False
    """A run was taken back: what it gave is not given again while the wish is the same."""
    taken_back: set[str] = field(default_factory=set)
    """The keys of those for whom this is so in the end."""

    def __post_init__(self) -> None:
        self._cities = (f"City {number}" for number in itertools.count(1))
        self._points = itertools.count(10)
        self._aliases = itertools.count(1)
        for number in range(self.count):
            person = Person(number, {}, consents=self.chance.random() > 0.06)
            person.row = self._row(person, f"lead{number}@example.org")
            self.people[number] = person

    def _row(self, person: Person, email: str) -> Row:
        some = self.chance.sample
        points = next(self._points)
        person.most_points = points
        return {
            "Id": str(person.number),
            "Email": email,
            "First": f"First {person.number}",
            "City": next(self._cities),
            "Note": f"note, {self.chance.randrange(3)}",
            "Size": self.chance.choice(list(SIZES)),
            "Tags": ";".join(some(TAGS, self.chance.choice((1, 2)))),
            "Lists": ";".join(some(LISTS, self.chance.choice((1, 2)))),
            "Points": str(points),
            "Consent": "yes" if person.consents else "no",
        }

    def stored(self, email: str) -> str:
        return f"{email.rpartition('@')[0]}@kartra.com" if self.test_mode else email

    def present(self) -> list[Person]:
        return [person for person in self.people.values() if not person.is_away]

    def write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, COLUMNS)
            writer.writeheader()
            writer.writerows(person.row for person in self.present())

    def edit(self, account: Account) -> None:
        """A share of the rows changes; some go, and some of those who went are back."""
        for person in self.people.values():
            if person.is_away and self.chance.random() < 0.5:
                person.is_away = False
                self.touch(person)
            elif self.leaving and person.left and self.chance.random() < 0.7:
                person.is_away = True
        some = self.present()
        for person in self.chance.sample(some, min(len(some), self.chance.choice((1, 3, 6)))):
            if self.chance.random() < (0.5 if person.left else 0.15) and len(self.present()) > 2:
                person.is_away = True
            elif self.by_number and self.chance.random() < 0.25 and self._may_change(account, person):
                email = f"lead{person.number}.{next(self._aliases)}@example.org"
                person.row = self._row(person, email)
                person.city_by_hand = None
            else:
                self.touch(person)

    def go_live(self) -> None:
        """What Test mode stored stays as it is, under addresses of nobody; everything begins anew."""
        self.test_mode = False
        self.in_test_mode = len(self.people)
        for person in self.people.values():
            person.own_tags, person.own_lists = set(), set()
            person.left, person.blurred, person.had_sequence = set(), set(), False
            person.city_by_hand = None

    def change_key(self, *, by_number: bool) -> None:
        """A run has found its leads under the key as it is now."""
        if by_number and not self.by_number:
            for person in self.people.values():
                person.keeps_address = person.keeps_address or person.is_away
        self.by_number = by_number

    def _may_change(self, account: Account, person: Person) -> bool:
        """Not that of a lead which was made by hand and may not be ours yet: whose would the old one be?"""
        lead = self.lead_of(account, person)
        is_strange = lead is not None and lead.fields.get("first_name") == "Known"
        return not is_strange and not person.keeps_address

    def touch(self, person: Person) -> None:
        person.row = self._row(person, person.row["Email"])
        person.city_by_hand = None

    # --- by hand

    def put_before(self, account: Account, count: int) -> None:
        for person in list(self.people.values())[:count]:
            self.make_by_hand(account, person, BEFORE)

    def make_by_hand(self, account: Account, person: Person, joined: str | None = None) -> SandboxLead | None:
        email = self.stored(person.row["Email"])
        if account.lead(email) is not None:
            return None
        lead = account.add_lead(email, first_name="Known", company="Own")
        if joined is not None:
            lead.date_joined = joined
        own = {"Old", *TAGS[: person.number % 3]}
        lead.tags |= own
        person.own_tags |= own
        if person.number % 4 == 1:
            lead.lists["Partners"] = True
            person.own_lists.add("Partners")
        return lead

    def lead_of(self, account: Account, person: Person) -> SandboxLead | None:
        """By its present address, else by the name that every lead of ours carries."""
        found = account.lead(self.stored(person.row["Email"]))
        if found is not None:
            return found
        name = f"First {person.number}"
        named = (lead for lead in account.leads.values() if lead.fields.get("first_name") == name)
        return next((lead for lead in named if self.test_mode or not _is_of_test_mode(lead)), None)


def problems(people: People, account: Account, plan: Plan) -> Iterator[str]:
    """Where the account is not as the source wishes it, once nothing is owed any more."""
    for person in people.people.values():
        lead = people.lead_of(account, person)
        if people.taken_back & {person.row["Id"], person.row["Email"]}:
            continue
        if not person.consents:
            if lead is not None and lead.source == "api":
                yield f"{person.row['Email']}: sent without consent"
            continue
        if person.is_away:
            if lead is not None and plan.removing and not people.is_restored:
                yield from _bare(person, lead)
            continue
        if lead is None or lead.email != people.stored(person.row["Email"]):
            yield f"{person.row['Email']}: is not in the account"
            continue
        if people.is_restored:
            continue
        yield from _as_wished(person, lead, plan.scoring, plan.booking)


def _as_wished(person: Person, lead: SandboxLead, scoring: bool, booking: bool) -> Iterator[str]:
    row, who = person.row, person.row["Email"]
    wished = {"first_name": row["First"], "city": person.city_by_hand or row["City"]}
    for name, value in wished.items():
        if lead.fields.get(name) != value:
            yield f"{who}: {name} is {lead.fields.get(name)!r} instead of {value!r}"
    if lead.custom_fields.get("note") != row["Note"]:
        yield f"{who}: note is {lead.custom_fields.get('note')!r} instead of {row['Note']!r}"
    size = lead.custom_fields.get("size")
    if size not in (SIZES[row["Size"]], [SIZES[row["Size"]]]):
        yield f"{who}: size is {size!r} instead of {row['Size']}"
    tags = {"Imported", *row["Tags"].split(";")}
    if person.own_tags - lead.tags - person.unclear:
        yield f"{who}: has lost {sorted(person.own_tags - lead.tags)} of its own"
    if not tags <= lead.tags or lead.tags - tags - person.own_tags - person.unclear:
        yield f"{who}: tags {sorted(lead.tags)} instead of {sorted(tags | person.own_tags)}"
    wanted = {"News", *row["Lists"].split(";")}
    active = {name for name, is_on in lead.lists.items() if is_on}
    sure = active - person.blurred - person.unclear
    if sure & person.left:
        yield f"{who}: is on a list that it has left: {sorted(sure & person.left)}"
    missing = wanted - person.left - active - person.blurred
    if missing:
        yield f"{who}: is not on {sorted(missing)}"
    if sure - wanted - person.own_lists:
        yield f"{who}: is on {sorted(sure - wanted)}, which nobody asked for"
    starts = len(lead.sequence_starts)
    if starts != (0 if person.had_sequence else 1):
        yield f"{who}: {starts} starts of the sequence"
    if scoring and given(lead) != int(row["Points"]):
        yield f"{who}: {given(lead)} points instead of {row['Points']}"
    if booking and lead.calendar_log.count(BOOKED) != 1:
        yield f"{who}: {lead.calendar_log.count(BOOKED)} bookings"


def _bare(person: Person, lead: SandboxLead) -> Iterator[str]:
    if person.own_tags - lead.tags - person.unclear:
        yield f"{lead.email} (gone): has lost {sorted(person.own_tags - lead.tags)} of its own"
    if lead.tags - person.own_tags - person.unclear:
        yield f"{lead.email} (gone): tags {sorted(lead.tags)}"
    active = (
        {name for name, is_on in lead.lists.items() if is_on}
        - person.own_lists
        - person.blurred
        - person.unclear
    )
    if active:
        yield f"{lead.email} (gone): lists {sorted(active)}"


def twice(people: People, account: Account) -> Iterator[str]:
    """What was given more than once, at any time."""
    for lead in account.leads.values():
        for name in {name for name, _ in lead.sequence_starts}:
            count = sum(other == name for other, _ in lead.sequence_starts)
            if count > 1:
                yield f"{lead.email}: {count} starts of {name}"
        if lead.calendar_log.count(BOOKED) > 1:
            yield f"{lead.email}: {lead.calendar_log.count(BOOKED)} bookings of one class"
    for person in people.people.values():
        lead_or_none = people.lead_of(account, person)
        if lead_or_none is not None and given(lead_or_none) > person.most_points:
            yield f"{lead_or_none.email}: {given(lead_or_none)} points, {person.most_points} at most"
    if len(account.leads) > len(people.people) + people.in_test_mode:
        yield f"{len(account.leads)} leads of {len(people.people)} people"


def _is_of_test_mode(lead: SandboxLead) -> bool:
    return lead.email.endswith("@kartra.com")


def given(lead: SandboxLead) -> int:
    return sum(change.points for change in lead.points_log)
