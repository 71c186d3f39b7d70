"""An answer as `call` prints it: the outcome, what to do next, and Kartra's own words, masked. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from connectors.errors import AccessRefusedError, ApiError, RefusedApiError, UnknownOutcomeError
from connectors.kartra.answers import Answer
from connectors.kartra.commands import Call, Repeat
from connectors.kartra.outcomes import error_for
from connectors.kartra.payments import Subscription, Transaction
from connectors.kartra.profile import NOTHING
from connectors.privacy import mask_address, mask_text
from pipelines.cli.exits import DONE, FAILED, PARTIAL, USAGE

_PERSONAL = ("username", "affiliate", "_jv", "digits", "_ip")
_PLAIN_PREFIXES = ("transaction_", "subscription_", "product_", "account_", "gdpr_lead_status")
_PLAIN = frozenset(
    {
        *("id", "lead_id", "source", "source_id", "original_id", "score", "date_joined", "blacklisted"),
        *("status", "type", "tag_name", "list_name", "sequence_name", "step", "active", "level_name"),
        *("name", "membership_name", "field_id", "field_identifier", "field_type"),
        *("lead_deleted", "lead_deleted_date"),
    }
)
"""Keys whose values say nothing of a person. Whatever is not listed here is masked."""


def outcome_json(call: Call, answer: Answer, *, show: bool) -> dict[str, Any]:
    error = error_for(call, answer)
    return {
        "cmd": call.commands[0],
        "effect": answer.effect.value,
        "type": answer.type,
        "message": str(error) if error else None,
        "read_back": error.read_back if isinstance(error, UnknownOutcomeError) else None,
        "lead_id": answer.lead_id,
        "answer": said(call, answer, show=show),
        "exit_code": exit_code(call, error),
    }


def outcome_lines(call: Call, answer: Answer, *, show: bool) -> Iterator[str]:
    error = error_for(call, answer)
    yield str(error) if error else f"{call.commands[0]}: done"
    words = said(call, answer, show=show)
    if words and not isinstance(error, RefusedApiError):
        text = yaml.safe_dump(words, allow_unicode=True, sort_keys=False, width=100)
        yield from (f"  {line}" for line in text.splitlines())


def said(call: Call, answer: Answer, *, show: bool) -> dict[str, Any]:
    """What Kartra said of the action, without its status. An account's own names are nobody's data."""
    payload = answer.actions[0].payload or answer.body
    words = {name: value for name, value in payload.items() if name not in ("status", "actions")}
    is_inventory = call.lead is None and call.commands[0].startswith("retrieve_")
    return words if show or is_inventory else _masked_map(words)


def exit_code(call: Call, error: ApiError | None) -> int:
    """FAILED may be sent again; PARTIAL was refused, or is once only and may have been carried out."""
    if error is None:
        return DONE
    if isinstance(error, AccessRefusedError):
        return USAGE
    if isinstance(error, RefusedApiError):
        return PARTIAL
    once_only = any(action.repeat is Repeat.ONCE_ONLY for action in call.actions)
    return PARTIAL if once_only and isinstance(error, UnknownOutcomeError) else FAILED


def payment_line(payment: Transaction | Subscription) -> str:
    """What is at stake, for a person who is about to agree."""
    if isinstance(payment, Transaction):
        return (
            f"{payment.transaction_type or 'transaction'} {payment.transaction_id} of"
            f" {payment.transaction_full_amount}, {payment.product_name}, {payment.transaction_date} EST,"
            f" lead {payment.lead_id} ({mask_address(payment.lead_email or '')})"
        )
    return (
        f"subscription {payment.subscription_id} of lead {payment.subscription_lead_id},"
        f" {payment.subscription_status}, next {payment.subscription_next_scheduled_payment_amount}"
        f" on {payment.subscription_next_payment_date} EST"
    )


def _masked(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return _masked_map(value)
    if isinstance(value, list):
        return [_masked(name, one) for one in value]
    if value is None or value in NOTHING:
        return value
    if name == "message":
        return mask_text(str(value))
    return value if _is_plain(name) else _hidden(name, str(value))


def _masked_map(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: _masked(name, value) for name, value in values.items()}


def _is_plain(name: str) -> bool:
    # A prefix alone proves nothing: `transaction_affiliate` is a person's user name, `gdpr_lead_status_ip`
    # an address.
    is_known = name in _PLAIN or name.startswith(_PLAIN_PREFIXES)
    return is_known and not any(word in name for word in _PERSONAL)


def _hidden(name: str, value: str) -> str:
    return mask_address(value) if name.endswith("email") else "***"
