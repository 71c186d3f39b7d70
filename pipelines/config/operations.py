"""The operations section: one row, one operation, each carried out once.

`TAKES` has the parameters of each operation; the room `operations` checks their values row by row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from pipelines.config.scalars import (
    TEXT,
    VARIABLE,
    Fault,
    Section,
    Text,
    also,
    beside,
    number_between,
    offer,
    plain_text,
    read_by,
    wrong,
)
from pipelines.config.shares import Share, ShareValue
from pipelines.config.sources import WRITTEN_SOURCE, SourceConfig, source_config
from pipelines.config.values import AnyValue, Value, one_value


class Do(StrEnum):
    """An operation, by the word a pipeline file has for it."""

    REFUND = "refund"
    CANCEL = "cancel"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    EDIT = "edit_subscription"
    SUBSCRIBE_CLASS = "calendar_subscribe"
    CANCEL_CLASS = "calendar_cancel"
    GIVE_POINTS = "give_points"
    REMOVE_POINTS = "remove_points"
    UNSUBSCRIBE = "unsubscribe"
    TAG = "tag"
    UNTAG = "untag"


MONEY = frozenset({Do.REFUND, Do.CANCEL, Do.PAUSE, Do.UNPAUSE, Do.EDIT})
"""Operations that move money now or later: a person has to agree, and the lead is compared first."""


@dataclass(frozen=True, slots=True)
class Takes:
    """The parameters of an operation: exactly one of each group in `needs`, and any of `may`."""

    needs: tuple[tuple[str, ...], ...]
    may: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*(name for group in self.needs for name in group), *self.may))


CHANGES = (
    *("amount", "next_payment_at", "product_id", "price_point", "product_quantity", "installments_left"),
    *("recurring_period_1", "recurring_period_2", "tax_percent"),
)
TAKES: Mapping[Do, Takes] = {
    Do.REFUND: Takes((("transaction",),), ("amount",)),
    Do.CANCEL: Takes((("transaction", "internal_subscription", "subscription"),)),
    Do.PAUSE: Takes((("subscription",),)),
    Do.UNPAUSE: Takes((("subscription",),)),
    Do.EDIT: Takes((("subscription",),), CHANGES),
    Do.SUBSCRIBE_CLASS: Takes((("calendar",), ("class",)), ("starting_at",)),
    Do.CANCEL_CLASS: Takes((("calendar",), ("class",))),
    Do.GIVE_POINTS: Takes((("points",),), ("expiration_days",)),
    Do.REMOVE_POINTS: Takes((("points",),)),
    Do.UNSUBSCRIBE: Takes((("list", "sequence"),)),
    Do.TAG: Takes((("tag",),)),
    Do.UNTAG: Takes((("tag",),)),
}

_WORDS = tuple(str(word) for word in Do)
_Parameter = Annotated[Value, BeforeValidator(one_value, json_schema_input_type=AnyValue)] | None


class Parameters(Section):
    """Where the parameters of an operation come from: a column, "{Template}", {constant}, {column, do}."""

    transaction: _Parameter = None
    """refund, cancel: Kartra's number of the transaction."""
    amount: _Parameter = None
    """refund: how much, such as 12.50, or the word full; edit_subscription: the amount of each payment."""
    internal_subscription: _Parameter = None
    """cancel: the internal number of the subscription, as transactions have it."""
    subscription: _Parameter = None
    """cancel, pause, unpause, edit_subscription: the number of the subscription."""
    next_payment_at: _Parameter = None
    """edit_subscription: when the next payment is due, by Kartra's clock (EST): 2027-01-16 18:00."""
    product_id: _Parameter = None
    """edit_subscription: another product; it needs price_point."""
    price_point: _Parameter = None
    """edit_subscription: the number of the price point of product_id."""
    product_quantity: _Parameter = None
    """edit_subscription: 1 to 9999."""
    installments_left: _Parameter = None
    """edit_subscription: a number, or until cancelled."""
    recurring_period_1: _Parameter = None
    """edit_subscription: monthly, every 2 months, quarterly, yearly, every 2 years, weekly, every 2 weeks."""
    recurring_period_2: _Parameter = None
    """edit_subscription: yearly or every 2 years, for recurring instalments alone."""
    tax_percent: _Parameter = None
    """edit_subscription: 0 to 100."""
    calendar: _Parameter = None
    """calendar_subscribe, calendar_cancel: the calendar's name."""
    class_name: _Parameter = Field(None, alias="class")
    """calendar_subscribe, calendar_cancel: the class's name."""
    starting_at: _Parameter = None
    """calendar_subscribe: when the class starts, by Kartra's clock (EST). Left out: Kartra decides."""
    points: _Parameter = None
    """give_points, remove_points: how many."""
    expiration_days: _Parameter = None
    """give_points: after so many days Kartra takes them off again."""
    list_name: _Parameter = Field(None, alias="list")
    """unsubscribe: the list's name."""
    sequence: _Parameter = None
    """unsubscribe: the sequence's name."""
    tag: _Parameter = None
    """tag, untag: the tag's name."""

    @property
    def given(self) -> dict[str, Value]:
        """The given parameters, by their name in a pipeline file."""
        named = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: value for name, value in named.items() if value is not None}


