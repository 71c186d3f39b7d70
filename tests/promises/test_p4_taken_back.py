"""P4: who left a list stays off it, however our own wish for it comes and goes."""

from collections.abc import Iterator

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.promises.scenes import Scene, Scenes, Seen, run_seen

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
unsubscribe: [{column: Leave, split: ";"}]
on_removed: [untag, unsubscribe]
guards: {max_removed: 100%}
consent: {attested: "terms of 2025"}
"""
ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(email: str, **changes: str) -> dict[str, str]:
    return {"Email": email, "City": "Lyon", "Tags": "VIP", "Lists": "News;Customers", "Leave": "", **changes}


def nights(*rows_of: list[dict[str, str]]) -> Scene:
    """Ann and Bob are on both lists; Bob leaves News by a link in a mail; then these nights follow."""

    def scene(project: Project, sandbox: Sandbox) -> list[Seen]:
        project.pipeline(LOAD)
        project.contacts([row(ANN), row(BOB)])
        first = run_seen(project, sandbox)
        with sandbox.lock:
            bob = sandbox.account.lead(BOB)
            assert bob is not None
            bob.lists["News"] = False
        seen = [first]
        for rows in rows_of:
            project.contacts(rows)
            seen.append(run_seen(project, sandbox))
        return seen

    return scene


BOTH = [row(ANN), row(BOB)]
GOING_AND_COMING = {
    "his row goes and comes back": nights([row(ANN)], BOTH),
    "everybody's row goes and comes back": nights([row("eve@example.org")], BOTH),
    "the list leaves his cell and comes back": nights([row(ANN), row(BOB, Lists="Customers")], BOTH),
    "he is to be taken off it, and then not": nights(
        [row(ANN), row(BOB, Lists="Customers", Leave="News")], BOTH
    ),
    "his row goes, comes back, goes and comes back": nights([row(ANN)], BOTH, [row(ANN)], BOTH),
}
for _name, _scene in GOING_AND_COMING.items():
    SCENES.add(_scene, _name)
SCENES.add(nights([row(ANN, City="Oslo"), row(BOB, City="Oslo")]), "nothing is taken back")


def lists_of(seen: Seen, email: str) -> dict[str, bool]:
    return dict(seen.held[email]["lists"])


@pytest.mark.parametrize("name", GOING_AND_COMING)
def test_p4_who_left_a_list_is_not_put_back_when_our_wish_for_it_went_and_came(
    scenes: Scenes, name: str
) -> None:
    *_, last = scenes[name]
    assert lists_of(last, BOB) == {"News": False, "Customers": True}
    assert lists_of(last, ANN) == {"News": True, "Customers": True}
    assert last.result.code == 0


@pytest.mark.parametrize("name", GOING_AND_COMING)
def test_p4_what_he_did_not_leave_is_taken_back_and_given_again(scenes: Scenes, name: str) -> None:
    nights_seen: list[Seen] = scenes[name]
    assert [seen.result.json["status"] for seen in nights_seen] == ["succeeded"] * len(nights_seen)
    assert nights_seen[-1].held[BOB]["tags"] == {"VIP"}


def test_p4_before_a_list_is_taken_back_its_lead_is_looked_at_once(scenes: Scenes) -> None:
    _, away, back = scenes["his row goes and comes back"]
    commands = [call.commands for call in away.calls if "retrieve" not in call.commands[0]]
    assert commands == [("get_lead",), ("unassign_tag", "unsubscribe_lead_from_list")]
    assert away.leads == {"unchanged": 1, "removed": 1}
    assert not any("get_lead" in call.commands for call in back.calls)


def test_p3_where_no_list_is_taken_back_nobody_is_looked_at(scenes: Scenes) -> None:
    _, edited = scenes["nothing is taken back"]
    assert [call.commands for call in edited.calls] == [("edit_lead",)] * 2


@pytest.mark.parametrize("pulls", [False, True], ids=["load alone", "with a pull in each run"])
def test_p4_who_left_stays_off_also_where_a_pull_of_the_same_night_showed_it(
    pulls: bool, project: Project, sandbox: Sandbox
) -> None:
    file = project.pipeline(LOAD)
    if pulls:
        file.write_text(f"{file.read_text()}pull: {{into: tables.db, refresh_after: 0s}}\n", encoding="utf-8")
    for place, rows in enumerate((BOTH, [row(ANN)], BOTH)):
        project.contacts(rows)
        assert project.run().code == 0
        with sandbox.lock:
            bob = sandbox.account.lead(BOB)
            assert bob is not None
            bob.lists["News"] = False if place == 0 else bob.lists["News"]
    assert bob.lists["News"] is False
