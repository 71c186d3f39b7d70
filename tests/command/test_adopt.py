"""export-import and adopt: a migration through Kartra's own import, after which nothing is sent twice.

The scenes play side by side, as those of the promises do.
"""

import csv
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.clock import utc_now
from connectors.kartra.sandbox import Faults, Sandbox
from pipelines.config.file import read_pipeline
from pipelines.state.lease import this_process
from pipelines.state.store import Store
from pipelines.verbs.export_import import export_import
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.importing import import_into
from tests.promises.scenes import Scenes, adds_up, all_wished, held, said, wait_until

SCENES = Scenes()
LEFT = {"changed": 0, "unknown": 0, "shared": 0, "not_imported": 0}
BY_ID = """
source: {csv: contacts.csv}
key: {column: Id}
fields: {email: Email, city: City}
points: {column: Points}
consent: {attested: the shop}
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def adopt(project: Project, *words: str) -> Result:
    return project.command("adopt", "p.yaml", "--json", *words)


def exported(project: Project, *words: str) -> Result:
    return project.command("export-import", "p.yaml", "--to", "import", "--json", *words)


def files_of(project: Project) -> list[Path]:
    return sorted((project.folder / "import").glob("*-import-*.csv"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def planned(project: Project) -> Any:
    return project.command("plan", "p.yaml", "--json").json


def known(project: Project) -> dict[str, tuple[Any, ...]]:
    """All that is known of the leads, but for when; nothing while there is no state yet."""
    if not project.state.exists():
        return {}
    with closing(sqlite3.connect(project.state)) as connection:
        rows = connection.execute(
            "SELECT key, lead_id, origin, hex(digest), snapshot, removed_at, taken_over FROM leads"
        )
        return {key: tuple(rest) for key, *rest in rows}


def count_known(project: Project) -> int:
    try:
        with closing(sqlite3.connect(f"file:{project.state}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM leads").fetchone()[0])
    except sqlite3.OperationalError:  # there is no state yet, or no table in it
        return 0


# --- the whole way


@SCENES.add
def round_trip(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Eight contacts, one of them without consent, one invalid, one with a tag that does not fit."""
    project.pipeline(LOAD)
    project.contacts(
        [
            *(contact(number) for number in range(5)),
            contact(5, Consent="no"),
            contact(6, Email="nobody"),
            contact(7, Tags="VIP-2024"),
        ]
    )
    sandbox.account.tags.append("VIP-2024")
    files = exported(project)
    written = {path.name: path.read_text("utf-8") for path in (project.folder / "import").iterdir()}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (project.folder / "import").iterdir()}
    again = exported(project)
    imported = import_into(sandbox.account, files_of(project))
    for lead in sandbox.account.leads.values():  # chosen in the dialog of the import
        lead.sequence_starts.append(("Onboarding", "1"))
    sandbox.reset_calls()
    adopted = adopt(project)
    return {
        "files": files,
        "written": written,
        "modes": modes,
        "again": again,
        "imported": imported,
        "adopted": adopted,
        "calls of adopt": len(sandbox.calls),
        "plan": planned(project),
        "run": project.run(),
        "held": held(sandbox),
        "runs": project.command("runs", "p.yaml", "--json").json["runs"],
        "next run": project.run(),
    }


def test_what_fits_is_written_as_kartras_import_takes_it_and_the_rest_is_listed_with_the_reason(
    scenes: Scenes,
) -> None:
    seen = scenes["round_trip"]
    files = seen["files"].json
    assert seen["files"].code == 3
    assert (files["written"], files["misfits"], files["rows"]["blocked"], files["rows"]["invalid"]) == (
        *(5, 1, 1, 1),
    )
    assert files["not_carried"] == ["sequences"]
    assert seen["written"].keys() == {"newsletter-import-001.csv", "newsletter-left-out.csv"}
    assert seen["written"]["newsletter-import-001.csv"].splitlines()[:3] == [
        "email,first_name,city,note,size,fruits,tags,lists",
        'lead0@example.org,First 0,Lyon,"note, 0",small,apple,Imported;VIP,News',
        'lead1@example.org,First 1,Kraków,"note, 1",medium,apple;pear,Blog;Imported;VIP,News',
    ]
    assert seen["written"]["newsletter-left-out.csv"].splitlines() == [
        "row,line,kind,reason",
        '7,7,blocked,"no consent in the column ""Consent"": ""no"""',
        "8,8,invalid,not an e-mail address: no @",
        '9,9,invalid,"""VIP-2024"": the import takes names of letters, digits and spaces"',
    ]
    assert seen["modes"] == {0o600}
    assert (seen["again"].code, "--replace" in seen["again"].stderr) == (2, True)


