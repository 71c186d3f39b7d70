"""Looking without touching: plan, check, status, runs and explain."""

import re
from typing import Any

import pytest

from connectors.kartra.error_types import error_type
from connectors.kartra.sandbox import Account, Sandbox
from tests.command.several import named_pipeline, together, writes
from tests.conftest import LOAD, Project, contact

NO_LEADS = dict.fromkeys(
    ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred"), 0
)


def plan(project: Project) -> dict[str, Any]:
    done = project.command("plan", "p.yaml", "--json")
    assert (done.code, done.stderr) == (0, "")
    planned: dict[str, Any] = done.json
    return planned


def test_a_plan_is_what_the_run_then_does(project: Project, sandbox: Sandbox) -> None:
    load = LOAD + "on_removed: [untag]\nguards: {max_removed: 50%}\n"
    project.pipeline(load)
    first = [
        *(contact(number) for number in range(5)),
        contact(0),
        contact(7, Email="nobody"),
        contact(8, Consent=""),
    ]
    second = [contact(0), contact(1, City="Porto", Tags="Blog"), contact(2), contact(4), contact(6)]
    for rows in (first, second, second):
        project.contacts(rows)
        sandbox.reset_calls()
        planned = plan(project)
        assert writes(sandbox) == []
        done = project.run().json
        assert planned["rows"] == done["rows"]
        assert planned["leads"] == done["leads"]
        assert planned["actions"] == done["actions"]
        assert planned["calls"]["estimated"] == done["calls"]["sent"]
        assert planned["seconds_estimated"] == round(done["calls"]["sent"] / 20, 1)
    assert done["leads"] == NO_LEADS | {"unchanged": 5}


def test_a_plan_leaves_no_state_file_behind(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    before = sorted(project.folder.rglob("*"))
    planned = plan(project)
    assert planned["leads"] == NO_LEADS | {"created": 1}
    assert sorted(project.folder.rglob("*")) == before
    assert writes(sandbox) == []


@pytest.mark.parametrize("planned", ["the same pipeline", "another pipeline", "Test mode"])
def test_a_plan_leaves_the_state_as_it_is(planned: str, project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    project.contacts([contact(1, City="Porto"), contact(2), contact(3, Email="nobody")])
    if planned == "another pipeline":
        named_pipeline(project, "another", LOAD)
    elif planned == "Test mode":
        project.pipeline(LOAD, kartra="mode: test")
    before = {file.name: file.read_bytes() for file in project.state.parent.iterdir()}
    done = project.command("plan", "another.yaml" if planned == "another pipeline" else "p.yaml", "--json")
    if planned == "Test mode":  # its lead is stored under its own address
        assert (done.code, "mode: test" in done.stderr) == (4, True)
    else:
        assert (done.code, done.json["rows"]["read"]) == (0, 3)
    assert {file.name: file.read_bytes() for file in project.state.parent.iterdir()} == before


def test_a_plan_in_words_says_what_would_be_sent(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1), contact(2), contact(3, Email="nobody")])
    project.pipeline(LOAD)
    done = project.command("plan", "p.yaml")
    assert (done.code, done.stderr) == (0, "")
    fingerprint = project.command("plan", "p.yaml", "--json").json["account"]["fingerprint"]
    lines = [re.sub(r"about [0-9: -]+,", "about 02:41,", line) for line in done.stdout.splitlines()]
    assert lines == [
        "newsletter: plan, nothing was sent",
        f"  account {fingerprint}",
        "  rows          3 read",
        "                1 invalid",
        "  leads         2 created",
        "                4 × assign_tag",
        "                2 × create_lead",
        "                2 × subscribe_lead_to_list",
        "                2 × subscribe_lead_to_sequence_at_step",
        '  gives         2 leads tag "Imported"',
        '                2 leads list "News"',
        '                2 leads sequence "Onboarding"',
        '                1 lead tag "Blog"',
        '                1 lead tag "VIP"',
        "  calls         7 estimated, 0 s at the set rate",
        "                ends about 02:41, with less than 0.1% of the calls an App has in a day",
        "                and two more for each new lead that Kartra has already",
        "  know:  2 leads would be created through the API, which records no agreement to the GDPR terms:"
        " depending on the account's GDPR settings Kartra does not mail them. Kartra's own import can vouch"
        " for them: kartra-sync export-import p.yaml, then adopt p.yaml",
        "  know:  5 names are given that can start automations, and so mail:"
        ' tag "Imported" reaches the most leads, 2',
    ]


