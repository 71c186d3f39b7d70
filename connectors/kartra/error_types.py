"""Kartra's error registry (§9) as one table: the number, who can give it, what it means, what to do about it.

Messages are Kartra's; there are older wordings in use, so nothing branches on them. The rest is ours, and
stands nowhere else: whatever shows a type shows this text. HTTP 429 is a status and has no number. Over 400
lines, because the table has 74 rows.
"""
# ruff: noqa: E501 - a table

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
    means: str
    cause: str  # the usual one
    remedy: str

    @property
    def is_documented(self) -> bool:
        return self.category != _UNKNOWN

    @property
    def advice(self) -> str:
        """The usual cause and the remedy."""
        return f"{self.cause} {self.remedy}"

    @property
    def explanation(self) -> str:
        """The message, its usual cause and the remedy."""
        return f"{self.message}. {self.advice}"

    @property
    def numbered(self) -> str:
        """The explanation with the number, for texts that show the number nowhere else."""
        number = f" ({self.type})" if self.type else ""
        return f"{self.message}{number}. {self.advice}"

    @property
    def repeating(self) -> str:
        """Whether sending the same again helps."""
        if not self.is_documented:
            return "Not documented: it counts as a refusal and is not sent again."
        return _REPEATING_THIS.get(self.type) or _REPEATING[self.error_class]


NO_LEAD = frozenset({"234", "243"})
"""The account has no such lead: 234 says so to get_lead, 243 to a command."""
NO_LEAD_READ = "234"
LEAD_EXISTS = "244"
"""The address belongs to a lead already: to a creation, or as the new address of another lead."""
LEAD_DELETED = "245"
# 230 and 229 concern the step alone, but a wrong step is as wrong for every lead as a wrong name.
NO_SUCH_NAME = frozenset({"209", "212", "214", "219", "220", "229", "230", "231"})
"""The account has no tag, list, sequence or step of this name; 229, a malformed step, counts as well."""
WRONG_STEP = frozenset({"229", "230"})
"""The sequence itself is there."""
NOT_PERMITTED = "262"
"""The App may not use the command: it would be refused for every lead."""
FIELD_EXISTS = "264"
NO_SUCH_SALE = frozenset({"247", "248"})
"""No such transaction or subscription. In a chain it proves that Kartra understood the chain itself."""
REFUNDED_ALREADY = "251"
CANCELLED_ALREADY = "252"
NOTHING_BOOKED = "259"
NO_TAG_TO_TAKE = "214"
PROVIDER_FAILED = frozenset({"266", "267"})
"""Kartra reports a failure but not whether the payment provider acted before it."""
ALREADY_SO = frozenset(
    {
        ("unassign_tag", NO_TAG_TO_TAKE),
        ("unsubscribe_lead_from_list", "209"),
        ("unsubscribe_lead_from_sequence", "220"),
    }
)
"""Taking away something that the account does not have: no lead has it, so the goal is reached."""

_FATAL = frozenset({"201", "202", "203", "204", "233", "238", "239", "240", "242"})
_AMBIGUOUS = frozenset({"266", "267"})

_UNKNOWN = "unknown"
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

# causes that several types share
_BLANK = "Usually the name is missing, or its cell is empty."
_NO_SUCH = "Usually the name is misspelt, or it was renamed or deleted in Kartra. Capitals may count."
_NO_NUMBER = "Usually the cell holds words, or a number with a comma in it."
_MALFORMED = "Usually a program other than kartra-sync built the call, or something on the way changed it."
_REPORT = "Report it, if kartra-sync sent it: the request was built wrongly."
_OTHER_ID = "Usually the id is the payment provider's own, another account's, or mistyped."
_CELL = "Usually the cell holds something else, or a number in another notation."

