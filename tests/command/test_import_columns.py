"""What of a lead fits into a file for Kartra's own import."""

import pytest

from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.verbs.export_import import Column, columns_of, for_known, misfit
from tests.contacts.strategies import load_config

ANN = DesiredLead(
    "ann@example.org",
    fields={"city": "Lyon", "zip": ""},
    custom_fields={"note": "a;b", "fruits": ("apple", "pear")},
    tags=("VIP", "Été 2024"),
    lists=("News",),
)
COLUMNS = columns_of(
    load_config(
        fields={"email": "Email", "city": "City", "zip": "Zip"},
        custom_fields={"note": "Note", "fruits": {"column": "Fruits", "split": ";"}},
        tags=["VIP"],
        lists=["News"],
    )
)


def test_a_cell_is_what_the_import_reads() -> None:
    assert [(column.header, column.cell(ANN)) for column in COLUMNS] == [
        ("email", "ann@example.org"),
        ("city", "Lyon"),
        ("zip", ""),
        ("note", "a;b"),
        ("fruits", "apple;pear"),
        ("tags", "VIP;Été 2024"),
        ("lists", "News"),
    ]
    assert misfit(ANN, COLUMNS) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            DesiredLead("a@example.org", tags=("VIP-2024",)),
            '"VIP-2024": the import takes names of letters, digits and spaces',
        ),
        (
            DesiredLead("a@example.org", lists=(" News",)),
            '" News": the import takes names of letters, digits and spaces',
        ),
        (
            DesiredLead("a@example.org", fields={"city": "é" * 256}),
            "city: 256 characters, and the import takes 255",
        ),
        (
            DesiredLead("a@example.org", tags=("a" * 200, "b" * 200)),
            "tags: 401 characters, and the import takes 255",
        ),
        (
            DesiredLead("a@example.org", custom_fields={"fruits": ("a;b",)}),
            "fruits: an option holds a semicolon, which the import takes for the end of it",
        ),
        (DesiredLead("a@example.org", fields={"city": "é" * 255}, tags=("a" * 255,)), None),
    ],
)
def test_what_the_import_would_cut_or_refuse_does_not_fit(changed: DesiredLead, reason: str | None) -> None:
    assert misfit(changed, (*COLUMNS, Column("fields", "city"))) == reason


def test_of_a_lead_that_kartra_has_no_tag_and_no_list_is_written_and_nothing_it_kept() -> None:
    known = Snapshot("ann@example.org", kept=frozenset({("fields", "city"), ("custom_fields", "note")}))
    assert for_known(ANN, known) == DesiredLead(
        "ann@example.org", fields={"zip": ""}, custom_fields={"fruits": ("apple", "pear")}
    )
