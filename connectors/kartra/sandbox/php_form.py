"""A request body as PHP 8 reads it: bracket notation into ordered maps of text.

Lists are maps too, with the keys "0", "1", …, in the order in which they appeared. A test compares this
with PHP itself, but for one thing: PHP drops names that are mangled into a protected cookie's (`__Host-`).
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import unquote_plus

Value: TypeAlias = "str | dict[str, Value]"
Form: TypeAlias = dict[str, Value]

MAX_INPUT_VARS = 1000  # php.ini default; what is beyond is dropped without a word
MAX_NESTING = 64  # php.ini, max_input_nesting_level: a deeper key is dropped

_TOP_LEVEL = str.maketrans(". ", "__")
_NEVER_CLOSED = str.maketrans(". [", "___")
_BLANKS = tuple(" \t\n\v\f\r")
_INDEX = re.compile(r"0|-?[1-9][0-9]{0,18}")  # what PHP takes for an integer key, if it fits into 64 bits
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MONEY = re.compile(r"[+-]?[0-9]+(\.[0-9]{1,2}0*)?")
_LEAST_INDEX, _LAST_INDEX = -(2**63), 2**63 - 1


def parse_form(body: str) -> Form:
    """An `application/x-www-form-urlencoded` body, up to 1000 fields of it."""
    form: Form = {}
    pairs = [pair for pair in body.split("&") if pair]
    for pair in pairs[:MAX_INPUT_VARS]:
        key, _, value = pair.partition("=")
        path = _path(key)
        if path and len(path) <= MAX_NESTING + 1:
            _place(form, path, unquote_plus(value, errors="replace"))
    return form


def form_of_json(value: object) -> Form:
    """A decoded JSON body in the shape of a form; null is left out, as PHP's http_build_query does."""
    if not isinstance(value, dict):
        return {}
    return {str(key): _as_text(item) for key, item in value.items() if item is not None}


def text(form: Form, key: str) -> str:
    """The plain value under a key; empty when there is none or when it is a map."""
    value = form.get(key, "")
    return value if isinstance(value, str) else ""


def decimal(given: str) -> Decimal | None:
    """None where it is no number, or one with a comma."""
    return Decimal(given) if _DECIMAL.fullmatch(given) else None


def money(given: str) -> Decimal | None:
    """As `decimal`; None for parts of a cent too: what Kartra would make of them nobody knows."""
    return Decimal(given) if _MONEY.fullmatch(given) else None


def child(form: Form, key: str) -> Form:
    """The map under a key; empty when there is none or when it is plain."""
    value = form.get(key)
    return value if isinstance(value, dict) else {}


@lru_cache(maxsize=2_000)
def _path(quoted: str) -> tuple[str, ...]:
    """`a[b][]` as a, b and the empty text, which means "append". A key without a name gives nothing."""
    key = unquote_plus(quoted, errors="replace")
    name, bracket, rest = key.partition("\0")[0].lstrip(" ").partition("[")
    if not name:
        return ()
    path = [name.translate(_TOP_LEVEL)]
    rest = bracket + rest
    while rest.startswith("["):
        inner, closed, rest = rest[1:].partition("]")
        if not closed:  # PHP turns a first bracket that is never closed into an underscore
            return tuple(path) if len(path) > 1 else (f"{path[0]}_{inner.translate(_NEVER_CLOSED)}",)
        path.append("" if inner in _BLANKS else inner)
    return tuple(path)


def _place(form: Form, path: tuple[str, ...], value: str) -> None:
    node = form
    for step in path[:-1]:
        key = step or _next_index(node)
        if key is None:
            return
        below = node.get(key)
        if not isinstance(below, dict):
            below = {}
            node[key] = below
        node = below
    last = path[-1] or _next_index(node)
    if last is not None:
        node[last] = value


def _next_index(node: Form) -> str | None:
    """The key after the greatest index, None where there is no greater one: then PHP drops the value."""
    taken = [int(key) for key in node if _INDEX.fullmatch(key)]
    greatest = max((index for index in taken if _LEAST_INDEX <= index <= _LAST_INDEX), default=-1)
    return None if greatest == _LAST_INDEX else str(greatest + 1)


def _as_text(value: object) -> Value:
    if isinstance(value, dict):
        return form_of_json(value)
    if isinstance(value, list):
        return form_of_json(dict(enumerate(value)))
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
