"""Compiles a change to one call: the profile first, then tags, lists and sequences, chained. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from connectors.kartra import commands
from connectors.kartra.commands import Call, CustomFieldValue, Lead
from pipelines.changes.diff import Change
from pipelines.changes.inventory import Inventory
from pipelines.contacts.lead import UNREADABLE, Snapshot, UnreadableTextError
from pipelines.contacts.wishes import Step


def compile_change(change: Change, snapshot: Snapshot | None, inventory: Inventory) -> Call:
    """The call of a change. A known lead is named by its id, because an address may change.

    Only one of id and email is ever sent: with both, Kartra follows the id (§10.7).
    """
    custom_fields = tuple(
        CustomFieldValue(name, inventory.wire_value(name, value))
        for name, value in change.custom_fields.items()
    )
    if change.create:
        lead = Lead(email=change.email, fields=change.fields, custom_fields=custom_fields)
    elif snapshot is None:
        raise ValueError("only a new lead has no snapshot")
    else:
        lead = Lead(
            id=snapshot.lead_id,
            email=None if snapshot.lead_id else snapshot.email,
            new_email=change.email,
            fields=change.fields,
            custom_fields=custom_fields,
        )
    head = (commands.create_lead() if change.create else commands.edit_lead(),)
    return Call(
        actions=(*(head if change.writes_profile else ()), *(step.action() for step in change.steps)),
        lead=lead,
    )


def change_to_json(change: Change) -> str:
    """The form in which the outbox keeps the change of an open try."""
    return json.dumps(
        {
            "create": change.create,
            "email": change.email,
            "fields": dict(change.fields),
            "custom_fields": dict(change.custom_fields),
            "steps": [[step.cmd, step.name, step.at, step.when] for step in change.steps],
            "score": change.score,
        },
        ensure_ascii=False,
    )


def change_from_json(text: str) -> Change:
    """Raises UnreadableTextError."""
    try:
        return _change_of(json.loads(text))
    except UNREADABLE:
        raise UnreadableTextError from None


def _change_of(stored: Mapping[str, Any]) -> Change:
    return Change(
        create=stored["create"],
        email=stored["email"],
        fields=stored["fields"],
        custom_fields={
            # JSON knows no tuples, and only a tuple counts as several options.
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored["custom_fields"].items()
        },
        steps=tuple(Step(*parts) for parts in stored["steps"]),
        score=stored.get("score"),
    )
