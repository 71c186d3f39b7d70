"""transform: a Python function between source and mapping, its rules, and what is told of its faults."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from connectors.errors import ConfigError, SourceError, SyncError
from connectors.kartra.sandbox import Account, Sandbox
from pipelines.config.load import LoadConfig
from pipelines.extract.transform import open_records
from tests.conftest import Project

LOAD = """
source: {csv: contacts.csv}
transform: cleaning:cleaned
key: email
fields: {email: email, first_name: first, city: City}
consent: {attested: form}
"""
CLEANING = """
import pandas as pd

def cleaned(records: pd.DataFrame) -> pd.DataFrame:
    print("to nobody's result")
    records = records[records["City"] != "Nowhere"]
    names = records.pop("Name").str.split(" ", expand=True)
    return records.assign(email=records.pop("Mail"), first=names[0], last=names[1], size=3, none=None)
"""
RECORDS = (
    "Mail,Name,City\nann@example.org,Ann Lee,Lyon\nx@example.org,X Y,Nowhere\nragged\nbob,Bob Ray,Leeds\n"
)


def load_of(folder: Path, hook: str, records: str = RECORDS) -> LoadConfig:
    """The hook is called `hook` in a module of its own."""
    (folder / "hooks.py").write_text(hook, encoding="utf-8")
    (folder / "c.csv").write_text(records, encoding="utf-8")
    section = {
        "source": {"csv": "c.csv"},
        "transform": "hooks:hook",
        "key": "email",
        "fields": {"email": "Email"},
        "consent": {"attested": "form"},
    }
    return LoadConfig.model_validate(section, context={"folder": folder})


def fault(folder: Path, hook: str) -> SyncError:
    with pytest.raises((ConfigError, SourceError)) as caught:
        for _ in open_records(load_of(folder, hook)).chunks():
            pass
    assert not [word for word in ("ann@", "Ann", "Lyon") if word in str(caught.value)]
    return caught.value


def test_what_a_hook_makes_is_mapped_and_rows_stay_what_they_were(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    (project.folder / "contacts.csv").write_text(RECORDS, encoding="utf-8")
    (project.folder / "cleaning.py").write_text(CLEANING, encoding="utf-8")
    project.pipeline(LOAD)
    planned = project.command("plan", "p.yaml", "--json")
    assert planned.json["rows"] == {"read": 3, "invalid": 2, "duplicate": 0, "blocked": 0}, planned.stderr
    checked = project.command("check", "p.yaml", "--json").json
    assert "through cleaning:cleaned" in checked["files"][0]["notes"]
    ran = project.run("-v")
    assert ran.json["rows"] == planned.json["rows"]
    assert "cleaning:cleaned left out 1 of 3 records" in ran.stderr
    (lead,) = account.leads.values()
    assert (lead.email, lead.fields["first_name"], lead.fields["city"]) == ("ann@example.org", "Ann", "Lyon")
    rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
    assert sorted((one["row"], one["reason"]) for one in rejects) == [
        (4, "1 cell, the header has 3"),
        (5, "not an e-mail address: no @"),
    ]
    explained = project.command("explain", "p.yaml", "ann@example.org", "--show", "--json").json
    assert explained["source"][0]["row"] == 2


def test_rejects_are_written_as_the_source_has_them_and_load_again(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    (project.folder / "contacts.csv").write_text(RECORDS, encoding="utf-8")
    (project.folder / "cleaning.py").write_text(CLEANING, encoding="utf-8")
    project.pipeline(LOAD)
    assert project.run().code == 3
    assert project.command("rejects", "p.yaml", "--csv", "again.csv").code == 0
    again = project.folder / "again.csv"
    written = again.read_text(encoding="utf-8-sig")
    assert "bob,Bob Ray,Leeds" in written
    again.write_text(written.replace("bob,", "bob@example.org,"), encoding="utf-8")
    project.pipeline(LOAD.replace("contacts.csv", "again.csv"))
    project.run()
    assert account.lead("bob@example.org") is not None


def test_other_values_than_text_become_text_by_the_rules_of_databases(tmp_path: Path) -> None:
    hook = """
