"""Kartra's error registry (§9) as one table: the number, what it says, who can give it, what to do about it.

Messages are Kartra's; there are older wordings in use, so nothing branches on them. HTTP 429 has no number.
"""
# ruff: noqa: E501 - one line per type, or it is no table

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.kartra.commands import LEAD_BOUND


class ErrorClass(StrEnum):
    """What the caller does next."""

    FATAL = "fatal"  # stop the run: no call can succeed
    REFUSED = "refused"  # nothing was done, and repeating it unchanged cannot help
    RETRY = "retry"  # not executed: wait, then send again (HTTP 429 alone)
    AMBIGUOUS = "ambiguous"  # outcome unknown: read back first


@dataclass(frozen=True, slots=True)
class ErrorType:
    type: str
    message: str
    category: str
    error_class: ErrorClass
    commands: frozenset[str]  # that may give it, by §5; empty = any
    advice: str


_FATAL = frozenset({"201", "202", "203", "204", "233", "238", "239", "240", "242"})
_AMBIGUOUS = frozenset({"266", "267"})

_ANY = ""
_LEAD_BOUND = " ".join(LEAD_BOUND)
_EXISTING_LEAD = " ".join(LEAD_BOUND - {"create_lead"})
_WRITES_LEAD = "create_lead edit_lead"
_JOINS_SEQUENCE = "subscribe_lead_to_sequence_at_step"
_LEAVES_SEQUENCE = "unsubscribe_lead_from_sequence"
_CALENDARS = "calendar_subscribe calendar_cancel"
_REFUND, _CANCEL = "refund_transaction", "cancel_transaction"
_MODIFY, _EDIT = "modify_subscription_status", "edit_subscription"
_NEW_FIELD = "create_custom_field"

