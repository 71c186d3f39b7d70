"""P8: what was done is remembered as what it is, whatever key, name, mode or spelling it had."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Account, Sandbox, Transaction
from connectors.kartra.sandbox.account import est_now, est_text
from tests.conftest import Project
from tests.promises.scenes import Scenes, account_without_leads, lose_state

SCENES = Scenes()
LOAD = """\
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [Imported]
points: 10
sequences: [{name: Onboarding, step: "1"}]
consent: {attested: "sign-up form"}
on_removed: [untag, unsubscribe]
guards: {max_removed: 100%}
"""
ROWS = [
    {"Email": f"{name}@example.org", "First": name.title()} for name in ("ann", "bob", "cem", "dee", "eve")
]
WORD = {"take over": "state take-over", "anew": "--new-account", "anew pipeline": "--new-pipeline"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def loaded(project: Project, sandbox: Sandbox, *, kartra: str = "") -> None:
    project.pipeline(LOAD, kartra=kartra)
    project.contacts(ROWS)
    first = project.run()
    assert first.code == 0, first.stderr
    assert first.json["leads"]["created"] == len(ROWS)
    age(sandbox)


def age(sandbox: Sandbox) -> None:
    """The leads joined long ago and left the sequence: nothing of them shows what was given."""
    with sandbox.lock:
        for lead in sandbox.account.leads.values():
            lead.date_joined = "2020-01-01 00:00:00"
            lead.sequences.clear()


def renew_key(project: Project, sandbox: Sandbox) -> None:
    sandbox.account.api_key = "RENEWED1"
    project.aim(sandbox)


def given(sandbox: Sandbox) -> list[tuple[str, int, int]]:
    """Of each lead, what is given again each time that it is asked for: points, and starts of sequences."""
    with sandbox.lock:
        return sorted(
            (lead.email, lead.score, len(lead.sequence_starts)) for lead in sandbox.account.leads.values()
        )


ONCE = sorted((row["Email"], 10, 1) for row in ROWS)


def writes(sandbox: Sandbox, since: int) -> list[str]:
    calls = sandbox.calls[since:]
    return [
        cmd for call in calls for cmd in call.commands if not cmd.startswith(("retrieve_", "get_", "search_"))
    ]


def nothing_again(project: Project, sandbox: Sandbox) -> dict[str, Any]:
    """What a run says and does after something about the account or the file was changed."""
    since = len(sandbox.calls)
    plan = project.command("plan", "p.yaml", "--json")
    run = project.run()
    return {
        "plan": plan.json["leads"] if plan.code == 0 else plan.stderr,
        "code": run.code,
        "said": run.stderr,
        "leads": {name: count for name, count in run.json["leads"].items() if count},
        "writes": writes(sandbox, since),
        "given": given(sandbox),
    }


UNCHANGED = {"code": 0, "leads": {"unchanged": len(ROWS)}, "writes": [], "given": ONCE}


def kept(seen: dict[str, Any]) -> dict[str, Any]:
    return {name: seen[name] for name in UNCHANGED}


# --- the same account


@SCENES.add
def the_key_is_renewed(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    renew_key(project, sandbox)
    seen = nothing_again(project, sandbox)
    again = nothing_again(project, sandbox)
    changed = [{**ROWS[0], "First": "Anna"}, *ROWS[1:-1]]
    project.contacts(changed)
    last = project.run()
    return seen, again, last.json["leads"], given(sandbox)


def test_a_renewed_key_sends_nothing_again_and_is_told_in_one_line(scenes: Scenes) -> None:
    seen, again, leads, points = scenes["the_key_is_renewed"]
    assert kept(seen) == UNCHANGED
    assert seen["plan"]["unchanged"] == len(ROWS)
    (line,) = [line for line in seen["said"].splitlines() if "known leads" in line]
    assert "5 of 5 known leads" in line
    assert kept(again) == UNCHANGED
    assert "known leads" not in again["said"]  # it was told once
    assert (leads["edited"], leads["removed"]) == (1, 1)
    assert points == ONCE


@SCENES.add
def the_url_is_spelt_otherwise(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    seen = []
    for url in (f"{sandbox.url}/", sandbox.url.replace("127.0.0.1", "localhost"), sandbox.url.upper()):
        place, slash, path = url.rpartition("/")
        project.environ["KARTRA_URL"] = f"{place}{slash}{path.lower()}"
        seen.append(nothing_again(project, sandbox))
    return seen


def test_another_spelling_of_the_url_sends_nothing_again(scenes: Scenes) -> None:
    assert [kept(seen) for seen in scenes["the_url_is_spelt_otherwise"]] == [UNCHANGED] * 3


@SCENES.add
def the_pipeline_is_renamed(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    path = project.folder / "p.yaml"
    path.write_text(path.read_text().replace("pipeline: newsletter", "pipeline: contacts"))
    seen = nothing_again(project, sandbox)
    return seen, project.command("status", "p.yaml", "--json").json


def test_a_renamed_pipeline_sends_nothing_again(scenes: Scenes) -> None:
    seen, _ = scenes["the_pipeline_is_renamed"]
    assert kept(seen) == UNCHANGED
    assert "newsletter" in seen["said"]


@SCENES.add
def the_file_is_renamed_with_its_pipeline(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    path = project.folder / "p.yaml"
    text = path.read_text().replace("pipeline: newsletter", "pipeline: contacts")
    path.unlink()
    (project.folder / "q.yaml").write_text(text)
    since = len(sandbox.calls)
    stopped = project.command("run", "q.yaml", "--json")
    taken = project.command("state", "take-over", "q.yaml", "--from", "newsletter")
    after = project.command("run", "q.yaml", "--json")
    return stopped, taken, after, writes(sandbox, since), given(sandbox)


def test_leads_of_a_pipeline_whose_file_is_gone_are_not_sent_to_by_another_one(scenes: Scenes) -> None:
    stopped, taken, after, sent, points = scenes["the_file_is_renamed_with_its_pipeline"]
    assert stopped.code == 4
    assert "newsletter" in stopped.stderr
    assert WORD["take over"] in stopped.stderr
    assert WORD["anew pipeline"] in stopped.stderr
    assert (taken.code, after.code) == (0, 0), taken.stderr + after.stderr
    assert after.json["leads"]["unchanged"] == len(ROWS)
    assert (sent, points) == ([], ONCE)


@SCENES.add
def the_mode_is_written_out(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    project.pipeline(LOAD, kartra="mode: live")
    return nothing_again(project, sandbox)


def test_a_mode_that_is_written_out_later_sends_nothing_again(scenes: Scenes) -> None:
    assert kept(scenes["the_mode_is_written_out"]) == UNCHANGED


@SCENES.add
def mode_test_is_said_of_a_live_app(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    project.pipeline(LOAD, kartra="mode: test")
    since = len(sandbox.calls)
    run = project.run()
    return run, writes(sandbox, since), given(sandbox)


def test_another_mode_than_the_known_leads_show_stops_before_the_first_write(scenes: Scenes) -> None:
    run, sent, points = scenes["mode_test_is_said_of_a_live_app"]
    assert (run.code, sent, points) == (4, [], ONCE)
    assert "mode: test" in run.stderr
    assert WORD["anew"] in run.stderr


@SCENES.add
def everything_changes_at_once(project: Project, sandbox: Sandbox) -> Any:
    """A renewed key, another spelling of the URL, a renamed pipeline, a mode, and another sync key."""
    loaded(project, sandbox)
    renew_key(project, sandbox)
    _respell(project, sandbox)
    path = project.pipeline(LOAD.replace("key: email", "key: {column: Id}"), kartra="mode: live")
    path.write_text(path.read_text().replace("pipeline: newsletter", "pipeline: contacts"))
    project.contacts([{**row, "Id": str(number)} for number, row in enumerate(ROWS)])
    return nothing_again(project, sandbox), nothing_again(project, sandbox)


def test_everything_that_changes_at_once_sends_nothing_again(scenes: Scenes) -> None:
    seen, again = scenes["everything_changes_at_once"]
    assert (kept(seen), kept(again)) == (UNCHANGED, UNCHANGED)
    for words in ("5 of 5 known leads", "the pipeline newsletter before"):
        assert words in seen["said"]
        assert words not in again["said"]


# --- another account


def other_account() -> Account:
    account = replace(
        account_without_leads(), app_id="OTHERAPPID", api_key="OTHERKEY", api_password="OTHERPASSW"
    )
    for number in range(3):
        account.add_lead(f"client{number}@example.net")
    return account


@SCENES.add
def another_account_stands_behind_the_file(project: Project, sandbox: Sandbox) -> Any:
    loaded(project, sandbox)
    with Sandbox(other_account(), calls_per_second=0) as other:
        project.aim(other)
        plan = project.command("plan", "p.yaml")
        stopped = project.run("--yes")
        before = writes(other, 0)
        anew = project.run("--new-account")
        again = project.run()
        created = sorted(lead.email for lead in other.account.leads.values())
    project.aim(sandbox)
    back = project.run()
    return plan, stopped, before, anew, again, created, back, given(sandbox)


def test_another_account_under_a_known_pipeline_stops_and_nobody_is_sent_there(scenes: Scenes) -> None:
    plan, stopped, before, anew, again, created, back, points = scenes[
        "another_account_stands_behind_the_file"
    ]
    assert WORD["anew"] in plan.stdout + plan.stderr
    assert (stopped.code, before) == (4, [])
    assert "0 of 5 known leads" in stopped.stderr
    assert WORD["take over"] in stopped.stderr
    assert WORD["anew"] in stopped.stderr
    assert (anew.code, anew.json["leads"]["created"]) == (0, len(ROWS))
    assert again.json["leads"]["unchanged"] == len(ROWS)
    assert len(created) == len(ROWS) + 3
    assert back.json["leads"]["unchanged"] == len(ROWS)  # both accounts are known from now on
    assert points == ONCE


@SCENES.add
def nothing_can_be_looked_up(project: Project, sandbox: Sandbox) -> Any:
    project.pipeline(LOAD)
    project.contacts(ROWS[:1])
    assert project.run().code == 0
    age(sandbox)
    renew_key(project, sandbox)
    with sandbox.lock:
        (lead,) = sandbox.account.leads.values()
        sandbox.account.change_address(lead, "moved@example.org")
    since = len(sandbox.calls)
    stopped = project.run("--yes")
    sent = writes(sandbox, since)
    taken = project.command("state", "take-over", "p.yaml")
    after = project.run()
    return stopped, sent, taken, after, writes(sandbox, since)


def test_what_cannot_be_told_is_asked_before_the_first_write(scenes: Scenes) -> None:
    stopped, sent, taken, after, sent_after = scenes["nothing_can_be_looked_up"]
    assert (stopped.code, sent) == (4, [])
    assert WORD["take over"] in stopped.stderr
    assert (taken.code, after.code) == (0, 0), taken.stderr
    assert sent_after == []


# --- money


def write_refunds(project: Project, sales: list[Transaction], *, more: str = "") -> None:
    rows = [
        {"Order": f"o{number}", "Email": f"p{number}@example.org", "Transaction": sale.id, "Amount": "12.50"}
        for number, sale in enumerate(sales)
    ]
    project.contacts(rows, name="refunds.csv")
    (project.folder / "p.yaml").write_text(
        f"{project.head}operations:\n  source: {{csv: refunds.csv}}\n  do: refund\n  key: Order\n"
        "  lead: {email: Email}\n  parameters: {transaction: Transaction, amount: Amount}\n"
        f"  results: results.csv\n{more}"
    )


def shop(sandbox: Sandbox) -> list[Transaction]:
    leads = [sandbox.account.add_lead(f"p{number}@example.org") for number in range(3)]
    return [
        sandbox.account.add_transaction(Transaction(lead.id, amount="100.00", date=est_text(est_now())))
        for lead in leads
    ]


def refunded(sandbox: Sandbox) -> list[str]:
    with sandbox.lock:
        return sorted(row.parent_id for row in sandbox.account.transactions.values() if row.parent_id != "0")


def _money_scene(change: Any) -> Any:
    def scene(project: Project, sandbox: Sandbox) -> Any:
        sales = shop(sandbox)
        write_refunds(project, sales)
        assert project.run("--yes").code == 0
        change(project, sandbox)
        again = project.run("--yes")
        return again, refunded(sandbox), sorted(sale.id for sale in sales)

    return scene


def _rename(project: Project, _: Sandbox) -> None:
    path = project.folder / "p.yaml"
    path.write_text(path.read_text().replace("pipeline: newsletter", "pipeline: money"))


def _copy(project: Project, sandbox: Sandbox) -> None:
    """Another file beside the first, with a name of its own, under a renewed key."""
    renew_key(project, sandbox)
    path = project.folder / "p.yaml"
    (project.folder / "old.yaml").write_text(path.read_text())
    _rename(project, sandbox)


def _say_test(project: Project, _: Sandbox) -> None:
    path = project.folder / "p.yaml"
    path.write_text(path.read_text().replace("operations:", "  mode: test\noperations:", 1))


def _respell(project: Project, sandbox: Sandbox) -> None:
    project.environ["KARTRA_URL"] = sandbox.url.replace("127.0.0.1", "localhost")


def _everything(project: Project, sandbox: Sandbox) -> None:
    for change in (renew_key, _respell, _say_test, _rename):
        change(project, sandbox)


CHANGES = {
    "everything at once": _everything,
    "renewed key": renew_key,
    "renamed pipeline": _rename,
    "copied file": _copy,
    "added mode": _say_test,
    "respelt url": _respell,
}
for _name, _change in CHANGES.items():
    SCENES.add(_money_scene(_change), f"refunds, {_name}")


@pytest.mark.parametrize("change", CHANGES)
def test_an_operation_under_a_known_key_is_never_done_again(scenes: Scenes, change: str) -> None:
    again, money, sales = scenes[f"refunds, {change}"]
    assert again.code in (0, 4), again.stderr
    assert money == sales


# --- tables


@SCENES.add
def tables_of_another_account(project: Project, sandbox: Sandbox) -> Any:
    sales = shop(sandbox)
    pull = "pull: {into: tables.db, leads: {csv: refunds.csv, email: Email}, refresh_after: 0s}\n"
    write_refunds(project, sales, more=pull)
    assert project.run("--yes").code == 0
    renew_key(project, sandbox)
    again = project.run("--yes")
    return again, refunded(sandbox), sorted(sale.id for sale in sales)


def test_the_word_that_lets_money_go_is_not_the_word_that_takes_over_tables(scenes: Scenes) -> None:
    again, money, sales = scenes["tables_of_another_account"]
    assert again.code == 0, again.stderr  # the account is recognised, so its tables are its own
    assert money == sales


@SCENES.add
def the_state_is_lost(project: Project, sandbox: Sandbox) -> Any:
    write_refunds(project, shop(sandbox))
    assert project.run("--yes").code == 0
    lose_state(project)
    return project.command("plan", "p.yaml")


@SCENES.add
def the_keys_are_others(project: Project, sandbox: Sandbox) -> Any:
    """The column of the key was changed: the journal knows the same refunds under their former keys."""
    sales = shop(sandbox)
    write_refunds(project, sales)
    assert project.run("--yes").code == 0
    path = project.folder / "refunds.csv"
    path.write_text(path.read_text().replace("\no", "\nO"))
    return (
        project.command("plan", "p.yaml"),
        project.run(),
        refunded(sandbox),
        sorted(sale.id for sale in sales),
    )


def test_refunds_under_another_key_are_told_before_a_word_lets_money_go(scenes: Scenes) -> None:
    plan, run, money, sales = scenes["the_keys_are_others"]
    told = "3 of these sales were given a refund of just that amount before, under another key"
    assert told in " ".join(plan.stdout.split())
    assert (run.code, told in run.stderr) == (4, True)
    assert money == sales


def test_a_plan_names_sales_that_carry_a_refund_of_just_that_amount(scenes: Scenes) -> None:
    plan = scenes["the_state_is_lost"]
    assert "already" in plan.stdout
    assert "3" in plan.stdout


def test_verbs_show_the_account_by_the_name_of_the_file(project: Project) -> None:
    with Sandbox(account_without_leads(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD, kartra="account: acme")
        project.contacts(ROWS)
        plan = project.command("plan", "p.yaml")
        run = project.command("run", "p.yaml", "--yes")
        as_json = project.run()
        status = project.command("status", "p.yaml")
    for shown in (plan, run, status):
        assert "acme" in shown.stdout, shown
    assert as_json.json["account"]["name"] == "acme"


def test_an_account_without_a_name_is_shown_by_a_short_fingerprint(project: Project, tmp_path: Path) -> None:
    with Sandbox(account_without_leads(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD)
        project.contacts(ROWS)
        run = project.run()
    shown = run.json["account"]["fingerprint"]
    assert len(shown) == 8
    assert sandbox.credentials.api_key not in run.stdout


def test_leads_of_ours_are_edited_and_taken_back_after_a_renewed_key_also_under_existing_skip(
    project: Project, sandbox: Sandbox
) -> None:
    rows = [{"Email": f"{name}@example.org", "First": name.title()} for name in ("ann", "bob", "cem")]
    file = project.pipeline(f"{LOAD}existing: skip\n")
    project.contacts(rows)
    assert project.run().code == 0
    age(sandbox)
    renew_key(project, sandbox)
    project.contacts([rows[0] | {"First": "Anna"}, rows[1]])
    again = project.run()
    assert (again.code, again.json["leads"]["edited"], again.json["leads"]["removed"]) == (0, 1, 1), file
    ann, cem = (sandbox.account.lead(f"{name}@example.org") for name in ("ann", "cem"))
    assert ann is not None
    assert cem is not None
    assert (ann.fields["first_name"], cem.tags) == ("Anna", set())
