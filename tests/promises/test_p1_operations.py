"""P1 for operations: money moves on a person's word, for whom it is meant, and once."""

import csv
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox, Subscription, Transaction
from connectors.kartra.sandbox.account import Booking, SandboxLead, SequenceEntry, est_now, est_text
from tests.conftest import Project, Result
from tests.promises.scenes import Scenes, adds_up, all_of_state, wait_until

SCENES = Scenes()
COLUMNS = (
    *("Key", "What", "Email", "Transaction", "Amount", "Subscription", "Price", "Points", "Tag", "List"),
    *("Sequence", "Calendar", "Class"),
)
PARAMETERS = """\
{transaction: Transaction, subscription: Subscription, points: Points, tag: Tag, list: List,
    sequence: Sequence, calendar: Calendar, class: Class, amount: Amount}"""
WRITES = frozenset(
    {
        *("refund_transaction", "cancel_transaction", "modify_subscription_status", "edit_subscription"),
        *("assign_tag", "unassign_tag", "unsubscribe_lead_from_list", "unsubscribe_lead_from_sequence"),
        *("give_points_to_lead", "remove_points_from_lead", "calendar_subscribe", "calendar_cancel"),
    }
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def write(project: Project, rows: list[dict[str, str]], *, guards: str = "{max_failed: 100%}") -> None:
    project.contacts([{**dict.fromkeys(COLUMNS, ""), **row} for row in rows], name="rows.csv")
    (project.folder / "p.yaml").write_text(
        f"{project.head}  settle_s: 1\n  timeout_s: 1\noperations:\n  source: {{csv: rows.csv}}\n"
        f"  do: {{column: What}}\n  key: Key\n  lead: {{email: Email}}\n  parameters: {PARAMETERS}\n"
        f"  guards: {guards}\n  results: out/results.csv\n",
        encoding="utf-8",
    )


def buyer(sandbox: Sandbox, name: str = "ann", amount: str = "80.00") -> tuple[SandboxLead, Transaction]:
    lead = sandbox.account.add_lead(f"{name}@example.org")
    sale = Transaction(lead.id, amount=amount, date=est_text(est_now()))
    return lead, sandbox.account.add_transaction(sale)


def refund(key: str, sale: Transaction, amount: str, email: str = "ann@example.org") -> dict[str, str]:
    return {"Key": key, "What": "refund", "Email": email, "Transaction": sale.id, "Amount": amount}


def refunds(sandbox: Sandbox) -> list[tuple[str, str]]:
    """(transaction, amount) of every refund that there is."""
    with sandbox.lock:
        rows = list(sandbox.account.transactions.values())
    return [(row.parent_id, row.amount) for row in rows if row.parent_id != "0"]


def results(project: Project) -> dict[str, tuple[str, str, str]]:
    """Per key the outcome, the error type and the amount."""
    with (project.folder / "out" / "results.csv").open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle))
    return {line["key"]: (line["outcome"], line["type"], line["amount"]) for line in lines}


def written(sandbox: Sandbox) -> list[str]:
    return [command for call in sandbox.calls for command in call.commands if command in WRITES]


def money(result: Result) -> Any:
    return result.json["operations"]["money"]


# --- a person's word


@dataclass(frozen=True)
class Agreed:
    planned: Result
    unasked: Result
    before: list[str]
    agreed: Result
    again: Result
    calls_again: int
    mode: int
    results: dict[str, tuple[str, str, str]]
    status: Any


@SCENES.add
def word(project: Project, sandbox: Sandbox) -> Agreed:
    _, sale = buyer(sandbox)
    _, other = buyer(sandbox, "bob", "19.99")
    rows = [refund("1", sale, "full"), refund("2", other, "9.99", "bob@example.org")]
    tag = {"Key": "3", "What": "tag", "Email": "bob@example.org", "Tag": "Refunded"}
    write(project, [*rows, tag, {"Key": "4", "What": "refund", "Email": "bob@example.org"}])
    planned = project.command("plan", "p.yaml", "--json")
    unasked = project.run()
    before = written(sandbox)
    agreed = project.run("--yes")
    sandbox.reset_calls()
    again = project.run()
    path = project.folder / "out" / "results.csv"
    status = project.command("status", "p.yaml", "--json").json["pipelines"][0]
    return Agreed(
        *(planned, unasked, before, agreed, again, len(sandbox.calls), path.stat().st_mode & 0o777),
        *(results(project), status),
    )


