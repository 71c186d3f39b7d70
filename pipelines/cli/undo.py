"""The verb `undo`: a run is taken back, as far as Kartra lets it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from connectors.privacy import mask_address, mask_text
from pipelines.changes.undo import Stays
from pipelines.cli.exits import DONE, FAILED, PARTIAL, SIGNALLED, code_of
from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_error, print_json, print_lines, tell
from pipelines.cli.progress import progress_bar
from pipelines.cli.question import Pause
from pipelines.cli.screens import account_lines
from pipelines.cli.signals import Stop
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.wishes import WISH
from pipelines.verbs.undo import (
    Asked,
    LeadPlan,
    UndoPlan,
    UndoResult,
    lines_of,
    plan_undo,
    send_again,
    undo_run,
)
from pipelines.verbs.work import Caller
from pipelines.words.numbers import counted

NAMES_SHOWN = 10
_STAYS = {
    "changed since": "somebody changed it since",
    "a later run changed it": "a later run changed it",
    "another pipeline asks for it": "another pipeline gave it, too",
    "old value not known": "what was there before is not known: no run had seen it",
    "left by its person": "its person has left it",
    "says no since": "its row or a suppression list says no since; it is not given again",
    "not readable": "Kartra does not show it",
    "not in the account any more": "the account does not have it any more",
    "renamed or deleted": "renamed or deleted in Kartra; renamed, its leads have it still",
    "whoever gave it is not known": "taken off by wish; whether the lead had it is not known",
    "begun": "begun; --stop-sequences stops it, and what was mailed is mailed",
    "stopped": "stopped; it is not begun again, for that sends mail",
    "booked": "booked; cancel it in Kartra",
    "expired": "expired since, as load.points says",
    "not proven": "not proven to have landed: kartra-sync parked",
}


@click.command(epilog="Example:  kartra-sync undo newsletter.yaml last --plan-only")
@click.argument("file", type=FILE)
@click.argument("run")
@click.option("--plan-only", is_flag=True, help="Show what it would do. Reads leads, writes nothing.")
@click.option("--yes", is_flag=True, help="Agree to the plan beforehand, where nobody can be asked.")
@click.option("--stop-sequences", is_flag=True, help="Stop the sequences that the run began, too.")
@click.option("--send-again", is_flag=True, help="Let the next run send again what was taken back of RUN.")
@click.option("--changes", is_flag=True, help="Show each lead: what is taken back, and what stays.")
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
@click.pass_obj
def undo(
    stop: Stop,
    file: Path,
    run: str,
    *,
    plan_only: bool,
    yes: bool,
    stop_sequences: bool,
    send_again: bool,
    changes: bool,
    show: bool,
    as_json: bool,
) -> int:
    """Take a run back: fields to their old values, tags, lists and points taken off or given again.

    RUN is a number that `runs` shows, its beginning, or the word last. Each lead is read first, and what
    somebody changed since stays. What cannot be taken back is said before anything is sent: created leads
    stay, without what the run gave them; mail that was sent stays sent. The next run does not send the same
    again, until a row or the mapping changes.
    """
    if send_again:
        return _let_go(read_file(file), run, as_json=as_json)
    config = read_file(file)
    leads: list[dict[str, Any]] = []
    with progress_bar() as progress:
        asked = Asked(
            run,
            stop_sequences=stop_sequences,
            agreed=lambda plan: yes or _ask(config, plan, stop, progress.paused),
            see=(lambda lead: leads.append(_lead_json(lead, show=show))) if changes else lambda _: None,
        )
        caller = Caller(approved=yes, stopping=stop.asked, progress=progress)
        result = (plan_undo if plan_only else undo_run)(config, asked, caller)
    if as_json:
        print_json(_json(result, leads if changes else None))
    else:
        print_lines(_lead_lines(leads))
        print_lines(_result_lines(config, result, plan_shown=not yes and not plan_only))
    if result.error is not None:
        print_error(result.pipeline, result.error)
    return stop.code(_code(result))


def _let_go(config: PipelineConfig, run: str, *, as_json: bool) -> int:
    count = send_again(config, run)
    if as_json:
        print_json({"pipeline": config.pipeline, "leads": count})
    else:
        print_lines([f"{counted(count, 'lead')}: the next run sends them again what their rows ask for"])
    return DONE


def _ask(config: PipelineConfig, plan: UndoPlan, stop: Stop, paused: Pause) -> bool:
    """Only where somebody sits in front of it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    with paused(), stop.interruptible():
        for line in plan_lines(config, plan):
            tell(line)
        try:
            return click.confirm(f"Take this back from {counted(plan.leads, 'lead')}?", err=True)
        except click.Abort:  # the end of the input, or Ctrl-C
            click.echo(err=True)
            return False


def _code(result: UndoResult) -> int:
    if result.error is not None:
        return code_of(result.error)
    if result.status == "planned":
        return PARTIAL if result.plan.unread else DONE
    return {"succeeded": DONE, "partial": PARTIAL, "interrupted": SIGNALLED + 2}.get(result.status, FAILED)


def _result_lines(config: PipelineConfig, result: UndoResult, *, plan_shown: bool) -> Iterator[str]:
    plan, summary = result.plan, result.summary
    # Whoever was asked has just seen the plan.
    if not plan_shown or not plan.leads or not sys.stdin.isatty():
        yield from plan_lines(config, plan)
    if result.status == "planned":
        yield "nothing was sent: this is the plan alone"
        return
    yield f"{result.pipeline}: undo of {plan.run.run_id} {result.status} (run {result.run_id})"
    yield from account_lines(summary.account)
    label = "leads"
    for name, words in (
        ("edited", "taken back"),
        ("unchanged", "were so already"),
        ("rejected", "refused by Kartra"),
        ("parked", "held back"),
        ("deferred", "waiting: undo again goes on with them"),
    ):
        if count := summary.counts.leads[name]:
            yield f"  {label:<7}{count:>8,} {words}"
            label = ""
    read = f", {summary.counts.read_back:,} to read a lead" if summary.counts.read_back else ""
    yield f"  {'calls':<7}{summary.counts.sent:>8,} sent{read}"
    if summary.counts.leads["edited"]:
        file = quoted(config.path)
        yield "  the next run does not send this again until a row or the mapping changes"
        yield f"  to have it again: kartra-sync undo {file} {plan.run.run_id} --send-again"


