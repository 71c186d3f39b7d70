"""What a run or a plan counted, and whether it adds up."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

_T = TypeVar("_T")

READ_LEADS = ("unchanged", "created", "edited", "skipped", "rejected", "parked", "deferred")
"""How a record that was read can end as a lead."""
LEADS = ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: leads settled of all, which is None until they are counted, and calls so far."""

    settled: int
    total: int | None
    calls: int


@dataclass(slots=True)
class Timings:
    """Seconds by stage, in the order in which the stages began; those of two chunks overlap."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Whatever happens meanwhile belongs to that stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - started

    def stage_of_each(self, name: str, items: Iterable[_T]) -> Iterator[_T]:
        """The items; what it takes to get at each belongs to that stage."""
        every = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(every)
                except StopIteration:
                    return
            yield item

    def describe(self) -> str:
        """Where the time went, in words."""
        return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.spent.items())


@dataclass(frozen=True, slots=True)
class OperationsSummary:
    """What became of operations, by outcome, and of their money, exact, as text."""

    outcomes: Mapping[str, int]
    refunded: str
    refunded_before: str
    parked: str
    asked_for: str

    def to_json(self) -> dict[str, Any]:
        money = {
            "refunded": self.refunded,
            "refunded_before": self.refunded_before,
            "parked": self.parked,
            "asked_for": self.asked_for,
        }
        return {**self.outcomes, "money": money}


@dataclass(slots=True)
class Counts:
    """The counters of a run. `removed` leads are not read, so they stand outside the sum."""

    read: int = 0
    invalid: int = 0
    duplicate: int = 0
    blocked: int = 0
    not_chosen: int = 0
    """Records that `only` leaves out: they do not belong to this load and do not count as read."""
    not_asked: int = 0
    """Leads that were left for a later run because this one is about others; deferred like any."""
    held_back: Counter[str] = field(default_factory=Counter)
    """Reasons that records state themselves, with how many have each; duplicates are among them."""
    unclear: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(column, word) of statuses that this program does not understand, with how many records have each."""
    leads: Counter[str] = field(default_factory=Counter)
    not_removed: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    throttled: int = 0
    retried: int = 0
    read_back: int = 0
    pulled: Counter[str] = field(default_factory=Counter)
    """Rows per table that a pull read."""

    @property
    def difference(self) -> int:
        """Records read that no counter accounts for; 0 in a run that adds up."""
        accounted = self.invalid + self.duplicate + self.blocked
        return self.read - accounted - sum(self.leads[name] for name in READ_LEADS)

    @property
    def refused(self) -> int:
        """Records and leads that did not get through."""
        return self.invalid + self.not_removed + self.leads["rejected"] + self.leads["parked"]

    def rows_json(self) -> dict[str, int]:
        return {
            "read": self.read,
            "invalid": self.invalid,
            "duplicate": self.duplicate,
            "blocked": self.blocked,
        }

    def leads_json(self) -> dict[str, int]:
        return {name: self.leads[name] for name in LEADS}

    def calls_json(self) -> dict[str, int]:
        return {
            "sent": self.sent,
            "throttled": self.throttled,
            "retried": self.retried,
            "read_back": self.read_back,
        }


@dataclass(slots=True)
class Summary:
    """What a run, a plan or an adoption has to say: its counters, its notes, and where the time went."""

    counts: Counts = field(default_factory=Counts)
    notes: list[str] = field(default_factory=list)
    """What a person should know."""
    operations: OperationsSummary | None = None
    """None for a pipeline without operations."""
    account: Mapping[str, str | None] = field(default_factory=dict)
    """Whose account it is: its `name` for people, and a short `fingerprint`."""
    seconds: float = 0.0
    timings: Timings = field(default_factory=Timings)

    def to_json(self) -> dict[str, Any]:
        """The middle part of `run --json`."""
        counts = self.counts
        return {
            "rows": counts.rows_json(),
            "leads": counts.leads_json(),
            "actions": dict(sorted(counts.actions.items())),
            "calls": counts.calls_json(),
            **({"not_chosen": counts.not_chosen} if counts.not_chosen else {}),
            **({"account": dict(self.account)} if self.account else {}),
            **({"operations": self.operations.to_json()} if self.operations is not None else {}),
            "pulled": dict(counts.pulled),
            "seconds": round(self.seconds, 3),
        }
