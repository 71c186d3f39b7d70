"""Memory where many contacts are bad: `python -m tests.bench memory`.

A fifth of the contacts are invalid, and a fifth have the key of another. What must not grow with them is
measured with so many contacts, and with a fifth of them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from tests.bench.cache import run_folder
from tests.bench.contacts import account, contacts_csv, messy_csv, pipeline_text
from tests.bench.load import run_stage
from tests.bench.report import Asked, Figures, Report, medians, stage_table

DUPLICATES = ("last", "merge")
VERBS = ("rejects", "rejects --json", "rejects --csv")
FEWER = 5
GROWTH = 1.25
"""With five times as many contacts: what libraries keep for themselves, and 16 bytes for each contact."""


def bench_memory(rows: int, repeat: int) -> Report:
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox:
        named = sandbox.credentials
        secrets = {"APP_ID": named.app_id, "API_KEY": named.api_key, "PASSWORD": named.api_password}
        runs = [_run_all(rows, folder, sandbox.url, {**os.environ, **secrets}) for _ in range(repeat)]
    stages = medians(runs)
    many, few = f", {rows:,}", f", {rows // FEWER:,}"
    asked = [
        Asked(f"MiB, {name.removesuffix(many)}, many / a fifth", GROWTH, one["MiB"] / stages[less]["MiB"])
        for name, one in stages.items()
        if (less := name.removesuffix(many) + few) in stages and name.endswith(many)
    ]
    return Report({"rows": rows, "stages": stages}, stage_table(stages), asked)


def _run_all(rows: int, folder: Path, url: str, environ: Mapping[str, str]) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for count in (rows // FEWER, rows):
        clean = _pipeline(folder, url, "none.db", contacts_csv(count), "last")
        found[f"plan, first, all good, {count:,}"] = run_stage("plan", clean, environ)
        for how in DUPLICATES:
            messy = _pipeline(folder, url, "none.db", messy_csv(count), how)
            found[f"plan, first, {how}, {count:,}"] = run_stage("plan", messy, environ)
        for how in DUPLICATES:
            messy = _pipeline(folder, url, "commit.db", messy_csv(count), how)
            found[f"committed, {how}, {count:,}"] = run_stage("commit", messy, environ)
            if how == DUPLICATES[-1]:
                found |= {f"{verb}, {count:,}": run_stage(verb, messy, environ) for verb in VERBS}
            for file in folder.glob("commit.db*"):
                file.unlink()
    return found


def _pipeline(folder: Path, url: str, state: str, csv: Path, duplicates: str) -> Path:
    file = folder / "messy.yaml"
    file.write_text(pipeline_text(url, state, csv, duplicates=duplicates), encoding="utf-8")
    return file
