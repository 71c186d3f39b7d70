"""The fault campaign: loads under faults, then runs without, and every lead has to be as wished.

The first load is all new, in the second every contact has changed or gone, in the third those who went
are back. A cell is one kind of fault at one share of the calls, with one setting of each open question of
the API.
"""

import itertools
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import Faults, Sandbox
from tests.between import aimed_through, authority, of_a_company
from tests.campaigns.contacts import Contacts, account, calls_over
from tests.campaigns.runs import (
    RUN_ENDS_WITHIN_S,
    Findings,
    check_run,
    noted,
    resolve_truly,
    settle,
    side_by_side,
)
from tests.campaigns.tally import Tally
from tests.conftest import Project

log = logging.getLogger("campaigns")

LEADS = {"small": 30, "full": 60}
LEADS_AT_1_PERCENT = {"small": 30, "full": 100}
SIDE_BY_SIDE = {"small": 8, "full": 10}
KNOWN_BEFORE = 5
SETTLE_S = 2
EACH_BOOKING = 3
"""Classes are booked in every third cell: each lost answer there is a person's errand."""
LATE_S = 0.8

ALL_KINDS = tuple(name for name in Faults().shares() if name not in ("firewall", "proxy"))
"""Not what refuses a row on the way for good: such a row is a reject, and not as wished in the end."""

Setting = tuple[float, str, str, str]
"""Share of the calls, chain errors, wording, mode."""

SHARES = (0.20, 0.05, 0.01)
SETTINGS: Sequence[Setting] = tuple(
    itertools.product(SHARES, ("flat", "nested"), ("current", "older"), ("live", "test"))
)


@dataclass(frozen=True)
class Kind:
    """What goes wrong: the share is spread evenly over `faults`; `options` are the sandbox's.

    `is_proxied`: the way there is a tunnel of a company's proxy, and TLS by its authority.
    """

    name: str
    faults: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    is_proxied: bool = False


KINDS = (
    Kind("answers lost in a tunnel", ("cut_after", "cut_before", "silence"), is_proxied=True),
    Kind("late effects", ("cut_after", "cut_before", "bad_gateway_after"), {"effect_delay_s": LATE_S}),
    Kind("integer types", ("cut_after", "missing_entry"), {"integer_types": True}),
    Kind("mixture", ALL_KINDS),
    Kind("mixture in a tunnel", ALL_KINDS, {"effect_delay_s": LATE_S}, is_proxied=True),
    Kind("mixture, late", ALL_KINDS, {"effect_delay_s": LATE_S, "integer_types": True}),
    *(Kind(name, (name,)) for name in ALL_KINDS),
)


@dataclass(frozen=True)
class Cell:
    kind: Kind
    setting: Setting
    seed: int
    leads: int

    def __str__(self) -> str:
        share, chain_errors, wording, mode = self.setting
        return (
            f"{self.kind.name} {share:.0%}, {chain_errors} chains, {wording} wording, {mode}"
            f" (seed {self.seed})"
        )


@dataclass(frozen=True)
class Seen:
    """What a cell saw. `injected` counts the faults that hit a call, by name."""

    cell: Cell
    injected: Counter[str]
    tally: Tally


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """One line per kind of fault, over its cells.

    Calls over the floor are those of `calls_over`: leads read, and calls sent again because nothing of them
    had landed or they were refused with 429.
    """
    seen = side_by_side(
        list(enumerate(cells(size, seed))),
        lambda item: _play(item[1], folder / f"faults-{item[0]}"),
        SIDE_BY_SIDE[size],
    )
    tallies = [
        _together(f"faults: {kind.name}", [one.tally for one in seen if one.cell.kind is kind])
        for kind in KINDS
    ]
    injected = sum((one.injected for one in seen), Counter[str]())
    absent = tuple(f"no call was hit by {name}" for name in ALL_KINDS if not injected[name])
    return [*tallies[:-1], replace(tallies[-1], failures=tallies[-1].failures + absent)]


def cells(size: str, seed: int) -> Iterator[Cell]:
    """At full every setting of every kind; at small each kind once, and every pair of settings.

    Of those the largest shares go to the first kinds.
    """
    chosen: list[tuple[Kind, Setting]] = list(itertools.product(KINDS, SETTINGS))
    if size == "small":
        covered = covering(SETTINGS, len(KINDS), seed)
        chosen = list(zip(KINDS, sorted(covered, key=lambda setting: -setting[0]), strict=True))
    for number, (kind, setting) in enumerate(chosen):
        leads = (LEADS_AT_1_PERCENT if setting[0] == min(SHARES) else LEADS)[size]
        yield Cell(kind, setting, seed * 1000 + number, leads)


