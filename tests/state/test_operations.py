"""The part of the store that operations bring with them: one row per key, for good."""

from decimal import Decimal

import pytest

from connectors.kartra.commands import Lead
from pipelines.config.operations import Do
from pipelines.contacts.staged import Reject
from pipelines.errors import StateError
from pipelines.operations.journal import Count, Ended, OperationStore
from pipelines.operations.operation import Operation
from pipelines.state.store import Store
from tests.state.places import OpenStore


def refund(key: str, amount: str = "9.99") -> Operation:
    values = {"transaction": f"7{key}", "amount": amount}
    return Operation(key, Do.REFUND, Lead(email="ann@example.org"), values)


def sent(operations: OperationStore, *keys: str) -> None:
    for key in keys:
        lead = Lead(id="39260", email="ann@example.org")
        operations.intend(refund(key), lead, {"refunds": []}, Decimal("9.99"), row=2, run_id="run-1")


def test_an_operation_goes_from_its_intent_to_its_outcome(store: Store) -> None:
    operations = OperationStore(store)
    sent(operations, "1")
    (unsettled,) = operations.unsettled()
    assert (unsettled.operation, unsettled.lead.id, unsettled.amount) == (
        refund("1"),
        "39260",
        Decimal("9.99"),
    )
    assert operations.recorded(["1", "2"])["1"].outcome is None
    assert operations.held_places() == {refund("1").place}
    operations.settle(
        refund("1"), Ended("done", amount=Decimal("9.99"), refund_id="R1"), row=2, run_id="run-1"
    )
    known = operations.recorded(["1", "2"])
    assert (list(known), known["1"].outcome, known["1"].amount) == (["1"], "done", Decimal("9.99"))
    assert (operations.unsettled(), operations.held_places()) == ([], frozenset())
    assert operations.claimed(["R1", "R2"]) == {"R1"}


def test_a_key_that_has_an_outcome_is_never_sent_again(store: Store) -> None:
    operations = OperationStore(store)
    sent(operations, "1")
    sent(operations, "1")  # another try of what is unknown
    operations.settle(refund("1"), Ended("parked", None, "unproven"), row=2, run_id="run-1")
    with pytest.raises(StateError, match="nothing was sent"):
        sent(operations, "1")
    (journal,) = operations.journal("newsletter", "1")
    assert (journal.outcome, journal.attempts) == ("parked", 2)


def test_a_call_that_was_never_carried_out_leaves_no_trace(store: Store) -> None:
    operations = OperationStore(store)
    sent(operations, "1")
    operations.withdraw("1")
    assert (operations.unsettled(), operations.recorded(["1"])) == ([], {})


def test_what_waits_for_a_person_is_told_and_settled_by_a_word(store: Store, open_store: OpenStore) -> None:
    operations = OperationStore(store)
    sent(operations, "1", "2", "3")
    reject = Reject(3, 3, "rejected", "no such sale", type="260")
    operations.settle(refund("1"), Ended("parked", None, "unproven"), row=2, run_id="run-1")
    operations.settle(
        refund("2"), Ended("refused", "260", "no such sale"), row=3, run_id="run-1", reject=reject
    )
    assert [(one.key, one.kind, one.type) for one in operations.parked("newsletter")] == [
        ("1", "unproven", None),
        ("2", "refused", "260"),
    ]
    assert list(store.rejects.of_run("run-1")) == [reject]
    assert operations.counts("newsletter") == [
        Count("refund", "parked", 1),
        Count("refund", "refused", 1),
        Count("refund", "unknown", 1),
    ]
    with open_store(mode="test") as rehearsal:
        assert not OperationStore(rehearsal).resolve("1", landed=True)
    assert operations.resolve("1", landed=True)
    assert not operations.resolve("1", landed=False)
    assert operations.resolve("2", landed=False)
    assert not operations.resolve("3", landed=False)
    assert {key: known.outcome for key, known in operations.recorded(["1", "2", "3"]).items()} == {
        "1": "done",
        "3": None,
    }
