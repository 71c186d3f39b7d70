"""`show`: what a run did, on a terminal and as a page that escapes everything and names nobody."""

from collections.abc import Iterator

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, contact
from tests.pages import NEEDS_BROWSER, Page, browse

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [Imported, {column: Tags, split: ";"}]
consent: {attested: "sign-up form, 2025"}
"""
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def ran(project: Project) -> Iterator[Project]:
    """Two sent, one invalid, one blank name that looks like a script."""
    account = Account(tags=["Imported", "VIP", HOSTILE])
    with Sandbox(account) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD)
        project.contacts(
            [
                {**contact(0), "Tags": "VIP"},
                {**contact(1), "Tags": HOSTILE},
                {**contact(2), "Email": "ben at example.org", "Tags": ""},
            ]
        )
        assert project.run("--yes").code == 3
        yield project


def test_a_page_accounts_for_every_record_and_needs_nothing_from_elsewhere(ran: Project) -> None:
    done = ran.command("show", "p.yaml", "--html", "run.html")
    assert (done.code, done.stdout) == (0, "")
    text = (ran.folder / "run.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "accounted for3of 3 read" in page.words.replace("\n", "")
    assert ("script" in page.tags, page.fetched) == (False, [])
    assert HOSTILE in page.words
    assert "default-src 'none'" in text
    assert oct((ran.folder / "run.html").stat().st_mode & 0o777) == "0o600"


def test_people_are_masked_until_they_are_asked_for(ran: Project) -> None:
    masked, shown = (ran.command("show", "p.yaml", *more) for more in ((), ("--show",)))
    assert "example.org" not in masked.stdout
    assert (masked.code, shown.code) == (0, 0)
    assert "invalid: not an e-mail address" in masked.stdout
    assert "kartra-sync rejects p.yaml --csv again.csv" in masked.stdout


def test_a_page_is_not_written_over_a_file_or_a_source(ran: Project) -> None:
    (ran.folder / "run.html").write_text("mine")
    again, source = (
        ran.command("show", "p.yaml", "--html", name, *more)
        for name, more in (("run.html", ()), ("contacts.csv", ("--replace",)))
    )
    assert (again.code, source.code, (ran.folder / "run.html").read_text()) == (2, 2, "mine")
    assert ran.command("show", "p.yaml", "--html", "run.html", "--replace").code == 0


def test_a_run_is_named_by_its_beginning_and_none_is_an_error(ran: Project) -> None:
    run_id = ran.command("runs", "p.yaml", "--json").json["runs"][0]["run_id"]
    shown = ran.command("show", "p.yaml", run_id[:12], "--json")
    assert (shown.code, shown.json["run_id"], shown.json["read"]) == (0, run_id, 3)
    assert ran.command("show", "p.yaml", "nonesuch").code == 2


@NEEDS_BROWSER
def test_a_browser_shows_it_without_a_complaint_and_prints_it(ran: Project) -> None:
    assert ran.command("show", "p.yaml", "--html", "run.html").code == 0
    done = browse(ran.folder, "--dump-dom", "--enable-logging=stderr")
    assert "CONSOLE" not in done.stderr
    assert "Who did not get through" in done.stdout
    browse(ran.folder, "--print-to-pdf=run.pdf")
    assert (ran.folder / "run.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.full
def test_a_page_of_a_hundred_thousand_stays_under_a_megabyte(project: Project) -> None:
    """Three seconds are what it may take on a quiet machine: `pytest --durations` tells."""
    with Sandbox(Account(tags=["Imported"])) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD + "guards: {max_failed: 100%}\n")
        spoilt = ({**contact(number), "Email": f"lead {number}", "Tags": ""} for number in range(99_999))
        project.contacts([{**contact(0), "Tags": ""}, *spoilt])
        assert project.run("--yes").code == 3
        done = project.command("show", "p.yaml", "--html", "run.html")
    assert done.code == 0
    assert (project.folder / "run.html").stat().st_size < 1_000_000
    page = Page((project.folder / "run.html").read_text(encoding="utf-8"))
    assert "of 100,000 read" in page.words
    assert "And 99,499 more." in page.words
