"""P9: a run is taken back as far as Kartra lets it, and nothing that somebody else did goes with it."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.kartra.sandbox import Sandbox, SandboxLead
from tests.conftest import Project, Result
from tests.promises.scenes import Held, Scenes, held

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
custom_fields: {note: Note}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
untag: [{column: Off, split: ";"}]
sequences: [{name: {column: Sequence}, step: 1}]
points: {column: Points}
on_removed: [untag, unsubscribe]
guards: {max_removed: 100%, max_edited: 100%}
consent: {attested: "terms of 2025"}
"""
ANN, BOB, EVE = "ann@example.org", "bob@example.org", "eve@example.org"


def row(email: str, **changes: str) -> dict[str, str]:
    return {
        "Email": email,
        "City": "Lyon",
        "Note": "",
        "Tags": "VIP",
        "Lists": "News",
        "Off": "",
        "Sequence": "",
        "Points": "",
        **changes,
    }


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def of(sandbox: Sandbox, email: str) -> SandboxLead:
    lead = sandbox.account.lead(email)
    assert lead is not None
    return lead


def load(project: Project, *rows: dict[str, str]) -> Result:
    project.contacts(list(rows))
    ran = project.run()
    assert ran.code in (0, 3), ran.stderr
    return ran


def undo(project: Project, *words: str, run: str = "last") -> Result:
    return project.command("undo", "p.yaml", run, "--yes", "--json", *words)


def stays(done: Result) -> set[tuple[str, str, str]]:
    return {(one["kind"], one["name"], one["why"]) for one in done.json["plan"]["stays"]}