import datetime as d
import numpy as np
import pandas as pd
from decimal import Decimal

def hook(records):
    values = {"int": 3, "float": 0.1, "np": np.int64(7), "yes": True, "day": d.date(2026, 1, 2)}
    values |= {"none": None, "nan": float("nan"), "na": pd.NA, "nat": pd.NaT, "dec": Decimal("1.10")}
    values["at"] = pd.Timestamp("2026-11-24 08:00")
    made = pd.DataFrame({name: [value] * len(records) for name, value in values.items()}, index=records.index)
    made["list"] = [["a", 1]] * len(records)
    return made
"""
    (chunk,) = open_records(load_of(tmp_path, hook, "Email\nann@example.org\n")).chunks()
    nothing = dict.fromkeys(("none", "nan", "na", "nat"), "")
    texts = {"int": "3", "float": "0.1", "np": "7", "yes": "true", "day": "2026-01-02", "dec": "1.10"}
    more = {"at": "2026-11-24 08:00:00", "list": '["a", 1]'}
    assert chunk.frame.to_dict("records") == [{**texts, **nothing, **more}]
    assert (list(chunk.frame.index), chunk.lines) == ([2], (2,))


def test_records_that_cannot_be_text_are_bad_rows_and_the_rest_goes_on(tmp_path: Path) -> None:
    hook = "def hook(r):\n    return r.assign(City=[b'\\xff', 'a\\0b', 'c'], Name=3)\n"
    (chunk,) = open_records(load_of(tmp_path, hook)).chunks()
    assert chunk.frame.to_dict("index") == {5: {"Mail": "bob", "Name": "3", "City": "c"}}
    assert [(bad.row, bad.line, bad.reason) for bad in chunk.bad_rows] == [
        (4, 4, "1 cell, the header has 3"),
        (2, 2, "the hook gives bytes that are no text"),
        (3, 3, "NUL byte in the record"),
    ]
    assert chunk.bad_rows[1].cells == ("ann@example.org", "Ann Lee", "Lyon")


def test_a_hook_cannot_change_what_is_kept_of_the_source(tmp_path: Path) -> None:
    hook = "def hook(r):\n    r['City'] = 'x'\n    return r.iloc[::-1]\n"
    (chunk,) = open_records(load_of(tmp_path, hook)).chunks()
    assert list(chunk.frame["City"]) == ["x", "x", "x"]
    assert (list(chunk.frame.index), chunk.lines) == ([2, 3, 5], (2, 3, 5))
    assert chunk.originals is not None
    assert list(chunk.originals["City"]) == ["Lyon", "Nowhere", "Leeds"]


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("def hook(r):\n    return None\n", "hooks:hook has to return a DataFrame, not NoneType"),
        ("def hook(r):\n    return r.reset_index(drop=True)\n", "has to keep the index of its records"),
        ("def hook(r):\n    return r.merge(r, on='City')\n", "has to keep the index of its records"),
        ("def hook(r):\n    r.loc[99] = 'new'\n    return r\n", "has to keep the index of its records"),
        (
            "import pandas\ndef hook(r):\n    return pandas.concat([r, r])\n",
            "hooks:hook makes several records of one, for the records of rows 2 to 5",
        ),
        ("def hook(r):\n    r.columns = range(3)\n    return r\n", "names of columns have to be text"),
        (
            "def hook(r):\n    r.columns = ['a', 'b', 'a']\n    return r\n",
            'gives the column "a" more than once',
        ),
        ("x = 1\n", "load.transform: hooks.py has no function hook"),
        ("hook = 3\n", "load.transform: hooks.py has no function hook"),
        ("def hook(r:\n", "load.transform: hooks.py, line 1: '(' was never closed"),
        (
            "import nothere\n",
            "load.transform: hooks.py, line 1: ModuleNotFoundError No module named 'nothere'",
        ),
        (
            "def hook(r):\n    return r\n\nint('ann@example.org')\n",
            "load.transform: hooks.py, line 4: ValueError",
        ),
    ],
)
def test_a_hook_that_breaks_a_rule_is_a_fault_of_the_configuration(
    hook: str, told: str, tmp_path: Path
) -> None:
    error = fault(tmp_path, hook)
    assert isinstance(error, ConfigError)
    assert told in str(error)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("r['Nmae']", "hooks.py, line 3: KeyError Nmae, for the records of rows 2 to 5"),
        ("{}[r['Mail'].iloc[0]]", "hooks.py, line 3: KeyError, for the records of rows 2 to 5"),
        ("r['Mail'].astype(int)", "hooks.py, line 3: ValueError, for the records of rows 2 to 5"),
        ("r.assign(x=1 / 0)", "hooks.py, line 3: ZeroDivisionError, for the records of rows 2 to 5"),
    ],
)
def test_an_error_in_a_hook_is_told_with_its_line_and_without_its_text(
    line: str, told: str, tmp_path: Path
) -> None:
    error = fault(tmp_path, f"def hook(r):\n    # the line below\n    return {line}\n")
    assert (type(error), str(error)) == (SourceError, told)


def test_columns_have_to_be_the_same_for_all_chunks(tmp_path: Path) -> None:
    records = "Mail\n" + "ann@example.org\n" * 20_001
    hook = "def hook(r):\n    return r if r.index[0] == 2 else r.assign(more=1)\n"
    with pytest.raises(ConfigError, match=r"gives other columns for the records of rows [0-9,]+ to 20,002"):
        list(open_records(load_of(tmp_path, hook, records)).chunks())


def test_a_source_without_records_has_the_columns_of_the_hook(tmp_path: Path) -> None:
    hook = "def hook(r):\n    return r.assign(email=r['Mail'])\n"
    source = open_records(load_of(tmp_path, hook, "Mail,Name\n"))
    assert (source.columns, list(source.chunks())) == (("Mail", "Name", "email"), [])


def test_nothing_is_sent_where_a_hook_fails_on_the_way(project: Project, sandbox: Sandbox) -> None:
    (project.folder / "contacts.csv").write_text(RECORDS + "x@example.org,X,Nantes\n" * 20_000, "utf-8")
    failing = CLEANING.replace("    records =", "    assert records.index[0] == 2\n    records =")
    (project.folder / "cleaning.py").write_text(failing, encoding="utf-8")
    project.pipeline(LOAD)
    done = project.run()
    assert (done.code, done.json["leads"]["created"], sandbox.calls) == (1, 0, [])
    told = r"cleaning\.py, line 6: AssertionError, for the records of rows [0-9,]+ to 20,005"
    assert re.search(told, done.json["message"])
    project.environ["HOME"] = str(project.folder)
    (project.folder / "cleaning.py").unlink()
    done = project.run()
    assert (done.code, "there is no cleaning.py in" in json.loads(done.stdout)["error"]) == (2, True)


def test_new_rows_of_a_query_go_through_the_hook(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    engine = create_engine(f"sqlite:///{project.folder}/crm.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (Mail TEXT, Name TEXT, City TEXT, at INTEGER)"))
        connection.execute(text("INSERT INTO people VALUES ('ann@example.org', 'Ann Lee', 'Lyon', 1)"))
    (project.folder / "cleaning.py").write_text(CLEANING, encoding="utf-8")
    query = (
        "sql: {url: 'sqlite:///crm.db', query: SELECT * FROM people, incremental: {column: at, overlap: 0}}"
    )
    project.pipeline(LOAD.replace("csv: contacts.csv", query))
    assert project.run().json["leads"]["created"] == 1
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO people VALUES ('bob@example.org', 'Bob Ray', 'Leeds', 2)"))
        connection.execute(text("INSERT INTO people VALUES ('x@example.org', 'X', 'Nowhere', 3)"))
    done = project.run()
    assert (done.json["rows"]["read"], done.json["leads"]["created"]) == (2, 1), done.stdout
    assert project.run().json["rows"]["read"] == 0
    engine.dispose()
