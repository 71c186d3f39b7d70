"""What could hurt: a client's people in another one's account, a key that shows, a table at night."""

import pytest

from tests.command.several import writes
from tests.conftest import Project
from tests.fleet.fleets import FLEET, WELCOME, agency

NAMES = ("acme", "beta", "gamma")
NOTHING_SENT: dict[str, int] = dict.fromkeys(NAMES, 0)


def test_a_variable_that_one_account_lacks_is_not_taken_from_anywhere_else(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.columns = (*fleet.columns, "contacts")
        for row in fleet.rows:
            row["contacts"] = f"{row['name']}.csv"
        fleet.rows[1]["contacts"] = ""
        fleet.write_accounts()
        fleet.write(welcome=WELCOME.replace('"${account}.csv"', '"${contacts}"'))
        project.environ["contacts"] = "acme.csv"  # of another client
        done = fleet.command("run", "--json")
        codes = {each["account"]: each["exit_code"] for each in done.json["accounts"]}
        assert (done.code, codes) == (2, {"acme": 0, "beta": 2, "gamma": 0})
        assert "contacts is not set for the account beta" in done.stderr
        assert fleet.leads()["beta"] == []
        checked = fleet.command("check")
        assert (
            "beta: welcome.yaml:3:17: load.source.csv: contacts is not set for the account beta"
            in checked.stdout
        )


def test_two_accounts_with_the_contacts_of_one_are_stopped_where_others_have_their_own(
    project: Project,
) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.columns = (*fleet.columns, "client")
        for row in fleet.rows:
            row["client"] = row["name"]
        fleet.rows[1]["client"] = "acme"
        fleet.write_accounts()
        fleet.write(welcome=WELCOME.replace("${account}.csv", "${client}.csv"))
        done = fleet.command("run")
        assert (done.code, fleet.leads()["acme"], fleet.leads()["beta"]) == (2, [], [])
        assert fleet.leads()["gamma"] == fleet.own(3)["gamma"]
        assert "reads the same contacts as acme, and others have their own" in done.stderr
        fleet.write(
            fleet=FLEET.replace("26h}", "26h, same_contacts: true}"),
            welcome=WELCOME.replace("${account}.csv", "${client}.csv"),
        )
        assert fleet.command("run").code == 0


def test_contacts_that_all_accounts_share_are_told(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.write(welcome=WELCOME.replace('"${account}.csv"', "acme.csv"))
        assert "reads the same contacts for all 3 accounts" in fleet.command("plan").stdout


def test_keys_that_were_mixed_up_stop_both_accounts_before_the_first_write(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        assert fleet.command("run").code == 0
        for key in ("api_key", "api_password"):
            fleet.rows[0][key], fleet.rows[1][key] = fleet.rows[1][key], fleet.rows[0][key]
        fleet.write_accounts()
        for name in NAMES:
            fleet.contacts(name, 5)
        sandbox.reset_calls()
        done = fleet.command("run", "--json")
        codes = {each["account"]: each["exit_code"] for each in done.json["accounts"]}
        assert (done.code, codes) == (4, {"acme": 4, "beta": 4, "gamma": 0})
        assert "the key of acme opens the account that the state of beta knows" in done.stderr
        assert all(call.account is fleet.accounts["gamma"] for call in writes(sandbox))
        # a pipeline that is new to the states is stopped, too
        (fleet.folder / "second.yaml").write_text(WELCOME.replace("welcome", "second"), encoding="utf-8")
        fleet.write(fleet=FLEET.replace("welcome.yaml", "second.yaml"))
        again = fleet.command("run", "--json")
        assert {each["account"]: each["exit_code"] for each in again.json["accounts"]}["beta"] == 4


def test_a_state_that_meets_a_third_account_stops_also_for_a_new_pipeline(project: Project) -> None:
    with agency(project, (*NAMES, "stranger")) as (fleet, _):
        stranger = fleet.rows.pop()
        fleet.write_accounts()
        assert fleet.command("run").code == 0
        fleet.rows[0] |= {key: stranger[key] for key in ("api_key", "api_password")}
        fleet.write_accounts()
        (fleet.folder / "second.yaml").write_text(WELCOME.replace("welcome", "second"), encoding="utf-8")
        fleet.write(fleet=FLEET + "  - {file: second.yaml}\n")
        done = fleet.command("run", "--account", "acme", "--json")
        assert [each["exit_code"] for each in done.json["accounts"]] == [4, 4]
        assert fleet.leads()["stranger"] == []


def test_a_renewed_key_of_the_same_account_goes_on(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        assert fleet.command("run").code == 0
        fleet.accounts["beta"].api_key = "RENEWED1"
        fleet.rows[1]["api_key"] = "RENEWED1"
        fleet.write_accounts()
        sandbox.reset_calls()
        done = fleet.command("run")
        assert (done.code, writes(sandbox)) == (0, [])


@pytest.mark.parametrize("change", ["removed", "renamed"])
def test_an_account_that_left_the_table_is_told_until_its_state_is_put_away(
    change: str, project: Project
) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        assert fleet.command("run").code == 0
        last = fleet.rows.pop()
        if change == "renamed":
            fleet.rows.append(last | {"name": "delta"})
            fleet.contacts("delta", 3)
        fleet.write_accounts()
        sandbox.reset_calls()
        done = fleet.command("run", "--json")
        codes = {each["account"]: each["exit_code"] for each in done.json["accounts"]}
        assert done.code == 4
        assert codes == {"gamma": 4, "acme": 0, "beta": 0} | ({"delta": 4} if change == "renamed" else {})
        assert "gamma.db is the state of an account that is not in the fleet any more" in done.stderr
        assert writes(sandbox) == []
        status = fleet.command("status", "--json")
        assert (status.code, status.json["accounts"][0]["status"]) == (1, "left")
        kept = fleet.folder / "state" / "gamma.db"
        kept.rename(fleet.folder / "state" / "delta.db" if change == "renamed" else fleet.folder / "gone.db")
        for left in (fleet.folder / "state").glob("gamma.db-*"):
            left.unlink()
        assert fleet.command("run").code == 0
        assert len(fleet.leads()["gamma"]) == (6 if change == "renamed" else 3)


def test_states_of_other_pipelines_in_the_folder_are_none_of_accounts_that_left(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        names = [("app_id", "KARTRA_APP_ID"), ("api_key", "K"), ("api_password", "P"), ("url", "KARTRA_URL")]
        kartra = "".join(f"  {key}: ${{{name}}}\n" for key, name in names)
        load = WELCOME.partition("load:")[2].replace("${account}", "acme").replace("${tag}", "Tag 0")
        single = f"pipeline: single\nkartra:\n{kartra}load:{load}"
        (fleet.folder / "single.yaml").write_text(single, encoding="utf-8")
        project.environ |= {"K": fleet.rows[0]["api_key"], "P": fleet.rows[0]["api_password"]}
        assert project.command("run", "single.yaml").code == 0
        assert fleet.command("run").code == 0


def test_the_same_key_twice_stops_both(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.rows[1]["api_key"], fleet.rows[1]["api_password"] = (
            fleet.rows[0]["api_key"],
            fleet.rows[0]["api_password"],
        )
        fleet.write_accounts()
        done = fleet.command("run", "--json")
        assert {each["account"]: each["exit_code"] for each in done.json["accounts"]} == {
            "acme": 2,
            "beta": 2,
            "gamma": 0,
        }
        assert "api_key: acme has the same" in done.stderr
        assert fleet.rows[0]["api_key"] not in done.stdout + done.stderr


BAD_NAMES = ("../acme", "a/b", "Acme", "acme gmbh", ".hidden", "-x", "a" * 65, "")


def test_a_name_that_is_a_path_or_in_capitals_is_refused_by_name(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.rows = [{**fleet.rows[0], "name": name} for name in BAD_NAMES]
        fleet.write_accounts()
        done = fleet.command("check", "--json")
        assert done.code == 2
        told = {each["account"]: each["problems"][0] for each in done.json["accounts"]}
        assert list(told) == [*BAD_NAMES[:-1], "accounts.csv:9"]
        assert all(words.startswith("the name: 1 to 64 of the characters a-z") for words in told.values())
        assert told["acme gmbh"].endswith('write "acme-gmbh"')


def test_a_name_that_stands_twice_stops_both(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.rows[1]["name"] = "acme"
        fleet.write_accounts()
        done = fleet.command("run")
        assert (done.code, fleet.leads()["acme"], fleet.leads()["beta"]) == (2, [], [])
        assert "the name stands twice" in done.stderr


@pytest.mark.parametrize(("mode", "words"), [(0o640, "others may read it"), (0o666, "others may write it")])
def test_a_table_with_keys_that_others_may_read_or_write_is_not_used(
    mode: int, words: str, project: Project
) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        (fleet.folder / "accounts.csv").chmod(mode)
        done = fleet.command("run")
        assert (done.code, words in done.stderr, sandbox.calls) == (2, True, [])
        assert "chmod 600 accounts.csv" in done.stderr


def test_a_table_without_keys_may_be_read_by_all(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.columns = ("name", "tag")
        for row in fleet.rows:
            for key in ("api_key", "api_password"):
                project.environ[f"{row['name'].upper()}_{key.upper()}"] = row.pop(key)
        fleet.write_accounts(mode=0o644)
        keys = "api_key: ${{ACCOUNT}_API_KEY}\napi_password: ${{ACCOUNT}_API_PASSWORD}\n"
        fleet.write(fleet=FLEET + keys)
        assert fleet.command("run").code == 0
        assert fleet.leads() == fleet.own(3)


BROKEN = {
    "empty": lambda text: "",
    "header alone": lambda text: text.splitlines(keepends=True)[0],
    "within a row": lambda text: text[: text.index("gamma") + 8],
    "within a quote": lambda text: text.replace("gamma", '"gamma'),
    "zeros at the end": lambda text: text[:-40] + "\0" * 40,
}


def test_a_table_that_is_half_written_at_night_stops_all(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        path = fleet.folder / "accounts.csv"
        whole = path.read_text("utf-8")
        for kind, broken in BROKEN.items():
            path.write_text(broken(whole), encoding="utf-8")
            done = fleet.command("run")
            assert (kind, done.code, sandbox.calls) == (kind, 2, [])


def test_accounts_that_a_broken_table_lost_are_told(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        assert fleet.command("run").code == 0
        path = fleet.folder / "accounts.csv"
        path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:2]), encoding="utf-8")
        done = fleet.command("run", "--json")
        assert {each["account"]: each["exit_code"] for each in done.json["accounts"]} == {
            "beta": 4,
            "gamma": 4,
            "acme": 0,
        }


def test_two_fleets_on_one_folder_of_states_do_not_meet(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        assert fleet.command("run", "--account", "acme").code == 0
        other = FLEET.replace("agency", "other").replace("accounts.csv", "other.csv")
        (fleet.folder / "other.yaml").write_text(other, encoding="utf-8")
        # the client of the other fleet has the name acme as well
        path = fleet.folder / "other.csv"
        row = fleet.rows[1]
        path.write_text(
            f"name,api_key,api_password,tag\nacme,{row['api_key']},{row['api_password']},Tag 1\n",
            encoding="utf-8",
        )
        path.chmod(0o600)
        done = project.command("fleet", "run", "other.yaml")
        assert (done.code, fleet.leads()["beta"]) == (4, [])


def test_two_accounts_do_not_pull_into_the_same_tables(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        fleet.write(welcome=WELCOME + "pull: {into: tables.db, tables: [tags]}\n")
        done = fleet.command("run")
        assert (done.code, sandbox.calls) == (2, [])
        assert "would write into the same tables.db; write ${account} into its name" in done.stderr
        fleet.write(welcome=WELCOME + 'pull: {into: "tables/${account}.db", tables: [tags]}\n')
        assert fleet.command("run").code == 0
        assert len(list((fleet.folder / "tables").glob("*.db"))) == 3


def test_the_state_of_an_account_has_its_name(project: Project) -> None:
    with agency(project, NAMES) as (fleet, sandbox):
        fleet.write(fleet=FLEET + "state: state/all.db\n")
        done = fleet.command("run")
        assert (done.code, "{account}" in done.stderr, sandbox.calls) == (2, True, [])


def test_everything_that_is_wrong_is_told_at_once_by_name(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        fleet.rows[0]["api_key"] = "${NOBODY_SET_THIS}"
        fleet.rows[1]["share"] = "half"
        fleet.rows[2]["api_password"] = "${file:gone.txt}"
        fleet.write_accounts()
        done = fleet.command("check")
        assert done.code == 2
        for words in (
            "acme: api_key: NOBODY_SET_THIS is not set",
            "beta: share: a number",
            "gamma: api_password: ",
            "gone.txt: cannot be read",
        ):
            assert words in done.stdout
        fleet.write(fleet=FLEET.replace("late_after", "late_aftr") + "shar: 2\n", welcome=WELCOME)
        wrong = fleet.command("check")
        assert (
            'agency.yaml:6:26: pipelines[0].late_aftr: unknown key; did you mean "late_after"?'
            in wrong.stderr
        )
        assert "agency.yaml:7:1: shar: unknown key" in wrong.stderr
        fleet.write(welcome=WELCOME.replace("fields", "feilds"))
        shared = fleet.command("check")
        assert shared.stdout.count('did you mean "fields"?') == 1  # once for all accounts


def test_a_literal_key_in_the_fleet_file_is_refused_and_not_shown(project: Project) -> None:
    with agency(project, NAMES) as (fleet, _):
        lines = "accounts:\n  - {name: acme, api_key: KEY00000, api_password: PASSWORD00000}\n"
        fleet.write(fleet=FLEET.replace("accounts: accounts.csv\n", lines))
        done = fleet.command("check")
        assert (
            done.code,
            "KEY00000" in done.stderr,
            "a secret must not stand in the file" in done.stderr,
        ) == (2, False, True)
