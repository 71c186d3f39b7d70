"""Every command as a logical call, with each of its parameters at least once, and its exact wire body.

The bodies stand in tests/data/wire/, one file for each name here. After a change that is meant, write them
again with `python -m tests.kartra.wire_calls` and look at the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.kartra import commands
from connectors.kartra.commands import LEAD_FIELDS, Call, CustomFieldValue, Lead
from connectors.kartra.wire import Credentials, encode_call

FOLDER = Path(__file__).parent.parent / "data" / "wire"
CREDENTIALS = Credentials("APPID", "KEY", "PASS")

ODD = 'Bücher & "co" = 100% [sure]\r\n+ 😀 '
"""Whatever has a meaning of its own on the wire, what is no ASCII, and a blank at the end."""
AT = datetime(2099, 1, 6, 9, 5)  # noqa: DTZ001 - Kartra's wall clock has no zone
JO, BY_ID = Lead(email="jo+1@example.com"), Lead(id="39260")
PROFILE: Mapping[str, str] = {name: f"{name} {ODD}" for name in LEAD_FIELDS}
CUSTOM_FIELDS = (
    CustomFieldValue("note", ODD),
    CustomFieldValue("size", 612),
    CustomFieldValue("plan", "3"),
    CustomFieldValue("fruits", (1, "2")),
    CustomFieldValue("old", ""),
)


@dataclass(frozen=True)
class WireCase:
    """`given` are the arguments of the builder named `cmd`; chained behind it come `behind`."""

    cmd: str
    given: Mapping[str, Any] = field(default_factory=dict)
    lead: Lead | None = None
    behind: tuple[commands.Action, ...] = ()

    @property
    def call(self) -> Call:
        built = getattr(commands, self.cmd)(**self.given)
        return built if isinstance(built, Call) else Call((built, *self.behind), self.lead)


CASES: Mapping[str, WireCase] = {
    "get_lead-by-email": WireCase("get_lead", {"email": "jo+1@example.com"}),
    "get_lead-by-id": WireCase("get_lead", {"id": "39260"}),
    "create_lead": WireCase(
        "create_lead",
        lead=Lead(email="jo+1@example.com", fields=PROFILE, custom_fields=CUSTOM_FIELDS),
    ),
    "create_lead-and-more": WireCase(
        "create_lead",
        lead=Lead(email="jö@exämple.com", fields={"first_name": "Jö"}),
        behind=(
            commands.assign_tag("VIP"),
            commands.assign_tag(ODD),
            commands.subscribe_lead_to_list("News"),
            commands.give_points_to_lead(5),
        ),
    ),
    "edit_lead": WireCase(
        "edit_lead",
        lead=Lead(
            id="39260",
            new_email="jo.new@example.com",
            fields={**PROFILE, "city": ""},
            custom_fields=CUSTOM_FIELDS,
        ),
    ),
    "search_lead": WireCase("search_lead", lead=JO),
    "assign_tag": WireCase("assign_tag", {"tag_name": ODD}, BY_ID),
    "unassign_tag": WireCase("unassign_tag", {"tag_name": ODD}, JO),
    "subscribe_lead_to_list": WireCase("subscribe_lead_to_list", {"list_name": ODD}, BY_ID),
    "unsubscribe_lead_from_list": WireCase("unsubscribe_lead_from_list", {"list_name": ODD}, JO),
    "subscribe_lead_to_sequence_at_step": WireCase(
        "subscribe_lead_to_sequence_at_step", {"sequence_name": ODD, "step": 3}, JO
    ),
    "unsubscribe_lead_from_sequence": WireCase("unsubscribe_lead_from_sequence", {"sequence_name": ODD}, JO),
    "give_points_to_lead": WireCase("give_points_to_lead", {"points": 10, "expiration_days": 30}, JO),
    "remove_points_from_lead": WireCase("remove_points_from_lead", {"points": 4}, JO),
    "retrieve_account_tags": WireCase("retrieve_account_tags"),
    "retrieve_account_lists": WireCase("retrieve_account_lists"),
    "retrieve_account_sequences": WireCase("retrieve_account_sequences"),
    "retrieve_account_pages": WireCase("retrieve_account_pages"),
    "retrieve_custom_fields": WireCase("retrieve_custom_fields"),
    "create_custom_field": WireCase(
        "create_custom_field",
        {"identifier": "eye-colour_1", "type": "checkbox", "options": [ODD, "brown"]},
    ),
    "create_custom_field-of-text": WireCase("create_custom_field", {"identifier": "b", "type": "text_area"}),
    "calendar_subscribe": WireCase(
        "calendar_subscribe", {"calendar_name": ODD, "class_name": "Yoga", "starting_at": AT}, JO
    ),
    "calendar_cancel": WireCase("calendar_cancel", {"calendar_name": "Classes", "class_name": ODD}, JO),
    "search_transaction": WireCase("search_transaction", {"transaction_id": 738474}),
    "get_transaction_details": WireCase("get_transaction_details", {"transaction_id": "738474"}),
    "retrieve_transactions_from_lead": WireCase("retrieve_transactions_from_lead", lead=BY_ID),
    "refund_transaction": WireCase(
        "refund_transaction", {"transaction_id": 738474, "refund_amount": Decimal("1E+2")}
    ),
    "refund_transaction-in-full": WireCase("refund_transaction", {"transaction_id": 738474}),
    "cancel_transaction": WireCase("cancel_transaction", {"transaction_id": 738480}),
    "cancel_transaction-by-subscription": WireCase(
        "cancel_transaction", {"internal_subscription_id": "14833"}
    ),
    "search_subscription": WireCase("search_subscription", {"subscription_id": 14833}),
    "get_subscription_details": WireCase("get_subscription_details", {"subscription_id": 14833}),
    "retrieve_subscriptions_from_lead": WireCase("retrieve_subscriptions_from_lead", lead=JO),
    "modify_subscription_status": WireCase(
        "modify_subscription_status", {"subscription_id": 14833, "status": "unpause"}
    ),
    "edit_subscription": WireCase(
        "edit_subscription",
        {
            "subscription_id": 14833,
            "product_id": 2,
            "price_point": 3,
            "next_payment_at": AT,
            "amount": Decimal("22.00"),
            "recurring_period_1": "every 2 weeks",
            "recurring_period_2": "every 2 years",
            "product_quantity": 9_999,
            "installments_left": 5,
            "tax_percent": Decimal("7.5"),
        },
    ),
    "edit_subscription-until-cancelled": WireCase(
        "edit_subscription", {"subscription_id": 14833, "installments_left": "until cancelled"}
    ),
}

GOLDEN_BODIES: Mapping[str, str] = {
    path.stem: path.read_text("utf-8").rstrip("\n") for path in sorted(FOLDER.glob("*.txt"))
}

if __name__ == "__main__":
    for name, case in CASES.items():
        (FOLDER / f"{name}.txt").write_text(encode_call(CREDENTIALS, case.call) + "\n", "utf-8")
