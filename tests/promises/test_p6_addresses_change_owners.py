"""P6: addresses that swap, chain or go in circles within one run."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.promises.scenes import Scene, Scenes, Seen, adds_up, run_seen

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: {column: Id}
fields: {email: Email, city: City}
tags: [Imported]
consent: {attested: "terms of 2025"}
guards: {max_failed: 100%}
"""
PEOPLE = {"1": "ann", "2": "bob", "3": "eve", "4": "dan", "5": "zoe"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def rows(**addresses: str) -> list[dict[str, str]]:
    """Everybody with their own address, but for these; a city says whose row it is."""
    people = {**PEOPLE, **{key.lstrip("_"): name for key, name in addresses.items()}}
    return [
        {"Id": key, "Email": f"{name}@example.org", "City": f"City {key}"} for key, name in people.items()
    ]


@dataclass(frozen=True)
class Moves:
    plan: dict[str, int]
    nights: list[Seen]
    reasons: list[str]


def moves(*nights: dict[str, str], theirs: str = "") -> Scene:
    """Everybody is in Kartra under their own address; then these nights, and one without any change."""

    def scene(project: Project, sandbox: Sandbox) -> Moves:
        if theirs:
            sandbox.account.add_lead(f"{theirs}@example.org").date_joined = "2019-01-16 19:30:00"
        project.pipeline(LOAD)
        project.contacts(rows())
        seen = [run_seen(project, sandbox)]
        assert seen[0].leads == {"created": 5}
        project.contacts(rows(**nights[0]))
        plan = project.command("plan", "p.yaml", "--json").json["leads"]
        reasons: list[str] = []
        for night in (*nights, nights[-1]):
            project.contacts(rows(**night))
            seen.append(run_seen(project, sandbox))
            if not reasons:
                told = project.command("rejects", "p.yaml", "--json").json["rejects"]
                reasons = [one["reason"] for one in told]
        return Moves({name: count for name, count in plan.items() if count}, seen[1:], reasons)

    return scene


SCENES.add(moves({"_1": "bob", "_2": "new"}), "one takes what another gives up")
SCENES.add(moves({"_1": "bob", "_2": "eve", "_3": "dan", "_4": "zoe", "_5": "new"}), "a chain of five")
SCENES.add(moves({"_2": "new", "_6": "bob"}), "a new record takes what another gives up")
SCENES.add(moves({"_1": "bob", "_2": "ann", "_3": "new"}), "a swap")
SCENES.add(moves({"_1": "bob", "_2": "eve", "_3": "ann"}), "a circle of three")
SCENES.add(moves({"_1": "bob"}, {"_1": "bob", "_2": "new"}), "given up a night later")
SCENES.add(moves({"_1": "old"}, theirs="old"), "somebody from before")
CHAINS = ("one takes what another gives up", "a chain of five", "a new record takes what another gives up")


def owners(seen: Seen) -> dict[str, str]:
    """By address the row whose lead has it."""
    return {
        email.partition("@")[0]: str(lead["fields"].get("city", "")).removeprefix("City ")
        for email, lead in seen.held.items()
    }


@pytest.mark.parametrize("name", CHAINS)
def test_p6_a_chain_of_addresses_goes_from_its_free_end_in_one_run(scenes: Scenes, name: str) -> None:
    seen: Moves = scenes[name]
    first, again = seen.nights
    assert (first.result.code, first.result.json["status"]) == (0, "succeeded")
    assert first.result.json["calls"]["read_back"] == 0
    assert again.calls == []
    assert adds_up(first.result)


def test_p6_in_a_chain_everybody_has_the_address_of_their_row(scenes: Scenes) -> None:
    assert owners(scenes["a chain of five"].nights[0]) == {
        "bob": "1", "eve": "2", "dan": "3", "zoe": "4", "new": "5",
    }  # fmt: skip
    assert owners(scenes["one takes what another gives up"].nights[0]) == {
        "bob": "1", "new": "2", "eve": "3", "dan": "4", "zoe": "5",
    }  # fmt: skip
    assert owners(scenes["a new record takes what another gives up"].nights[0]) == {
        "ann": "1", "new": "2", "eve": "3", "dan": "4", "zoe": "5", "bob": "6",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "count", "edited"), [("a swap", 2, 1), ("a circle of three", 3, 0)])
def test_p5_a_circle_of_addresses_is_told_before_anything_of_it_is_sent(
    scenes: Scenes, name: str, count: int, edited: int
) -> None:
    seen: Moves = scenes[name]
    first, again = seen.nights
    assert seen.plan.get("parked") == first.leads["parked"] == count
    assert first.leads.get("edited", 0) == edited
    assert len(first.calls) == edited
    assert again.calls == []
    told = "2, 3" if count == 2 else "2, 3, 4"  # the header is the first row
    assert len(seen.reasons) == count
    assert all(reason.startswith(f"the rows {told} exchange their addresses") for reason in seen.reasons)
    assert adds_up(first.result)


def test_p6_a_refused_address_is_sent_again_once_the_lead_that_had_it_has_another(scenes: Scenes) -> None:
    seen: Moves = scenes["given up a night later"]
    refused, given_up, after = seen.nights
    assert refused.leads == {"rejected": 1, "unchanged": 4}
    assert given_up.result.code in (0, 3)
    assert owners(after) == {"bob": "1", "new": "2", "eve": "3", "dan": "4", "zoe": "5"}
    assert after.result.code == 0


def test_p6_a_refused_address_is_told_with_the_lead_that_has_it(scenes: Scenes) -> None:
    seen: Moves = scenes["given up a night later"]
    assert seen.reasons[0].startswith(
        "the new address b***@e***.org belongs to the lead of another record (number "
    )
    theirs: Moves = scenes["somebody from before"]
    assert theirs.reasons[0].startswith(
        "the new address o***@e***.org belongs to a lead that Kartra had before (number "
    )
    assert theirs.nights[1].calls == []