def test_no_money_moves_before_a_person_has_seen_how_much_it_is(scenes: Scenes) -> None:
    seen: Agreed = scenes["word"]
    assert (seen.planned.code, seen.unasked.code, seen.before) == (4, 4, [])
    assert seen.planned.json["operations"]["money"] == {"refund": 2, "to_refund": "89.99"}
    assert seen.planned.json["operations"]["outcomes"] == {"invalid": 1, "to_do": 3}
    for told in (seen.planned.json["refusal"], seen.unasked.json["message"]):
        assert re.search(r"2 refund, 89\.99 altogether\n.*run p\.yaml --yes", told)
    assert seen.unasked.json["leads"]["deferred"] == 3
    assert adds_up(seen.unasked)


def test_a_run_tells_what_it_did_and_the_next_one_sends_nothing(scenes: Scenes) -> None:
    seen: Agreed = scenes["word"]
    assert seen.agreed.code == 3  # the invalid row
    assert (seen.agreed.json["leads"]["edited"], seen.agreed.json["rows"]["invalid"]) == (3, 1)
    assert money(seen.agreed) == {
        **dict.fromkeys(("parked", "refunded_before"), "0.00"),
        **dict.fromkeys(("refunded", "asked_for"), "89.99"),
    }
    assert (seen.again.json["leads"]["unchanged"], seen.calls_again) == (3, 0)
    assert money(seen.again)["refunded_before"] == "89.99"
    assert (adds_up(seen.agreed), adds_up(seen.again), seen.mode) == (True, True, 0o600)
    assert seen.results == {
        "1": ("already done", "", "80.00"),
        "2": ("already done", "", "9.99"),
        "3": ("already done", "", ""),
        "4": ("invalid", "", ""),
    }
    assert seen.status["operations"] == {"refund": {"done": 2}, "tag": {"done": 1}}


# --- whose it is, and how much


@SCENES.add
def whose(project: Project, sandbox: Sandbox) -> tuple[Result, Any, list[str], list[Any], Any]:
    ann, sale = buyer(sandbox)
    bob, other = buyer(sandbox, "bob")
    ann.email = "ann@example.org"
    sandbox.account.change_address(bob, "robert@example.org")  # since his purchase
    monthly = sandbox.account.add_subscription(Subscription(bob.id))
    rows = [
        refund("1", sale, "5.00", "robert@example.org"),
        refund("2", other, "5.00", "robert@example.org"),
        refund("3", sale, "80.01"),
        refund("4", Transaction("", id="999"), "1.00"),
        {"Key": "5", "What": "pause", "Email": "ann@example.org", "Subscription": monthly.id},
    ]
    write(project, rows)
    first = project.run("--yes")
    found = results(project)
    made = written(sandbox)
    sandbox.reset_calls()
    project.run("--yes")
    rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
    return first, found, made, sandbox.calls, rejects


def test_a_transaction_of_somebody_else_is_not_touched(scenes: Scenes) -> None:
    first, found, made, calls_again, rejects = scenes["whose"]
    assert (first.code, made, calls_again) == (3, ["refund_transaction"], [])
    assert found == {
        "1": ("refused", "", ""),
        "2": ("done", "", "5.00"),
        "3": ("refused", "", ""),
        "4": ("refused", "247", ""),
        "5": ("refused", "", ""),
    }
    assert [(one["row"], re.split(r"[.:] ", one["reason"])[0]) for one in rejects] == [
        (2, "the transaction belongs to another lead than the row says"),
        (4, "more than what is left of the transaction, 80.00"),
        (5, "Transaction doesn't exist"),
        (6, "the subscription belongs to another lead than the row says"),
    ]


