"""The verb `plans`: the plans that were saved, and what became of each."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pipelines.changes.shown import masked
from pipelines.cli.change_lines import change_lines
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_json_rows, print_pages, printable
from pipelines.cli.screens import print_table
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.plans import SavedPlan
from pipelines.verbs.saved_plans import open_saved, plans_of


@click.command(epilog="Example:  kartra-sync plans newsletter.yaml")
@click.argument("file", type=FILE)
@click.argument("plan", required=False)
@click.option("--show", is_flag=True, help="With PLAN: show addresses and values; else they are masked.")
@common
def plans(file: Path, plan: str | None, *, show: bool, as_json: bool) -> None:
    """List the saved plans: when and by whom each was made, what it would do, and who applied it.

    With PLAN each of its changes is shown as it was planned, until it is applied.
    """
    if plan is not None:
        _show(read_file(file), plan, show=show, as_json=as_json)
        return
    found = plans_of(read_file(file))
    if as_json:
        print_json({"plans": [_json(plan) for plan in found]})
    elif found:
        print_table(_table(found))
    else:
        click.echo("none")


def _show(config: PipelineConfig, plan_id: str, *, show: bool, as_json: bool) -> None:
    with open_saved(config, plan_id) as (plan, saved):
        changes = saved if show else map(masked, saved)
        if as_json:
            print_json_rows("changes", (change.to_json() for change in changes), _json(plan))
            return
        head = (
            f"plan {plan.plan_id}, made {plan.made_at:%Y-%m-%d %H:%M} UTC by {printable(plan.made_by)}:"
            f" {_state(plan)}"
        )
        print_pages(chain([head], change_lines(changes)))


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
        table.add_row(plan.plan_id, made, plan.made_by, *counts, _state(plan))
    return table


def _state(plan: SavedPlan) -> str:
    if plan.applied_at is None:
        return plan.state
    begun = "applied" if plan.state == "applied" else "cut short: apply goes on"
    return f"{begun}, {plan.applied_at:%Y-%m-%d %H:%M} by {plan.applied_by}"
