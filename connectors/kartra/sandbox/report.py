"""A sandbox that behaves as a real account did: the report of a doctor, read and played.

The report is a file of a known form, so nothing is shared with the program that wrote it. Switches that it
says nothing of stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.kartra.sandbox.account import Account
from connectors.kartra.sandbox.commands import COMMANDS
from connectors.kartra.sandbox.options import SandboxOptions

_VERSION = 1
_MAX_BYTES = 1 << 20
_AT_ONCE_S = 0.4
"""A read that shows an effect takes so long by itself."""


class _Found(BaseModel):
    """What is played of a report; the rest of it is for people."""

    model_config = ConfigDict(extra="ignore")

    mode: Literal["live", "test"] | None = None
    permissions: Mapping[str, bool] = {}
    chain_answer: Literal["flat", "nested"] | None = None
    chain_goes_on: bool | None = None
    wording: Literal["current", "older", "other"] | None = None
    types: Literal["text", "number"] | None = None
    lone_actions: Literal["actions", "flat", "fragment"] | None = None
    inventories: Literal["top", "actions", "fragment"] | None = None
    rows: Literal["list", "object"] | None = None
    left_out: tuple[str, ...] | None = None
    unsubscribe_type: str | None = None
    shows_within_s: Mapping[str, float | None] = {}
    tried_length: int = 0
    lengths: Mapping[str, int] = {}
    characters: Mapping[str, str] = {}
    clock_s: float | None = None
    zone_hours: float | None = None
    latency_ms: Mapping[str, int] = {}
    names_by_case: bool | None = None
    finds_sent_address: bool | None = None
    blank_clears: bool | None = None


class _Report(BaseModel):
    model_config = ConfigDict(extra="ignore")

    report: Literal["kartra-sync doctor"]
    version: int
    found: _Found


@dataclass(frozen=True, slots=True)
class Played:
    """The switches of a report, and the commands that its App could not call."""

    switches: Mapping[str, Any]
    forbidden: frozenset[str]

    def options(self, options: SandboxOptions) -> SandboxOptions:
        return replace(options, **self.switches)

    def narrow(self, account: Account) -> None:
        """Takes from an account's App what that of the report could not call."""
        if self.forbidden:
            # get_lead is no command, but an App may lack it like one (§1.4).
            account.allowed_commands = set(COMMANDS | {"get_lead"}) - self.forbidden


def played(path: Path) -> Played:
    """Raises ValueError where the file is no report of this form, OSError where it cannot be read."""
    text = path.read_bytes()
    if len(text) > _MAX_BYTES:
        raise ValueError("larger than a report")
    try:
        report = _Report.model_validate_json(text)
    except ValidationError:
        raise ValueError("not a report: kartra-sync doctor FILE --report writes one") from None
    if report.version != _VERSION:
        raise ValueError(f"a report of version {report.version}; this program plays version {_VERSION}")
    found = report.found
    forbidden = frozenset(command for command, may in found.permissions.items() if not may)
    return Played({**_answers(found), **_effects(found), **_texts(found)}, forbidden)


def _answers(found: _Found) -> dict[str, Any]:
    given = {
        "mode": found.mode,
        "rewrite_lookups": found.finds_sent_address,
        "chain_errors": found.chain_answer,
        "wording": found.wording if found.wording in ("current", "older") else None,
        "integer_types": None if found.types is None else found.types == "number",
        "lone_actions": found.lone_actions,
        "inventories": found.inventories if found.inventories in ("top", "actions") else None,
        "php_lists": None if found.rows is None else found.rows == "object",
        "empty_parts": None if found.left_out is None else "leave_out" if found.left_out else "show",
        "unsubscribe_type": found.unsubscribe_type if found.unsubscribe_type in ("101", "102") else None,
        "case_sensitive_names": found.names_by_case,
    }
    if found.chain_answer == "flat" and found.chain_goes_on:
        given["chain_errors"] = "flat_goes_on"
    return {name: value for name, value in given.items() if value is not None}


def _effects(found: _Found) -> dict[str, Any]:
    """How late everything is: answers, effects, and the clock."""
    switches: dict[str, Any] = {}
    latency_s = found.latency_ms.get("median", 0) / 1000
    shown = {name: late_s for name, late_s in found.shows_within_s.items() if late_s is not None}
    late_s = max((late_s - latency_s for late_s in shown.values()), default=0.0)
    if late_s > _AT_ONCE_S:
        # The doctor saw it between two reads: it was there by then at the latest.
        switches["effect_delay_s"] = round(late_s, 2)
        slow = {name for name, one_s in shown.items() if one_s - latency_s > late_s / 2}
        switches["late_effects"] = "all" if slow - {"lists"} else "lists"
    if found.latency_ms:
        switches["latency_s"] = latency_s
        switches["latency_jitter_s"] = max(0.0, found.latency_ms.get("most", 0) / 1000 - latency_s)
    if found.clock_s is not None:
        switches["clock_offset_s"] = found.clock_s
    if found.zone_hours is not None:
        # In winter both are at −5, and the report of such a day cannot tell them apart (§8.5).
        switches["est"] = "fixed" if found.zone_hours == -5 else "new_york"
    return switches


def _texts(found: _Found) -> dict[str, Any]:
    switches: dict[str, Any] = {
        "field_limits": tuple(
            (name, kept) for name, kept in found.lengths.items() if 0 < kept < found.tried_length
        )
    }
    characters = found.characters
    if characters.get("emoji") in ("cut", "dropped"):
        switches["emoji"] = "cut" if characters["emoji"] == "cut" else "drop"
    if characters.get("line_breaks") in ("changed", "dropped"):
        switches["line_breaks"] = "blank"
    if characters.get("markup") == "refused":
        switches["firewall"] = True
    elif characters.get("markup") in ("changed", "dropped"):
        switches["markup"] = "strip"
    if found.blank_clears is not None:
        switches["empty_field"] = "clear" if found.blank_clears else "keep"
    return switches
