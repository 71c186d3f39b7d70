"""What a run says with its exit code, and what it says beside it."""

import signal

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.command.several import adds_up, ended, executed, named_pipeline, stored, together, wait_for, writes
from tests.conftest import LOAD, Project, contact, kill

FIELDS_ONLY = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First, city: City}
consent: {attested: "sign-up form, 2025"}
"""
NO_LEADS = dict.fromkeys(
    ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred"), 0
)


def test_a_run_without_trouble_is_0_and_one_with_a_refused_row_is_3(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(FIELDS_ONLY)
    project.contacts([contact(1), contact(2)])
    good = project.command("run", "p.yaml")
    assert (good.code, good.stderr) == (0, "")
    project.contacts([contact(1), contact(2), contact(3, Email="nobody")])
    partial = project.command("run", "p.yaml")
    assert (partial.code, partial.stderr) == (3, "")
    assert partial.stdout.splitlines()[-1] == "  why: kartra-sync rejects p.yaml"
    number = good.stdout.partition("(run ")[2].partition(")")[0]
    back = f"  what it did: kartra-sync show p.yaml; to take it back: kartra-sync undo p.yaml {number}"
    assert (good.stdout.splitlines()[-1], "undo" in partial.stdout) == (back, False)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("run",),
        ("run", "missing.yaml"),
        ("run", "p.yaml", "--nonsense"),
        ("explain", "p.yaml"),
        ("sandbox", "--fault", "nonsense=0.5"),
        ("sandbox", "--account", "missing.yaml"),
        ("sandbox", "--account", "p.yaml"),
        ("status",),  # in a folder whose only pipeline cannot be read
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_usage_and_configuration_errors_are_2_and_have_no_traceback(
    words: tuple[str, ...], project: Project
) -> None:
    (project.folder / "p.yaml").write_text("pipeline: newsletter\nkartr: {}\n", encoding="utf-8")
    done = project.command(*words)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr != ""
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_line_and_no_bug_of_ours(project: Project, sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2].removesuffix("/api")
    done = project.command("sandbox", "--port", port)
    assert "Traceback" not in done.stderr
    assert port in done.stderr
    assert done.code in (1, 2)


def test_status_of_a_folder_says_what_is_wrong_with_its_only_pipeline(project: Project) -> None:
    (project.folder / "p.yaml").write_text("pipeline: newsletter\nkartr: {}\n", encoding="utf-8")
    done = project.command("status")
    assert done.code == 2
    assert "p.yaml:2:1: kartr: unknown key" in done.stderr


def test_a_second_run_of_a_pipeline_is_5_and_a_dead_holder_is_succeeded(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    sandbox.set_options(latency_s=20)  # the lists of names are asked for, and the answer takes its time
    holder = project.start("run", "p.yaml", "--json")
    wait_for(lambda: sandbox.calls)
    second, status = together(project, [("run", "p.yaml", "--json"), ("status", "--json")])
    assert holder.poll() is None
    running = status.json["pipelines"][0]["running"]
    assert (running["pid"], status.json["pipelines"][0]["last_run"]["status"]) == (holder.pid, "running")
    since = running["since"].replace("T", " ")[:19]
    told = (
        f"newsletter has been running since {since} UTC in process {holder.pid}"
        f" on {running['host']} (run {running['run_id']})"
    )
    assert (second.code, second.stderr) == (5, f"kartra-sync: {told}\n")
    assert second.json == {"status": "refused", "error": told, "exit_code": 5}
    kill(holder)
    sandbox.set_options(latency_s=0)
    taken_over = project.run()
    assert (taken_over.code, taken_over.json["leads"]) == (0, NO_LEADS | {"created": 3})
    runs = project.command("runs", "--json").json["runs"]
    assert [(run["status"], run["message"]) for run in runs] == [
        ("succeeded", None),
        ("interrupted", "ended without a word (killed?)"),
    ]


SLOW_HOOK = """
import pathlib, time

def slow(records):
    if pathlib.Path("asked once").exists():
        pathlib.Path("reading").touch()
        time.sleep(600)
    pathlib.Path("asked once").touch()
    return records
