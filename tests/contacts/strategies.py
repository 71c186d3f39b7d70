"""What the tests of the parts share: a load section, and leads as Hypothesis draws them."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pipelines.changes.diff import Change
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import CalendarClass, CustomValue, DesiredLead, Points, Snapshot
from pipelines.contacts.wishes import Step, wanted

ADDRESSES = ("ann@example.org", "bob@example.org")
NAMES = ("VIP", "Blog", "Été", "a;b")


def load_config(**changes: Any) -> LoadConfig:
    """The load section of a pipeline file; a change replaces a whole key."""
    section = {
        "source": {"csv": "contacts.csv"},
        "key": "email",
        "fields": {"email": "Email", "city": "City"},
        "consent": {"attested": "sign-up form, 2025"},
    }
    return LoadConfig.model_validate({**section, **changes})


names = st.sampled_from(NAMES)
texts = st.sampled_from(["", "Lyon", "Leeds", "Kraków"])
labels = st.lists(st.sampled_from(["apple", "pear", "plum"]), unique=True, min_size=1).map(tuple)
fields = st.dictionaries(st.sampled_from(["city", "first_name", "zip"]), texts)
custom_fields: st.SearchStrategy[dict[str, CustomValue]] = st.fixed_dictionaries(
    {}, optional={"note": texts, "fruits": labels | st.just(""), "size": texts}
)
some_names = st.lists(names, unique=True).map(tuple)
sequences = st.lists(
    st.tuples(names, st.sampled_from(["1", "2"])), unique_by=lambda sequence: sequence[0]
).map(tuple)

desired_leads = st.builds(
    DesiredLead,
    email=st.sampled_from(ADDRESSES),
    fields=fields,
    custom_fields=custom_fields,
    tags=some_names,
    lists=some_names,
    sequences=sequences,
    silent=st.frozensets(st.sampled_from(["tags", "lists"])),
)
snapshots = st.builds(
    Snapshot,
    email=st.sampled_from(ADDRESSES),
    lead_id=st.none() | st.just("39260"),
    fields=fields,
    custom_fields=custom_fields,
    tags=st.frozensets(names),
    lists=st.frozensets(names),
    sequences=st.frozensets(names),
    kept=st.frozensets(
        st.tuples(st.just("fields"), st.sampled_from(["city", "zip"]))
        | st.tuples(st.just("custom_fields"), st.sampled_from(["note", "fruits"]))
        | st.tuples(st.sampled_from(["tags", "lists"]), names)
    ),
)
points = st.none() | st.builds(Points, st.integers(0, 50), st.sampled_from([0, 30]))
classes = st.lists(
    st.builds(CalendarClass, names, st.just("Tuesday"), st.sampled_from(["", "2030-01-16 18:00"])),
    unique_by=lambda one: one.calendar,
).map(tuple)
class_labels = st.frozensets(names.map("{}: Tuesday".format))
unwanted = st.frozensets(st.tuples(st.sampled_from(["tags", "lists", "sequences"]), names), max_size=5)


def wishes_gone(lead: DesiredLead, unwanted: frozenset[tuple[str, str]]) -> DesiredLead:
    """With what it wants gone, less what it asks for: no record of a mapping wants both."""
    return replace(lead, unwanted=unwanted - wanted(lead))


desired_leads = st.builds(wishes_gone, desired_leads, unwanted=st.just(frozenset()) | unwanted)
whole_leads = st.builds(
    lambda lead, **more: replace(lead, **more), desired_leads, points=points, calendars=classes
)
"""With what a profile cannot always prove."""
whole_snapshots = st.builds(
    lambda snapshot, **more: replace(snapshot, **more),
    snapshots,
    points=st.integers(0, 50),
    calendars=class_labels,
    taken=st.frozensets(names),
    unproven=st.frozensets(
        st.tuples(st.just("sequences"), names)
        | st.tuples(st.just("calendars"), names.map("{}: Tuesday".format))
        | st.tuples(st.just("points"), st.sampled_from(["+10", "-5"]))
    ),
    unwanted=unwanted,
)
any_text = st.text(max_size=20)
steps = st.one_of(
    st.builds(
        Step,
        st.sampled_from(
            [
                *("assign_tag", "unassign_tag", "subscribe_lead_to_list", "unsubscribe_lead_from_list"),
                "unsubscribe_lead_from_sequence",
            ]
        ),
        any_text,
        st.none(),
    ),
    st.builds(Step, st.just("subscribe_lead_to_sequence_at_step"), any_text, st.sampled_from(["1", "2"])),
    st.builds(Step, st.just("give_points_to_lead"), st.just("10"), st.sampled_from(["0", "30"])),
    st.builds(Step, st.just("calendar_subscribe"), any_text, any_text, st.none() | any_text),
)
changes = st.builds(
    Change,
    create=st.booleans(),
    email=st.none() | any_text,
    fields=st.dictionaries(any_text, any_text, max_size=3),
    custom_fields=st.dictionaries(any_text, any_text | st.lists(any_text, max_size=3).map(tuple), max_size=3),
    steps=st.lists(steps, max_size=4).map(tuple),
    score=st.none() | st.integers(0, 100),
)
