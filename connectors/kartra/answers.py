"""Classifies Kartra's answers: each action is done, refused, to be sent again, fatal or unknown. Pure.

Kartra answers HTTP 200 for failures too, in five shapes S1-S5 (§3.1) and as text/html. An effect that the
answer does not prove is `unknown`: an action of a chain is done only if it has an entry of its own (§3.3).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from connectors.kartra.commands import Call
from connectors.kartra.error_types import ErrorClass, ErrorType, error_type
from connectors.nesting import is_deeper, may_be_deeper


class Effect(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    RETRY_LATER = "retry_later"  # not executed
    FATAL = "fatal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ActionAnswer:
    """The answer to one action. `type` is None when done; `payload` is its inner object or the flat body."""

    effect: Effect
    type: str | None = None
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`actions` in request order, one for get_lead. `type` is the error type that decided `effect`.

    `throttled` marks Kartra's own 429 among the reasons to send again later. `status` is HTTP's, None if no
    answer came. `trouble` is empty for an answer of Kartra's own; else it says, fit for a message, why
    nothing was sent or no answer came, or quotes the first words of an answer from something in front of
    Kartra.

    `refused_on_the_way`: something in front of Kartra answered, and will answer the same request in the same
    way (403, 406, 413, a page). Probably nothing was done, but that is not proven, so `effect` is UNKNOWN.
    """

    effect: Effect
    actions: tuple[ActionAnswer, ...]
    type: str | None
    body: Mapping[str, Any]
    throttled: bool = False
    status: int | None = None
    trouble: str = ""
    refused_on_the_way: bool = False

    @property
    def lead_id(self) -> str | None:
        details = found(self.body, "lead_details")
        identifier = details.get("id") if isinstance(details, Mapping) else None
        return str(identifier) if identifier and isinstance(identifier, str | int) else None


MAX_DEPTH = 64
"""Far deeper than any answer; what is deeper cannot be walked through."""
# The worst speaks for its chain: what nobody knows outranks a refusal, because it has to be read back.
_PRECEDENCE = (Effect.FATAL, Effect.RETRY_LATER, Effect.UNKNOWN, Effect.REFUSED, Effect.DONE)
_EFFECTS = {
    ErrorClass.FATAL: Effect.FATAL,
    ErrorClass.REFUSED: Effect.REFUSED,
    ErrorClass.RETRY: Effect.RETRY_LATER,
    ErrorClass.AMBIGUOUS: Effect.UNKNOWN,
}
_MALFORMED = frozenset({"223", "224", "236"})  # refused as a whole, before any action
_NO_LEAD = frozenset({"206", "243", "244", "245", "271"})  # the lead of the chain failed, so nothing was done

_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# Possessive quantifiers (++, *+): an answer of megabytes must not make the search backtrack.
_NOTICE = re.compile(r"\A(?:<br|<b>|PHP |Notice:|Warning:|Deprecated:)|\}\s*(?:<br|<b>|PHP )")
_ONE_NOTICE = (
    r"\s*+(?:<br ?/?>\s*+)?(?:<b>)?(?:PHP )?(?:Notice|Warning|Deprecated|Strict Standards)(?:</b>)?:[^\n{]*?"
    r" on line (?:<b>)?\d++(?:</b>)?(?:<br ?/?>)?"
)
_NOTICES = re.compile(rf"(?:{_ONE_NOTICE})++\s*+(?=\{{)")
_NOTICES_BEHIND = re.compile(rf"\}}(?:{_ONE_NOTICE})++\s*+\Z")

# A read that "succeeds" without its data is no answer: taking it for an empty one would say that all is gone.
# Not retrieve_account_pages, whose key nobody has seen (§5.3).
_DETAILS = {
    "get_lead": "lead_details",
    "get_transaction_details": "transaction_details",
    "get_subscription_details": "subscription_details",
}
_LISTS = {
    "retrieve_account_tags": "account_tags",
    "retrieve_account_lists": "account_lists",
    "retrieve_account_sequences": "account_sequences",
    "retrieve_custom_fields": "custom_fields",
    "retrieve_transactions_from_lead": "transaction_list",
    "retrieve_subscriptions_from_lead": "subscriptions_list",
}


