"""What the state keeps of leads that are taken over."""

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.changes.diff import apply_change, created_lead, diff_lead
from pipelines.contacts.lead import DesiredLead, Snapshot, digest
from pipelines.contacts.staged import Staged
from pipelines.contacts.wishes import OnceOnly
from tests.contacts.strategies import whole_leads
from tests.state.places import OpenStore

examples = count()


def adopted(
    open_store: OpenStore, wishes: list[DesiredLead], owed: frozenset[OnceOnly]
) -> list[tuple[Snapshot, bytes]]:
    """The snapshots and digests after these were staged and taken over, in a scope of their own."""
    with open_store(account=f"of example {next(examples)}") as store:
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


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wishes=st.lists(whole_leads, min_size=20, max_size=20),
    owed=st.frozensets(st.sampled_from(["sequences", "points", "calendars"])),
)
def test_of_a_lead_that_was_taken_over_exactly_what_is_owed_is_sent(
    open_store: OpenStore, wishes: list[DesiredLead], owed: frozenset[OnceOnly]
) -> None:
    for desired, (snapshot, known) in zip(wishes, adopted(open_store, wishes, owed), strict=True):
        created = diff_lead(desired, None)
        done = [step.effect[0] not in owed for step in created.steps]
        acknowledged = apply_change(created_lead(desired), created, [True, *done])
        change = diff_lead(desired, snapshot)
        assert change == diff_lead(desired, acknowledged)
        assert (known == b"") == bool(change)
        assert (snapshot.tags, snapshot.lists) == (frozenset(desired.tags), frozenset(desired.lists))
