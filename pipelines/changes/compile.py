"""One change becomes one call: the profile first, then tags, lists, sequences, chained. Pure."""

import json
from datetime import datetime

from connectors.kartra import commands
from connectors.kartra.commands import Action, Call, CustomFieldValue, Lead
from pipelines.changes.diff import Change, Step
from pipelines.changes.inventory import Inventory
from pipelines.contacts.lead import Snapshot

_BY_NAME = {
    "assign_tag": commands.assign_tag,
    "unassign_tag": commands.unassign_tag,
    "subscribe_lead_to_list": commands.subscribe_lead_to_list,
    "unsubscribe_lead_from_list": commands.unsubscribe_lead_from_list,
    "unsubscribe_lead_from_sequence": commands.unsubscribe_lead_from_sequence,
}


def compile_change(change: Change, snapshot: Snapshot | None, inventory: Inventory) -> Call:
    """The call of a change. A known lead is named by its id, which survives a changed address.

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
        actions=(*(head if change.writes_profile else ()), *(_action(step) for step in change.steps)),
        lead=lead,
    )


def change_to_json(change: Change) -> str:
    """What an open try is to effect, as the outbox keeps it."""
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
    stored = json.loads(text)
    return Change(
        create=stored["create"],
        email=stored["email"],
        fields=stored["fields"],
        custom_fields={
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored["custom_fields"].items()
        },
        steps=tuple(Step(*parts) for parts in stored["steps"]),
        score=stored.get("score"),
    )


def _action(step: Step) -> Action:
    match step.cmd:
        case "subscribe_lead_to_sequence_at_step":
            return commands.subscribe_lead_to_sequence_at_step(step.name, step.at or "")
        case "give_points_to_lead":
            return commands.give_points_to_lead(int(step.name), expiration_days=int(step.at or 0) or None)
        case "remove_points_from_lead":
            return commands.remove_points_from_lead(int(step.name))
        case "calendar_subscribe":
            starting_at = datetime.fromisoformat(step.when) if step.when else None
            return commands.calendar_subscribe(step.name, step.at or "", starting_at)
    return _BY_NAME[step.cmd](step.name)
