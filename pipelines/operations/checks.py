"""The reads before and after an operation: whose it is, its current state, what became of it.

Nothing here changes anything in Kartra. `proof` judges the answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from connectors.kartra import commands
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Action, Call, Lead, get_lead
from connectors.kartra.error_types import (
    CANCELLED_ALREADY,
    NO_TAG_TO_TAKE,
    NOTHING_BOOKED,
    REFUNDED_ALREADY,
    error_type,
)
from connectors.kartra.money import money_text
from connectors.kartra.payments import (
    Subscription,
    Transaction,
    parse_subscription,
    parse_transaction,
    parse_transaction_list,
)
from connectors.kartra.sender import ProfileRead, Sender, profile_of
from pipelines.changes.readback import same_address, test_address
from pipelines.config.kartra import Mode
from pipelines.config.operations import Do
from pipelines.operations.journal import Ended
from pipelines.operations.operation import Operation
from pipelines.operations.proof import (
    WISHED_STATUS,
    Judged,
    Verdict,
    judge_edit,
    judge_points,
    judge_profile,
    judge_refund,
    judge_status,
    paid,
    refunds_in,
    shown_by,
    status_of,
)

ANOTHERS = "belongs to another lead than the row says: not sent"
GUARDED = {
    Do.REFUND: REFUNDED_ALREADY,
    Do.CANCEL: CANCELLED_ALREADY,
    Do.CANCEL_CLASS: NOTHING_BOOKED,
    Do.UNTAG: NO_TAG_TO_TAKE,
}
"""The error type that says that the goal is reached already. Partial refunds have none."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An operation that may be sent: its lead as Kartra knows it, its amount, and the state before it."""

    lead: Lead
    amount: Decimal | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    rest: Decimal | None = None
    """What is left of the transaction to refund."""
    twins: tuple[str, ...] = ()
    """Earlier refunds of the same transaction with the same amount."""


@dataclass(frozen=True, slots=True)
class NewRefunds:
    """Refunds that a lead did not have before an intent; one of them may be the operation's."""

    numbers: tuple[str, ...]


class _RefusedError(Exception):
    """Kartra refused a read or returned no details; the argument is the error type."""


