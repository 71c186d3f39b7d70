"""Kartra: its commands, its wire format, its answers; and `KartraClient`, for programs of your own.

Those programs need only the names in `__all__`: `from connectors.kartra import KartraClient, Lead`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from connectors.errors import (
    ActionOutcome,
    ApiError,
    FatalApiError,
    RefusedApiError,
    RetryableApiError,
    UnknownOutcomeError,
)
from connectors.kartra import commands
from connectors.kartra.answers import ActionAnswer, Answer, Effect
from connectors.kartra.commands import Action, Call, CustomFieldValue, Lead, Repeat
from connectors.kartra.payments import (
    Cancellation,
    LeadSubscription,
    LeadTransaction,
    Refund,
    Subscription,
    Transaction,
)
from connectors.kartra.profile import CustomFieldDefinition, LeadProfile

if TYPE_CHECKING:
    from connectors.kartra.client import KartraClient

__all__ = [
    "Action",
    "ActionAnswer",
    "ActionOutcome",
    "Answer",
    "ApiError",
    "Call",
    "Cancellation",
    "CustomFieldDefinition",
    "CustomFieldValue",
    "Effect",
    "FatalApiError",
    "KartraClient",
    "Lead",
    "LeadProfile",
    "LeadSubscription",
    "LeadTransaction",
    "Refund",
    "RefusedApiError",
    "Repeat",
    "RetryableApiError",
    "Subscription",
    "Transaction",
    "UnknownOutcomeError",
    "commands",
]


def __getattr__(name: str) -> Any:
    """`KartraClient`, imported when it is first asked for."""
    if name == "KartraClient":
        # It comes with all that HTTP takes, 0.2 s to import: who only reads a pipeline file does not wait.
        return import_module("connectors.kartra.client").KartraClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
