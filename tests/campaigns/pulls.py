"""The pull campaign: `kill -9` while an account comes back into tables, then a run until it is done.

Kills are at a drawn call and a drawn moment after it, so that they fall into waiting, answering and
committing alike. The tables have to be those of the account, row by row, whatever was killed. Calls over the
floor are those whose answer had been asked for before; each kill may cost one for each worker.
"""

import csv
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from connectors.kartra.sandbox.emulator import ReceivedCall
from tests.campaigns.runs import DONE, Findings, side_by_side
from tests.campaigns.tally import Tally
from tests.conftest import Project, kill
from tests.pull.accounts import busy_account, expected, read

log = logging.getLogger("campaigns")

WORKERS = 4
KILLS_EACH = 5
LEADS = 60
INVENTORIES = ("retrieve_account_", "retrieve_custom_fields")
PIPELINE = f"""\
pipeline: reporting
kartra:
  url: ${{KARTRA_URL}}
  app_id: ${{KARTRA_APP_ID}}
  api_key: ${{KARTRA_API_KEY}}
  api_password: ${{KARTRA_API_PASSWORD}}
  workers: {WORKERS}
pull:
  into: tables.db
  leads: {{csv: roster.csv, email: Email}}
"""


@dataclass(frozen=True)
class Size:
    accounts: int


SIZES = {"small": Size(2), "full": Size(10)}
SIDE_BY_SIDE = 2


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """One line: KILLS_EACH kills in each of several accounts."""
    seeds = [seed * 1_000 + number for number in range(SIZES[size].accounts)]
    tallies = side_by_side(seeds, lambda one: _play(one, folder / f"seed-{one}"), SIDE_BY_SIDE)
    return [
        Tally(
            "pull, killed",
            kills=sum(one.kills for one in tallies),
            leads=sum(one.leads for one in tallies),
            lost=sum(one.lost for one in tallies),
            twice=sum(one.twice for one in tallies),
            calls_over_floor=sum(one.calls_over_floor for one in tallies),
            failures=tuple(failure for one in tallies for failure in one.failures),
        )
    ]


def _play(seed: int, folder: Path) -> Tally:
    drawn = random.Random(seed)
    folder.mkdir(parents=True)
    project, findings = Project(folder), Findings(f"pull (seed {seed})")
    account = busy_account(LEADS, LEADS, LEADS // 4, seed=seed)
    (folder / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    with (folder / "roster.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["Email"], *([lead.email] for lead in account.leads.values())])
    kills = 0
    with Sandbox(account, calls_per_second=0, latency_s=0.05) as sandbox:
        project.aim(sandbox)
        for _ in range(KILLS_EACH):
            kills += _killed(project, sandbox, drawn)
        result = project.run()
        if result.code != DONE:
            findings.add(f"the run after the kills ended with exit {result.code}: {result.stderr[-500:]}")
        over = _asked_again(sandbox.calls)
        after = len(sandbox.calls)
        project.run()
        if again := [call.commands for call in sandbox.calls[after:] if not _is_inventory(call)]:
            findings.add(f"a pull that found everything fresh asked for {again}")
    stands, wanted = read(f"sqlite:///{folder / 'tables.db'}"), expected(account)
    lost = sum((wanted[table] - stands[table]).total() for table in wanted)
    surplus = sum((stands[table] - wanted[table]).total() for table in wanted)
    if over > kills * WORKERS:
        findings.add(f"{over} calls were wasted by {kills} kills of {WORKERS} workers")
    log.info("pull, seed %d: %d kills, %d calls wasted; lost %d, twice %d", seed, kills, over, lost, surplus)
    return Tally("pull", 0, kills, LEADS, lost, surplus, 0, over, failures=tuple(findings.sentences))


def _killed(project: Project, sandbox: Sandbox, drawn: random.Random) -> bool:
    """Run until a drawn call has come in, then a moment more. False where it was done by then."""
    until = len(sandbox.calls) + drawn.randrange(3, 30)
    process = project.start("run", "p.yaml", "--json")
    while len(sandbox.calls) < until and process.poll() is None:
        time.sleep(0.002)
    time.sleep(drawn.random() * 0.06)
    was_running = process.poll() is None
    kill(process) if was_running else process.communicate()
    return was_running


def _asked_again(calls: Sequence[ReceivedCall]) -> int:
    """Calls that asked for nothing new; one that a kill cut off before its body came asked for nothing."""
    asked: Counter[str] = Counter()
    again = 0
    for call in calls:
        if not call.commands or _is_inventory(call):
            continue
        things = _things(call)
        again += all(asked[thing] for thing in things)
        asked.update(things)
    return again


def _things(call: ReceivedCall) -> list[str]:
    if call.commands == ("get_lead",):
        return [f"get_lead {call.form['get_lead']}"]
    actions = call.form["actions"]
    assert isinstance(actions, dict)
    return [f"{call.form.get('lead', '')} {action}" for action in actions.values()]


def _is_inventory(call: ReceivedCall) -> bool:
    return call.commands[0].startswith(INVENTORIES) and not call.commands[0].endswith("_from_lead")
