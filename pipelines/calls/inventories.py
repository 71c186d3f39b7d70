"""Reads the account's lists: tags, lists, sequences, pages, custom fields."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.errors import FatalApiError
from connectors.kartra import commands
from connectors.kartra.commands import Action, Call, InventoryName
from connectors.kartra.error_types import NOT_PERMITTED
from connectors.kartra.profile import parse_custom_fields, parse_names
from connectors.kartra.sender import Sender

INVENTORIES: Mapping[InventoryName, tuple[Callable[[], Action], str]] = {
    "tags": (commands.retrieve_account_tags, "account_tags"),
    "lists": (commands.retrieve_account_lists, "account_lists"),
    "sequences": (commands.retrieve_account_sequences, "account_sequences"),
    "pages": (commands.retrieve_account_pages, "account_pages"),
    "custom_fields": (commands.retrieve_custom_fields, "custom_fields"),
}
"""The command and the key of its answer, by kind."""


def read_inventory(client: Sender, kind: InventoryName) -> Any:
    """One inventory as JSON values; None if the App may not list its names.

    Raises FatalApiError, RetryableApiError.
    """
    build, key = INVENTORIES[kind]
    try:
        answer = client.inventory(Call((build(),)))
    except FatalApiError as error:
        # Names are only compared, and can be done without. Custom fields are needed: options are sent by
        # their ids (§7.3).
        if error.type != NOT_PERMITTED or kind == "custom_fields":
            raise
        return None
    if kind == "custom_fields":
        return [
            {"identifier": found.identifier, "type": found.type, "options": dict(found.options)}
            for found in parse_custom_fields(answer.body)
        ]
    return list(parse_names(answer.body, key))
