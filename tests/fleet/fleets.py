"""A fleet as an agency has it: a file, a pipeline, a CSV of accounts, a CSV of contacts for each."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, Result

FLEET = """\
fleet: agency
app_id: ${KARTRA_APP_ID}
url: ${KARTRA_URL}
accounts: accounts.csv
pipelines:
  - {file: welcome.yaml, late_after: 26h}
"""
WELCOME = """\
pipeline: welcome
load:
  source: {csv: "${account}.csv"}
  key: email
  fields: {email: Email, first_name: First}
  tags: [Imported, "${tag}"]
  lists: [News]
  consent: {attested: sign-up form}
"""


def kartra_account(number: int) -> Account:
    return Account(
        app_id="THEAPP",
        api_key=f"KEY{number:05}",
        api_password=f"PASSWORD{number:05}",
        tags=["Imported", f"Tag {number}"],
        lists=["News"],
    )


@dataclass
class Agency:
    """A project with a fleet, and the accounts behind it, by name."""

    project: Project
    accounts: dict[str, Account]
    columns: tuple[str, ...] = ("name", "api_key", "api_password", "share", "tag")
    rows: list[dict[str, str]] = field(default_factory=list)
    address: str = ""
    """Of the server with the states, where they are on one."""

    @property
    def folder(self) -> Path:
        return self.project.folder

    def write(self, *, fleet: str = FLEET, welcome: str = WELCOME) -> None:
        (self.folder / "agency.yaml").write_text(fleet, encoding="utf-8")
        (self.folder / "welcome.yaml").write_text(welcome, encoding="utf-8")

    def write_accounts(self, rows: Sequence[Mapping[str, str]] | None = None, *, mode: int = 0o600) -> None:
        path = self.folder / "accounts.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, self.columns)
            writer.writeheader()
            writer.writerows(self.rows if rows is None else rows)
        path.chmod(mode)

    def contacts(self, name: str, count: int) -> None:
        lines = [f"p{number}.{name}@example.org,P{number}\n" for number in range(count)]
        (self.folder / f"{name}.csv").write_text("Email,First\n" + "".join(lines), encoding="utf-8")

    def command(self, verb: str, *words: str) -> Result:
        return self.project.command("fleet", verb, "agency.yaml", *words)

    def leads(self) -> dict[str, list[str]]:
        """The addresses of the leads of each account."""
        return {
            name: sorted(lead.email for lead in account.leads.values())
            for name, account in self.accounts.items()
        }

    def own(self, count: int) -> dict[str, list[str]]:
        """What each account is to have: its own people, and nobody else's."""
        return {
            name: sorted(f"p{number}.{name}@example.org" for number in range(count)) for name in self.accounts
        }


@contextmanager
def agency(
    project: Project, names: Sequence[str], count: int = 3, **options: float
) -> Iterator[tuple[Agency, Sandbox]]:
    accounts = {name: kartra_account(number) for number, name in enumerate(names)}
    made = Agency(project, accounts)
    for number, (name, account) in enumerate(accounts.items()):
        made.rows.append(
            {
                "name": name,
                "api_key": account.api_key,
                "api_password": account.api_password,
                "tag": f"Tag {number}",
            }
        )
        made.contacts(name, count)
    made.write()
    made.write_accounts()
    first, *others = accounts.values()
    with Sandbox(first, others=others, **options) as sandbox:
        project.environ |= {"KARTRA_URL": sandbox.url, "KARTRA_APP_ID": "THEAPP"}
        yield made, sandbox