@SCENES.add
def wrong_for_everyone(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Two leads are loaded; then a wrong tag, list, field and points go to both, and are taken back."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB, Points="3"))
    before = held(sandbox)
    wrong = {"City": "Paris", "Note": "wrong", "Tags": "Blog", "Lists": "Customers", "Points": "9"}
    load(project, row(ANN, **wrong), row(BOB, **wrong))
    asked = len(sandbox.calls)
    planned = project.command("undo", "p.yaml", "last", "--plan-only", "--json", "--changes")
    after_plan = sandbox.calls[asked:]
    unasked = project.command("undo", "p.yaml", "last", "--json")
    done = undo(project)
    then, scores = held(sandbox), [of(sandbox, who).score for who in (ANN, BOB)]
    again = load(project, row(ANN, **wrong), row(BOB, **wrong))
    shown = project.command("parked", "p.yaml", "--json").json
    unmeant = undo(project)
    twice = undo(project, run=done.json["undoes"])
    of_undo = undo(project, run=done.json["run_id"])
    let_go = project.command("undo", "p.yaml", done.json["undoes"], "--send-again", "--json")
    last = load(project, row(ANN, **wrong), row(BOB, **wrong))
    return locals()


def test_p9_everything_is_as_it_was_before_the_run(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    assert seen["done"].code == 0, seen["done"].stderr
    assert seen["scores"] == [0, 3]
    for email, lead in seen["before"].items():
        then = seen["then"][email]
        assert {**then, "lists": {name for name, on in then["lists"].items() if on}} == {
            **lead,
            "lists": set(lead["lists"]),
        }


def test_p9_a_plan_reads_and_writes_nothing(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    planned = seen["planned"]
    assert planned.code == 0, planned.stderr
    assert {call.commands for call in seen["after_plan"]} <= {("get_lead",), *_LISTS}
    assert planned.json["status"] == "planned"
    assert planned.json["plan"]["leads"] == 2
    assert {one["name"]: one["leads"] for one in planned.json["plan"]["takes"]} == {
        'tag "Blog"': 2,
        'list "Customers"': 2,
        "points": 2,
    }
    assert {one["name"] for one in planned.json["plan"]["gives"]} == {'tag "VIP"', 'list "News"'}
    assert {one["name"] for one in planned.json["plan"]["fields"]} == {"city", "note"}
    assert [lead["key"] for lead in planned.json["changes"]] == ["a***@e***.org", "b***@e***.org"]


_LISTS = {("retrieve_account_tags",), ("retrieve_account_lists",), ("retrieve_custom_fields",)}


def test_p9_nothing_is_sent_before_somebody_agrees(scenes: Scenes) -> None:
    unasked = scenes["wrong_for_everyone"]["unasked"]
    assert unasked.code == 4
    assert unasked.json["status"] == "refused"
    assert "--yes" in unasked.stderr


def test_p9_the_next_run_does_not_send_the_same_again_and_says_why(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    assert seen["again"].code == 3
    assert seen["again"].json["leads"]["parked"] == 2
    assert seen["again"].json["calls"]["sent"] == 0
    assert len(seen["shown"]["leads"]) == 2
    assert "--send-again" in seen["shown"]["leads"][0]["reason"]
    assert {one["kind"] for one in seen["shown"]["leads"]} == {"taken_back"}


def test_p9_a_last_run_that_sent_nothing_does_not_stand_for_an_older_one(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    assert seen["unmeant"].code == 2
    assert seen["again"].json["run_id"] in seen["unmeant"].stderr
    assert f"kartra-sync undo p.yaml {seen['done'].json['undoes']}" in seen["unmeant"].stderr


def test_p9_a_second_undo_finds_nothing_and_an_undo_of_an_undo_is_refused(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    assert (seen["twice"].code, seen["twice"].json["plan"]["leads"]) == (0, 0)
    assert seen["of_undo"].code == 2
    assert "--send-again" in seen["of_undo"].stderr


def test_p9_what_was_taken_back_is_sent_again_once_a_person_says_so(scenes: Scenes) -> None:
    seen = scenes["wrong_for_everyone"]
    assert seen["let_go"].json["leads"] == 2
    assert seen["last"].code == 0
    assert seen["last"].json["leads"]["edited"] == 2


@SCENES.add
def changed_since(project: Project, sandbox: Sandbox) -> tuple[Held, Result]:
    """Ann's city is edited by hand, she leaves the list, and somebody takes a tag off Bob."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB))
    wrong = {"City": "Paris", "Tags": "VIP;Blog", "Lists": "News;Customers"}
    load(project, row(ANN, **wrong), row(BOB, **wrong))
    with sandbox.lock:
        of(sandbox, ANN).fields["city"] = "Rome"
        of(sandbox, ANN).lists["Customers"] = False
        of(sandbox, BOB).tags.discard("Blog")
    done = undo(project)
    return held(sandbox), done


def test_p9_what_somebody_changed_since_stays_and_is_told(scenes: Scenes) -> None:
    then, done = scenes["changed_since"]
    assert done.code == 0
    assert then[ANN]["fields"]["city"] == "Rome"
    assert then[BOB]["fields"]["city"] == "Lyon"
    assert then[ANN]["lists"] == {"News": True, "Customers": False}
    assert (then[ANN]["tags"], then[BOB]["tags"]) == ({"VIP"}, {"VIP"})
    assert {("fields", "city", "changed since"), ("lists", "Customers", "left by its person")} <= stays(done)


@SCENES.add
def created(project: Project, sandbox: Sandbox) -> tuple[Held, Result, Result, Held]:
    """New leads with all there is, and one that Kartra had before, with a tag and a city of its own."""
    with sandbox.lock:
        eve = sandbox.account.add_lead(EVE, city="Oslo", company="Acme")
        eve.tags.add("VIP")
        eve.lists["News"] = False
    project.pipeline(LOAD)
    full = {"Note": "hello", "Tags": "VIP;Blog", "Sequence": "Onboarding", "Points": "5"}
    load(project, row(ANN, **full), row(EVE, **full))
    first = undo(project)
    middle = held(sandbox)
    second = undo(project, "--stop-sequences")
    return middle, first, second, held(sandbox)


def test_p9_a_created_lead_stays_without_what_the_run_gave_it(scenes: Scenes) -> None:
    middle, first, _, _ = scenes["created"]
    assert first.code == 0
    assert first.json["plan"]["created"] == 1
    assert middle[ANN]["tags"] == set()
    assert middle[ANN]["lists"] == {"News": False}
    assert (middle[ANN]["fields"], middle[ANN]["custom_fields"]) == ({}, {})
    assert middle[ANN]["sequences"] == {"Onboarding": ("1", "active")}
    assert ("sequences", "Onboarding", "begun") in stays(first)


def test_p9_a_lead_that_was_there_before_has_again_what_it_had(scenes: Scenes) -> None:
    middle, _, _, _ = scenes["created"]
    assert middle[EVE]["fields"] == {"city": "Oslo", "company": "Acme"}
    assert middle[EVE]["tags"] == {"VIP"}
    assert middle[EVE]["lists"] == {"News": False}
    assert middle[EVE]["custom_fields"] == {}


def test_p9_sequences_are_stopped_if_somebody_asks(scenes: Scenes) -> None:
    _, _, second, last = scenes["created"]
    assert second.code == 0, second.stderr
    assert {last[who]["sequences"]["Onboarding"] for who in (ANN, EVE)} == {("1", "unsubscribed")}


@SCENES.add
def removal(project: Project, sandbox: Sandbox) -> tuple[Held, Result, Result, Held]:
    """Bob's row goes by mistake, what we gave him is taken, and the run is taken back."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB))
    load(project, row(ANN))
    done = undo(project)
    back = held(sandbox)
    again = load(project, row(ANN))
    return back, done, again, held(sandbox)


def test_p9_a_removal_is_taken_back_and_not_carried_out_again(scenes: Scenes) -> None:
    back, done, again, then = scenes["removal"]
    assert done.code == 0, done.stderr
    assert (back[BOB]["tags"], back[BOB]["lists"]) == ({"VIP"}, {"News": True})
    assert again.json["leads"]["removed"] == 0
    assert then == back


@SCENES.add
def later_runs(project: Project, sandbox: Sandbox) -> tuple[Held, Result]:
    """The first run gives a tag, the second takes it, the third gives it and another city; the first goes."""
    project.pipeline(LOAD)
    first = load(project, row(ANN))
    load(project, row(ANN, Tags="Blog"))
    load(project, row(ANN, City="Paris"))
    done = undo(project, run=first.json["run_id"])
    return held(sandbox), done


def test_p9_what_a_later_run_did_stays(scenes: Scenes) -> None:
    then, done = scenes["later_runs"]
    assert then[ANN]["tags"] == {"VIP"}
    assert then[ANN]["fields"] == {"city": "Paris"}
    assert then[ANN]["lists"] == {"News": False}
    assert {
        ("tags", "VIP", "a later run changed it"),
        ("fields", "city", "a later run changed it"),
    } <= stays(done)


@SCENES.add
def two_pipelines(project: Project, sandbox: Sandbox) -> tuple[Held, Result]:
    """Another pipeline of the same state made Ann, and gives her one of the same tags later."""
    project.pipeline(LOAD)
    other = LOAD.replace("contacts.csv", "others.csv")
    project.pipeline(other, name="other.yaml")
    file = project.folder / "other.yaml"
    file.write_text(file.read_text().replace("pipeline: newsletter", "pipeline: second"))
    for tags, is_ours in (("Customer", False), ("VIP;Blog", True), ("Customer;VIP", False)):
        if is_ours:
            load(project, row(ANN, Tags=tags))
        else:
            project.contacts([row(ANN, City="", Lists="", Tags=tags)], name="others.csv")
            assert project.command("run", "other.yaml").code == 0
    return (undo(project), held(sandbox))[::-1]


def test_p9_what_another_pipeline_gave_too_stays(scenes: Scenes) -> None:
    then, done = scenes["two_pipelines"]
    assert then[ANN]["tags"] == {"VIP", "Customer"}
    assert then[ANN]["lists"] == {"News": False}
    assert ("tags", "VIP", "another pipeline asks for it") in stays(done)


@SCENES.add
def wished_off(project: Project, sandbox: Sandbox) -> tuple[Held, Result]:
    """A tag that Eve had before us is wished off by her first row."""
    with sandbox.lock:
        sandbox.account.add_lead(EVE).tags.update({"Blog", "VIP"})
    project.pipeline(LOAD)
    load(project, row(EVE, Off="Blog"))
    return (undo(project), held(sandbox))[::-1]


def test_p9_what_a_run_took_off_a_lead_that_it_met_is_given_again(scenes: Scenes) -> None:
    then, done = scenes["wished_off"]
    assert done.code == 0
    assert then[EVE]["tags"] == {"Blog", "VIP"}


@SCENES.add
def renamed(project: Project, sandbox: Sandbox) -> tuple[Result, str]:
    """What a run gave has another name in Kartra since, and a tag that Bob lost by hand has not."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB))
    wrong = {"Note": "wrong", "Tags": "VIP;Blog", "Lists": "News;Customers", "Sequence": "Onboarding"}
    load(project, row(ANN, **wrong), row(BOB, Tags="VIP;Customer"))
    account = sandbox.account
    with sandbox.lock:
        of(sandbox, BOB).tags.discard("Customer")
        ann = of(sandbox, ANN)
        account.tags[account.tags.index("Blog")] = "Blog readers"
        account.lists[account.lists.index("Customers")] = "Buyers"
        account.sequences["Welcome"] = account.sequences.pop("Onboarding")
        ann.tags = {"VIP", "Blog readers"}
        ann.lists["Buyers"] = ann.lists.pop("Customers")
        ann.sequences["Welcome"] = ann.sequences.pop("Onboarding")
        account.custom_fields[:] = [
            replace(one, identifier="remark") if one.identifier == "note" else one
            for one in account.custom_fields
        ]
        ann.custom_fields["remark"] = ann.custom_fields.pop("note")
    return undo(project, "--stop-sequences"), project.command("undo", "p.yaml", "last", "--plan-only").stdout


def test_p9_what_was_renamed_in_kartra_is_told_as_left(scenes: Scenes) -> None:
    done, told = scenes["renamed"]
    assert done.code == 0, done.stderr
    gone = "renamed or deleted"
    assert stays(done) == {
        ("tags", "Blog", gone),
        ("lists", "Customers", gone),
        ("sequences", "Onboarding", gone),
        ("custom_fields", "note", gone),
    }
    assert 'tag "Blog": renamed or deleted in Kartra; renamed, its leads have it still' in told


@SCENES.add
def nothing_since(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """After a run that sent something: one that a guard stops, one that cannot begin, one in Test mode."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB))
    (project.folder / "contacts.csv").write_text(f"{','.join(row(ANN))}\n", encoding="utf-8")
    guarded = project.run().code, undo(project)
    load(project, row(ANN), row(BOB, City="Paris"))
    (project.folder / "contacts.csv").unlink()
    unbegun = project.run().code, undo(project)
    load(project, row(ANN), row(BOB, City="Rome"))
    project.pipeline(LOAD, kartra="mode: test")
    project.contacts([row(ANN), row(BOB)])
    in_test_mode = project.run().code
    project.pipeline(LOAD)
    other_mode = in_test_mode, undo(project)
    return {"guarded": guarded, "unbegun": unbegun, "other mode": other_mode}


@pytest.mark.parametrize("name", ["guarded", "unbegun", "other mode"])
def test_p9_no_older_run_is_taken_back_for_the_last_one(name: str, scenes: Scenes) -> None:
    code, undone = scenes["nothing_since"][name]
    assert (undone.code, "changed no lead here: nothing was taken back" in undone.stderr) == (2, True), code


@SCENES.add
def said_no_since(project: Project, sandbox: Sandbox) -> tuple[Held, Result]:
    """A run took three off a list; then Ann's row says no, Bob is on a suppression list, and Eve stays."""
    project.pipeline(LOAD + "suppress: [{csv: no.csv, email: email}]\n")
    no = project.folder / "no.csv"
    no.write_text("email\nx@example.org\n", encoding="utf-8")
    for status in ("", "", "unsubscribed"):
        other = {"Lists": "Customers", "Tags": "Blog"} if sandbox.account.leads else {}
        rows = [row(who, **other) for who in (ANN, BOB, EVE)]
        load(project, *({**one, "Status": status if one["Email"] == ANN else ""} for one in rows))
    no.write_text(f"email\n{BOB.upper()}\n", encoding="utf-8")
    wrong = project.command("runs", "p.yaml", "--json").json["runs"][1]["run_id"]
    return (undo(project, run=wrong), held(sandbox))[::-1]


def test_p9_nothing_is_given_again_to_who_has_said_no_since(scenes: Scenes) -> None:
    then, done = scenes["said_no_since"]
    assert done.code == 0, done.stderr
    off, on = {"News": False, "Customers": False}, {"News": True, "Customers": False}
    assert {who: (lead["lists"], lead["tags"]) for who, lead in then.items()} == {
        ANN: (off, set()),
        BOB: (off, set()),
        EVE: (on, {"VIP"}),
    }
    assert {(kind, name) for kind, name, why in stays(done) if why == "says no since"} == {
        ("lists", "News"),
        ("tags", "VIP"),
    }


@SCENES.add
def put_back(project: Project, sandbox: Sandbox) -> tuple[Result, Result]:
    """The state is put back from a copy that does not know the run which was meant."""
    project.pipeline(LOAD)
    load(project, row(ANN))
    assert project.command("state", "backup", "p.yaml", "--to", "kept.db").code == 0
    load(project, row(ANN, Tags="Blog"))
    (project.folder / "kept.db").replace(project.state)
    for left in project.state.parent.glob(f"{project.state.name}-*"):
        left.unlink()
    unknown = undo(project)
    load(project, row(ANN, City="Paris"))
    return unknown, undo(project)


def test_p9_a_state_that_was_put_back_does_not_know_the_last_run(scenes: Scenes) -> None:
    unknown, known = scenes["put_back"]
    assert (unknown.code, "the state was put back from a copy" in unknown.stderr) == (2, True)
    assert known.code == 0, known.stderr


@SCENES.add
def a_plan_of_before(project: Project, sandbox: Sandbox) -> tuple[Result, int]:
    """A plan is saved, and then a run that it builds on is taken back."""
    project.pipeline(LOAD)
    load(project, row(ANN), row(BOB))
    load(project, row(ANN, Tags="Blog"), row(BOB))
    project.contacts([row(ANN, Tags="Blog", City="Paris"), row(BOB)])
    plan_id = project.command("plan", "p.yaml", "--save", "--json").json["plan_id"]
    assert undo(project).code == 0
    before = len(sandbox.calls)
    applied = project.command("apply", "p.yaml", plan_id)
    writes = [call for call in sandbox.calls[before:] if call.commands != ("get_lead",)]
    return applied, len([call for call in writes if call.commands not in _LISTS])


def test_p9_a_plan_of_before_an_undo_is_not_applied_over_it(scenes: Scenes) -> None:
    applied, writes = scenes["a_plan_of_before"]
    assert (applied.code, "the state has moved" in applied.stderr, writes) == (6, True, 0), applied.stderr


@SCENES.add
def nobody_to_ask(project: Project, sandbox: Sandbox) -> tuple[Held, Held, Result, Result]:
    """A suppression list that cannot be read, and a person who was forgotten, between a run and its undo."""
    suppress = 'suppress: [{csv: "no list.csv", email: email}]\n'
    file = project.pipeline(LOAD + suppress, name="my file.yaml")
    no = project.folder / "no list.csv"
    no.write_text("email\nx@example.org\n", encoding="utf-8")
    for other in ({}, {"Lists": "Customers"}):
        project.contacts([row(ANN, **other), row(BOB, **other)])
        ran = project.command("run", file.name)
    assert project.command("state", "forget", file.name, BOB, "--yes").code == 0
    before = held(sandbox)
    no.unlink()
    blind = project.command("undo", file.name, "last", "--yes")
    assert held(sandbox) == before
    no.write_text("email\nx@example.org\n", encoding="utf-8")
    back = shlex.split(ran.stdout.partition("to take it back: ")[2].splitlines()[0])
    done = project.command(*back[1:], "--yes")
    return before, held(sandbox), blind, done


def test_p9_an_undo_asks_who_says_no_and_leaves_who_was_forgotten_alone(scenes: Scenes) -> None:
    before, then, blind, done = scenes["nobody_to_ask"]
    assert (blind.code, "no list.csv" in blind.stderr) == (1, True), blind.stderr
    assert done.code == 0, done.stderr
    assert (then[BOB], then[ANN]["lists"]) == (before[BOB], {"News": True, "Customers": False})