@SCENES.add
def limits(project: Project, sandbox: Sandbox) -> list[tuple[int, str]]:
    _, sale = buyer(sandbox)
    rows = [refund("1", sale, "30.00"), refund("2", sale, "20.01")]
    told = []
    for guards in ("{max_total: 50}", "{max_rows: 1}"):
        write(project, rows, guards=guards)
        stopped = project.run("--yes")
        told.append((stopped.code, stopped.json["message"]))
    write(project, rows[:1], guards="{max_total: 50}")
    assert project.run("--yes").code == 0
    write(project, rows, guards="{max_total: 50}")  # what was refunded before counts
    stopped = project.run("--yes")
    told.append((stopped.code, stopped.json["message"]))
    assert refunds(sandbox) == [(sale.id, "30.00")]
    return told


def test_the_limits_of_a_file_hold_over_all_its_runs(scenes: Scenes) -> None:
    total, rows, later = scenes["limits"]
    assert (total[0], rows[0], later[0]) == (4, 4, 4)
    assert "add up to 50.01, more than operations.guards.max_total allows (50.00)" in total[1]
    assert "more than 1 operations (operations.guards.max_rows)" in rows[1]
    assert "add up to 50.01 (30.00 of it in earlier runs)" in later[1]


@SCENES.add
def names(project: Project, sandbox: Sandbox) -> tuple[Result, Result, list[str]]:
    buyer(sandbox)
    rows = [{"What": "tag", "Email": "ann@example.org", "Tag": tag} for tag in ("Refundd", "Refundd", "VIP")]
    write(project, [{**row, "Key": str(number)} for number, row in enumerate(rows)])
    misspelt = project.run()
    sandbox.account.api_password = "another"
    refused = project.run()
    sandbox.account.api_password = project.environ["KARTRA_API_PASSWORD"]
    return misspelt, refused, written(sandbox)


def test_a_misspelt_tag_and_a_bad_password_are_one_message_each(scenes: Scenes) -> None:
    misspelt, refused, made = scenes["names"]
    assert (misspelt.code, refused.code, made) == (2, 2, [])
    assert 'tag "Refundd"; did you mean "Refunded"? (2 leads)' in misspelt.json["message"]
    assert (refused.json["calls"]["sent"], "233" in refused.json["message"]) == (1, True)


# --- keys


@SCENES.add
def keys(project: Project, sandbox: Sandbox) -> tuple[Result, Result, Any, list[tuple[str, str]]]:
    _, sale = buyer(sandbox)
    rows = [refund("1", sale, "5.00"), refund("1", sale, "5"), refund("1", sale, "6.00")]
    write(project, rows)
    first = project.run("--yes")
    write(project, [refund("1", sale, "7.00"), refund("2", sale, "5.00")])
    second = project.run("--yes")
    return first, second, results(project), refunds(sandbox)


def test_a_key_is_one_operation_for_good(scenes: Scenes) -> None:
    first, second, found, made = scenes["keys"]
    assert first.json["rows"] == {"read": 3, "invalid": 1, "duplicate": 1, "blocked": 0}
    assert (second.json["rows"]["invalid"], second.json["leads"]["edited"]) == (1, 1)
    assert found == {"1": ("invalid", "", ""), "2": ("done", "", "5.00")}
    assert [amount for _, amount in made] == ["5.00", "5.00"]


# --- lost answers


@dataclass(frozen=True)
class Lost:
    first: Result
    parked: Any
    last: Result
    results: dict[str, tuple[str, str, str]]
    lead: SandboxLead
    refunds: list[tuple[str, str]]
    statuses: list[tuple[str, str]]
    faults: set[str | None]