_ROWS = (  # type, message, category, commands, advice
    ("201", "Connection not secure", "connection", _ANY, "Use an https address."),
    ("202", "API key cannot be empty. Please get an API key first", "auth", _ANY, "Set the API key."),
    ("203", "API key not valid. Please get an API key first", "auth", _ANY, "Check the API key under Integrations > API."),
    ("204", "API Account inactive", "auth", _ANY, "The Kartra account is inactive: activate it."),
    ("206", "email or lead id is required. Nothing done", "request", _LEAD_BOUND, "Give the lead an address or an id."),
    ("207", "List cannot be empty", "list", "subscribe_lead_to_list", "Give the list's name."),
    ("208", "List cannot be empty", "list", "unsubscribe_lead_from_list", "Give the list's name."),
    ("209", "List does not exist", "list", "unsubscribe_lead_from_list", "Create the list in Kartra, or correct its name."),
    ("211", "Tag cannot be empty", "tag", "assign_tag", "Give the tag's name."),
    ("212", "Tag does not exist", "tag", "assign_tag", "Create the tag in Kartra, or correct its name."),
    ("213", "Tag cannot be empty", "tag", "unassign_tag", "Give the tag's name."),
    ("214", "Tag does not exist", "tag", "unassign_tag", "Create the tag in Kartra, or correct its name."),
    ("215", "Points cannot be empty", "scoring", "give_points_to_lead", "Give a whole number of points."),
    ("217", "Points cannot be empty", "scoring", "remove_points_from_lead", "Give a whole number of points."),
    ("219", "Sequence does not exist", "sequence", _JOINS_SEQUENCE, "Create the sequence in Kartra, or correct its name."),
    ("220", "Sequence does not exist", "sequence", _LEAVES_SEQUENCE, "Create the sequence in Kartra, or correct its name."),
    ("223", "'lead' not an array", "request", _ANY, "Report it: the request was built wrongly."),
    ("224", "'actions' not an array", "request", _ANY, "Report it: the request was built wrongly."),
    ("225", "Step cannot be empty", "sequence", _JOINS_SEQUENCE, "Give the number of the sequence's step."),
    ("226", "Sequence cannot be empty", "sequence", f"{_JOINS_SEQUENCE} {_LEAVES_SEQUENCE}", "Give the sequence's name."),
    ("227", "Points is not a number", "scoring", "give_points_to_lead", "Give a whole number of points."),
    ("228", "Points is not a number", "scoring", "remove_points_from_lead", "Give a whole number of points."),
    ("229", "Step has to be alphanumeric", "sequence", _JOINS_SEQUENCE, "Give the number of the sequence's step."),
    ("230", "Step does not exist", "sequence", _JOINS_SEQUENCE, "Give the number of a step that the sequence has."),
    ("231", "List does not exist", "list", "subscribe_lead_to_list", "Create the list in Kartra, or correct its name."),
    ("233", "API password not valid. Please get an API password first", "auth", _ANY, "Check the API password under Integrations > API."),
    ("234", "No lead found", "lead", "get_lead", "Kartra has no such lead."),
    ("236", "'get_lead' not an array", "request", "get_lead", "Report it: the request was built wrongly."),
    ("238", "App Id cannot be empty. Please get an App Id first", "app", _ANY, "Set the App id."),
    ("239", "App Id is not valid. The app does not exists or is inactive", "app", _ANY, "Check the App id in the developer's App list."),
    ("240", "App Account inactive", "app", _ANY, "The App developer's Kartra account is inactive: activate it."),
    ("242", "This API call was sent from an unauthorized IP", "app", _ANY, "Allow this machine's IP address in the App's settings."),
    ("243", "No lead found", "lead", _EXISTING_LEAD, "Create the lead first."),
    ("244", "Lead already exists", "lead", _WRITES_LEAD, "Edit the lead that has this address."),
    ("245", "Lead is deleted", "lead", f"{_LEAD_BOUND} get_lead", "The lead was deleted in Kartra: leave it out, or restore it there."),
    ("247", "Transaction doesn't exist", "billing", f"search_transaction get_transaction_details {_REFUND}", "Correct the transaction's id."),
    ("248", "Subscription doesn't exist", "billing", f"search_subscription get_subscription_details {_CANCEL} {_MODIFY} {_EDIT}", "Correct the subscription's id."),
    ("249", "Transaction not linked to any recurring subscription", "billing", _CANCEL, "Use a transaction of a recurring subscription."),
    ("250", "Transaction outside refund period", "billing", _REFUND, "Refund it in the payment provider's own panel."),
    ("251", "Transaction already refunded", "billing", _REFUND, "Nothing to do: it is refunded."),
    ("252", "Subscription already cancelled", "billing", f"{_CANCEL} {_MODIFY}", "Nothing to do: it is cancelled."),
    ("253", "This type of transaction cannot be refunded or cancelled", "billing", f"{_REFUND} {_CANCEL}", "Use the id of a sale or rebill that is no test."),
    ("254", "'cmd' is required", "request", _ANY, "Report it: the request was built wrongly."),
    ("255", "Calendar cannot be empty", "calendar", _CALENDARS, "Give the calendar's name."),
    ("256", "Class cannot be empty", "calendar", _CALENDARS, "Give the class's name."),
    ("257", "Calendar does not exist", "calendar", _CALENDARS, "Complete the calendar in Kartra, or correct its name."),
    ("258", "Class does not exist", "calendar", _CALENDARS, "Correct the class's name, or name its own calendar."),
    ("259", "No active/pending calendar subscription for this lead", "calendar", "calendar_cancel", "Nothing to do: the lead is not subscribed."),
    ("260", "Invalid date format", "calendar, billing", f"calendar_subscribe {_EDIT}", "Correct the date's format."),
    ("261", "Date is in the past", "calendar, billing", f"calendar_subscribe {_EDIT}", "Give a date to come, by Kartra's EST."),
    ("262", "App does not have permission to execute this CMD", "app", _ANY, "Give the App permission for this command in its settings."),
    ("263", "Custom Field name can only contain letters, numbers, dashes or underscores", "custom field", _NEW_FIELD, "Correct the identifier."),
    ("264", "Custom Field already exists or not allowed", "custom field", _NEW_FIELD, "Use the field that exists, or another identifier."),
    ("265", "Custom Field cannot be empty", "custom field", _NEW_FIELD, "Give the custom field's identifier."),
    ("266", "Refund has failed", "billing", _REFUND, "Look the transaction up in Kartra before trying again."),
    ("267", "Cancellation has failed", "billing", f"{_CANCEL} {_MODIFY}", "Look the subscription up in Kartra before trying again."),
    ("268", "Invalid amount", "billing", f"{_REFUND} {_EDIT}", "Correct the amount."),
    ("269", "Custom Field type not valid", "custom field", _NEW_FIELD, "Use one of the five types."),
    ("270", "Options not an array", "custom field", _NEW_FIELD, "Report it: the request was built wrongly."),
    ("271", "Wrong custom field format", "custom field", _WRITES_LEAD, "Check the custom fields' types and option ids."),
    ("272", "Option cannot be empty", "custom field", _NEW_FIELD, "Name every option."),
    ("273", "Options must have two or more elements", "custom field", _NEW_FIELD, "Give two options or more."),
    ("274", "Wrong status", "billing", _MODIFY, "Use cancel, pause or unpause."),
    ("275", "Subscriptions cancelled or terminated cannot be updated", "billing", f"{_MODIFY} {_EDIT}", "Leave it: the subscription has ended."),
    ("276", "Quantity must be between 1 and 9,999", "billing", _EDIT, "Correct the quantity."),
    ("277", "Price must be between 1.00 and 9,999.99", "billing", _EDIT, "Correct the amount."),
    ("278", "Invalid number", "billing", _EDIT, "Give the instalments left as a whole number."),
    ("280", "Invalid recurring period", "billing", _EDIT, "Use a period that the price point's type allows."),
    ("281", "Recurrence cannot be changed", "billing", _EDIT, "Leave the recurrence as it is."),
    ("282", "Incorrect number of installments", "billing", _EDIT, "Correct the number of instalments left."),
    ("283", "Wrong product id or price point", "billing", _EDIT, "Give a product and one of its price points."),
    ("284", "Paypal transactions cannot be modified", "billing", f"{_MODIFY} {_EDIT}", "With PayPal a subscription can only be cancelled."),
    ("285", "No editable parameters for subscription", "billing", _EDIT, "Leave it: none of this can be changed here."),
    ("290", "Tax must be between 0 and 100", "billing", _EDIT, "Correct the tax."),
)  # fmt: skip


def _class_of(number: str) -> ErrorClass:
    if number in _FATAL:
        return ErrorClass.FATAL
    return ErrorClass.AMBIGUOUS if number in _AMBIGUOUS else ErrorClass.REFUSED


ERROR_TYPES: Mapping[str, ErrorType] = {
    number: ErrorType(number, message, category, _class_of(number), frozenset(commands.split()), advice)
    for number, message, category, commands, advice in _ROWS
}


def error_type(type: object) -> ErrorType:  # noqa: A002 - Kartra's own word
    """The entry of a number, text or integer. One never seen before is refused, never retried."""
    number = "" if type is None else str(type).strip()
    if known := ERROR_TYPES.get(number):
        return known
    message = f"unknown error type {number}".rstrip()
    return ErrorType(number, message, "unknown", ErrorClass.REFUSED, frozenset(), "Ask Kartra what it means.")
