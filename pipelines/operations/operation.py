"""Turns one row into one operation, or a reason why not. Pure: sees no clock, account or state.

Every rule of Kartra that can be checked beforehand is checked here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from connectors.kartra import commands
from connectors.kartra.commands import LEAD_BOUND, UNTIL_CANCELLED, Action, Call, Lead
from connectors.kartra.money import money_text
from pipelines.config.operations import CHANGES, MONEY, TAKES, Do, OperationsConfig
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.contacts.columns import check_used
from pipelines.contacts.lead import Record
from pipelines.contacts.mapping import Invalid
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.values import UnusableError, reader

FULL = "full"
"""The amount that refunds everything that is left. A blank does not mean that, because it may be a slip."""
# No comma: 1,250 may be a thousand, or one and a quarter.
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_MOMENTS = ("next_payment_at", "starting_at")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a row asks for. `values` are its parameters in their normal form."""

    key: str
    do: Do
    lead: Lead
    values: Mapping[str, str]

    @property
    def moves_money(self) -> bool:
        return self.do in MONEY

    @property
    def amount(self) -> Decimal | None:
        """The amount of a partial refund; None for everything else."""
        given = self.values.get("amount")
        return None if self.do is not Do.REFUND or given is None else Decimal(given)

    @property
    def transaction(self) -> str | None:
        return self.values.get("transaction")

    @property
    def subscription(self) -> str | None:
        return self.values.get("subscription") or self.values.get("internal_subscription")

    @property
    def place(self) -> str:
        """What it acts on, and whose it is. While an operation is unknown, others at its place wait."""
        return place_of(named_lead(self.lead), self.target)

    @property
    def target(self) -> str:
        """What it acts on, in words for people."""
        if self.transaction:
            return f"transaction {self.transaction}"
        if self.subscription:
            return f"subscription {self.subscription}"
        if self.do in (Do.GIVE_POINTS, Do.REMOVE_POINTS):
            return "points"
        if "class" in self.values:
            return f"{self.values['calendar']}: {self.values['class']}"
        return next(iter(self.values.values()))

    @property
    def digest(self) -> bytes:
        """A hash of everything but the key."""
        asked = [str(self.do), self.lead.id, self.lead.email, dict(sorted(self.values.items()))]
        return blake2b(json.dumps(asked, ensure_ascii=False).encode(), digest_size=16).digest()

    @property
    def action(self) -> Action:
        """The command. ValueError if it breaks a rule of Kartra."""
        return _BUILDERS[self.do](self)

    def in_the_past(self, now: datetime) -> str | None:
        """The parameter with a time before `now`, both by Kartra's clock."""
        return next(
            (name for name in _MOMENTS if (at := self.values.get(name)) and datetime.fromisoformat(at) < now),
            None,
        )

    def call(self, lead: Lead) -> Call:
        """The call for this lead; commands that act on a number take no lead."""
        action = self.action
        return Call((action,), lead if action.cmd in LEAD_BOUND else None)

    def to_json(self) -> dict[str, Any]:
        return {
            "do": str(self.do),
            "lead": {"id": self.lead.id, "email": self.lead.email},
            "values": dict(self.values),
        }

    @staticmethod
    def from_json(key: str, stored: Mapping[str, Any]) -> "Operation":
        return Operation(key, Do(stored["do"]), Lead(**stored["lead"]), stored["values"])


def named_lead(lead: Lead) -> str:
    return f"id:{lead.id}" if lead.id else f"email:{lead.email}"


def place_of(lead: str, target: str) -> str:
    """The place of a target: transactions and subscriptions by their number, anything else by its lead."""
    return target if target.startswith(("transaction ", "subscription ")) else f"{lead}\n{target}"


ReadRow = Callable[[Record], Operation | Invalid]


def operation_reader(operations: OperationsConfig, columns: tuple[str, ...]) -> ReadRow:
    """A function that reads the rows of a source with these columns.

    Raises ConfigError if the pipeline file names a column that the source lacks or has twice.
    """
    check_used(list(used_columns(operations)), columns)
    word = reader(operations.do)
    parameters = {name: reader(value) for name, value in operations.parameters.given.items()}
    from_columns = {name for name, value in operations.parameters.given.items() if value.columns}

    def read(record: Record) -> Operation | Invalid:
        key = normal_cell(record[operations.key])
        if not key:
            return Invalid(f'no key: the column "{operations.key}" is blank')
        try:
            do = _do_of(str(word(record)))
            lead = _lead(operations, record)
            given = {name: text for name, take in parameters.items() if (text := str(take(record)))}
            values = _values(do, given, from_columns, asks_amount="amount" in parameters)
            operation = Operation(key, do, lead, values)
            # Built and dropped: what breaks a rule of Kartra's is found now, and not when its turn has come.
            _ = operation.action
        except (InvalidAddressError, UnusableError) as error:
            return Invalid(str(error), key)
        except ValueError as error:
            return Invalid(f"{do}: {error}", key)
        return operation

    return read


def used_columns(operations: OperationsConfig) -> Iterator[tuple[str, str]]:
    """Each (place in the pipeline file, column) that is read."""
    yield "operations.key", operations.key
    yield "operations.lead", operations.lead.column
    for column in operations.do.columns:
        yield "operations.do", column
    for name, value in operations.parameters.given.items():
        for column in value.columns:
            yield f"operations.parameters.{name}", column


def _do_of(text: str) -> Do:
    try:
        return Do(text.lower())
    except ValueError:
        raise UnusableError(f"unknown operation; use one of {', '.join(Do)}") from None