def test_after_the_import_everybody_in_the_files_counts_as_sent_and_only_the_rest_is_sent(
    scenes: Scenes,
) -> None:
    seen = scenes["round_trip"]
    adopted = seen["adopted"].json
    assert (seen["imported"], adopted["adopted"], seen["calls of adopt"]) == (5, 5, 0)
    assert adopted["left"] == LEFT | {"not_imported": 1}
    assert (adopted["given"], adopted["owed"], adopted["in_import_files"]) == (["sequences"], [], 5)
    assert adds_up(seen["adopted"])
    assert seen["plan"]["leads"]["unchanged"] == 5
    assert seen["plan"]["actions"] == {  # of the one that did not fit
        "assign_tag": 2,
        "create_lead": 1,
        "subscribe_lead_to_list": 1,
        "subscribe_lead_to_sequence_at_step": 1,
    }
    assert (seen["run"].json["leads"]["created"], seen["run"].json["leads"]["unchanged"]) == (1, 5)
    rows = [*(contact(number) for number in range(5)), contact(7, Tags="VIP-2024")]
    assert {email: lead | {"sequences": {}} for email, lead in seen["held"].items()} == {
        email: lead | {"sequences": {}} for email, lead in all_wished(rows).items()
    }
    assert (seen["next run"].json["calls"]["sent"], seen["next run"].json["leads"]["unchanged"]) == (0, 6)


def test_both_stand_among_the_runs(scenes: Scenes) -> None:
    told = [(one["message"], one["status"]) for one in scenes["round_trip"]["runs"][1:]]
    assert told == [
        ("adopt: 5 leads taken over", "partial"),
        ("export-import: 5 leads in 1 file", "partial"),
    ]


# --- compared with Kartra


