"""The refusals campaign: contacts that Kartra refuses for good, night after night.

Their leads were deleted in Kartra, which answers every call about them with 245. Good contacts stand
between them, and some change each night. One call per refused row is all that refusals may cost, over all
nights together: a new row costs its create_lead, a row whose lead was deleted later its edit_lead.
Adopting is not needed for either, because 245 says that there is nothing to read.
"""

import logging
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from connectors.kartra.sandbox.emulator import ReceivedCall
from tests.campaigns.contacts import Contacts, account
from tests.campaigns.runs import PARTIAL, RUN_ENDS_WITHIN_S, Findings, check_run
from tests.campaigns.tally import Tally
from tests.conftest import Project
from tests.promises.scenes import about_leads, said

log = logging.getLogger("campaigns")

EACH_GOOD = 3
"""Every third contact is good: 25 refusals in a row would stop a run."""
DELETED_LATER = 3
"""So many good leads are deleted in Kartra after the first night, and their rows change."""
GOOD_CHANGES = 2


@dataclass(frozen=True)
class Size:
    nights: int
    refused: int


SIZES = {"small": Size(nights=6, refused=60), "full": Size(nights=30, refused=500)}


@dataclass(frozen=True)
class Night:
    """What changes before a night's run: rows of refused leads, which are tried once, and of good ones."""

    number: int
    tried: Set[int]
    good: Set[int]


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """One line. Calls over the floor are those about refused leads beyond one per refused row."""
    nights, refused = SIZES[size].nights, SIZES[size].refused
    project = Project(folder / "refusals")
    project.folder.mkdir(parents=True)
    findings = Findings(f"refusals (seed {seed})")
    contacts = Contacts(seed, refused * EACH_GOOD // (EACH_GOOD - 1), scoring=False)
    bad = {number for number in contacts.rows if number % EACH_GOOD}
    good = contacts.rows.keys() - bad
    deleted_later = set(sorted(good)[:DELETED_LATER])
    calls_over = 0
    with Sandbox(account(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        project.pipeline(contacts.load)
        for number in bad:
            sandbox.account.add_lead(contacts.rows[number]["Email"]).deleted = True
        for number in range(nights):
            night = Night(number, bad if number == 0 else set(), good if number == 0 else set())
            if number == 1:
                for later in deleted_later:
                    contacts.lead(later, sandbox).deleted = True
                bad, good = bad | deleted_later, good - deleted_later
                night = Night(number, deleted_later, set(sorted(good)[:GOOD_CHANGES]))
            elif number > 1:
                tried = {min(bad - deleted_later)} if number == nights // 2 else set()
                night = Night(number, tried, set(sorted(good)[:GOOD_CHANGES]))
            calls_over += _play(night, bad, contacts, project, sandbox, findings)
        verdict = contacts.judge(sandbox, refused=bad)
        for problem in verdict.problems:
            findings.add(problem)
        return [
            Tally(
                "refusals",
                leads=verdict.leads,
                lost=verdict.lost,
                twice=verdict.twice,
                calls_over_floor=calls_over,
                failures=tuple(findings.sentences),
            )
        ]


def _play(
    night: Night, bad: Set[int], contacts: Contacts, project: Project, sandbox: Sandbox, findings: Findings
) -> int:
    """Gives how many calls were made about refused leads beyond one for each row that changed."""
    if night.number:
        contacts.change(night.tried | night.good)
    project.contacts(contacts.table())
    before = len(sandbox.calls)
    result = project.command("run", "p.yaml", "--json", timeout_s=RUN_ENDS_WITHIN_S)
    check_run(result, findings, may_fail=False)
    about = about_leads(sandbox.calls[before:])
    looks = [call for call in about if call.commands == ("get_lead",)]
    writes = [call for call in about if call.commands != ("get_lead",)]
    # A lead is looked at before a list is taken back; one that is gone is looked for by its address, once.
    refused = {contacts.lead(number, sandbox).id for number in bad}
    over = max(0, len(_about(writes, refused, sandbox)) - len(night.tried))
    over += max(0, len(_about(looks, refused, sandbox)) - 2 * len(night.tried))
    leads = result.json["leads"]
    seen = (result.code, leads["rejected"], leads["parked"], leads["created"] + leads["edited"])
    expected = (
        PARTIAL,
        len(night.tried),
        len(bad) - len(night.tried),
        len(night.good),
    )
    if seen != expected:
        findings.add(
            f"night {night.number + 1}: exit, rejected, parked, created and edited are {seen}"
            f" instead of {expected}"
        )
    if not len(night.good) <= len(writes) <= len(night.good) + len(night.tried):
        findings.add(f"night {night.number + 1}: {len(writes)} writes")
    log.info("refusals, night %d: %d calls", night.number + 1, len(about))
    return over


def _about(calls: list[ReceivedCall], lead_ids: Set[str], sandbox: Sandbox) -> list[ReceivedCall]:
    addresses = {sandbox.account.leads[lead_id].email for lead_id in lead_ids}
    return [
        call
        for call in calls
        if said(call).lead.get("id") in lead_ids or said(call).lead.get("email") in addresses
    ]
