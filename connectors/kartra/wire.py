"""Encodes a call as Kartra's form body: PHP bracket notation, keys and values percent-encoded (§1.3).

An empty list or map sends nothing at all, as in PHP. Booleans and nulls never occur.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

from connectors.errors import ConfigError
from connectors.kartra.commands import Call, Lead, WireValue

MAX_FORM_FIELDS = 900
"""PHP's max_input_vars is 1,000 by default; it drops the rest without a word (§1.3)."""

SHORTEST_SECRET = 6
"""What is shorter may be a word."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials without the blanks, line ends and byte order marks that files and forms add to a secret."""

    app_id: str = field(repr=False)
    api_key: str = field(repr=False)
    api_password: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("app_id", "api_key", "api_password"):
            object.__setattr__(self, name, bare_secret(getattr(self, name)))


def bare_secret(text: str) -> str:
    return text.strip(" \t\r\n\v\f\u00a0\u200b\ufeff")


class SecretInCallError(ConfigError, ValueError):
    """A value to be sent is a credential itself: it would stand in an address book, for all to read."""


def refuse_secrets(credentials: Credentials, call: Call) -> None:
    """Raises SecretInCallError, without the value."""
    secrets = {
        secret: name
        for name in ("app_id", "api_key", "api_password")
        if len(secret := getattr(credentials, name)) >= SHORTEST_SECRET
    }
    values = [dict(action.params) for action in call.actions]
    values += [_lead(lead) for lead in (call.lead, call.get_lead) if lead is not None]
    for _, text in (pair for value in values for pair in _pairs("", value)):
        if name := secrets.get(bare_secret(text)):
            raise SecretInCallError(f"a value to be sent is the {name} itself: nothing of it was sent")


def encode_call(credentials: Credentials, call: Call) -> str:
    """The body to post as `application/x-www-form-urlencoded`. It holds the credentials: keep it out of logs.

    ValueError if the call has more than MAX_FORM_FIELDS fields, credentials included, or a value that is a
    credential.
    """
    refuse_secrets(credentials, call)
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
    body = urlencode([pair for name, value in form.items() for pair in _pairs(name, value)])
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


def _pairs(name: str, value: WireValue) -> Iterator[tuple[str, str]]:
    """The form fields of one key, in PHP's brackets. A Decimal is written out, never as 1E+2."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, int):
        # int() because a bool is an int and must not become "True".
        yield name, str(int(value))
    elif isinstance(value, Decimal):
        yield name, format(value, "f")
    else:
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in inner:
            yield from _pairs(f"{name}[{key}]", one)
