"""What a plan says though nobody asked: what Kartra does not do for its leads, and what it may start."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.privacy import mask_text
from pipelines.config.kartra import Mode
from pipelines.load.plan import Plan
from pipelines.words.numbers import counted

_NOT_TAKEN_BACK = {
    "create_lead": "a lead that is created stays: the API has no command that deletes one",
    "subscribe_lead_to_sequence_at_step": "a sequence that has begun: what it has mailed stays mailed",
    "calendar_subscribe": "a booking of a class: the mail that confirms it is sent at once",
}


@dataclass(frozen=True, slots=True)
class Caution:
    """`kind` is for programs, `leads` how many it concerns."""

    kind: str
    leads: int
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "leads": self.leads, "message": self.message}


def cautions(plan: Plan, mode: Mode, file: str) -> Iterator[Caution]:
    """`file` is the pipeline file as it is typed."""
    # Nothing that is written through the API can say that somebody agreed (§2.3).
    if plan.created:
        yield Caution(
            "no_gdpr_agreement",
            plan.created,
            f"{counted(plan.created, 'lead')} would be created through the API, which records no agreement to"
            " the GDPR terms: depending on the account's GDPR settings Kartra does not mail them. Kartra's"
            f" own import can vouch for them: kartra-sync export-import {file}, then adopt {file}",
        )
    if mode == "test" and plan.changes:
        yield Caution(
            "test_mode",
            plan.changes,
            "Test mode: Kartra mails nothing to the leads it registers now, and stores them @kartra.com",
        )
    yield from unwhole(plan)
    if plan.triggered:
        (what, most), *_ = plan.triggered.most_common(1)
        count = len(plan.triggered)
        names = (
            "1 name is given that can start automations"
            if count == 1
            else (f"{counted(count, 'name is', 'names are')} given that can start automations")
        )
        yield Caution(
            "automations",
            most,
            f"{names}, and so mail: {mask_text(what)} reaches the most leads, {most:,}",
        )


def unwhole(plan: Plan) -> Iterator[Caution]:
    """What a doctor has found that the account would not take whole."""
    for one in plan.too_long:
        yield Caution(
            "cut_texts",
            one.leads,
            f"{one.leads:,} leads have a longer {mask_text(one.name)} than the {one.kept:,} characters that"
            " the account keeps: the rest is cut off",
        )
    for cmd, count in plan.not_permitted.most_common():
        yield Caution(
            "not_permitted",
            count,
            f"the App was not allowed to call {cmd} (262) when a doctor looked, and {count:,} leads need it:"
            " allow it in the App, then run kartra-sync doctor again",
        )


def not_taken_back(actions: Counter[str]) -> Iterator[tuple[int, str]]:
    """What of these actions nothing undoes: how many, and why."""
    for cmd, why in _NOT_TAKEN_BACK.items():
        if actions[cmd]:
            yield actions[cmd], why
