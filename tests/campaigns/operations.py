"""The operations campaign: refunds from a CSV, while answers get lost and the command is killed.

Some rows give everything back, some a part; some leads have several refunds of one transaction and of the
same amount, which nothing but the number of a refund tells apart. Each has to be there exactly once.
"""

import csv
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from connectors.kartra.sandbox import Account, Faults, Sandbox, Transaction
from connectors.kartra.sandbox.account import est_now, est_text
from tests.between import aimed_through, authority, of_a_company
from tests.campaigns.runs import (
    DONE,
    PARTIAL,
    RUN_ENDS_WITHIN_S,
    RUNS_TO_THE_END,
    Findings,
    check_run,
    noted,
)
from tests.campaigns.tally import Tally
from tests.conftest import PIPELINE, Project, kill

log = logging.getLogger("campaigns")


class Size(NamedTuple):
    refunds: int
    kills: int


SIZES = {"small": Size(24, 2), "full": Size(500, 10)}
TUNNELLED = {"small": Size(12, 1), "full": Size(250, 5)}
"""Those through the proxy of a company, with TLS by its authority."""
SHARE = 0.05
LATE_S = 0.8
FAULTS = (
    *("cut_before", "cut_after", "silence", "bad_gateway_before", "bad_gateway_after", "not_json"),
    *("throttle", "missing_entry"),
)
OPERATIONS = """\
operations:
  source: {csv: refunds.csv}
  do: refund
  key: Order
  lead: {email: Email}
  parameters: {transaction: Transaction, amount: Amount}
  guards: {max_total: %s, max_failed: 100%%}
  results: results.csv
"""

Given = Counter[tuple[str, Decimal]]
"""How often a transaction has a refund of an amount."""


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """Two lines. `leads` are refunds; `lost` and `twice` those that are missing and those too many."""
    return [
        _play("operations: refunds", SIZES[size], seed, folder / "operations", aim),
        _play("operations: refunds in a tunnel", TUNNELLED[size], seed + 1, folder / "tunnelled", tunnel),
    ]


Aim = Callable[[Project, Sandbox], AbstractContextManager[object]]


def aim(project: Project, sandbox: Sandbox) -> AbstractContextManager[object]:
    project.aim(sandbox)
    return nullcontext()


def tunnel(project: Project, sandbox: Sandbox) -> AbstractContextManager[object]:
    return aimed_through(project, sandbox, authority(project.folder / "authority"))


