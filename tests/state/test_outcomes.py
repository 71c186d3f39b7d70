"""What became of each lead of a run, also of those that nothing is written of."""

from pipelines.contacts.staged import Reject
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import Outside
from tests.state.samples import digest_of, planned, snapshot_of, wish


def test_leads_that_a_run_has_no_row_of_are_those_known_before_it(store: Store, outside: Outside) -> None:
    """Ann and Bob are of run 1, of whom run 3 changes Bob and takes Ann off; Cleo is new in 2, Dan in 3."""
    for number, keys in (("1", ("ann", "bob")), ("2", ("cleo",)), ("3", ("bob", "dan", "ann"))):
        if number != "1":
            store.runs.begin(f"run-{number}", "newsletter")
        for entry in planned(store, *keys, run_id=f"run-{number}"):
            is_gone = (number, entry.key) == ("3", "ann")
            store.outbox.intend(entry, "{}", None)
            lead = wish(entry.key, city=f"city {number}")
            known = Acknowledged(snapshot_of(lead), "created", digest_of(lead), removed=is_gone)
            outcome = Outcome("removed" if is_gone else "edited", done="edit_lead")
            store.outbox.settle(entry, outcome, known, run_id=f"run-{number}")
    assert {number: _untouched(store, f"run-{number}") for number in "123"} == {
        "1": set(),
        "2": {("ann", 2), ("bob", 2)},
        "3": {("cleo", 1)},
    }
    store.runs.begin("run-4", "newsletter")
    store.staging.add([], [Reject(2, 2, "blocked", "no consent", key="cleo")], "run-4")
    assert _untouched(store, "run-4") == {("bob", 2), ("dan", 2)}
    # Once the journal of long ago has gone, what is known of a lead is told by when it changed last.
    outside("DELETE FROM outbox WHERE run_id IN ('run-1', 'run-2')")
    assert _untouched(store, "run-4") == {("bob", 2), ("dan", 2)}
    store.runs.begin("run-5", "newsletter", verb="retry")
    assert _untouched(store, "run-5") == set()


def _untouched(store: Store, run_id: str) -> set[tuple[str | None, int]]:
    return {(one.key, count) for one, count in store.outcomes.untouched(run_id)}
