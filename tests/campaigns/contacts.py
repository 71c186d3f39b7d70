"""A source that changes under a seed, the account it is loaded into, and what each lead has to become.

Cells are never blank, cities never repeat, points only rise: so the end state follows from the rows alone,
whatever happened on the way.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from connectors.kartra.sandbox import Account, Calendar, CustomField, Sandbox
from connectors.kartra.sandbox.account import SandboxLead
from tests.promises.scenes import FRUITS, SIZES

LOAD = """
source: {{csv: contacts.csv}}
key: {key}
fields: {{email: Email, first_name: First, city: City}}
custom_fields: {{note: Note, size: Size, fruits: {{column: Fruits, split: ";"}}}}
tags: [Imported, {{column: Tags, split: ";"}}]
lists: [News, {{column: Lists, split: ";"}}]
sequences: [{{name: Onboarding, step: 1}}]
on_removed: [untag, unsubscribe]
consent: {{attested: "a campaign of the tests"}}
guards: {{max_removed: 100%, max_failed: 100%}}
"""

POINTS = "points: {column: Points}\n"
CALENDARS = "calendars: [{name: Webinar, class: Tuesday}]\n"
BOOKED = ("calendar_subscribe", "Webinar", "Tuesday")

TAGS = ("VIP", "Blog", "Customer")
LISTS = ("Customers", "Partners")
BEFORE = "2019-01-16 19:30:00"
"""When leads that were there before us had joined."""


def account() -> Account:
    return Account(
        tags=["Imported", "Old", *TAGS],
        lists=["News", *LISTS],
        sequences={"Onboarding": ["1", "2"]},
        calendars={"Webinar": Calendar(["Monday", "Tuesday"])},
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {number: label for label, number in SIZES.items()}),
            CustomField("3", "fruits", "checkbox", {number: label for label, number in FRUITS.items()}),
        ],
    )


@dataclass(frozen=True)
class Verdict:
    """What an account shows of the leads: those not as wished, once-only commands repeated, and which."""

    leads: int
    lost: int
    twice: int
    problems: tuple[str, ...]


@dataclass
class Contacts:
    """The rows, by a number that stays with the person. `stored` is how the account keeps an address.

    With `scoring` everyone is given points; a known lead's score is read before. With `booking` everyone is
    subscribed to a class, which no profile shows: what is unproven is parked.
    """

    seed: int
    count: int
    by_number: bool = False
    scoring: bool = True
    booking: bool = False
    stored: Callable[[str], str] = str
    rows: dict[int, dict[str, str]] = field(default_factory=dict)
    known_before: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._cities = (f"City {number}" for number in itertools.count(1))
        self._aliases = itertools.count(1)
        self._points = itertools.count(10)
        self._away: dict[int, dict[str, str]] = {}
        for number in range(self.count):
            self.rows[number] = self._row(number, f"lead{number}@example.org")

    @property
    def load(self) -> str:
        """The load section of the pipeline."""
        load = LOAD.format(key="{column: Customer}" if self.by_number else "email")
        return load + (POINTS if self.scoring else "") + (CALENDARS if self.booking else "")

    def table(self) -> list[dict[str, str]]:
        return list(self.rows.values())

    def put_before(self, sandbox: Sandbox, count: int) -> None:
        """Some of them are leads already, with a tag and a name of their own."""
        for row in self.table()[:count]:
            lead = sandbox.account.add_lead(self.stored(row["Email"]), first_name="Known", phone="1")
            lead.tags.add("Old")
            lead.date_joined = BEFORE
            self.known_before.add(lead.email)

    def edit(self, share: float = 0.4) -> None:
        """Change a share of the rows; a few go, and of those who went some come back."""
        for number in list(self._away):
            if self._random.random() < 0.5:
                self.rows[number] = self._row(number, self._away.pop(number)["Email"])
        for number in self._random.sample(sorted(self.rows), max(2, round(share * len(self.rows)))):
            row = self.rows[number]
            if self._random.random() < 0.15:
                self._away[number] = self.rows.pop(number)
            elif self.by_number and self._random.random() < 0.3:
                alias = next(self._aliases)
                self.rows[number] = self._row(number, f"lead{number}.{alias}@example.org")
            else:
                self.rows[number] = self._row(number, row["Email"])

    def change_all(self) -> None:
        """Every row changes, and every fourth goes."""
        for number, row in list(self.rows.items()):
            if number % 4 == 3:
                self._away[number] = self.rows.pop(number)
            else:
                self.rows[number] = self._row(number, row["Email"])

    def come_back(self) -> None:
        """Who went is back, with other cells."""
        for number, row in self._away.items():
            self.rows[number] = self._row(number, row["Email"])
        self._away.clear()

    def change(self, numbers: Iterable[int]) -> None:
        """These rows get other cells."""
        for number in sorted(numbers):
            self.rows[number] = self._row(number, self.rows[number]["Email"])

    def lead(self, number: int, sandbox: Sandbox) -> SandboxLead:
        """The lead of a row that has one."""
        lead = sandbox.account.lead(self.stored(self.rows[number]["Email"]))
        assert lead is not None
        return lead

    def judge(self, sandbox: Sandbox, *, refused: Set[int] = frozenset()) -> Verdict:
        """Compare every lead of the account with its row; leads without a row have to be bare.

        Rows that are `refused` are not looked at.
        """
        people = len(self.rows) + len(self._away)
        with sandbox.lock:
            lost = list(self._problems(sandbox.account, refused))
            repeated = {lead.email: _repeated(lead) for lead in sandbox.account.leads.values()}
            for lead, wished in self._wished_points(sandbox.account):
                if _given(lead) > wished:
                    repeated[lead.email]["points"] += 1
            strangers = max(0, len(sandbox.account.leads) - people)
        twice = [f"{email}: {list(names)} more than once" for email, names in repeated.items() if names]
        if strangers:
            twice.append(f"{strangers} more leads than people")
        return Verdict(
            leads=people,
            lost=len(lost),
            twice=sum(names.total() for names in repeated.values()) + strangers,
            problems=(*lost, *twice),
        )

    def _problems(self, held: Account, refused: Set[int]) -> Iterator[str]:
        for number, row in self.rows.items():
            if number in refused:
                continue
            lead = held.lead(self.stored(row["Email"]))
            if lead is None:
                yield f"{row['Email']} is not in the account"
                continue
            yield from _differences(row["Email"], self._wished(row, lead), _shown(lead))
        wished = {self.stored(row["Email"]) for row in self.rows.values()}
        for lead in held.leads.values():
            if lead.email in wished:
                continue
            bare = {"tags": self._had(lead), "lists": set()}
            shown = {name: value for name, value in _shown(lead).items() if name in bare}
            yield from _differences(f"{lead.email} (gone)", bare, shown)

    def _wished_points(self, held: Account) -> Iterator[tuple[SandboxLead, int]]:
        """Leads with the most points they may have been given."""
        for row in (*self.rows.values(), *self._away.values()):
            if lead := held.lead(self.stored(row["Email"])):
                yield lead, int(row["Points"])

    def _had(self, lead: SandboxLead) -> set[str]:
        return {"Old"} if lead.email in self.known_before else set()

    def _wished(self, row: dict[str, str], lead: SandboxLead) -> dict[str, Any]:
        fields = {"first_name": row["First"], "city": row["City"]}
        return {
            "fields": fields | ({"phone": "1"} if lead.email in self.known_before else {}),
            "custom_fields": {
                "note": row["Note"],
                "size": [SIZES[row["Size"]]],
                "fruits": sorted(FRUITS[label] for label in row["Fruits"].split(";")),
            },
            "tags": {"Imported", *row["Tags"].split(";")} | self._had(lead),
            "lists": {"News", *row["Lists"].split(";")},
            "sequences": {"Onboarding"},
            "booked": {BOOKED} if self.booking else set(),
            "points": int(row["Points"]) if self.scoring else 0,
        }

    def _row(self, number: int, email: str) -> dict[str, str]:
        some = self._random.sample
        return {
            "Customer": str(number),
            "Email": email,
            "First": f"First {number}",
            "City": next(self._cities),
            "Note": f"note, {self._random.randrange(3)}",
            "Size": self._random.choice(list(SIZES)),
            "Fruits": ";".join(some(list(FRUITS), self._random.choice((1, 2)))),
            "Tags": ";".join(some(TAGS, self._random.choice((1, 2)))),
            "Lists": ";".join(some(LISTS, self._random.choice((1, 2)))),
            "Points": str(next(self._points)),
        }


def calls_over(sandbox: Sandbox) -> int:
    """Calls beyond the floor: those that read a lead, and those that repeat an earlier call.

    The floor is one call per list of names and one per change, each sent once. Leads are read after a lost
    answer, to adopt those Kartra had before, and for the score before a known lead is given points.
    """
    asked = {repr((call.commands, call.form)) for call in sandbox.calls if call.commands != ("get_lead",)}
    return len(sandbox.calls) - len(asked)


def _shown(lead: SandboxLead) -> dict[str, Any]:
    custom = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in lead.custom_fields.items()
    }
    return {
        "fields": dict(lead.fields),
        "custom_fields": custom,
        "tags": set(lead.tags),
        "lists": {name for name, is_on in lead.lists.items() if is_on},
        "sequences": {name for name, _ in lead.sequence_starts},
        "booked": set(lead.calendar_log),
        "points": _given(lead),
    }


def _given(lead: SandboxLead) -> int:
    return sum(change.points for change in lead.points_log)


def _differences(who: str, wished: dict[str, Any], shown: dict[str, Any]) -> Iterator[str]:
    wrong = [
        f"{name} {_sorted(shown[name])} instead of {_sorted(value)}"
        for name, value in wished.items()
        if shown[name] != value
    ]
    if wrong:
        yield f"{who}: {'; '.join(wrong)}"


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _repeated(lead: SandboxLead) -> Counter[str]:
    """Executions of once-only commands beyond the first. Points have no first: what they add up to counts."""
    once = Counter(
        [
            *(f"sequence {name} at {step}" for name, step in lead.sequence_starts),
            *(f"{command} {calendar}: {name}" for command, calendar, name in lead.calendar_log),
        ]
    )
    return once - Counter(once.keys())
