"""P9: a wish that leaves the file is taken back from everybody we gave it to, or the plan says why not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project, Result
from tests.promises.scenes import Scenes, Seen, adds_up, calls_for, run_seen

SCENES = Scenes()
BASE = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
consent: {column: Consent, accepted: ["yes"]}
guards: {max_removed: 100%}
"""
ANN, BOB, CEM, DEE = (f"{name}@example.org" for name in ("ann", "bob", "cem", "dee"))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(email: str, **changes: str) -> dict[str, str]:
    return {"Email": email, "City": "Lyon", "Tags": "", "Leave": "", "Consent": "yes", **changes}


ALL = [row(ANN), row(BOB, Tags="VIP"), row(CEM, Tags="Imported;VIP"), row(DEE)]
FIRST = 'tags: [Imported, {column: Tags, split: ";"}]\nlists: [News]\n'


@dataclass
class Told:
    """What a plan says before a run, and the run."""

    plan: Result
    seen: Seen
    again: Seen
    explained: Any
    """What `explain` says of Bob before the run."""
    sent: set[str]
    """What the run then sent about him."""

    def tags(self, email: str) -> set[str]:
        return set(self.again.held[email]["tags"])

    def lists(self, email: str) -> dict[str, bool]:
        return dict(self.again.held[email]["lists"])

    @property
    def notes(self) -> str:
        return "\n".join(self.plan.json.get("notes", []))


@dataclass
class Change:
    """A first run under `before`, then the file says `after`, over other rows where they change."""

    after: str
    before: str = FIRST
    rows: list[dict[str, str]] = field(default_factory=lambda: ALL)
    more: str = ""
    left: tuple[str, ...] = ()
    """Who leaves the list News in Kartra in between."""

    def __call__(self, project: Project, sandbox: Sandbox) -> Told:
        project.pipeline(BASE + self.before + self.more)
        project.contacts(ALL)
        first = run_seen(project, sandbox)
        assert first.result.code == 0, first.result.stderr
        with sandbox.lock:
            for email in self.left:
                lead = sandbox.account.lead(email)
                assert lead is not None
                lead.lists["News"] = False
        project.pipeline(BASE + self.after + self.more)
        project.contacts(self.rows)
        plan = project.command("plan", "p.yaml", "--json")
        explained = project.command("explain", "p.yaml", BOB, "--json").json["states"][0]
        seen = run_seen(project, sandbox)
        with sandbox.lock:
            bob = sandbox.account.lead(BOB)
        assert bob is not None
        sent = {command for commands in calls_for(seen.calls, bob) for command in commands} - {"get_lead"}
        return Told(plan, seen, run_seen(project, sandbox), explained, sent)


COLUMN_ALONE = 'tags: [{column: Tags, split: ";"}]\nlists: [News]\n'
CHANGES = {
    "the constant tag goes": Change(COLUMN_ALONE),
    "the constant list goes": Change(
        'tags: [Imported, {column: Tags, split: ";"}]\nlists: []\n', left=(BOB,)
    ),
    "another constant stands for it": Change('tags: [Blog, {column: Tags, split: ";"}]\nlists: [News]\n'),
    "no tags at all": Change("tags: []\nlists: [News]\n"),
    "the mapping is gone": Change("lists: [News]\n"),
    "gone rows": Change(COLUMN_ALONE, rows=[row(ANN), row(CEM, Tags="Imported;VIP")]),
    "gone rows lose all": Change("tags: []\nlists: [News]\n", rows=[row(ANN)]),
    "gone rows are removed as well": Change(
        COLUMN_ALONE, rows=[row(ANN), row(CEM, Tags="Imported")], more="on_removed: [untag, unsubscribe]\n"
    ),
    "rows that are held back": Change(COLUMN_ALONE, rows=[row(ANN), row(BOB, Tags="VIP", Consent="no")]),
    "create_only": Change(COLUMN_ALONE, more="sync_mode: create_only\n"),
}
for _name, _change in CHANGES.items():
    SCENES.add(_change, _name)


@pytest.mark.parametrize("name", CHANGES)
def test_p9_a_plan_says_what_the_run_does_and_a_third_run_sends_nothing(scenes: Scenes, name: str) -> None:
    told: Told = scenes[name]
    assert told.plan.code == 0, told.plan.stderr
    assert told.seen.result.code == 0, told.seen.result.stderr
    planned = {kind: count for kind, count in told.plan.json["leads"].items() if count}
    if not CHANGES[name].left:  # who has left by themselves shows when they are looked at
        assert planned == told.seen.leads
        assert told.plan.json["actions"] == told.seen.result.json["actions"]
    assert told.again.calls == []
    assert adds_up(told.seen.result)
    assert adds_up(told.again.result)