@SCENES.add
def through_a_hook(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """A hook stands between the source and the mapping."""
    project.pipeline(f"{LOAD}\ntransform: hook:loud\n")
    hook = 'def loud(frame):\n    frame["City"] = frame["City"].str.upper()\n    return frame\n'
    (project.folder / "hook.py").write_text(hook, encoding="utf-8")
    project.contacts([contact(0, City="Lyon")])
    files = exported(project)
    cities = [row["city"] for row in rows_of(files_of(project)[0])]
    return {"code": files.code, "cities": cities, "adopted": adopt(project), "plan": planned(project)}


def test_a_hook_stands_before_files_and_adoptions_as_before_loads(scenes: Scenes) -> None:
    seen = scenes["through_a_hook"]
    assert (seen["code"], seen["cities"], seen["adopted"].json["adopted"]) == (0, ["LYON"], 1)
    assert (seen["plan"]["leads"]["unchanged"], seen["plan"]["calls"]["estimated"]) == (1, 0)


@SCENES.add
def compared(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Six leads: two as their records say, one of those without the sequence; then one each that differs."""
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(6)])
    exported(project)
    import_into(sandbox.account, files_of(project))
    account = sandbox.account
    leads = [account.lead(f"lead{number}@example.org") for number in range(6)]
    for number, lead in enumerate(leads):
        assert lead is not None
        if number == 1:
            lead.tags.discard("VIP")
            lead.fields["city"] = "Elsewhere"
        if number == 2:
            lead.deleted = True
        if number == 3:  # the import had refused it
            account.change_address(lead, "somebody@example.org")
    sandbox.reset_calls()
    seen = {
        "adopted": adopt(project, "--verify", "100", "--show"),
        "calls": [call.commands for call in sandbox.calls],
        "ids": {key: lead_id for key, (lead_id, *_) in known(project).items()},
        "told": project.command("adopt", "p.yaml", "--verify", "100"),
        "plan": planned(project),
    }
    sample = [adopt(project, "--verify", "2", "--show").json for _ in range(2)]
    return seen | {"sample": sample, "account": {lead.email: lead.id for lead in account.leads.values()}}


def test_what_is_not_in_kartra_as_its_record_says_is_told_and_what_kartra_does_not_know_is_sent(
    scenes: Scenes,
) -> None:
    seen = scenes["compared"]
    verified = seen["adopted"].json["verified"]
    assert seen["adopted"].code == 3
    assert {name: count for name, count in verified.items() if name != "differences"} == {
        "asked": 6,
        "same": 0,
        "differing": 4,
        "unknown": 1,
        "deleted": 1,
        "failed": 0,
    }
    found = {(one["key"], one["row"], one["told"]) for one in verified["differences"]}
    assert found == {
        ("lead1@example.org", 3, "field city differs"),
        ("lead1@example.org", 3, 'without the tag "VIP"'),
        *(
            (f"lead{number}@example.org", number + 2, 'not in the sequence "Onboarding"')
            for number in (0, 1, 4, 5)
        ),
    }
    assert seen["calls"] == [("get_lead",)] * 6
    assert {name: count for name, count in seen["plan"]["leads"].items() if count} == {
        "created": 1,
        "unchanged": 5,
    }
    assert adds_up(seen["adopted"])


def test_the_numbers_of_the_leads_that_were_looked_at_are_learned(scenes: Scenes) -> None:
    seen = scenes["compared"]
    assert seen["ids"] == {
        f"lead{number}@example.org": seen["account"].get(f"lead{number}@example.org") if number != 2 else None
        for number in (0, 1, 2, 4, 5)
    }


def test_people_are_masked_and_a_seed_looks_at_the_same_ones(scenes: Scenes) -> None:
    seen = scenes["compared"]
    assert "row 3, l***@e***.org" in seen["told"].stdout
    assert "lead1@" not in seen["told"].stdout + seen["told"].stderr
    first, second = seen["sample"]
    assert first["verified"]["asked"] == 2
    assert first["verified"] == second["verified"]


# --- before and after


@SCENES.add
def edited_later(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Two leads whose numbers nobody has seen: one moves and gets points, one gets another address."""
    project.pipeline(BY_ID)
    rows = [
        {"Id": "1", "Email": "ann@example.org", "City": "Lyon", "Points": "10"},
        {"Id": "2", "Email": "ben@example.org", "City": "Leeds", "Points": "10"},
    ]
    project.contacts(rows)
    for row in rows:
        sandbox.account.add_lead(row["Email"], city=row["City"])
    adopted = adopt(project)
    project.contacts([rows[0] | {"City": "Paris", "Points": "15"}, rows[1] | {"Email": "ben@new.example"}])
    sandbox.reset_calls()
    run = project.run()
    return {
        "adopted": adopted,
        "run": run,
        "named": sorted((call.commands, *sorted(said(call).lead.items())) for call in sandbox.calls),
        "account": {lead.email: (lead.fields, lead.score) for lead in sandbox.account.leads.values()},
        "ids": {key: lead_id for key, (lead_id, *_) in known(project).items()},
        "numbers": sorted(sandbox.account.leads),
        "plan": planned(project),
        "undo": project.command("adopt", "p.yaml", "--undo", "--json"),
    }


def test_a_lead_whose_number_nobody_has_seen_is_edited_by_its_address_and_its_number_learned(
    scenes: Scenes,
) -> None:
    seen = scenes["edited_later"]
    assert (seen["adopted"].json["adopted"], seen["adopted"].json["given"]) == (2, ["points"])
    ann, _ = seen["numbers"]
    assert seen["named"] == [
        (("edit_lead",), ("email", "ben@example.org"), ("new_email", "ben@new.example")),
        (("edit_lead", "give_points_to_lead"), ("city", "Paris"), ("id", ann)),
        (("get_lead",), ("email", "ann@example.org")),
    ]
    assert seen["account"] == {
        "ann@example.org": ({"city": "Paris"}, 5),
        "ben@new.example": ({"city": "Leeds"}, 0),
    }
    assert seen["ids"] == dict(zip(("1", "2"), seen["numbers"], strict=True))
    assert seen["plan"]["calls"]["estimated"] == 0


def test_what_was_sent_to_since_is_not_undone(scenes: Scenes) -> None:
    assert scenes["edited_later"]["undo"].json == {"undone": 0}


@SCENES.add
def never_imported(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Two leads that count as imported and are not there: one moves, one gets points."""
    project.pipeline(BY_ID)
    rows = [
        {"Id": "1", "Email": "ann@example.org", "City": "Lyon", "Points": "10"},
        {"Id": "2", "Email": "ben@example.org", "City": "Leeds", "Points": "10"},
    ]
    project.contacts(rows)
    adopt(project)
    project.contacts([rows[0] | {"City": "Paris"}, rows[1] | {"Points": "15"}])
    return {
        "run": project.run(),
        "account": {lead.email: (lead.fields, lead.score) for lead in sandbox.account.leads.values()},
        "next run": project.run(),
    }


def test_a_lead_that_was_adopted_and_never_imported_is_made_once_there_is_something_to_send(
    scenes: Scenes,
) -> None:
    seen = scenes["never_imported"]
    assert {name: count for name, count in seen["run"].json["leads"].items() if count} == {"created": 2}
    assert seen["account"] == {
        "ann@example.org": ({"city": "Paris"}, 10),
        "ben@example.org": ({"city": "Leeds"}, 15),
    }
    assert (seen["next run"].json["calls"]["sent"], seen["next run"].json["leads"]["unchanged"]) == (0, 2)


@SCENES.add
def lost_edit(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """The answers to two changes of an address are lost: one had landed, one had not."""
    project.pipeline(BY_ID.replace("points: {column: Points}\n", ""), kartra="settle_s: 1\ntimeout_s: 1")
    rows = [{"Id": str(number), "Email": f"a{number}@example.org", "City": "Lyon"} for number in range(6)]
    project.contacts(rows)
    for row in rows:
        sandbox.account.add_lead(row["Email"], city=row["City"])
    adopt(project)
    project.contacts([row | {"Email": row["Email"].replace("example", "new")} for row in rows])
    edits = frozenset({"edit_lead"})
    sandbox.reset_calls()
    sandbox.set_faults(Faults(cut_after=0.4, cut_before=0.4, seed=0, commands=edits, to_call=10))
    run = project.run()
    faults = {call.fault for call in sandbox.calls}
    sandbox.set_faults(Faults())
    return {"run": run, "faults": faults, "held": held(sandbox).keys(), "next run": project.run()}


def test_a_lost_answer_to_such_an_edit_is_settled_under_the_address_that_the_lead_has(
    scenes: Scenes,
) -> None:
    seen = scenes["lost_edit"]
    assert seen["faults"] >= {"cut_after", "cut_before"}
    assert seen["held"] == {f"a{number}@new.org" for number in range(6)}
    assert {name: count for name, count in seen["run"].json["leads"].items() if count} == {"edited": 6}
    assert (seen["next run"].json["calls"]["sent"], seen["next run"].json["leads"]["unchanged"]) == (0, 6)


@SCENES.add
def some_known(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Two leads were loaded; one of their records changes, one is added. Then other scopes, and a lease."""
    project.pipeline(LOAD, kartra="settle_s: 1")
    project.contacts([contact(0), contact(1)])
    project.run()
    project.contacts([contact(0, City="Paris"), contact(1), contact(2)])
    sandbox.reset_calls()
    first = adopt(project)
    seen = {"first": first, "calls": len(sandbox.calls), "plan": planned(project)}
    seen["by hand"] = known(project)["lead2@example.org"]
    time.sleep(1.1)  # a lead that changed just now is left alone
    seen["drift"] = project.command("drift", "p.yaml", "--within", "0s", "--json", "--show")
    project.pipeline(LOAD, kartra="mode: test")
    seen["test mode"] = adopt(project, "--new-account")
    seen["plan in test mode"] = planned(project)
    project.environ["KARTRA_API_KEY"] = "ANOTHER"
    project.pipeline(LOAD)
    seen["not let in"] = adopt(project)
    seen["another account"] = adopt(project, "--new-account")
    with Store(project.state) as store:
        store.runs.take_lease("newsletter", this_process("elsewhere", utc_now()))
        seen["locked"] = [adopt(project), exported(project), adopt(project, "--undo")]
    return seen


def test_a_known_lead_whose_record_changed_is_left_to_the_next_run(scenes: Scenes) -> None:
    seen = scenes["some_known"]
    first = seen["first"].json
    assert (first["adopted"], first["known"], first["left"]) == (1, 1, LEFT | {"changed": 1})
    assert (seen["first"].code, seen["calls"], adds_up(seen["first"])) == (0, 0, True)
    assert (seen["plan"]["leads"]["unchanged"], seen["plan"]["leads"]["edited"]) == (2, 1)
    assert seen["plan"]["actions"] == {"edit_lead": 1}


def test_a_look_for_drift_finds_an_adopted_lead_by_its_address(scenes: Scenes) -> None:
    drift = scenes["some_known"]["drift"].json
    assert ("lead2@example.org", "unknown in Kartra") in {(one["key"], one["told"]) for one in drift["drift"]}


def test_adopting_in_one_mode_or_account_says_nothing_of_another(scenes: Scenes) -> None:
    seen = scenes["some_known"]
    assert (seen["test mode"].json["adopted"], seen["test mode"].json["known"]) == (3, 0)
    assert seen["plan in test mode"]["leads"]["unchanged"] == 3
    assert seen["not let in"].code == 2
    assert (seen["another account"].json["adopted"], seen["another account"].json["known"]) == (3, 0)


def test_nothing_is_adopted_or_exported_while_the_pipeline_is_being_run(scenes: Scenes) -> None:
    assert [done.code for done in scenes["some_known"]["locked"]] == [5, 5, 5]


@SCENES.add
def owed(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    project.pipeline(LOAD)
    rows = [contact(number) for number in range(3)]
    project.contacts(rows)
    exported(project)
    import_into(sandbox.account, files_of(project))
    return {
        "given": adopt(project).json,
        "plan": planned(project),
        "undo": project.command("adopt", "p.yaml", "--undo", "--json").json,
        "owed": adopt(project, "--owed", "sequences").json,
        "same again": adopt(project, "--owed", "sequences").json,
        "run": project.run(),
        "held": held(sandbox),
        "next run": project.run(),
        "rows": rows,
    }


def test_a_sequence_counts_as_given_unless_it_is_owed_and_then_the_next_run_gives_it_once(
    scenes: Scenes,
) -> None:
    seen = scenes["owed"]
    assert (seen["given"]["given"], seen["plan"]["calls"]["estimated"]) == (["sequences"], 0)
    assert (seen["undo"], seen["owed"]["adopted"], seen["owed"]["owed"]) == ({"undone": 3}, 3, ["sequences"])
    assert seen["same again"]["adopted"] == 0
    assert seen["run"].json["actions"] == {"subscribe_lead_to_sequence_at_step": 3}
    assert seen["held"] == all_wished(seen["rows"])
    assert seen["next run"].json["calls"]["sent"] == 0


@SCENES.add
def changed_meanwhile(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """While Kartra reviews the import a record changes, one comes, and one person asks to be forgotten."""
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(4)])
    exported(project)
    import_into(sandbox.account, files_of(project))
    project.contacts([contact(0), contact(1, City="Paris"), contact(2), contact(3), contact(4)])
    forgotten = project.command("state", "forget", "p.yaml", "lead3@example.org", "--yes", "--json")
    adopted = adopt(project)
    project.run()
    return {
        "forgotten": forgotten.json,
        "adopted": adopted.json,
        "held": held(sandbox),
        "new": project.contacts([contact(number) for number in range(4, 7)]),
        "exported": exported(project, "--replace").json,
        "whole": adopt(project, "--whole-source").json,
    }


def test_only_what_stands_in_the_files_as_it_does_is_adopted(scenes: Scenes) -> None:
    seen = scenes["changed_meanwhile"]
    assert seen["forgotten"]["erased"]["imports"] == 1
    assert (seen["adopted"]["adopted"], seen["adopted"]["rows"]["blocked"]) == (2, 1)
    assert seen["adopted"]["left"] == LEFT | {"not_imported": 2}
    assert seen["held"]["lead1@example.org"]["fields"]["city"] == "Paris"
    assert seen["held"]["lead4@example.org"]["tags"] == {"Imported", "Blog", "VIP"}


def test_an_export_holds_only_what_kartra_does_not_have(scenes: Scenes) -> None:
    seen = scenes["changed_meanwhile"]
    assert (seen["exported"]["written"], seen["exported"]["known"]) == (2, 1)
    assert (seen["whole"]["adopted"], seen["whole"]["known"]) == (2, 1)


@SCENES.add
def one_address(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """Two customers with one address; one is in Kartra."""
    project.pipeline(BY_ID)
    project.contacts(
        [
            {"Id": "1", "Email": "shop@example.org", "City": "Lyon", "Points": ""},
            {"Id": "2", "Email": "shop@example.org", "City": "Leeds", "Points": ""},
        ]
    )
    sandbox.account.add_lead("shop@example.org", city="Lyon")
    return {
        "exported": exported(project).json,
        "adopted": adopt(project).json,
        "run": project.run(),
        "lead": held(sandbox)["shop@example.org"],
    }


def test_of_two_records_with_one_address_one_is_adopted_and_the_other_never_edits_its_lead(
    scenes: Scenes,
) -> None:
    seen = scenes["one_address"]
    assert (seen["exported"]["written"], seen["exported"]["misfits"]) == (1, 1)
    assert (seen["adopted"]["adopted"], seen["adopted"]["left"]) == (1, LEFT | {"shared": 1})
    assert (seen["run"].json["leads"]["unchanged"], seen["run"].json["leads"]["rejected"]) == (1, 1)
    assert seen["lead"]["fields"] == {"city": "Lyon"}


# --- size, and kills

MANY = 6_000


def contacts_of(count: int) -> list[dict[str, str]]:
    return [
        {"Id": str(number), "Email": f"a{number}@example.org", "City": "Lyon", "Points": ""}
        for number in range(count)
    ]


@SCENES.add
def killed(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """A kill as soon as some of the leads are adopted; the same again; the same in one go, from nothing."""
    project.pipeline(BY_ID)
    project.contacts(contacts_of(MANY))
    in_between = MANY
    while in_between == MANY:  # on a busy machine a kill may come late
        project.command("adopt", "p.yaml", "--undo")
        process = project.start("adopt", "p.yaml")
        wait_until(lambda: count_known(project) > 0, "an adopted lead")
        kill(process)
        in_between = count_known(project)
    again = adopt(project)
    mended = known(project)
    undone = project.command("adopt", "p.yaml", "--undo", "--json").json
    return {
        "in between": in_between,
        "again": again.json,
        "mended": mended,
        "undone": undone,
        "in one go": adopt(project).json,
        "known": known(project),
    }


def test_after_a_kill_the_same_again_ends_in_the_same_state(scenes: Scenes) -> None:
    seen = scenes["killed"]
    assert 0 < seen["in between"] < MANY
    assert (seen["again"]["known"], seen["again"]["adopted"]) == (
        seen["in between"],
        MANY - seen["in between"],
    )
    assert seen["undone"] == {"undone": MANY}
    assert (seen["in one go"]["adopted"], len(seen["known"])) == (MANY, MANY)
    assert seen["mended"] == seen["known"]


def test_no_file_has_more_leads_than_the_import_takes(project: Project) -> None:
    environ = {"KARTRA_URL": "http://127.0.0.1:9/api", "KARTRA_APP_ID": "a"}
    environ |= {"KARTRA_API_KEY": "k", "KARTRA_API_PASSWORD": "p"}
    project.contacts(contacts_of(20_001))
    written = export_import(read_pipeline(project.pipeline(BY_ID), environ), project.folder / "import")
    assert [(path.name, count) for path, count in written.files] == [
        ("newsletter-import-001.csv", 19_999),
        ("newsletter-import-002.csv", 2),
    ]
    assert [len(rows_of(path)) for path, _ in written.files] == [19_999, 2]


# --- what is refused at once


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tags: [VIP-2024]", 'load.tags: "VIP-2024" is for every lead'),
        ("sync_mode: update_only", "load.sync_mode is update_only"),
    ],
)
def test_what_would_leave_out_every_lead_is_one_message(line: str, told: str, project: Project) -> None:
    project.environ |= {"KARTRA_URL": "http://127.0.0.1:9/api", "KARTRA_APP_ID": "a"}
    project.environ |= {"KARTRA_API_KEY": "k", "KARTRA_API_PASSWORD": "p"}
    project.pipeline(f"{BY_ID}{line}\n")
    project.contacts(contacts_of(1))
    done = exported(project)
    assert (done.code, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
    assert not (project.folder / "import").exists()
