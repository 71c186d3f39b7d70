"""A call as the form body Kartra reads: PHP bracket notation, every key and value percent-encoded (§1.3).

An empty list or map sends nothing at all, as in PHP. Booleans and nulls never occur.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from qs_codec import EncodeOptions, Format, ListFormat, encode

from connectors.kartra.commands import Call, Lead, WireValue

MAX_FORM_FIELDS = (
    900  # PHP's max_input_vars is 1000 by default; what is beyond is dropped without a word (§1.3)
)

_PHP = EncodeOptions(list_format=ListFormat.INDICES, format=Format.RFC1738)


@dataclass(frozen=True, slots=True)
class Credentials:
    app_id: str = field(repr=False)
    api_key: str = field(repr=False)
    api_password: str = field(repr=False)


def encode_call(credentials: Credentials, call: Call) -> str:
    """The body to post as `application/x-www-form-urlencoded`. It holds the credentials: keep it out of logs.

    ValueError when the call has more than MAX_FORM_FIELDS fields, credentials included."""
    form: dict[str, WireValue] = {
        "app_id": credentials.app_id,
        "api_key": credentials.api_key,
        "api_password": credentials.api_password,
    }
    if call.lead is not None:
        form["lead"] = _lead(call.lead)
    if call.get_lead is not None:
        form["get_lead"] = _lead(call.get_lead)
    form["actions"] = [{"cmd": action.cmd, **action.params} for action in call.actions]
    body = encode(_plain(form), _PHP)
    field_count = body.count("&") + 1  # an ampersand inside a value is %26
    if field_count > MAX_FORM_FIELDS:
        raise ValueError(f"a call of {field_count} form fields; the limit is {MAX_FORM_FIELDS}")
    return body


def _lead(lead: Lead) -> dict[str, WireValue]:
    """id or email, new_email, the fields in the order given, custom_fields."""
    addresses = {"id": lead.id, "email": lead.email, "new_email": lead.new_email}
    return {
        **{name: value for name, value in addresses.items() if value is not None},
        **lead.fields,
        "custom_fields": [
            {"field_identifier": custom.identifier, "field_value": custom.value}
            for custom in lead.custom_fields
        ],
    }


def _plain(value: WireValue) -> Any:
    """Only text, dicts and lists: so a Decimal is never 1E+2, and any Mapping or Sequence will do."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value]
