"""What a run did, for a screen or a page: its counts, what was sent by names, and who did not get through."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError
from connectors.privacy import mask_text, mask_value
from pipelines.config.pipeline import PipelineConfig
from pipelines.pages.run_page import REFUSED_SHOWN, NotSent, RunReport, run_page, with_shares
from pipelines.private_file import open_private
from pipelines.state.runs import Run
from pipelines.state.store import Store
from pipelines.verbs.outcomes import Outcome, outcome_in_words, run_named
from pipelines.verbs.reading import store_of
from pipelines.words.outcomes import HELD_BACK, INVALID, REFUSED, WAITING, in_words

DID_NOT_GET_THROUGH = (REFUSED, INVALID, HELD_BACK)
_ROWS = {
    "unchanged": "as wished already: nothing was sent",
    "created": "created",
    "edited": "edited",
    "skipped": "left alone, as the file says",
    "blocked": "without consent, opted out or forgotten",
    "duplicate": "left to another row with the same key",
    "invalid": "invalid",
    "rejected": "refused by Kartra",
    "parked": "held back: a person has to act",
    "deferred": "waiting: the next run sends them",
}
_CALLS = {
    "sent": "sent",
    "read_back": "of them read a lead back",
    "retried": "of them sent again",
    "throttled": "of them had to wait for the rate",
}


def report_of(config: PipelineConfig, name: str | None, *, show: bool) -> RunReport:
    """Of the last run, or of the one whose number begins with `name`. Raises ConfigError without one."""
    with store_of(config) as store:
        run_id = run_named(store, config, name)
        run = store.runs.get(run_id) if run_id else None
        if run is None:
            raise ConfigError(f"{config.path.name} has not been run yet")
        return _report(config, store, run, show=show)


def write_page(report: RunReport, path: Path | None) -> None:
    """As HTML, readable by its owner alone. Raises ConfigError."""
    with open_private(path, "utf-8") as handle:
        handle.write(run_page(report))


def _report(config: PipelineConfig, store: Store, run: Run, *, show: bool) -> RunReport:
    summary: Mapping[str, Any] = json.loads(run.summary) if run.summary else {}
    sent: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    shown: list[NotSent] = []
    for outcome in map(outcome_in_words, store.outcomes.of_run(run.run_id)):
        sent.update(outcome.sent)
        if outcome.outcome in DID_NOT_GET_THROUGH:
            reasons[mask_text(outcome.reason or "")] += 1
            # All of them are counted, but a page of a million rows would open in no browser.
            if len(shown) < REFUSED_SHOWN:
                shown.append(_not_sent(outcome, show=show))
    account: Mapping[str, Any] = summary.get("account") or {}
    return RunReport(
        pipeline=run.pipeline,
        account=account.get("name") or account.get("fingerprint") or "",
        mode=run.mode,
        run_id=run.run_id,
        status=run.status,
        message=run.message or "",
        began=_minute(run.started_at),
        ended=_minute(run.finished_at),
        seconds=float(summary.get("seconds", 0.0)),
        read=int(summary.get("rows", {}).get("read", 0)),
        rows=with_shares(_rows(summary)),
        sent=with_shares(sent.most_common()),
        calls=with_shares([(words, summary.get("calls", {}).get(key, 0)) for key, words in _CALLS.items()]),
        reasons=with_shares(reasons.most_common()),
        not_sent=tuple(shown),
        not_sent_count=reasons.total(),
        next_steps=tuple(_next_steps(config.path.name, summary, reasons.total())),
    )


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, int]]:
    counts = {**summary.get("rows", {}), **summary.get("leads", {})}
    return [(words, counts.get(name, 0)) for name, words in _ROWS.items()]


def _not_sent(outcome: Outcome, *, show: bool) -> NotSent:
    key = outcome.key or ""
    return NotSent(
        outcome.row,
        key if show else mask_value(key),
        in_words(outcome.outcome),
        outcome.type or "",
        mask_text(outcome.reason or ""),
    )


def _next_steps(file: str, summary: Mapping[str, Any], not_sent: int) -> list[str]:
    leads = summary.get("leads", {})
    steps = []
    if not_sent:
        steps.append(f"Mend those who did not get through: kartra-sync rejects {file} --csv again.csv")
    if leads.get("parked"):
        steps.append(f"Decide on what is held back: kartra-sync parked {file}")
    if leads.get("deferred"):
        steps.append(f"Run it again for what is {WAITING}: kartra-sync run {file}")
    return steps


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else ""
