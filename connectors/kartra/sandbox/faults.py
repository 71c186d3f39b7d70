"""Faults on request: which call is hit by which, and what becomes of an answer that is."""

import random
from dataclasses import dataclass, replace
from typing import Literal

from connectors.kartra.sandbox.call import Entry
from connectors.kartra.sandbox.options import FaultName, Faults

BEFORE_THE_EFFECT: frozenset[FaultName] = frozenset({"cut_before", "bad_gateway_before"})

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_NOT_JSON = "<!DOCTYPE html><html><body><b>Warning</b>: something went wrong</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire, and how: as an answer, as a cut connection, or never."""

    body: str
    status: int = 200
    delay_s: float = 0.0
    fate: Literal["sent", "cut", "silence"] = "sent"


class FaultDraw:
    """One draw per call that may be hit, from one seeded sequence."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable on purpose

    def draw(self, number: int, commands: tuple[str, ...]) -> FaultName | None:
        if not self._faults.concern(number, commands):
            return None
        point = self._random.random()
        for name, share in self._faults.shares().items():
            if point < share:
                return name
            point -= share
        return None


def spoiled_body(body: Entry, fault: FaultName | None) -> Entry:
    """The two faults that leave JSON, but not as documented."""
    entries = body.get("actions")
    if not isinstance(entries, list):
        return body
    if fault == "missing_entry":
        return {**body, "actions": entries[:-1]}
    if fault == "object_actions":
        return {**body, "actions": {str(index): entry for index, entry in enumerate(entries)}}
    return body


def spoiled_answer(answer: Answer, fault: FaultName | None, slow_s: float) -> Answer:
    match fault:
        case "cut_before" | "cut_after":
            return replace(answer, fate="cut")
        case "silence":
            return replace(answer, fate="silence")
        case "bad_gateway_before" | "bad_gateway_after":
            return replace(answer, status=502, body=_BAD_GATEWAY)
        case "not_json":
            return replace(answer, body=_NOT_JSON)
        case "slow":
            return replace(answer, delay_s=answer.delay_s + slow_s)
        case _:
            return answer
