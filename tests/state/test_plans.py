"""Plans that are kept, and when one counts as applied."""

from datetime import UTC, datetime

from pipelines.state.outbox import Outcome
from pipelines.state.plans import SavedPlan
from pipelines.state.store import Store
from tests.state.samples import planned


def test_a_plan_with_a_call_that_has_no_outcome_is_not_applied_yet(store: Store) -> None:
    """Of a run that was killed: another one sends the rest, and cannot read that lead back."""
    made_at = datetime(2026, 11, 1, tzinfo=UTC)
    plan = SavedPlan("p", "newsletter", "", "live", made_at, "ann@host", None, {}, {}, "saved", None, None)
    store.plans.save(plan, [])
    store.plans.begin("p", "run-1", "ann@host")
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.runs.begin("run-2", "newsletter")
    store.plans.begin("p", "run-2", "ann@host")
    store.plans.finish("p")
    assert _state(store) == "applying"
    store.outbox.settle(entry, Outcome("created", done="create_lead"), None, run_id="run-1")
    store.plans.finish("p")
    assert _state(store) == "applied"


def _state(store: Store) -> str:
    plan = store.plans.get("p")
    assert plan is not None
    return plan.state
