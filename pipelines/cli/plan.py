"""The verb `plan`: what a run would send."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import click

from connectors.privacy import mask_address, mask_text
from pipelines.changes.inventory import missing_json, missing_message
from pipelines.changes.shown import ShownChange, masked
from pipelines.cli.change_lines import change_lines
from pipelines.cli.exits import DONE, GUARDED, PENDING, USAGE
from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, PERIOD, common
from pipelines.cli.output import (
    print_error,
    print_json,
    print_json_rows,
    print_lines,
    print_next,
    print_pages,
    tell,
)
from pipelines.cli.plan_markdown import markdown_lines
from pipelines.cli.screens import CALLS_A_DAY, plan_lines
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.held_back import blocked_json, unclear_json
from pipelines.errors import TriggerError
from pipelines.load.cautions import Caution, cautions
from pipelines.state.plans import SavedPlan
from pipelines.verbs.plan import OpenPlan, PlanResult, open_plan
from pipelines.verbs.saved_plans import save_plan


@click.command(epilog="Example:  kartra-sync plan newsletter.yaml --changes")
@click.argument("file", type=FILE)
@click.option(
    "--changes", is_flag=True, help="Each lead with old and new values, tags and lists by sign; in pages."
)
@click.option("--show", is_flag=True, help="Show addresses and values; without it they are masked.")
@click.option(
    "--markdown", is_flag=True, help="For a review: counts, the largest changes, what can send mail."
)
@click.option("--save", is_flag=True, help="Keep this very plan for kartra-sync apply, and print its number.")
@click.option("--max-age", type=PERIOD, metavar="AGE", help="How long a saved plan holds, such as 2h.")
@click.option("--detailed-exitcode", is_flag=True, help="End with 7 where a run would change something.")
@common
def plan(
    file: Path,
    *,
    changes: bool,
    show: bool,
    markdown: bool,
    save: bool,
    max_age: timedelta | None,
    detailed_exitcode: bool,
    as_json: bool,
) -> int:
    """What a run would send: counts per action, calls, minutes. Sends no write."""
    if markdown and (as_json or changes):
        raise click.UsageError("either --markdown, or --json and --changes")
    if max_age is not None and not save:
        raise click.UsageError("--max-age goes with --save")
    config = read_file(file)
    with open_plan(config, to_keep=save) as opened:
        saved = _save(config, opened, max_age) if save else None
        seen = _View(config, opened, show=show, saved=saved)
        if markdown:
            print_lines(seen.markdown())
        elif as_json:
            seen.print_json(changes=changes)
        else:
            (print_pages if changes else print_lines)(seen.lines(changes=changes))
    code = _complain(opened.result)
    if code == DONE and opened.result.is_pending and saved is None and not (as_json or markdown):
        print_next(f"next: kartra-sync run {quoted(config.path)}")
    if save and saved is None and code == DONE:
        tell("nothing is to be sent: no plan was saved")
    # A refusal outranks pending changes: a script must not go on to a run that a guard would stop.
    return PENDING if code == DONE and detailed_exitcode and opened.result.is_pending else code


def _save(config: PipelineConfig, opened: OpenPlan, max_age: timedelta | None) -> SavedPlan | None:
    """Save the plan; None where a run would be stopped, or would send nothing. `apply` can ask for a yes."""
    refusal = opened.result.refusal
    if opened.result.plan.missing or (refusal and not isinstance(refusal, TriggerError)):
        return None
    return save_plan(config, opened, datetime.now(UTC), max_age)


class _View:
    """A plan as it is shown."""

    def __init__(
        self, config: PipelineConfig, opened: OpenPlan, *, show: bool, saved: SavedPlan | None
    ) -> None:
        self._config, self._opened, self._show, self._saved = config, opened, show, saved
        self._now = datetime.now().astimezone()
        self._result = opened.result
        self._cautions = list(cautions(opened.result.plan, config.kartra.mode, quoted(config.path)))

    def _changes(self) -> Iterator[ShownChange]:
        shown = (planned.shown() for planned in self._opened.changes())
        return shown if self._show else map(masked, shown)

    def lines(self, *, changes: bool) -> Iterator[str]:
        lines = plan_lines(self._config.pipeline, self._result, self._now, self._cautions)
        collapsing = (
            f"  Test mode stores row {row} ({mask_address(address)}) as another row's address"
            for row, address in self._result.collapsing
        )
        everything = chain(lines, collapsing, self._saved_lines())
        return chain(everything, change_lines(self._changes())) if changes else everything

    def _saved_lines(self) -> Iterator[str]:
        if self._saved is not None:
            yield f"  saved: kartra-sync apply {quoted(self._config.path)} {self._saved.plan_id}"
            if self._result.operations is not None or self._result.pull is not None:
                yield "  note: a saved plan is about the load; operations and the pull are left to run"

    def markdown(self) -> Iterator[str]:
        return markdown_lines(
            self._config.pipeline, self._result, self._cautions, self._changes(), self._now, self._saved
        )

    def print_json(self, *, changes: bool) -> None:
        head = _json(self._config.pipeline, self._result, self._cautions, self._now)
        if self._saved is not None:
            head |= {"plan_id": self._saved.plan_id, "made_by": self._saved.made_by}
        if changes:
            print_json_rows("changes", (change.to_json() for change in self._changes()), head)
        else:
            print_json(head)


def _complain(result: PlanResult) -> int:
    """Print on stderr what stands in the way of a run; gives the exit code."""
    if result.waiting:
        tell(f"{result.waiting} calls of an earlier run have no outcome; a run settles them first")
    if result.unchecked:
        tell(f"names were not compared with the account: {result.unchecked}")
    if result.plan.missing:
        tell(missing_message(result.plan.missing))
        return USAGE
    if result.refusal:
        print_error("a run would be stopped", result.refusal)
        return GUARDED
    return DONE


def _json(pipeline: str, result: PlanResult, found: list[Caution], now: datetime) -> dict[str, Any]:
    plan, summary = result.plan, result.summary
    planned: dict[str, Any] = {
        "pipeline": pipeline,
        **({"account": dict(summary.account)} if summary.account else {}),
        "rows": summary.counts.rows_json(),
        "leads": summary.counts.leads_json(),
        "blocked_reasons": blocked_json(summary.counts.held_back),
        "unclear": unclear_json(summary.counts.unclear),
        "actions": dict(sorted(plan.actions.items())),
        "triggered": [
            {"what": mask_text(what), "leads": count} for what, count in plan.triggered.most_common()
        ],
        "calls": {"estimated": result.calls},
        "seconds_estimated": round(result.seconds, 1),
        "ends_about": (now + timedelta(seconds=result.seconds)).isoformat(timespec="seconds"),
        "share_of_day": round(result.calls / CALLS_A_DAY, 6),
        "cautions": [one.to_json() for one in found],
        "collapsing": [{"row": row, "address": mask_address(address)} for row, address in result.collapsing],
        "missing": missing_json(plan.missing),
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
