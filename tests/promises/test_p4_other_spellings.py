"""P4, P1: a name that a profile shows in other letters or with other blanks is the same name, unless the
account lists both: who left the list stays off it, and nothing is given twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox, SequenceEntry
from connectors.kartra.sandbox.account import SandboxLead
from tests.conftest import Project
from tests.promises.scenes import Scene, Scenes, Seen, run_seen
from tests.pull.reshaped import Between, in_profiles
from tests.state.places import beside

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
sequences: [{name: Onboarding, step: "1"}]
on_removed: [untag, unsubscribe]
consent: {attested: "sign-up form"}
guards: {max_removed: 100%}
"""
ANN = "ann@example.org"
ROW = {"Email": ANN, "City": "Lyon", "Tags": "VIP", "Lists": "News"}
OTHER = {"Email": "bob@example.org", "City": "Lyon", "Tags": "", "Lists": ""}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "other letters": str.swapcase,
    "other blanks": lambda name: f" {name} ",
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def spelled(how: str) -> Any:
    """Profiles with all names so."""

    def change(details: dict[str, Any]) -> None:
        for part, key in (("tags", "tag_name"), ("lists", "list_name"), ("sequences", "sequence_name")):
            for row in details[part]:
                row[key] = SPELLINGS[how](row[key])

    return in_profiles(change)


def ann(sandbox: Sandbox) -> SandboxLead:
    found = sandbox.account.lead(ANN)
    assert found is not None
    return found


def nights(project: Project, sandbox: Sandbox, *rows: list[dict[str, str]]) -> list[Seen]:
    seen = []
    for night in rows:
        project.contacts(night)
        seen.append(run_seen(project, sandbox))
    return seen


def long_settled(project: Project) -> None:
    beside(project.place)("UPDATE leads SET changed_at = '2026-01-01T00:00:00+00:00'")


def left_while_away(how: str) -> Scene:
    """Ann leaves the list; her row is away for a night, and comes back."""

    def scene(project: Project, sandbox: Sandbox) -> list[Seen]:
        project.pipeline(LOAD, kartra="settle_s: 1")
        with Between(project, sandbox) as between, between.shape(spelled(how)):
            first = nights(project, sandbox, [ROW, OTHER])
            with sandbox.lock:
                ann(sandbox).lists["News"] = False
            return first + nights(project, sandbox, [OTHER], [ROW, OTHER], [ROW, OTHER])

    return scene


def lost_creation(how: str) -> Scene:
    def scene(project: Project, sandbox: Sandbox) -> list[Seen]:
        project.pipeline(LOAD, kartra="settle_s: 1")
        with Between(project, sandbox) as between, between.shape(spelled(how)):
            sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
            first = nights(project, sandbox, [ROW, OTHER])
            sandbox.set_faults(Faults())
            return first + nights(project, sandbox, [ROW, OTHER])

    return scene


def before_us(how: str) -> Scene:
    """Kartra had Ann before us: in the sequence, and off the list."""

    def scene(project: Project, sandbox: Sandbox) -> list[Seen]:
        project.pipeline(LOAD, kartra="settle_s: 1")
        with sandbox.lock:
            lead = sandbox.account.add_lead(ANN)
            lead.lists["News"] = False
            lead.sequences["Onboarding"] = SequenceEntry("1")
            lead.sequence_starts.append(("Onboarding", "1"))
        with Between(project, sandbox) as between, between.shape(spelled(how)):
            return nights(project, sandbox, [ROW, OTHER], [{**ROW, "City": "Oslo"}, OTHER])

    return scene


def no_drift(how: str) -> Scene:
    def scene(project: Project, sandbox: Sandbox) -> Any:
        project.pipeline(LOAD + "on_drift: restore\n", kartra="settle_s: 1")
        with Between(project, sandbox) as between, between.shape(spelled(how)):
            first = nights(project, sandbox, [ROW, OTHER])
            long_settled(project)
            found = project.command("drift", "p.yaml", "--json").json
            undone = project.command("undo", "p.yaml", "last", "--plan-only", "--json")
            return found, undone, first + nights(project, sandbox, [ROW, OTHER])

    return scene


