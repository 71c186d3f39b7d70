"""Kartra's commands about money, one method each: transactions (§5.6) and recurring subscriptions (§5.7).

Here too is what all methods share: a command is built and sent once, and any outcome but done is raised.
`client` adds the commands about leads and the account.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, ParamSpec, TypeVar

from connectors.errors import RefusedApiError, RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Answer
from connectors.kartra.commands import Action, Call, Lead
from connectors.kartra.outcomes import error_for
from connectors.kartra.payments import (
    Cancellation,
    LeadSubscription,
    LeadTransaction,
    Refund,
    Subscription,
    Transaction,
    parse_cancellation,
    parse_refund,
    parse_subscription,
    parse_subscription_list,
    parse_transaction,
    parse_transaction_list,
)
from connectors.kartra.sender import Sender

P = ParamSpec("P")
Parsed = TypeVar("Parsed")


class SalesClient:
    """The commands of §5.6 and §5.7; `KartraClient` has them all and says what they raise."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    # --- transactions, §5.6: a wrong id is someone else's payment, so look at its lead_id first

    def search_transaction(self, transaction_id: str | int) -> None:
        """Returns if there is such a transaction.

        Refused: 247 there is none. Again: safe. §5.6
        """
        self._act(None, commands.search_transaction, transaction_id)

    def get_transaction_details(self, transaction_id: str | int) -> Transaction:
        """Amounts, date, product and buyer of one transaction; Kartra names no currency.

        Refused: 247 there is none. Again: safe. §8.2
        """
        return self._read(
            self._call(None, commands.get_transaction_details, transaction_id), parse_transaction
        )

    def retrieve_transactions_from_lead(self, lead: Lead) -> tuple[LeadTransaction, ...]:
        """Ids and types of all the lead's transactions, of refunds and failed payments too.

        Refused: 206, 243 no such lead, 245 deleted. Again: safe. §8.1
        """
        return parse_transaction_list(self._act(lead, commands.retrieve_transactions_from_lead).body)

    def refund_transaction(self, transaction_id: str | int, refund_amount: Decimal | None = None) -> Refund:
        """Pay a sale or rebill back: all that is left of it, or `refund_amount` in the currency of the sale.

        Refused: 247 no such transaction, 250 outside its refund period, 251 refunded already, 253 no sale or
        a test, 268 bad amount. Unknown outcome: 266 the payment provider failed. Again: guarded (251); with
        an amount once only. §5.6
        """
        answer = self._act(None, commands.refund_transaction, transaction_id, refund_amount)
        return parse_refund(answer.body)

    def cancel_transaction(
        self, *, transaction_id: str | int | None = None, internal_subscription_id: str | int | None = None
    ) -> Cancellation:
        """End the recurring payments behind a transaction, or the subscription with this internal id.

        Refused: 248 no such transaction or subscription, 249 no subscription behind it, 252 cancelled
        already, 253 no sale or a test. Unknown outcome: 267 it failed. Again: guarded (252). §5.6
        """
        answer = self._act(
            None,
            commands.cancel_transaction,
            transaction_id=transaction_id,
            internal_subscription_id=internal_subscription_id,
        )
        return parse_cancellation(answer.body)

    # --- recurring subscriptions, §5.7

    def search_subscription(self, subscription_id: str | int) -> None:
        """Returns if there is such a subscription.

        Refused: 248 there is none. Again: safe. §5.7
        """
        self._act(None, commands.search_subscription, subscription_id)

    def get_subscription_details(self, subscription_id: str | int) -> Subscription:
        """Status, product, instalments and next payment of one subscription.

        Refused: 248 there is none. Again: safe. §8.4
        """
        call = self._call(None, commands.get_subscription_details, subscription_id)
        return self._read(call, parse_subscription)

    def retrieve_subscriptions_from_lead(self, lead: Lead) -> tuple[LeadSubscription, ...]:
        """Ids and statuses of all the lead's subscriptions.

        Refused: 206, 243 no such lead, 245 deleted. Again: safe. §8.3
        """
        return parse_subscription_list(self._act(lead, commands.retrieve_subscriptions_from_lead).body)

    def modify_subscription_status(
        self, subscription_id: str | int, status: Literal["cancel", "pause", "unpause"]
    ) -> None:
        """Cancel for good, pause, or let a paused one go on.

        Refused: 248 no such subscription, 252 cancelled already, 274 no such status, 275 it has ended, 284
        PayPal, where it can only be cancelled. Unknown outcome: 267 it failed. Again: safe; cancel is
        guarded (252). §5.7
        """
        self._act(None, commands.modify_subscription_status, subscription_id, status)

    def edit_subscription(
        self,
        subscription_id: str | int,
        *,
        product_id: str | int | None = None,
        price_point: int | None = None,
        next_payment_at: datetime | None = None,
        amount: Decimal | None = None,
        recurring_period_1: str | None = None,
        recurring_period_2: str | None = None,
        product_quantity: int | None = None,
        installments_left: int | Literal["until cancelled"] | None = None,
        tax_percent: Decimal | None = None,
    ) -> None:
        """Change what is given, one thing at least; values are absolute. Product and price point go together.

        `amount` 1.00 to 9,999.99, `product_quantity` 1 to 9,999, `tax_percent` 0 to 100; the periods are
        `commands.PERIODS_1` and, for recurring instalments alone, `commands.PERIODS_2`.
        Refused: 248 no such subscription, 275 it has ended, 284 PayPal, 285 nothing of this can be changed,
        283 product or price point, 260 bad date, 261 in the past, 268 and 277 amount, 280 no such period,
        281 it cannot be changed, 276 quantity, 278 and 282 instalments, 290 tax. Again: safe. §5.7.1
        """
        self._act(
            None,
            commands.edit_subscription,
            subscription_id,
            product_id=product_id,
            price_point=price_point,
            next_payment_at=next_payment_at,
            amount=amount,
            recurring_period_1=recurring_period_1,
            recurring_period_2=recurring_period_2,
            product_quantity=product_quantity,
            installments_left=installments_left,
            tax_percent=tax_percent,
        )

    # --- the way there and back

    def _act(
        self, lead: Lead | None, build: Callable[P, Action], *args: P.args, **options: P.kwargs
    ) -> Answer:
        return self._carried_out(self._call(lead, build, *args, **options))

    def _call(
        self, lead: Lead | None, build: Callable[P, Action], *args: P.args, **options: P.kwargs
    ) -> Call:
        with rules():
            return Call((build(*args, **options),), lead)

    def _read(self, call: Call, parse: Callable[[Mapping[str, Any]], Parsed | None]) -> Parsed:
        parsed = parse(self._carried_out(call).body)
        if parsed is None:
            raise RetryableApiError(f"the answer to {call.commands[0]} does not say whose it is: ask again")
        return parsed

    def _carried_out(self, call: Call) -> Answer:
        with rules():
            answer = self._sender.send(call)
        if error := error_for(call, answer):
            raise error
        return answer


@contextmanager
def rules() -> Iterator[None]:
    """Turns a ValueError of the command builders into a RefusedApiError: nothing was sent."""
    try:
        yield
    except ValueError as error:
        raise RefusedApiError(f"{error} (not sent)") from error
