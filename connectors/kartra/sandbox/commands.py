"""The registry of commands, and how one call is checked, carried out and answered (reference §3, §4)."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from connectors.kartra.sandbox import custom_fields, lead_commands, money_commands, subscription_edits
from connectors.kartra.sandbox.account import Account
from connectors.kartra.sandbox.call import Call, Entry
from connectors.kartra.sandbox.errors import SUCCESS, Refused, error_message, success_message
from connectors.kartra.sandbox.options import SandboxOptions
from connectors.kartra.sandbox.php_form import Form, child, text

Handler: TypeAlias = Callable[[Call, Form], Entry | None]  # None: succeeded with the command's own message

LEAD_COMMANDS: Mapping[str, Handler] = {  # only as actions[0]
    "create_lead": lead_commands.create_lead,
    "edit_lead": lead_commands.edit_lead,
    "search_lead": lead_commands.search_lead,
}

LEAD_BOUND: Mapping[str, Handler] = {
    "assign_tag": lead_commands.assign_tag,
    "unassign_tag": lead_commands.unassign_tag,
    "subscribe_lead_to_list": lead_commands.subscribe_lead_to_list,
    "unsubscribe_lead_from_list": lead_commands.unsubscribe_lead_from_list,
    "subscribe_lead_to_sequence_at_step": lead_commands.subscribe_lead_to_sequence_at_step,
    "unsubscribe_lead_from_sequence": lead_commands.unsubscribe_lead_from_sequence,
    "give_points_to_lead": lead_commands.give_points_to_lead,
    "remove_points_from_lead": lead_commands.remove_points_from_lead,
    "calendar_subscribe": lead_commands.calendar_subscribe,
    "calendar_cancel": lead_commands.calendar_cancel,
    "retrieve_transactions_from_lead": money_commands.retrieve_transactions_from_lead,
    "retrieve_subscriptions_from_lead": money_commands.retrieve_subscriptions_from_lead,
}

LEADLESS: Mapping[str, Handler] = {
    "create_custom_field": custom_fields.create_custom_field,
    "search_transaction": money_commands.search_transaction,
    "get_transaction_details": money_commands.get_transaction_details,
    "refund_transaction": money_commands.refund_transaction,
    "cancel_transaction": money_commands.cancel_transaction,
    "search_subscription": money_commands.search_subscription,
    "get_subscription_details": money_commands.get_subscription_details,
    "modify_subscription_status": money_commands.modify_subscription_status,
    "edit_subscription": subscription_edits.edit_subscription,
}

INVENTORIES: Mapping[
    str, tuple[str, Callable[[Account], list[str] | list[Entry]]]
] = {  # answered at top level
    "retrieve_account_tags": ("account_tags", lambda account: account.tags),
    "retrieve_account_lists": ("account_lists", lambda account: account.lists),
    "retrieve_account_sequences": ("account_sequences", lambda account: list(account.sequences)),
    "retrieve_account_pages": ("account_pages", lambda account: account.pages),
    "retrieve_custom_fields": ("custom_fields", custom_fields.definitions),
}

_HANDLERS: Mapping[str, Handler] = {**LEAD_COMMANDS, **LEAD_BOUND, **LEADLESS}
COMMANDS = frozenset(_HANDLERS) | frozenset(INVENTORIES)


def commands_in(form: Form) -> tuple[str, ...]:
    """What a call asks for, in order, whether or not such commands exist."""
    if "get_lead" in form:
        return ("get_lead",)
    return tuple(
        text(action, "cmd") for action in child(form, "actions").values() if isinstance(action, dict)
    )


def answer(form: Form, call: Call) -> Entry:
    """The decoded JSON body that a call with valid credentials gets."""
    try:
        for key, error_type in (("lead", "223"), ("get_lead", "236"), ("actions", "224")):
            if not isinstance(form.get(key, {}), dict):
                raise Refused(error_type)
        if "get_lead" in form:  # stands alone: actions beside it are not looked at
            _check_permission(["get_lead"], call.account)
            return {
                "status": "Success",
                "lead_details": lead_commands.get_lead(call, child(form, "get_lead")),
            }
        actions = _checked_actions(form, call)
        listed = _inventories(actions, call)
        done = _carried_out(actions, call)
        if "actions" in listed and "actions" in done:
            done = {"actions": [*_rows(listed), *_rows(done)]}
        return _shaped(listed | done, call.options)
    except Refused as refused:
        return _error(refused, call.options)


def _rows(body: Entry) -> list[object]:
    rows = body["actions"]
    return rows if isinstance(rows, list) else []


def _shaped(body: Entry, options: SandboxOptions) -> Entry:
    """The answer to a single action in the shape asked for."""
    entries = body.get("actions")
    if options.lone_actions == "actions" or not isinstance(entries, list) or len(entries) > 1:
        return body
    (fragment,) = entries
    if options.lone_actions == "fragment":
        return dict(fragment)
    (inner,) = fragment.values()
    return {"status": "Success", **inner}


def error_type_of(body: Entry) -> str | None:
    """The first error in a body, at the top or in one of its entries."""
    if body.get("status") == "Error":
        return str(body["type"])
    entries = body.get("actions")
    for entry in entries if isinstance(entries, list) else ():
        for inner in entry.values():
            if inner.get("status") == "Error":
                return str(inner["type"])
    return None


def access_error(error_type: str, options: SandboxOptions) -> Entry:
    return _error(Refused(error_type), options)


def _checked_actions(form: Form, call: Call) -> list[tuple[str, Form]]:
    """The commands with their parameters. Whatever is refused here is refused before anything was done."""
    actions = [action if isinstance(action, dict) else {} for action in child(form, "actions").values()]
    commands = [text(action, "cmd") for action in actions]
    known = [command for command in commands if command in COMMANDS]
    # §4.11: Kartra passes over a command that it does not have, most likely.
    is_taken = call.options.unknown_command == "ignore" or len(known) == len(commands)
    if not commands or not all(commands) or not is_taken:
        raise Refused("254")
    _check_permission(known, call.account)
    # §4.3: create_lead, edit_lead and search_lead only as the first action.
    if not LEAD_COMMANDS.keys().isdisjoint(commands[1:]):
        raise Refused(call.options.wrong_order)
    named = text(call.lead_form, "email") or (text(call.lead_form, "id") and commands[0] != "create_lead")
    if not named and any(command in LEAD_COMMANDS or command in LEAD_BOUND for command in known):
        raise Refused("206" if "lead" in form else call.options.missing_lead)
    if not named and len(known) > 1 and call.options.leadless_chains == "206":
        raise Refused("206")
    return [(command, action) for command, action in zip(commands, actions, strict=True) if command in known]


def _check_permission(commands: list[str], account: Account) -> None:
    if account.allowed_commands is not None and not account.allowed_commands.issuperset(commands):
        raise Refused("262")


def _inventories(actions: list[tuple[str, Form]], call: Call) -> Entry:
    """The lists of the account that are asked for: at the top, or each in an entry of `actions`."""
    found = [
        (command, key, retrieve(call.account))
        for command, _ in actions
        if command in INVENTORIES
        for key, retrieve in [INVENTORIES[command]]
    ]
    if found and call.options.inventories == "actions":
        entries = [{command: {"status": "Success", key: listed}} for command, key, listed in found]
        return {"status": "Success", "actions": entries}
    return {"status": "Success", **{key: listed for _, key, listed in found}}


def _carried_out(actions: list[tuple[str, Form]], call: Call) -> Entry:
    """`actions` of the answer: one entry per action. A lone action and the lead command always fail flat."""
    entries: list[Entry] = []
    failed: Refused | None = None
    for command, action in actions:
        if command in INVENTORIES:
            continue
        try:
            entry = _HANDLERS[command](call, action) or _success(command, action, call.options)
        except Refused as refused:
            if call.options.chain_errors == "flat" or len(actions) == 1 or command in LEAD_COMMANDS:
                raise
            failed = failed or refused
            entry = _error(refused, call.options)
        entries.append({command: entry})
    if failed is not None and call.options.chain_errors == "flat_goes_on":
        raise failed
    # §4.7: several commands by id in one call; what Kartra does with them is an open question.
    if call.options.leadless_chains == "last" and not call.lead_form:
        entries = entries[-1:]
    return {"actions": entries} if entries else {}


def _success(command: str, action: Form, options: SandboxOptions) -> Entry:
    success_type = (
        options.unsubscribe_type if command == "unsubscribe_lead_from_list" else SUCCESS[command][0]
    )
    message = success_message(command, options.wording, action)
    return {"status": "Success", "message": message, "type": _shown_type(success_type, options)}


def _error(refused: Refused, options: SandboxOptions) -> Entry:
    message = error_message(refused.type, options.wording)
    return {"status": "Error", "message": message, "type": _shown_type(refused.type, options)}


def _shown_type(number: str, options: SandboxOptions) -> str | int:
    return int(number) if options.integer_types else number
