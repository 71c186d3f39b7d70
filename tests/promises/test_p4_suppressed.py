"""P4: who said no somewhere else is not sent, whatever the source says; the most restrictive wins."""

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import LOAD, Project, contact

SUPPRESS = """
suppress:
  - {csv: unsubscribed.csv, email: Address}
  - {jsonl: bounced.jsonl, email: email}
"""


@pytest.fixture
def three(project: Project, sandbox: Sandbox) -> Project:
    """Three contacts; one of them unsubscribed elsewhere, and one bounced."""
    project.pipeline(LOAD + SUPPRESS)
    project.contacts([contact(number) for number in range(3)])
    (project.folder / "unsubscribed.csv").write_text(
        "Address,When\n LEAD1@Example.org ,2026\nnobody@example.org,2026\n,2026\n", encoding="utf-8"
    )
    (project.folder / "bounced.jsonl").write_text('{"email": "lead2@example.org"}\n', encoding="utf-8")
    return project


def test_p4_who_is_on_a_suppression_list_is_never_sent_and_is_listed(
    three: Project, account: Account
) -> None:
    planned = three.command("plan", "p.yaml", "--json").json
    assert (planned["rows"]["blocked"], planned["leads"]["created"]) == (2, 1)
    done = three.run()
    assert (done.code, done.json["rows"]["blocked"], done.json["leads"]["created"]) == (0, 2, 1)
    assert [lead.email for lead in account.leads.values()] == ["lead0@example.org"]
    rejects = three.command("rejects", "p.yaml", "--json").json["rejects"]
    assert [(one["row"], one["kind"], one["reason"]) for one in rejects] == [
        (3, "blocked", "suppressed by unsubscribed.csv"),
        (4, "blocked", "suppressed by bounced.jsonl"),
    ]
    explained = three.command("explain", "p.yaml", "lead1@example.org", "--json").json
    assert explained["blocked"] == "suppressed by unsubscribed.csv"


def test_p4_a_lead_that_is_suppressed_later_is_left_alone(three: Project, account: Account) -> None:
    (three.folder / "bounced.jsonl").write_text('{"email": "x@example.org"}\n', encoding="utf-8")
    assert three.run().json["leads"]["created"] == 2
    lead = account.lead("lead2@example.org")
    assert lead is not None
    (three.folder / "bounced.jsonl").write_text('{"email": "lead2@example.org"}\n', encoding="utf-8")
    three.contacts([contact(0), contact(1), contact(2, City="Rome")])
    done = three.run()
    assert (done.json["rows"]["blocked"], done.json["calls"]["sent"]) == (2, 0)
    assert lead.fields["city"] == "Leeds"


@pytest.mark.parametrize("duplicates", ["last", "first", "merge"])
def test_p4_one_suppressed_record_blocks_all_of_the_person(
    duplicates: str, three: Project, account: Account
) -> None:
    three.pipeline(f"{LOAD}{SUPPRESS}\nduplicates: {duplicates}")
    three.contacts([contact(1), contact(0), contact(1, City="Rome")])
    assert three.run().json["leads"]["created"] == 1
    assert account.lead("lead1@example.org") is None


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("Address,When\nlead1@example.org,2026,more,cells\n", 1, "row 2 (line 2) cannot be read"),
        ("Mail,When\nlead1@example.org,2026\n", 2, 'the source has no column "Address"'),
        (
            "Address,When\nlead1@example.org,2026\nLead Two,2026\n",
            1,
            'row 3 (line 3) cannot be read: no e-mail address in the column "Address"',
        ),
        (
            "Address,When\nlead1@example.org; lead2@@example.org,2026\n",
            1,
            "row 2 (line 2) cannot be read: an e-mail address that cannot be read in",
        ),
        (None, 1, "unsubscribed.csv was not found"),
    ],
)
def test_p4_nothing_is_sent_where_a_suppression_list_cannot_be_read(
    text: str | None, code: int, message: str, three: Project, sandbox: Sandbox
) -> None:
    path = three.folder / "unsubscribed.csv"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    done = three.run()
    assert (done.code, message in done.json["message"]) == (code, True), done.stdout
    assert [call for call in sandbox.calls if "create_lead" in call.commands] == []
    if text is not None and "Mail" in text:
        assert three.command("check", "p.yaml").code == 2


def test_p4_addresses_of_a_suppression_list_count_however_they_are_written(
    three: Project, account: Account
) -> None:
    written = (
        "P0 Person <p0@example.org>",
        "mailto:p1@example.org",
        "p2@example.org; q@example.org",
        "'p3@example.org",
        "p4@example.org.",
        "\u200bp5@example.org",
        "P6@Example.ORG ",
        "=p7@example.org",
    )
    (three.folder / "unsubscribed.csv").write_text("\n".join(["Address", *written]) + "\n", encoding="utf-8")
    three.contacts([contact(number, Email=f"p{number}@example.org") for number in range(9)])
    done = three.run()
    assert (done.code, done.json["rows"]["blocked"]) == (0, 8)
    assert [lead.email for lead in account.leads.values()] == ["p8@example.org"]