def classify(call: Call, http_status: int, body: bytes | str) -> Answer:
    """The answer to `call`. Only a 429 proves that nothing was executed; Content-Type does not matter."""
    answered = _object(body)
    if http_status == 429:
        return replace(uniform(call, Effect.RETRY_LATER, answered), throttled=True)
    # The documentation knows no other status (§1.1): a 403 or 502 comes from something in front of Kartra,
    # and the request may have gone through before.
    if http_status != 200 or answered is None:
        return uniform(call, Effect.UNKNOWN, answered)
    status = _status(answered)
    if status == "error":
        return _answer(_failed(call, answered), answered, _type(answered))
    if status in ("success", ""):  # an S3 fragment has no status of its own
        return _answer(_succeeded(call, answered, flat_success=status == "success"), answered)
    return uniform(call, Effect.UNKNOWN, answered)


def uniform(call: Call, effect: Effect, body: Mapping[str, Any] | None = None) -> Answer:
    """An answer with one effect for every action, also for a call that was never sent or got no answer."""
    return _answer(_all(call, effect), body or {})


def _answer(actions: Sequence[ActionAnswer], body: Mapping[str, Any], flat_type: str | None = None) -> Answer:
    effect = min((action.effect for action in actions), key=_PRECEDENCE.index)
    types = [action.type for action in actions if action.effect is effect and action.type]
    return Answer(effect, tuple(actions), flat_type or next(iter(types), None), body)


def _all(call: Call, effect: Effect, number: str | None = None) -> list[ActionAnswer]:
    return [ActionAnswer(effect, number) for _ in call.commands]


def _succeeded(call: Call, body: Mapping[str, Any], *, flat_success: bool) -> list[ActionAnswer]:
    entries = list(_entries(call, body))
    if not entries and len(call.commands) == 1 and flat_success and "actions" not in body:
        return [_single(call.commands[0], body)]
    return [
        ActionAnswer(Effect.UNKNOWN) if inner is None else _single(cmd, inner)
        for cmd, inner in zip(call.commands, _matched(call, entries), strict=True)
    ]


def _single(cmd: str, inner: Mapping[str, Any]) -> ActionAnswer:
    status = _status(inner)
    if status == "error":
        return _refusal(error_type(_type(inner)), inner)
    if status in ("success", "") and _has_its_data(cmd, inner):
        return ActionAnswer(Effect.DONE, None, inner)
    return ActionAnswer(Effect.UNKNOWN, None, inner)


def _failed(call: Call, body: Mapping[str, Any]) -> list[ActionAnswer]:
    error = error_type(_type(body))
    if error.error_class is ErrorClass.FATAL:
        return _all(call, Effect.FATAL, error.type)
    if entries := list(_entries(call, body)):
        return [
            _failed_entry(cmd, inner)
            for cmd, inner in zip(call.commands, _matched(call, entries), strict=True)
        ]
    if len(call.commands) == 1:
        return [_refusal(error, body)]
    # Kartra checks the form of a call and the lead before it runs any action; the other errors of a chain may
    # come after actions that were carried out.
    if error.type in _MALFORMED or (error.type in _NO_LEAD and call.commands[0] in error.commands):
        return _all(call, Effect.REFUSED, error.type)
    return _blamed(call, error)


def _failed_entry(cmd: str, inner: Mapping[str, Any] | None) -> ActionAnswer:
    """Under an error at the top level an entry can prove a refusal, but not a success (§3.3)."""
    answer = ActionAnswer(Effect.UNKNOWN) if inner is None else _single(cmd, inner)
    return ActionAnswer(Effect.UNKNOWN, None, inner) if answer.effect is Effect.DONE else answer


def _blamed(call: Call, error: ErrorType) -> list[ActionAnswer]:
    """A chain answered by one flat error. Whether the other actions ran is not documented (§3.3)."""
    suspects = [not error.commands or cmd in error.commands for cmd in call.commands]
    # With two suspects the error may belong to either, and the other one may have been carried out.
    effect = _EFFECTS[error.error_class] if suspects.count(True) == 1 else Effect.UNKNOWN
    return [
        ActionAnswer(effect, error.type or None) if suspect else ActionAnswer(Effect.UNKNOWN)
        for suspect in suspects
    ]


def _refusal(error: ErrorType, inner: Mapping[str, Any]) -> ActionAnswer:
    return ActionAnswer(_EFFECTS[error.error_class], error.type or None, inner)


_Entry = tuple[str | None, str, Mapping[str, Any]]  # position as text, cmd, inner object


