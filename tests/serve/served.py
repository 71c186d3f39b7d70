"""The command `serve` as a process, with pipelines of every kind of news behind it."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, contact

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [Imported, {column: Tags, split: ";"}]
consent: {attested: "sign-up form, 2025"}
"""
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Served:
    """`link` lets one browser in, once; further ones come in by links that the first one makes."""

    link: str
    first: requests.Session | None = None

    @property
    def origin(self) -> str:
        return self.link.partition("/enter")[0]

    @property
    def host(self) -> str:
        return self.origin.partition("//")[2]

    def enter(self) -> requests.Session:
        session = requests.Session()
        assert session.get(self.next_link()).status_code == 200
        self.first = self.first or session
        return session

    def next_link(self) -> str:
        if self.first is None:
            return self.link
        data = {"csrf": csrf_in(self.first.get(self.origin).text)}
        return (
            self.first.post(f"{self.origin}/link", data=data).text.partition("<code>")[2].partition("</")[0]
        )


@contextmanager
def served(project: Project, *words: str) -> Iterator[Served]:
    process = project.start("serve", *(words or ("p.yaml",)), "--port", "0")
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link, process.communicate()[1]
    try:
        yield Served(link)
    finally:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode in (0, 143), told
        assert "Traceback" not in told, told


def eventful(project: Project) -> str:
    """A run with a lead that is refused and an invalid row, then a saved plan; gives its number."""
    project.pipeline(LOAD)
    people = [
        {**contact(0), "Tags": "VIP"},
        {**contact(1), "Tags": HOSTILE},
        {**contact(2), "Email": "ben at example.org", "Tags": ""},
    ]
    project.contacts(people)
    assert project.run("--yes").code == 3
    project.contacts([*people, {**contact(3), "First": HOSTILE, "Tags": ""}])
    planned = project.command("plan", "p.yaml", "--save", "--json")
    assert planned.code == 0, planned.stderr
    return str(planned.json["plan_id"])


def account() -> Account:
    return Account(tags=["Imported", "VIP", HOSTILE])


@contextmanager
def sandboxed(project: Project, **options: Any) -> Iterator[Sandbox]:
    with Sandbox(account(), **options) as sandbox:
        project.aim(sandbox)
        yield sandbox


def csrf_in(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def wait_for(holds: Any, within_s: float = 60) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)
