"""Turns a classified answer into the error that its caller gets. Pure."""

from connectors.errors import (
    AccessRefusedError,
    ActionOutcome,
    ApiError,
    RefusedApiError,
    RetryableApiError,
    UnknownOutcomeError,
)
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Action, Call, Repeat
from connectors.kartra.error_types import error_type

SHOWN_BY: dict[str, str] = {
    "create_lead": "get_lead by the address: 234 says that there is no lead yet",
    "edit_lead": "get_lead: fields and custom fields, by the new address if one was sent",
    "assign_tag": "get_lead: tags",
    "unassign_tag": "get_lead: tags",
    "subscribe_lead_to_list": "get_lead, a few moments later: lists",
    "unsubscribe_lead_from_list": "get_lead, a few moments later: lists",
    "subscribe_lead_to_sequence_at_step": "get_lead, a few moments later: sequences",
    "unsubscribe_lead_from_sequence": "get_lead, a few moments later: sequences",
    "give_points_to_lead": "get_lead: the score, against what it was before",
    "remove_points_from_lead": "get_lead: the score, against what it was before",
    "create_custom_field": "retrieve_custom_fields",
    "calendar_subscribe": "no command shows it: look at the lead's calendar in Kartra",
    "calendar_cancel": "no command shows it: look at the lead's calendar in Kartra",
    # Only the answer names the new row (§5.6). Where it was lost, the list before and after is all there is.
    "refund_transaction": "retrieve_transactions_from_lead of its buyer: a refund that was not there before",
    "cancel_transaction": "get_subscription_details: the status",
    "modify_subscription_status": "get_subscription_details: the status",
    "edit_subscription": "get_subscription_details: what was to be changed",
}
"""Where the effect of a command shows, for every command that has an effect."""

_AGAIN = {
    Repeat.SAFE: "Sending it again gives the same end state",
    Repeat.GUARDED: "Sent again after it was carried out, it is refused",
    Repeat.ONCE_ONLY: "Sent again after it was carried out, it takes effect twice",
}


def error_for(call: Call, answer: Answer) -> ApiError | None:
    """The error of an answer; None if each action was done. Messages never hold a value."""
    if answer.effect is Effect.DONE:
        return None
    outcomes = tuple(
        ActionOutcome(cmd, one.effect.value, one.type)
        for cmd, one in zip(call.commands, answer.actions, strict=True)
    )
    concerned = ", ".join(dict.fromkeys(one.cmd for one in outcomes if one.effect == answer.effect))
    match answer.effect:
        case Effect.FATAL:
            return AccessRefusedError(
                f"Kartra: {error_type(answer.type).numbered}", type=answer.type, actions=outcomes
            )
        case Effect.REFUSED:
            message = f"Kartra refused {concerned}: {error_type(answer.type).numbered}"
            return RefusedApiError(message, type=answer.type, actions=outcomes)
        case Effect.RETRY_LATER:
            message = f"{concerned}: nothing was carried out; send it again later{_seen(answer)}"
            return RetryableApiError(message, type=answer.type, actions=outcomes)
    # A lost answer to a read leaves nothing in doubt.
    if not _unknown(call, answer):
        message = f"no usable answer to {concerned}, which only reads: ask again{_seen(answer)}"
        return RetryableApiError(message, type=answer.type, actions=outcomes)
    said = f": {error_type(answer.type).numbered}" if answer.type else f"{_seen(answer)}."
    return UnknownOutcomeError(
        f"nobody knows whether {concerned} was carried out{said} {again(call, answer)}."
        f" Read back first: {read_back(call, answer)}",
        read_back=read_back(call, answer),
        type=answer.type,
        actions=outcomes,
    )


def _seen(answer: Answer) -> str:
    return f" ({answer.trouble})" if answer.trouble else ""


def read_back(call: Call, answer: Answer) -> str:
    """Where the effects of the unknown actions show."""
    return "; ".join(dict.fromkeys(SHOWN_BY[one.cmd] for one in _unknown(call, answer)))


def again(call: Call, answer: Answer) -> str:
    """What repeating the most dangerous of the unknown actions would do."""
    repeats = {one.repeat for one in _unknown(call, answer)}
    # `Repeat` is declared from the harmless to the dangerous.
    return _AGAIN[max(repeats, key=list(Repeat).index)]


def _unknown(call: Call, answer: Answer) -> list[Action]:
    return [
        action
        for action, one in zip(call.actions, answer.actions, strict=False)  # get_lead is no action
        if one.effect is Effect.UNKNOWN and action.cmd in SHOWN_BY
    ]
