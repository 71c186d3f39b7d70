"""Kartra's inbound API for one App and one account: a call leaves with a permit and comes back classified.

Two floors of one class. `send` and `read` take a `Call` and give its `Answer`, whatever that is: pipelines,
which keep a journal, work with these. The methods named like Kartra's commands give a typed result, or raise
an error that says what to do next. Nothing is ever sent twice by itself, except after a 429, which Kartra
refuses before executing anything; `read` alone asks again, for it has no effect. Bodies hold the credentials
and are never logged.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, ParamSpec, Self, TypeVar

from requests import PreparedRequest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from connectors.errors import FatalApiError, RefusedApiError, RetryableApiError, UnknownOutcomeError
from connectors.kartra import commands
from connectors.kartra.answers import ActionAnswer, Answer, Effect, classify, uniform
from connectors.kartra.commands import Action, Call, CustomFieldType, Lead
from connectors.kartra.error_types import error_type
from connectors.kartra.limiter import CallLimiter, limiter_for
from connectors.kartra.outcomes import SHOWN_BY, error_for
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
from connectors.kartra.profile import (
    CustomFieldDefinition,
    LeadProfile,
    parse_custom_fields,
    parse_names,
    parse_profile,
)
from connectors.kartra.transport import NoReplyError, NotSentError, Transport
from connectors.kartra.wire import Credentials, encode_call

log = logging.getLogger("kartra_sync.client")

KARTRA_URL = "https://app.kartra.com/api"
READ_ATTEMPTS = 5
THROTTLED_PATIENCE_S = 600.0
"""How long one call goes on being refused with 429 before it is given back as not executed."""
LATENCY_WEIGHT = 0.1

P = ParamSpec("P")
Parsed = TypeVar("Parsed")


@dataclass(slots=True)
class CallCounts:
    """What left this client: every call, those answered 429, those that only read a lead."""

    sent: int = 0
    throttled: int = 0
    read_back: int = 0
    latency_s: float = 0.3
    """A running mean over the answers."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, call: Call, *, throttled: bool, latency_s: float) -> None:
        with self._lock:
            self.sent += 1
            self.throttled += throttled
            self.read_back += call.get_lead is not None
            if not throttled:
                self.latency_s += LATENCY_WEIGHT * (latency_s - self.latency_s)


def is_clear(answer: Answer | ActionAnswer) -> bool:
    """Each action was done, or refused for good."""
    return answer.effect in (Effect.DONE, Effect.REFUSED)


def is_answered(answer: Answer) -> bool:
    """Kartra answered in its own words, whatever is missing in them."""
    return answer.effect is not Effect.RETRY_LATER and bool(answer.body)


@dataclass(frozen=True, slots=True)
class ProfileRead:
    """What reading a lead back gave: its profile, or why there is none (234 unknown, 245 deleted)."""

    profile: LeadProfile | None
    type: str | None = None


