"""Encodes a call as Kartra's form body: PHP bracket notation, keys and values percent-encoded (§1.3).

An empty list or map sends nothing at all, as in PHP. Booleans and nulls never occur.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote_plus

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
    _refuse_secrets(credentials, _pairs_of(call))


def _refuse_secrets(credentials: Credentials, pairs: list[tuple[str, str]]) -> None:
    secrets = {
        secret: name
        for name in ("app_id", "api_key", "api_password")
        if len(secret := getattr(credentials, name)) >= SHORTEST_SECRET
    }
    for _, text in pairs:
        if len(text) >= SHORTEST_SECRET and (name := secrets.get(bare_secret(text))):
            raise SecretInCallError(f"a value to be sent is the {name} itself: nothing of it was sent")


def encode_call(credentials: Credentials, call: Call) -> str:
    """The body to post as `application/x-www-form-urlencoded`. It holds the credentials: keep it out of logs.

    ValueError if the call has more than MAX_FORM_FIELDS fields, credentials included, or a value that is a
    credential.
    """
    pairs = _pairs_of(call)
    _refuse_secrets(credentials, pairs)
    pairs = [
        ("app_id", credentials.app_id),
        ("api_key", credentials.api_key),
        ("api_password", credentials.api_password),
        *pairs,
    ]
    if len(pairs) > MAX_FORM_FIELDS:
        raise ValueError(f"a call of {len(pairs)} form fields; the limit is {MAX_FORM_FIELDS}")
    return "&".join([f"{_quoted_name(name)}={quote_plus(value)}" for name, value in pairs])


_quoted_name = lru_cache(maxsize=2_000)(quote_plus)
"""The names of fields are few, and the same in every call."""


def _pairs_of(call: Call) -> list[tuple[str, str]]:
    """The form fields of a call, without credentials."""
    form: dict[str, WireValue] = {}
    if call.lead is not None:
        form["lead"] = _lead(call.lead)
    if call.get_lead is not None:
        form["get_lead"] = _lead(call.get_lead)
    # Nothing of it is sent for get_lead, which has to stand alone (§4.8): an empty list has no fields.
    form["actions"] = [{"cmd": action.cmd, **action.params} for action in call.actions]
    return list(_pairs("", form))


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
            yield from _pairs(f"{name}[{key}]" if name else str(key), one)