def lost(faults: Faults) -> Any:
    def scene(project: Project, sandbox: Sandbox) -> Lost:
        """Every kind of operation; the first answer to each gets lost."""
        lead, sale = buyer(sandbox)
        held = [sandbox.account.add_subscription(Subscription(lead.id)) for _ in range(4)]
        payment = sandbox.account.add_transaction(Transaction(lead.id, subscription_id=held[0].id))
        lead.tags |= {"VIP"}
        lead.lists["News"] = True
        lead.sequences["Onboarding"] = SequenceEntry("1")
        lead.score = 50
        lead.bookings.append(Booking("Group classes", "Breathing"))
        asked: list[dict[str, str]] = [
            refund("part", sale, "20.00"),
            refund("part again", sale, "20.00"),
            refund("rest", sale, "full"),
            {"Key": "cancel", "What": "cancel", "Transaction": payment.id},
            {"Key": "pause", "What": "pause", "Subscription": held[1].id},
            {"Key": "end", "What": "cancel", "Subscription": held[2].id},
            {"Key": "edit", "What": "edit_subscription", "Subscription": held[3].id, "Amount": "30"},
            {"Key": "give", "What": "give_points", "Points": "7"},
            {"Key": "take", "What": "remove_points", "Points": "5"},
            {"Key": "leave", "What": "unsubscribe", "List": "News"},
            {"Key": "stop", "What": "unsubscribe", "Sequence": "Onboarding"},
            {"Key": "tag", "What": "tag", "Tag": "Refunded"},
            {"Key": "untag", "What": "untag", "Tag": "VIP"},
            {"Key": "book", "What": "calendar_subscribe", "Calendar": "Group classes", "Class": "Yoga"},
            {"Key": "unbook", "What": "calendar_cancel", "Calendar": "Group classes", "Class": "Breathing"},
        ]
        write(project, [{"Email": "ann@example.org", **row} for row in asked])
        sandbox.set_faults(faults)
        first = project.run("--yes")
        sandbox.set_faults(Faults())
        parked = project.command("parked", "p.yaml", "--json", "--show").json["operations"]
        for one in parked:
            landed = any(entry[0] == "calendar_subscribe" for entry in lead.calendar_log)
            answer = "--landed" if landed else "--not-landed"
            assert project.command("resolve", "p.yaml", one["key"], answer).code == 0
        last = project.run("--yes")
        return Lost(
            first,
            parked,
            last,
            results(project),
            lead,
            refunds(sandbox),
            [(one.status, one.amount) for one in held],
            {call.fault for call in sandbox.calls},
        )

    return scene


LOSSES = {
    "after the effect": Faults(cut_after=0.5, seed=3, commands=WRITES),
    "before the effect": Faults(cut_before=0.5, seed=3, commands=WRITES),
}
for _name, _faults in LOSSES.items():
    SCENES.add(lost(_faults), _name)


@pytest.mark.parametrize("name", LOSSES)
def test_every_operation_lands_exactly_once_whatever_answers_are_lost(scenes: Scenes, name: str) -> None:
    seen: Lost = scenes[name]
    assert len(seen.faults) == 2  # None and the fault
    assert seen.last.code == 0
    assert {one[0] for one in seen.results.values()} <= {"done", "already done"}
    assert [seen.results[key][2] for key in ("part", "part again", "rest")] == ["20.00", "20.00", "40.00"]
    assert [amount for _, amount in seen.refunds if amount != "0.00"] == ["20.00", "20.00", "40.00"]
    assert seen.statuses == [
        *(("Cancelled", "22.00"), ("Paused", "22.00"), ("Cancelled", "22.00"), ("Active", "30.00"))
    ]
    assert sorted(change.points for change in seen.lead.points_log) == [-5, 7]
    assert seen.lead.tags == {"Refunded"}
    assert seen.lead.lists == {"News": False}
    assert seen.lead.sequences["Onboarding"].status == "unsubscribed"
    assert sorted(seen.lead.calendar_log) == [
        ("calendar_cancel", "Group classes", "Breathing"),
        ("calendar_subscribe", "Group classes", "Yoga"),
    ]
    assert {one["key"] for one in seen.parked} <= {"book"}


def unproven_refund(project: Project, sandbox: Sandbox, lead: SandboxLead, sale: Transaction) -> Result:
    """A run whose refund gets no answer while somebody refunds another amount of the same transaction."""
    sandbox.set_faults(Faults(cut_before=1.0, commands=frozenset({"refund_transaction"})))
    process = project.start("run", "p.yaml", "--yes", "--json")
    wait_until(lambda: any(call.fault for call in sandbox.calls), "the call without an answer")
    with sandbox.lock:
        by_hand = Transaction(lead.id, type="partial_refund", amount="3.00", parent_id=sale.id)
        sandbox.account.add_transaction(by_hand)
    sandbox.set_faults(Faults())
    stdout, stderr = process.communicate(timeout=60)
    return Result(process.returncode, stdout, stderr)


