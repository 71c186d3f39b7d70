"""`key=value` words as the call of one command, by the types of its builder. Pure.

A ValueError names the parameter and the rule that was broken, never a value: it may be a person's.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from connectors.kartra import commands
from connectors.kartra.commands import LEAD_BOUND, LEAD_FIELDS, REPEAT, Call, CustomFieldValue, Lead, Repeat
from pipelines.words.nearest import nearest

COMMANDS = ("get_lead", *REPEAT)
MONEY = frozenset(
    {"refund_transaction", "cancel_transaction", "modify_subscription_status", "edit_subscription"}
)
CUSTOM_FIELD = "custom_fields."

_EXAMPLES: Mapping[str, str] = {
    "get_lead": "email=ann@example.org",
    "create_lead": "email=ann@example.org first_name=Ann custom_fields.note='two words'",
    "edit_lead": "email=ann@example.org city=Lyon custom_fields.fruits+=1 custom_fields.fruits+=2",
    "search_lead": "id=39260",
    "assign_tag": "email=ann@example.org tag_name=VIP",
    "unassign_tag": "email=ann@example.org tag_name=VIP",
    "subscribe_lead_to_list": "email=ann@example.org list_name=News",
    "unsubscribe_lead_from_list": "email=ann@example.org list_name=News",
    "subscribe_lead_to_sequence_at_step": "email=ann@example.org sequence_name=Onboarding step=1 --yes",
    "unsubscribe_lead_from_sequence": "email=ann@example.org sequence_name=Onboarding",
    "give_points_to_lead": "email=ann@example.org points=10 expiration_days=90 --yes",
    "remove_points_from_lead": "email=ann@example.org points=10 --yes",
    "create_custom_field": "identifier=colour type=drop_down options+=red options+=blue",
    "calendar_subscribe": "email=ann@example.org calendar_name=Coaching class_name='Discovery call' --yes",
    "calendar_cancel": "email=ann@example.org calendar_name=Coaching class_name='Discovery call'",
    "search_transaction": "transaction_id=738474",
    "get_transaction_details": "transaction_id=738474 --show",
    "retrieve_transactions_from_lead": "id=39260",
    "refund_transaction": "transaction_id=738474 refund_amount=7.50 --yes",
    "cancel_transaction": "transaction_id=738481 --yes",
    "search_subscription": "subscription_id=14833",
    "get_subscription_details": "subscription_id=14833",
    "retrieve_subscriptions_from_lead": "id=39260",
    "modify_subscription_status": "subscription_id=14833 status=pause --yes",
    "edit_subscription": "subscription_id=14833 amount=25.50 next_payment_at='2099-01-16 18:00' --yes",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    expects: str
    is_required: bool = False
    is_list: bool = False


def parameters_of(cmd: str) -> tuple[Parameter, ...]:
    """The parameters of a command: the lead it is for, then what its builder takes."""
    return (*_of_lead(cmd), *(parameter for parameter, _ in _of_builder(cmd)))


def needs_words(cmd: str) -> bool:
    """Whether a command needs parameters; the inventories do not."""
    return bool(parameters_of(cmd))


def example_of(cmd: str) -> str:
    return f"kartra-sync call {cmd} {_EXAMPLES.get(cmd, '')}".strip()


def call_of(cmd: str, words: Sequence[str]) -> Call:
    """The call that words such as `tag_name=VIP` ask for. `key+=value` adds one more value to a list."""
    given = _split(words)
    parameters = parameters_of(cmd)
    _check_names(given, parameters)
    options = {
        parameter.name: _value(parameter, read, given[parameter.name])
        for parameter, read in _of_builder(cmd)
        if parameter.name in given
    }
    if missing := [one.name for one in parameters if one.is_required and one.name not in given]:
        raise ValueError(f"{', '.join(missing)} missing")
    if cmd == "get_lead":
        return Call(get_lead=_lead(given))
    action = getattr(commands, cmd)(**options)
    return Call((action,), _lead(given) if cmd in LEAD_BOUND else None)


def confirmed_by(call: Call) -> tuple[str, str] | None:
    """The parameter that has to be typed once more, and its value; None where nothing is at stake.

    At stake is money, and whatever has a second effect when it is sent twice.
    """
    for action in call.actions:
        if action.cmd in MONEY:
            return next((name, str(value)) for name, value in action.params.items() if name.endswith("_id"))
        if action.repeat is Repeat.ONCE_ONLY and call.lead is not None:
            return ("id", call.lead.id) if call.lead.id else ("email", call.lead.email or "")
    return None


# The lead


def _of_lead(cmd: str) -> list[Parameter]:
    if cmd != "get_lead" and cmd not in LEAD_BOUND:
        return []
    if cmd == "create_lead":
        return [Parameter("email", "the new lead's address", is_required=True), *_PROFILE]
    known = [Parameter("email", "the lead's address, or"), Parameter("id", "the lead's number in Kartra")]
    return (
        [*known, Parameter("new_email", "another address for it"), *_PROFILE] if cmd == "edit_lead" else known
    )


_PROFILE = (
    *(Parameter(name, "text") for name in LEAD_FIELDS),
    Parameter(f"{CUSTOM_FIELD}NAME", "text, or the id of an option; += each id of a checkbox", is_list=True),
)


def _lead(given: Mapping[str, "_Given"]) -> Lead:
    def one(name: str) -> str | None:
        return given[name].values[0] if name in given else None

    return Lead(
        id=one("id"),
        email=one("email"),
        new_email=one("new_email"),
        fields={name: value.values[0] for name, value in given.items() if name in LEAD_FIELDS},
        custom_fields=tuple(
            CustomFieldValue(
                name.removeprefix(CUSTOM_FIELD), tuple(value.values) if value.is_list else value.values[0]
            )
            for name, value in given.items()
            if name.startswith(CUSTOM_FIELD)
        ),
    )


# Words


@dataclass(slots=True)
class _Given:
    values: list[str]
    is_list: bool


def _split(words: Sequence[str]) -> dict[str, _Given]:
    given: dict[str, _Given] = {}
    for word in words:
        name, equals, value = word.partition("=")
        is_list = name.endswith("+")
        name = name.removesuffix("+")
        if not equals or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError("key=value is expected, with quotes around a value with blanks")
        if any("\udc80" <= letter <= "\udcff" for letter in value):  # how Python takes other bytes
            raise ValueError(f"{name}: not UTF-8")
        if name in given and not (is_list and given[name].is_list):
            raise ValueError(f"{name} stands twice; several values are given as {name}+=")
        given.setdefault(name, _Given([], is_list)).values.append(value)
    return given


def _check_names(given: Mapping[str, _Given], parameters: Sequence[Parameter]) -> None:
    lists = {one.name for one in parameters if one.is_list}
    names = [one.name for one in parameters]
    for name, value in given.items():
        general = f"{CUSTOM_FIELD}NAME" if name.startswith(CUSTOM_FIELD) else name
        if general not in names:
            near = nearest(name, names)
            hint = f'did you mean "{near}"?' if near else f"known are {', '.join(names) or 'none'}"
            raise ValueError(f"unknown parameter {name}; {hint}")
        if value.is_list and general not in lists:
            raise ValueError(f"{name} takes one value")


def _value(parameter: Parameter, read: Callable[[str], object], given: _Given) -> object:
    try:
        values = [read(text) for text in given.values]
    except ValueError:
        raise ValueError(f"{parameter.name}: {parameter.expects} is expected") from None
    return values if parameter.is_list else values[0]


# What a builder takes, by its annotations


def _of_builder(cmd: str) -> list[tuple[Parameter, Callable[[str], object]]]:
    if cmd == "get_lead":
        return []
    builder = getattr(commands, cmd)
    hints = get_type_hints(builder)
    found = []
    for name, declared in inspect.signature(builder).parameters.items():
        expects, read, is_list = _kind(hints[name])
        is_required = declared.default is inspect.Parameter.empty
        found.append((Parameter(name, expects, is_required, is_list), read))
    return found


def _kind(hint: Any) -> tuple[str, Callable[[str], object], bool]:
    """What an annotation takes, in words; how a text becomes it; and whether it takes several."""
    if get_origin(hint) is Iterable:
        expects, read, _ = _kind(*get_args(hint))
        return f"{expects}, each with +=", read, True
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    words = [word for one in choices if get_origin(one) is Literal for word in get_args(one)]
    types = [one for one in choices if one is not NoneType and get_origin(one) is not Literal]
    if not types:
        return f"one of {', '.join(words)}", lambda text: _one_of(words, text), False
    expects, read = ("a number", str) if set(types) == {str, int} else _KINDS[types[0]]
    if not words:
        return expects, read, False
    return f"{expects}, or {', '.join(words)}", lambda text: text if text in words else read(text), False


def _one_of(words: Sequence[str], text: str) -> str:
    if text not in words:
        raise ValueError
    return text


def _whole(text: str) -> int:
    # `int` would also accept blanks, underscores and the digits of other scripts.
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]+)?", text):
        raise ValueError
    return Decimal(text)


_KINDS: Mapping[Any, tuple[str, Callable[[str], object]]] = {
    str: ("text", str),
    int: ("a whole number", _whole),
    Decimal: ("a number such as 22.50", _amount),
    datetime: (
        "a date and hour by Kartra's clock (EST), such as 2027-01-16 18:00",
        datetime.fromisoformat,
    ),
}
