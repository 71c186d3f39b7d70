"""The verb `plan`: what a run would send."""

from pathlib import Path
from typing import Any

import click

from connectors.privacy import mask_address, mask_text
from pipelines.changes.inventory import missing_message
from pipelines.cli.exits import DONE, GUARDED, USAGE
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import plan_lines
from pipelines.contacts.held_back import unclear_json
from pipelines.verbs.plan import PlanResult, plan_pipeline


@click.command(epilog="Example:  kartra-sync plan newsletter.yaml")
@click.argument("file", type=FILE)
@common
def plan(file: Path, *, as_json: bool) -> int:
    """What a run would send: counts per action, calls, minutes. Sends no write."""
    config = read_file(file)
    result = plan_pipeline(config)
    if as_json:
        print_json(_json(config.pipeline, result))
    else:
        print_lines(plan_lines(config.pipeline, result))
        for row, address in result.collapsing:
            click.echo(f"  Test mode stores row {row} ({mask_address(address)}) as another row's address")
    if result.waiting:
        click.echo(
            f"{result.waiting} calls of an earlier run have no outcome; a run settles them first", err=True
        )
    if result.unchecked:
        click.echo(f"names were not compared with the account: {result.unchecked}", err=True)
    if result.plan.missing:
        click.echo(missing_message(result.plan.missing), err=True)
        return USAGE
    if result.refusal:
        click.echo(f"a run would be stopped: {result.refusal}", err=True)
        return GUARDED
    return DONE


def _json(pipeline: str, result: PlanResult) -> dict[str, Any]:
    plan, summary = result.plan, result.summary
    planned: dict[str, Any] = {
        "pipeline": pipeline,
        **({"account": dict(summary.account)} if summary.account else {}),
        "rows": summary.counts.rows_json(),
        "leads": summary.counts.leads_json(),
        "held_back": dict(summary.counts.held_back.most_common()),
        "unclear": unclear_json(summary.counts.unclear),
        "actions": dict(sorted(plan.actions.items())),
        "triggered": {mask_text(what): count for what, count in plan.triggered.most_common()},
        "calls": {"estimated": result.calls},
        "seconds_estimated": round(result.seconds, 1),
        "collapsing": [{"row": row, "address": mask_address(address)} for row, address in result.collapsing],
        "missing": {str(thing): count for thing, count in sorted(plan.missing.items())},
        "new_custom_fields": [
            {"identifier": mask_text(new.identifier), "type": new.type, "options": len(new.options)}
            for new in plan.new_fields
        ],
        "refusal": str(result.refusal) if result.refusal else None,
    }
    if summary.notes:
        planned["notes"] = summary.notes
    if result.operations is not None:
        planned["operations"] = result.operations.to_json()
    if result.pull is not None:
        planned["pull"] = {"leads": result.pull.leads, "details": result.pull.details}
    return planned
