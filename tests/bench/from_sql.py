"""A plan of contacts that stand in PostgreSQL, beside COPY of the same rows: `python -m tests.bench sql`.

The server is one of its own, from PyPI. Numbers, dates and times have their types there.
"""

from pathlib import Path

import psycopg

from connectors.kartra.sandbox import Sandbox
from tests.bench.cache import run_folder
from tests.bench.contacts import COLUMNS, account, contacts_csv
from tests.bench.load import LoadBench
from tests.bench.report import Asked, Report, medians, stage_table
from tests.servers import postgresql

TYPES = {"Score": "integer", "Birthday": "date", "Updated": "timestamptz"}
COPIES = 2
"""So many times what COPY takes may a plan need more than one from CSV."""


def bench_sql(rows: int, repeat: int) -> Report:
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox, postgresql() as server:
        url = server.render_as_string(hide_password=False)
        _fill(url.replace("+psycopg", ""), contacts_csv(rows))
        query = {"url": url, "query": "SELECT * FROM contacts"}
        bench = LoadBench(rows, folder, sandbox)
        runs = [
            {
                "COPY to a client": bench.run_on("copy", query),
                "extract, CSV": bench.run("extract", 0),
                "extract, PostgreSQL": bench.run_on("extract", query),
                "plan, same, CSV": bench.run("plan", 0),
                "plan, same, PostgreSQL": bench.run_on("plan", query),
            }
            for _ in range(repeat)
        ]
    stages = medians(runs)
    asked = [
        Asked(
            f"plan from PostgreSQL / ({COPIES} × COPY + plan from CSV){told}",
            1.0,
            stages["plan, same, PostgreSQL"][what]
            / (COPIES * stages["COPY to a client"][what] + stages["plan, same, CSV"][what]),
        )
        for what, told in (("seconds", ""), ("cpu", ", processor of the client"))
    ]
    return Report({"rows": rows, "stages": stages}, stage_table(stages), asked)


def _fill(url: str, csv: Path) -> None:
    quoted = {name: f'"{name}"' for name in COLUMNS}
    columns = ", ".join(f"{quoted[name]} {TYPES.get(name, 'text')} NOT NULL" for name in COLUMNS)
    options = f"FORMAT csv, HEADER, FORCE_NOT_NULL ({', '.join(quoted.values())})"
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE contacts ({columns})")
        with csv.open("rb") as lines, cursor.copy(f"COPY contacts FROM STDIN ({options})") as copy:
            while block := lines.read(1024 * 1024):
                copy.write(block)