def _play(name: str, size: Size, seed: int, folder: Path, aim_at: Aim) -> Tally:
    findings = Findings(f"{name} (seed {seed})")
    project = Project(folder)
    project.folder.mkdir(parents=True)
    chance = random.Random(seed)
    account, rows = _account(size.refunds, chance)
    kills = parked = 0
    with (
        Sandbox(of_a_company(account), calls_per_second=0, effect_delay_s=LATE_S) as sandbox,
        aim_at(project, sandbox),
    ):
        _write(project, rows)
        with noted(findings):
            for number in range(size.kills):
                sandbox.set_faults(_faults(seed * 100 + number))
                target = len(_given(sandbox)) + max(1, len(rows) // (size.kills + 2))
                kills += _killed(project, sandbox, chance.randint(len(_given(sandbox)) + 1, target))
            sandbox.set_faults(_faults(seed * 100 + 99))
            check_run(
                project.command("run", "p.yaml", "--yes", "--json", timeout_s=1200), findings, may_fail=True
            )
            sandbox.set_faults(Faults())
            parked = _settle(project, sandbox, rows, findings)
        wished: Given = Counter((row["Transaction"], _amount(row, account)) for row in rows)
        found = _given(sandbox)
        _compare_results(project, rows, account, findings)
        injected = sum(call.fault is not None for call in sandbox.calls)
    if kills < size.kills:
        findings.add(f"{kills} of {size.kills} kills hit")
    return Tally(
        name,
        faults=injected,
        kills=kills,
        leads=len(rows),
        lost=(wished - found).total(),
        twice=(found - wished).total(),
        parked=parked,
        failures=tuple(findings.sentences),
    )


def _account(count: int, chance: random.Random) -> tuple[Account, list[dict[str, str]]]:
    """An account of buyers, and a row for each refund they are to get."""
    account = Account()
    rows: list[dict[str, str]] = []
    while len(rows) < count:
        lead = account.add_lead(f"buyer{len(account.leads)}@example.org")
        price = Decimal(chance.randint(2000, 20000)) / 100
        sale = account.add_transaction(Transaction(lead.id, amount=f"{price}", date=est_text(est_now())))
        part = (price / 4).quantize(Decimal("0.01"))
        amounts = chance.choice((["full"], [f"{part}"], [f"{part}", f"{part}"]))
        for amount in amounts[: count - len(rows)]:
            rows.append(
                {
                    "Order": f"R-{len(rows) + 1}",
                    "Email": lead.email,
                    "Transaction": sale.id,
                    "Amount": amount,
                }
            )
    return account, rows


def _amount(row: dict[str, str], account: Account) -> Decimal:
    given = row["Amount"]
    return Decimal(account.transactions[row["Transaction"]].amount if given == "full" else given)


def _write(project: Project, rows: list[dict[str, str]]) -> None:
    project.contacts(rows, name="refunds.csv")
    text = PIPELINE + "  settle_s: 2\n  timeout_s: 1\n" + OPERATIONS % 10_000_000
    (project.folder / "p.yaml").write_text(text, encoding="utf-8")


def _faults(seed: int) -> Faults:
    shares = dict.fromkeys(FAULTS, SHARE / len(FAULTS))
    return Faults(**shares, seed=seed)  # type: ignore[arg-type]


def _given(sandbox: Sandbox) -> Given:
    with sandbox.lock:
        refunds = [row for row in sandbox.account.transactions.values() if row.parent_id != "0"]
        return Counter((row.parent_id, Decimal(row.amount)) for row in refunds)


def _killed(project: Project, sandbox: Sandbox, target: int) -> bool:
    """Killed as soon as so many refunds are there, whatever became of their answers."""
    process = project.start("run", "p.yaml", "--yes", "--json")
    deadline = time.monotonic() + RUN_ENDS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if _given(sandbox).total() >= target:
            kill(process)
            return True
        time.sleep(0.01)
    kill(process)
    return False


def _settle(project: Project, sandbox: Sandbox, rows: list[dict[str, str]], findings: Findings) -> int:
    """Run without faults until a run sends nothing; a person says what became of each parked refund."""
    asked = {row["Order"]: row for row in rows}
    resolved = 0
    for _ in range(RUNS_TO_THE_END):
        before = len(sandbox.calls)
        result = project.command("run", "p.yaml", "--yes", "--json", timeout_s=1200)
        check_run(result, findings, may_fail=False)
        if result.code == DONE and len(sandbox.calls) == before:
            return resolved
        parked = project.command("parked", "p.yaml", "--json", "--show").json["operations"]
        if result.code == PARTIAL and len(parked) != result.json["leads"]["parked"]:
            findings.add(f"{result.json['leads']['parked']} are parked, {len(parked)} are named")
        done = {line["key"] for line in _results(project) if "done" in line["outcome"]}
        for one in parked:
            row = asked[one["key"]]
            amount = _amount(row, sandbox.account)
            others = [
                key
                for key, other in asked.items()
                if key in done
                and other["Transaction"] == row["Transaction"]
                and _amount(other, sandbox.account) == amount
            ]
            landed = _given(sandbox)[row["Transaction"], amount] > len(others)
            answer = "--landed" if landed else "--not-landed"
            resolved += project.command("resolve", "p.yaml", one["key"], answer).code == DONE
    findings.add("not done after runs without faults")
    return resolved


def _compare_results(
    project: Project, rows: list[dict[str, str]], account: Account, findings: Findings
) -> None:
    """The file of results has a line for each row, and its money is that of the source."""
    told = {
        line["key"]: Decimal(line["amount"] or 0) for line in _results(project) if "done" in line["outcome"]
    }
    asked = {row["Order"]: _amount(row, account) for row in rows}
    if told != asked:
        findings.add(f"results tell {sum(told.values())}, the source asks for {sum(asked.values())}")


def _results(project: Project) -> list[dict[str, str]]:
    with (project.folder / "results.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