"""


@pytest.mark.usefixtures("sandbox")
def test_a_plan_that_waits_for_its_source_ends_at_once_when_it_is_interrupted(project: Project) -> None:
    project.contacts([contact(1)])
    (project.folder / "hooks.py").write_text(SLOW_HOOK, encoding="utf-8")
    project.pipeline(f"{LOAD}\ntransform: hooks:slow\n")
    running = project.start("plan", "p.yaml")
    wait_for(lambda: (project.folder / "reading").exists())
    running.send_signal(signal.SIGINT)
    stopped = ended(running)
    assert (stopped.code, stopped.stdout) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_the_calls_in_flight_with_130_or_143(
    number: signal.Signals, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(count) for count in range(24)])
    project.pipeline(LOAD, kartra="workers: 4")
    sandbox.set_options(latency_s=0.3)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 6)
    running.send_signal(number)
    stopped = ended(running)
    assert stopped.code == 128 + number
    assert stopped.stderr == "stopping: calls in flight are settled first\nonce more stops at once\n"
    summary = stopped.json
    assert (summary["status"], adds_up(summary)) == ("interrupted", True)
    created = summary["leads"]["created"]
    assert summary["leads"] == NO_LEADS | {"created": created, "deferred": 24 - created}
    assert created == executed(writes(sandbox)) == len(stored(sandbox)) >= 6
    waiting = project.command("status", "--json").json["pipelines"][0]["waiting"]
    assert waiting == {"unknown": 0, "parked": 0, "rejected": 0}
    sandbox.set_options(latency_s=0)
    rest = project.run()
    assert (rest.code, rest.json["leads"]) == (
        0,
        NO_LEADS | {"unchanged": created, "created": 24 - created},
    )
    assert [lead["starts"] for lead in stored(sandbox).values()] == [[("Onboarding", "1")]] * 24


def test_an_unreachable_server_is_1_and_nothing_is_lost(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    port = int(sandbox.url.rpartition(":")[2].removesuffix("/api"))
    sandbox.stop()
    project.contacts([contact(number, First="Someone") for number in range(30)])
    failed, planned = together(project, [("run", "p.yaml", "--json"), ("plan", "p.yaml", "--json")])
    told = (
        "Kartra cannot be reached: nothing of what is left was sent. Run again later; the last time:"
        " 127.0.0.1 refused the connection"
    )
    assert (failed.code, failed.json["status"], failed.json["message"]) == (1, "failed", told)
    assert failed.stderr == f"newsletter: {told}\n"
    assert (failed.json["leads"], adds_up(failed.json)) == (NO_LEADS | {"deferred": 30}, True)
    assert (planned.code, planned.json["leads"]) == (0, NO_LEADS | {"created": 27, "edited": 3})
    sandbox.set_options(port=port)
    sandbox.start()
    done = project.run()
    assert (done.code, done.json["leads"]) == (0, NO_LEADS | {"created": 27, "edited": 3})
    assert [lead["starts"] for lead in stored(sandbox).values()] == [[("Onboarding", "1")]] * 30


@pytest.mark.parametrize("verb", ["check", "run"])
def test_refused_credentials_are_2_and_nothing_was_sent(
    verb: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    project.environ["KARTRA_API_KEY"] = "ANOTHER"
    done = project.command(verb, "p.yaml", "--json")
    assert (done.code, "Traceback" in done.stderr) == (2, False)
    if verb == "run":
        assert done.json["status"] == "refused"
    assert stored(sandbox) == {}


def test_an_app_that_may_not_list_names_sends_them_without_comparing(
    project: Project, sandbox: Sandbox
) -> None:
    lists = {"retrieve_account_lists", "retrieve_custom_fields", "retrieve_account_sequences"}
    chained = {"create_lead", "edit_lead", "assign_tag", "subscribe_lead_to_list", "get_lead"}
    sandbox.account.allowed_commands = lists | chained | {"subscribe_lead_to_sequence_at_step"}
    project.contacts([contact(1), contact(2)])
    project.pipeline(LOAD)
    note = "the App may not list tags (262): their names are not compared before they are sent"
    checked, planned = together(project, [("check", "p.yaml", "--json"), ("plan", "p.yaml", "--json")])
    assert (checked.code, note in checked.json["files"][0]["notes"]) == (0, True)
    assert (planned.code, planned.json["notes"]) == (0, [note])
    ran = project.run()
    assert (ran.code, ran.json["leads"]["created"], ran.json["notes"]) == (0, 2, [note])
    assert stored(sandbox)["lead1@example.org"]["tags"] == {"Imported", "Blog", "VIP"}
    project.contacts([contact(1), contact(2), contact(3, Tags="Misspelt")])
    stopped = project.run()
    assert (stopped.code, '"Misspelt"' in stopped.json["message"]) == (2, True)


def test_a_pull_hides_not_why_the_load_was_stopped(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(number) for number in range(60)])
    path = project.pipeline(FIELDS_ONLY)
    path.write_text(f"{path.read_text('utf-8')}pull: {{into: tables.db, leads: {{state: true}}}}\n", "utf-8")
    assert project.run().code == 0
    for lead in list(sandbox.account.leads.values())[:40]:
        lead.deleted = True
    project.contacts([contact(number, First="Someone") for number in range(60)])
    stopped = project.run()
    assert (stopped.code, stopped.json["status"]) == (4, "refused")
    assert "stopped" in stopped.json["message"]
    assert stopped.stderr == f"newsletter: {stopped.json['message']}\n"
    assert adds_up(stopped.json)


def test_several_files_are_one_run_each_and_the_worst_exit_code(project: Project, sandbox: Sandbox) -> None:
    for name in ("a", "b", "c"):
        project.contacts([contact(1, Email=f"{name}@example.org")], name=f"{name}.csv")
        named_pipeline(project, name, FIELDS_ONLY.replace("contacts.csv", f"{name}.csv"))
    (project.folder / "b.csv").rename(project.folder / "bb.csv")
    done = project.command("run", "a.yaml", "b.yaml", "c.yaml", "--json")
    assert done.code == 1
    told = f"b.csv was not found in {project.folder}. Near it: bb.csv, c.csv, a.csv"
    first, second, third = done.json["runs"]
    assert [(run["pipeline"], run["status"], run["leads"]["created"]) for run in (first, third)] == [
        ("a", "succeeded", 1),
        ("c", "succeeded", 1),
    ]
    assert second == {"pipeline": "b", "status": "failed", "error": told, "exit_code": 1}
    assert done.stderr == f"b: {told}\n"
    again = project.command("run", "a.yaml", "c.yaml")
    assert [line for line in again.stdout.splitlines() if not line.startswith(" ")] == [
        line for line in again.stdout.splitlines() if "succeeded in" in line
    ]
    assert (again.code, again.stdout.count("1 unchanged")) == (0, 2)


def test_two_pipelines_with_one_state_file_run_at_the_same_time(project: Project, sandbox: Sandbox) -> None:
    for name in ("a", "b"):
        rows = [contact(number, Email=f"{name}{number}@example.org") for number in range(15)]
        project.contacts(rows, name=f"{name}.csv")
        named_pipeline(project, name, LOAD.replace("contacts.csv", f"{name}.csv"))
    running = [project.start("run", f"{name}.yaml", "--json") for name in ("a", "b")]
    first, second = (ended(process) for process in running)
    assert [first.stderr, second.stderr] == ["", ""]
    assert [first.code, second.code] == [0, 0]
    assert [first.json["leads"], second.json["leads"]] == [NO_LEADS | {"created": 15}] * 2
    assert len(stored(sandbox)) == 30


def test_a_source_that_is_empty_missing_or_without_records_changes_nothing(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(FIELDS_ONLY)
    contacts = project.folder / "contacts.csv"

    contacts.write_text("", encoding="utf-8")
    empty = project.run()
    assert (empty.code, empty.stderr) == (1, "kartra-sync: contacts.csv has no header: it is empty\n")

    contacts.write_text("Email,First,City\n", encoding="utf-8")
    without_records = project.run()
    told = "the source has 0 rows, guards.min_rows asks for 1: nothing was sent"
    assert (without_records.code, without_records.json["message"]) == (4, told)
    assert without_records.json["rows"] == {"read": 0, "invalid": 0, "duplicate": 0, "blocked": 0}
    assert without_records.json["leads"] == NO_LEADS

    contacts.rename(project.folder / "contact.csv")
    missing = project.run()
    told = f"contacts.csv was not found in {project.folder}. Near it: contact.csv"
    assert (missing.code, missing.stderr) == (1, f"kartra-sync: {told}\n")
    assert missing.json == {"status": "failed", "error": told, "exit_code": 1}
    assert sandbox.calls == []


def test_a_state_that_cannot_be_used_is_1_and_says_why(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    path = project.pipeline(FIELDS_ONLY)
    as_written = path.read_text("utf-8")

    def use_as_state(name: str) -> None:
        path.write_text(as_written.replace("load:\n", f"state: {name}\nload:\n"), encoding="utf-8")

    (project.folder / "a_folder").mkdir()
    (project.folder / "no_database").write_text("not a database, whatever its name says\n" * 100)
    (project.folder / "a_file").write_text("")
    reasons = {
        "a_folder": "a_folder: cannot be used as state: Is a directory",
        "no_database": "no_database: cannot be used as state: file is not a database",
        "a_file/kartra.db": "kartra.db: cannot be used as state: Not a directory",
    }
    for name, reason in reasons.items():
        use_as_state(name)
        ran = project.run()
        assert (ran.code, ran.json["status"], ran.json["exit_code"]) == (1, "failed", 1)
        assert ran.stderr.endswith(f"{reason}\n")
        assert ran.stderr.count("\n") == 1
    assert sandbox.calls == []
