"""Charts as numbers between 0 and 100: where each bar stands and how long it is. A template draws the SVG.

A chart over time has a place for each period between the first and the last: a month without a sale is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

FEWEST_PERIODS = 12
"""Places of a chart at least: one month of sales is no wall."""
MOST_PERIODS = 60
"""Places of a chart. A date far away would need more: then only periods with a value have one."""
_WIDTH = 0.8  # of the place of a bar


@dataclass(frozen=True, slots=True)
class Value:
    """Of a month (2025-01), or of a week by its Monday: as a report has it, and as a person reads it."""

    period: str
    figure: str
    text: str

    @property
    def number(self) -> Decimal:
        return Decimal(self.figure)


@dataclass(frozen=True, slots=True)
class Bar:
    """One value. All but `title` is in per cent of the chart, from its upper left."""

    x: float
    y: float
    width: float
    height: float
    title: str
    is_against: bool
    """Whether it goes against the others: below zero, or what was lost."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over time. `high` and `low` are the ends of the scale, `low` empty where it is 0."""

    title: str
    high: str
    low: str
    zero: float
    first: str
    last: str
    bars: tuple[Bar, ...]


def chart(title: str, gained: Sequence[Value], lost: Sequence[Value] = ()) -> Chart | None:
    """Of what was gained, up, and what was lost, down from the same line. None where all is 0."""
    if not any(value.number for value in (*gained, *lost)):
        return None
    periods = _periods(sorted({value.period for value in (*gained, *lost)}))
    up = [(value, value.number) for value in gained]
    down = [(value, -value.number) for value in lost]
    high = max((number for _, number in (*up, *down)), default=Decimal(0))
    low = min((number for _, number in (*up, *down)), default=Decimal(0))
    high, low = max(high, Decimal(0)), min(low, Decimal(0))
    span = (high - low) or Decimal(1)
    place = {period: number for number, period in enumerate(periods)}
    each = 100 / len(periods)
    bars = tuple(
        Bar(
            x=each * (place[value.period] + (1 - _WIDTH) / 2),
            y=float(100 * (high - max(number, Decimal(0))) / span),
            width=each * _WIDTH,
            height=float(100 * abs(number) / span),
            title=f"{value.period}: {value.text}",
            is_against=number < 0,
        )
        for value, number in (*up, *down)
    )
    # The scale is labelled in the report's own words: a figure made here could be rounded differently.
    ends = {number: value.text for value, number in (*up, *down)}
    return Chart(
        title=title,
        high=ends.get(high, "0"),
        low=ends[low] if low else "",
        zero=float(100 * high / span),
        first=periods[0],
        last=periods[-1],
        bars=bars,
    )


def _periods(found: list[str]) -> list[str]:
    # From the end, so that a date far away costs no more steps than the chart has places.
    every = [found[-1]]
    while every[0] > found[0] and len(every) <= MOST_PERIODS:
        every.insert(0, _before(every[0]))
    if every[0] != found[0]:
        return found
    while len(every) < FEWEST_PERIODS:
        every.insert(0, _before(every[0]))
    return every


def _before(period: str) -> str:
    """The month before, or the Monday before."""
    if len(period) == len("2025-01"):
        year, month = int(period[:4]), int(period[5:])
        return f"{year - (month == 1):04}-{(month - 2) % 12 + 1:02}"
    return (date.fromisoformat(period) - timedelta(days=7)).isoformat()
