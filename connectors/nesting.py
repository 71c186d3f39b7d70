"""How deep values are nested, found without recursion: JSON may be deeper than what Python can walk."""

from collections.abc import Iterable
from typing import Any


def is_deeper(value: Any, levels: int) -> bool:
    """Whether maps and lists stand in each other more than so many levels deep."""
    level: list[Any] = [value]
    for _ in range(levels):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def may_be_deeper(text: str, levels: int) -> bool:
    """A glance at the text: it has at least as many brackets as it has levels."""
    return text.count("[") + text.count("{") > levels


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
