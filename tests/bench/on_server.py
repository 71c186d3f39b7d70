"""Plans with the state on a PostgreSQL server, beside those with a file: `python -m tests.bench server`.

The server is one of its own, from PyPI, on this machine. What is known there is a copy of what the file
knows.
"""

from contextlib import ExitStack

from connectors.kartra.sandbox import Sandbox
from pipelines.state.copying import copy_between
from pipelines.state.store import Store
from tests.bench.cache import run_folder
from tests.bench.contacts import account, contacts_csv
from tests.bench.load import LoadBench
from tests.bench.report import Asked, Report, medians, stage_table
from tests.servers import postgresql
from tests.state.places import address_of, new_schema

TIMES = 2.0
"""So many times what a plan takes with a file may it take with a server."""
MIB = 400
PLANS = ("plan, same", "plan, first")


def bench_server(rows: int, repeat: int) -> Report:
    with ExitStack() as stack:
        folder, server = stack.enter_context(run_folder()), stack.enter_context(postgresql())
        sandbox = stack.enter_context(Sandbox(account(), calls_per_second=0))
        bench = LoadBench(rows, folder, sandbox)
        known, empty = new_schema(server), new_schema(server)
        copy_between(folder / "state.db", known)
        for place in (empty, folder / "empty.db"):
            Store(place).close()
        states = {
            ("plan, same", "file"): "state.db",
            ("plan, same", "server"): address_of(known),
            ("plan, first", "file"): "empty.db",
            ("plan, first", "server"): address_of(empty),
        }
        csv = contacts_csv(rows)
        runs = [
            {
                f"{name}, {where}": bench.run_in("plan", f"{name}-{where}", state, csv)
                for (name, where), state in states.items()
            }
            for _ in range(repeat)
        ]
    stages = medians(runs)
    asked = [
        Asked(
            f"{name}, server / file{told}",
            TIMES,
            stages[f"{name}, server"][what] / stages[f"{name}, file"][what],
        )
        for name in PLANS
        for what, told in (("seconds", ""), ("cpu", ", processor of the client"))
    ]
    asked += [Asked(f"{name}, server, MiB", MIB, stages[f"{name}, server"]["MiB"]) for name in PLANS]
    return Report({"rows": rows, "stages": stages}, stage_table(stages), asked)
