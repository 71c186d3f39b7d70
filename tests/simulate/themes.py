"""Lives with a theme: what takes several things in a row, and would hardly ever come about by chance.

One life in five has one. Each is a situation that a fault of `tests/mutations` needs to be seen.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.simulate.plan import Day, Plan, plain_plan

SHARE = 0.2


def plan_of(seed: int, theme: str = "") -> Plan:
    """The life of a seed: one in five has a theme by chance, unless one is asked for."""
    plan, chance = plain_plan(seed), Random(f"{seed}:theme")
    by_chance = chance.choice(list(THEMES)) if chance.random() < SHARE else ""
    theme = theme or by_chance
    return replace(THEMES[theme](plan, chance), theme=theme) if theme else plan


def _on_time(plan: Plan) -> Plan:
    """Clocks are right, so that everything can be told."""
    days = tuple(replace(day, jump_s=0.0) for day in plan.days)
    return replace(plan, ahead_s=0.0, drift=0.0, server_ahead_s=0.0, days=days)


def _with(plan: Plan, *first: Day) -> Plan:
    """Those days first, and then the others of the plan."""
    return replace(plan, days=(*first, *plan.days[len(first) :]))


def _late_calls_of_the_dead(plan: Plan, chance: Random) -> Plan:
    """Killed with calls on their way that arrive when its successor is at work."""
    # A refund leaves after many reads.
    kill_at = chance.randint(200, 600) if plan.kind == "money" else chance.randint(30, 160)
    late = Day(edits=False, weather=(("late on the way", 0.5),), spares_reads=True, kill_at=kill_at)
    soon = Day(edits=False, gap_s=chance.choice((1.0, 3.0)))
    return replace(_with(plan, late, soon), scoring=True)


def _creations_after_any_look(plan: Plan, chance: Random) -> Plan:
    """A creation arrives when its sender has looked for it for the last time."""
    late = Day(edits=False, weather=(("a creation after the last look", 0.5),))
    plan = _with(_on_time(plan), late, Day(gap_s=3600.0))
    return replace(plan, kind="load", scoring=True, removing=True, test_mode=False)


def _unanswered_about_strangers(plan: Plan, chance: Random) -> Plan:
    """Answers are lost to calls for leads that Kartra had before us."""
    lost = Day(edits=False, weather=(("cut after the effect", 0.3), ("silence", 0.1)))
    plan = _with(_on_time(plan), lost, Day(), Day())
    return replace(plan, kind="load", known_before=14, removing=True, test_mode=False)


def _leaving_while_unknown(plan: Plan, chance: Random) -> Plan:
    """People leave lists after a run has died and before the next one looks what became of its calls."""
    killed = Day(edits=False, weather=(("silence", 0.3),), kill_at=chance.randint(150, 300))
    plan = _with(_on_time(plan), killed, Day(edits=False, hands=8, gap_s=86_400.0))
    return replace(plan, kind="load", test_mode=False)


def _leaving_going_and_coming_back(plan: Plan, chance: Random) -> Plan:
    """Who has left a list goes from the source, and comes back."""
    plan = _with(_on_time(plan), Day(edits=False), Day(hands=8), Day(hands=3), Day(), Day())
    return replace(plan, kind="load", removing=True, leaving=True, test_mode=False)


def _long_without_locks(plan: Plan, chance: Random) -> Plan:
    """A run goes on for minutes where nothing but its heartbeat says that it is alive, and another begins."""
    second = chance.choice((None, chance.uniform(125.0, 180.0)))
    slow = Day(edits=False, weather=(("silence", 0.1),), second_after_s=second)
    return replace(_with(_on_time(plan), slow, Day()), locks=False, calls_per_second=1)


def _open_calls_alone_know(plan: Plan, chance: Random) -> Plan:
    """Only calls without an outcome are known when the key is renewed, and then the pipeline."""
    killed = Day(edits=False, kill_at=chance.randint(40, 75))
    renewed = Day(edits=False, gap_s=chance.choice((1.0, 20.0)), before="rotate the key")
    plan = _with(plan, killed, renewed, Day(gap_s=3.0, before="rename"))
    return replace(plan, scoring=True, test_mode=False)


def _state_taken_away(plan: Plan, chance: Random) -> Plan:
    """While a run goes on, a copy takes the place of its state."""
    replaced = Day(edits=False, replaced_after_s=chance.uniform(0.3, 2.0), jitter_s=0.1)
    return replace(_with(plan, replaced), pulling=False)


def _stopped_early(plan: Plan, chance: Random) -> Plan:
    """A person stops a run while most of what it has planned is not sent."""
    stopped = Day(edits=False, stop_after_s=chance.uniform(0.2, 1.0))
    return replace(_with(plan, stopped), kind="load")


THEMES: dict[str, Callable[[Plan, Random], Plan]] = {
    "late calls of the dead": _late_calls_of_the_dead,
    "creations after any look": _creations_after_any_look,
    "unanswered about strangers": _unanswered_about_strangers,
    "leaving while unknown": _leaving_while_unknown,
    "leaving, going, coming back": _leaving_going_and_coming_back,
    "long without locks": _long_without_locks,
    "open calls alone know": _open_calls_alone_know,
    "the state is taken away": _state_taken_away,
    "stopped early": _stopped_early,
}
