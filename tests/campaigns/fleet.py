"""A fleet as the server sees it: many accounts of one App, some of them dead, one with a wrong key.

Every account loads as many leads as every other one; two do not answer, and one is refused. Counted is the
rate together, the fullest second, how long an account waited beside its share, and what the dead cost.
"""

import csv
import json
import os
import resource
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.kartra.sandbox import Account, ReceivedCall, Sandbox
from tests.campaigns.tally import Tally

ROOT = Path(__file__).parents[2]
RATE = 20
LATENCY_S = 0.3
APP = "THEAPP"
SHORT_S = 1.5
"""A gap that is no longer does not count as waiting: a call and its answer take a part of it."""
FLEET = """\
fleet: agency
app_id: ${KARTRA_APP_ID}
url: ${KARTRA_URL}
timeout_s: {timeout_s}
accounts: accounts.csv
pipelines: [{file: welcome.yaml}]
"""
WELCOME = """\
pipeline: welcome
load:
  source: {csv: "${account}.csv"}
  key: email
  fields: {email: Email, first_name: First}
  tags: [Imported]
  lists: [News]
  consent: {attested: form}
"""


@dataclass(frozen=True)
class Size:
    """How much is played, and what must hold: a busy machine shares its time with other tests."""

    accounts: int
    leads: int
    dead: int
    share: float  # of the rate, at least
    waits: float  # times its share, at most
    cost: float  # of the calls, at most
    timeout_s: int


SIZES = {
    "small": Size(accounts=8, leads=6, dead=1, share=0.0, waits=1000.0, cost=0.2, timeout_s=1),
    "full": Size(accounts=30, leads=100, dead=2, share=0.97, waits=3.0, cost=0.02, timeout_s=20),
}
"""The small size plays the same and measures no time, for it runs beside other tests."""


@dataclass(frozen=True)
class Measure:
    leads: int
    lost: int
    twice: int
    share: float
    worst_second: int
    waited: float
    """The longest gap between two calls of an account, in times of its share."""
    cost: float
    """The share of all calls that the dead and the refused ones took."""
    codes: dict[str, int]
    memory_mib: float


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """`seed` changes nothing here: the clock and the machine are the chance."""
    measure, wanted = measured(SIZES[size], folder), SIZES[size]
    failures = [
        words
        for holds, words in (
            (measure.share >= wanted.share, f"{measure.share:.1%} of the rate"),
            (measure.worst_second <= RATE, f"{measure.worst_second} calls in a second"),
            (measure.waited <= wanted.waits, f"an account waited {measure.waited:.1f} times its share"),
            (measure.cost < wanted.cost, f"the dead took {measure.cost:.1%} of the calls"),
        )
        if not holds
    ]
    print(
        f"fleet: longest wait {measure.waited:.2f} times the share, the dead took {measure.cost:.2%} of the"
        f" calls, {measure.memory_mib:.0f} MiB",
        file=sys.stderr,
    )
    return [
        Tally(
            f"fleet: {wanted.accounts} accounts",
            faults=wanted.dead + 1,
            leads=measure.leads,
            lost=measure.lost,
            twice=measure.twice,
            worst_second=measure.worst_second,
            share=measure.share,
            failures=tuple(failures),
        )
    ]


def measured(size: Size, folder: Path) -> Measure:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"client-{number}" for number in range(size.accounts)]
    odd = [*(f"dead-{number}" for number in range(size.dead)), "wrong"]
    accounts = {name: _account(name) for name in (*names, *odd)}
    for name in odd[:-1]:
        accounts[name].silent = True
    _write(folder, accounts, size)
    first, *others = accounts.values()
    with Sandbox(first, others=others, latency_s=LATENCY_S) as sandbox:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", "fleet", "run", "agency.yaml", "--json"],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "KARTRA_URL": sandbox.url,
                "KARTRA_APP_ID": APP,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        calls = sandbox.calls
        worst = sandbox.worst_second()
    codes = {each["account"]: each["exit_code"] for each in json.loads(done.stdout)["accounts"]}
    wanted = {f"p{number}.{name}@example.org" for name in names for number in range(size.leads)}
    there = {lead.email for name in names for lead in accounts[name].leads.values()}
    created = Counter(
        str(call.form["lead"]["email"]) for call in calls if call.executed and "create_lead" in call.commands
    )
    live = [call for call in calls if call.account is not None and not call.account.silent]
    return Measure(
        len(wanted),
        len(wanted - there),
        sum(count - 1 for count in created.values()),
        _share(live),
        worst,
        _longest_wait(live),
        (len(calls) - len(live)) / len(calls),
        codes,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


def _account(name: str) -> Account:
    return Account(
        app_id=APP, api_key=f"KEY-{name}", api_password=f"PASSWORD-{name}", tags=["Imported"], lists=["News"]
    )


def _write(folder: Path, accounts: dict[str, Account], size: Size) -> None:
    (folder / "agency.yaml").write_text(FLEET.replace("{timeout_s}", str(size.timeout_s)), encoding="utf-8")
    (folder / "welcome.yaml").write_text(WELCOME, encoding="utf-8")
    table = folder / "accounts.csv"
    with table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["name", "api_key", "api_password"])
        for name, account in accounts.items():
            writer.writerow([name, account.api_key, "MISTYPED" if name == "wrong" else account.api_password])
            lines = [f"p{number}.{name}@example.org,P{number}\n" for number in range(size.leads)]
            (folder / f"{name}.csv").write_text("Email,First\n" + "".join(lines), encoding="utf-8")
    table.chmod(0o600)


def _share(live: Sequence[ReceivedCall]) -> float:
    """Of the rate, from the first call to the last one that was taken."""
    times = sorted(call.at for call in live if call.http_status != 429)
    return (len(times) - 1) / (RATE * (times[-1] - times[0]))


def _longest_wait(live: Sequence[ReceivedCall]) -> float:
    """The longest gap between two calls of an account, in turns of those who were at it meanwhile."""
    times: dict[str, list[float]] = defaultdict(list)
    for call in live:
        if call.account is not None:
            times[call.account.api_key].append(call.at)
    spans = [(min(each), max(each)) for each in times.values()]
    longest = 0.0
    for each in times.values():
        for before, after in zip(sorted(each), sorted(each)[1:], strict=False):
            if after - before > SHORT_S:
                active = sum(begun < after and ended > before for begun, ended in spans)
                longest = max(longest, (after - before) * RATE / active)
    return longest