class Checks:
    """The reads; for any thread. Each method raises FatalApiError and RetryableApiError."""

    def __init__(self, client: Sender, mode: Mode) -> None:
        self._client = client
        self._mode = mode

    def check(self, asked: Operation) -> Checked | Ended:
        """Checks before money moves: whose it is, and what is left to do. Other operations pass."""
        if not asked.moves_money:
            return Checked(asked.lead)
        try:
            if asked.do is Do.REFUND:
                return self._check_refund(asked)
            if asked.transaction is not None:
                return self._check_cancel(asked)
            return self._check_subscription(asked)
        except _RefusedError as refused:
            return ended_by(asked, str(refused.args[0] or ""))

    def prepare(self, asked: Operation, checked: Checked, *, again: bool) -> Checked | Ended:
        """Reads just before an intent what may have changed since the check: score and earlier refunds.

        `again`: something was sent for this lead since the check.
        """
        if asked.do is Do.REFUND and again:
            try:
                refunds = self._refunds_of(checked.lead)
            except _RefusedError as refused:
                return ended_by(asked, str(refused.args[0] or ""))
            return replace(checked, before={"refunds": list(refunds)})
        is_scored = asked.do in (Do.GIVE_POINTS, Do.REMOVE_POINTS)
        if asked.moves_money or not (is_scored or (self._mode == "test" and asked.lead.email)):
            return checked
        read = self._profile(asked.lead)
        if read.profile is None:
            return ended_by(asked, read.type or "")
        # Test mode stores another address than the one that is given (§2.2): its number finds the lead in
        # both modes.
        lead = Lead(id=read.profile.id) if read.profile.id else asked.lead
        return Checked(lead, None, {"score": read.profile.score} if is_scored else {})

    def amount_of(self, refund_id: str) -> Decimal | None:
        """The amount of a refund; None if Kartra does not say."""
        try:
            return paid(self._transaction(refund_id))
        except _RefusedError:
            return None

    def judge(
        self,
        asked: Operation,
        lead: Lead,
        before: Mapping[str, Any],
        amount: Decimal | None,
    ) -> Judged | NewRefunds:
        """Whether an unanswered try was carried out, by what Kartra shows now.

        New refunds come back as they are: the journal knows which belong to other operations, and
        `judge_refunds` judges the rest.
        """
        try:
            match asked.do:
                case Do.REFUND:
                    new = self._new_refunds(lead, before)
                    return NewRefunds(new) if new else judge_refund(asked, amount, ())
                case Do.CANCEL | Do.PAUSE | Do.UNPAUSE | Do.EDIT:
                    return self._judge_subscription(asked, before)
                case Do.SUBSCRIBE_CLASS:
                    return Judged(Verdict.UNPROVEN, "no profile shows bookings")
                case Do.CANCEL_CLASS:  # a second one is refused
                    return Judged(Verdict.NOT_LANDED)
            read = self._profile(lead)
        except _RefusedError as refused:
            return Judged(Verdict.UNPROVEN, _reason(str(refused.args[0] or "")))
        if read.profile is None:
            return Judged(Verdict.UNPROVEN, _reason(read.type))
        if asked.do in (Do.GIVE_POINTS, Do.REMOVE_POINTS):
            return judge_points(asked, before.get("score"), read.profile.score)
        return judge_profile(asked, read.profile)

    def judge_refunds(self, asked: Operation, amount: Decimal | None, numbers: Sequence[str]) -> Judged:
        """Judges by refunds that belong to no other operation."""
        try:
            return judge_refund(asked, amount, [self._transaction(number) for number in numbers])
        except _RefusedError as refused:
            return Judged(Verdict.UNPROVEN, _reason(str(refused.args[0] or "")))

    # --- checks

    def _check_refund(self, asked: Operation) -> Checked | Ended:
        sale = self._transaction(asked.transaction or "")
        if not self._belongs(asked, sale.lead_id, sale.lead_email):
            return Ended("refused", reason=f"the transaction {ANOTHERS}")
        # A refund without an answer is looked for in the list of its lead: without one it could never be
        # proven.
        if not sale.lead_id:
            return Ended("refused", reason="Kartra does not say whose transaction it is: not sent")
        if (whole := paid(sale)) is None:
            return Ended("refused", reason="Kartra does not say how much was paid: not sent")
        lead = Lead(id=sale.lead_id)
        refunds = self._refunds_of(lead)
        rows = [self._transaction(number) for number in refunds]
        earlier = [
            (number, paid(row) or Decimal(0))
            for number, row in zip(refunds, rows, strict=True)
            if row.transaction_parent_id == asked.transaction
        ]
        rest = whole - sum((amount for _, amount in earlier), Decimal(0))
        if rest <= 0:
            reason = "everything was refunded before, not under this key"
            return Ended("already done" if asked.amount is None else "refused", REFUNDED_ALREADY, reason)
        if asked.amount is not None and asked.amount > rest:
            return above(rest)
        twins = tuple(number for number, amount in earlier if amount == asked.amount)
        return Checked(lead, asked.amount or rest, {"refunds": list(refunds)}, rest, twins)

    def _check_cancel(self, asked: Operation) -> Checked | Ended:
        """Checks a cancellation by a transaction; the subscription behind it shows whether it is
        cancelled."""
        sale = self._transaction(asked.transaction or "")
        if not self._belongs(asked, sale.lead_id, sale.lead_email):
            return Ended("refused", reason=f"the transaction {ANOTHERS}")
        lead = Lead(id=sale.lead_id) if sale.lead_id else asked.lead
        number = sale.transaction_internal_subscription_id
        if not number:
            return Checked(lead)
        try:
            behind = self._subscription(number)
        # Nothing documents that this number is the one the subscription commands take (§8.4).
        except _RefusedError:
            return Checked(lead)
        if status_of(behind) == WISHED_STATUS[Do.CANCEL]:
            return _is_so(asked)
        return Checked(lead, before={"subscription_id": number})

    def _check_subscription(self, asked: Operation) -> Checked | Ended:
        held = self._subscription(asked.subscription or "")
        if not self._belongs(asked, held.subscription_lead_id, None):
            return Ended("refused", reason=f"the subscription {ANOTHERS}")
        if asked.do is Do.EDIT:
            is_so = judge_edit(asked, {}, held).verdict is Verdict.LANDED and _all_shown(asked, held)
        else:
            is_so = status_of(held) == WISHED_STATUS[asked.do]
        if is_so:
            return _is_so(asked)
        before = {"subscription_id": asked.subscription, "shown": shown_by(held)}
        lead_id = held.subscription_lead_id
        return Checked(Lead(id=lead_id) if lead_id else asked.lead, before=before)

    def _belongs(self, asked: Operation, lead_id: str | None, lead_email: str | None) -> bool:
        """Whether it is this lead's. A sale keeps the address at purchase; if that differs, the number
        decides."""
        if asked.lead.id:
            return lead_id == asked.lead.id
        if lead_email and same_address(asked.lead.email or "", lead_email):
            return True
        profile = self._profile(asked.lead).profile
        return bool(lead_id) and profile is not None and profile.id == lead_id

    # --- looking back

    def _new_refunds(self, lead: Lead, before: Mapping[str, Any]) -> tuple[str, ...]:
        earlier = set(before.get("refunds", ()))
        return tuple(number for number in self._refunds_of(lead) if number not in earlier)

    def _judge_subscription(self, asked: Operation, before: Mapping[str, Any]) -> Judged:
        """Judges by the subscription. Without one a cancellation may be sent again: Kartra refuses a second
        one."""
        number = before.get("subscription_id")
        if number is None:
            return Judged(Verdict.NOT_LANDED)
        held = self._subscription(str(number))
        if asked.do is Do.EDIT:
            return judge_edit(asked, before.get("shown", {}), held)
        return judge_status(asked, held)

    # --- reads

    def _transaction(self, number: str) -> Transaction:
        found = parse_transaction(self._read(commands.get_transaction_details(number)).body)
        if found is None:
            raise _RefusedError(None)
        return found

    def _subscription(self, number: str) -> Subscription:
        found = parse_subscription(self._read(commands.get_subscription_details(number)).body)
        if found is None:
            raise _RefusedError(None)
        return found

    def _refunds_of(self, lead: Lead) -> tuple[str, ...]:
        answer = self._read(commands.retrieve_transactions_from_lead(), lead)
        return refunds_in(parse_transaction_list(answer.body))

    def _read(self, action: Action, lead: Lead | None = None) -> Answer:
        answer = self._client.read(Call((action,), lead))
        if answer.effect is Effect.REFUSED:
            raise _RefusedError(answer.type)
        return answer

    def _profile(self, lead: Lead) -> ProfileRead:
        read = ProfileRead(None)
        for call in self._lookups(lead):
            read = profile_of(self._client.read(call))
            if read.profile is not None:
                break
        return read

    def _lookups(self, lead: Lead) -> Iterator[Call]:
        """The calls that find a lead; Test mode may have stored another domain."""
        if lead.id:
            yield get_lead(id=lead.id)
            return
        email = lead.email or ""
        if self._mode == "test":
            yield get_lead(email=test_address(email))
        yield get_lead(email=email)


def ended_by(asked: Operation, number: str) -> Ended:
    """The end after a refusal, if no try was open before it."""
    is_whole = asked.amount is None or asked.do is not Do.REFUND
    if number and GUARDED.get(asked.do) == number and is_whole:
        return Ended("already done", number, _reason(number))
    return Ended("refused", number or None, _reason(number))


def above(rest: Decimal) -> Ended:
    """The end of a refund of more than is left."""
    return Ended("refused", reason=f"more than what is left of the transaction, {money_text(rest)}: not sent")


def _is_so(asked: Operation) -> Ended:
    return Ended("already done", reason="it was so before, not by this row")


def _all_shown(asked: Operation, held: Subscription) -> bool:
    return asked.values.keys() - {"subscription"} <= shown_by(held).keys()


def _reason(number: str | None) -> str:
    if not number:
        return "Kartra gives no details of it: not sent"
    return error_type(number).explanation