@pytest.mark.parametrize("name", CHANGES)
def test_p9_explain_says_what_the_run_does(scenes: Scenes, name: str) -> None:
    told: Told = scenes[name]
    said = {word for word in told.explained["decision"].replace(",", " ").split() if "_" in word}
    commands = {word for word in said if word.endswith(("_tag", "_list"))}
    if not CHANGES[name].left:
        assert commands == told.sent, told.explained
    taken = {left["name"] for left in told.explained["left_the_file"] if left["is_taken_back"]}
    assert taken == set() or commands, told.explained


def test_p9_explain_names_what_has_left_the_file_and_what_becomes_of_it(scenes: Scenes) -> None:
    def left(name: str) -> list[tuple[str, str, bool]]:
        told: Told = scenes[name]
        return [(one["what"], one["name"], one["is_taken_back"]) for one in told.explained["left_the_file"]]

    assert left("the constant tag goes") == [("tag", "Imported", True)]
    assert left("no tags at all") == [("tag", "Imported", True), ("tag", "VIP", True)]
    assert left("the mapping is gone") == [("tag", "Imported", False), ("tag", "VIP", False)]
    assert left("rows that are held back") == [("tag", "Imported", True)]
    assert left("create_only") == [("tag", "Imported", False)]


def test_p9_a_constant_tag_that_goes_is_taken_back_whatever_the_cells_say(scenes: Scenes) -> None:
    told: Told = scenes["the constant tag goes"]
    assert [told.tags(email) for email in (ANN, BOB, CEM, DEE)] == [
        set(),
        {"VIP"},
        {"Imported", "VIP"},
        set(),
    ]
    assert 'the tag "Imported" from 4' in told.notes
    assert told.seen.leads == {"edited": 3, "unchanged": 1}


def test_p9_a_constant_list_that_goes_is_left_and_who_left_it_before_stays_off(scenes: Scenes) -> None:
    told: Told = scenes["the constant list goes"]
    assert [told.lists(email) for email in (ANN, BOB, CEM, DEE)] == [{"News": False}] * 4
    assert told.seen.result.json["actions"] == {"unsubscribe_lead_from_list": 3}
    assert told.seen.leads == {"edited": 3, "unchanged": 1}


def test_p9_another_constant_takes_the_place_of_one_that_goes(scenes: Scenes) -> None:
    told: Told = scenes["another constant stands for it"]
    assert [told.tags(email) for email in (ANN, CEM)] == [{"Blog"}, {"Blog", "Imported", "VIP"}]


def test_p9_no_tags_takes_back_all_that_we_gave(scenes: Scenes) -> None:
    told: Told = scenes["no tags at all"]
    assert [told.tags(email) for email in (ANN, BOB, CEM, DEE)] == [set()] * 4
    assert told.lists(ANN) == {"News": True}


def test_p9_a_mapping_that_is_gone_leaves_things_as_they_are_and_the_plan_says_so(scenes: Scenes) -> None:
    told: Told = scenes["the mapping is gone"]
    assert told.tags(CEM) == {"Imported", "VIP"}
    assert '4 leads keep the tag "Imported"' in told.notes
    assert '2 leads keep the tag "VIP"' in told.notes
    assert told.seen.calls == []


def test_p9_whose_row_is_gone_loses_what_has_left_the_file(scenes: Scenes) -> None:
    told: Told = scenes["gone rows"]
    assert [told.tags(email) for email in (ANN, BOB, CEM, DEE)] == [
        set(),
        {"VIP"},
        {"Imported", "VIP"},
        set(),
    ]
    assert told.seen.result.json["actions"] == {"unassign_tag": 3}
    all_gone: Told = scenes["gone rows lose all"]
    assert [all_gone.tags(email) for email in (ANN, BOB, CEM, DEE)] == [set()] * 4


def test_p9_on_removed_and_what_leaves_the_file_take_each_thing_once(scenes: Scenes) -> None:
    told: Told = scenes["gone rows are removed as well"]
    assert [told.tags(email) for email in (ANN, BOB, CEM, DEE)] == [set(), set(), {"Imported"}, set()]
    assert told.seen.leads == {"edited": 2, "removed": 2}
    assert told.lists(BOB) == {"News": False}


