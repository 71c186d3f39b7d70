"""What a life is to be: drawn from a seed, as a value, so that a smaller one can be tried in its place."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.simulate.network import FATES, RARE

LIMITED = {"a firewall answers 403", "a proxy answers 407"}
"""What refuses a row in two runs makes a reject of it: those do not last."""


@dataclass(frozen=True)
class Day:
    """One run, or two at once, with what happens before it and to it."""

    edits: bool = True
    hands: int = 0
    """How many things people do in the account before it."""
    hands_meanwhile: int = 0
    weather: tuple[tuple[str, float], ...] = ()
    spares_reads: bool = False
    """Whether the weather is that of writes alone."""
    jitter_s: float = 0.0
    kill_at: int | None = None
    kill_point: str | None = None
    stop_after_s: float | None = None
    pause: tuple[float, float] | None = None
    """After so many seconds, for so many."""
    second_after_s: float | None = None
    """Another process begins the same so much later."""
    neighbour: bool = False
    """A program of another host uses the same App meanwhile."""
    jump_s: float = 0.0
    """Of this host's clock, meanwhile."""
    replaced_after_s: float | None = None
    """Meanwhile a copy takes the place of the state."""
    gap_s: float = 3600.0
    """Before it."""
    verb: str = ""
    """What is played instead of a plain run, and then a plain run: see `tests/simulate/verbs.py`."""
    before: str = ""
    """back up, restore, rotate the key, rename the pipeline, go live."""


@dataclass(frozen=True)
class Plan:
    """One life. Parts of it draw from seeds of their own, so that one can be left out without the others."""

    seed: int
    kind: str = "load"
    """load, or money: refunds and points by hand of operations."""
    leads: int = 20
    known_before: int = 0
    by_number: bool = False
    scoring: bool = False
    booking: bool = False
    removing: bool = True
    test_mode: bool = False
    locks: bool = True
    """Whether the file system keeps locks."""
    ahead_s: float = 0.0
    drift: float = 0.0
    server_ahead_s: float = 0.0
    calls_per_second: int = 20
    pulling: bool = False
    """Whether each run pulls tables, too."""
    leaving: bool = False
    """Whether who has left a list often goes from the source as well."""
    theme: str = ""
    """What it is about: see `tests/simulate/themes.py`."""
    options: tuple[tuple[str, Any], ...] = ()
    days: tuple[Day, ...] = field(default_factory=tuple)

    def chance(self, part: str) -> Random:
        return Random(f"{self.seed}:{part}")

    @property
    def has_wrong_clock(self) -> bool:
        """Whether whose creation a lead was may be told wrongly: what the lead got with it then stays."""
        off_s = max(abs(self.ahead_s - self.server_ahead_s), *(abs(day.jump_s) for day in self.days))
        return off_s > 200


def plain_plan(seed: int) -> Plan:
    """The life of a seed, as long as it has no theme."""
    chance = Random(f"{seed}:plan")
    days = tuple(_day(chance, number) for number in range(chance.choice((3, 4, 5, 6))))
    locks = chance.random() < 0.8
    if not locks:
        days = tuple(_taken_over(chance, day) for day in days)
    test_mode = chance.random() < 0.15
    if test_mode and chance.random() < 0.5:
        place = chance.randrange(1, len(days))
        days = (*days[:place], replace(days[place], before="go live"), *days[place + 1 :])
    days = _rarely_met(chance, days)
    pulling = chance.random() < 0.1
    days = tuple(_by_a_verb(chance, day) for day in days)
    return Plan(
        seed,
        kind="money" if chance.random() < 0.25 else "load",
        leads=chance.randint(20, 28),
        known_before=chance.choice((0, 0, 2, 5)),
        by_number=chance.random() < 0.5,
        scoring=chance.random() < 0.6,
        booking=chance.random() < 0.15,
        removing=chance.random() < 0.7,
        test_mode=test_mode,
        locks=locks,
        ahead_s=chance.choice((0.0, 0.0, 0.0, 90.0, -200.0, 700.0, -4000.0, 34_560_000.0)),
        drift=chance.choice((0.0, 0.0, 1e-4, -1e-4)),
        server_ahead_s=chance.choice((0.0, 0.0, 0.0, 5.0, -310.0, 600.0)),
        calls_per_second=chance.choice((20, 20, 20, 20, 7)),
        pulling=pulling,
        options=tuple(_options(chance).items()),
        days=days,
    )


