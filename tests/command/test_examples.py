"""What is shipped runs: the demo, the schema, and every example pipeline."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from connectors.kartra.sandbox import Account, Sandbox, demo_account
from tests.command.several import adds_up, ended
from tests.conftest import Project
from tests.importing import import_into
from tests.screens import FOLDER as SCREENS
from tests.screens import demo

CONFIGS = Path(__file__).parent.parent.parent / "configs"
ELSEWHERE = {"schedules", "fleet"}
"""Examples that run in their guide, or are no pipelines."""
EXAMPLES = sorted(
    path for path in CONFIGS.rglob("*.yaml") if path.relative_to(CONFIGS).parts[0] not in ELSEWHERE
)
LOADS = [path for path in EXAMPLES if path.stem in ("cleaning", "crm", "demo", "newsletter", "preferences")]


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} == {
        *("cancelled_event", "cleaning", "crm", "crm_reporting", "demo", "new_account", "newsletter"),
        *("old_account", "preferences"),
        *("reporting", "servers", "tables"),
    }


def test_the_demo_keeps_its_promises_in_words_and_as_json(project: Project) -> None:
    with ThreadPoolExecutor(1) as beside:
        looked_at = beside.submit(demo, project.folder, "60")
        as_json = ended(project.start("demo", "--json"))
    screen = looked_at.result()
    golden = (SCREENS / "demo.txt").read_text(encoding="utf-8")
    assert f"=== 60\n{screen}=== 80 colour\n" in golden  # `python -m tests.screens` writes it anew
    assert (as_json.code, as_json.stderr) == (0, "")
    assert screen.count("\n  ok  ") == len(as_json.json["checks"]) == 6
    assert "NOT KEPT" not in screen
    assert as_json.json["ok"] is True
    assert {one["kept"] for one in as_json.json["checks"]} == {True}
    first, again, changed = as_json.json["runs"]
    assert [adds_up(run) for run in (first, again, changed)] == [True] * 3
    assert (again["calls"]["sent"], changed["calls"]["sent"]) == (0, 5)
    # a lead that the account had before is met on the way: a refused creation, a look and an edit
    assert first["calls"]["sent"] == as_json.json["plan"]["calls"]["estimated"] + 2 * first["leads"]["edited"]
    assert as_json.json["pull"]["pulled"]["leads"] == first["leads"]["created"] + first["leads"]["edited"]
    assert ["1", "Course", "146.00", "0.00", "0.00", "146.00", 2, None, 0] in as_json.json["report"]["rows"]
    assert "Course" in screen
    assert as_json.json["worst_second"] <= 20
    assert list(project.folder.iterdir()) == []


def test_the_schema_is_valid_and_accepts_every_example(project: Project) -> None:
    done = project.command("schema")
    assert (done.code, done.stderr) == (0, "")
    schema = done.json
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = {
        path.name: [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text("utf-8")))]
        for path in EXAMPLES
    }
    assert found == {path.name: [] for path in EXAMPLES}
    example = yaml.safe_load(EXAMPLES[0].read_text("utf-8"))
    assert not validator.is_valid({**example, "lode": {}})
    assert not validator.is_valid({key: value for key, value in example.items() if key != "load"})


def test_the_schema_of_a_fleet_accepts_the_example_and_no_unknown_key(project: Project) -> None:
    done = project.command("schema", "--fleet")
    Draft202012Validator.check_schema(done.json)
    validator = Draft202012Validator(done.json)
    example = yaml.safe_load((CONFIGS / "fleet" / "agency.yaml").read_text("utf-8"))
    assert [error.message for error in validator.iter_errors(example)] == []
    assert not validator.is_valid({**example, "acounts": []})


@pytest.fixture
def demo_sandbox(project: Project) -> Iterator[Sandbox]:
    with Sandbox(demo_account()) as sandbox:
        project.aim(sandbox)
        project.environ |= {f"OLD_{name}": value for name, value in project.environ.items()}
        yield sandbox


def test_every_example_passes_its_check(project: Project, demo_sandbox: Sandbox) -> None:
    shutil.copytree(CONFIGS, project.folder, dirs_exist_ok=True)
    names = [str(path.relative_to(CONFIGS)) for path in EXAMPLES]
    assert project.command("run", "migration/old_account.yaml").code == 0  # the other half reads its tables
    done = project.command("check", *names, "--json")
    assert (done.code, done.stderr, done.json["ok"]) == (0, "", True)
    assert [(one["file"], one["ok"], one["names_checked"]) for one in done.json["files"]] == [
        (name, True, "load:" in (CONFIGS / name).read_text("utf-8")) for name in names
    ]


@pytest.mark.parametrize("example", LOADS, ids=lambda path: path.stem)
def test_an_example_does_what_was_planned_and_then_sends_nothing(
    example: Path, project: Project, demo_sandbox: Sandbox
) -> None:
    shutil.copytree(example.parent, project.folder, dirs_exist_ok=True)
    planned = project.command("plan", example.name, "--json")
    assert (planned.code, planned.stderr) == (0, "")
    assert planned.json["leads"]["created"] > 0
    demo_sandbox.reset_calls()
    ran = project.command("run", example.name, "--json")
    assert ran.code == (3 if ran.json["rows"]["invalid"] else 0)
    assert ran.json["rows"] == planned.json["rows"]
    leads, adopted = ran.json["leads"], ran.json["leads"]["edited"]
    assert leads == planned.json["leads"] | {
        "created": planned.json["leads"]["created"] - adopted,
        "edited": adopted,
    }
    # A call that a loaded machine bunched with others is answered 429, and goes again.
    repeated = ran.json["calls"]["throttled"]
    sent = planned.json["calls"]["estimated"] + 2 * adopted + repeated
    assert (ran.json["calls"]["sent"], len(demo_sandbox.calls)) == (sent, sent)
    again = project.command("run", example.name, "--json")
    assert (again.code, again.json["calls"]["sent"], len(demo_sandbox.calls)) == (ran.code, 0, sent)
    assert again.json["leads"] == leads | {
        "created": 0,
        "edited": 0,
        "unchanged": leads["created"] + leads["edited"],
    }
    assert (adds_up(ran.json), adds_up(again.json)) == (True, True)


def test_the_reporting_extract_fills_tables_and_then_asks_for_names_alone(
    project: Project, demo_sandbox: Sandbox
) -> None:
    shutil.copytree(CONFIGS / "reporting", project.folder, dirs_exist_ok=True)
    assert "does not exist yet" in project.command("status", "reporting.yaml").stdout
    planned = project.command("plan", "reporting.yaml", "--json").json
    assert (planned["pull"], planned["calls"]["estimated"]) == ({"leads": 5, "details": 0}, 5 + 2 * 5)
    ran = project.command("run", "reporting.yaml", "--json")
    assert (ran.code, ran.json["pulled"]["leads"], ran.json["pulled"]["transactions"]) == (0, 3, 8)
    fresh = project.command("report", "reporting.yaml", "freshness", "--json").json
    assert dict(zip(fresh["columns"], fresh["rows"][0], strict=True)) | {
        "last_pull": "",
        "oldest_profile": "",
    } == {
        "last_pull": "",
        "on_roster": 5,
        "pulled": 3,
        "waiting": 0,
        "deleted": 1,
        "unknown_to_kartra": 1,
        "oldest_profile": "",
        "owed": 0,
        "from_export_only": 0,
        "dated_ahead": 0,
    }
    tables = project.command("status", "reporting.yaml", "--json").json["pipelines"][0]["tables"]
    assert (tables["pulled"], tables["on_roster"], tables["waiting"]) == (3, 5, 0)
    assert "tables: 3 of 5 leads, last pulled 20" in project.command("status", "reporting.yaml").stdout
    again = project.command("run", "reporting.yaml", "--json").json
    assert (again["calls"]["sent"], again["pulled"]["leads"]) == (5, 0)


def test_what_a_cancelled_event_takes_is_agreed_to_and_then_done_once(
    project: Project, demo_sandbox: Sandbox
) -> None:
    shutil.copytree(CONFIGS / "operations", project.folder, dirs_exist_ok=True)
    unasked = project.command("run", "cancelled_event.yaml")
    assert (unasked.code, "2 refund, 117.00 altogether" in unasked.stderr) == (4, True)
    ran = project.command("run", "cancelled_event.yaml", "--yes", "--json")
    assert (ran.code, ran.json["operations"]["done"]) == (0, 4), ran.stderr
    assert ran.json["actions"] == {"assign_tag": 1, "modify_subscription_status": 1, "refund_transaction": 2}
    sales = demo_sandbox.account.transactions.values()
    given = sorted(sale.amount for sale in sales if sale.type in ("refund", "partial_refund"))
    assert given == ["20.00", "30.00", "97.00"]
    again = project.command("run", "cancelled_event.yaml", "--json")
    assert (again.code, again.json["calls"]["sent"], adds_up(again.json)) == (0, 0, True)
    told = (project.folder / "results.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[4] for line in told] == ["outcome", *["already done"] * 4]


def test_one_file_loads_and_pulls_what_it_loaded(project: Project, demo_sandbox: Sandbox) -> None:
    shutil.copytree(CONFIGS / "crm_reporting", project.folder, dirs_exist_ok=True)
    ran = project.command("run", "crm_reporting.yaml", "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json["pulled"] == {"tags": 12, "leads": 3, "transactions": 4}
    assert (ran.json["leads"]["created"], ran.json["leads"]["unchanged"]) == (2, 1)
    sales = project.command("report", "crm_reporting.yaml", "revenue-by-product", "--json").json["rows"]
    assert [row[-4:] for row in sales] == [["146.00", 2, None, 0], ["44.00", 2, None, 0]]


def test_an_account_moves_to_another(project: Project, demo_sandbox: Sandbox) -> None:
    shutil.copytree(CONFIGS / "migration", project.folder, dirs_exist_ok=True)
    old = demo_sandbox.account
    new = Account(tags=old.tags, lists=old.lists, custom_fields=old.custom_fields)
    assert project.command("run", "old_account.yaml").code == 0
    with Sandbox(new) as target:
        project.aim(target)
        moved = project.command("run", "new_account.yaml", "--json")
        again = project.command("run", "new_account.yaml", "--json")
    assert (moved.code, again.code) == (0, 0), moved.stdout + moved.stderr
    assert (moved.json["rows"]["blocked"], moved.json["leads"]["created"]) == (1, 2)
    assert again.json["calls"]["sent"] == 0
    assert new.lead("lee@example.net") is None  # who left every list
    for address in ("jo@example.com", "ana@example.org"):
        here, there = old.lead(address), new.lead(address)
        assert here is not None
        assert there is not None
        assert there.tags == here.tags | {"Imported"}
        assert there.lists == {name: True for name, is_active in here.lists.items() if is_active}
        assert there.custom_fields.get("note") == here.custom_fields.get("note")


def test_an_account_moves_to_another_through_kartras_own_import(
    project: Project, demo_sandbox: Sandbox
) -> None:
    shutil.copytree(CONFIGS / "migration", project.folder, dirs_exist_ok=True)
    new = Account(custom_fields=demo_sandbox.account.custom_fields)
    assert project.command("run", "old_account.yaml").code == 0
    with Sandbox(new) as target:
        project.aim(target)
        files = project.command("export-import", "new_account.yaml", "--to", "import", "--json")
        assert import_into(new, [project.folder / one["file"] for one in files.json["files"]]) == 2
        adopted = project.command("adopt", "new_account.yaml", "--verify", "100", "--json")
        run = project.command("run", "new_account.yaml", "--json")
    assert (files.code, adopted.code, run.code) == (0, 0, 0), adopted.stdout
    assert (files.json["misfits"], files.json["rows"]["blocked"], adopted.json["verified"]["same"]) == (
        0,
        1,
        2,
    )
    assert (run.json["calls"]["sent"], run.json["leads"]["unchanged"]) == (0, 2)
    assert new.lead("lee@example.net") is None  # who left every list