def test_p9_who_is_held_back_loses_what_has_left_the_file_and_nothing_else(scenes: Scenes) -> None:
    told: Told = scenes["rows that are held back"]
    assert told.tags(BOB) == {"VIP"}
    assert told.lists(BOB) == {"News": True}
    assert told.seen.result.json["rows"]["blocked"] == 1


def test_p9_create_only_edits_nobody_and_the_plan_says_so(scenes: Scenes) -> None:
    told: Told = scenes["create_only"]
    assert told.tags(ANN) == {"Imported"}
    assert "sync_mode is create_only" in told.notes
    assert told.seen.calls == []


@SCENES.add
def it_comes_and_goes(project: Project, sandbox: Sandbox) -> list[tuple[set[str], dict[str, bool]]]:
    """The constants go, come back and go again; Bob has left the list by himself."""
    seen = []
    project.contacts(ALL)
    for number, wishes in enumerate((FIRST, "tags: []\nlists: []\n", FIRST, "tags: []\nlists: []\n", FIRST)):
        project.pipeline(BASE + wishes)
        run = run_seen(project, sandbox)
        assert run.result.code == 0, run.result.stderr
        if number == 0:
            with sandbox.lock:
                bob = sandbox.account.lead(BOB)
                assert bob is not None
                bob.lists["News"] = False
        seen.append((run.held[ANN]["tags"], run.held[ANN]["lists"] | {"Bob": run.held[BOB]["lists"]["News"]}))
    return seen


def test_p9_what_comes_back_into_the_file_is_given_again_but_to_who_left(scenes: Scenes) -> None:
    on = ({"Imported"}, {"News": True, "Bob": False})
    off = (set[str](), {"News": False, "Bob": False})
    first, *later = scenes["it_comes_and_goes"]
    assert first == ({"Imported"}, {"News": True, "Bob": False}) or first[1]["News"]
    assert later == [off, on, off, on]


@SCENES.add
def in_two_steps(project: Project, sandbox: Sandbox) -> list[Seen]:
    """First the whole mapping goes, and only later it comes back without the constant."""
    seen = []
    project.contacts(ALL)
    for wishes in (FIRST, "lists: [News]\n", COLUMN_ALONE):
        project.pipeline(BASE + wishes)
        seen.append(run_seen(project, sandbox))
    return seen


def test_p9_a_constant_is_remembered_while_its_mapping_is_gone(scenes: Scenes) -> None:
    *_, last = scenes["in_two_steps"]
    assert [last.held[email]["tags"] for email in (ANN, CEM)] == [set(), {"Imported", "VIP"}]


@SCENES.add
def untag_of_what_rows_ask_for(project: Project, sandbox: Sandbox) -> tuple[Result, Seen, Seen]:
    project.pipeline(
        BASE + 'tags: [Imported, {column: Tags, split: ";"}]\nuntag: [{column: Leave, split: ";"}]'
    )
    project.contacts([row(ANN, Tags="VIP;Blog", Leave="VIP"), row(BOB, Tags="VIP", Leave="Imported")])
    plan = project.command("plan", "p.yaml", "--json")
    return plan, run_seen(project, sandbox), run_seen(project, sandbox)


def test_p9_where_untag_and_a_row_disagree_the_plan_says_whose_wish_wins(scenes: Scenes) -> None:
    plan, seen, again = scenes["untag_of_what_rows_ask_for"]
    notes = "\n".join(plan.json["notes"])
    assert '1 record asks for the tag "VIP", and untag takes it off them' in notes
    assert plan.json["rows"]["invalid"] == 0
    assert (seen.held[ANN]["tags"], seen.held[BOB]["tags"]) == ({"Imported", "Blog"}, {"VIP"})
    assert again.calls == []


@SCENES.add
def a_sequence_leaves_the_file(project: Project, sandbox: Sandbox) -> tuple[Result, Seen, Seen]:
    project.pipeline(BASE + 'sequences: [{name: Onboarding, step: "1"}]\n')
    project.contacts(ALL)
    assert project.run().code == 0
    project.pipeline(BASE)
    plan = project.command("plan", "p.yaml", "--json")
    return plan, run_seen(project, sandbox), run_seen(project, sandbox)


def test_p9_what_cannot_be_taken_back_is_said(scenes: Scenes) -> None:
    plan, seen, again = scenes["a_sequence_leaves_the_file"]
    assert any('the sequence "Onboarding" has left the file' in note for note in plan.json["notes"])
    assert seen.calls == []
    assert "notes" not in again.result.json or "Onboarding" not in str(again.result.json["notes"])
