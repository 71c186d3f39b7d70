"""Faults on request: which call is hit by which, and what becomes of an answer that is."""

import random
from dataclasses import dataclass, replace
from typing import Literal

from connectors.kartra.sandbox.call import Entry
from connectors.kartra.sandbox.options import FaultName, Faults

BEFORE_THE_EFFECT: frozenset[FaultName] = frozenset(
    {"cut_before", "bad_gateway_before", "maintenance", "firewall", "proxy"}
)

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_NOTICE = "<br />\n<b>Notice</b>:  Undefined index: lead in <b>/var/www/api.php</b> on line <b>12</b><br />\n"
_PAGES: dict[FaultName | None, tuple[int, str]] = {
    "bad_gateway_before": (502, _BAD_GATEWAY),
    "bad_gateway_after": (502, _BAD_GATEWAY),
    "maintenance": (
        503,
        "<html><body><h1>We are back soon</h1><p>Maintenance is under way.</p></body></html>",
    ),
    "proxy": (407, "<html><body><h1>Proxy Authentication Required</h1></body></html>"),
}
_NOT_JSON = "<!DOCTYPE html><html><body><b>Warning</b>: something went wrong</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire, and how: as an answer, as a cut connection, or never."""

    body: str
    status: int = 200
    delay_s: float = 0.0
    fate: Literal["sent", "cut", "silence"] = "sent"
    trickle_s: float = 0.0  # between two bytes of the body


FIREWALL = Answer("<html><body><h1>403 Forbidden</h1><p>Request blocked.</p></body></html>", status=403)
"""The answer of a firewall in front of Kartra, which then never sees the call."""


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
    # PHP writes a list whose keys have gaps as an object (§6.2).
    if fault == "object_actions":
        return {**body, "actions": {str(index): entry for index, entry in enumerate(entries)}}
    return body


def spoiled_answer(answer: Answer, fault: FaultName | None, faults: Faults) -> Answer:
    if fault in _PAGES:
        status, page = _PAGES[fault]
        return replace(answer, status=status, body=page)
    match fault:
        case "cut_before" | "cut_after":
            return replace(answer, fate="cut")
        case "silence":
            return replace(answer, fate="silence")
        case "firewall":
            return FIREWALL
        case "not_json":
            return replace(answer, body=_NOT_JSON)
        case "php_notice":
            return replace(answer, body=_NOTICE + answer.body)
        case "trickle":
            return replace(answer, trickle_s=faults.trickle_s)
        case "slow":
            return replace(answer, delay_s=answer.delay_s + faults.slow_s)
        case _:
            return answer
