"""Answers of another shape: what is missing is not empty, what cannot be read is kept and told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from connectors.kartra.sandbox import Account, Membership, Sandbox, SequenceEntry, Transaction
from tests.conftest import LOAD, PIPELINE, Project, contact
from tests.pull.accounts import busy_account, expected, read, until_the_next_second, write_pull
from tests.pull.reshaped import Between, in_profiles

PARTS = {
    "tags": "lead_tags",
    "lists": "lead_lists",
    "sequences": "lead_sequences",
    "memberships": "lead_memberships",
    "custom_fields": "lead_custom_fields",
}


@pytest.fixture
def account() -> Account:
    account = busy_account(6, 6, 0, seed=5)
    for lead in account.leads.values():
        lead.tags |= {"Tag 1", "Tag 2"}
        lead.lists |= {"News": True}
        lead.memberships = [Membership("Course", "Gold")]
        lead.sequences = {"Onboarding": SequenceEntry("2")}
    return account


@pytest.fixture
def between(account: Account, project: Project) -> Iterator[Between]:
    write_pull(project, account, more="refresh_after: 0s")
    with Sandbox(account, calls_per_second=0) as sandbox, Between(project, sandbox) as between:
        yield between


def pull(project: Project) -> list[str]:
    """The notes of a pull."""
    done = project.run()
    assert done.code == 0, done.stderr
    until_the_next_second()
    return list(done.json.get("notes", ()))


def url_of(project: Project) -> str:
    return project.environ.get("TABLES_URL") or f"sqlite:///{project.folder / 'tables.db'}"


def rows(project: Project, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url_of(project))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def same(project: Project, account: Account) -> bool:
    stands, wanted = read(url_of(project)), expected(account)
    return {table: stands[table] for table in wanted} == wanted


@pytest.mark.parametrize("nothing", ["missing", None])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_from_every_profile_stays_as_it_is(
    part: str, nothing: str | None, project: Project, between: Between, account: Account
) -> None:
    def without(details: dict[str, Any]) -> None:
        details.pop(part) if nothing else details.update({part: None})

    pull(project)
    with between.shape(in_profiles(without)):
        notes = pull(project)
    assert same(project, account)
    assert rows(project, "SELECT * FROM lead_changes") == []
    had = rows(project, f"SELECT count(DISTINCT lead_id) FROM {PARTS[part]}")[0][0]
    assert notes == [
        f"{part} are missing from every profile of this pull, and {had} of its leads had some:"
        " the tables keep them"
    ]
    assert pull(project) == []
    assert rows(project, "SELECT * FROM lead_changes") == []


def test_what_is_missing_is_kept_on_every_database(database: str, project: Project, account: Account) -> None:
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}", more="refresh_after: 0s")
    with Sandbox(account, calls_per_second=0) as sandbox, Between(project, sandbox) as between:
        pull(project)
        with between.shape(in_profiles(lambda details: details.pop("tags"))):
            assert pull(project)
    assert same(project, account)


@pytest.mark.parametrize("place", [0, -1])
def test_a_part_that_some_profiles_have_is_empty_where_it_is_missing(
    place: int, project: Project, between: Between, account: Account
) -> None:
    pull(project)
    lead = list(account.leads.values())[place]
    lead.tags = set()
    with between.shape(
        in_profiles(lambda details: details["id"] == lead.id and details.pop("tags")),
    ):
        assert pull(project) == []
    assert same(project, account)
    gone = rows(project, "SELECT lead_id, kind, new_value FROM lead_changes")
    assert set(gone) == {(lead.id, "tag", None)}


def test_parts_that_are_empty_are_empty(project: Project, between: Between, account: Account) -> None:
    pull(project)
    for lead in account.leads.values():
        lead.tags = set()
    assert pull(project) == []
    assert same(project, account)


def test_a_column_that_profiles_do_not_have_any_more_stays_as_it_is(
    project: Project, between: Between, account: Account
) -> None:
    pull(project)
    absent = ("score", "city", "date_joined")

    def without(details: dict[str, Any]) -> None:
        for name in absent:
            details.pop(name)

    with between.shape(in_profiles(without)):
        pull(project)
    assert same(project, account)
    assert rows(project, "SELECT * FROM lead_changes") == []


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ("tags", "VIP, Gold"),
        ("tags", [{"tag": "VIP"}, {"tag": "Gold"}]),
        ("tags", {"VIP": True, "Gold": True}),
        ("tags", [["VIP"], ["Gold"]]),
        ("tags", 7),
        ("lists", {"list_name": "News", "active": "0"}),
        ("lists", [{"list": "News", "active": "0"}]),
        ("sequences", "Onboarding (2)"),
        ("memberships", [{"membership": "Course"}]),
        ("memberships", "Course: Gold"),
        ("custom_fields", {"note": "a, b"}),
        ("custom_fields", [{"id": "1", "value": "x"}]),
    ],
)
def test_what_is_in_a_part_and_cannot_be_read_is_kept_and_told(
    part: str, written: object, project: Project, between: Between, account: Account
) -> None:
    pull(project)
    with between.shape(in_profiles(lambda details: details.update({part: written}))):
        notes = pull(project)
    assert notes == [
        f"{part} of 6 profiles could not be read whole: what Kartra sent is in leads.extra,"
        " and the tables keep what they had"
    ]
    assert same(project, account)
    assert rows(project, "SELECT * FROM lead_changes") == []
    extras = [json.loads(extra)[part] for (extra,) in rows(project, "SELECT extra FROM leads")]
    assert extras == [written] * 6


def test_the_readable_rows_of_a_part_count_beside_those_that_are_not(
    project: Project, between: Between, account: Account
) -> None:
    def one_odd(details: dict[str, Any]) -> None:
        details["tags"] = [{"tag_name": "New"}, {"tag": "Odd"}]

    with between.shape(in_profiles(one_odd)):
        pull(project)
    assert set(rows(project, "SELECT tag_name FROM lead_tags")) == {("New",)}
    extras = [json.loads(extra) for (extra,) in rows(project, "SELECT extra FROM leads")]
    assert extras == [{"tags": [{"tag": "Odd"}]}] * 6


def test_memberships_are_read_in_both_spellings(project: Project, between: Between, account: Account) -> None:
    def spelt(details: dict[str, Any]) -> None:
        details["memberships"] = [
            {"membership_name": "Course", "level_name": "Gold", "granted_at": "2026-01-01 10:00:00"},
            {"name": "Club", "level_name": "Silver", "active": "0"},
            "Forum",
        ]

    with between.shape(in_profiles(spelt)):
        assert pull(project) == []
    found = set(rows(project, "SELECT name, level_name, active, extra FROM lead_memberships"))
    assert found == {
        ("Course", "Gold", 1, '{"granted_at": "2026-01-01 10:00:00"}'),
        ("Club", "Silver", 0, None),
        ("Forum", "", 1, None),
    }


def test_a_list_that_is_neither_active_nor_left_is_counted_apart(
    project: Project, between: Between, account: Account
) -> None:
    def pending(details: dict[str, Any]) -> None:
        details["lists"] = [{"list_name": "News", "active": "pending"}]

    with between.shape(in_profiles(pending)):
        pull(project)
    found = project.command("report", "p.yaml", "list-sizes", "--json").json
    every = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    (news,) = (row for row in every if row["list_name"] == "News")
    assert news == {"list_name": "News", "subscribed": 0, "left_it": 0, "unvalued": 6}
    held = set(rows(project, "SELECT active, extra FROM lead_lists WHERE list_name = 'News'"))
    assert held == {(None, '{"active": "pending"}')}


@pytest.mark.parametrize("names", [None, [{"label": "Tag 1"}], {"Tag 1": 1}])
def test_names_of_the_account_that_cannot_be_read_are_not_gone(
    names: Any, project: Project, between: Between, account: Account
) -> None:
    def reshape(body: Any) -> Any:
        if "account_tags" in body:
            body.update(account_tags=names)
        return body

    pull(project)
    with between.shape(reshape):
        notes = pull(project)
    assert notes == ["the account's tags came in a form that cannot be read: the tables keep theirs"]
    assert rows(project, "SELECT count(*) FROM tags WHERE gone_at IS NOT NULL") == [(0,)]
    account.tags.clear()
    pull(project)
    assert rows(project, "SELECT count(*) FROM tags WHERE gone_at IS NULL") == [(0,)]


def test_entries_of_sales_that_cannot_be_read_are_told(
    project: Project, between: Between, account: Account
) -> None:
    def reshape(body: Any) -> Any:
        written = json.dumps(body)
        return json.loads(written.replace('"transaction_id"', '"number"'))

    with between.shape(reshape):
        notes = pull(project)
    assert notes == [f"{len(account.transactions)} entries in lists of sales name no sale, and are left out"]


# --- drift, which is looked for in the profiles that a pull reads anyway

BOTH = """\
pull:
  into: tables.db
  refresh_after: 1s