@SCENES.add
def parked_in_test_mode(project: Project, sandbox: Sandbox) -> tuple[Any, Result, Any, list[tuple[str, str]]]:
    """A refund is parked in Test mode, and the App goes live before a person has said what became of it."""
    file = project.folder / "p.yaml"
    lead, sale = buyer(sandbox)
    sandbox.set_options(mode="test")
    write(project, [refund("1", sale, "10.00")])
    live = file.read_text(encoding="utf-8")
    file.write_text(live.replace("  settle_s", "  mode: test\n  settle_s"), encoding="utf-8")
    unproven_refund(project, sandbox, lead, sale)
    sandbox.set_options(mode="live")
    file.write_text(live, encoding="utf-8")
    held = project.run("--yes").json["leads"]
    resolved = project.command("resolve", "p.yaml", "1", "--not-landed")
    return held, resolved, project.run("--yes").json["leads"], refunds(sandbox)


def test_what_was_parked_in_test_mode_can_be_resolved_once_the_app_is_live(scenes: Scenes) -> None:
    held, resolved, after, made = scenes["parked_in_test_mode"]
    assert held["parked"] == 1
    assert resolved.code == 0
    assert after["edited"] == 1
    assert sorted(amount for _, amount in made) == ["10.00", "3.00"]


@SCENES.add
def unproven(project: Project, sandbox: Sandbox) -> tuple[Result, Any, Any, Result, list[tuple[str, str]]]:
    """While an answer is lost, somebody refunds another amount of the same transaction."""
    lead, sale = buyer(sandbox)
    write(project, [refund("1", sale, "10.00"), refund("2", sale, "15.00")])
    first = unproven_refund(project, sandbox, lead, sale)
    found = results(project)
    parked = project.command("parked", "p.yaml")
    assert project.command("resolve", "p.yaml", "1", "--not-landed").code == 0
    after = project.run("--yes")
    return first, found, parked, after, refunds(sandbox)


def test_what_nobody_can_prove_waits_for_a_person_and_holds_back_its_transaction(scenes: Scenes) -> None:
    first, found, parked, after, made = scenes["unproven"]
    assert (first.code, first.json["leads"]["parked"], first.json["leads"]["deferred"]) == (3, 1, 1)
    assert found == {"1": ("parked", "", "10.00"), "2": ("deferred", "", "")}
    assert "the transaction has a new refund of another amount" in parked.stdout
    assert "kartra-sync resolve p.yaml KEY --landed or --not-landed" in parked.stdout
    assert (after.code, after.json["leads"]["edited"]) == (0, 2)
    assert sorted(amount for _, amount in made) == ["10.00", "15.00", "3.00"]


@SCENES.add
def failing(project: Project, sandbox: Sandbox) -> tuple[Any, Any, Any, list[tuple[str, str]]]:
    """The payment provider fails; later it works again."""
    _, sale = buyer(sandbox)
    sale.gateway_fails = True
    write(project, [refund("1", sale, "10.00")])
    project.run("--yes")
    found, made = results(project), len(written(sandbox))
    project.run("--yes")
    sale.gateway_fails = False
    again = len(written(sandbox)) - made
    assert project.command("resolve", "p.yaml", "1", "--not-landed").code == 0
    last = project.run("--yes")
    return (found, made, again), last, results(project), refunds(sandbox)


def test_a_refund_that_failed_is_read_back_and_not_tried_again_unasked(scenes: Scenes) -> None:
    before, last, found, made = scenes["failing"]
    assert before == ({"1": ("refused", "266", "")}, 1, 0)
    assert (last.code, found["1"], len(made)) == (0, ("done", "", "10.00"), 1)


# --- a process that dies


@SCENES.add
def killed(project: Project, sandbox: Sandbox) -> tuple[Result, Any, list[tuple[str, str]], Path]:
    """Killed when a refund was carried out and its answer had not come; then the row is gone."""
    _, sale = buyer(sandbox)
    write(project, [refund("1", sale, "10.00"), refund("2", sale, "11.00")])
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"refund_transaction"})))
    process = project.start("run", "p.yaml", "--yes", "--json")
    wait_until(lambda: bool(refunds(sandbox)), "the refund")
    process.kill()
    process.communicate()
    sandbox.set_faults(Faults())
    write(project, [refund("2", sale, "11.00"), refund("1", sale, "10.00")])
    after = project.run("--yes")
    return after, results(project), refunds(sandbox), project.folder


