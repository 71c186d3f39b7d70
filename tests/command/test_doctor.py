"""The doctor against accounts that behave in eight ways: each is found, and runs under each are exact."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, ReceivedCall, Sandbox
from connectors.kartra.sandbox.commands import COMMANDS
from tests.command.several import ended, stored, wait_for
from tests.conftest import LOAD, Project, Result, an_account, contact, kill

ADDRESS = "me+kartra@own.example"
ARGS = ("doctor", "p.yaml", "--address", ADDRESS, "--yes")
NAMED = ("--tag", "Customer", "--list", "Customers")


@dataclass(frozen=True)
class Way:
    """A behaviour: the switches of the sandbox, what of it is found, and how the file has to be."""

    switches: Mapping[str, Any]
    found: Mapping[str, Any]
    kartra: str = ""
    forbidden: frozenset[str] = field(default_factory=frozenset)
    code: int = 0


WAYS = {
    "as assumed": Way(
        {},
        {
            "mode": "live",
            "chain_answer": "flat",
            "chain_goes_on": False,
            "chain_stays": True,
            "wording": "current",
            "types": "text",
            "lone_actions": "actions",
            "inventories": "top",
            "rows": "list",
            "left_out": [],
            "unsubscribe_type": "101",
            "names_by_case": True,
            "address_by_case": False,
            "blank_clears": True,
            "create_again": "244",
            "zone_hours": -5,
        },
    ),
    "test mode": Way(
        {"mode": "test", "rewrite_lookups": True},
        {"mode": "test", "finds_sent_address": True},
        kartra="mode: test",
    ),
    "nested chains": Way(
        {"chain_errors": "nested", "integer_types": True, "unsubscribe_type": "102"},
        {
            "chain_answer": "nested",
            "chain_goes_on": True,
            "chain_stays": True,
            "types": "number",
            "unsubscribe_type": "102",
        },
    ),
    "flat chains that go on": Way(
        {"chain_errors": "flat_goes_on", "wording": "older"},
        {"chain_answer": "flat", "chain_goes_on": True, "chain_stays": True, "wording": "older"},
    ),
    "odd answers": Way(
        {
            "php_lists": True,
            "inventories": "actions",
            "lone_actions": "actions",
            "empty_parts": "leave_out",
        },
        {
            "inventories": "actions",
            "rows": "object",
            "lone_actions": "actions",
            "left_out": ["lists", "sequences", "tags"],
        },
    ),
    "late effects": Way(
        {"effect_delay_s": 0.8, "late_effects": "all"},
        {"chain_goes_on": False, "chain_stays": True},
        kartra="settle_s: 1",
    ),
    "texts that are not kept": Way(
        {
            "field_limits": (("first_name", 50), ("input_field", 255)),
            "emoji": "cut",
            "line_breaks": "blank",
            "empty_field": "keep",
            "firewall": True,
        },
        {"blank_clears": False},
    ),
    "little allowed": Way(
        {"case_sensitive_names": False, "lone_actions": "fragment", "clock_offset_s": 10_800.0},
        {"names_by_case": False, "lone_actions": "fragment"},
        forbidden=frozenset({"calendar_subscribe", "give_points_to_lead", "retrieve_account_pages"}),
    ),
}


@dataclass
class Clinic:
    """An account that behaves in a way, and a project that goes to it."""

    way: Way
    project: Project
    sandbox: Sandbox


@contextmanager
def clinics(folder: Path, names: list[str]) -> Iterator[dict[str, Clinic]]:
    with ExitStack() as opened:
        made = {}
        for name in names:
            way, account = WAYS[name], an_account()
            if way.forbidden:
                account.allowed_commands = {"get_lead", *COMMANDS} - way.forbidden
            sandbox = opened.enter_context(Sandbox(account, **way.switches))
            project = Project(folder / name.replace(" ", "-"))
            project.folder.mkdir()
            project.aim(sandbox)
            project.contacts([contact(number) for number in range(3)])
            project.pipeline(LOAD, kartra=way.kartra)
            made[name] = Clinic(way, project, sandbox)
        yield made


def examined_all(made: Mapping[str, Clinic], *more: str) -> dict[str, Result]:
    """All at the same time: most of it is waiting for permits of their own."""
    started = {
        name: one.project.start(*ARGS, *NAMED, "--json", "--report", "report.json", *more)
        for name, one in made.items()
    }
    return {name: ended(process) for name, process in started.items()}


def the_lead(sandbox: Sandbox) -> Any:
    with sandbox.lock:
        (lead,) = [lead for lead in sandbox.account.leads.values() if lead.email.startswith("me+kartra@")]
    return lead


def test_eight_behaviours_are_found_and_runs_under_each_are_exact(tmp_path: Path) -> None:
    with clinics(tmp_path, list(WAYS)) as made:
        results = examined_all(made)
        for name, result in results.items():
            way, sandbox = made[name].way, made[name].sandbox
            assert result.code in (0, 3), (name, result.stderr)
            behaviour = result.json["behaviour"]
            assert {key: behaviour[key] for key in way.found} == way.found, name
            assert sandbox.throttled == behaviour["throttled"], name
            assert len(sandbox.calls) == behaviour["calls"] <= 160, name
            lead = the_lead(sandbox)
            assert (lead.tags, lead.lists, lead.score) == (set(), {"Customers": False}, 0), name
            assert lead.sequence_starts == lead.calendar_log == [], name
            assert ADDRESS not in result.stdout + result.stderr, name
            _starts_nothing(sandbox, {"Customer", "Customers"})
        _found_in_detail({name: result.json for name, result in results.items()})
        started = {name: one.project.start("run", "p.yaml", "--json") for name, one in made.items()}
        for name, process in started.items():
            ran = ended(process)
            assert (ran.code, ran.json["leads"]["created"]) == (0, 3), (name, ran.stderr)
            _is_exact(made[name], name)
        _is_told_before(made["texts that are not kept"].project, made["little allowed"].project)
        _holds_nothing_of_anybody(made["little allowed"])
        _is_kept(made["as assumed"])


def _is_told_before(project: Project, little: Project) -> None:
    """What was found is used: longer texts and commands that are not allowed, before they are sent."""
    rows = [contact(0, First="x" * 51), contact(1, Note="y" * 256), contact(2, First="z" * 50)]
    project.contacts(rows)
    planned = project.command("plan", "p.yaml", "--json")
    said = {one["message"]: one["leads"] for one in planned.json["cautions"] if one["kind"] == "cut_texts"}
    assert said == {
        f"1 leads have a longer {field} than the {kept} characters that the account keeps: the rest is"
        " cut off": 1
        for field, kept in (("first_name", 50), ("note", 255))
    }
    checked = project.command("check", "p.yaml", "--json")
    notes = " ".join(checked.json["files"][0]["notes"])
    assert checked.code == 0
    assert "1 have a longer first_name than the 50 characters" in notes
    assert "1 have a longer note than the 255 characters" in notes
    assert any("longer first_name" in note for note in project.run().json["notes"])
    little.pipeline(LOAD + "points: 5\n")
    told = little.command("plan", "p.yaml", "--json").json["cautions"]
    (one,) = [one for one in told if one["kind"] == "not_permitted"]
    assert (one["leads"], "give_points_to_lead" in one["message"]) == (3, True)


def _holds_nothing_of_anybody(clinic: Clinic) -> None:
    """The report for maintainers; and it is written over by nothing."""
    report = clinic.project.folder / "report.json"
    text = report.read_text("utf-8")
    assert oct(report.stat().st_mode & 0o777) == "0o600"
    account = clinic.sandbox.account
    secrets = (account.app_id, account.api_key, account.api_password, ADDRESS, "own.example", "me+kartra")
    names = (*account.tags, *account.lists, "newsletter", "fruits", "Onboarding", the_lead(clinic.sandbox).id)
    assert [word for word in (*secrets, *names) if word.lower() in text.lower()] == []
    kept = clinic.project.command(*ARGS, "--report", "report.json", "--json")
    assert (kept.code, report.read_text("utf-8")) == (2, text)
    assert "--replace" in kept.json["error"]


def _is_kept(clinic: Clinic) -> None:
    """By account: a renewed key changes nothing of it, and it is shown without a call."""
    project, sandbox = clinic.project, clinic.sandbox
    first, calls = project.command("doctor", "p.yaml", "--last", "--json"), len(sandbox.calls)
    shown = project.command("doctor", "p.yaml", "--last")
    assert (shown.code, len(sandbox.calls)) == (0, calls)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    sandbox.account.api_key = project.environ["KARTRA_API_KEY"] = "RENEWEDKEY"
    assert project.run().code == 0
    renewed = project.command("doctor", "p.yaml", "--last", "--json")
    assert renewed.json["behaviour"] == first.json["behaviour"]


def _starts_nothing(sandbox: Sandbox, named: set[str]) -> None:
    """Nothing is given that nobody named, and money is not touched."""
    given = {
        name
        for call in sandbox.calls
        for action in call.form.get("actions", {}).values()  # type: ignore[union-attr]
        if isinstance(action, dict) and not str(action["cmd"]).startswith("un")
        for key, name in action.items()
        if key in ("tag_name", "list_name", "sequence_name", "calendar_name")
    }
    assert given == {"kartra-sync doctor: no such name"} | named
    money = {"refund_transaction", "cancel_transaction", "modify_subscription_status", "edit_subscription"}
    assert money.isdisjoint(cmd for call in sandbox.calls for cmd in call.commands)


def _found_in_detail(said: Mapping[str, Any]) -> None:
    late = said["late effects"]["behaviour"]["shows_within_s"]
    assert set(late) == {"fields", "points", "tags", "lists"}
    assert all(0.8 <= shown_s < 30 for shown_s in late.values())
    texts = said["texts that are not kept"]["behaviour"]
    assert {name: kept for name, kept in texts["lengths"].items() if kept < texts["tried_length"]} == {
        "first_name": 50,
        "input_field": 255,
    }
    assert texts["characters"] == {
        "accents": "kept",
        "quotes": "kept",
        "emoji": "cut",
        "line_breaks": "changed",
        "ampersands": "kept",
        "markup": "refused",
        "signs": "kept",
    }
    little = said["little allowed"]["behaviour"]
    forbidden = [cmd for cmd, may in little["permissions"].items() if not may]
    assert forbidden == ["calendar_subscribe", "give_points_to_lead", "retrieve_account_pages"]
    assert little["chain_goes_on"] is False  # by the tag, where points may not be given
    assert 10_790 < little["clock_s"] < 10_810
    usual = said["as assumed"]
    assert usual["matters"] == 0, usual["findings"]
    assert set(usual["behaviour"]["characters"].values()) == {"kept"}


def _is_exact(clinic: Clinic, name: str) -> None:
    have = stored(clinic.sandbox)
    have = {email.partition("@")[0]: lead for email, lead in have.items() if not email.startswith("me+")}
    assert sorted(have) == ["lead0", "lead1", "lead2"], name
    for number in range(3):
        lead, row = have[f"lead{number}"], contact(number)
        assert lead["fields"] == {"first_name": row["First"], "city": row["City"]}, name
        assert lead["tags"] == {"Imported", *filter(None, row["Tags"].split(";"))}, name
        assert lead["lists"] == {"News": True}, name
        assert lead["starts"] == [("Onboarding", "1")], name
        assert lead["custom_fields"]["note"] == row["Note"], name


MEASURED = {"latency_ms", "calls", "throttled", "shows_within_s", "clock_s"}


def test_a_sandbox_that_plays_a_report_shows_the_same_again(tmp_path: Path) -> None:
    """What reality showed becomes a test: the report of one account is played by another."""
    names = ["texts that are not kept", "test mode"]
    with clinics(tmp_path, names) as made:
        first = {name: result.json for name, result in examined_all(made).items()}
        reports = {name: one.project.folder / "report.json" for name, one in made.items()}
        again: dict[str, Any] = {}
        with ExitStack() as opened:
            for name, report in reports.items():
                project = made[name].project
                serving = project.start("sandbox", "--port", "0", "--json", "--as", "report.json")
                opened.callback(lambda one=serving: (one.terminate(), one.communicate()))
                assert serving.stdout is not None
                lines = iter(serving.stdout.readline, "}\n")
                served = json.loads("".join(lines) + "}")
                shutil.rmtree(project.folder / "state")
                report.rename(report.with_name("first.json"))
                project.environ |= served["environment"]
                again[name] = project.start(*ARGS, "--tag", "VIP", "--list", "News", "--json")
            told = {name: ended(process).json for name, process in again.items()}
    for name in names:
        before, now = first[name]["behaviour"], told[name]["behaviour"]
        # the account that plays a report is that of the demo: it has more custom fields
        now["lengths"] = {field: kept for field, kept in now["lengths"].items() if field in before["lengths"]}
        same = {key for key in before if key not in MEASURED}
        assert {key: now[key] for key in same} == {key: before[key] for key in same}, name


# --- ten ways in which it could hurt


def test_a_doctor_that_names_nothing_starts_nothing_while_calls_are_refused_for_their_rate(
    ready: Project, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(throttle=0.02, seed=3))
    done = ready.command(*ARGS, "--json")
    assert done.code in (0, 3), done.stderr
    assert done.json["behaviour"]["throttled"] == sandbox.throttled > 0
    _starts_nothing(sandbox, set())
    lead = the_lead(sandbox)
    assert (lead.tags, lead.lists, lead.sequences, lead.bookings, lead.score) == (set(), {}, {}, [], 0)


@pytest.fixture
def ready(project: Project, sandbox: Sandbox) -> Project:
    project.contacts([contact(number) for number in range(2)])
    project.pipeline(LOAD)
    return project


def made_by_calls(calls: list[ReceivedCall]) -> list[str]:
    reads = ("get_", "retrieve_", "search_")
    return [cmd for call in calls for cmd in call.commands if not cmd.startswith(reads)]


def test_nobody_is_asked_where_nobody_sits_and_nothing_is_sent(ready: Project, sandbox: Sandbox) -> None:
    done = ready.command("doctor", "p.yaml", "--address", ADDRESS)
    assert (done.code, sandbox.calls) == (4, [])
    assert "--yes" in done.stderr
    without = ready.command("doctor", "p.yaml", "--yes", "--json")
    assert (without.code, sandbox.calls) == (2, [])
    wrong = ready.command("doctor", "p.yaml", "--yes", "--address", "me and you")
    assert (wrong.code, sandbox.calls) == (2, [])
    assert "me and you" not in wrong.stderr


def test_an_address_that_the_state_knows_is_not_touched(ready: Project, sandbox: Sandbox) -> None:
    assert ready.run().code == 0
    before, calls = stored(sandbox), len(sandbox.calls)
    for address in ("lead0@example.org", "LEAD1@example.org"):
        done = ready.command("doctor", "p.yaml", "--yes", "--address", address, "--json")
        assert (done.code, len(sandbox.calls)) == (2, calls)
        assert "lead of this state" in done.json["error"]
        assert address not in done.stdout + done.stderr
    assert stored(sandbox) == before


def test_a_forgotten_person_is_not_made_a_lead_again(ready: Project, sandbox: Sandbox) -> None:
    assert ready.run().code == 0
    assert ready.command("state", "forget", "p.yaml", "lead1@example.org", "--yes").code == 0
    calls = len(sandbox.calls)
    done = ready.command("doctor", "p.yaml", "--yes", "--address", "lead1@example.org")
    assert (done.code, len(sandbox.calls)) == (2, calls)


@pytest.mark.parametrize("whose", ["a person", "somebody in Test mode", "a deleted lead"])
def test_a_lead_that_kartra_has_is_left_as_it_is(whose: str, ready: Project, sandbox: Sandbox) -> None:
    email = "me+kartra@kartra.com" if whose == "somebody in Test mode" else ADDRESS
    lead = sandbox.account.add_lead(email, first_name="Ann", company="doctor-000000000000")
    lead.tags, lead.score, lead.deleted = {"VIP"}, 7, whose == "a deleted lead"
    done = ready.command(*ARGS, "--json")
    assert done.code == 2
    assert "left alone" in done.json["message"]
    assert made_by_calls(sandbox.calls) == []
    assert (lead.fields["first_name"], lead.tags, lead.score) == ("Ann", {"VIP"}, 7)
    assert done.json["left"] == []


def test_a_name_that_the_account_lacks_makes_no_lead(ready: Project, sandbox: Sandbox) -> None:
    done = ready.command(*ARGS, "--tag", "Custommer", "--json")
    assert (done.code, made_by_calls(sandbox.calls)) == (2, [])
    assert the_leads(sandbox) == []


def the_leads(sandbox: Sandbox) -> list[str]:
    with sandbox.lock:
        return [lead.email for lead in sandbox.account.leads.values()]


def test_a_doctor_that_was_killed_is_repeated_with_the_same_lead(ready: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(latency_s=0.02)
    running = ready.start(*ARGS, *NAMED)
    wait_for(lambda: any(call.commands == ("assign_tag",) for call in sandbox.calls[-20:]) and gave(sandbox))
    kill(running)
    first = the_lead(sandbox)
    again = ready.command(*ARGS, *NAMED, "--json")
    assert again.code in (0, 3), again.stderr
    assert the_leads(sandbox) == [ADDRESS]
    assert (first.tags, first.lists, first.score) == (set(), {"Customers": False}, 0)
    assert again.json["complete"] is True


def gave(sandbox: Sandbox) -> bool:
    with sandbox.lock:
        return any(lead.tags or lead.score for lead in sandbox.account.leads.values())


def test_a_doctor_that_is_stopped_takes_back_what_it_gave(ready: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(latency_s=0.02)
    running = ready.start(*ARGS, *NAMED, "--json")
    wait_for(lambda: gave(sandbox))
    running.terminate()
    done = ended(running)
    assert (done.code, done.json["complete"]) == (143, False)
    lead = the_lead(sandbox)
    assert (lead.tags, lead.score) == (set(), 0)
    assert ready.command("doctor", "p.yaml", "--last").code == 2  # nothing of it is kept
    assert len(done.json["left"]) >= 1


def test_two_doctors_at_once_do_not_meet(ready: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(latency_s=0.02)
    first = ready.start(*ARGS, "--json")
    wait_for(lambda: sandbox.calls)
    other = ready.pipeline(LOAD, name="other.yaml")
    other.write_text(other.read_text("utf-8").replace("pipeline: newsletter", "pipeline: other"), "utf-8")
    second = ready.command("doctor", "other.yaml", "--yes", "--address", "me+2@own.example", "--json")
    assert second.code == 5
    assert "another doctor" in second.json["error"]
    kill(first)
    assert "me+2@own.example" not in the_leads(sandbox)


@pytest.mark.parametrize("lacks", ["get_lead", "create_lead"])
def test_an_app_that_may_not_look_or_make_leaves_nothing(
    lacks: str, ready: Project, sandbox: Sandbox
) -> None:
    sandbox.account.allowed_commands = {"get_lead", *COMMANDS} - {lacks}
    done = ready.command(*ARGS, "--json")
    assert (done.code, the_leads(sandbox)) == (2, [])
    assert "262" in done.json["message"]
    assert done.json["behaviour"]["permissions"][lacks] is False
    assert done.json["left"] == []


def test_an_account_that_is_not_the_one_of_the_state_is_not_examined(
    ready: Project, sandbox: Sandbox
) -> None:
    assert ready.run().code == 0
    with Sandbox(an_account()) as other:
        other.account.api_key = "ANOTHERKEY"
        ready.aim(other)
        done = ready.command(*ARGS, "--json")
        assert (done.code, made_by_calls(other.calls)) == (4, [])
        assert "take-over" in done.json["error"]


@pytest.mark.full(but=["not_json"])
@pytest.mark.parametrize("fault", ["not_json", "bad_gateway_before"])
def test_something_in_between_that_answers_for_kartra_is_told(
    fault: str, ready: Project, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(**{fault: 1.0}))
    done = ready.command(*ARGS, "--json")
    assert (done.code, the_leads(sandbox)) == (1, [])
    assert "no usable answer" in done.json["message"]
    assert done.json["found_at"] is None


@pytest.mark.full
def test_answers_that_get_lost_on_the_way_leave_one_lead_and_nothing_on_it(
    ready: Project, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(cut_after=0.15, seed=5))
    done = ready.command(*ARGS, *NAMED, "--json")
    assert done.code in (0, 1, 3), done.stderr
    sandbox.set_faults(Faults())
    again = ready.command(*ARGS, *NAMED, "--json")
    assert again.code in (0, 3), again.stderr
    lead = the_lead(sandbox)
    assert (the_leads(sandbox), lead.tags, lead.score) == ([ADDRESS], set(), 0)


# --- what was found is used


def test_a_run_waits_as_long_as_effects_take_in_its_account(ready: Project, sandbox: Sandbox) -> None:
    """A sequence whose answer was lost shows late: a run that waits too short begins it a second time."""
    sandbox.set_options(effect_delay_s=1.5)
    ready.pipeline(LOAD, kartra="settle_s: 1\ntimeout_s: 5")
    assert ready.command(*ARGS, *NAMED, "--json").code in (0, 3)
    shown = ready.command("doctor", "p.yaml", "--last", "--json").json
    (late,) = [row for row in shown["findings"] if row["what"] == "lists show"]
    assert (late["verdict"], late["assumed"]) == ("handled", "within 1 s")
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"subscribe_lead_to_sequence_at_step"})))
    wait_for_faults = len(sandbox.calls)
    running = ready.start("run", "p.yaml", "--json")
    wait_for(lambda: sum("create_lead" in call.commands for call in sandbox.calls[wait_for_faults:]) >= 2)
    sandbox.set_faults(Faults())
    ran = ended(running)
    assert ran.code == 0, ran.stderr
    for lead in stored(sandbox).values():
        assert lead["starts"] in ([], [("Onboarding", "1")])
