"""A life that fails is made smaller as long as it goes on failing in the same way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulate.plan import Day, Plan

NOTHING = Day()


def kind_of(violation: str) -> str:
    """What is the same in two failures: the words, not who it is about."""
    return re.sub(r"\d+", "#", re.sub(r"\S+@\S+|'[^']*'|\[[^\]]*\]", "…", violation))[:60]


def shrunk(plan: Plan, fails: Callable[[Plan], str | None], *, tries: int = 150) -> Plan:
    """The smallest plan found that fails as this one does; `fails` gives the first violation of a plan."""
    first = fails(plan)
    if first is None:
        return plan
    kind, left = kind_of(first), tries
    smaller = True
    while smaller and left > 0:
        smaller = False
        for candidate in _smaller(plan):
            left -= 1
            found = fails(candidate)
            if found is not None and kind_of(found) == kind:
                plan, smaller = candidate, True
                break
            if left <= 0:
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Fewer days, fewer leads, less that goes wrong."""
    for place in range(len(plan.days)):
        if len(plan.days) > 1:
            yield replace(plan, days=plan.days[:place] + plan.days[place + 1 :])
    for leads in (1, 2, 3, 5, 10):
        if leads < plan.leads:
            yield replace(plan, leads=leads, known_before=min(leads, plan.known_before))
    plain = Plan(plan.seed)
    for name in (
        "known_before",
        "scoring",
        "booking",
        "test_mode",
        "pulling",
        "leaving",
        "ahead_s",
        "drift",
        "server_ahead_s",
    ):
        if getattr(plan, name) != getattr(plain, name):
            yield replace(plan, **{name: getattr(plain, name)})
    if plan.options:
        yield replace(plan, options=())
        for option in plan.options:
            yield replace(plan, options=tuple(one for one in plan.options if one != option))
    for place, day in enumerate(plan.days):
        for simpler in _simpler(day):
            yield replace(plan, days=(*plan.days[:place], simpler, *plan.days[place + 1 :]))


def _simpler(day: Day) -> Iterator[Day]:
    for name in (
        *("hands", "hands_meanwhile", "weather", "jitter_s", "kill_at", "stop_after_s", "pause"),
        *("second_after_s", "neighbour", "jump_s", "before", "edits", "verb", "replaced_after_s"),
    ):
        plain = False if name == "edits" else getattr(NOTHING, name)
        if getattr(day, name) != plain:
            yield replace(day, **{name: plain})
    for fate in day.weather if len(day.weather) > 1 else ():
        yield replace(day, weather=(fate,))
