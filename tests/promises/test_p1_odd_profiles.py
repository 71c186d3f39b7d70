"""P1, P4: a part of a profile that is missing or cannot be read proves nothing, and nobody pays for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox, SequenceEntry
from tests.conftest import Project
from tests.promises.scenes import Scene, Scenes, adds_up
from tests.pull.reshaped import Between, in_profiles

SCENES = Scenes()
KARTRA = "settle_s: 1"
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
sequences: [{name: Onboarding, step: "1"}]
on_removed: [untag, unsubscribe]
consent: {attested: "sign-up form"}
guards: {max_removed: 100%, max_failed: 100%}
"""
ANN = "ann@example.org"
ROW = {"Email": ANN, "City": "Lyon", "Tags": "VIP", "Lists": "News"}
OTHER = {"Email": "bob@example.org", "City": "Lyon", "Tags": "", "Lists": ""}
MISSING = "missing"
GARBLED = "VIP, News and Onboarding"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def odd(part: str, shape: str) -> Any:
    def change(details: dict[str, Any]) -> None:
        details.pop(part) if shape == MISSING else details.update({part: shape})

    return in_profiles(change)


@dataclass(frozen=True)
class Seen:
    """The leads that each run counted, why not, and what the account then held of Ann."""

    leads: list[dict[str, int]]
    reasons: list[str]
    tags: set[str]
    lists: dict[str, bool]
    starts: int


class Nights:
    """Runs of one project through a server that gives profiles another shape."""

    def __init__(self, project: Project, sandbox: Sandbox, between: Between) -> None:
        self._project, self._sandbox, self._between = project, sandbox, between
        self.leads: list[dict[str, int]] = []
        self.reasons: list[str] = []
        project.pipeline(LOAD, kartra=KARTRA)

    def run(self, *rows: dict[str, str], part: str = "", shape: str = "") -> None:
        self._project.contacts(rows)
        if part:
            with self._between.shape(odd(part, shape)):
                result = self._project.run()
        else:
            result = self._project.run()
        assert adds_up(result), result.stderr
        self.leads.append({name: count for name, count in result.json["leads"].items() if count})
        outcomes = self._project.command("outcomes", "p.yaml", "--json").json["outcomes"]
        self.reasons += [outcome["reason"] for outcome in outcomes if outcome["reason"]]

    def seen(self) -> Seen:
        with self._sandbox.lock:
            ann = self._sandbox.account.lead(ANN)
        assert ann is not None
        starts = len(ann.sequence_starts)
        return Seen(self.leads, self.reasons, set(ann.tags), dict(ann.lists), starts)


def a_lost_creation(part: str, shape: str) -> Scene:
    """The answer to the creation is lost; the profile that would prove what landed lacks a part."""

    def scene(project: Project, sandbox: Sandbox) -> Seen:
        with Between(project, sandbox) as between:
            nights = Nights(project, sandbox, between)
            sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
            nights.run(ROW, part=part, shape=shape)
            sandbox.set_faults(Faults())
            nights.run(ROW)
            return nights.seen()

    return scene


def a_lost_removal(part: str, shape: str) -> Scene:
    """The row has gone; the call that takes back never arrives, and the profile lacks what it took."""

    def scene(project: Project, sandbox: Sandbox) -> Seen:
        with Between(project, sandbox) as between:
            nights = Nights(project, sandbox, between)
            nights.run({**ROW, "Lists": ""}, OTHER)
            faults = Faults(cut_before=1.0, commands=frozenset({"unassign_tag"}))
            sandbox.set_faults(faults)
            nights.run(OTHER, part=part, shape=shape)
            sandbox.set_faults(Faults())
            nights.run(OTHER)
            return nights.seen()

    return scene


def a_list_to_take_back(shape: str) -> Scene:
    """Ann has left the list by herself; her row goes in a night without lists in the profiles, and comes."""

    def scene(project: Project, sandbox: Sandbox) -> Seen:
        with Between(project, sandbox) as between:
            nights = Nights(project, sandbox, between)
            nights.run(ROW, OTHER)
            with sandbox.lock:
                ann = sandbox.account.lead(ANN)
                assert ann is not None
                ann.lists["News"] = False
            nights.run(OTHER, part="lists", shape=shape)
            nights.run(OTHER)
            nights.run(ROW, OTHER)
            return nights.seen()

    return scene


def one_from_before_us(part: str, shape: str) -> Scene:
    """Kartra had Ann before us: in the sequence, and off the list. Her first profile lacks a part."""

    def scene(project: Project, sandbox: Sandbox) -> Seen:
        with sandbox.lock:
            ann = sandbox.account.add_lead(ANN)
            ann.lists["News"] = False
            ann.sequences["Onboarding"] = SequenceEntry("1")
            ann.sequence_starts.append(("Onboarding", "1"))
        with Between(project, sandbox) as between:
            nights = Nights(project, sandbox, between)
            nights.run(ROW, OTHER, part=part, shape=shape)
            nights.run(ROW, OTHER)
            return nights.seen()

    return scene


for _shape in (MISSING, GARBLED):
    SCENES.add(a_lost_creation("sequences", _shape), f"creation, sequences {_shape}")
    SCENES.add(a_lost_removal("tags", _shape), f"removal, tags {_shape}")
    SCENES.add(a_list_to_take_back(_shape), f"list {_shape}")
    for _part in ("lists", "sequences"):
        SCENES.add(one_from_before_us(_part, _shape), f"before us, {_part} {_shape}")


@pytest.mark.parametrize("shape", [MISSING, GARBLED])
def test_p1_a_sequence_that_no_profile_shows_is_not_begun_twice(scenes: Scenes, shape: str) -> None:
    seen: Seen = scenes[f"creation, sequences {shape}"]
    assert seen.starts == 1
    assert seen.leads == [{"parked": 1}, {"parked": 1}]
    assert any("sequences Onboarding" in reason for reason in seen.reasons)
    assert (seen.tags, seen.lists) == ({"VIP"}, {"News": True})


@pytest.mark.parametrize("shape", [MISSING, GARBLED])
def test_p1_what_no_profile_shows_is_not_taken_for_gone(scenes: Scenes, shape: str) -> None:
    seen: Seen = scenes[f"removal, tags {shape}"]
    assert seen.tags == set()


@pytest.mark.parametrize("shape", [MISSING, GARBLED])
def test_p4_a_list_is_taken_back_once_it_shows_whether_its_person_has_left_it(
    scenes: Scenes, shape: str
) -> None:
    seen: Seen = scenes[f"list {shape}"]
    assert any("without its lists" in reason for reason in seen.reasons)
    assert seen.lists == {"News": False}
    assert seen.starts == 1


@pytest.mark.parametrize("shape", [MISSING, GARBLED])
@pytest.mark.parametrize("part", ["lists", "sequences"])
def test_p4_who_was_there_before_us_waits_until_their_profile_can_be_read(
    scenes: Scenes, part: str, shape: str
) -> None:
    seen: Seen = scenes[f"before us, {part} {shape}"]
    assert seen.leads == [{"created": 1, "deferred": 1}, {"edited": 1, "unchanged": 1}]
    assert (seen.starts, seen.lists) == (1, {"News": False})
    assert seen.tags == {"VIP"}