def test_check_compares_names_where_there_are_credentials_and_says_where_not(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts(
        [contact(1), contact(2, Email="nobody"), contact(3, Email="no one"), contact(4, Consent="")]
    )
    project.pipeline(LOAD)
    with_credentials = project.command("check", "p.yaml", "--json")
    rows = {"read": 4, "invalid": 2, "blocked": 1}
    assert with_credentials.code == 0
    assert with_credentials.json == {
        "ok": True,
        "files": [
            {
                "file": "p.yaml",
                "pipeline": "newsletter",
                "ok": True,
                "problems": [],
                "notes": ["read as utf-8, delimiter ','"],
                "rows": rows,
                "blocked_reasons": [{"reason": 'no consent in the column "Consent"', "rows": 1}],
                "unclear": [],
                "names_checked": True,
                "missing": [],
                "defaults": {
                    "kartra.mode": "live",
                    "state": "state/kartra.db",
                    "load.sync_mode": "upsert",
                    "load.existing": "update",
                    "load.on_removed": "ignore",
                    "load.blank": "ignore",
                    "load.duplicates": "last",
                },
            }
        ],
    }
    assert writes(sandbox) == []
    sandbox.reset_calls()
    for name in ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"):
        del project.environ[name]
    without, told = together(project, [("check", "p.yaml", "--json"), ("check", "p.yaml")])
    assert (without.code, told.code) == (0, 0)
    found = without.json["files"][0]
    assert (found["ok"], found["rows"], found["names_checked"]) == (True, rows, False)
    assert told.stdout.splitlines() == [
        "p.yaml: ok, 4 records",
        "  read as utf-8, delimiter ','",
        "  credentials are not set: names were not compared with the account",
        "  2 invalid: not an e-mail address: no @",
        "  1 without consent, opted out or forgotten",
        '                    1 no consent in the column "Consent"',
        "  left out of the file, so the default: kartra.mode: live, state: state/kartra.db,"
        " sync_mode: upsert, existing: update, on_removed: ignore, blank: ignore, duplicates: last",
    ]
    assert sandbox.calls == []


def test_check_of_several_files_judges_each_and_exits_with_the_worst(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1)])
    named_pipeline(project, "good", LOAD)
    named_pipeline(project, "typo", LOAD.replace("key: email", "kee: email"))
    named_pipeline(project, "tagged", LOAD.replace("[Imported,", "[Importd,"))
    done = project.command("check", "good.yaml", "typo.yaml", "tagged.yaml", "--json")
    assert done.code == 2
    assert [(one["file"], one["ok"]) for one in done.json["files"]] == [
        ("good.yaml", True),
        ("typo.yaml", False),
        ("tagged.yaml", False),
    ]
    assert done.json["files"][1]["problems"] == ['typo.yaml:9:3: load.kee: unknown key; did you mean "key"?']
    assert done.json["files"][2]["missing"] == [{"what": 'tag "Importd"', "near": "Imported", "leads": 1}]


