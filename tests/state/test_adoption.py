"""What the state keeps of leads that are taken over, and what of a lead fits into a file for the import."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.changes.diff import apply_change, created_lead, diff_lead
from pipelines.contacts.lead import DesiredLead, Snapshot, digest
from pipelines.contacts.staged import Staged
from pipelines.contacts.wishes import OnceOnly
from pipelines.state.store import Store
from pipelines.verbs.export_import import Column, columns_of, for_known, misfit
from tests.contacts.strategies import load_config, whole_leads

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


def adopted(wishes: list[DesiredLead], owed: frozenset[OnceOnly]) -> list[tuple[Snapshot, bytes]]:
    """The snapshots and digests after these were staged and taken over."""
    with Store(None) as store:
        store.scope.enter("newsletter", "account", "live")
        store.staging.begin()
        texts = [wish.to_json() for wish in wishes]
        records = [
            Staged(row, row, str(row), row, digest(text), text, None, "{}", digest(text), b"")
            for row, text in enumerate(texts, start=2)
        ]
        store.staging.add(records, [], None)
        store.staging.end()
        store.staging.settle([], None)
        assert store.adoption.decide(by_address=True, only_imported=False) == {"new": len(wishes)}
        assert sum(store.adoption.take_over(owed)) == len(wishes)
        known = [store.leads.get(record.key) for record in records]
    return [(lead.snapshot, lead.digest) for lead in known if lead is not None]


@settings(max_examples=10)
@given(
    wishes=st.lists(whole_leads, min_size=20, max_size=20),
    owed=st.frozensets(st.sampled_from(["sequences", "points", "calendars"])),
)
def test_of_a_lead_that_was_taken_over_exactly_what_is_owed_is_sent(
    wishes: list[DesiredLead], owed: frozenset[OnceOnly]
) -> None:
    for desired, (snapshot, known) in zip(wishes, adopted(wishes, owed), strict=True):
        created = diff_lead(desired, None)
        done = [step.effect[0] not in owed for step in created.steps]
        acknowledged = apply_change(created_lead(desired), created, [True, *done])
        change = diff_lead(desired, snapshot)
        assert change == diff_lead(desired, acknowledged)
        assert (known == b"") == bool(change)
        assert (snapshot.tags, snapshot.lists) == (frozenset(desired.tags), frozenset(desired.lists))


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
