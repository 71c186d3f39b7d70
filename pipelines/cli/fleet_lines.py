"""What people and programs see of a fleet: a line for each account and pipeline, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any

from rich.table import Table

from connectors.errors import AccessRefusedError, SyncError, lines_of
from pipelines.cli.exits import BUG, DONE, FAILED, PARTIAL, SIGNALLED, code_of
from pipelines.cli.screens import duration
from pipelines.errors import GuardError, LockedError
from pipelines.fleet.status import MemberStatus

if TYPE_CHECKING:  # pandas comes with them, and `status` needs none
    from pipelines.fleet.fleet import Fleet
    from pipelines.fleet.look import Looked
    from pipelines.fleet.run import Outcome

SHOWN = 90
"""The letters of a message in a table; the whole stands on stderr."""


class Screen:
    """How the accounts of one fleet file are named to people."""

    def __init__(self, file: Path, target: str | None) -> None:
        self._file, self._target = file, target

    def label(self, outcome: Outcome) -> str:
        return f"{outcome.account} {outcome.pipeline}" if outcome.pipeline else outcome.account

    def named(self, account: str, pipeline: str) -> str:
        """How other verbs take that pipeline of that account."""
        target = f":{self._target}" if self._target else ""
        return f"{self._file}{target}@{account}/{pipeline}"

    def again(self, account: str) -> str:
        target = f" --target {self._target}" if self._target else ""
        return f"kartra-sync fleet run {self._file}{target} --account {account}"

    def words(self, outcome: Outcome, error: SyncError) -> str:
        """A message, with the commands that it names as they are for this account."""
        said = "; ".join(lines_of(error))
        if outcome.config is None:
            return said
        named = self.named(outcome.account, outcome.config.pipeline)
        for verb in ("run", "take-over", "rejects", "parked", "plan", "check"):
            said = said.replace(f"{verb} {outcome.config.path.name}", f"{verb} {named}")
        return said

    def code(self, outcome: Outcome) -> int:
        """The exit code that this outcome would have by itself."""
        # By its name: importing its module would bring in pandas, which `fleet status` does without.
        if outcome.error is not None and type(outcome.error).__name__ == "ProgramError":
            return BUG
        if (error := outcome.stopped_by) is not None:
            return code_of(error)
        ended = {"succeeded": DONE, "partial": PARTIAL, "interrupted": SIGNALLED + SIGINT}
        status = outcome.result.status if outcome.result else "failed"
        # A signal's own code is for the whole command, and has no place in the order of `worst`.
        return FAILED if status == "interrupted" else ended.get(status, FAILED)

    def after(self, outcome: Outcome) -> str:
        """What to do after that outcome."""
        error = outcome.stopped_by
        if isinstance(error, AccessRefusedError):
            return f"kartra-sync connect {outcome.account} --rotate"
        if isinstance(error, LockedError):
            return "wait: it runs already"
        if isinstance(error, GuardError) or (error is not None and code_of(error) == code_of(_USAGE)):
            return _short(self.words(outcome, error))
        if error is not None:
            return self.again(outcome.account)
        if outcome.result is None or outcome.pipeline is None:
            return ""
        named, leads = self.named(outcome.account, outcome.pipeline), outcome.result.summary.counts.leads
        if leads["parked"]:
            return f"kartra-sync parked {named}"
        return f"kartra-sync rejects {named}" if outcome.result.summary.counts.refused else ""

    def to_do(self, each: MemberStatus) -> str:
        """What to do about how a pipeline stands."""
        if each.problem or each.overview is None:
            return each.problem
        named, waiting, last = (
            self.named(each.account, each.pipeline),
            each.overview.waiting,
            each.overview.last_run,
        )
        if each.overview.holder is not None:
            return "it runs now"
        if last is None:
            return self.again(each.account)
        if each.has_failed:
            # What was refused needs a person, and its message says what; anything else is worth another
            # run.
            return _short(last.message or "") if last.status == "refused" else self.again(each.account)
        if waiting.parked:
            return f"kartra-sync parked {named}"
        if waiting.rejected:
            return f"kartra-sync rejects {named}"
        return f"late: {self.again(each.account)}" if each.is_late else ""

    def run_json(self, outcome: Outcome, code: int) -> dict[str, Any]:
        result = outcome.result
        return {
            **self._head(outcome, code),
            "status": _status(outcome),
            "run_id": result.run_id if result else None,
            "seconds": result.summary.seconds if result else 0.0,
            **({key: result.summary.to_json()[key] for key in ("rows", "leads", "calls")} if result else {}),
            "to_do": self.after(outcome),
        }

    def checked_json(self, looked: Looked, code: int) -> dict[str, Any]:
        checked = looked.checked
        return {
            **self._head(looked, code),
            "ok": looked.error is None,
            "problems": [*lines_of(looked.error)] if looked.error else [],
            "notes": checked.notes if checked else [],
            "rows": {
                "read": checked.records if checked else 0,
                "invalid": sum(checked.invalid.values()) if checked else 0,
                "blocked": checked.blocked if checked else 0,
            },
        }

    def planned_json(self, looked: Looked, code: int) -> dict[str, Any]:
        plan = looked.plan
        whole = plan.summary.to_json() if plan else {}
        return {
            **self._head(looked, code),
            **({"rows": whole["rows"], "leads": whole["leads"]} if plan else {}),
            "calls": {"estimated": plan.calls if plan else 0},
            "seconds_estimated": plan.seconds if plan else 0.0,
        }

    def _head(self, outcome: Outcome, code: int) -> dict[str, Any]:
        error = outcome.stopped_by
        return {
            "account": outcome.account,
            "pipeline": outcome.pipeline,
            "exit_code": code,
            "message": self.words(outcome, error) if error else None,
        }


_USAGE = AccessRefusedError("")


def _status(outcome: Outcome) -> str:
    if outcome.result is not None:
        return outcome.result.status
    return "failed" if outcome.error is None or code_of(outcome.error) == FAILED else "refused"


def _short(text: str) -> str:
    first = " ".join(text.split())
    return first if len(first) <= SHOWN else f"{first[:SHOWN]}…"


def run_table(screen: Screen, outcomes: Sequence[Outcome]) -> Table:
    table = Table(
        "account", "pipeline", "ended", "created", "edited", "refused", "waiting", "calls", "what to do"
    )
    for outcome in outcomes:
        counts = outcome.result.summary.counts if outcome.result else None
        table.add_row(
            outcome.account,
            outcome.pipeline or "",
            _status(outcome),
            f"{counts.leads['created']:,}" if counts else "",
            f"{counts.leads['edited']:,}" if counts else "",
            f"{counts.refused:,}" if counts else "",
            f"{counts.leads['deferred']:,}" if counts else "",
            f"{counts.sent:,}" if counts else "",
            screen.after(outcome),
        )
    return table


def plan_table(looked: Sequence[Looked]) -> Table:
    table = Table(
        "account", "pipeline", "created", "edited", "removed", "unchanged", "calls", "takes", "stopped by"
    )
    for each in looked:
        plan = each.plan
        leads = plan.summary.counts.leads if plan else None
        table.add_row(
            each.account,
            each.pipeline or "",
            *(f"{leads[name]:,}" if leads else "" for name in ("created", "edited", "removed", "unchanged")),
            f"{plan.calls:,}" if plan else "",
            duration(plan.seconds) if plan else "",
            _short("; ".join(lines_of(each.error))) if each.error else "",
        )
    return table


def status_table(screen: Screen, found: Sequence[MemberStatus]) -> Table:
    table = Table(
        "account", "pipeline", "last run", "last good run", "leads", "waiting", "refused", "what to do"
    )
    for each in found:
        seen = each.overview
        late = " late" if each.is_late else ""
        table.add_row(
            each.account,
            each.pipeline,
            each.status,
            f"{_ago(each.age)}{late}",
            f"{seen.waiting.leads:,}" if seen else "",
            f"{seen.waiting.unknown + seen.waiting.parked:,}" if seen else "",
            f"{seen.waiting.rejected:,}" if seen else "",
            screen.to_do(each),
        )
    return table


def _ago(age: timedelta | None) -> str:
    if age is None:
        return "never"
    hours = age.total_seconds() / 3600
    if hours < 0:
        return "in the future"
    return (
        f"{hours * 60:.0f} min ago"
        if hours < 1
        else f"{hours:.0f} h ago"
        if hours < 72
        else f"{hours / 24:.0f} d ago"
    )


def check_lines(fleet: Fleet, looked: Sequence[Looked]) -> Iterator[str]:
    wrong = sum(each.error is not None for each in looked)
    accounts = len({each.account for each in looked})
    pipelines = len(fleet.file.config.pipelines)
    yield f"{fleet.name}: {'not ok' if wrong else 'ok'}, {accounts:,} accounts, {pipelines:,} pipelines"
    for each in looked:
        if each.error is None and each.checked is not None:
            yield f"  {each.account} {each.pipeline}: ok, {each.checked.records:,} records"
    yield from faults_lines(looked)


def faults_lines(looked: Sequence[Looked]) -> Iterator[str]:
    """What is wrong, each thing once, with the names of the accounts that it is wrong with."""
    names: dict[str, list[str]] = defaultdict(list)
    for each in looked:
        for fault in lines_of(each.error) if each.error else ():
            names[fault].append(each.account)
    everybody = {each.account for each in looked}
    for fault, whose in names.items():
        unique = list(dict.fromkeys(whose))
        all_of_them = len(unique) > 1 and set(unique) == everybody
        yield f"{'all accounts' if all_of_them else ', '.join(unique)}: {fault}"