def _lead(operations: OperationsConfig, record: Record) -> Lead:
    cell = normal_cell(record[operations.lead.column])
    if operations.lead.email:
        return Lead(email=normal_address(cell))
    if not re.fullmatch(r"[0-9]{1,18}", cell):
        raise UnusableError(f'the column "{operations.lead.column}" does not hold the number of a lead')
    return Lead(id=cell)


def _values(do: Do, given: dict[str, str], from_columns: set[str], *, asks_amount: bool) -> dict[str, str]:
    """The parameters of `do`. Others are refused, because somebody may have meant them."""
    takes = TAKES[do]
    for name in sorted(given.keys() - takes.names):
        if name in from_columns:
            raise UnusableError(f"{do} takes no {name}: its cell has to be blank")
    for group in takes.needs:
        named = [name for name in group if name in given]
        if not named:
            raise UnusableError(f"{do} needs {' or '.join(group)}: the cell is blank")
        if len(named) > 1:
            raise UnusableError(f"{do} needs one of {' and '.join(named)}, both are given")
    # Where a file has amounts, a forgotten one must not pay everything back.
    if do is Do.REFUND and asks_amount and "amount" not in given:
        raise UnusableError("the amount is blank; a refund of everything that is left says full")
    if do is Do.EDIT and not given.keys() & set(CHANGES):
        raise UnusableError("edit_subscription needs at least one change, all cells are blank")
    values = {name: _in_one_form(do, name, text) for name, text in given.items() if name in takes.names}
    return {name: text for name, text in values.items() if (name, text) != ("amount", FULL)}


def _in_one_form(do: Do, name: str, text: str) -> str:
    match name:
        case "amount" if do is Do.REFUND and text.lower() == FULL:
            return FULL
        case "amount":
            if not _AMOUNT.fullmatch(text):
                raise UnusableError("the amount is not a number; write it as 12.50, without a currency")
            return money_text(Decimal(text))
        case "tax_percent":
            if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", text):
                raise UnusableError("tax_percent is not a number (write 19 or 7.5)")
            return text
        case "installments_left" if text.lower() == UNTIL_CANCELLED:
            return UNTIL_CANCELLED
        case "recurring_period_1" | "recurring_period_2":
            return text.lower()
        case "next_payment_at" | "starting_at":
            return _moment(name, text)
        case "calendar" | "class" | "list" | "sequence" | "tag":
            return text
        case _:
            if not re.fullmatch(r"[0-9]{1,18}", text):
                raise UnusableError(f"{name} is not a whole number")
            # 007 and 7 are one transaction: as two, neither refund would know of the other.
            return text.lstrip("0") or "0"


def _moment(name: str, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # A zone is refused and not converted: what Kartra's EST is in summer nobody knows (§8.5).
    if moment is None or moment.tzinfo is not None:
        raise UnusableError(f"{name} is not a date and time; write it in Kartra's time as 2027-01-16 18:00")
    return moment.isoformat(" ", "minutes")


# How each operation is said to Kartra


def _refund(asked: Operation) -> Action:
    return commands.refund_transaction(asked.values["transaction"], asked.amount)


def _cancel(asked: Operation) -> Action:
    # Two families of ids (§8.4): each has the command that is documented for it.
    if "subscription" in asked.values:
        return commands.modify_subscription_status(asked.values["subscription"], "cancel")
    return commands.cancel_transaction(
        transaction_id=asked.transaction,
        internal_subscription_id=asked.values.get("internal_subscription"),
    )


def _edit(asked: Operation) -> Action:
    values = asked.values
    left = values.get("installments_left")
    moment = values.get("next_payment_at")
    return commands.edit_subscription(
        values["subscription"],
        product_id=values.get("product_id"),
        price_point=_whole(values.get("price_point")),
        next_payment_at=datetime.fromisoformat(moment) if moment else None,
        amount=_decimal(values.get("amount")),
        recurring_period_1=values.get("recurring_period_1"),
        recurring_period_2=values.get("recurring_period_2"),
        product_quantity=_whole(values.get("product_quantity")),
        installments_left=UNTIL_CANCELLED if left == UNTIL_CANCELLED else _whole(left),
        tax_percent=_decimal(values.get("tax_percent")),
    )


def _subscribe_class(asked: Operation) -> Action:
    moment = asked.values.get("starting_at")
    return commands.calendar_subscribe(
        asked.values["calendar"],
        asked.values["class"],
        datetime.fromisoformat(moment) if moment else None,
    )


def _unsubscribe(asked: Operation) -> Action:
    if "list" in asked.values:
        return commands.unsubscribe_lead_from_list(asked.values["list"])
    return commands.unsubscribe_lead_from_sequence(asked.values["sequence"])


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


_BUILDERS: Mapping[Do, Callable[[Operation], Action]] = {
    Do.REFUND: _refund,
    Do.CANCEL: _cancel,
    Do.PAUSE: lambda asked: commands.modify_subscription_status(asked.values["subscription"], "pause"),
    Do.UNPAUSE: lambda asked: commands.modify_subscription_status(asked.values["subscription"], "unpause"),
    Do.EDIT: _edit,
    Do.SUBSCRIBE_CLASS: _subscribe_class,
    Do.CANCEL_CLASS: lambda asked: commands.calendar_cancel(asked.values["calendar"], asked.values["class"]),
    Do.GIVE_POINTS: lambda asked: commands.give_points_to_lead(
        int(asked.values["points"]), expiration_days=_whole(asked.values.get("expiration_days"))
    ),
    Do.REMOVE_POINTS: lambda asked: commands.remove_points_from_lead(int(asked.values["points"])),
    Do.UNSUBSCRIBE: _unsubscribe,
    Do.TAG: lambda asked: commands.assign_tag(asked.values["tag"]),
    Do.UNTAG: lambda asked: commands.unassign_tag(asked.values["tag"]),
}