_ROWS = (  # type, message, category, commands · what it means · what usually causes it · what to do
    ("201", "Connection not secure", "connection", _ANY,
     "The call came over http, which Kartra does not accept.",
     "Usually the address begins with http://, or a proxy on the way takes the encryption off.",
     "Use an https address."),
    ("202", "API key cannot be empty. Please get an API key first", "auth", _ANY,
     "The call brought no API key, so Kartra does not know whose account is meant.",
     "Usually the setting is empty or its environment variable is not set.",
     "Set the API key."),
    ("203", "API key not valid. Please get an API key first", "auth", _ANY,
     "The API key opens no account.",
     "Usually it was copied with a character missing, or it is another account's.",
     "Check the API key under Integrations > API."),
    ("204", "API Account inactive", "auth", _ANY,
     "The Kartra account to be acted upon is not active.",
     "Usually its plan has ended or a payment to Kartra is due.",
     "Activate the account in Kartra."),
    ("206", "email or lead id is required. Nothing done", "request", _LEAD_BOUND,
     "The command is about a lead, and the call names none.",
     "Usually the address is empty, or a lead command does not stand first in its chain.",
     "Give the lead an address or an id."),
    ("207", "List cannot be empty", "list", "subscribe_lead_to_list",
     "No list was named to put the lead on.", _BLANK, "Give the list's name."),
    ("208", "List cannot be empty", "list", "unsubscribe_lead_from_list",
     "No list was named to take the lead off.", _BLANK, "Give the list's name."),
    ("209", "List does not exist", "list", "unsubscribe_lead_from_list",
     "The account has no list of this name, so the lead is on none.", _NO_SUCH,
     "Create the list in Kartra, or correct its name."),
    ("211", "Tag cannot be empty", "tag", "assign_tag",
     "No tag was named to give to the lead.", _BLANK, "Give the tag's name."),
    ("212", "Tag does not exist", "tag", "assign_tag",
     "The account has no tag of this name; the API cannot make one.", _NO_SUCH,
     "Create the tag in Kartra, or correct its name."),
    ("213", "Tag cannot be empty", "tag", "unassign_tag",
     "No tag was named to take from the lead.", _BLANK, "Give the tag's name."),
    ("214", "Tag does not exist", "tag", "unassign_tag",
     "The account has no tag of this name, so the lead has none.", _NO_SUCH,
     "Create the tag in Kartra, or correct its name."),
    ("215", "Points cannot be empty", "scoring", "give_points_to_lead",
     "No number of points to give was named.", "Usually the cell is empty.", "Give a whole number of points."),
    ("217", "Points cannot be empty", "scoring", "remove_points_from_lead",
     "No number of points to take was named.", "Usually the cell is empty.", "Give a whole number of points."),
    ("219", "Sequence does not exist", "sequence", _JOINS_SEQUENCE,
     "The account has no sequence of this name; the API cannot make one.", _NO_SUCH,
     "Create the sequence in Kartra, or correct its name."),
    ("220", "Sequence does not exist", "sequence", _LEAVES_SEQUENCE,
     "The account has no sequence of this name, so the lead is in none.", _NO_SUCH,
     "Create the sequence in Kartra, or correct its name."),
    ("223", "'lead' not an array", "request", _ANY,
     "The call holds a lead that is plain text instead of a map.", _MALFORMED,
     _REPORT),
    ("224", "'actions' not an array", "request", _ANY,
     "The call holds actions that are plain text instead of a list.", _MALFORMED,
     _REPORT),
    ("225", "Step cannot be empty", "sequence", _JOINS_SEQUENCE,
     "No step was named at which the lead enters the sequence.", _BLANK,
     "Give the number of the sequence's step."),
    ("226", "Sequence cannot be empty", "sequence", f"{_JOINS_SEQUENCE} {_LEAVES_SEQUENCE}",
     "No sequence was named.", _BLANK, "Give the sequence's name."),
    ("227", "Points is not a number", "scoring", "give_points_to_lead",
     "What was to be given is no number.", _NO_NUMBER, "Give a whole number of points."),
    ("228", "Points is not a number", "scoring", "remove_points_from_lead",
     "What was to be taken is no number.", _NO_NUMBER, "Give a whole number of points."),
    ("229", "Step has to be alphanumeric", "sequence", _JOINS_SEQUENCE,
     "A step is named by letters and digits alone: the number in its box.",
     "Usually the step's title was given instead of its number, or a number such as 1.0.",
     "Give the number of the sequence's step."),
    ("230", "Step does not exist", "sequence", _JOINS_SEQUENCE,
     "The sequence is there, but it has no step of this number.",
     "Usually the sequence was changed in Kartra and its boxes have other numbers now.",
     "Give the number of a step that the sequence has."),
    ("231", "List does not exist", "list", "subscribe_lead_to_list",
     "The account has no list of this name; the API cannot make one.", _NO_SUCH,
     "Create the list in Kartra, or correct its name."),
    ("233", "API password not valid. Please get an API password first", "auth", _ANY,
     "The API key is known, but the password is not its own.",
     "Usually the password was renewed in Kartra, or copied with a character missing.",
     "Check the API password under Integrations > API."),
    ("234", "No lead found", "lead", "get_lead",
     "The account has no lead with this address or id.",
     "Usually the lead was never created, its address was changed, or Test mode stored another address.",
     "Create the lead first, or correct the address."),
    ("236", "'get_lead' not an array", "request", "get_lead",
     "The call asks for a lead by plain text instead of a map.", _MALFORMED,
     _REPORT),
    ("238", "App Id cannot be empty. Please get an App Id first", "app", _ANY,
     "The call brought no App id, and Kartra takes calls from an App alone.",
     "Usually the setting is empty or its environment variable is not set.",
     "Set the App id."),
    ("239", "App Id is not valid. The app does not exists or is inactive", "app", _ANY,
     "Kartra has no active App of this id.",
     "Usually the id was copied with a character missing, or the App was never submitted, or was switched off.",
     "Check the App id in the developer's App list."),
    ("240", "App Account inactive", "app", _ANY,
     "The Kartra account of the App's developer is not active.",
     "Usually its plan has ended or a payment to Kartra is due.",
     "Ask the App's developer to activate their account."),
    ("242", "This API call was sent from an unauthorized IP", "app", _ANY,
     "The App takes calls from certain IP addresses alone, and this machine's is none of them.",
     "Usually the job moved to another machine, or the provider gave this one a new address.",
     "Allow this machine's IP address in the App's settings."),
    ("243", "No lead found", "lead", _EXISTING_LEAD,
     "The command is about a lead that the account does not have.",
     "Usually the lead was never created, its address was changed, or Test mode stored another address.",
     "Create the lead first."),
    ("244", "Lead already exists", "lead", _WRITES_LEAD,
     "The address belongs to a lead already: none was created, and no address was changed.",
     "Usually the lead was in Kartra before, or the answer to an earlier try was lost.",
     "Edit the lead that has this address."),
    ("245", "Lead is deleted", "lead", f"{_LEAD_BOUND} get_lead",
     "The account had this lead, and somebody deleted it.",
     "Usually the person asked to be forgotten, or the list was cleaned up in Kartra.",
     "Leave the lead out, or restore it in Kartra."),
    ("247", "Transaction doesn't exist", "billing", f"search_transaction get_transaction_details {_REFUND}",
     "The account has no transaction with this id.", _OTHER_ID, "Correct the transaction's id."),
    ("248", "Subscription doesn't exist", "billing",
     f"search_subscription get_subscription_details {_CANCEL} {_MODIFY} {_EDIT}",
     "The account has no subscription with this id; to cancel_transaction, no transaction either.",
     _OTHER_ID, "Correct the subscription's id."),
    ("249", "Transaction not linked to any recurring subscription", "billing", _CANCEL,
     "The transaction is a single payment: there is no subscription to cancel.",
     "Usually the id is that of a product paid once.",
     "Use a transaction of a recurring subscription."),
    ("250", "Transaction outside refund period", "billing", _REFUND,
     "The refund period of the product is over; Kartra pays nothing back any more.",
     "Usually the sale is older than the number of days set for the product.",
     "Refund it in the payment provider's own panel."),
    ("251", "Transaction already refunded", "billing", _REFUND,
     "The whole amount was paid back before; nothing was paid now.",
     "Usually an earlier try, or a person in Kartra, did it.",
     "Nothing to do: it is refunded."),
    ("252", "Subscription already cancelled", "billing", f"{_CANCEL} {_MODIFY}",
     "The subscription had ended before; nothing was changed now.",
     "Usually an earlier try, the buyer or a person in Kartra did it.",
     "Nothing to do: it is cancelled."),
    ("253", "This type of transaction cannot be refunded or cancelled", "billing", f"{_REFUND} {_CANCEL}",
     "Only a sale or rebill that was no test can be refunded or cancelled.",
     "Usually the id is that of a refund, a failed payment, a chargeback or a test.",
     "Use the id of a sale or rebill that is no test."),
    ("254", "'cmd' is required", "request", _ANY,
     "An action says nothing that Kartra knows as a command.", _MALFORMED,
     _REPORT),
    ("255", "Calendar cannot be empty", "calendar", _CALENDARS,
     "No calendar was named.", _BLANK, "Give the calendar's name."),
    ("256", "Class cannot be empty", "calendar", _CALENDARS,
     "No class of the calendar was named.", _BLANK, "Give the class's name."),
    ("257", "Calendar does not exist", "calendar", _CALENDARS,
     "The account has no completed calendar of this name.",
     "Usually its setup in Kartra was never completed, or the name is misspelt.",
     "Complete the calendar in Kartra, or correct its name."),
    ("258", "Class does not exist", "calendar", _CALENDARS,
     "The calendar is there, but it has no class of this name.",
     "Usually the class is another calendar's, or the name is misspelt.",
     "Correct the class's name, or name its own calendar."),
    ("259", "No active/pending calendar subscription for this lead", "calendar", "calendar_cancel",
     "The lead has no place in this class that could be cancelled.",
     "Usually it was cancelled before, or the class is over.",
     "Nothing to do: the lead is not subscribed."),
    ("260", "Invalid date format", "calendar, billing", f"calendar_subscribe {_EDIT}",
     "The date or the hour is not written as Kartra reads it.",
     "Usually it is in another order, in another language, or a day that no month has.",
     "Correct the date's format."),
    ("261", "Date is in the past", "calendar, billing", f"calendar_subscribe {_EDIT}",
     "By Kartra's clock, which is EST, the date is over.",
     "Usually the time was given in another time zone, or the row is old.",
     "Give a date to come, by Kartra's EST."),
    ("262", "App does not have permission to execute this CMD", "app", _ANY,
     "The App may not use this command, whoever it is for.",
     "Usually the permission was never asked for when the App was created.",
     "Give the App permission for this command in its settings."),
    ("263", "Custom Field name can only contain letters, numbers, dashes or underscores", "custom field", _NEW_FIELD,
     "The identifier of the new field has a character it must not have.",
     "Usually a blank, an accent or a dot: the identifier is no title.",
     "Correct the identifier."),
    ("264", "Custom Field already exists or not allowed", "custom field", _NEW_FIELD,
     "There is a field of this identifier, or Kartra keeps the name for itself.",
     "Usually an earlier try or a person created it, or it is called like a standard field.",
     "Use the field that exists, or another identifier."),
    ("265", "Custom Field cannot be empty", "custom field", _NEW_FIELD,
     "No identifier was given for the new field.", _BLANK, "Give the custom field's identifier."),
    ("266", "Refund has failed", "billing", _REFUND,
     "The payment provider gave the refund back as failed; whether money moved is not proven.",
     "Usually the provider's account lacks the money, the card is gone, or the provider did not answer.",
     "Look the transaction up in Kartra before trying again."),
    ("267", "Cancellation has failed", "billing", f"{_CANCEL} {_MODIFY}",
     "The payment provider gave the cancellation back as failed; whether it goes on is not proven.",
     "Usually the subscription was ended at the provider before, or the provider did not answer.",
     "Look the subscription up in Kartra before trying again."),
    ("268", "Invalid amount", "billing", f"{_REFUND} {_EDIT}",
     "The amount is no number Kartra takes here.",
     "Usually it has a comma or a currency sign, is not above 0, or is more than what is left of the sale.",
     "Correct the amount."),
    ("269", "Custom Field type not valid", "custom field", _NEW_FIELD,
     "Kartra has no such type of field.",
     "Usually a date or a number is wished for: Kartra has neither, they are kept as text.",
     "Use one of the five types."),
    ("270", "Options not an array", "custom field", _NEW_FIELD,
     "The new field's options are plain text instead of a list.", _MALFORMED,
     _REPORT),
    ("271", "Wrong custom field format", "custom field", _WRITES_LEAD,
     "A custom field's value has a form that its type does not take; nothing of the lead was written.",
     "Usually the field's type was changed in Kartra, or a label was sent instead of an option's id.",
     "Check the custom fields' types and option ids."),
    ("272", "Option cannot be empty", "custom field", _NEW_FIELD,
     "One of the new field's options has no name.", _BLANK, "Name every option."),
    ("273", "Options must have two or more elements", "custom field", _NEW_FIELD,
     "A field to choose from needs two options or more.",
     "Usually the column has one value alone.",
     "Give two options or more."),
    ("274", "Wrong status", "billing", _MODIFY,
     "Kartra does not know what the subscription is to become.",
     "Usually another word than the three was given.",
     "Use cancel, pause or unpause."),
    ("275", "Subscriptions cancelled or terminated cannot be updated", "billing", f"{_MODIFY} {_EDIT}",
     "The subscription has ended, by cancellation or with its last payment, and that is final.",
     "Usually it ended since the list was made.",
     "Leave it: the subscription has ended."),
    ("276", "Quantity must be between 1 and 9,999", "billing", _EDIT,
     "The number of pieces is out of range, or no whole number.", _CELL, "Correct the quantity."),
    ("277", "Price must be between 1.00 and 9,999.99", "billing", _EDIT,
     "The new price is out of range.", _CELL, "Correct the amount."),
    ("278", "Invalid number", "billing", _EDIT,
     "The instalments left are neither a whole number nor `until cancelled`.", _CELL,
     "Give the instalments left as a whole number."),
    ("280", "Invalid recurring period", "billing", _EDIT,
     "The period is none that the price point's type allows.",
     "Usually it is worded otherwise, or a second period was given where there are no recurring instalments.",
     "Use a period that the price point's type allows."),
    ("281", "Recurrence cannot be changed", "billing", _EDIT,
     "The payments of this subscription keep their period.",
     "Usually the price point or the payment provider does not allow another one.",
     "Leave the recurrence as it is."),
    ("282", "Incorrect number of installments", "billing", _EDIT,
     "The subscription cannot have so many instalments left.",
     "Usually it is 0, too many, or `until cancelled` where the price point has a last payment.",
     "Correct the number of instalments left."),
    ("283", "Wrong product id or price point", "billing", _EDIT,
     "Product and price point do not belong together, or one of them is missing.",
     "Usually the price point is counted from 0, or is another product's.",
     "Give a product and one of its price points."),
    ("284", "Paypal transactions cannot be modified", "billing", f"{_MODIFY} {_EDIT}",
     "PayPal keeps its subscriptions itself; Kartra can only end them.",
     "Usually the buyer paid by PayPal.",
     "With PayPal a subscription can only be cancelled."),
    ("285", "No editable parameters for subscription", "billing", _EDIT,
     "Nothing of what was sent can be changed in this subscription.",
     "Usually nothing was sent, or the price point's type fixes it.",
     "Leave it: none of this can be changed here."),
    ("290", "Tax must be between 0 and 100", "billing", _EDIT,
     "The tax is no percentage.", _CELL, "Correct the tax."),
)  # fmt: skip


