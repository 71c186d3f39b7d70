"""`show`: what a run did, on a terminal and as a page that escapes everything and names nobody."""

import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, contact

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [Imported, {column: Tags, split: ";"}]
consent: {attested: "sign-up form, 2025"}
"""
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The tags of a page, its words, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "onload")]

    def handle_data(self, data: str) -> None:
        self.words += data


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


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser: apt-get install chromium")
def test_a_browser_shows_it_without_a_complaint_and_prints_it(ran: Project) -> None:
    assert ran.command("show", "p.yaml", "--html", "run.html").code == 0
    done = browse(ran.folder, "--dump-dom", "--enable-logging=stderr")
    assert "CONSOLE" not in done.stderr
    assert "Who did not get through" in done.stdout
    browse(ran.folder, "--print-to-pdf=run.pdf")
    assert (ran.folder / "run.pdf").read_bytes().startswith(b"%PDF")


def browse(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'browser'}",
    ]
    address = (folder / "run.html").as_uri()
    return subprocess.run(
        [*command, *options, address], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
