"""Whatever any test has the command print with `--json` is held against the schema of its verb."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from pipelines.cli.shapes import SHAPES, shape_of

HOLD_DATA = frozenset({"explain", "inspect", "init", "call", "report", "sandbox"})
"""Verbs with keys that are names of columns, fields or Kartra's own."""
LONGEST_KEY_WORDS = 2


def check_shape(words: Sequence[str], stdout: str) -> None:
    """Fails where an output is not as its schema says, or has a sentence for a key."""
    verb = words[0] if words else ""
    if verb not in SHAPES or "--json" not in words or not stdout.strip() or "--help" in words:
        return
    _adapter(verb).validate_json(stdout, strict=True)
    if verb not in HOLD_DATA:
        sentences = [key for key in _keys(json.loads(stdout)) if len(key.split()) > LONGEST_KEY_WORDS]
        assert not sentences, f"{verb} --json has sentences for keys: {sentences}"


@cache
def _adapter(verb: str) -> TypeAdapter[Any]:
    return shape_of(verb)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