for _how in SPELLINGS:
    SCENES.add(left_while_away(_how), f"left, {_how}")
    SCENES.add(lost_creation(_how), f"lost, {_how}")
    SCENES.add(before_us(_how), f"before us, {_how}")
    SCENES.add(no_drift(_how), f"drift, {_how}")


@SCENES.add
def two_lists(project: Project, sandbox: Sandbox) -> list[Seen]:
    """The account has both spellings: Ann, from before us, has left one and is wished on the other."""
    project.pipeline(LOAD, kartra="settle_s: 1")
    with sandbox.lock:
        sandbox.account.lists.append("NEWS")
        ann_before = sandbox.account.add_lead(ANN)
        ann_before.lists["NEWS"] = False
    return nights(project, sandbox, [ROW, OTHER], [ROW, OTHER])


@SCENES.add
def renamed(project: Project, sandbox: Sandbox) -> list[Seen]:
    """Ann has left the list, as a look has shown; then it is spelled otherwise, here and in Kartra."""
    project.pipeline(LOAD, kartra="settle_s: 1")
    first = nights(project, sandbox, [ROW, OTHER])
    long_settled(project)
    with sandbox.lock:
        ann(sandbox).lists["News"] = False
    assert project.command("drift", "p.yaml").code == 0
    with sandbox.lock:
        sandbox.account.lists[sandbox.account.lists.index("News")] = "news"
        ann(sandbox).lists = {"news": False}
    row = {**ROW, "Lists": "news", "City": "Oslo"}
    return first + nights(project, sandbox, [row, OTHER], [{**row, "City": "Rome"}, OTHER])


@pytest.mark.parametrize("how", SPELLINGS)
def test_p4_who_left_a_list_that_is_shown_otherwise_is_not_put_back(scenes: Scenes, how: str) -> None:
    seen: list[Seen] = scenes[f"left, {how}"]
    assert [night.result.code for night in seen] == [0, 0, 0, 0]
    assert [night.held[ANN]["lists"] for night in seen[1:]] == [{"News": False}] * 3
    assert seen[-1].calls == []


@pytest.mark.parametrize("how", SPELLINGS)
def test_p1_a_creation_whose_names_are_shown_otherwise_has_landed(scenes: Scenes, how: str) -> None:
    first, second = scenes[f"lost, {how}"]
    assert (first.result.code, second.result.code) == (0, 0)
    assert (second.calls, second.held[ANN]["starts"]) == ([], [("Onboarding", "1")])
    assert [call.commands for call in first.calls if "assign_tag" in call.commands and not call.fault] == []


@pytest.mark.parametrize("how", SPELLINGS)
def test_p4_what_a_lead_from_before_us_has_left_or_begun_is_not_given_again(scenes: Scenes, how: str) -> None:
    for night in scenes[f"before us, {how}"]:
        assert night.result.code == 0
        assert night.held[ANN]["lists"] == {"News": False}
        assert night.held[ANN]["starts"] == [("Onboarding", "1")]
        assert night.held[ANN]["tags"] == {"VIP"}


@pytest.mark.parametrize("how", SPELLINGS)
def test_a_name_that_is_shown_otherwise_is_no_drift_and_can_be_taken_back(scenes: Scenes, how: str) -> None:
    found, undone, seen = scenes[f"drift, {how}"]
    assert (found["looked_at"], found["leads"]) == (2, 0)
    assert undone.code == 0, undone.stderr
    assert seen[-1].calls == []


def test_p4_two_lists_of_an_account_are_two_however_alike_their_names(scenes: Scenes) -> None:
    first, second = scenes["two_lists"]
    assert first.held[ANN]["lists"] == {"NEWS": False, "News": True}
    assert second.calls == []


def test_p4_who_left_a_list_stays_off_it_when_it_is_spelled_otherwise(scenes: Scenes) -> None:
    _, *later = scenes["renamed"]
    for night, city in zip(later, ("Oslo", "Rome"), strict=True):
        assert night.result.code == 0, night.result.stderr
        assert night.held[ANN]["fields"] == {"city": city}
        assert night.held[ANN]["lists"] == {"news": False}