def covering(settings: Sequence[Setting], count: int, seed: int) -> list[Setting]:
    """So many settings that every pair of values of two factors stands in one of them.

    Settings after the last uncovered pair are those with the largest share.
    """
    chance = random.Random(seed)
    pool = chance.sample(settings, len(settings))
    covered: set[tuple[tuple[int, Any], ...]] = set()
    chosen = []
    for _ in range(count):
        best = max(pool, key=lambda setting: (len(pairs(setting) - covered), setting[0]))
        covered |= pairs(best)
        pool.remove(best)
        chosen.append(best)
    return chosen


def pairs(setting: Setting) -> set[tuple[tuple[int, Any], ...]]:
    return set(itertools.combinations(enumerate(setting), 2))


def _play(cell: Cell, folder: Path) -> Seen:
    findings = Findings(str(cell))
    seen = Seen(cell, Counter(), Tally(str(cell)))
    with noted(findings):
        seen = _loaded(cell, folder, findings)
    return replace(seen, tally=replace(seen.tally, failures=tuple(findings.sentences)))


def _loaded(cell: Cell, folder: Path, findings: Findings) -> Seen:
    folder.mkdir(parents=True)
    project = Project(folder)
    share, chain_errors, wording, mode = cell.setting
    stored = _test_address if mode == "test" else str
    contacts = Contacts(cell.seed, cell.leads, booking=cell.seed % EACH_BOOKING == 0, stored=stored)
    shares: dict[str, Any] = dict.fromkeys(cell.kind.faults, share / len(cell.kind.faults))
    faults = Faults(**shares, slow_s=0.5, seed=cell.seed)
    options: dict[str, Any] = {"mode": mode, "chain_errors": chain_errors, "wording": wording}
    options |= {"calls_per_second": 0, **cell.kind.options}
    parked = 0
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(of_a_company(account()), **options))
        if cell.kind.is_proxied:
            stack.enter_context(aimed_through(project, sandbox, authority(folder / "authority")))
        else:
            project.aim(sandbox)
        project.pipeline(contacts.load, kartra=f"settle_s: {SETTLE_S}\ntimeout_s: 1\nmode: {mode}")
        contacts.put_before(sandbox, KNOWN_BEFORE)
        for number, change in enumerate((None, contacts.change_all, contacts.come_back)):
            if change is not None:
                change()
            project.contacts(contacts.table())
            sandbox.set_faults(replace(faults, seed=faults.seed + number))
            result = project.command("run", "p.yaml", "--json", timeout_s=RUN_ENDS_WITHIN_S)
            check_run(result, findings, may_fail=True)
            sandbox.set_faults(Faults())
            if result.json["leads"]["parked"]:
                _check_parked(project, result.json["leads"]["parked"], findings)
                parked += resolve_truly(project, sandbox, findings)
        parked += settle(project, sandbox, findings)
        verdict = contacts.judge(sandbox)
        for problem in verdict.problems:
            findings.add(problem)
        injected: Counter[str] = Counter(call.fault for call in sandbox.calls if call.fault is not None)
        tally = Tally(
            str(cell),
            faults=injected.total(),
            leads=verdict.leads,
            lost=verdict.lost,
            twice=verdict.twice,
            parked=parked,
            calls_over_floor=calls_over(sandbox),
        )
    log.info("%s: %d faults; lost %d, twice %d", cell, tally.faults, tally.lost, tally.twice)
    return Seen(cell, injected, tally)


def _check_parked(project: Project, parked: int, findings: Findings) -> None:
    """Each parked lead stands in the rejects, with the reason."""
    rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
    told = [reject for reject in rejects if reject["kind"] == "held_back" and reject["reason"]]
    if len(told) != parked:
        findings.add(f"{parked} leads were parked, {len(told)} of them with a reason")


def _test_address(email: str) -> str:
    return f"{email.rpartition('@')[0]}@kartra.com"


def _together(name: str, tallies: list[Tally]) -> Tally:
    return Tally(
        name,
        faults=sum(one.faults for one in tallies),
        leads=sum(one.leads for one in tallies),
        lost=sum(one.lost for one in tallies),
        twice=sum(one.twice for one in tallies),
        parked=sum(one.parked for one in tallies),
        calls_over_floor=sum(one.calls_over_floor for one in tallies),
        failures=tuple(itertools.chain.from_iterable(one.failures for one in tallies)),
    )
