"""P4: who opted out is not sent, whatever was attested, in whatever column and words; and it is told."""

import csv
from collections import Counter
from typing import Any

import pytest

from connectors.kartra.sandbox import Account
from pipelines.contacts.opt_outs import shown
from pipelines.shipped import ROOT
from tests.conftest import Project

pytestmark = pytest.mark.usefixtures("sandbox")

ATTESTED = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
lists: [News]
consent: {attested: "sign-up form, 2025"}
"""


def people(**columns: list[str]) -> list[dict[str, str]]:
    """A row for each value; the column of addresses is made."""
    count = len(next(iter(columns.values())))
    return [
        {"Email": f"p{number}@example.org", **{name: cells[number] for name, cells in columns.items()}}
        for number in range(count)
    ]


def sent(account: Account) -> list[str]:
    return sorted(lead.email.partition("@")[0] for lead in account.leads.values())


def reasons_of(told: dict[str, Any]) -> dict[str, int]:
    """Why rows are blocked, with how many rows each reason has."""
    return {one["reason"]: one["rows"] for one in told["blocked_reasons"]}


def test_p4_who_opted_out_is_held_back_and_told_by_word_and_column(
    project: Project, account: Account
) -> None:
    project.contacts(
        people(
            Status=["subscribed", "Bounced (hard)", "Abgemeldet", "subscribed", "active", ""],
            HasOptedOutOfEmail=["false", "false", "false", "true", "false", "0"],
            X=["VIP", "", "", "", "Spam complaint", ""],
        )
    )
    project.pipeline(ATTESTED)
    held_back = {
        'opted out: "bounced (hard)" in the column "Status"': 1,
        'opted out: "abgemeldet" in the column "Status"': 1,
        'opted out: "true" in the column "HasOptedOutOfEmail"': 1,
        'opted out: "spam complaint" in the column "X"': 1,
    }
    checked = project.command("check", "p.yaml", "--json").json
    planned = project.command("plan", "p.yaml", "--json").json
    for told in (checked["files"][0] if "files" in checked else checked, planned):
        assert (reasons_of(told), told["unclear"]) == (held_back, [])
    assert '1 opted out: "abgemeldet" in the column "Status"' in project.command("plan", "p.yaml").stdout
    done = project.run()
    assert (done.code, done.json["rows"]["blocked"], sent(account)) == (0, 4, ["p0", "p5"])


def test_p4_every_pair_of_the_table_is_told_by_the_command(project: Project) -> None:
    """A person for each pair, and a column for each name: the others are blank there."""
    with (ROOT / "tests" / "data" / "opt_outs.csv").open(encoding="utf-8", newline="") as handle:
        pairs = list(csv.DictReader(handle))
    columns = sorted({one["column"] for one in pairs})
    with (project.folder / "contacts.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.DictWriter(handle, ["Email", *columns])
        rows.writeheader()
        for number, one in enumerate(pairs):
            rows.writerow({"Email": f"p{number}@example.org", one["column"]: one["value"]})
    project.pipeline(ATTESTED)
    checked = project.command("check", "p.yaml", "--json").json
    told = checked["files"][0] if "files" in checked else checked
    said = {
        verdict: Counter(
            f'opted out: "{shown(one["value"])}" in the column "{one["column"]}"'
            for one in pairs
            if one["verdict"] == verdict
        )
        for verdict in ("no", "")
    }
    assert not said["no"] - Counter(reasons_of(told))
    wrongly = Counter(reasons_of(told)) - said["no"]
    assert set(wrongly) <= set(said[""])
    assert wrongly.total() <= 0.02 * said[""].total()


def test_p4_a_status_that_nobody_knows_stops_a_first_load_until_it_is_declared(
    project: Project, account: Account
) -> None:
    project.contacts(people(Status=["gold", "silver", "gold", "left us", "subscribed"]))
    project.pipeline(ATTESTED)
    told = '"gold" (2), "silver" (1), "left us" (1)'
    assert told in project.command("check", "p.yaml").stdout
    planned = project.command("plan", "p.yaml")
    assert (planned.code, told in planned.stderr) == (4, True)
    stopped = project.run()
    assert (stopped.code, stopped.json["status"], sent(account)) == (4, "refused", [])
    declared = 'opt_out: {column: Status, blocked: ["Left us"], allowed: [gold, silver]}'
    project.pipeline(f"{ATTESTED}\n{declared}")
    done = project.run()
    assert (done.code, done.json["rows"]["blocked"]) == (0, 1)
    assert sent(account) == ["p0", "p1", "p2", "p4"]
    project.contacts(people(Status=["gold", "silver", "gold", "left us", "subscribed", "bronze"]))
    later = project.run()
    assert (later.code, later.json["leads"]["created"]) == (0, 1)


def test_p4_files_for_kartras_import_stop_for_such_a_status_too(project: Project) -> None:
    project.contacts(people(Status=["gold", "silver"]))
    project.pipeline(ATTESTED)
    stopped = project.command("export-import", "p.yaml", "--to", "out", "--json")
    assert (stopped.code, list(project.folder.glob("out/*.csv"))) == (4, [])


def test_p4_words_of_a_column_of_consent_are_told(project: Project, account: Account) -> None:
    words = ["Yes", "Double opt-in", "✓", "1.0", "YES ", "Yes – newsletter", "✓", ""]
    project.contacts(people(**{"Opt-in": words}))
    project.pipeline(ATTESTED.replace('attested: "sign-up form, 2025"', 'column: Opt-in, accepted: ["yes"]'))
    planned = project.command("plan", "p.yaml", "--json").json
    assert reasons_of(planned) == {
        'no consent in the column "Opt-in": "✓"': 2,
        'no consent in the column "Opt-in": "double opt-in"': 1,
        'no consent in the column "Opt-in": "1.0"': 1,
        'no consent in the column "Opt-in": "yes – newsletter"': 1,
        'no consent in the column "Opt-in"': 1,
    }
    assert project.run().json["rows"]["blocked"] == 6
    assert sent(account) == ["p0", "p4"]


def test_p4_who_opts_out_later_in_a_column_nobody_reads_is_left_alone(
    project: Project, account: Account
) -> None:
    rows = people(X=["", "", ""])
    project.contacts(rows)
    project.pipeline(ATTESTED)
    assert project.run().json["leads"]["created"] == 3
    project.contacts([*rows[:2], {**rows[2], "X": "Unsubscribed"}])
    done = project.run()
    assert (done.json["rows"]["blocked"], done.json["leads"]["unchanged"], done.json["calls"]["sent"]) == (
        1,
        2,
        0,
    )


@pytest.mark.parametrize(
    ("only", "loaded"),
    [
        ("{Plan: [pro, Team]}", ["p0", "p1", "p4"]),
        ("{Plan: pro}", ["p0", "p4"]),
        ("{Plan: {not: [pro, free]}}", ["p1", "p3"]),
        ("{Plan: {blank: true}}", ["p3"]),
        ("{Plan: {blank: false}, Zone: eu}", ["p0", "p2"]),
        ("{Plan: {not: free, blank: false}}", ["p0", "p1", "p4"]),
    ],
)
def test_only_the_records_that_are_chosen_are_of_the_load(
    only: str, loaded: list[str], project: Project, account: Account
) -> None:
    project.contacts(people(Plan=["pro", "TEAM", "free", "", " Pro "], Zone=["eu", "us", "EU", "eu", "us"]))
    project.pipeline(f"{ATTESTED}\nonly: {only}")
    done = project.run()
    assert (done.code, done.json["rows"]["read"], done.json["not_chosen"]) == (
        0,
        len(loaded),
        5 - len(loaded),
    )
    assert sent(account) == loaded
    explained = project.command("explain", "p.yaml", "p9@example.org", "--json").json
    assert explained["source"] == []


def test_who_is_not_chosen_any_more_has_gone_from_the_source(project: Project, account: Account) -> None:
    guards = "on_removed: [unsubscribe]\nguards: {max_removed: 100%}\nonly: {Plan: pro}"
    project.contacts(people(Plan=["pro", "pro"]))
    project.pipeline(f"{ATTESTED}\n{guards}")
    assert project.run().json["leads"]["created"] == 2
    project.contacts(people(Plan=["pro", "free"]))
    done = project.run()
    assert (done.json["rows"]["read"], done.json["leads"]["removed"]) == (1, 1)
    lead = account.lead("p1@example.org")
    assert lead is not None
    assert [name for name, is_on in lead.lists.items() if is_on] == []


def test_a_column_to_choose_by_has_to_be_there(project: Project) -> None:
    project.contacts(people(Plan=["pro"]))
    project.pipeline(f"{ATTESTED}\nonly: {{Plann: pro}}\ncontract: {{missing: ignore}}")
    refused = project.run()
    assert refused.code == 2
    assert 'load.only: the source has no column "Plann"; did you mean "Plan"?' in refused.stderr


@pytest.mark.parametrize(
    ("column", "cells", "blanks"),
    [
        ("Status", ["Unsubscribed", "N/A"], "[unsubscribed, N/A]"),
        ("Subscribed", ["no", "yes"], "[no]"),
        ("Subscribed", ["0", "n/a"], "[0, n/a]"),
        ("Unsubscribed", ["x", ""], "[x]"),
    ],
)
def test_p4_a_word_for_blank_hides_no_opting_out(
    column: str, cells: list[str], blanks: str, project: Project, account: Account
) -> None:
    project.contacts(people(**{column: cells}))
    source = f"source: {{csv: {{path: contacts.csv, blanks: {blanks}}}}}"
    project.pipeline(ATTESTED.replace("source: {csv: contacts.csv}", source))
    assert project.run().json["rows"]["blocked"] == 1
    assert sent(account) == ["p1"]


def test_p4_a_declared_word_cannot_mean_blank_too(project: Project) -> None:
    project.contacts(people(Grade=["V", "A"]))
    source = "source: {csv: {path: contacts.csv, blanks: [v]}}\nopt_out: {column: Grade, blocked: [V]}"
    project.pipeline(ATTESTED.replace("source: {csv: contacts.csv}", source))
    refused = project.run()
    assert refused.code == 2
    assert 'the blanks of the source have "v", too' in refused.stderr


def test_who_leaves_everybody_out_is_told_by_which_key(project: Project) -> None:
    project.contacts(people(Plan=["pro", "free"]))
    project.pipeline(f"{ATTESTED}\nonly: {{Plan: prof}}")
    checked = project.command("check", "p.yaml")
    assert "load.only leaves out 2 of 2 records" in checked.stdout
    refused = project.run()
    assert refused.code == 4
    assert "0 rows without the 2 that load.only leaves out" in refused.stderr
