"""`fleet run`: each account gets its own people, and what stops one account stops no other."""

import sqlite3
from contextlib import closing

import pytest

from tests.command.several import ended, wait_for, writes
from tests.conftest import Project
from tests.fleet.fleets import FLEET, WELCOME, Agency, agency
from tests.heard import Heard

NAMES = ("acme", "beta", "gamma")


def outcomes(agency: Agency, *words: str) -> dict[str, tuple[str, int]]:
    """Of each account how it ended, and the exit code that it has by itself."""
    done = agency.command("run", *words, "--json")
    return {each["account"]: (each["status"], each["exit_code"]) for each in done.json["accounts"]}


def test_each_account_gets_its_own_people_and_a_second_run_sends_nothing(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        checked = fleet.command("check", "--json")
        assert (checked.code, checked.json["ok"], checked.stderr) == (0, True, "")
        planned = fleet.command("plan", "--json")
        assert {
            each["account"]: each["leads"]["created"] for each in planned.json["accounts"]
        } == dict.fromkeys(NAMES, 3)
        assert not writes(sandbox)
        ran = fleet.command("run")
        assert (ran.code, ran.stderr) == (0, "")
        assert all(name in ran.stdout for name in NAMES)
        assert fleet.leads() == fleet.own(3)
        assert [sorted(next(iter(account.leads.values())).tags) for account in sandbox.accounts] == [
            ["Imported", f"Tag {number}"] for number in range(3)
        ]
        sandbox.reset_calls()
        assert outcomes(fleet) == dict.fromkeys(NAMES, ("succeeded", 0))
        assert sandbox.calls == []
        status = fleet.command("status", "--json")
        assert status.code == 0
        assert [
            (each["account"], each["leads"], each["status"], each["is_late"])
            for each in status.json["accounts"]
        ] == [(name, 3, "succeeded", False) for name in NAMES]


def test_a_pipeline_of_a_fleet_whose_file_has_a_fault_is_told_under_its_name(
    project: Project, heard: Heard
) -> None:
    project.environ["ALERT_URL"] = f"json://{heard.url}/hook"
    notify = 'notify: {to: ["${ALERT_URL}"]}\n'
    with agency(project, ("acme", "beta")) as (fleet, sandbox):
        fleet.write(welcome=WELCOME.replace("consent:", "consnt:") + notify)
        assert fleet.command("run").code == 2
        assert sandbox.calls == []
        assert sorted(heard.titles) == [
            f"kartra-sync: welcome ({name}) was stopped before it did harm" for name in ("acme", "beta")
        ]
        assert "kartra-sync plan agency.yaml@acme/welcome" in " ".join(
            body["message"] for body in heard.bodies
        )
        fleet.write(welcome=WELCOME + notify)
        assert fleet.command("run").code == 0
        assert sorted(heard.titles[2:]) == [
            f"kartra-sync: welcome ({name}) works again" for name in ("acme", "beta")
        ]


def test_a_verb_for_one_pipeline_takes_an_account_of_a_fleet(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        (fleet.folder / "beta.csv").write_text("Email,First\nnobody,N\nb@example.org,B\n", encoding="utf-8")
        assert outcomes(fleet)["beta"] == ("partial", 3)
        refused = fleet.project.command("rejects", "agency.yaml@beta/welcome", "--json")
        assert (refused.code, len(refused.json["rejects"])) == (0, 1)
        unknown = fleet.project.command("rejects", "agency.yaml@bets")
        assert (unknown.code, 'did you mean "beta"?' in unknown.stderr) == (2, True)


def test_a_wrong_key_a_guard_and_a_lack_of_contacts_stop_their_account_alone(project: Project) -> None:
    with agency(project, ("acme", "beta", "gamma", "wrong")) as (fleet, sandbox):
        fleet.write(welcome=WELCOME + "  guards: {min_rows: 2}\n")
        fleet.rows[3]["api_password"] = "MISTYPED"
        fleet.write_accounts()
        fleet.contacts("beta", 1)  # fewer rows than the guard allows
        (fleet.folder / "gamma.csv").unlink()
        done = fleet.command("run", "--json")
        found = {each["account"]: (each["status"], each["exit_code"]) for each in done.json["accounts"]}
        assert found == {
            "acme": ("succeeded", 0),
            "beta": ("refused", 4),
            "gamma": ("failed", 1),
            "wrong": ("refused", 2),
        }
        assert done.code == 2
        assert {name: len(leads) for name, leads in fleet.leads().items()} == {
            "acme": 3,
            "beta": 0,
            "gamma": 0,
            "wrong": 0,
        }
        to_do = {each["account"]: each["to_do"] for each in done.json["accounts"]}
        assert to_do["wrong"] == "kartra-sync connect wrong --rotate"
        assert to_do["gamma"] == "kartra-sync fleet run agency.yaml --account gamma"
        wrong = [call for call in sandbox.calls if call.account is None]
        assert len(wrong) == 1
        assert "MISTYPED" not in done.stdout + done.stderr
        # those that failed last, and nobody else
        fleet.rows[3]["api_password"] = fleet.accounts["wrong"].api_password
        fleet.write_accounts()
        fleet.contacts("gamma", 3)
        fleet.contacts("beta", 3)
        sandbox.reset_calls()
        again = fleet.command("run", "--failed", "--json")
        assert {each["account"] for each in again.json["accounts"]} == {"beta", "gamma", "wrong"}
        assert (again.code, fleet.leads()) == (0, fleet.own(3))


def test_accounts_are_chosen_by_name(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        assert fleet.command("run", "--account", "acme", "--account", "gamma").code == 0
        assert {name: len(leads) for name, leads in fleet.leads().items()} == {
            "acme": 3,
            "beta": 0,
            "gamma": 3,
        }
        unknown = fleet.command("run", "--account", "acne")
        assert (unknown.code, 'did you mean "acme"?' in unknown.stderr) == (2, True)
        late = fleet.command("status", "--json")
        assert late.code == 1
        assert [each["account"] for each in late.json["accounts"] if each["is_late"]] == ["beta"]


def test_an_interrupt_settles_the_calls_of_all_accounts(project: Project) -> None:
    with agency(project, NAMES, count=30, latency_s=0.05) as (fleet, sandbox):
        process = project.start("fleet", "run", "agency.yaml", "--json")
        wait_for(lambda: len(writes(sandbox)) > 6)
        process.send_signal(2)
        done = ended(process)
        assert done.code == 130, done.stderr
        assert {each["status"] for each in done.json["accounts"]} == {"interrupted"}
        assert fleet.command("run").code == 0
        assert fleet.leads() == fleet.own(30)
        created = [call for call in sandbox.calls if "create_lead" in call.commands and call.executed]
        assert len(created) == 90  # nobody twice


def test_targets_have_values_and_states_of_their_own(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        targets = """\
targets:
  test: {mode: test, variables: {tag: Imported}}
  live: {app_id: "${LIVE_APP_ID}", accounts: live.csv}
"""
        fleet.write(fleet=FLEET + targets)
        refused = fleet.command("run", "--target", "test")
        assert (refused.code, "state/{target}/{account}.db" in refused.stderr) == (2, True)
        fleet.write(fleet=FLEET + targets + 'state: "state/{target}/{account}.db"\n')
        sandbox.set_options(mode="test")
        done = fleet.command("run", "--target", "test")
        assert (done.code, done.stderr) == (0, "")  # LIVE_APP_ID is not needed
        assert sorted(path.name for path in (fleet.folder / "state" / "test").glob("*.db")) == [
            f"{name}.db" for name in NAMES
        ]
        unknown = fleet.command("run", "--target", "life")
        assert (unknown.code, 'did you mean "live"?' in unknown.stderr) == (2, True)


@pytest.mark.parametrize("kind", ["list", "query"])
def test_accounts_stand_in_the_file_or_in_a_database(kind: str, project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        if kind == "list":
            lines = [
                f'  - {{name: {row["name"]}, api_key: "${{KEY_{row["name"]}}}",'
                f' api_password: "${{file:{row["name"]}.password}}", tag: {row["tag"]}}}\n'
                for row in fleet.rows
            ]
            for row in fleet.rows:
                project.environ[f"KEY_{row['name']}"] = row["api_key"]
                secret = fleet.folder / f"{row['name']}.password"
                secret.write_text(row["api_password"] + "\r\n", encoding="utf-8")
                secret.chmod(0o600)
            fleet.write(fleet=FLEET.replace("accounts: accounts.csv\n", "accounts:\n" + "".join(lines)))
        else:
            _database(fleet)
            query = 'accounts: {sql: {url: "sqlite:///crm.db", query: SELECT * FROM clients}}\n'
            fleet.write(fleet=FLEET.replace("accounts: accounts.csv\n", query))
        (fleet.folder / "accounts.csv").unlink()
        done = fleet.command("run")
        assert (done.code, done.stderr) == (0, "")
        assert fleet.leads() == fleet.own(3)


def _database(fleet: Agency) -> None:
    with closing(sqlite3.connect(fleet.folder / "crm.db")) as database:
        database.execute("CREATE TABLE clients (name, api_key, api_password, share, tag)")
        database.executemany(
            "INSERT INTO clients VALUES (:name, :api_key, :api_password, 1, :tag)", fleet.rows
        )
        database.commit()


def test_two_pipelines_of_an_account_run_in_their_order(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        second = WELCOME.replace("pipeline: welcome", "pipeline: second").replace("  lists: [News]\n", "")
        (fleet.folder / "second.yaml").write_text(second, encoding="utf-8")
        fleet.write(fleet=FLEET + "  - {file: second.yaml}\n")
        done = fleet.command("run", "--json")
        assert [(each["account"], each["pipeline"]) for each in done.json["accounts"]] == [
            (name, pipeline) for name in NAMES for pipeline in ("welcome", "second")
        ]
        assert (done.code, fleet.leads()) == (0, fleet.own(3))