class KartraClient:
    """Kartra for one App and one account; any number of threads may use it, or several clients and processes:
    on one host they share the rate of the App.

    A method named like a command sends it once and returns when Kartra said that it was done. Otherwise it
    raises an `ApiError`, by what there is to do next:

    - `RefusedApiError`: fix the request. Nothing was done; `type` is Kartra's number, or None where a rule
      known here was broken and nothing was sent.
    - `RetryableApiError`: send it again. It was not executed, or it only reads and was not answered.
    - `UnknownOutcomeError`: read back first, `read_back` says what. The answer was lost or says nothing.
    - `FatalApiError`: stop. Credentials, App or this machine's address are refused.

    Any command may also be answered 201-204, 233, 238-240, 242 (fatal), 262 (the App lacks the permission for
    this command) and 223, 224, 236, 254 (a request built wrongly: a bug here). In the docstrings, "again" is
    what a second execution of the same does: safe (the same end state), guarded (refused) or once only (a
    second effect). Times are Kartra's wall clock ("EST"), naive. Sections (§) are those of the API reference.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        limiter: CallLimiter,
        *,
        timeout_s: float = 30.0,
        connections: int = 64,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """`given_up` is asked while a call waits for its permit: once true, it comes back as not executed.

        `timeout_s` bounds the wait for an answer; connecting is bounded apart.
        """
        self.counts = CallCounts()
        self._credentials = credentials
        self._limiter = limiter
        self._given_up = given_up
        self._transport = Transport(url, timeout_s=timeout_s, connections=connections)
        self._readers = ThreadPoolExecutor(connections, thread_name_prefix="read")

    @classmethod
    def connect(
        cls,
        *,
        app_id: str,
        api_key: str,
        api_password: str,
        url: str = KARTRA_URL,
        calls_per_second: float = 20,
        timeout_s: float = 30.0,
    ) -> Self:
        """A client with the limiter that all processes of this host share for the App. Nothing is sent yet.

        The App id is its developer's, key and password are the account's (§1.4). Set `calls_per_second`
        lower where another host uses the App too. ValueError: a credential is empty, or the URL is neither
        https nor on this machine.
        """
        if not (app_id and api_key and api_password):
            raise ValueError("app_id, api_key and api_password are needed, and must not be empty")
        if not 0 < calls_per_second <= 20:
            raise ValueError("calls_per_second: more than 0, and 20 at most for one App")
        credentials = Credentials(app_id, api_key, api_password)
        limiter = limiter_for(url, app_id, calls_per_second=calls_per_second)
        return cls(url, credentials, limiter, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._readers.shutdown(wait=False)
        self._transport.close()
        self._limiter.close()

    # --- calls and answers

    def send(self, call: Call) -> Answer:
        """Send once. RETRY_LATER means it was proven not to have been executed, UNKNOWN that it may have."""
        return self._send(call, self._prepared(call))

    def read(self, call: Call, *, usable: Callable[[Answer], bool] = is_clear) -> Answer:
        """Send a call that only reads, again and again while nothing usable comes back.

        Raises FatalApiError, and RetryableApiError after READ_ATTEMPTS.
        """
        retrying = Retrying(
            retry=retry_if_result(lambda answer: answer.effect is not Effect.FATAL and not usable(answer)),
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5),
            sleep=self._sleep,
        )
        try:
            answer = retrying(self._send_or_give_up, call)
        except RetryError:
            raise RetryableApiError(
                f"Kartra gave no usable answer to {call.commands[0]} in {READ_ATTEMPTS} tries"
            ) from None
        if answer.effect is Effect.FATAL:
            raise fatal(answer)
        return answer

    def inventory(self, call: Call) -> Answer:
        """`read`, of what the account has. Raises FatalApiError (refused), RetryableApiError."""
        answer = self.read(call)
        if answer.effect is not Effect.DONE:
            raise refusal(call.commands[0], answer.type)
        return answer

    def chain(self, lead: Lead | None, *actions: Action) -> Answer:
        """Several actions on one lead in one call, such as create_lead, assign_tag, subscribe_lead_to_list.

        `create_lead`, `edit_lead` and `search_lead` only stand first, and `lead` then carries the profile.
        Returns when each action was done: `actions` of the answer hold what Kartra said to each, `lead_id`
        is there after a creation. Otherwise raises as every method does; `actions` of the error tell what
        became of each, for there is no transaction: those before a refused one were carried out, and of
        those whose entry is missing nobody knows. Again: as its most delicate action. §3.3, §4
        """
        with _rules():
            call = Call(actions, lead)
        return self._carried_out(call)

    # --- leads, §5.1

    def create_lead(self, lead: Lead) -> str:
        """A new lead with an email, fields and custom fields; the id of it comes back.

        Refused: 244 the address is taken (edit it), 245 it was deleted, 206 no address, 271 custom fields of
        a wrong form. An unknown custom field and an unknown option are ignored without a word (§7.3). In
        Test mode the address is stored under @kartra.com (§2.2). Again: guarded (244). §5.1
        """
        answer = self._act(lead, commands.create_lead)
        if answer.lead_id is None:
            where = SHOWN_BY["create_lead"]
            raise UnknownOutcomeError(
                f"created, but the answer has no id. Read back: {where}", read_back=where
            )
        return answer.lead_id

    def edit_lead(self, lead: Lead) -> None:
        """Change fields and custom fields of the lead with this id or email; what is not sent stays.

        `new_email` is what changes the address. A custom field is cleared by "", a standard field perhaps.
        Refused: 206, 243 no such lead, 244 `new_email` is taken, 245 deleted, 271 custom fields of a wrong
        form. Again: safe. §5.1
        """
        self._act(lead, commands.edit_lead)

    def search_lead(self, lead: Lead) -> str | None:
        """Is there such a lead? Its id, or None where Kartra only says yes. `get_lead` tells more.

        Refused: 206, 243 no such lead, 245 deleted. Again: safe. §5.1
        """
        return self._act(lead, commands.search_lead).lead_id

    def get_lead(self, lead: Lead) -> LeadProfile:
        """The whole profile: fields, tags, lists, sequences, custom fields; all Kartra sent in `details`.

        Refused: 234 no such lead, 245 deleted, 236. Again: safe. §6
        """
        with _rules():
            call = Call(get_lead=lead)
        return self._read(call, parse_profile)

    # --- tags, lists, sequences, points, §5.2: named exactly as the account's inventory has them

    def assign_tag(self, lead: Lead, tag_name: str) -> None:
        """Give the lead a tag, which must exist.

        Refused: 212 no such tag, 211 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.assign_tag, tag_name)

    def unassign_tag(self, lead: Lead, tag_name: str) -> None:
        """Take a tag from the lead; done, too, where it has none of that name.

        Refused: 214 no such tag, 213 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unassign_tag, tag_name)

    def subscribe_lead_to_list(self, lead: Lead, list_name: str) -> None:
        """Put the lead on a list. It may show in a profile "in a few moments" only (§3.4).

        Refused: 231 no such list, 207 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.subscribe_lead_to_list, list_name)

    def unsubscribe_lead_from_list(self, lead: Lead, list_name: str) -> None:
        """Take the lead off a list; done, too, where it is not on it. Its profile shows the list as left.

        Refused: 209 no such list, 208 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unsubscribe_lead_from_list, list_name)

    def subscribe_lead_to_sequence_at_step(self, lead: Lead, sequence_name: str, step: str | int) -> None:
        """Start a sequence for the lead at `step`, the number on the step's box.

        Refused: 219 no such sequence, 226 no name, 230 no such step, 225 no step, 229 not alphanumeric;
        206, 243 no such lead, 245 deleted. Again: once only (it may start over, or move the lead). §5.2
        """
        self._act(lead, commands.subscribe_lead_to_sequence_at_step, sequence_name, step)

    def unsubscribe_lead_from_sequence(self, lead: Lead, sequence_name: str) -> None:
        """End a sequence for the lead.

        Refused: 220 no such sequence, 226 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unsubscribe_lead_from_sequence, sequence_name)

    def give_points_to_lead(self, lead: Lead, points: int, *, expiration_days: int | None = None) -> None:
        """Add points, 1 or more. After `expiration_days` exactly these are taken off again; None or 0: never.

        Refused: 227 no number, 215 none given; 206, 243 no such lead, 245 deleted. Again: once only. §5.2
        """
        self._act(lead, commands.give_points_to_lead, points, expiration_days=expiration_days)

    def remove_points_from_lead(self, lead: Lead, points: int) -> None:
        """Take points off, 1 or more. What happens below zero is not documented.

        Refused: 228 no number, 217 none given; 206, 243 no such lead, 245 deleted. Again: once only. §5.2
        """
        self._act(lead, commands.remove_points_from_lead, points)

    # --- what the account has, §5.3: whole, without paging

    def retrieve_account_tags(self) -> tuple[str, ...]:
        """The names of all tags, in Kartra's order. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_tags).body, "account_tags")

    def retrieve_account_lists(self) -> tuple[str, ...]:
        """The names of all lists, in Kartra's order. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_lists).body, "account_lists")

    def retrieve_account_sequences(self) -> tuple[str, ...]:
        """The names of all sequences, in Kartra's order; not their steps. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_sequences).body, "account_sequences")

    def retrieve_account_pages(self) -> tuple[str, ...]:
        """The names of all pages; under which key Kartra answers them is inferred. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_pages).body, "account_pages")

    def retrieve_custom_fields(self) -> tuple[CustomFieldDefinition, ...]:
        """Each field's identifier and type, and of a choice its options with the ids that a lead is sent.

        Often slow: leave `timeout_s` at 30 or more. Again: safe. §7.1
        """
        return parse_custom_fields(self._act(None, commands.retrieve_custom_fields).body)

    def create_custom_field(
        self,
        identifier: str,
        type: CustomFieldType,  # noqa: A002 - Kartra's own word
        options: Iterable[str] = (),
    ) -> None:
        """A new custom field; a choice (drop_down, radio_button, checkbox) takes two options or more.

        Refused: 264 exists or is reserved, 263 not of letters, digits, dashes and underscores, 265 empty,
        269 no such type, 270, 272 an option without a name, 273 fewer than two. Again: guarded (264). §5.4
        """
        self._act(None, commands.create_custom_field, identifier, type, options)

    # --- calendars, §5.5

    def calendar_subscribe(
        self, lead: Lead, calendar_name: str, class_name: str, starting_at: datetime | None = None
    ) -> None:
        """Book a class of a calendar for the lead, from `starting_at` on by Kartra's wall clock.

        Refused: 257 no such calendar, or one whose setup is not completed, 258 no such class, 260 bad date,
        261 in the past, 255 and 256 no name; 206, 243 no such lead, 245 deleted. Again: once only. §5.5
        """
        self._act(lead, commands.calendar_subscribe, calendar_name, class_name, starting_at)

    def calendar_cancel(self, lead: Lead, calendar_name: str, class_name: str) -> None:
        """Cancel the booking of a class.

        Refused: 259 nothing is booked, 257 no such calendar, 258 no such class, 255 and 256 no name; 206,
        243 no such lead, 245 deleted. Again: guarded (259). §5.5
        """
        self._act(lead, commands.calendar_cancel, calendar_name, class_name)

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
        with _rules():
            return Call((build(*args, **options),), lead)

    def _read(self, call: Call, parse: Callable[[Mapping[str, Any]], Parsed | None]) -> Parsed:
        parsed = parse(self._carried_out(call).body)
        if parsed is None:
            raise RetryableApiError(f"the answer to {call.commands[0]} does not say whose it is: ask again")
        return parsed

    def _carried_out(self, call: Call) -> Answer:
        with _rules():
            request = self._prepared(call)
        answer = self._send(call, request)
        if error := error_for(call, answer):
            raise error
        return answer

    def _prepared(self, call: Call) -> PreparedRequest:
        return self._transport.prepare(encode_call(self._credentials, call))

    def _send(self, call: Call, request: PreparedRequest) -> Answer:
        deadline = time.monotonic() + THROTTLED_PATIENCE_S
        while (permit := self._limiter.acquire(given_up=self._given_up)) and not self._given_up():
            answer = self._post(call, request, permit)
            if not answer.throttled:
                return answer
            self._limiter.throttled()
            if time.monotonic() > deadline:
                return answer
        return uniform(call, Effect.RETRY_LATER)

    def _send_or_give_up(self, call: Call) -> Answer:
        """An answer to a read that nobody wants any more is not waited for."""
        sent = self._readers.submit(self.send, call)
        while not sent.done() and not self._given_up():
            wait([sent], timeout=0.2)
        return sent.result() if sent.done() else uniform(call, Effect.RETRY_LATER)

    def _post(self, call: Call, request: PreparedRequest, permit: float) -> Answer:
        started = time.monotonic()
        try:
            reply = self._transport.post(request, lambda: self._limiter.sent(permit))
        except NotSentError as error:
            log.debug("%s: not sent (%s)", call.commands[0], error)
            return uniform(call, Effect.RETRY_LATER)
        except NoReplyError as error:
            self.counts.count(call, throttled=False, latency_s=time.monotonic() - started)
            log.debug("%s: no answer (%s)", call.commands[0], error)
            return uniform(call, Effect.UNKNOWN)
        throttled = reply.status == 429
        self.counts.count(call, throttled=throttled, latency_s=time.monotonic() - started)
        return classify(call, reply.status, reply.body)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0 and not self._given_up():
            time.sleep(min(left_s, 0.2))


@contextmanager
def _rules() -> Iterator[None]:
    """What the builders refuse is told as a refusal: fix the request. It was not sent."""
    try:
        yield
    except ValueError as error:
        raise RefusedApiError(f"{error} (not sent)") from error


def profile_of(answer: Answer) -> ProfileRead:
    """The profile in the answer to get_lead."""
    if answer.effect is Effect.DONE:
        return ProfileRead(parse_profile(answer.body))
    return ProfileRead(None, answer.type)


def refusal(cmd: str, type: str | None) -> FatalApiError:  # noqa: A002 - Kartra's own word
    """For a refusal that would meet every further call of the kind."""
    return FatalApiError(f"Kartra refused {cmd}: {error_type(type).numbered}", type=type)


def fatal(answer: Answer) -> FatalApiError:
    return FatalApiError(f"Kartra: {error_type(answer.type).numbered}", type=answer.type)