def _options(chance: Random) -> dict[str, Any]:
    return {
        "chain_errors": chance.choice(("flat", "nested")),
        "wording": chance.choice(("current", "older")),
        "lone_actions": chance.choice(("actions", "actions", "flat", "fragment")),
        "integer_types": chance.random() < 0.3,
        "effect_delay_s": chance.choice((0.0, 0.0, 0.8, 2.5)),
        "php_lists": chance.random() < 0.2,
        "unsubscribe_type": chance.choice(("101", "102")),
        "transaction_extras": chance.random() < 0.85,
    }


def _day(chance: Random, number: int) -> Day:
    day = Day(
        edits=number > 0,
        hands=chance.choice((0, 1, 3)) if number else 0,
        hands_meanwhile=chance.choice((0, 0, 0, 2)),
        weather=_weather(chance),
        jitter_s=chance.choice((0.0, 0.0, 0.03, 0.1, 1.0)),
        gap_s=chance.choice((1.0, 3.0, 20.0, 3600.0, 86_400.0)),
    )
    what = chance.random()
    if what < 0.45:
        day = replace(day, kill_at=chance.choice((chance.randint(1, 40), chance.randint(1, 260))))
        if chance.random() < 0.3:
            day = replace(day, kill_point=chance.choice(POINTS))
    elif what < 0.52:
        day = replace(day, stop_after_s=chance.uniform(0.1, 12.0))
    elif what < 0.60:
        day = replace(day, pause=(chance.uniform(0.1, 6.0), chance.choice((3.0, 45.0, 150.0, 4000.0))))
    if chance.random() < 0.15:
        day = replace(day, second_after_s=chance.choice((0.0, 0.3, 2.0, 130.0, 200.0)))
    if chance.random() < 0.1:
        day = replace(day, neighbour=True)
    if chance.random() < 0.12:
        day = replace(day, jump_s=chance.choice((-7200.0, -400.0, 400.0, 7200.0, 34_560_000.0)))
    if number and chance.random() < 0.15:
        day = replace(
            day,
            before=chance.choice(
                ("back up", "restore", "rotate the key", "rename", "respell", "change the key")
            ),
        )
    return day


def _rarely_met(chance: Random, days: tuple[Day, ...]) -> tuple[Day, ...]:
    """What single days would hardly ever make: it takes two of them."""
    first, second, *rest = days
    what = chance.random()
    if what < 0.04:  # nothing but calls without an outcome tells whose account it is
        first = replace(first, kill_at=chance.randint(50, 70), kill_point=None)
        second = replace(second, before="rotate the key", gap_s=chance.choice((1.0, 3600.0)))
    elif what < 0.08:  # the same rows are refused on their way in run after run
        barred = (("a firewall answers 403", 0.5),)
        first = replace(first, weather=barred, kill_at=None)
        second = replace(second, weather=barred, kill_at=None, edits=False)
    return (first, second, *rest)


def _by_a_verb(chance: Random, day: Day) -> Day:
    """Now and then something else than a plain run."""
    return replace(day, verb=chance.choice(VERBS)) if chance.random() < 0.15 else day


def _taken_over(chance: Random, day: Day) -> Day:
    """Without locks a run that is stopped for long loses its lease to the next one, and then goes on."""
    if chance.random() < 0.25:
        day = replace(
            day, kill_at=None, pause=(chance.uniform(0.05, 2.0), chance.choice((140.0, 150.0, 300.0)))
        )
    if day.pause is not None and day.pause[1] > 130:
        day = replace(day, second_after_s=day.pause[0] + chance.uniform(121, 135))
    return day


VERBS = ("canary", "some", "apply", "apply", "apply again", "undo", "retry")
POINTS = (
    "before a commit",
    "after a commit",
    "a permit was given",
    "before a call leaves",
    "after a call left",
    "an answer came",
    "answers are taken up",
)


def _weather(chance: Random) -> tuple[tuple[str, float], ...]:
    if chance.random() < 0.3:
        return ()
    count = chance.choice((1, 2, 4))
    share = chance.choice((0.02, 0.05, 0.1, 0.25)) / count
    return tuple((fate, share) for fate in chance.sample([one for one in FATES if one not in RARE], count))