"""


@pytest.mark.parametrize(
    ("part", "shape"),
    [("tags", "missing"), ("tags", "VIP, Gold"), ("lists", [{"list": "News"}]), ("custom_fields", None)],
    ids=str,
)
def test_a_part_of_another_shape_is_no_drift(part: str, shape: Any, project: Project) -> None:
    account = Account(
        tags=["Imported", "VIP", "Blog"],
        lists=["News"],
        sequences={"Onboarding": ["1"]},
        custom_fields=busy_account(0, 0, 0).custom_fields,
    )

    def reshape(details: dict[str, Any]) -> None:
        details.pop(part) if shape == "missing" else details.update({part: shape})

    load = "".join(f"  {line}\n" for line in f"{LOAD.strip()}\non_drift: keep".splitlines())
    (project.folder / "p.yaml").write_text(f"{PIPELINE}load:\n{load}{BOTH}", encoding="utf-8")
    project.contacts([contact(number, Size="", Fruits="") for number in range(3)])
    with Sandbox(account, calls_per_second=0) as sandbox, Between(project, sandbox) as between:
        assert project.run().code == 0
        until_the_next_second()
        until_the_next_second()
        with between.shape(in_profiles(reshape)):
            pull(project)
        assert project.command("drift", "p.yaml", "--max-calls", "0", "--json").json["drift"] == []
        project.contacts([contact(number, Size="", Fruits="", Tags="Blog") for number in range(3)])
        assert project.run().code == 0
    assert [lead.tags for lead in account.leads.values()] == [{"Imported", "Blog"}] * 3


# --- leads that were merged


@pytest.mark.parametrize("is_told", [True, False])
def test_sales_of_a_merged_lead_hang_on_the_lead_that_lists_them_now(
    is_told: bool, database: str, project: Project
) -> None:
    account = Account(products={"1": 1})
    old, new = account.add_lead("old@example.org"), account.add_lead("new@example.org")
    sales = [account.add_transaction(Transaction(old.id, date="2026-11-01 10:00:00")) for _ in range(3)]
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}", more="refresh_after: 0s")

    def reshape(body: Any) -> Any:
        """The entries of the list still name the lead of before."""
        return body if is_told else json.loads(json.dumps(body).replace(f'"{new.id}"', f'"{old.id}"'))

    with Sandbox(account, calls_per_second=0) as sandbox, Between(project, sandbox) as between:
        pull(project)
        for sale in sales:
            sale.lead_id = new.id
        old.deleted = True
        before = len(sandbox.calls)
        if is_told:
            pull(project)
        else:
            with between.shape(lambda body: body if "lead_details" in body else reshape(body)):
                pull(project)
        asked = [cmd for call in sandbox.calls[before:] for cmd in call.commands]
    assert "get_transaction_details" not in asked
    joined = "SELECT leads.gone_at FROM transactions JOIN leads ON leads.id = transactions.lead_id"
    assert rows(project, joined) == [(None,)] * 3
