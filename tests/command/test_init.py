"""init and inspect: from somebody's export to a run without an edit; who opted out is never subscribed."""

import csv
import io
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project

DATA = Path(__file__).parent.parent / "data" / "exports"
Rows = list[dict[str, str]]
MAILCHIMP = (
    *("Email Address", "First Name", "Last Name", "MEMBER_RATING", "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME"),
    *("CONFIRM_IP", "LATITUDE", "LONGITUDE", "GMTOFF", "DSTOFF", "TIMEZONE", "CC", "REGION", "LAST_CHANGED"),
    *("LEID", "EUID", "NOTES", "TAGS"),
)


def text_of(rows: Rows, header: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


EXPORTS = {
    "kajabi.csv": "Kajabi",
    "hubspot.csv": "HubSpot",
    "ghl.csv": "GoHighLevel",
    "kit.csv": "Kit",
    "ac.csv": "ActiveCampaign",
    "brevo.csv": "Brevo",
    "systeme.csv": "systeme.io",
    "cc.csv": "Constant Contact",
    "cf.csv": "ClickFunnels",
    "kartra_transactions.csv": "Kartra's transactions",
    "kartra_leads.csv": "Kartra's leads",
}
"""Small exports with the header rows of the platforms. In each, ann@example.org alone may be mailed."""


@pytest.mark.parametrize("file", EXPORTS)
def test_an_export_goes_from_init_to_a_run_without_an_edit(
    file: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    shutil.copy(DATA / file, project.folder)
    begun = project.command("init", file, "--attested", "agreed on the old platform", "--json")
    assert (begun.code, begun.json["preset"]) == (0, EXPORTS[file]), begun.stderr
    name = f"{file.partition('.')[0]}.yaml"
    planned = project.command("plan", name, "--json")
    assert (planned.code, planned.json["leads"]["created"]) == (0, 1), planned.stderr
    assert project.command("run", name).code in (0, 3)
    (lead,) = account.leads.values()
    assert (lead.email, lead.fields["first_name"]) == ("ann@example.org", "Ann")
    export = (DATA / file).read_text(encoding="utf-8").lower()
    assert lead.tags == ({"VIP", "Blog"} if "tags" in export.splitlines()[0].split(",") else set())
    pipeline = (project.folder / name).read_text(encoding="utf-8")
    assert ("may hold card numbers" in pipeline) == ("4242" in export)


def test_mailchimps_archive_sends_the_subscribed_and_suppresses_the_others(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    def row(name: str, **more: str) -> dict[str, str]:
        return {"Email Address": f"{name}@example.org", "LEID": "1", "EUID": "x", **more}

    with zipfile.ZipFile(project.folder / "audience.zip", "w") as archive:
        ann = row("ann", TAGS='"VIP","Blog"') | {"First Name": "Ann"}
        subscribed = [ann, row("bob"), row("eve")]
        archive.writestr("subscribed_members_export_1.csv", text_of(subscribed, MAILCHIMP))
        left = (*MAILCHIMP, "UNSUB_TIME", "UNSUB_REASON")
        archive.writestr("unsubscribed_members_export_1.csv", text_of([row("bob")], left))
        archive.writestr("cleaned_members_export_1.csv", text_of([row("eve")], MAILCHIMP))
    begun = project.command("init", "audience.zip", "--json")
    assert (begun.code, begun.json["preset"]) == (0, "Mailchimp"), begun.stderr
    assert project.command("run", "audience.yaml", "--json").json["rows"]["blocked"] == 2
    (lead,) = account.leads.values()
    assert (lead.email, lead.tags, lead.fields["first_name"]) == ("ann@example.org", {"VIP", "Blog"}, "Ann")


def test_a_file_nobody_knows_is_told_by_its_names_and_values(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    text = (
        "Wer;Vorname;Ort;Leer;Notiz ${x};Kreditkarte;password;Status\n"
        "p0@example.org;Änne;Köln;;a;4242424242424242;hunter2;Active\n"
        "p1@example.org;Änne;Köln;;a;4242424242424242;hunter2;unsubscribed\n"
    )
    (project.folder / "leute.csv").write_text(text, encoding="cp1252")
    begun = project.command("init", "leute.csv")
    assert begun.code == 0, begun.stderr
    text = (project.folder / "leute.yaml").read_text(encoding="utf-8")
    assert "email: Wer  # likely: 100% of its cells are addresses" in text
    assert "first_name: Vorname  # sure: by its name" in text
    assert "#   Leer: empty" in text
    assert "#   Kreditkarte: may hold card numbers or secrets" in text
    assert "#   password: may hold card numbers or secrets" in text
    assert not [word for word in ("p0@", "hunter2", "4242", "Änne", "Köln") if word in text + begun.stdout]
    assert project.command("run", "leute.yaml", "--json").json["rows"]["blocked"] == 1
    assert [lead.fields["city"] for lead in account.leads.values()] == ["Köln"]


def test_without_a_word_on_consent_nothing_is_written(project: Project) -> None:
    (project.folder / "a.csv").write_text("Email\nann@example.org\n", encoding="utf-8")
    done = project.command("init", "a.csv")
    assert (done.code, "--attested" in done.stderr) == (2, True)
    assert not (project.folder / "a.yaml").exists()


def test_a_pipeline_that_is_there_is_not_replaced(project: Project) -> None:
    (project.folder / "a.csv").write_text("Email\nann@example.org\n", encoding="utf-8")
    (project.folder / "a.yaml").write_text("mine", encoding="utf-8")
    assert project.command("init", "a.csv", "--attested", "x").code == 2
    assert (project.folder / "a.yaml").read_text(encoding="utf-8") == "mine"
    assert project.command("init", "a.csv", "--attested", "x", "--replace").code == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", "x", "a file that ends in one of .csv"),
        ("a.csv", "City\nLyon\n", "no column holds e-mail addresses"),
        ("missing.csv", None, "missing.csv was not found"),
    ],
)
def test_what_cannot_become_a_pipeline_is_told(
    name: str, content: str | None, message: str, project: Project
) -> None:
    if content is not None:
        (project.folder / name).write_text(content, encoding="utf-8")
    done = project.command("init", name, "--attested", "x")
    assert (done.code in (1, 2), message in done.stderr) == (True, True), done.stderr


def test_inspect_tells_what_is_in_a_file_and_shows_nobody(project: Project) -> None:
    text = (
        "Email,Age,Card number,City\nann@example.org,42,4242424242424242,Köln\nbob@example.org,,x,\nragged\n"
        "bob at example.org,,,\n"
    )
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    told = project.command("inspect", "a.csv")
    assert told.code == 0, told.stderr
    assert "4 rows" in told.stdout
    assert "row 5: not an e-mail address: no @" in told.stdout
    assert "row 4: 1 cell, the header has 4" in told.stdout
    assert "secret: not read" in told.stdout
    assert not [word for word in ("ann", "bob", "4242", "Köln") if word in told.stdout]
    found = project.command("inspect", "a.csv", "--json").json
    columns = {one["name"]: one for one in found["columns"]}
    assert (found["rows"], found["bad_rows"], found["bad_addresses"]) == (4, 1, 1)
    assert (columns["Email"]["filled"], columns["Email"]["looks"]) == (3, {"address": 2, "text": 1})
    assert (columns["Age"]["filled"], columns["Age"]["samples"]) == (1, ["99"])
    assert columns["City"]["samples"] == ["aaaa"]
    assert columns["Card number"]["samples"] == []


def test_a_table_becomes_a_pipeline_and_no_password_is_written(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    with closing(sqlite3.connect(project.folder / "crm.db")) as crm, crm:
        crm.execute("CREATE TABLE people (id INTEGER, email TEXT, name TEXT, allowed TEXT)")
        people = [(1, "ann@example.org", "Ann Lee", "ja"), (2, "bob@example.org", "Bob Ray", "nein")]
        crm.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", people)
    refused = project.command("init", "crm.db", "--query", "people")
    assert (refused.code, 'is it the column "allowed"? --consent names it' in refused.stderr) == (2, True)
    refused = project.command("init", "postgresql://ann:s3cret@db/crm", "--query", "people")
    assert (refused.code, "s3cret" in refused.stderr, "${CRM_URL}" in refused.stderr) == (2, False, True)
    project.environ["CRM_URL"] = f"sqlite:///{project.folder}/crm.db"
    assert project.command("init", "${CRM_URL}", "--query", "people", "--consent", "allowed").code == 0
    written = (project.folder / "people.yaml").read_text(encoding="utf-8")
    assert 'source: {sql: {url: "${CRM_URL}", query: "SELECT * FROM people"}}' in written
    assert project.command("run", "people.yaml", "--json").json["rows"]["blocked"] == 1
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]


def test_full_names_are_taken_apart_and_braces_are_no_template(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    text = 'Email,Full Name,"{odd}","E-mail\nagain"\nann@example.org,Ann van Lee,x,y\n'
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    assert project.command("init", "a.csv", "--attested", "x").code == 0
    written = (project.folder / "a.yaml").read_text(encoding="utf-8")
    assert 'odd: {column: "{odd}"}' in written
    assert project.command("run", "a.yaml").code == 0
    (lead,) = account.leads.values()
    assert (lead.fields["first_name"], lead.fields["last_name"]) == ("Ann", "van Lee")


@pytest.mark.parametrize("column", ["Einwilligung", "Opt-in", "GDPR consent"])
def test_a_column_that_says_who_agreed_is_found(
    column: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    text = f"E-Mail,{column}\nann@example.org,Ja\nbob@example.org,nein\neve@example.org,\n"
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    assert project.command("init", "a.csv").code == 0
    assert project.command("run", "a.yaml", "--json").json["rows"]["blocked"] == 2
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]
