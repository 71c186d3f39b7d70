"""P6: a row that something in front of Kartra refuses, night after night."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import Project
from tests.promises.scenes import Scene, Scenes, Seen, adds_up, run_seen

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
consent: {attested: "terms of 2025"}
"""
CREATIONS = frozenset({"create_lead"})
CITIES = ("Lyon", "Leeds", "Oslo", "Rome", "Bern")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


@dataclass(frozen=True)
class Nights:
    seen: list[Seen]
    reasons: list[str]
    """Of the second night."""


def nights(count: int, *, with_others: bool, barred: int = 1) -> Scene:
    """Known leads change each night, or not; new ones are refused by a firewall."""

    def scene(project: Project, sandbox: Sandbox) -> Nights:
        project.pipeline(LOAD, kartra="settle_s: 1")
        known = [{"Email": f"known{number}@example.org", "City": CITIES[0]} for number in range(3)]
        new = [{"Email": f"new{number}@example.org", "City": "O'; DROP"} for number in range(barred)]
        project.contacts(known)
        assert project.run().code == 0
        sandbox.set_faults(Faults(firewall=1.0, commands=CREATIONS))
        seen = []
        reasons: list[str] = []
        for night in range(count):
            city = CITIES[night + 1] if with_others else CITIES[0]
            project.contacts([*({**row, "City": city} for row in known), *new])
            seen.append(run_seen(project, sandbox))
            if night == 1:
                told = project.command("rejects", "p.yaml", "--json").json["rejects"]
                reasons = [one["reason"] for one in told]
        new[0]["City"] = "O DROP"
        sandbox.set_faults(Faults())
        project.contacts([*({**row, "City": CITIES[0]} for row in known), *new])
        return Nights([*seen, run_seen(project, sandbox)], reasons)

    return scene


SCENES.add(nights(3, with_others=True), "one row among others")
SCENES.add(nights(3, with_others=False), "one row alone")
SCENES.add(nights(3, with_others=False, barred=3), "every row that is sent")


def creations(seen: Seen) -> int:
    return sum("create_lead" in call.commands for call in seen.calls)


@pytest.mark.parametrize("name", ["one row among others", "one row alone"])
def test_p6_what_is_refused_before_kartra_in_two_runs_is_a_refusal_of_that_row(
    scenes: Scenes, name: str
) -> None:
    nights_seen: Nights = scenes[name]
    first, second, third, mended = nights_seen.seen
    assert (first.leads["deferred"], second.leads["rejected"], third.leads["parked"]) == (1, 1, 1)
    assert [creations(seen) for seen in (first, second, third)] == [6, 2, 0]
    assert [seen.result.code for seen in (first, second, third)] == [3, 3, 3]
    assert mended.leads["created"] == 1
    assert all(adds_up(seen.result) for seen in (first, second, third, mended))
    (reason,) = nights_seen.reasons
    assert "403" in reason
    assert reason.endswith("something in front of Kartra refuses this record, in two runs now")


def test_p6_where_no_row_gets_through_none_is_refused(scenes: Scenes) -> None:
    """A firewall that has shut Kartra out altogether says nothing of a row."""
    *blocked, mended = scenes["every row that is sent"].seen
    assert [seen.leads.get("deferred", 0) for seen in blocked] == [3, 3, 3]
    assert mended.leads["created"] == 3
