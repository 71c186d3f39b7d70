"""The verb `plans`: the plans that were saved, and what became of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table
from pipelines.state.plans import SavedPlan
from pipelines.verbs.saved_plans import plans_of


@click.command(epilog="Example:  kartra-sync plans newsletter.yaml")
@click.argument("file", type=FILE)
@common
def plans(file: Path, *, as_json: bool) -> None:
    """List the saved plans: when and by whom each was made, what it would do, and who applied it."""
    found = plans_of(read_file(file))
    if as_json:
        print_json({"plans": [_json(plan) for plan in found]})
    elif found:
        print_table(_table(found))
    else:
        click.echo("none")


def _json(plan: SavedPlan) -> dict[str, Any]:
    return {
        "plan_id": plan.plan_id,
        "pipeline": plan.pipeline,
        "mode": plan.mode,
        "state": plan.state,
        "made_at": plan.made_at.isoformat(),
        "made_by": plan.made_by,
        "expires_at": plan.expires_at.isoformat() if plan.expires_at else None,
        **plan.counts,
        "applied_at": plan.applied_at.isoformat() if plan.applied_at else None,
        "applied_by": plan.applied_by,
    }


def _table(found: Sequence[SavedPlan]) -> Table:
    table = Table("plan", "made (UTC)", "by", "created", "edited", "removed", "calls", "state")
    for plan in found:
        counts = [f"{plan.counts[name]:,}" for name in ("created", "edited", "removed", "calls")]
        made = f"{plan.made_at:%Y-%m-%d %H:%M}"
        table.add_row(plan.plan_id, made, escape(plan.made_by), *counts, escape(_state(plan)))
    return table


def _state(plan: SavedPlan) -> str:
    if plan.applied_at is None:
        return plan.state
    begun = "applied" if plan.state == "applied" else "cut short: apply goes on"
    return f"{begun}, {plan.applied_at:%Y-%m-%d %H:%M} by {plan.applied_by}"