class LeadColumn(Section):
    """The column that names the lead of an operation: its address, or Kartra's number."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["email"]}, {"required": ["id"]}]})

    email: Text | None = None
    """The column that holds addresses."""
    id: Text | None = None
    """The column that holds Kartra's numbers of the leads."""

    @property
    def column(self) -> str:
        return self.email or self.id or ""


def _names_lead(lead: object) -> Iterator[Fault]:
    if isinstance(lead, Mapping) and lead.keys() <= {"email", "id"}:
        # Both would leave open whom the money belongs to where the two disagree.
        given = [key for key in ("email", "id") if lead.get(key) is not None]
        if len(given) != 1:
            yield (), wrong("either email or id is needed: the column that names the lead")


def _do(value: object, info: ValidationInfo) -> Value:
    """A word of `Do`, or the value that gives each row's word."""
    if isinstance(value, Mapping | Value):
        return one_value(value, info)
    word = plain_text(value)
    if word not in _WORDS:
        raise wrong(f"not one of {', '.join(_WORDS)}{offer(word, _WORDS)}")
    return Value(constant=word)


def _key(value: object) -> str:
    # As everywhere else in the file, where a column may be written as a map.
    if isinstance(value, Mapping) and set(value) == {"column"}:
        value = value["column"]
    return plain_text(value)


def _total(value: object) -> Decimal:
    try:
        total = Decimal(str(value))
    except InvalidOperation:
        # Refused below like the NaN that somebody may have written: Decimal reads that word as a number.
        total = Decimal("NaN")
    if not total.is_finite() or total < 0:
        raise wrong("an amount such as 5000 or 49.90 is expected")
    return total


class OperationGuards(Section):
    """Limits that stop a run before the first operation or on the way."""

    max_rows: Annotated[int, number_between(0, 999_999, whole=True)] = 10_000
    """The most operations the source may ask for, those of earlier runs included."""
    max_total: (
        Annotated[
            Decimal,
            read_by(
                _total,
                {
                    "anyOf": [
                        {"type": "number", "minimum": 0},
                        {"type": "string", "pattern": r"^[0-9.]+$"},
                        VARIABLE,
                    ]
                },
            ),
        ]
        | None
    ) = None
    """The most money that all refunds of the source may add up to, those of earlier runs included."""
    max_failed: ShareValue = Field(default=Share(fraction=0.05), json_schema_extra={"default": "5%"})
    """The most operations that may be refused or parked on the way."""


class OperationsConfig(Section):
    """Does one thing per row, once: refunds, changes of subscriptions, points, bookings, tags."""

    source: Annotated[SourceConfig, BeforeValidator(source_config, json_schema_input_type=WRITTEN_SOURCE)]
    """Where the rows come from: one source."""
    do: Annotated[
        Value,
        BeforeValidator(
            _do,
            json_schema_input_type=Annotated[
                Any, WithJsonSchema({"anyOf": [{"enum": list(_WORDS)}, VARIABLE]})
            ]
            | Value,
        ),
    ]
    """The operation, or {column: What} where each row names its own."""
    key: Annotated[str, read_by(_key, TEXT)]
    """The column that identifies a row for good: an operation is never done twice under one key."""
    lead: Annotated[LeadColumn, also(_names_lead)]
    """The lead: {email: column} or {id: column}. Money of any other lead is not touched."""
    parameters: Parameters
    """Parameter of the operation: column, "{Template}", {constant: …} or {column, do: [steps]}."""
    guards: OperationGuards = Field(default_factory=OperationGuards)
    """What stops a run: {max_rows, max_total, max_failed}."""
    results: Annotated[Path, read_by(beside, TEXT)] | None = None
    """A CSV with a line for each row and what became of it, written at the end of each run."""
    exact_results: bool = False
    """Every value in it as it is, for programs; or else with ' before what a spreadsheet would carry out."""

    @property
    def word(self) -> Do | None:
        """The operation if it is the same for all rows."""
        return Do(self.do.constant) if self.do.constant in _WORDS and not self.do.do else None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for fault in (_misfit(self), _overwrites(self)):
            if fault:
                raise wrong(fault)
        return self


def _misfit(operations: OperationsConfig) -> str:
    """The parameter that the operation of all rows lacks or does not take, as a message."""
    # Each row names its own operation then, and the parameters are checked row by row.
    if operations.word is None:
        return ""
    takes, given = TAKES[operations.word], operations.parameters.given.keys()
    if strange := sorted(given - takes.names):
        return (
            f"parameters: {operations.word} takes no {strange[0]}{offer(strange[0], takes.names)};"
            f" it takes {', '.join(sorted(takes.names))}"
        )
    for group in takes.needs:
        if not given & set(group):
            return f"parameters: {operations.word} needs {' or '.join(group)}"
    return ""


def _overwrites(operations: OperationsConfig) -> str:
    """A message if the results would be read as the source of the next run."""
    path = getattr(operations.source.options, "path", None)
    if operations.results is None or not isinstance(path, Path):
        return ""
    # Also by a glob, as in/*.csv: it takes in a file that is written there.
    if fnmatch(str(operations.results), str(path)):
        return "results: this file is read as the source; write them into another folder"
    return ""
