"""`--json`: one JSON object on stdout and nothing else there, whatever happens."""

import json
import signal

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.command.several import together
from tests.conftest import LOAD, Project, Result, contact

ROWS = ["read", "invalid", "duplicate", "blocked"]
LEADS = ["unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred"]
CALLS = ["sent", "throttled", "retried", "read_back"]


def only_object(result: Result) -> dict[str, object]:
    """stdout as a whole."""
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def test_run_and_plan_have_exactly_the_keys_that_programs_rely_on(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    planned = project.command("plan", "p.yaml", "--json")
    ran = project.run()
    run = only_object(ran)
    assert list(run) == [
        "run_id",
        "pipeline",
        "status",
        "rows",
        "leads",
        "actions",
        "calls",
        "account",
        "pulled",
        "seconds",
    ]
    assert {key: list(ran.json[key]) for key in ("rows", "leads", "calls")} == {
        "rows": ROWS,
        "leads": LEADS,
        "calls": CALLS,
    }
    assert (run["pipeline"], run["status"], run["pulled"]) == ("newsletter", "succeeded", {})
    assert isinstance(run["seconds"], float)
    plan = only_object(planned)
    assert {key: list(planned.json[key]) for key in ("rows", "leads", "calls")} == {
        "rows": ROWS,
        "leads": LEADS,
        "calls": ["estimated"],
    }
    assert {"pipeline", "rows", "leads", "actions", "calls", "seconds_estimated"} <= set(plan)
    assert (ran.stderr, planned.stderr) == ("", "")


def test_every_verb_prints_one_object(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1), contact(2, Email="nobody")])
    project.pipeline(LOAD)
    assert project.run().code == 3
    results = together(
        project,
        [
            ("check", "p.yaml", "--json", "-vv"),
            ("plan", "p.yaml", "--json", "-vv"),
            ("run", "p.yaml", "--json", "-vv"),
            ("status", "--json"),
            ("runs", "--json"),
            ("rejects", "p.yaml", "--json"),
            ("explain", "p.yaml", "lead1@example.org", "--json"),
            ("schema", "--json"),
        ],
    )
    assert [result.code for result in results] == [0, 0, 3, 0, 0, 0, 0, 0]
    keys = [set(only_object(result)) for result in results]
    assert keys[0] == {"ok", "files"}
    assert keys[3:6] == [{"pipelines"}, {"runs"}, {"rejects"}]
    assert {"key", "source", "mapped", "states", "decision", "journal"} <= keys[6]


def test_rejects_as_csv_and_json_still_prints_one_object(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1), contact(2, Email="nobody")])
    project.pipeline(LOAD)
    assert project.run().code == 3
    done = project.command("rejects", "p.yaml", "--csv", "again.csv", "--json")
    assert done.code == 0
    assert (project.folder / "again.csv").exists()
    assert isinstance(only_object(done), dict)


def test_rejects_are_listed_whole_however_many_there_are(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    for count in (0, 1, 1_001):
        project.contacts([contact(0), *(contact(number, Email="no\u2028body") for number in range(count))])
        assert project.run().code == (3 if count else 0)
        listed, told = together(project, [("rejects", "p.yaml", "--json"), ("rejects", "p.yaml")])
        rejects = listed.json["rejects"]
        assert [reject["row"] for reject in rejects] == list(range(3, count + 3))
        assert listed.stdout == json.dumps({"rejects": rejects}, ensure_ascii=False, indent=2) + "\n"
        assert told.stdout.count(" invalid ") == count
        assert told.stdout.count(" reason ") == -(-count // 1_000)


@pytest.mark.parametrize("verb", ["check", "plan", "run", "status", "runs", "rejects", "explain"])
def test_every_verb_prints_one_object_for_a_pipeline_that_is_wrong(verb: str, project: Project) -> None:
    (project.folder / "p.yaml").write_text("pipeline: newsletter\nkartr: {}\n", encoding="utf-8")
    done = project.command(verb, "p.yaml", *(["x@example.org"] if verb == "explain" else []), "--json")
    assert done.code == 2
    assert "p.yaml:2:1: kartr: unknown key" in json.dumps(only_object(done))


def test_a_usage_error_prints_one_object(project: Project) -> None:
    for words in (("run", "--json"), ("nonsense", "--json"), ("runs", "--count", "x", "--json")):
        done = project.command(*words)
        assert done.code == 2
        assert {key: only_object(done)[key] for key in ("status", "exit_code")} == {
            "status": "refused",
            "exit_code": 2,
        }


def test_the_sandbox_announces_itself_as_one_object_and_ends_on_sigterm(project: Project) -> None:
    process = project.start("sandbox", "--port", "0", "--json")
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n") or text.count("{") != text.count("}"):
        line = process.stdout.readline()
        assert line, process.stderr
        text += line
    announced = json.loads(text)
    project.environ |= {"KARTRA_URL": announced["url"], **announced["environment"]}
    assert list(announced["environment"]) == [
        "KARTRA_URL",
        "KARTRA_APP_ID",
        "KARTRA_API_KEY",
        "KARTRA_API_PASSWORD",
    ]
    assert announced["environment"]["KARTRA_URL"] == announced["url"]
    project.contacts([contact(number) for number in range(2)])
    project.pipeline(LOAD)
    done = project.run()
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    assert (done.code, done.json["leads"]["created"]) == (0, 2)
    assert (process.returncode, rest, errors) == (0, "", "")
