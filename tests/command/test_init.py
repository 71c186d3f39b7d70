"""init and inspect: from somebody's export to a run without an edit; who opted out is never subscribed."""

import csv
import io
import shutil
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from openpyxl import Workbook

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
    "google.csv": "Google Contacts",
    "google_old.csv": "Google Contacts",
    "outlook.csv": "Outlook",
    "shopify.csv": "Shopify",
    "woocommerce.csv": "WooCommerce",
    "woocommerce_users.csv": "WooCommerce",
    "salesforce.csv": "Salesforce",
    "salesforce_report.csv": "Salesforce",
    "pipedrive.csv": "Pipedrive",
    "zoho.csv": "Zoho",
    "ghost.csv": "Ghost",
    "substack.csv": "Substack",
    "stripe.csv": "Stripe customers",
    "eventbrite.csv": "Eventbrite",
    "eventbrite_new.csv": "Eventbrite",
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
    assert lead.tags == ({"VIP", "Blog"} if "vip" in export else set())
    pipeline = (project.folder / name).read_text(encoding="utf-8")
    assert ("may hold card numbers" in pipeline) == ("4242 4242" in export or "user_pass" in export)


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


@pytest.mark.parametrize(
    ("header", "rows", "written"),
    [
        (
            "ID d’enregistrement,Prénom,Nom,E-mail,Numéro de téléphone,Consentement newsletter",
            ("1,Ann,Lee,ann@example.org,06 12 34 56 78,oui", "2,Bob,Ray,bob@example.org,,non"),
            (
                'phone: "Numéro de téléphone"',
                'consent: {column: Consentement newsletter, accepted: ["oui"]}',
                "#   id_d_enregistrement:",
            ),
        ),
        (
            "Person - Name,Person - Vorname,Person - E-Mail - Arbeit,Zgoda na mailing",
            ("Ann Lee,Ann,ann@example.org,tak", "Bob Ray,Bob,bob@example.org,nie"),
            ("email: Person - E-Mail - Arbeit", "first_name: Person - Vorname", 'accepted: ["tak"]'),
        ),
        (
            "billing_email,user_email,marketing_opt_in (metadata),Terms accepted",
            ("ann@example.org,ann@example.org,true,yes", "payer@example.org,bob@example.org,false,yes"),
            ("email: user_email", 'consent: {column: "marketing_opt_in (metadata)", accepted: ["true"]}'),
        ),
    ],
    ids=["french", "polish", "billing"],
)
def test_names_of_other_languages_and_orders_are_known(
    header: str, rows: tuple[str, ...], written: tuple[str, ...], project: Project
) -> None:
    text = "\n".join([header, *rows, ""])
    (project.folder / "people.csv").write_text(text, encoding="utf-8")
    begun = project.command("init", "people.csv")
    assert begun.code == 0, begun.stderr
    text = (project.folder / "people.yaml").read_text(encoding="utf-8")
    assert [one for one in written if one not in text] == [], text
    checked = project.command("check", "people.yaml", "--json").json["files"][0]
    assert (checked["rows"]["blocked"], checked["problems"]) == (1, [])


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


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("María José García López", ("María", "José García", "López")),
        ("Ann M. Lee", ("Ann", "M.", "Lee")),
        ("Dr. Ann Lee, PhD", ("Ann", "", "Lee")),
    ],
)
def test_the_middle_of_a_full_name_is_kept(
    full: str, parts: tuple[str, str, str], project: Project, sandbox: Sandbox, account: Account
) -> None:
    (project.folder / "a.csv").write_text(f'Email,Full Name\nann@example.org,"{full}"\n', encoding="utf-8")
    assert project.command("init", "a.csv", "--attested", "x").code == 0
    assert project.command("run", "a.yaml").code == 0
    (lead,) = account.leads.values()
    fields = (lead.fields.get(name, "") for name in ("first_name", "middle_name", "last_name"))
    assert tuple(fields) == parts


