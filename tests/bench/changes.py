"""Plans that show people: `python -m tests.bench changes --changes 100000`.

How long after the plan its first page stands, and how much memory it takes to show all of it: of contacts
that are all new, and of contacts that are all known and have all changed.
"""

from connectors.kartra.sandbox import Sandbox
from tests.bench.cache import run_folder
from tests.bench.contacts import account
from tests.bench.load import LoadBench
from tests.bench.report import Asked, Report, medians, stage_table

FIRST_PAGE_S = 0.3
FLAT = 1.05
"""Times the memory of the plan alone: what libraries keep for themselves."""
KINDS = {"new": None, "changed": 100}
STAGES = {"plan": "plan", "first page": "changes-page", "all shown": "changes"}


def bench_changes(changes: int, repeat: int) -> Report:
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox:
        bench = LoadBench(changes, folder, sandbox)
        runs = [
            {
                f"{name}, {kind}": bench.run(stage, edited)
                for kind, edited in KINDS.items()
                for name, stage in STAGES.items()
            }
            for _ in range(repeat)
        ]
    stages = medians(runs)
    asked = [
        one
        for kind in KINDS
        for one in (
            Asked(f"first page of {kind}, s", FIRST_PAGE_S, stages[f"first page, {kind}"]["seconds"]),
            Asked(f"first page of {kind}, processor", FIRST_PAGE_S, stages[f"first page, {kind}"]["cpu"]),
            Asked(
                f"all {kind} shown, MiB / of the plan",
                FLAT,
                stages[f"all shown, {kind}"]["MiB"] / stages[f"plan, {kind}"]["MiB"],
            ),
        )
    ]
    return Report({"changes": changes, "stages": stages}, stage_table(stages), asked)
