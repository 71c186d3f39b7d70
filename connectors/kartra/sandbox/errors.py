"""What Kartra says: every documented error and success message, in both generations of wording."""

from collections.abc import Mapping
from typing import Literal

Wording = Literal["current", "older"]


class Refused(Exception):  # noqa: N818 - an outcome of the emulated API, not a failure of ours
    """A call or one of its actions ends with a documented error; `type` is its number as text."""

    def __init__(self, type: str) -> None:  # noqa: A002 - Kartra's own word
        super().__init__(f"{type} {ERRORS[type]}")
        self.type = type


ERRORS: Mapping[str, str] = {
    "201": "Connection not secure",
    "202": "API key cannot be empty. Please get an API key first",
    "203": "API key not valid. Please get an API key first",
    "204": "API Account inactive",
    "206": "email or lead id is required. Nothing done",
    "207": "List cannot be empty",
    "208": "List cannot be empty",
    "209": "List does not exist",
    "211": "Tag cannot be empty",
    "212": "Tag does not exist",
    "213": "Tag cannot be empty",
    "214": "Tag does not exist",
    "215": "Points cannot be empty",
    "217": "Points cannot be empty",
    "219": "Sequence does not exist",
    "220": "Sequence does not exist",
    "223": "'lead' not an array",
    "224": "'actions' not an array",
    "225": "Step cannot be empty",
    "226": "Sequence cannot be empty",
    "227": "Points is not a number",
    "228": "Points is not a number",
    "229": "Step has to be alphanumeric",
    "230": "Step does not exist",
    "231": "List does not exist",
    "233": "API password not valid. Please get an API password first",
    "234": "No lead found",
    "236": "'get_lead' not an array",
    "238": "App Id cannot be empty. Please get an App Id first",
    "239": "App Id is not valid. The app does not exists or is inactive",
    "240": "App Account inactive",
    "242": "This API call was sent from an unauthorized IP",
    "243": "No lead found",
    "244": "Lead already exists",
    "245": "Lead is deleted",
    "247": "Transaction doesn't exist",
    "248": "Subscription doesn't exist",
    "249": "Transaction not linked to any recurring subscription",
    "250": "Transaction outside refund period",
    "251": "Transaction already refunded",
    "252": "Subscription already cancelled",
    "253": "This type of transaction cannot be refunded or cancelled",
    "254": "'cmd' is required",
    "255": "Calendar cannot be empty",
    "256": "Class cannot be empty",
    "257": "Calendar does not exist",
    "258": "Class does not exist",
    "259": "No active/pending calendar subscription for this lead",
    "260": "Invalid date format",
    "261": "Date is in the past",
    "262": "App does not have permission to execute this CMD",
    "263": "Custom Field name can only contain letters, numbers, dashes or underscores",
    "264": "Custom Field already exists or not allowed",
    "265": "Custom Field cannot be empty",
    "266": "Refund has failed",
    "267": "Cancellation has failed",
    "268": "Invalid amount",
    "269": "Custom Field type not valid",
    "270": "Options not an array",
    "271": "Wrong custom field format",
    "272": "Option cannot be empty",
    "273": "Options must have two or more elements",
    "274": "Wrong status",
    "275": "Subscriptions cancelled or terminated cannot be updated",
    "276": "Quantity must be between 1 and 9,999",
    "277": "Price must be between 1.00 and 9,999.99",
    "278": "Invalid number",
    "280": "Invalid recurring period",
    "281": "Recurrence cannot be changed",
    "282": "Incorrect number of installments",
    "283": "Wrong product id or price point",
    "284": "Paypal transactions cannot be modified",
    "285": "No editable parameters for subscription",
    "290": "Tax must be between 0 and 100",
}

_OLDER_ERRORS: Mapping[str, str] = {
    "207": "list_name cannot be empty. Nothing done",
    "215": "points cannot be empty. Nothing done",
    "227": "points is not a number. Nothing done",
    "231": "list does not exist. Nothing done",
    "255": "calendar_name cannot be empty. Nothing done",
    "256": "class_name cannot be empty. Nothing done",
    "257": "Invalid calendar. Nothing done",
    "258": "Invalid calendar class. Nothing done",
    "259": "There is no active/pending calendar subscription for this lead. Nothing done",
}

SUCCESS: Mapping[str, tuple[str, str]] = {  # command: type, current wording
    "subscribe_lead_to_list": ("101", "Lead subscribed to list"),
    "unsubscribe_lead_from_list": ("101", "Lead unsubscribed from list"),
    "assign_tag": ("103", "Tag added to lead"),
    "unassign_tag": ("104", "Tag removed from lead"),
    "give_points_to_lead": ("105", "Points added to lead"),
    "remove_points_from_lead": ("106", "Points removed from lead"),
    "subscribe_lead_to_sequence_at_step": ("107", "Lead added to sequence"),
    "unsubscribe_lead_from_sequence": ("108", "Lead removed from sequence"),
    "calendar_subscribe": ("112", "Lead subscribed to class"),
    "calendar_cancel": ("113", "Lead unsubscribed from class"),
    "create_custom_field": ("114", "Custom Field created"),
    "modify_subscription_status": ("115", "Subscription modified"),
    "edit_subscription": ("115", "Subscription modified"),
}

_OLDER_SUCCESS: Mapping[str, str] = {  # the names in braces are parameters of the action
    "subscribe_lead_to_list": "The lead will be subscribed in list {list_name} in a few moments",
    "give_points_to_lead": "{points} points were added to lead",
    "calendar_cancel": "The lead will be unsubscribed from calendar {calendar_name}",
}


def error_message(error_type: str, wording: Wording) -> str:
    older = _OLDER_ERRORS.get(error_type) if wording == "older" else None
    return older or ERRORS[error_type]


def success_message(command: str, wording: Wording, action: Mapping[str, object]) -> str:
    older = _OLDER_SUCCESS.get(command) if wording == "older" else None
    return older.format_map(action) if older else SUCCESS[command][1]