def _entries(call: Call, body: Mapping[str, Any]) -> Iterator[_Entry]:
    """The entries of S2's `actions`, also as PHP's list with gaps; else S3's fragments beside the status."""
    rows = body.get("actions")
    if isinstance(rows, list):
        numbered = [(str(position), row) for position, row in enumerate(rows)]
    elif isinstance(rows, Mapping) and all(key.isdecimal() for key in rows):
        numbered = list(rows.items())
    else:
        yield from _named(call, None, rows if isinstance(rows, Mapping) else body)
        return
    for position, row in numbered:
        yield from _named(call, position, decoded(row))


def _named(call: Call, position: str | None, row: object) -> Iterator[_Entry]:
    for cmd, value in row.items() if isinstance(row, Mapping) else ():
        inner = decoded(value)
        if cmd in call.commands and isinstance(inner, Mapping):
            yield position, cmd, {key: decoded(entry) for key, entry in inner.items()}


def _matched(call: Call, entries: list[_Entry]) -> list[Mapping[str, Any] | None]:
    """The entry of each action: by position if all fit the request, else by order within each command."""
    asked = {str(position): cmd for position, cmd in enumerate(call.commands)}
    by_position = {position: inner for position, _, inner in entries}
    # Positions count only if every entry has one that fits: half of a fit could give an answer to the wrong
    # action.
    if len(by_position) == len(entries) and all(asked.get(place or "") == cmd for place, cmd, _ in entries):
        return [by_position.get(position) for position in asked]
    waiting = {cmd: iter([inner for _, name, inner in entries if name == cmd]) for cmd in call.commands}
    return [next(waiting[cmd], None) for cmd in call.commands]


def _has_its_data(cmd: str, inner: Mapping[str, Any]) -> bool:
    if cmd in _DETAILS:
        return isinstance(inner.get(_DETAILS[cmd]), Mapping)
    if cmd in _LISTS:
        rows = inner.get(_LISTS[cmd], False)
        return rows in (None, "") or isinstance(rows, list | Mapping)
    return True


def found(body: Mapping[str, Any], key: str) -> Any:
    """The value of `key`: at the top, in a fragment or in an entry of `actions`; None if it is nowhere."""
    rows = body.get("actions")
    entries = rows if isinstance(rows, list) else rows.values() if isinstance(rows, Mapping) else ()
    holders: list[Any] = [body, *body.values(), *entries]
    for row in entries:
        row_object = decoded(row)
        holders += row_object.values() if isinstance(row_object, Mapping) else ()
    for holder in map(decoded, holders):
        if isinstance(holder, Mapping) and key in holder:
            return decoded(holder[key])
    return None


def decoded(value: Any) -> Any:
    """Decodes a payload that came as JSON inside a text (§3.5); anything else stays as it is."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return _json(value)
    except (ValueError, RecursionError):
        return value


def _object(body: bytes | str) -> dict[str, Any] | None:
    """The body as a JSON object, or None. Tolerates a BOM, double encoding and PHP notices."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        text = text.lstrip("\ufeff \t\r\n")
        value = _json(_without_notices(text) if _NOTICE.search(text) else text)
        value = _json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    return {key: decoded(entry) for key, entry in value.items()} if isinstance(value, dict) else None


def _without_notices(text: str) -> str:
    """The JSON without the notices that a PHP server with display_errors prints before or behind it.

    A page of something else is left whole, whatever JSON it carries.
    """
    head, tail = _NOTICES.match(text), _NOTICES_BEHIND.search(text)
    start, end = head.end() if head else 0, tail.start() + 1 if tail else len(text)
    return text[start:end]


def _json(text: str) -> Any:
    # Amounts stay exact: what Kartra sends as 22.10 is kept as that text, as it sends it elsewhere.
    value = json.loads(text, parse_float=str)
    if may_be_deeper(text, MAX_DEPTH) and is_deeper(value, MAX_DEPTH):
        raise ValueError("nested too deeply")
    return _storable(value) if _ESCAPED.search(text) else value


def _storable(value: Any) -> Any:
    """The value with U+FFFD for NULs and lone surrogates, which JSON can escape and no database stores."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    return value


def _status(body: Mapping[str, Any]) -> str:
    return str(body.get("status") or "").strip().lower()


def _type(body: Mapping[str, Any]) -> str | None:
    """The error type as text. One that is not a number becomes "?": it could hold anything, a person's data
    too."""
    value = body.get("type")
    number = "" if value is None else str(value).strip()
    if not number:
        return None
    return number if re.fullmatch(r"[0-9]{1,6}", number) else "?"
