"""contract: columns that come and go; and columns of card numbers, which are never sent."""

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, Result

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City, first_name: "{First} {Last}"}
custom_fields: {note: Note}
tags: [Imported, {column: Tags}]
points: {column: Points}
blank: clear
consent: {column: Consent, accepted: ["yes"]}
"""
ANN = dict(
    zip(
        ("Email", "City", "First", "Last", "Note", "Tags", "Points", "Consent"),
        ("ann@example.org", "Lyon", "Ann", "Lee", "n", "VIP", "5", "yes"),
        strict=True,
    )
)


def run(project: Project, record: dict[str, str], contract: str = "", *, code: int = 0) -> Result:
    project.contacts([record])
    project.pipeline(LOAD + (f"contract: {contract}\n" if contract else ""))
    done = project.run()
    assert done.code == code, done.stdout + done.stderr
    return done


def without(*columns: str) -> dict[str, str]:
    return {name: cell for name, cell in ANN.items() if name not in columns}


def test_without_a_contract_a_column_that_goes_stops_the_run(project: Project, sandbox: Sandbox) -> None:
    done = run(project, without("Note"), code=2)
    assert 'load.custom_fields.note: the source has no column "Note"' in done.json["error"]
    assert sandbox.calls == []


def test_what_needs_a_column_that_went_is_left_as_it_is_in_kartra(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """Although blank cells clear: no column is no cell."""
    run(project, ANN)
    before = len(sandbox.calls)
    gone = without("City", "Last", "Note", "Tags", "Points")
    done = run(project, gone, "{missing: warn}")
    assert done.json["notes"] == [
        f'load.{place}: the source has no column "{column}": it is left as it is in Kartra'
        for place, column in (
            *(("fields.city", "City"), ("fields.first_name", "Last"), ("custom_fields.note", "Note")),
            *(("tags", "Tags"), ("points", "Points")),
        )
    ]
    assert (done.json["leads"]["unchanged"], len(sandbox.calls)) == (1, before)
    planned = project.command("plan", "p.yaml")
    assert 'note: load.fields.city: the source has no column "City"' in planned.stdout
    assert "notes" not in run(project, gone, "{missing: ignore}").json
    (lead,) = account.leads.values()
    assert (lead.fields["city"], lead.fields["first_name"], lead.tags) == (
        "Lyon",
        "Ann Lee",
        {"Imported", "VIP"},
    )
    assert run(project, ANN, "{missing: warn}").json["leads"]["unchanged"] == 1


@pytest.mark.parametrize("column", ["Email", "Consent"])
def test_address_and_consent_are_needed_in_any_case(column: str, project: Project, sandbox: Sandbox) -> None:
    done = run(project, without(column), "{missing: ignore}", code=2)
    assert f'the source has no column "{column}"' in done.json["error"]


def test_a_column_that_came_is_told_or_stops_the_run(project: Project, sandbox: Sandbox) -> None:
    more = {**ANN, "Id": "1", "Status": "subscribed"}
    assert "notes" not in run(project, more).json
    told = [
        f'load.contract: the source has a column "{column}" that the pipeline does not know'
        for column in ("Id", "Status")
    ]
    assert run(project, more, "{extra: warn}").json["notes"] == told
    assert run(project, more, "{extra: warn, unused: [Id]}").json["notes"] == told[1:]
    assert "notes" not in run(project, more, "{extra: warn, unused: [Id, Status]}").json
    before = len(sandbox.calls)
    refused = run(project, more, "{extra: error, unused: [Id]}", code=2)
    assert refused.json["error"] == f"p.yaml: {told[1]}"
    assert len(sandbox.calls) == before
    gone = run(project, ANN, "{unused: [Status]}", code=2)
    assert 'load.contract.unused: the source has no column "Status"' in gone.json["error"]
    checked = project.command("check", "p.yaml")
    assert (checked.code, "load.contract.unused" in checked.stdout) == (2, True)


CARD = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ([CARD, "", "5555-5555-5555-4444"], 2),
        (["378282246310005", "x"], 0),  # half of them may be chance
        (["4242424242424241"], 0),  # no check digit
        (["1000000000000008"], 0),  # of no issuer
        (["+16502530000"], 0),
    ],
)
def test_a_column_of_card_numbers_is_not_sent(
    cells: list[str], code: int, project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.contacts(
        [{**ANN, "Email": f"p{number}@example.org", "Note": cell} for number, cell in enumerate(cells)]
    )
    project.pipeline(LOAD)
    for verb in ("check", "plan", "run"):
        done = project.command(verb, "p.yaml")
        assert done.code == code, done.stdout + done.stderr
        assert CARD not in done.stdout + done.stderr
    if code:
        assert 'load.custom_fields.note: the column "Note" holds card numbers' in done.stderr
        assert account.leads == {}