def test_status_and_runs_of_a_pipeline_that_never_ran(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    as_json, told, runs, rejects = together(
        project, [("status", "--json"), ("status", "p.yaml"), ("runs",), ("rejects", "p.yaml")]
    )
    assert as_json.json == {
        "pipelines": [
            {
                "pipeline": "newsletter",
                "account": None,
                "leads": 0,
                "waiting": {"unknown": 0, "parked": 0, "rejected": 0},
                "last_run": None,
                "running": None,
            }
        ]
    }
    assert told.stdout == "newsletter: 0 leads in Kartra, never run\n"
    assert (runs.stdout, rejects.stdout) == ("no runs yet\n", "none\n")
    assert not project.state.parent.exists()


def test_status_and_runs_tell_of_the_last_runs_and_need_no_credentials(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.add_lead("lead1@example.org").deleted = True
    project.contacts([contact(0), contact(1)])
    project.pipeline(LOAD)
    first, second = project.run().json, project.run().json
    for name in ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"):
        del project.environ[name]
    status, told, runs, one = together(
        project,
        [("status", "--json"), ("status",), ("runs", "--json"), ("runs", "p.yaml", "--count", "1", "--json")],
    )
    (found,) = status.json["pipelines"]
    assert (found["leads"], found["waiting"], found["running"]) == (
        1,
        {"unknown": 0, "parked": 0, "rejected": 1},
        None,
    )
    assert found["last_run"]["run_id"] == second["run_id"]
    listed = runs.json["runs"]
    assert [(run["run_id"], run["status"], run["mode"], run["message"]) for run in listed] == [
        (second["run_id"], "partial", "live", None),
        (first["run_id"], "partial", "live", None),
    ]
    assert [run["summary"]["leads"] for run in listed] == [second["leads"], first["leads"]]
    assert one.json["runs"] == listed[:1] == [found["last_run"]]
    started = listed[0]["started_at"][:16].replace("T", " ")
    assert told.stdout == (
        f"newsletter: 1 lead in Kartra, last run {started} UTC, partial\n"
        f"  account {first['account']['fingerprint']}\n"
        "  1 refused, and not sent again until something changes: kartra-sync rejects says why\n"
    )  # fmt: skip


def test_explain_follows_one_lead_from_its_row_to_its_journal(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(0), contact(1, Email=" LEAD1@Example.org ")])
    project.pipeline(LOAD)
    words = ("explain", "p.yaml", "Lead1@example.org", "--json", "--show")
    before = project.command(*words).json
    assert before["decision"].startswith(
        "create: first_name, city, note, size, fruits, assign_tag Imported, "
    )
    assert (before["key"], before["states"], before["journal"]) == ("lead1@example.org", [], [])
    assert [one["row"] for one in before["source"]] == [3]
    assert before["source"][0]["record"]["Email"] == " LEAD1@Example.org "

    run_id = project.run().json["run_id"]
    after = project.command(*words).json
    (state,) = after["states"]
    assert (state["mode"], state["origin"], state["decision"]) == (
        "live",
        "created",
        "nothing: as Kartra acknowledged it",
    )
    assert state["acknowledged"]["fields"] == {"first_name": "First 1", "city": "Kraków"}
    assert after["decision"] is None
    (entry,) = after["journal"]
    assert {
        key: entry[key] for key in ("run_id", "mode", "kind", "state", "attempts", "outcome", "done")
    } == {
        "run_id": run_id,
        "mode": "live",
        "kind": "load",
        "state": "settled",
        "attempts": 1,
        "outcome": "created",
        "done": "create_lead assign_tag×3 subscribe_lead_to_list subscribe_lead_to_sequence_at_step",
    }

    project.contacts([contact(0), contact(1, City="Porto")])
    assert project.command(*words).json["states"][0]["decision"] == "edit: city"
    project.contacts([contact(0)])
    assert project.command(*words).json["states"][0]["decision"] == "gone from the source"


def test_explain_says_that_a_new_lead_was_refused(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """Kartra never acknowledged anything of it, and the next run does not send it."""
    account.add_lead("lead1@example.org").deleted = True
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    assert project.run().json["leads"] == NO_LEADS | {"rejected": 1}
    reason = error_type("245").explanation
    done = project.command("explain", "p.yaml", "lead1@example.org")
    told = f"decision: was refused: {reason}; sent again when its row changes"
    assert (done.code, told in done.stdout.splitlines()) == (0, True)
    assert f"refused (245: {reason})" in done.stdout
    project.contacts([contact(1, City="Porto")])
    changed = project.command("explain", "p.yaml", "lead1@example.org", "--json").json["decision"]
    assert changed.startswith("create: first_name, city, note, ")


def test_explain_of_a_refused_lead_that_took_its_consent_back_says_what_a_run_would_do(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.add_lead("lead1@example.org").deleted = True
    project.contacts([contact(1), contact(2)])
    project.pipeline(LOAD)
    assert project.run().json["leads"] == NO_LEADS | {"created": 1, "rejected": 1}
    project.contacts([contact(1, Consent="no"), contact(2)])
    explained = project.command("explain", "p.yaml", "lead1@example.org", "--json").json
    assert explained["decision"] == 'not sent: no consent in the column "Consent": "no"'
    assert project.run().json["rows"]["blocked"] == 1


def test_explain_says_why_a_record_is_not_sent(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1, Consent="unsubscribed"), contact(2, Consent="maybe")])
    project.pipeline(LOAD)
    opted_out, without = together(
        project, [("explain", "p.yaml", f"lead{number}@example.org", "--json") for number in (1, 2)]
    )
    assert opted_out.json["decision"] == 'not sent: opted out: "unsubscribed" in the column "Consent"'
    assert without.json["decision"] == 'not sent: no consent in the column "Consent": "maybe"'
