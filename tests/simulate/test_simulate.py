"""The simulation, a few seconds of it, and the lives that once failed.

`python -m tests.simulate` plays as many as wished; CI plays a minute of new seeds.
"""

import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.simulate.found import FOUND
from tests.simulate.hub import Hub
from tests.simulate.life import live
from tests.simulate.network import FATES
from tests.simulate.plan import Plan
from tests.simulate.scenes import SCENES, table
from tests.simulate.shrink import kind_of, shrunk
from tests.simulate.situations import SITUATIONS, never_met
from tests.simulate.themes import THEMES, plan_of

LIVES = 4
ROOT = Path(__file__).parents[2]


def test_nothing_is_violated_in_lives_of_any_kind() -> None:
    lived = [live(plan_of(seed)) for seed in range(LIVES)]
    assert [one.violations for one in lived] == [[]] * LIVES
    assert sum(one.runs for one in lived) > 4 * LIVES
    assert sum(one.kills for one in lived) > 0
    assert sum(one.faults for one in lived) > 0


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_is_violated_in_lives_with_a_theme(theme: str) -> None:
    lived = live(plan_of(0, theme))
    assert lived.violations == []
    assert lived.met[f"theme: {theme}"] == 1


def test_one_life_in_fifty_or_so_has_each_theme() -> None:
    drawn = Counter(plan_of(seed).theme for seed in range(5_000))
    assert set(drawn) == {"", *THEMES}
    assert min(drawn.values()) > 60


@pytest.mark.parametrize("name", FOUND)
def test_what_a_life_once_found_stays_mended(name: str) -> None:
    assert live(FOUND[name]).violations == []


@pytest.mark.full(only=["5"])
@pytest.mark.parametrize("seed", [3, 5])
def test_a_seed_plays_the_same_life_again(seed: int) -> None:
    one, other = live(plan_of(seed), trace=True), live(plan_of(seed), trace=True)
    assert _without_ids(one.trace) == _without_ids(other.trace)


def _without_ids(trace: list[str]) -> list[str]:
    """A run's id ends in something random, and a copy says by this machine's clock when it was made."""
    return [re.sub(r"T\d{6}-[0-9a-f]{6}|made as a copy at [^;)]*", "", line) for line in trace]


def test_a_failing_life_is_made_smaller_and_goes_on_failing() -> None:
    def fails(plan: Plan) -> str | None:
        return (
            "lead1@example.org: lost" if plan.leads >= 3 and any(day.kill_at for day in plan.days) else None
        )

    plan = next(plan for plan in map(plan_of, range(100)) if fails(plan) and len(plan.days) > 3)
    small = shrunk(plan, fails)
    assert (small.leads, len(small.days), small.options) == (3, 1, ())
    assert kind_of("lead1@example.org: 3 points") == kind_of("lead22@example.org: 14 points")


def test_what_is_at_once_happens_in_the_order_of_the_seed() -> None:
    def order(seed: int) -> list[int]:
        hub, seen = Hub(Random(seed)), list[int]()
        for number in range(6):
            hub.after(1.0, lambda number=number: seen.append(number))
        hub.run()
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_every_situation_has_one_name() -> None:
    assert len(set(SITUATIONS)) == len(SITUATIONS)
    assert {f"fate: {fate}" for fate in FATES} <= set(SITUATIONS)
    assert next(never_met(live(plan_of(0)).met)) in SITUATIONS


def test_every_scene_is_met_by_situations_or_says_why_not_and_has_its_test() -> None:
    assert len(SCENES) == 48
    for scene in SCENES.values():
        assert bool(scene.met_by) != bool(scene.why_not)
        assert set(scene.met_by) <= set(SITUATIONS)
        assert (ROOT / scene.held_by).is_file()


def test_the_table_of_scenes_stands_in_the_record() -> None:
    assert table() in (ROOT / "tests" / "campaigns" / "README.md").read_text(encoding="utf-8")