def test_bytes_among_the_columns_of_a_table_hide_no_address(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    with closing(sqlite3.connect(project.folder / "crm.db")) as database, database:
        database.execute("CREATE TABLE sub (id BLOB, email TEXT, name TEXT, photo BLOB)")
        rows = [(bytes([255, 216, number]), f"p{number}@example.org", "Ann", None) for number in range(3)]
        database.executemany("INSERT INTO sub VALUES (?, ?, ?, ?)", rows)
    begun = project.command("init", "crm.db", "--query", "sub", "--attested", "x", "--to", "a.yaml")
    assert begun.code == 0, begun.stderr
    assert project.command("run", "a.yaml").code == 0
    assert len(account.leads) == 3


@pytest.mark.parametrize("column", ["Einwilligung", "Opt-in", "GDPR consent"])
def test_a_column_that_says_who_agreed_is_found(
    column: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    text = f"E-Mail,{column}\nann@example.org,Ja\nbob@example.org,nein\neve@example.org,\n"
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    assert project.command("init", "a.csv").code == 0
    assert project.command("run", "a.yaml", "--json").json["rows"]["blocked"] == 2
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]


def test_the_people_themselves_are_mailed_and_not_whom_they_name(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    (project.folder / "a.csv").write_text(
        "Kontakt,Vorname,Empfohlen von\nann@example.org,Ann,\nbob@example.org,Bob,ref@example.net\n"
        "keine,Cem,\ndan@example.org,Dan,\n",
        encoding="utf-8",
    )
    assert project.command("init", "a.csv", "--attested", "x").code == 0
    written = (project.folder / "a.yaml").read_text(encoding="utf-8")
    assert "email: Kontakt  # likely: 75% of its cells are addresses" in written
    project.command("run", "a.yaml")
    assert {lead.email.partition("@")[0] for lead in account.leads.values()} == {"ann", "bob", "dan"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Eins,Zwei\na@example.org,b@example.org\nc@example.org,d@example.org\n", ("Eins", "Zwei")),
        ("Eins,Zwei\na@example.org,b@example.org\nc@example.org,\n", ("Eins", "Zwei")),
        ("Name,Referrer\nAnn,ref@example.org\nBob,ref@example.org\n", ("Referrer",)),
        ("Name,Kontakt\nAnn,ann@example.org\nBob,\nCem,\n", ("Kontakt",)),
        ("Email,Login\n-,ann@example.org\n-,bob@example.org\n", ("Login",)),
        ("Email,Email,Name\na@example.org,b@example.org,Ann\n", ("Email", "Email (2)")),
    ],
)
def test_where_it_is_not_clear_whose_addresses_they_are_a_person_is_asked(
    text: str, told: tuple[str, ...], project: Project
) -> None:
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    asked = project.command("init", "a.csv", "--attested", "x")
    assert (asked.code, "with --email" in asked.stderr) == (2, True), asked.stderr
    assert all(f'"{column}" in ' in asked.stderr for column in told)
    assert "@" not in asked.stderr
    assert not (project.folder / "a.yaml").exists()
    chosen = project.command("init", "a.csv", "--attested", "x", "--email", told[-1])
    assert chosen.code == 0, chosen.stderr
    assert "# sure: you said so" in (project.folder / "a.yaml").read_text(encoding="utf-8")
    assert "did you mean" in project.command("init", "a.csv", "--email", told[-1][:-1], "--replace").stderr


def test_a_draft_says_what_a_careful_person_would(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """A schema for editors, the name of its file, guards, lists to fill in, countries in one form."""
    text = (
        "E-Mail,Name,Land,Zeitzone\n"
        "ann@example.org,María José García López,Deutschland,W. Europe Standard Time\n"
        "bob@example.org,Dr. Ann M. Lee,Atlantis,Europe/Vienna\n"
        + "".join(f"p{number}@example.org,Ann Lee,FR,\n" for number in range(8))
    )
    (project.folder / "leute.csv").write_text(text, encoding="utf-8")
    begun = project.command("init", "leute.csv", "--attested", "x", "--to", "news_letter.yaml")
    assert begun.code == 0, begun.stderr
    written = (project.folder / "news_letter.yaml").read_text(encoding="utf-8")
    assert written.startswith("# yaml-language-server: $schema=kartra-sync.schema.json\n")
    assert "\npipeline: news_letter\n" in written
    assert "  lists: []" in written
    assert "  guards: {min_rows: 5, max_removed: 5%, max_failed: 5%, max_triggered: 1000}" in written
    assert project.command("run", "news_letter.yaml").code == 0
    ann, bob = (account.lead(f"{name}@example.org") for name in ("ann", "bob"))
    assert ann is not None
    assert bob is not None
    names = ("first_name", "middle_name", "last_name", "country", "lead_preferred_time_zone")
    assert [ann.fields[name] for name in names] == [
        "María",
        "José García",
        "López",
        "Germany",
        "Europe/Berlin",
    ]
    assert [bob.fields[name] for name in names] == ["Ann", "M.", "Lee", "Atlantis", "Europe/Vienna"]


def test_columns_of_opting_out_are_named_and_not_proposed_as_fields(project: Project) -> None:
    shutil.copy(DATA / "salesforce.csv", project.folder)
    assert project.command("init", "salesforce.csv", "--attested", "x").code == 0
    written = (project.folder / "salesforce.yaml").read_text(encoding="utf-8")
    assert (
        "  # These columns say who opted out, and need no mapping: HASOPTEDOUTOFEMAIL, ISEMAILBOUNCED."
        in written
    )
    assert "hasoptedoutofemail:" not in written
    assert "hasoptedoutoffax:" in written  # that is not about mail


def test_a_time_zone_that_nobody_knows_is_not_mapped(project: Project) -> None:
    (project.folder / "a.csv").write_text("Email,Time zone\nann@example.org,Mars\n", encoding="utf-8")
    assert project.command("init", "a.csv", "--attested", "x").code == 0
    assert "lead_preferred_time_zone" not in (project.folder / "a.yaml").read_text(encoding="utf-8")


def test_the_words_of_a_column_of_consent_stand_beside_it(project: Project) -> None:
    words = ("Double opt-in", "Yes – newsletter", "✓", "x", "1.0", "YES ", "YES ")
    rows = "".join(f"p{number}@example.org,{word}\n" for number, word in enumerate(words))
    (project.folder / "a.csv").write_text(f"Email,Opt-in\n{rows}", encoding="utf-8")
    assert project.command("init", "a.csv").code == 0
    told = next(
        line for line in (project.folder / "a.yaml").read_text("utf-8").splitlines() if "It says" in line
    )
    assert told == (
        '  # It says: "YES" 2, "1.0" 1, "Double opt-in" 1, "Yes – newsletter" 1, "x" 1, "✓" 1.'
        " Add to `accepted` what means consent."
    )


def test_words_of_people_in_a_column_of_consent_are_not_written(project: Project) -> None:
    rows = "".join(f"p{number}@example.org,by p{number}@example.org\n" for number in range(5))
    (project.folder / "a.csv").write_text(f"Email,Consent\n{rows}", encoding="utf-8")
    assert project.command("init", "a.csv").code == 0
    assert "p1@" not in (project.folder / "a.yaml").read_text(encoding="utf-8")


def test_a_database_without_a_table_is_asked_for_one(project: Project) -> None:
    with closing(sqlite3.connect(project.folder / "crm.db")) as crm, crm:
        crm.execute("CREATE TABLE people (email TEXT)")
        crm.execute("CREATE TABLE orders (id INTEGER)")
    project.environ["CRM"] = f"sqlite:///{project.folder}/crm.db"
    for place in ("crm.db", "sqlite:///crm.db", "${CRM}"):
        for verb in ("init", "inspect"):
            told = project.command(verb, place)
            assert (told.code, 'name a table with --query; it has "orders", "people"' in told.stderr) == (
                2,
                True,
            )


SUSPICIOUS = {
    "Smith &amp; Sons": "HTML entities",
    "O&#39;Brien": "HTML entities",
    "JÃ¼rgen": "text read in a wrong encoding",
    "Donâ€™t": "text read in a wrong encoding",
    "J\ufffdrgen": "lost characters",
    "J?rgen": "lost characters",
    "a\x07b": "control characters",
    "a\u200bb": "invisible characters",
    "NULL": "words for nothing",
    "n/a": "words for nothing",
    "--": "words for nothing",
    "0000-00-00": "words for nothing",
    "4.91701E+11": "numbers cut by a spreadsheet",
    "1,23E+10": "numbers cut by a spreadsheet",
    "########": "cells too narrow to show",
    "#REF!": "errors of a spreadsheet",
    "#DIV/0!": "errors of a spreadsheet",
    "=PROPER(A2)": "formulas",
    "=A2": "formulas",
    "'+491701234567": "apostrophes of a spreadsheet",
}
GOOD = (
    "Ann",
    "O'Brien",
    "R&D",
    "https://example.org/a?b=c",
    "Château",
    "#winner",
    "-5",
    "1e5x",
    "why? because",
)


def test_suspicious_cells_are_counted_for_each_column(project: Project) -> None:
    with (project.folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Email", "Odd", "Good"])
        goods = [*GOOD, *[""] * (len(SUSPICIOUS) - len(GOOD))]
        writer.writerows(["ann@example.org", odd, good] for odd, good in zip(SUSPICIOUS, goods, strict=True))
    columns = {one["name"]: one for one in project.command("inspect", "a.csv", "--json").json["columns"]}
    odd = {one["what"]: one["cells"] for one in columns["Odd"]["suspicious"]}
    assert odd == dict(Counter(SUSPICIOUS.values()))
    assert (columns["Email"]["suspicious"], columns["Good"]["suspicious"]) == ([], [])
    told = project.command("inspect", "a.csv").stdout
    assert "  suspicious in Odd: words for nothing 4, HTML entities 2" in told


def test_inspect_shows_values_to_who_asks_for_them_and_never_a_card_number(project: Project) -> None:
    text = "Email,City,Note\nann@example.org,Köln,4242 4242 4242 4242\nbob@example.org,,\neve@example.org,,\n"
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    masked, shown = (project.command("inspect", "a.csv", *more).stdout for more in ((), ("--show",)))
    assert not [word for word in ("ann@", "Köln", "4242") if word in masked]
    assert [word in shown for word in ("ann@example.org", "Köln", "4242")] == [True, True, False]


def test_inspect_shows_every_file_of_an_archive(project: Project) -> None:
    with zipfile.ZipFile(project.folder / "audience.zip", "w") as archive:
        archive.writestr("subscribed_members_export_1.csv", "Email\nann@example.org\n")
        archive.writestr("cleaned[1].csv", "Email,Why\nbob@example.org,bounced\neve@example.org,bounced\n")
        archive.writestr("readme.pdf", b"%PDF-1.4\x00")
    found = project.command("inspect", "audience.zip", "--json").json["files"]
    assert {one["file"]: one.get("rows") for one in found} == {
        "cleaned[1].csv": 2,
        "readme.pdf": None,
        "subscribed_members_export_1.csv": 1,
    }
    told = project.command("inspect", "audience.zip")
    assert (told.code, "subscribed_members_export_1.csv: 1 row" in told.stdout) == (0, True)


def test_a_sheet_of_a_workbook_is_chosen(project: Project, sandbox: Sandbox, account: Account) -> None:
    book = Workbook()
    book.active.title = "Read me"
    book.active.append(["About", "Email"])
    people = book.create_sheet("Contacts")
    people.append(["Email", "First Name"])
    people.append(["ann@example.org", "Ann"])
    book.save(project.folder / "a.xlsx")
    seen = project.command("inspect", "a.xlsx", "--sheet", "Contacts", "--json").json
    assert (seen["rows"], seen["addresses"]) == (1, "Email")
    begun = project.command("init", "a.xlsx", "--sheet", "Contacts", "--attested", "x")
    assert begun.code == 0, begun.stderr
    assert project.command("run", "a.yaml").code == 0
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]
    told = project.command("inspect", "a.xlsx", "--sheet", "Contact")
    assert (told.code in (1, 2), "Contacts" in told.stderr) == (True, True)
    (project.folder / "b.csv").write_text("Email\n", encoding="utf-8")
    assert "b.csv is not a workbook" in project.command("inspect", "b.csv", "--sheet", "x").stderr


@pytest.mark.parametrize("verb", [("init", "a.csv", "--attested", "x"), ("inspect", "a.csv")])
@pytest.mark.parametrize(
    "line", ["ann@example.org,Ann", "Ann,ann@example.org", "Ann Lee <ann@example.org>,1"]
)
def test_a_person_is_no_header_and_stands_nowhere(verb: tuple[str, ...], line: str, project: Project) -> None:
    (project.folder / "a.csv").write_text(f"{line}\nbob@example.org,Bob\ncem@example.org,Cem\n", "utf-8")
    refused = project.command(*verb)
    assert (refused.code, "has no header" in refused.stderr) == (1, True), refused.stderr
    assert not [word for word in ("ann@", "Ann Lee", "bob@") if word in refused.stderr + refused.stdout]
    assert not (project.folder / "a.yaml").exists()


def test_the_second_column_of_a_name_is_read_by_the_name_that_inspect_shows(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    text = "Email,Email,First Name\nold@example.org,ann@example.org,Ann\n"
    (project.folder / "a.csv").write_text(text, encoding="utf-8")
    shown = project.command("inspect", "a.csv", "--json").json["columns"]
    assert [one["name"] for one in shown] == ["Email", "Email (2)", "First Name"]
    begun = project.command("init", "a.csv", "--attested", "x", "--email", "Email (2)")
    assert begun.code == 0, begun.stderr
    assert project.command("run", "a.yaml").code == 0
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]
    pipeline = project.folder / "a.yaml"
    pipeline.write_text(pipeline.read_text("utf-8").replace('"Email (2)"', "Email"), encoding="utf-8")
    told = project.command("check", "a.yaml")
    assert (told.code, 'write "Email (2)" for the second' in told.stdout + told.stderr) == (2, True)


def test_people_who_became_names_of_columns_are_not_shown(project: Project) -> None:
    """As a table of SQLite that was made from a file without a header has them."""
    with closing(sqlite3.connect(project.folder / "crm.db")) as crm, crm:
        crm.execute('CREATE TABLE people ("ann@example.org" TEXT, "Ann" TEXT)')
        crm.execute("INSERT INTO people VALUES ('bob@example.org', 'Bob')")
    for verb in (("init", "crm.db", "--attested", "x"), ("inspect", "crm.db")):
        refused = project.command(*verb, "--query", "people")
        assert (refused.code, "columns are missing" in refused.stderr) == (1, True)
        assert "ann@" not in refused.stderr + refused.stdout


@pytest.mark.parametrize("place", ["export", "export/subscribed_members_export_1.csv"])
def test_an_unpacked_export_suppresses_who_left_as_its_archive_does(
    place: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    def row(name: str) -> dict[str, str]:
        return {"Email Address": f"{name}@example.org", "LEID": "1", "EUID": "x"}

    folder = project.folder / "export"
    folder.mkdir()
    for file, people in (
        ("subscribed", ("ann", "bob", "eve")),
        ("unsubscribed", ("bob",)),
        ("cleaned", ("eve",)),
    ):
        text = text_of([row(name) for name in people], MAILCHIMP)
        (folder / f"{file}_members_export_1.csv").write_text(text, encoding="utf-8")
    begun = project.command("init", place, "--to", "mc.yaml", "--json")
    assert (begun.code, begun.json["preset"]) == (0, "Mailchimp"), begun.stderr
    assert project.command("run", "mc.yaml", "--json").json["rows"]["blocked"] == 2
    assert [lead.email for lead in account.leads.values()] == ["ann@example.org"]


def test_a_folder_is_read_as_the_files_it_holds(project: Project, sandbox: Sandbox, account: Account) -> None:
    folder = project.folder / "parts"
    folder.mkdir()
    empty = project.command("init", "parts", "--attested", "x")
    assert (empty.code, "a folder without a file" in empty.stderr) == (2, True)
    for name in ("ann", "bob"):
        (folder / f"{name}.csv").write_text(f"Email\n{name}@example.org\n", encoding="utf-8")
    assert project.command("init", "parts", "--attested", "x", "--to", "p.yaml").code == 0
    assert project.command("run", "p.yaml").code == 0
    assert len(account.leads) == 2
    (folder / "more.jsonl").write_text("{}", encoding="utf-8")
    assert "files of several kinds, .csv, .jsonl; name one file" in project.command("init", "parts").stderr
