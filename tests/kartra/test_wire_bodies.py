"""The wire bodies of all commands, to the byte, and what PHP makes of them."""

import inspect
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from connectors.kartra import commands
from connectors.kartra.commands import LEAD_FIELDS, REPEAT, Call, Lead
from connectors.kartra.wire import encode_call
from tests.kartra.wire_calls import CASES, CREDENTIALS, GOLDEN_BODIES
from tests.php import Php, php_process


@pytest.fixture(scope="module")
def php() -> Iterator[Php]:
    with php_process() as process:
        yield process


def test_each_command_has_a_body_with_each_of_its_parameters() -> None:
    given: dict[str, set[str]] = {}
    for case in CASES.values():
        given.setdefault(case.cmd, set()).update(case.given)
    expected = {
        cmd: set(inspect.signature(getattr(commands, cmd)).parameters) for cmd in (*REPEAT, "get_lead")
    }
    assert len(expected) == 30
    assert given == expected


@pytest.mark.parametrize("cmd", ["create_lead", "edit_lead"])
def test_the_bodies_that_write_a_lead_hold_every_field(cmd: str) -> None:
    lead = CASES[cmd].call.lead
    assert lead is not None
    assert set(lead.fields) == set(LEAD_FIELDS)
    kinds = {type(custom.value) for custom in lead.custom_fields}
    assert kinds == {str, int, tuple}
    assert (lead.new_email is not None) == (cmd == "edit_lead")


def test_no_body_is_left_over() -> None:
    assert set(GOLDEN_BODIES) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_written_to_the_byte_as_it_always_was(name: str) -> None:
    assert encode_call(CREDENTIALS, CASES[name].call) == GOLDEN_BODIES[name]


@pytest.mark.parametrize("name", CASES)
def test_php_decodes_a_body_into_what_the_call_says(name: str, php: Php) -> None:
    assert php.decoded(GOLDEN_BODIES[name]) == logical(CASES[name].call)


def logical(call: Call) -> dict[str, Any]:
    """The request as section 1.2 of the reference describes it; PHP knows nothing but text."""
    request: dict[str, Any] = {"app_id": "APPID", "api_key": "KEY", "api_password": "PASS"}
    if call.get_lead is not None:
        return {**request, "get_lead": lead_map(call.get_lead)}
    if call.lead is not None:
        request["lead"] = lead_map(call.lead)
    request["actions"] = [{"cmd": action.cmd, **as_text(action.params)} for action in call.actions]
    return request


def lead_map(lead: Lead) -> dict[str, Any]:
    named = {"id": lead.id, "email": lead.email, "new_email": lead.new_email}
    written = {name: value for name, value in named.items() if value is not None} | dict(lead.fields)
    if lead.custom_fields:
        written["custom_fields"] = [
            {"field_identifier": custom.identifier, "field_value": as_text(custom.value)}
            for custom in lead.custom_fields
        ]
    return written


def as_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: as_text(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(inner) for inner in value]
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