def test_after_a_kill_the_next_run_reads_back_before_it_sends(scenes: Scenes) -> None:
    after, found, made, folder = scenes["killed"]
    assert (after.code, after.json["leads"]["edited"], after.json["leads"]["unchanged"]) == (0, 1, 1)
    assert sorted(amount for _, amount in made) == ["10.00", "11.00"]
    assert found == {"1": ("already done", "", "10.00"), "2": ("done", "", "11.00")}
    assert [path.name for path in (folder / "out").iterdir()] == ["results.csv"]


@SCENES.add
def stopped(project: Project, sandbox: Sandbox) -> tuple[Result, Any, Result, list[tuple[str, str]]]:
    """Asked to stop while one refund has no answer; two leads, so that another one was answered."""
    _, sale = buyer(sandbox)
    _, other = buyer(sandbox, "bob")
    whole = refund("3", other, "full", "bob@example.org")
    write(project, [refund("1", sale, "10.00"), refund("2", sale, "11.00"), whole])
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"refund_transaction"}), from_call=1))
    process = project.start("run", "p.yaml", "--yes", "--json")
    wait_until(lambda: len(refunds(sandbox)) > 0, "the first refund")
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    sandbox.set_faults(Faults())
    told = results(project)
    return Result(process.returncode, stdout, stderr), told, project.run("--yes"), refunds(sandbox)


def test_a_run_that_is_asked_to_stop_says_what_is_open_and_the_next_one_settles_it(scenes: Scenes) -> None:
    first, told, after, made = scenes["stopped"]
    assert (first.code, first.json["status"], adds_up(first)) == (143, "interrupted", True)
    assert told["1"] == ("unknown", "", "10.00")
    assert told["2"] == ("deferred", "", "")
    assert (after.code, sorted(amount for _, amount in made)) == (0, ["10.00", "11.00", "80.00"])
    assert adds_up(after)


@SCENES.add
def forgotten(project: Project, sandbox: Sandbox) -> tuple[Result, Result, list[tuple[str, str]], bytes]:
    """A person asks to be forgotten whose refund was carried out; the file still has the row."""
    _, sale = buyer(sandbox)
    write(project, [refund("order-4711", sale, "10.00")])
    assert project.run("--yes").code == 0
    erased = project.command("state", "forget", "p.yaml", "ann@example.org", "--json")
    sandbox.reset_calls()
    after = project.run("--yes")
    assert sandbox.calls == []
    return erased, after, refunds(sandbox), all_of_state(project)


def test_who_is_forgotten_gets_no_second_refund(scenes: Scenes) -> None:
    erased, after, made, state = scenes["forgotten"]
    assert (erased.code, erased.json["erased"]["operations"]) == (0, 1)
    assert (after.code, after.json["rows"]["blocked"], len(made)) == (0, 1, 1)
    assert b"4711" not in state
    assert b"ann@example.org" not in state


@SCENES.add
def strangers(project: Project, sandbox: Sandbox) -> tuple[Result, Result, list[str], int]:
    """A file for another account: money first, then tags."""
    _, sale = buyer(sandbox)
    everyone = range(40)
    write(project, [refund(f"{one}", sale, "1.00", f"stranger{one}@example.org") for one in everyone])
    wrong_leads = project.run("--yes")
    made = written(sandbox)
    sandbox.reset_calls()
    tags = [{"What": "tag", "Email": f"stranger{one}@example.org", "Tag": "VIP"} for one in everyone]
    write(project, [{**tag, "Key": f"tag {one}"} for one, tag in enumerate(tags)])
    return wrong_leads, project.run("--yes"), made, len(written(sandbox))


def test_a_file_that_is_refused_row_by_row_stops_the_run(scenes: Scenes) -> None:
    wrong_leads, unknown_leads, made, tried = scenes["strangers"]
    assert (wrong_leads.code, unknown_leads.code, made) == (4, 4, [])
    assert 25 <= tried < 40
    for stopped_run in (wrong_leads, unknown_leads):
        assert "25 operations in a row were refused" in stopped_run.json["message"]
        assert adds_up(stopped_run)
