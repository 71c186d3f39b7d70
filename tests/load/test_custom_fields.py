"""Custom fields that a load may create: what is asked of Kartra, and what it answers."""

from collections.abc import Mapping

import pytest

from connectors.errors import ConfigError, RetryableApiError
from connectors.kartra.client import KartraClient
from connectors.kartra.profile import CustomFieldDefinition
from connectors.kartra.sandbox import Account, CustomField, Faults, Sandbox
from connectors.kartra.sender import Sender
from pipelines.config.custom_fields import MOST_OPTIONS, NewField
from pipelines.contacts.lead import CustomValue
from pipelines.load.custom_fields import FieldDraft, FieldToCreate, creatable_fields, create_fields
from tests.contacts.strategies import load_config

SHOE = FieldToCreate("shoe", "drop_down", ("S", "M"))


def listed(client: Sender) -> Mapping[str, CustomFieldDefinition]:
    return {known.identifier: known for known in KartraClient(client).retrieve_custom_fields()}


def create(client: Sender, *fields: FieldToCreate) -> list[FieldToCreate]:
    return create_fields(fields, client, lambda: listed(client), settle_s=0.1)


def drafted(asked: NewField, *values: CustomValue) -> FieldDraft:
    draft = FieldDraft("shoe", asked)
    for value in values:
        draft.add(value)
    return draft


def test_a_mapping_says_which_fields_may_be_created() -> None:
    fields = {
        "shoe": {"column": "Shoe", "create": {"type": "drop_down", "options": ["S", "M"]}},
        "bio": {"column": "Bio", "create": "text_area"},
        "own": {"column": "Own", "create": False},
        "note": "Note",
    }
    named = {
        "shoe": NewField(type="drop_down", options=("S", "M")),
        "bio": NewField(type="text_area"),
    }
    assert creatable_fields(load_config(custom_fields=fields)) == named
    every = load_config(custom_fields=fields, create_custom_fields=True)
    assert creatable_fields(every) == {**named, "note": NewField()}
    assert creatable_fields(load_config(custom_fields={"note": "Note"})) == {}


@pytest.mark.parametrize(
    ("asked", "values", "field"),
    [
        (NewField(), ["one line", ""], FieldToCreate("shoe", "input_field")),
        (NewField(), ["one line", "two\nlines"], FieldToCreate("shoe", "text_area")),
        (NewField(), ["x" * 256], FieldToCreate("shoe", "text_area")),
        (NewField(type="input_field"), ["two\nlines"], FieldToCreate("shoe", "input_field")),
        (NewField(type="drop_down", options=("S", "M")), ["M"], SHOE),
        (
            NewField(type="checkbox", options="from_source"),
            [("red", "Blue"), "blue", ("green",)],
            FieldToCreate("shoe", "checkbox", ("red", "Blue", "green")),
        ),
    ],
    ids=["a line", "lines", "a long line", "told", "told options", "options of the source"],
)
def test_values_make_the_field(asked: NewField, values: list[CustomValue], field: FieldToCreate) -> None:
    draft = drafted(asked, *values)
    assert (draft.field, draft.fault, draft.lead_count) == (field, None, len(values))


def test_options_of_the_source_that_kartra_would_not_take_are_told() -> None:
    from_source = NewField(type="radio_button", options="from_source")
    assert drafted(from_source, "S", "s").fault == (
        "a radio_button takes two options or more, the source has 1"
    )
    many = drafted(from_source, *map(str, range(MOST_OPTIONS + 50)))
    assert many.fault == f"the source has more than {MOST_OPTIONS} options; is it a text?"


def test_fields_are_created_with_their_type_and_options(client: Sender, account: Account) -> None:
    bio = FieldToCreate("bio", "text_area")
    assert create(client, SHOE, bio) == [SHOE, bio]
    made = account.custom_fields[-2:]
    assert [(one.identifier, one.type, list(one.options.values())) for one in made] == [
        ("shoe", "drop_down", ["S", "M"]),
        ("bio", "text_area", []),
    ]


def test_a_field_whose_answer_is_lost_is_made_once(
    client: Sender, account: Account, sandbox: Sandbox
) -> None:
    lost = Faults(cut_after=1.0, commands=frozenset({"create_custom_field"}), to_call=2)
    sandbox.set_faults(lost)
    assert create(client, SHOE) == []  # the third try is refused, 264: it is there
    assert [one.identifier for one in account.custom_fields].count("shoe") == 1


def test_a_field_that_somebody_made_meanwhile_counts_if_it_is_the_same(
    client: Sender, account: Account
) -> None:
    account.custom_fields.append(CustomField("9", "shoe", "drop_down", {"1": "M", "2": "s", "3": "XL"}))
    assert create(client, SHOE) == []


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            CustomField("9", "shoe", "input_field"),
            'custom field "shoe" was made meanwhile, as input_field and not as drop_down: no lead was sent',
        ),
        (
            CustomField("9", "shoe", "drop_down", {"1": "S", "2": "XL"}),
            'custom field "shoe" was made meanwhile, without the option "M": no lead was sent.'
            " Add it in Kartra",
        ),
    ],
    ids=["another type", "other options"],
)
def test_a_field_that_somebody_made_otherwise_stops_the_run(
    client: Sender, account: Account, made: CustomField, told: str
) -> None:
    account.custom_fields.append(made)
    with pytest.raises(ConfigError) as refusal:
        create(client, SHOE)
    assert str(refusal.value) == told


def test_a_name_that_kartra_keeps_for_itself_is_told(client: Sender) -> None:
    with pytest.raises(ConfigError) as refusal:
        create(client, FieldToCreate("city", "input_field"))
    assert str(refusal.value).startswith('Kartra makes no custom field "city": the name is taken or reserved')


def test_a_field_that_kartra_does_not_list_yet_is_waited_for_and_then_left_to_the_next_run(
    client: Sender,
) -> None:
    looks = 0

    def late() -> Mapping[str, CustomFieldDefinition]:
        nonlocal looks
        looks += 1
        return listed(client) if looks > 1 else {}

    assert create_fields([SHOE], client, late, settle_s=5) == [SHOE]
    with pytest.raises(RetryableApiError, match="was created, and Kartra does not list it yet"):
        create_fields([FieldToCreate("bio", "text_area")], client, dict, settle_s=0.1)
