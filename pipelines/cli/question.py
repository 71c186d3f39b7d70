"""The question before anything is sent: five lines of plan, and yes or no. Only where a person can answer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import click

from connectors.privacy import mask_text
from pipelines.cli.files import quoted
from pipelines.cli.output import printable, tell
from pipelines.cli.screens import duration
from pipelines.cli.signals import Stop
from pipelines.load.cautions import not_taken_back
from pipelines.verbs.work import Question
from pipelines.words.numbers import counted

NAMES_SHOWN = 3
Pause = Callable[[], AbstractContextManager[None]]


def asker(stop: Stop, paused: Pause) -> Callable[[Question], bool] | None:
    """None where nobody sits in front of it. `paused`: meanwhile nothing else is drawn."""
    # Not stdout: results may go into a file while the question appears on stderr.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: Question) -> bool:
        with paused(), stop.interruptible():
            for line in question_lines(question, datetime.now().astimezone()):
                tell(line)
            try:
                return click.confirm("Send this?", err=True)
            except click.Abort:  # the end of the input, or Ctrl-C
                click.echo(err=True)
                return False

    return ask


def question_lines(question: Question, now: datetime) -> Iterator[str]:
    """The plan in five lines."""
    plan, account = question.plan, question.summary.account
    whose = account.get("name") or account.get("fingerprint") or "?"
    mode = " (Test mode)" if account.get("mode") == "test" else ""
    yield f"{question.config.pipeline} to the account {printable(whose)}{mode}"
    counts = [
        f"{count:,} {word}"
        for count, word in ((plan.created, "created"), (plan.edited, "edited"), (plan.removed, "removed"))
        if count
    ]
    end = now + timedelta(seconds=question.seconds)
    at = f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
    took = f"{counted(plan.calls, 'call')}, {duration(question.seconds)}, until about {at}"
    yield f"  leads  {', '.join(counts)}; {took}"
    named = [
        f"{printable(mask_text(what))} to {count:,}"
        for what, count in plan.triggered.most_common(NAMES_SHOWN)
    ]
    more = len(plan.triggered) - len(named)
    named += [f"{counted(more, 'name')} more"] if more > 0 else []
    yield f"  gives  {', '.join(named) if named else 'nothing that can start automations or mail'}"
    kept = [why.partition(":")[0] for _, why in not_taken_back(plan.actions)]
    yield f"  stays  {', '.join(kept) if kept else 'nothing: all of it can be taken back (kartra-sync undo)'}"
    yield f"  {question.concern or f'each lead: kartra-sync plan {quoted(question.config.path)} --changes'}"
