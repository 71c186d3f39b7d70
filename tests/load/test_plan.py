"""A plan of many new leads, decided by what they have in common, says what each decided by itself would."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.profile import CustomFieldDefinition
from connectors.sources.files.csv_file import open_csv
from pipelines.changes.diff import theirs
from pipelines.changes.inventory import Inventory, needs_inventory
from pipelines.contacts.lead import DesiredLead, digest, shape
from pipelines.contacts.staged import Staged
from pipelines.extract.stage import stage
from pipelines.load.account_names import Shortfall
from pipelines.load.custom_fields import creatable_fields
from pipelines.load.decisions import decide
from pipelines.load.plan import make_plan
from pipelines.state.staging import Difference
from pipelines.state.store import Store
from pipelines.summary import Summary
from tests.contacts.strategies import load_config, whole_leads

INVENTORIES = [
    Inventory(),
    Inventory(
        tags=frozenset({"VIP", "Blog"}),
        lists=frozenset({"VIP", "Été"}),
        sequences=frozenset({"Blog"}),
        custom_fields={
            "note": CustomFieldDefinition("note", "input_field", {}),
            "fruits": CustomFieldDefinition("fruits", "checkbox", {"apple": "1", "plum": "2"}),
            "size": CustomFieldDefinition("size", "drop_down", {"Lyon": "3"}),
        },
    ),
]
CHANGES: list[dict[str, Any]] = [
    {},
    {"sync_mode": "update_only"},
    {
        "custom_fields": {
            "size": {"column": "Size", "create": {"type": "drop_down", "options": "from_source"}}
        }
    },
    {"custom_fields": {"fruits": "F", "note": "N"}, "create_custom_fields": True},
]


def staged(row: int, lead: DesiredLead) -> Staged:
    wish = lead.to_json()
    return Staged(row, row, f"key {row}", row, digest(wish), wish, None, "{}", digest(wish), shape(lead))


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: ", ".join(changes) or "plain")
@given(leads=st.lists(whole_leads, max_size=12), inventory=st.sampled_from(INVENTORIES))
def test_new_leads_of_one_shape_are_planned_as_each_by_itself(
    changes: dict[str, Any], leads: list[DesiredLead], inventory: Inventory
) -> None:
    load = load_config(**changes)
    records = [staged(row, lead) for row, lead in enumerate(leads, start=2)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "state.db") as store:
        store.scope.enter("newsletter", "account", "live")
        store.runs.begin("run-1", "newsletter")
        store.staging.begin()
        store.staging.add(records, [], "run-1")
        store.staging.end()
        store.staging.settle([], "run-1")
        shortfall = Shortfall(lambda: inventory, lambda: inventory, creatable_fields(load))
        plan = make_plan(store, load, shortfall, Summary(), run_id="run-1")
        entries = [(one.key, one.row, one.digest, one.desired) for one in store.outbox.planned()]
    alone = Shortfall(lambda: inventory, lambda: inventory, creatable_fields(load))
    actions: Counter[str] = Counter()
    calls = 0
    asks = False
    for record, lead in zip(records, leads, strict=True):
        difference = Difference(
            record.row, record.line, record.key, record.digest, lead, None, None, False, None
        )
        decision = decide(difference, load)
        alone.check(decision.change, theirs(lead, None))
        actions.update(decision.change.commands)
        calls += decision.calls
        asks = asks or needs_inventory(decision.change) or bool(theirs(lead, None))
    if alone.new_fields:
        actions["create_custom_field"] = len(alone.new_fields)
    assert (plan.created + plan.edited, plan.calls, plan.actions) == (len(leads), calls, actions)
    assert (plan.missing, plan.new_fields, plan.needs_names) == (alone.leads, alone.new_fields, asks)
    assert entries == [(one.key, one.row, one.digest, DesiredLead.from_json(one.wish)) for one in records]


@given(lead=whole_leads, email=st.just("cleo@example.org"), city=st.sampled_from(["", "Rome"]))
def test_leads_are_of_one_shape_whoever_they_are_and_whatever_stands_in_their_fields(
    lead: DesiredLead, email: str, city: str
) -> None:
    other = replace(
        lead,
        email=email,
        fields={"city": city},
        custom_fields={name: "another" if value else "" for name, value in lead.custom_fields.items()},
    )
    assert shape(other) == shape(lead)
    assert shape(replace(lead, tags=(*lead.tags, "one more"))) != shape(lead)
    assert shape(replace(lead, custom_fields={**lead.custom_fields, "one more": "x"})) != shape(lead)


def test_a_merged_lead_is_planned_with_all_that_its_records_ask_for(tmp_path: Path) -> None:
    text = "Email,Tags\nann@example.org,Blog\nann@example.org,VIP\nbob@example.org,VIP\n"
    (tmp_path / "contacts.csv").write_text(text, encoding="utf-8")
    load = load_config(fields={"email": "Email"}, tags=[{"column": "Tags", "split": ";"}], duplicates="merge")
    known = Inventory(tags=frozenset({"Blog", "VIP"}))
    with Store(None) as store:
        summary = Summary()
        stage(open_csv(tmp_path / "contacts.csv"), load, store, summary, run_id=None)
        plan = make_plan(store, load, Shortfall(lambda: known, lambda: known), summary, run_id=None)
    assert plan.actions == {"create_lead": 2, "assign_tag": 3}
    assert plan.triggered == {'tag "Blog"': 1, 'tag "VIP"': 2}
