"""What a pull does from run to run: what is asked for again, what is told, what is kept of the past.

Against SQLite; that the databases hold the same is shown in test_tables.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.clock import Clock
from connectors.kartra.sandbox import Account, Faults, Sandbox, SequenceEntry, Subscription, Transaction
from pipelines.config.file import read_pipeline
from pipelines.verbs.run import run_pipeline
from pipelines.verbs.world import World
from tests.conftest import Project, contact
from tests.pull.accounts import (
    PIPELINE,
    busy_account,
    expected,
    read,
    until_the_next_second,
    write_pull,
    write_roster,
)

AT_ONCE = "refresh_after: 0s"
EVERY = ("leads", "lead_roster", "transactions", "subscriptions", "lead_tags", "lead_changes")


@pytest.fixture
def account() -> Account:
    return busy_account(6, 9, 3, seed=5)


@pytest.fixture
def sandbox(account: Account, project: Project) -> Iterator[Sandbox]:
    write_pull(project, account)
    with Sandbox(account, calls_per_second=0) as served:
        project.aim(served)
        yield served


def rows(project: Project, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(project.folder / "tables.db")) as connection:
        return connection.execute(statement).fetchall()


def asked(sandbox: Sandbox, since: int) -> list[tuple[str, ...]]:
    """The calls since then, without those for names."""
    calls = [call.commands for call in sandbox.calls[since:]]
    return [call for call in calls if "account" not in call[0] and call != ("retrieve_custom_fields",)]


def pull(project: Project) -> dict[str, Any]:
    result = project.run()
    assert result.code == 0, result.stderr
    until_the_next_second()
    return dict(result.json)


def same(project: Project, account: Account) -> bool:
    stands, wanted = read(f"sqlite:///{project.folder / 'tables.db'}"), expected(account)
    return {table: stands[table] for table in wanted} == wanted


# --- fresh and stale


def test_known_sales_are_not_asked_for_again_but_open_subscriptions_are(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    pull(project)
    before = len(sandbox.calls)
    pull(project)
    details = [
        cmd for call in asked(sandbox, before) for cmd in call if cmd.startswith("get_") and cmd != "get_lead"
    ]
    still_open = [one for one in account.subscriptions.values() if one.status in ("Active", "Paused")]
    assert details == ["get_subscription_details"] * len(still_open)
    assert still_open


def test_a_sale_that_came_since_is_the_only_detail_that_is_asked_for(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.subscriptions.clear()
    write_pull(project, account, more=AT_ONCE)
    pull(project)
    lead = next(iter(account.leads))
    new = account.add_transaction(Transaction(lead, amount="12.34", date="2026-11-01 01:30:00"))
    before = len(sandbox.calls)
    pull(project)
    assert [call for call in asked(sandbox, before) if "details" in call[0]] == [("get_transaction_details",)]
    assert rows(project, f"SELECT net_amount FROM transactions WHERE transaction_id = '{new.id}'") == [
        ("12.34",)
    ]
    assert same(project, account)


def test_a_subscription_that_ended_is_pulled_once_more_and_then_left(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    lead = next(iter(account.leads))
    account.subscriptions.clear()
    ends = account.add_subscription(Subscription(lead, start_date="2026-01-01 10:00:00"))
    pull(project)
    ends.status, ends.end_date = "Cancelled", "2026-11-20 10:00:00"
    pull(project)
    assert same(project, account)
    before = len(sandbox.calls)
    pull(project)
    assert ("get_subscription_details",) not in asked(sandbox, before)
    told = rows(project, "SELECT field, old_value, new_value FROM lead_changes WHERE kind = 'subscription'")
    assert told == [(ends.id, "Active", "Cancelled")]


def test_a_budget_pulls_the_stalest_and_the_next_run_goes_on(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more="max_calls: 9")
    first = pull(project)
    assert first["calls"]["sent"] == 9
    assert "wait for the next run" in first["notes"][-1]
    runs = [pull(project)["calls"]["sent"] for _ in range(4)]
    assert max(runs) <= 9
    assert same(project, account)
    reads = [call for call in sandbox.calls if call.commands == ("get_lead",)]
    assert len(reads) == len(account.leads)


def test_a_budget_gets_round_to_every_lead_where_sales_alone_are_pulled(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.transactions.clear()
    write_pull(project, account, more=f"{AT_ONCE}\ntables: [transactions]\nmax_calls: 2")
    for _ in range(len(account.leads) // 2):
        pull(project)
    read_leads = [call.form["lead"]["email"] for call in sandbox.calls]  # type: ignore[index, call-overload]
    assert sorted(read_leads) == sorted(lead.email for lead in account.leads.values())


def test_a_lead_that_kartra_gets_later_is_found_where_sales_alone_are_pulled(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=f"{AT_ONCE}\ntables: [transactions]")
    write_roster(project, ["late@example.org"])
    pull(project)
    assert rows(project, "SELECT status FROM lead_roster") == [("unknown",)]
    late = account.add_lead("late@example.org")
    sold = account.add_transaction(Transaction(late.id, date="2026-11-01 10:00:00"))
    pull(project)
    assert rows(project, "SELECT transaction_id, lead_id FROM transactions") == [(sold.id, late.id)]


def test_only_the_tables_that_are_wanted_are_pulled(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more="tables: [tags, subscriptions]")
    said = pull(project)
    assert set(said["pulled"]) == {"tags", "subscriptions"}
    assert {call.commands for call in sandbox.calls if call.commands[0] != "get_subscription_details"} == {
        ("retrieve_account_tags",),
        ("retrieve_subscriptions_from_lead",),
    }
    assert rows(project, "SELECT count(*) FROM leads") == [(0,)]


# --- whose leads


def test_deleted_and_unknown_leads_are_noted_and_stop_nothing(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    gone = next(iter(account.leads.values()))
    gone.deleted = True
    write_roster(
        project, [*(lead.email for lead in account.leads.values()), "nobody@example.org", "no address"]
    )
    pull(project)
    assert same(project, account)
    noted = dict(rows(project, "SELECT lookup, status || coalesce(' ' || type, '') FROM lead_roster"))
    assert noted[f"email:{gone.email}"] == "deleted 245"
    assert noted["email:nobody@example.org"] == "unknown 234"
    assert sum(status == "pulled" for status in noted.values()) == len(account.leads) - 1


def test_a_lead_that_is_deleted_later_keeps_its_last_profile_and_says_since_when(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    pull(project)
    gone = next(iter(account.leads.values()))
    gone.deleted = True
    pull(project)
    pull(project)
    kept = rows(project, f"SELECT email, gone_at IS NOT NULL FROM leads WHERE id = '{gone.id}'")
    assert kept == [(gone.email, 1)]
    told = rows(project, "SELECT lead_id, kind, field, new_value FROM lead_changes")
    assert told == [(gone.id, "lead", "deleted", "1")]


def test_the_state_of_a_load_is_a_roster(project: Project, account: Account) -> None:
    project.contacts([contact(number) for number in (20, 21, 22)])
    (project.folder / "p.yaml").write_text(
        PIPELINE
        + """\
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email, first_name: First}
  consent: {attested: a form}
