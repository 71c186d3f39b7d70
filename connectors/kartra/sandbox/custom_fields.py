"""Custom fields: created in the account, written to a lead, shown by both read commands (reference §7)."""

import re

from connectors.kartra.sandbox.account import (
    FIELD_TYPES_WITH_OPTIONS,
    STANDARD_FIELDS,
    Account,
    CustomField,
    SandboxLead,
)
from connectors.kartra.sandbox.call import Call, Entry
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.php_form import Form, Value, text

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")
# Type 264 (§9): "not allowed" are the names of standard fields, most likely.
_RESERVED = frozenset({"id", "email", "new_email", "custom_fields", *STANDARD_FIELDS})

CustomValues = dict[str, str | list[str]]


def create_custom_field(call: Call, action: Form) -> None:
    account = call.account
    identifier = text(action, "custom_field_identifier")
    if not identifier:
        raise Refused("265")
    if not _IDENTIFIER.fullmatch(identifier):
        raise Refused("263")
    # That capitals do not make another name of it is a guess, and the stricter one.
    if identifier.lower() in _RESERVED | {known.identifier.lower() for known in account.custom_fields}:
        raise Refused("264")
    new = CustomField(
        id=str(max((int(known.id) for known in account.custom_fields), default=0) + 1),
        identifier=identifier,
        type="input_field",
    )
    match text(action, "custom_field_type"):
        case "input_field" | "text_area" as plain:
            new.type = plain
        case "drop_down" | "radio_button" | "checkbox" as chosen:
            new.type = chosen
            new.options = _options(action)
        case _:
            raise Refused("269")
    account.custom_fields.append(new)


def _options(action: Form) -> dict[str, str]:
    options = action.get("custom_field_options", {})
    if not isinstance(options, dict):
        raise Refused("270")
    labels = [text(option, "option_name") if isinstance(option, dict) else "" for option in options.values()]
    if "" in labels:
        raise Refused("272")
    if len(labels) < 2:
        raise Refused("273")
    return {str(number): label for number, label in enumerate(labels, start=1)}


def checked_values(call: Call) -> CustomValues:
    """What `lead[custom_fields]` asks for; an empty value means "clear". Changes nothing yet."""
    asked = call.lead_form.get("custom_fields", {})
    if not isinstance(asked, dict):
        raise Refused("271")
    values: CustomValues = {}
    for item in asked.values():
        if not isinstance(item, dict) or not text(item, "field_identifier"):
            raise Refused("271")
        known = call.account.custom_field(text(item, "field_identifier"))
        if known is not None and "field_value" in item:  # an unknown identifier is ignored without a word
            values.update(_checked_value(call, known, item["field_value"]))
    return values


def _checked_value(call: Call, known: CustomField, value: Value) -> CustomValues:
    if value == "":
        return {known.identifier: ""}
    # §7.3: only a checkbox takes a list, and takes nothing else.
    if isinstance(value, dict) != (known.type == "checkbox"):
        raise Refused("271")
    if known.type not in FIELD_TYPES_WITH_OPTIONS:
        return {known.identifier: call.kept_text(known.type, text({"": value}, ""))}
    asked = list(value.values()) if isinstance(value, dict) else [value]
    chosen = [option for option in asked if isinstance(option, str) and option in known.options]
    if len(chosen) < len(asked) and call.options.unknown_option == "271":
        raise Refused("271")
    if dropped := call.options.drop_option:
        chosen = [option for option in chosen if known.options[option] != dropped]
    return {known.identifier: list(dict.fromkeys(chosen))} if chosen else {}


def write_values(lead: SandboxLead, values: CustomValues) -> None:
    lead.custom_fields.update(values)
    for identifier in [key for key, value in values.items() if not value]:
        del lead.custom_fields[identifier]


def definitions(account: Account) -> list[Entry]:
    return [_definition(known) for known in account.custom_fields]


def _definition(known: CustomField) -> Entry:
    entry: Entry = {"field_id": known.id, "field_identifier": known.identifier, "field_type": known.type}
    # Among the definitions a text has no such key at all (§7.1).
    if known.type in FIELD_TYPES_WITH_OPTIONS:
        entry["field_value"] = _shown_options(known, list(known.options))
    return entry


def values_of(lead: SandboxLead, account: Account) -> list[Entry]:
    """All fields of the account, also those the lead has no value for."""
    shown = []
    for known in account.custom_fields:
        value = lead.custom_fields.get(known.identifier, "")
        entry = _definition(known)
        entry["field_value"] = _shown_options(known, value) if known.options else value
        shown.append(entry)
    return shown


def _shown_options(known: CustomField, ids: str | list[str]) -> list[Entry]:
    return [
        {"option_id": chosen, "option_value": known.options[chosen]}
        for chosen in ids
        if chosen in known.options
    ]
