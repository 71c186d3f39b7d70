"""A state that the version before wrote, before its store was split: nothing of it is lost, or sent again.

`tests/data/state/` holds its pipeline, its sources and its state: leads that were loaded, edited, parked,
refused, forgotten and changed in Kartra by hand, a refund, a tag, rejects of four runs. `shown.json` is what
that version showed of it, by the words of the command, but for sentences that are made up when it is asked.
"""

import json
import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Sandbox
from pipelines.operations.journal import OperationStore
from pipelines.state.store import Store
from tests.conftest import Project
from tests.state.places import beside

KEPT = Path(__file__).parents[1] / "data" / "state"
SHOWN: dict[str, Any] = json.loads((KEPT / "shown.json").read_text(encoding="utf-8"))


@pytest.fixture
def before(project: Project, sandbox: Sandbox) -> Project:
    """The project of the version before, in the account of this sandbox."""
    for name in ("p.yaml", "contacts.csv", "rows.csv"):
        shutil.copy(KEPT / name, project.folder)
    project.state.parent.mkdir()
    shutil.copy(KEPT / "kartra.sqlite", project.state)
    named = f"{sandbox.url}\n{sandbox.credentials.api_key}"
    account = blake2b(named.encode(), digest_size=16).hexdigest()
    beside(project.state)("UPDATE scopes SET account = :account", account=account)
    beside(project.state)("UPDATE inventories SET account = :account", account=account)
    return project


def holds(now: Any, then: Any) -> bool:
    """Whether everything is shown that was shown then; there may be more beside it by now."""
    if isinstance(then, dict):
        return all(name in now and holds(now[name], value) for name, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(holds(*pair) for pair in zip(now, then, strict=True))
    return bool(now == then)


@pytest.mark.parametrize("words", SHOWN)
def test_what_it_showed_is_shown(words: str, before: Project) -> None:
    now = before.command(*words.split(), "--json")
    assert now.code == 0, now.stderr
    assert holds(now.json, SHOWN[words]), (now.json, SHOWN[words])


def test_a_next_run_sends_nothing_again(before: Project, sandbox: Sandbox) -> None:
    ran = before.run()
    assert (ran.code, ran.json["calls"]["sent"], sandbox.calls) == (3, 0, [])
    (last, *_) = SHOWN["runs p.yaml"]["runs"]
    for counted in ("rows", "leads", "operations"):
        assert ran.json[counted] == last["summary"][counted]
    runs = before.command("runs", "p.yaml", "--json").json["runs"]
    assert [run["run_id"] for run in runs[1:]] == [run["run_id"] for run in SHOWN["runs p.yaml"]["runs"]]


def test_it_opens_whole_and_knows_what_it_knew(before: Project, sandbox: Sandbox) -> None:
    verified = before.command("state", "verify", "p.yaml", "--json")
    assert (verified.code, verified.json["problems"]) == (0, [])
    with Store(before.state) as store:
        ((account,),) = beside(before.state)("SELECT account FROM scopes")
        store.scope.find("newsletter", account, "live")
        assert store.leads.count() == 4
        assert [(lead.key, lead.lead_id) for lead in store.drift.found()] == [("lead2@example.org", "39263")]
        assert json.loads(store.drift.found()[0].found) != []
        forgotten = store.forgetting.forgotten()
        assert forgotten is not None
        assert forgotten.holds("lead7@example.org")
        (refund,) = OperationStore(store).journal("newsletter", "1")
        assert (refund.outcome, refund.amount) == ("done", "80.00")
        assert len(store.leads.raw_hashes()) == 2 * 16