pull:
  into: tables.db
""",
        encoding="utf-8",
    )
    with Sandbox(account, calls_per_second=0) as sandbox:
        project.aim(sandbox)
        said = pull(project)
        mine = {lead.id for lead in sandbox.account.leads.values() if lead.source == "api"}
    assert said["leads"]["created"] == 3
    assert said["pulled"]["leads"] == 3
    assert {lead_id for (lead_id,) in rows(project, "SELECT id FROM leads")} <= mine


def test_a_roster_without_the_column_costs_no_call(project: Project, sandbox: Sandbox) -> None:
    path = project.folder / "p.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("email: Email", "email: Mail"), encoding="utf-8")
    done = project.run()
    assert (done.code, len(sandbox.calls)) == (2, 0)
    assert 'no column "Mail"' in done.stderr


def test_an_address_of_a_deleted_lead_may_be_a_new_one(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    gone = next(iter(account.leads.values()))
    numbers = project.folder / "p.yaml"
    by_address = numbers.read_text(encoding="utf-8")
    numbers.write_text(by_address.replace("email: Email", "id: Email") + f"  {AT_ONCE}\n", encoding="utf-8")
    write_roster(project, list(account.leads))
    pull(project)
    gone.deleted = True
    pull(project)
    address = gone.email
    account.change_address(gone, "was@example.org")
    new = account.add_lead(address)
    numbers.write_text(by_address, encoding="utf-8")
    write_roster(project, [address])
    pull(project)
    assert rows(project, f"SELECT id FROM leads WHERE email = '{address}' ORDER BY id") == [
        (gone.id,),
        (new.id,),
    ]


def test_a_lead_named_by_its_number_and_by_its_address_is_pulled_once(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    lines = "".join(f"{lead.id}\n" for lead in account.leads.values())
    (project.folder / "roster.csv").write_text(f"Number\n{lines}", encoding="utf-8")
    path = project.folder / "p.yaml"
    path.write_text(path.read_text("utf-8").replace("email: Email", "id: Number"), encoding="utf-8")
    before = len(sandbox.calls)
    pull(project)
    assert asked(sandbox, before) == []


def test_a_forgotten_person_goes_from_the_tables_and_stays_away(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    pull(project)
    person = account.leads[next(iter(account.transactions.values())).lead_id]
    assert project.command("state", "forget", "p.yaml", person.email, "--yes").code == 0
    pull(project)
    dump = str([rows(project, f"SELECT * FROM {table}") for table in EVERY])
    assert person.email not in dump
    assert rows(project, "SELECT count(*) FROM leads") == [(len(account.leads) - 1,)]
    assert rows(project, "SELECT count(*) FROM transactions") == [(len(account.transactions),)]


def test_details_that_were_owed_of_a_forgotten_person_come_without_the_person(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    person = account.leads[next(iter(account.transactions.values())).lead_id]
    account.add_subscription(Subscription(person.id, start_date="2026-01-01 10:00:00"))
    write_pull(project, account, more=f"max_calls: {5 + 2 * len(account.leads)}")
    pull(project)
    assert rows(project, "SELECT count(*) FROM transactions WHERE pulled_at IS NOT NULL") == [(0,)]
    assert project.command("state", "forget", "p.yaml", person.email, "--yes").code == 0
    write_pull(project, account)
    pull(project)
    assert person.email not in str([rows(project, f"SELECT * FROM {table}") for table in EVERY])
    bought = [one for one in account.transactions.values() if one.lead_id == person.id]
    kept = rows(project, f"SELECT count(*) FROM transactions WHERE lead_id = '{person.id}'")
    assert kept == [(len(bought),)]


# --- history


def test_names_that_go_and_come_back_keep_their_history(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    account.tags.remove("Tag 3")
    pull(project)
    ((gone,),) = rows(project, "SELECT gone_at FROM tags WHERE name = 'Tag 3'")
    assert gone is not None
    account.tags.append("Tag 3")
    pull(project)
    ((first, last, gone),) = rows(
        project, "SELECT first_seen_at, last_seen_at, gone_at FROM tags WHERE name = 'Tag 3'"
    )
    assert gone is None
    assert first < last


def test_what_looks_renamed_is_told(project: Project, sandbox: Sandbox, account: Account) -> None:
    pull(project)
    account.lists[account.lists.index("Customers")] = "Clients"
    account.custom_fields[0].identifier = "remark"
    notes = pull(project)["notes"]
    assert sorted(notes) == [
        'custom field "note" is called "remark" now',
        'list "Customers" is gone and "Clients" is new: renamed?',
    ]
    assert json.loads(
        rows(project, "SELECT notes FROM pull_runs ORDER BY started_at DESC, pull_id DESC")[0][0]
    )


def test_changes_of_a_profile_are_told_old_and_new(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    lead = next(iter(account.leads.values()))
    lead.fields["city"] = "Lyon"
    lead.tags, lead.lists, lead.custom_fields = {"Tag 1"}, {"News": True}, {"fruits": ["1"]}
    lead.sequences, lead.memberships, lead.score = {}, [], 10
    pull(project)
    assert rows(project, "SELECT count(*) FROM lead_changes") == [(0,)]
    lead.fields["city"] = "Leeds"
    lead.tags, lead.lists, lead.custom_fields = {"Tag 2"}, {"News": False}, {"fruits": ["1", "2"]}
    lead.sequences, lead.score = {"Win-back": SequenceEntry("1")}, 15
    pull(project)
    told = rows(project, "SELECT lead_id, kind, field, old_value, new_value FROM lead_changes")
    assert sorted(told, key=str) == [
        (lead.id, "custom_field", "fruits", "apple", "apple; pear"),
        (lead.id, "field", "city", "Lyon", "Leeds"),
        (lead.id, "field", "score", "10", "15"),
        (lead.id, "list", "News", "1", "0"),
        (lead.id, "sequence", "Win-back", None, "active"),
        (lead.id, "tag", "Tag 1", "1", None),
        (lead.id, "tag", "Tag 2", None, "1"),
    ]
    assert same(project, account)


def test_a_lead_that_joined_since_the_first_pull_arrives_with_its_tags_and_lists(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    new = account.add_lead("new@example.org")
    new.date_joined = "2030-01-01 00:00:00"
    new.tags, new.lists = {"Tag 1"}, {"News": True}
    old = account.add_lead("old@example.org")
    old.date_joined = "2020-01-01 00:00:00"
    old.tags = {"Tag 1"}
    write_roster(project, [lead.email for lead in account.leads.values()])
    pull(project)
    told = rows(project, "SELECT lead_id, kind, field, old_value, new_value FROM lead_changes ORDER BY kind")
    assert told == [
        (new.id, "lead", "joined", None, "2030-01-01 00:00:00"),
        (new.id, "list", "News", None, "1"),
        (new.id, "tag", "Tag 1", None, "1"),
    ]


# --- another account, other shapes of answers


def test_tables_of_another_account_are_refused_until_it_is_approved(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    other = busy_account(2, 0, 0, seed=8)
    other.api_key = "OTHERKEY"
    with Sandbox(other, calls_per_second=0) as elsewhere:
        project.aim(elsewhere)
        refused = project.run()
        assert refused.code == 2
        assert "another Kartra account" in refused.json["message"]
        assert project.run("--yes").code == 2  # the word that lets money go is another one
        assert project.run("--take-over-tables").code == 0
        assert project.run().code == 0


@pytest.mark.parametrize("leadless_chains", ["206", "last"])
@pytest.mark.parametrize("chain_errors", ["flat", "nested"])
def test_details_come_one_by_one_where_kartra_lets_none_be_chained(
    leadless_chains: str, chain_errors: str, project: Project, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    with Sandbox(
        account,
        calls_per_second=0,
        leadless_chains=leadless_chains,
        chain_errors=chain_errors,
        php_lists=True,
    ) as sandbox:
        project.aim(sandbox)
        pull(project)
        assert same(project, account)
        tried = [call for call in asked(sandbox, 0) if len(call) > 2]
        assert len(tried) == 1
        pull(project)
        assert [call for call in asked(sandbox, 0) if len(call) > 2] == tried


def test_a_sale_that_kartra_does_not_know_any_more_is_noted_and_left(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more=AT_ONCE)
    sale = next(iter(account.transactions.values()))
    pull(project)
    with closing(sqlite3.connect(project.folder / "tables.db")) as connection:
        connection.execute("UPDATE transactions SET pulled_at = NULL WHERE transaction_id = ?", (sale.id,))
        connection.commit()
    del account.transactions[sale.id]
    pull(project)
    assert rows(project, f"SELECT extra FROM transactions WHERE transaction_id = '{sale.id}'") == [
        ('{"refused": "247"}',)
    ]
    before = len(sandbox.calls)
    pull(project)
    assert ("get_transaction_details",) not in asked(sandbox, before)


def test_an_account_that_fails_now_and_then_is_pulled_whole(project: Project, account: Account) -> None:
    faults = Faults(cut_after=0.05, bad_gateway_before=0.05, not_json=0.05, missing_entry=0.05, seed=3)
    with Sandbox(account, calls_per_second=0, faults=faults) as sandbox:
        project.aim(sandbox)
        write_pull(project, account)
        while project.run().code == 1:
            assert len(sandbox.calls) < 400
    assert same(project, account)


# --- clocks that were wrong


def test_what_a_clock_that_was_ahead_pulled_is_asked_for_again_and_told_once(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    with closing(sqlite3.connect(project.folder / "tables.db")) as connection:
        connection.execute("UPDATE lead_roster SET profile_at = '2031-01-01 00:00:00', sales_at = profile_at")
        connection.execute("UPDATE lead_roster SET sales_at = '2031-01-01 00:00:00'")
        connection.execute(
            "UPDATE pull_runs SET started_at = '2031-01-01 00:00:00', finished_at = '2031-01-01 00:00:09'"
        )
        connection.commit()
    fresh = project.command("report", "p.yaml", "freshness", "--json").json
    told = dict(zip(fresh["columns"], fresh["rows"][0], strict=True))
    assert (told["last_pull"], told["dated_ahead"]) == (None, 1 + len(account.leads))
    lead = next(iter(account.leads))
    account.add_transaction(Transaction(lead, amount="12.34", date="2026-11-01 01:30:00"))
    second = pull(project)
    assert second["pulled"]["leads"] == len(account.leads)
    assert [note for note in second["notes"] if "2031-01-01 00:00 UTC, which is later than now" in note]
    assert same(project, account)
    third = pull(project)
    assert third["pulled"]["leads"] == 0
    assert not [note for note in third.get("notes", ()) if "later than now" in note]


@pytest.mark.parametrize("hours", [-30, -3, 3])
def test_a_clock_that_is_set_while_a_pull_goes_on_has_nothing_read_twice(
    project: Project, sandbox: Sandbox, account: Account, hours: int
) -> None:
    set_after = 3

    def now() -> datetime:
        is_set = len(asked(sandbox, 0)) >= set_after
        return datetime.now(UTC) + timedelta(hours=hours if is_set else 0)

    write_pull(project, account, more="max_calls: 60")
    config = read_pipeline(project.folder / "p.yaml", project.environ)
    ended = run_pipeline(config, world=World(clock=Clock(now=now)))
    assert (ended.status, ended.summary.counts.pulled["leads"]) == ("succeeded", len(account.leads))
    assert asked(sandbox, 0).count(("get_lead",)) == len(account.leads)
    assert same(project, account)


def test_a_pull_of_another_account_is_refused_whatever_a_clock_had_said(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pull(project)
    with closing(sqlite3.connect(project.folder / "tables.db")) as connection:
        connection.execute(
            "INSERT INTO pull_runs SELECT 'ahead', pipeline, 'other', '2031-01-01 00:00:00', NULL, 'failed',"
            " 0, 0, 0, NULL, NULL FROM pull_runs"
        )
        connection.commit()
    assert project.run().code == 0
