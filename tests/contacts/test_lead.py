"""Leads as JSON and as a digest: what the state keeps must read the same in ten years."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contacts.lead import DesiredLead, Snapshot, digest
from tests.contacts.strategies import any_text, custom_fields, fields, whole_leads, whole_snapshots

BARE = DesiredLead("ann@example.org")
FULL = DesiredLead(
    email="ann@example.org",
    fields={"first_name": "Ann", "city": "Kraków", "zip": ""},
    custom_fields={"note": 'she said "hi"\n', "fruits": ("plum", "apple"), "size": ""},
    tags=("VIP", "Blog"),
    lists=("News",),
    sequences=(("Onboarding", "1"), ("Course", "2")),
    silent=frozenset({"tags", "lists"}),
)
OTHER_SCRIPT = DesiredLead("jörg@xn--mller-kva.de", fields={"last_name": "Müller 🎉", "city": "東京"})
WITHOUT = DesiredLead("ann@example.org", unwanted=frozenset({("tags", "VIP"), ("lists", "News")}))

FULL_JSON = (
    '{"custom_fields":{"fruits":["plum","apple"],"note":"she said \\"hi\\"\\n","size":""},'
    '"email":"ann@example.org","fields":{"city":"Kraków","first_name":"Ann","zip":""},'
    '"lists":["News"],"sequences":[["Course","2"],["Onboarding","1"]],"silent":["lists","tags"],'
    '"tags":["Blog","VIP"]}'
)


@pytest.mark.parametrize(
    ("lead", "golden"),
    [
        (BARE, "9f0ec2f33108dd71763e27bc995757ee"),
        (FULL, "afb11f79ba032fcf0b24cd8fef29c968"),
        (OTHER_SCRIPT, "9574a430dba83ffd13767f7411c69b9d"),
        (WITHOUT, "62b20c77dc40246931ffb3519d355745"),
    ],
    ids=["bare", "full", "other script", "with what is to be gone"],
)
def test_the_digest_of_a_lead_never_changes(lead: DesiredLead, golden: str) -> None:
    # A release that changes these sends every lead of every user again.
    assert digest(lead.to_json()).hex() == golden


def test_the_byte_form_of_a_lead_never_changes() -> None:
    assert FULL.to_json() == FULL_JSON
    assert WITHOUT.to_json().startswith('{"custom_fields":{},"email":"ann@example.org"')
    assert WITHOUT.to_json().endswith('"unwanted":[["lists","News"],["tags","VIP"]]}')


@settings(max_examples=50)
@given(lead=whole_leads, order=st.randoms(use_true_random=False))
def test_the_order_in_which_a_lead_was_put_together_does_not_count(lead: DesiredLead, order) -> None:
    shuffled = replace(
        lead,
        fields=dict(order.sample(list(lead.fields.items()), len(lead.fields))),
        custom_fields=dict(order.sample(list(lead.custom_fields.items()), len(lead.custom_fields))),
        tags=tuple(order.sample(lead.tags, len(lead.tags))),
        lists=tuple(order.sample(lead.lists, len(lead.lists))),
        sequences=tuple(order.sample(lead.sequences, len(lead.sequences))),
    )
    assert shuffled.to_json() == lead.to_json()


@given(one=whole_leads, other=whole_leads)
def test_two_leads_have_one_digest_only_if_they_ask_for_the_same(
    one: DesiredLead, other: DesiredLead
) -> None:
    same = digest(one.to_json()) == digest(other.to_json())
    assert same == (in_order(one) == in_order(other))


@given(lead=whole_leads)
def test_a_desired_lead_comes_back_from_its_json(lead: DesiredLead) -> None:
    assert DesiredLead.from_json(lead.to_json()) == in_order(lead)


@given(
    email=any_text,
    more_fields=st.dictionaries(any_text, any_text),
    more_custom_fields=st.dictionaries(any_text, any_text | st.lists(any_text).map(tuple)),
    names=st.frozensets(any_text),
)
def test_any_text_comes_back_from_its_json(email, more_fields, more_custom_fields, names) -> None:
    lead = DesiredLead(email, more_fields, more_custom_fields, tags=tuple(sorted(names)))
    snapshot = Snapshot(email, "1", more_fields, more_custom_fields, tags=names)
    assert DesiredLead.from_json(lead.to_json()) == lead
    assert Snapshot.from_json(snapshot.to_json(), lead_id="1") == snapshot
    assert len(digest(lead.to_json())) == 16


@given(snapshot=whole_snapshots)
def test_a_snapshot_comes_back_from_its_json_and_its_id(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json(), lead_id=snapshot.lead_id) == snapshot


@given(snapshot=whole_snapshots, field=fields, custom_field=custom_fields)
def test_a_snapshot_of_the_same_content_has_the_same_json(snapshot, field, custom_field) -> None:
    one = replace(snapshot, fields=field, custom_fields=custom_field)
    other = replace(
        snapshot,
        fields=dict(reversed(field.items())),
        custom_fields=dict(reversed(custom_field.items())),
    )
    assert one.to_json() == other.to_json()


def in_order(lead: DesiredLead) -> DesiredLead:
    """Names have no order: they are kept sorted."""
    return replace(
        lead,
        tags=tuple(sorted(lead.tags)),
        lists=tuple(sorted(lead.lists)),
        sequences=tuple(sorted(lead.sequences)),
        calendars=tuple(sorted(lead.calendars, key=astuple)),
    )
