from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra import commands
from connectors.kartra.commands import LEAD_FIELDS, Action, Call, CustomFieldValue, Lead
from connectors.kartra.wire import MAX_FORM_FIELDS, Credentials, encode_call

CREDENTIALS = Credentials("APPID", "KEY", "PASS")
CREDENTIAL_PAIRS = [("app_id", "APPID"), ("api_key", "KEY"), ("api_password", "PASS")]

# §1.3, to the byte
EXAMPLE = (
    "app_id=APPID&api_key=KEY&api_password=PASS&lead%5Bemail%5D=jo%2B1%40example.com&lead%5Bfirst_name%5D=Jo"
    "&lead%5Bcustom_fields%5D%5B0%5D%5Bfield_identifier%5D=note"
    "&lead%5Bcustom_fields%5D%5B0%5D%5Bfield_value%5D=two+words"
    "&lead%5Bcustom_fields%5D%5B1%5D%5Bfield_identifier%5D=size"
    "&lead%5Bcustom_fields%5D%5B1%5D%5Bfield_value%5D=612"
    "&lead%5Bcustom_fields%5D%5B2%5D%5Bfield_identifier%5D=fruits"
    "&lead%5Bcustom_fields%5D%5B2%5D%5Bfield_value%5D%5B0%5D=1"
    "&lead%5Bcustom_fields%5D%5B2%5D%5Bfield_value%5D%5B1%5D=2"
    "&lead%5Bcustom_fields%5D%5B3%5D%5Bfield_identifier%5D=old"
    "&lead%5Bcustom_fields%5D%5B3%5D%5Bfield_value%5D="
    "&actions%5B0%5D%5Bcmd%5D=create_lead&actions%5B1%5D%5Bcmd%5D=assign_tag"
    "&actions%5B1%5D%5Btag_name%5D=VIP+%26+co"
)


def pairs(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(encode_call(CREDENTIALS, call), keep_blank_values=True)[len(CREDENTIAL_PAIRS) :]


def test_the_example_of_the_manual_is_met_byte_for_byte():
    lead = Lead(
        email="jo+1@example.com",
        fields={"first_name": "Jo"},
        custom_fields=(
            CustomFieldValue("note", "two words"),
            CustomFieldValue("size", 612),
            CustomFieldValue("fruits", (1, 2)),
            CustomFieldValue("old", ""),
        ),
    )
    call = Call((commands.create_lead(), commands.assign_tag("VIP & co")), lead)
    assert encode_call(CREDENTIALS, call) == EXAMPLE


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (commands.get_lead(email="jo@example.com"), [("get_lead[email]", "jo@example.com")]),
        (commands.get_lead(id="39260"), [("get_lead[id]", "39260")]),
        (
            Call((commands.create_custom_field("eyes", "drop_down", ["blue", "brown"]),)),
            [
                ("actions[0][cmd]", "create_custom_field"),
                ("actions[0][custom_field_identifier]", "eyes"),
                ("actions[0][custom_field_type]", "drop_down"),
                ("actions[0][custom_field_options][0][option_name]", "blue"),
                ("actions[0][custom_field_options][1][option_name]", "brown"),
            ],
        ),
        (
            Call(
                (commands.edit_lead(),),
                Lead(id="7", new_email="b@example.com", fields={"zip": "", "city": "Ulm"}),
            ),
            [
                ("lead[id]", "7"),
                ("lead[new_email]", "b@example.com"),
                ("lead[zip]", ""),
                ("lead[city]", "Ulm"),
                ("actions[0][cmd]", "edit_lead"),
            ],
        ),
        (
            Call((commands.refund_transaction(738474, Decimal("1E+2")),)),
            [
                ("actions[0][cmd]", "refund_transaction"),
                ("actions[0][transaction_id]", "738474"),
                ("actions[0][refund_amount]", "100"),
            ],
        ),
        (
            Call((commands.edit_subscription(1, amount=Decimal("22.00")),)),
            [
                ("actions[0][cmd]", "edit_subscription"),
                ("actions[0][subscription_id]", "1"),
                ("actions[0][subscription_amount]", "22.00"),
            ],
        ),
    ],
)
def test_a_call_becomes_these_fields_in_this_order(call, expected):
    assert pairs(call) == expected


def test_an_empty_list_sends_nothing_as_in_php():
    call = Call(
        (Action("create_custom_field", {"custom_field_options": [], "custom_field_type": "checkbox"}),)
    )
    assert pairs(call) == [
        ("actions[0][cmd]", "create_custom_field"),
        ("actions[0][custom_field_type]", "checkbox"),
    ]


def test_php_would_drop_fields_so_a_call_that_long_is_refused():
    room = (MAX_FORM_FIELDS - 4) // 2  # 3 credentials and the id, then two fields per tag
    tags = tuple(commands.assign_tag(f"tag {n}") for n in range(room + 1))
    assert encode_call(CREDENTIALS, Call(tags[:room], Lead(id="1"))).count("=") == MAX_FORM_FIELDS
    with pytest.raises(ValueError, match="902 form fields"):
        encode_call(CREDENTIALS, Call(tags, Lead(id="1")))


def test_credentials_never_show_in_a_message():
    shown = f"{CREDENTIALS!r} {CREDENTIALS}"
    assert not any(secret in shown for secret in ("APPID", "KEY", "PASS"))


filled = st.text(min_size=1).filter(str.strip)
custom_values = (
    st.text() | st.integers() | st.lists(st.integers() | st.text(), min_size=1, max_size=4).map(tuple)
)
leads = st.builds(
    Lead,
    email=filled,
    fields=st.dictionaries(st.sampled_from(LEAD_FIELDS), st.text()),
    custom_fields=st.lists(st.builds(CustomFieldValue, filled, custom_values), max_size=4).map(tuple),
)


@given(lead=leads, tags=st.lists(filled, max_size=4))
def test_what_is_encoded_is_what_the_server_reads(lead, tags):
    expected = [("lead[email]", lead.email), *((f"lead[{name}]", text) for name, text in lead.fields.items())]
    for n, custom in enumerate(lead.custom_fields):
        key = f"lead[custom_fields][{n}]"
        expected.append((f"{key}[field_identifier]", custom.identifier))
        if isinstance(custom.value, tuple):
            expected += [(f"{key}[field_value][{m}]", str(option)) for m, option in enumerate(custom.value)]
        else:
            expected.append((f"{key}[field_value]", str(custom.value)))
    expected.append(("actions[0][cmd]", "create_lead"))
    for n, tag in enumerate(tags, start=1):
        expected += [(f"actions[{n}][cmd]", "assign_tag"), (f"actions[{n}][tag_name]", tag)]
    call = Call((commands.create_lead(), *map(commands.assign_tag, tags)), lead)
    assert pairs(call) == expected