def plan_lines(config: PipelineConfig, plan: UndoPlan) -> Iterator[str]:
    """What taking it back would do, what stays, and what comes after."""
    begun = plan.run.started_at[:16].replace("T", " ")
    yield f"{config.pipeline}: undo of the run {plan.run.run_id} of {begun} UTC"
    yield f"  {'leads':<7}{plan.changed:>8,} were changed by it, {plan.created:,} of them created"
    if plan.taken_back_before:
        yield "  it was taken back before"
    yield from _counted("takes", plan.takes.most_common(), "lead loses {}", "leads lose {}")
    yield from _counted(
        "gives",
        plan.gives.most_common(),
        "lead gets {} again, which can send mail",
        "leads get {} again, which can send mail",
    )
    yield from _counted(
        "fields", plan.fields.most_common(), "lead: {} to its old value", "leads: {} to its old value"
    )
    yield from _counted("stays", list(_stay_lines(plan)), "{}", "{}")
    yield f"  {'calls':<7}{plan.calls:>8,} to send, {counted(plan.reads, 'lead was', 'leads were')} read"
    if not plan.leads:
        yield "  nothing is left to take back"


def _stay_lines(plan: UndoPlan) -> Iterator[tuple[str, int]]:
    if plan.created:
        yield "created by it: Kartra's interface deletes nobody. What it gave is taken off", plan.created
    if plan.gone:
        yield "gone from Kartra", plan.gone
    if plan.unread:
        yield "without a usable answer: undo again reads them", plan.unread
    if plan.new_fields:
        yield "custom fields of the account, created by it", plan.new_fields
    if plan.operations:
        yield "operations carried out by it, refunds among them", plan.operations
    for one, count in plan.stays.most_common():
        yield f"{_named(one)}: {_STAYS[one.why]}", count
    if plan.created or plan.gives or plan.actions:
        is_list = any(what.startswith(WISH["lists"].one) for what in plan.takes)
        left = "; a list that is taken back shows as left" if is_list else ""
        yield f"mail that was sent stays sent{left}", 0


def _named(one: Stays) -> str:
    if one.kind in ("fields", "custom_fields"):
        return f"field {one.name}"
    if one.kind == "email":
        return "e-mail address"
    return f'{WISH[one.kind].one} "{mask_text(one.name)}"'


def _counted(label: str, counts: Sequence[tuple[str, int]], one: str, many: str) -> Iterator[str]:
    for what, count in counts[:NAMES_SHOWN]:
        number = f"{count:>8,}" if count else " " * 8
        yield f"  {label:<7}{number} {(one if count == 1 else many).format(mask_text(what))}"
        label = ""
    if len(counts) > NAMES_SHOWN:
        yield f"  {'':<15} and {len(counts) - NAMES_SHOWN:,} more"


def _lead_json(lead: LeadPlan, *, show: bool) -> dict[str, Any]:
    return {
        "key": lead.key if show else mask_address(lead.key),
        "created": lead.created,
        "takes_back": [mask_text(what) for what in lines_of(lead)],
        "stays": [
            {"kind": one.kind, "name": mask_text(one.name), "why": one.why} for one in lead.taking.stays
        ],
    }


def _lead_lines(leads: Sequence[dict[str, Any]]) -> Iterator[str]:
    for lead in leads:
        yield lead["key"]
        yield from (f"  {what}" for what in lead["takes_back"])
        for one in lead["stays"]:
            named = _named(Stays(one["kind"], one["name"], one["why"]))
            yield f"  stays: {named} ({_STAYS[one['why']]})"


def _json(result: UndoResult, leads: list[dict[str, Any]] | None) -> dict[str, Any]:
    plan, summary = result.plan, result.summary
    return {
        "run_id": result.run_id or None,
        "pipeline": result.pipeline,
        "undoes": plan.run.run_id,
        "status": result.status,
        "plan": {
            "changed": plan.changed,
            "created": plan.created,
            "leads": plan.leads,
            "nothing": plan.nothing,
            "gone": plan.gone,
            "unread": plan.unread,
            "actions": dict(sorted(plan.actions.items())),
            "takes": _names_json(plan.takes.most_common()),
            "gives": _names_json(plan.gives.most_common()),
            "fields": _names_json(plan.fields.most_common()),
            "stays": [
                {"kind": one.kind, "name": mask_text(one.name), "why": one.why, "leads": count}
                for one, count in plan.stays.most_common()
            ],
            "custom_fields_created": plan.new_fields,
            "operations": plan.operations,
            "calls": {"read": plan.reads, "estimated": plan.calls},
        },
        "leads": {
            name: summary.counts.leads[name]
            for name in ("edited", "unchanged", "rejected", "parked", "deferred")
        },
        "actions": dict(sorted(summary.counts.actions.items())),
        "calls": {
            "sent": summary.counts.sent,
            "throttled": summary.counts.throttled,
            "retried": summary.counts.retried,
        },
        **({"message": str(result.error)} if result.error else {}),
        **({"changes": leads} if leads is not None else {}),
    }


def _names_json(counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": mask_text(name), "leads": count} for name, count in counts]
