"""P5 and P1 for custom fields that a load creates: told before, made before the first lead, and only once."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.command.several import ended, writes
from tests.conftest import Project, Result, kill
from tests.promises.scenes import Scenes, Seen, inventories, run_seen, said, wait_until
from tests.state.places import beside

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
custom_fields:
  shoe: {column: Shoe, create: {type: drop_down, options: [S, M, L]}}
  colours: {column: Colours, split: ";", create: {type: checkbox, options: from_source}}
  note: Note
  about: {column: About, create: true}
consent: {attested: "terms of 2025"}
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(number: int, **changes: str) -> dict[str, str]:
    cells = {"Shoe": "SmL"[number % 3], "Colours": "red;Blue", "Note": "n", "About": "two\nlines"}
    return {"Email": f"lead{number}@example.org", **cells, **changes}


def fields_of(sandbox: Sandbox) -> dict[str, tuple[str, list[str]]]:
    """What the account has beside what it had."""
    return {
        one.identifier: (one.type, list(one.options.values()))
        for one in sandbox.account.custom_fields
        if one.identifier in ("shoe", "colours", "about")
    }


MADE = {
    "shoe": ("drop_down", ["S", "M", "L"]),
    "colours": ("checkbox", ["red", "Blue", "green"]),
    "about": ("text_area", []),
}


@SCENES.add
def first_load(project: Project, sandbox: Sandbox) -> tuple[list[Result], int, list[Seen], dict[str, Any]]:
    project.pipeline(LOAD)
    project.contacts([row(0), row(1, Colours="blue;green"), row(2, Colours="")])
    told = [project.command(verb, "p.yaml", "--json") for verb in ("check", "plan")]
    told.append(project.command("plan", "p.yaml"))
    sent = len(writes(sandbox))
    first = run_seen(project, sandbox)
    fields = fields_of(sandbox)
    idle = run_seen(project, sandbox)
    project.contacts([row(0, Shoe="l"), row(1, Colours="blue;green"), row(2, Colours="")])
    return told, sent, [first, idle, run_seen(project, sandbox)], fields


def test_p5_check_and_plan_name_the_fields_that_a_run_would_create(scenes: Scenes) -> None:
    (checked, planned, words), sent, (first, *_), _ = scenes["first_load"]
    (found,) = checked.json["files"]
    assert (checked.code, found["missing"]) == (0, [])
    told = ["shoe (drop_down, 3 options)", "colours (checkbox, 3 options)", "about (text_area)"]
    assert found["notes"][1:] == [f"custom field {one} is not there yet; a run creates it" for one in told]
    assert planned.json["new_custom_fields"] == [
        {"identifier": name, "type": kind, "options": len(options)} for name, (kind, options) in MADE.items()
    ]
    assert (
        planned.json["actions"]
        == first.result.json["actions"]
        == {"create_custom_field": 3, "create_lead": 3}
    )
    assert planned.json["calls"]["estimated"] == first.result.json["calls"]["sent"] == 1 + 3 + 1 + 3 + 1
    assert f"  creates       3 custom fields: {', '.join(told)}\n" in words.stdout
    assert sent == 0


def test_p5_fields_are_made_with_type_and_options_before_the_first_lead(scenes: Scenes) -> None:
    _, _, (first, *_), fields = scenes["first_load"]
    assert [call.commands[0] for call in first.calls] == [
        "retrieve_custom_fields",
        *["create_custom_field"] * 3,
        "retrieve_custom_fields",
        *["create_lead", "get_lead", "create_lead", "create_lead"],  # the first shows the mode of the App
    ]
    assert fields == MADE
    assert first.result.json["notes"][0] == "custom field shoe (drop_down, 3 options) created"
    values = [lead["custom_fields"] for _, lead in sorted(first.held.items())]
    assert [(one["shoe"], one.get("colours")) for one in values] == [
        (["1"], ["1", "2"]),
        (["2"], ["2", "3"]),
        (["3"], None),
    ]


def test_p3_a_created_field_is_known_from_then_on(scenes: Scenes) -> None:
    _, _, (_, idle, edited), _ = scenes["first_load"]
    assert (idle.calls, idle.leads) == ([], {"unchanged": 3})
    assert [call.commands for call in edited.calls] == [("retrieve_custom_fields",), ("edit_lead",)]
    assert said(edited.calls[1]).custom_fields == {"shoe": "3"}


@SCENES.add
def killed(project: Project, sandbox: Sandbox) -> tuple[Seen, dict[str, Any]]:
    """The process dies once the fields are there, before a lead is."""
    project.pipeline(LOAD)
    project.contacts([row(0), row(1, Colours="green")])
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"create_custom_field"}), from_call=3))
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: sum(call.executed for call in sandbox.calls if call.fault) == 1, "the second field")
    kill(process)
    assert sandbox.account.leads == {}
    sandbox.set_faults(Faults())
    return run_seen(project, sandbox), fields_of(sandbox)


def test_p1_a_kill_between_a_field_and_the_first_lead_leaves_nothing_to_mend(scenes: Scenes) -> None:
    seen, fields = scenes["killed"]
    assert (seen.leads, seen.result.code) == ({"created": 2}, 0)
    assert fields == MADE
    assert seen.result.json["actions"]["create_custom_field"] == 1


@SCENES.add
def two_at_once(project: Project, sandbox: Sandbox) -> tuple[list[Result], dict[str, Any], int]:
    """Two pipelines need the same fields at the same time."""
    for name in ("one", "two"):
        path = project.pipeline(LOAD.replace("contacts.csv", f"{name}.csv"), name=f"{name}.yaml")
        path.write_text(path.read_text("utf-8").replace("newsletter", name), encoding="utf-8")
        numbers = (0, 1) if name == "one" else (2, 3)
        project.contacts([row(number, Colours="red;Blue;green") for number in numbers], name=f"{name}.csv")
    running = [project.start("run", f"{name}.yaml", "--json") for name in ("one", "two")]
    results = [ended(process) for process in running]
    return results, fields_of(sandbox), len(sandbox.account.leads)


def test_p1_two_pipelines_that_need_the_same_field_make_it_once(scenes: Scenes) -> None:
    results, fields, leads = scenes["two_at_once"]
    assert ([result.code for result in results], leads) == ([0, 0], 4)
    assert fields == MADE


@SCENES.add
def refused(project: Project, sandbox: Sandbox) -> list[Result]:
    cases = [
        (LOAD, [row(0, Shoe="XL"), row(1, Colours="green")]),
        (LOAD, [row(0, Colours="red"), row(1, Colours="RED")]),
        (LOAD + "tags: [Importd]", [row(0)]),
        (LOAD.replace("note: Note", "size: {column: Note, create: input_field}"), [row(0)]),
        (LOAD.replace("note: Note", "Size: {column: Note, create: true}"), [row(0)]),
        (LOAD + "guards: {min_rows: 5}", [row(0)]),
    ]
    results = []
    for load, rows in cases:
        project.pipeline(load)
        project.contacts(rows)
        results.append(project.run())
    assert writes(sandbox) == []
    project.pipeline(LOAD.replace("about:", "city:"), kartra="settle_s: 1")
    project.contacts([row(0), row(1, Colours="green")])
    results.append(project.run())
    assert sandbox.account.leads == {}
    return results


def test_p5_what_cannot_be_created_stops_the_run_before_the_first_write(scenes: Scenes) -> None:
    results: list[Result] = scenes["refused"]
    told = [
        'option "XL" of custom field "shoe"; did you mean "L"? (1 lead)',
        'custom field "colours", which cannot be created: a checkbox takes two options or more, the source'
        " has 1 (2 leads)",
        'tag "Importd"; did you mean "Imported"? (1 lead)',
        'custom field "size" as input_field: there it is drop_down (1 lead)',
        'custom field "Size"; did you mean "size"? (1 lead)',
        "guards.min_rows asks for 5",
        'Kartra makes no custom field "city": the name is taken or reserved (264). No lead was sent.',
    ]
    assert [result.code for result in results] == [2, 2, 2, 2, 2, 4, 2]
    for result, line in zip(results, told, strict=True):
        assert line in result.json["message"]


@SCENES.add
def text_of_several(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen, Any]:
    """create_custom_fields makes texts of what nothing else is said of."""
    project.pipeline(
        LOAD.replace(", create: {type: checkbox, options: from_source}", "") + "create_custom_fields: true",
        kartra="settle_s: 1",
    )
    project.contacts([row(0), row(1, About="")])
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"}), to_call=7))
    first = run_seen(project, sandbox)
    ((stored,),) = beside(project.place)("SELECT content FROM inventories WHERE kind = 'custom_fields'")
    assert '"colours"' in stored
    return first, run_seen(project, sandbox), fields_of(sandbox)


def test_p1_several_values_in_a_text_field_are_proven_as_they_stand_there(scenes: Scenes) -> None:
    first, second, fields = scenes["text_of_several"]
    assert fields["colours"] == ("input_field", [])
    assert any(call.fault for call in first.calls)
    assert (first.leads, second.leads, second.calls) == ({"created": 2}, {"unchanged": 2}, [])
    assert not any("edit_lead" in call.commands for call in first.calls)
    assert {lead["custom_fields"]["colours"] for lead in second.held.values()} == {"red; Blue"}
    assert inventories(second.calls) == []
