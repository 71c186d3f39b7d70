"""The page of a run: what came in, what was sent, who did not get through and why, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pages.template import page

REFUSED_SHOWN = 500
"""Rows of a page; the rest is counted, and the verb `rejects` writes all of them."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number, what it counts, and its share of the largest beside it, in per cent."""

    words: str
    number: int
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class NotSent:
    """One who did not get through. `who` is masked unless a person asked for it."""

    row: int | None
    who: str
    outcome: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did, as a page or a screen shows it. Times are UTC, without their fractions."""

    pipeline: str
    account: str
    mode: str
    run_id: str
    status: str
    message: str
    began: str
    ended: str
    seconds: float
    read: int
    rows: tuple[Count, ...]
    """What became of every record that was read: together they are `read`, or the run has failed."""
    sent: tuple[Count, ...]
    """What was given, taken and changed, by names."""
    calls: tuple[Count, ...]
    reasons: tuple[Count, ...]
    """Why records and leads did not get through."""
    not_sent: tuple[NotSent, ...]
    """At most REFUSED_SHOWN of them, in the order in which they are kept."""
    not_sent_count: int
    next_steps: tuple[str, ...]

    @property
    def accounted(self) -> int:
        return sum(count.number for count in self.rows)

    @property
    def read_in_words(self) -> str:
        ends = "" if self.accounted == self.read else ": the numbers do not add up, please report it"
        return f"of {self.read:,} read{ends}"


def with_shares(counts: Sequence[tuple[str, int]]) -> tuple[Count, ...]:
    """The counts that are not 0, each with how long its bar is."""
    most = max((number for _, number in counts), default=0)
    return tuple(Count(words, number, 100 * number / most) for words, number in counts if number)


def run_page(report: RunReport) -> str:
    return page("run_page.html", report=report)
