"""`sandbox --for FLEET`: all accounts of a fleet under one App, with what its pipelines ask for."""

import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project
from tests.fleet.fleets import FLEET, Agency

LOAD = """\
pipeline: welcome
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email}
  custom_fields: {note: Note, fruits: {column: Fruits, split: ";"}}
  tags: ["${account}", {column: Tags, split: ";"}]
  lists: [News]
  sequences: [{name: Onboarding, step: 2}]
  consent: {attested: form}
"""


@contextmanager
def rehearsing(project: Project) -> Iterator[dict[str, Any]]:
    words = ("sandbox", "--for", "agency.yaml", "--port", "0", "--keep", "kept.json", "--json")
    process: subprocess.Popen[str] = project.start(*words)
    assert process.stdout is not None
    shown = ""
    while not shown.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        shown += line
    try:
        yield json.loads(shown)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_a_fleet_is_rehearsed_before_anybody_has_connected_and_goes_on_later(project: Project) -> None:
    fleet = Agency(project, {})
    lines = "".join(
        f'  - {{name: {name}, api_key: "${{{name.upper()}_KEY}}", api_password: "${{{name.upper()}_PW}}"}}\n'
        for name in ("acme", "beta")
    )
    fleet.write(fleet=FLEET.replace("accounts: accounts.csv\n", f"accounts:\n{lines}"), welcome=LOAD)
    (project.folder / "contacts.csv").write_text(
        "Email,Note,Fruits,Tags\na@example.org,x,apple;pear,VIP\nb@example.org,y,plum,\n", encoding="utf-8"
    )
    with rehearsing(project) as served:
        assert set(served["environment"]) == {
            *("KARTRA_URL", "KARTRA_APP_ID", "ACME_KEY", "ACME_PW", "BETA_KEY", "BETA_PW")
        }
        project.environ |= served["environment"]
        assert fleet.command("check").code == 0
        done = fleet.command("run", "--json")
        assert done.code == 0, done.stderr
        assert [each["leads"]["created"] for each in done.json["accounts"]] == [2, 2]
    kept = project.folder / "kept.json"
    text = kept.read_text("utf-8")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not any(
        secret in text for name, secret in project.environ.items() if "_" in name and "URL" not in name
    )
    with rehearsing(project) as served:
        project.environ |= served["environment"]
        again = fleet.command("run", "--json")
        assert again.code == 0, again.stderr
        assert [each["leads"]["unchanged"] for each in again.json["accounts"]] == [2, 2]


def test_an_account_that_does_not_answer_keeps_no_other_waiting(project: Project) -> None:
    accounts = {
        name: Account(
            app_id="THEAPP", api_key=f"KEY-{name}", api_password=f"PW-{name}", tags=[name], lists=["News"]
        )
        for name in ("acme", "dead", "beta")
    }
    accounts["dead"].silent = True
    rows = [
        {"name": name, "api_key": each.api_key, "api_password": each.api_password, "tag": name}
        for name, each in accounts.items()
    ]
    fleet = Agency(project, accounts, rows=rows)
    fleet.write(fleet=FLEET + "timeout_s: 1\n")
    fleet.write_accounts()
    for name in accounts:
        fleet.contacts(name, 5)
        (project.folder / f"{name}.csv").read_text("utf-8")
    for account in accounts.values():
        account.tags.append("Imported")
    first, *others = accounts.values()
    with Sandbox(first, others=others) as sandbox:
        project.environ |= {"KARTRA_URL": sandbox.url, "KARTRA_APP_ID": "THEAPP"}
        done = fleet.command("run", "--json")
        assert {each["account"]: each["exit_code"] for each in done.json["accounts"]} == {
            "acme": 0,
            "dead": 1,
            "beta": 0,
        }
        assert {name: len(leads) for name, leads in fleet.leads().items()} == {
            "acme": 5,
            "dead": 0,
            "beta": 5,
        }
        assert sum(call.account is accounts["dead"] for call in sandbox.calls) <= 5
        ended = {each["account"]: each["seconds"] for each in done.json["accounts"]}
        assert max(ended["acme"], ended["beta"]) < ended["dead"]