_REPEATING = {
    ErrorClass.FATAL: "No: every call is answered like this until it is put right, so a run stops.",
    ErrorClass.REFUSED: "No: it was not carried out, and the same call gets the same answer.",
    ErrorClass.RETRY: "Yes, after a second: it was not carried out.",
    ErrorClass.AMBIGUOUS: "Not before it is known what happened: it may have been carried out.",
}
_REPEATING_THIS = {
    "243": "Not unchanged: create the lead, then send it again.",
    "244": "No: after a lost answer it says that the first try worked.",
    "251": "No: what was wanted is so already.",
    "252": "No: what was wanted is so already.",
    "259": "No: what was wanted is so already.",
    "262": "No: every call with this command is answered like this until the App may use it.",
    "264": "No: after a lost answer it says that the first try worked.",
}


def _class_of(number: str) -> ErrorClass:
    if number in _FATAL:
        return ErrorClass.FATAL
    return ErrorClass.AMBIGUOUS if number in _AMBIGUOUS else ErrorClass.REFUSED


ERROR_TYPES: Mapping[str, ErrorType] = {
    number: ErrorType(number, message, category, _class_of(number), frozenset(commands.split()), *texts)
    for number, message, category, commands, *texts in _ROWS
}

TOO_MANY_REQUESTS = ErrorType(
    "429",
    "Too many requests",
    "limit",
    ErrorClass.RETRY,
    frozenset(),
    "An HTTP status, no type: the App made more than 20 calls within a second.",
    "Usually another program uses the same App.",
    "Nothing to do: everyone waits a second, then it is sent again. Lower calls_per_second if it goes on.",
)


def error_type(type: object) -> ErrorType:  # noqa: A002 - Kartra's own word
    """The entry of a number, text or integer. One never seen before is refused, never retried."""
    number = "" if type is None else str(type).strip()
    if known := ERROR_TYPES.get(number):
        return known
    return ErrorType(
        number,
        f"unknown error type {number}".rstrip(),
        _UNKNOWN,
        ErrorClass.REFUSED,
        frozenset(),
        "Not documented: Kartra's manual does not have this number.",
        "It is not documented.",
        "Ask Kartra what it means.",
    )
