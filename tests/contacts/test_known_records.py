"""What is known from the run before is not mapped again, and nobody can tell."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.clock import utc_now
from connectors.sources import Chunk
from connectors.sources.names import unique_names
from connectors.sources.records import chunks_of, record_of
from pipelines.changes.diff import apply_change, diff_lead, removal
from pipelines.changes.inventory import Inventory
from pipelines.config.load import LoadConfig
from pipelines.contacts.by_column import ColumnMapper
from pipelines.contacts.fingerprint import Fingerprint, fingerprint, raw_hashes
from pipelines.contacts.known_records import KnownRecords
from pipelines.contacts.lead import Snapshot
from pipelines.contacts.mapping import Mapped, mapper, read_columns
from pipelines.contacts.text_columns import text_columns
from pipelines.errors import GuardError
from pipelines.extract.stage import stage
from pipelines.load.account_names import Shortfall
from pipelines.load.plan import make_plan
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Entry, Outcome
from pipelines.state.store import Store
from pipelines.summary import Summary
from tests.contacts.strategies import load_config

COLUMNS = ("Email", "City", "Changed", "OK", "Status", "Tags", "Id", "Unused")
Row = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A Source of these rows, two to a chunk."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...] = COLUMNS
    notes: tuple[str, ...] = ()

    def chunks(self) -> Iterator[Chunk]:
        records = (
            record_of(number, number, [(cell, "") for cell in row]) for number, row in enumerate(self.rows, 2)
        )
        yield from chunks_of(records, unique_names(self.columns), 2)


@dataclass(frozen=True)
class Night:
    """One run: what the source has, how it is mapped, and what becomes of each change."""

    rows: tuple[Row, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    outcomes: tuple[str, ...] = ("done",)
    before: str = ""
    suppressed: tuple[str, ...] = ()


def row(email: str, city: str = "Lyon", **changes: str) -> Row:
    cells = {"Email": email, "City": city, "Changed": "1", "OK": "yes", "Id": email[:1], "Tags": "VIP"}
    return tuple({**cells, **changes}.get(column, "") for column in COLUMNS)


ANN, BOB, CLEO = row("ann@example.org"), row("bob@example.org"), row("cleo@example.org", "Leeds")


def nothing_tells_them_apart(nights: list[Night], folder: Path | None = None) -> list[dict[str, Any]]:
    """Plays the nights in two states, in one of them with what is known; gives what was seen of them."""
    with Store(None) as slow, Store(None) as fast:
        for store in (slow, fast):
            store.scope.enter("newsletter", "account", "live")
        seen = []
        for number, night in enumerate(nights):
            expected = play(slow, night, f"run-{number}", folder, skip_known=False)
            seen.append(play(fast, night, f"run-{number}", folder, skip_known=True))
            assert seen[-1] == expected
    return seen


def play(store: Store, night: Night, run_id: str, folder: Path | None, *, skip_known: bool) -> dict[str, Any]:
    _as_another_process(store)
    _prepare(store, night.before)
    load = _load(night, folder)
    summary = Summary()
    store.runs.begin(run_id, "newsletter")
    source = Rows(night.rows)
    planned = _looked_at(store, source, load, skip_known=skip_known)
    _as_another_process(store)
    error = ""
    try:
        stage(source, load, store, summary, run_id=run_id, skip_known=skip_known)
        make_plan(store, load, Shortfall(Inventory, Inventory), summary, run_id=run_id)
    except GuardError as caught:
        error = str(caught)
    outbox = [(entry.key, entry.kind, entry.row, entry.desired) for entry in store.outbox.planned()]
    if not error:
        store.leads.keep_raw_hashes()
        for entry, outcome in zip(store.outbox.planned(), itertools.cycle(night.outcomes), strict=False):
            _settle(store, entry, outcome, load, run_id)
        store.leads.keep_raw_hashes()
    store.outbox.defer(run_id)
    store.runs.finish(run_id, "done", None, {})
    return {
        "planned": planned,
        "error": error,
        "rows": summary.counts.rows_json(),
        "leads": summary.counts.leads_json(),
        "outbox": outbox,
        "rejects": [astuple(reject)[:-1] for reject in store.rejects.of_run(run_id)],
        "state": _leads(store),
    }


def _looked_at(store: Store, source: Rows, load: LoadConfig, *, skip_known: bool) -> Any:
    """The same as a plan: nothing is written."""
    summary = Summary()
    try:
        stage(source, load, store, summary, run_id=None, skip_known=skip_known)
        plan = make_plan(store, load, Shortfall(Inventory, Inventory), summary, run_id=None)
    except GuardError as caught:
        return str(caught)
    return summary.counts.rows_json(), summary.counts.leads_json(), plan.actions, plan.removed


def _as_another_process(store: Store) -> None:
    """Temporary tables are those of one process."""
    for row in store.database.rows("SELECT name FROM temp.sqlite_schema WHERE type = 'table'"):
        store.database.rows(f"DROP TABLE temp.{row['name']}")


def _prepare(store: Store, before: str) -> None:
    """What happens between two nights."""
    if before == "forget":
        store.forgetting.forget(frozenset({"ann@example.org"}))
    elif before == "drift":
        now = utc_now() + timedelta(days=1)
        for lead in store.drift.comparable(now, now)[:1]:
            store.drift.keep(lead, Snapshot(lead.snapshot.email, lead.snapshot.lead_id), "[]")
    elif before == "resolve":
        store.refusals.resolve("bob@example.org", store.leads.get("bob@example.org"))


def _load(night: Night, folder: Path | None) -> LoadConfig:
    changes = dict(night.changes)
    if night.suppressed and folder is not None:
        file = folder / "said-no.csv"
        file.write_text("\n".join(["Email", *night.suppressed]), encoding="utf-8")
        changes["suppress"] = [{"csv": str(file), "email": "Email"}]
    return load_config(**changes)


def _settle(store: Store, entry: Entry, outcome: str, load: LoadConfig, run_id: str) -> None:
    if outcome == "left":
        return
    snapshot = entry.snapshot
    if entry.desired is None:
        assert snapshot is not None
        change = removal(snapshot, load.on_removed)
    else:
        change = diff_lead(entry.desired, snapshot)
        snapshot = snapshot or Snapshot(entry.desired.email, lead_id=entry.key)
    store.outbox.intend(entry, "{}", None)
    if outcome == "refused":
        store.outbox.settle(entry, Outcome("rejected", "1", "no"), None, run_id=run_id)
        return
    after = apply_change(snapshot, change, [True] * len(change.commands))
    origin = "skipped" if outcome == "skipped" else "created"
    owed = outcome == "owed"
    known = Acknowledged(after, origin, b"" if owed else entry.digest, removed=entry.desired is None)
    store.outbox.settle(entry, Outcome("deferred" if owed else "edited"), known, run_id=run_id)


def _leads(store: Store) -> list[tuple[Any, ...]]:
    return [
        tuple(lead)
        for lead in store.database.rows(
            "SELECT key, lead_id, origin, digest, snapshot, removed_at IS NULL FROM leads ORDER BY key"
        )
    ]


emails = st.sampled_from(
    ["ann@example.org", " Ann@Example.org", "bob@example.org", "cleo@example.org", "dan@example.org", "x"]
)
rows = st.builds(
    row,
    emails,
    st.sampled_from(["Lyon", "Leeds", ""]),
    Changed=st.sampled_from(["1", "2", ""]),
    OK=st.sampled_from(["yes", "yes", "yes", "no"]),
    Status=st.sampled_from(["", "", "", "unsubscribed"]),
    Tags=st.sampled_from(["VIP", "Blog", ""]),
    Unused=st.sampled_from(["", "something"]),
)
CONSENT = {"consent": {"column": "OK", "accepted": ["yes"]}}
TAGS = {"tags": ["Imported", {"column": "Tags", "split": ";"}]}


@st.composite
def many_nights(draw: st.DrawFn) -> list[Night]:
    """A source that is edited a little from night to night."""
    how = st.sampled_from(
        [
            CONSENT,
            CONSENT | TAGS,
            CONSENT | {"on_removed": ["untag"]} | TAGS,
            CONSENT | TAGS | {"on_removed": ["untag"], "duplicates": "merge"},
            CONSENT | {"duplicates": "newest:Changed"},
            CONSENT | {"duplicates": "first", "blank": "clear"},
            CONSENT | {"duplicates": "error"},
            CONSENT | {"key": {"column": "Id"}, "existing": "skip"},
        ]
    )
    changes = draw(how)
    source = draw(st.lists(rows, max_size=5))
    nights = []
    for _ in range(draw(st.integers(2, 5))):
        if draw(st.integers(0, 5)) == 0:
            changes = draw(how)
        for _ in range(draw(st.integers(0, 2))):
            edit = draw(st.sampled_from(["add", "drop", "change", "repeat", "swap"]))
            place = draw(st.integers(0, max(len(source) - 1, 0)))
            if edit == "add" or not source:
                source.insert(place, draw(rows))
            elif edit == "drop":
                source.pop(place)
            elif edit == "change":
                source[place] = draw(rows)
            elif edit == "repeat":
                source.append(source[place])
            else:
                source[0], source[place] = source[place], source[0]
        outcomes = st.lists(
            st.sampled_from(["done", "done", "done", "refused", "left", "owed", "skipped"]),
            min_size=1,
            max_size=3,
        )
        nights.append(
            Night(
                tuple(source),
                changes,
                tuple(draw(outcomes)),
                draw(st.sampled_from(["", "", "", "", "forget", "drift", "resolve"])),
                tuple(
                    draw(st.sampled_from([(), (), ("ann@example.org",), ("bob@example.org", "zoe@x.org")]))
                ),
            )
        )
    return nights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nights")


@settings(max_examples=int(os.environ.get("KNOWN_EXAMPLES", "30")))
@given(nights=many_nights())
def test_a_run_that_skips_what_it_knows_ends_as_one_that_maps_everything(
    folder: Path, nights: list[Night]
) -> None:
    nothing_tells_them_apart(nights, folder)


def staged_rows(store: Store, night: Night) -> list[tuple[str, int]]:
    """(key, row) of what is staged where known records are skipped."""
    _as_another_process(store)
    stage(Rows(night.rows), _load(night, None), store, Summary(), run_id=None, skip_known=True)
    return [tuple(one) for one in store.database.rows("SELECT key, row FROM temp.staged ORDER BY row")]


@pytest.fixture
def store() -> Iterator[Store]:
    """A state in which the records of Ann and Bob are known."""
    with Store(None) as opened:
        opened.scope.enter("newsletter", "account", "live")
        play(opened, Night((ANN, BOB)), "first", None, skip_known=True)
        yield opened


def test_only_records_that_are_not_known_are_mapped(store: Store) -> None:
    assert staged_rows(store, Night((ANN, BOB))) == []
    assert staged_rows(store, Night((CLEO, BOB, ANN))) == [("cleo@example.org", 2)]
    assert staged_rows(store, Night((ANN, row("bob@example.org", "Leeds")))) == [("bob@example.org", 3)]


def test_a_column_that_is_not_mapped_makes_no_record_new(store: Store) -> None:
    assert staged_rows(store, Night((ANN, row("bob@example.org", Unused="later")))) == []


def test_every_record_is_mapped_again_under_another_mapping(store: Store) -> None:
    assert len(staged_rows(store, Night((ANN, BOB), {"blank": "clear"}))) == 2


def test_a_known_record_that_is_not_alone_any_more_is_compared_with_the_others(store: Store) -> None:
    other = row("Ann@example.org", "Paris")
    assert staged_rows(store, Night((other, BOB, ANN))) == [("ann@example.org", 4)]
    assert staged_rows(store, Night((ANN, BOB, ANN))) == [("ann@example.org", 4)]
    nothing_tells_them_apart([Night((ANN, BOB)), Night((other, BOB, ANN)), Night((ANN, other, BOB))])


def test_a_known_record_of_somebody_who_said_no_elsewhere_is_blocked(tmp_path: Path) -> None:
    said_no = Night((ANN, BOB), suppressed=("ann@example.org",))
    seen = nothing_tells_them_apart([Night((ANN, BOB)), said_no], tmp_path)
    assert seen[-1]["rows"]["blocked"] == 1


def test_a_known_record_of_a_forgotten_person_is_blocked() -> None:
    seen = nothing_tells_them_apart([Night((ANN, BOB)), Night((ANN, BOB), before="forget")])
    assert seen[-1]["rows"]["blocked"] == 1


def test_who_is_known_has_not_gone_and_who_does_not_come_has() -> None:
    how = {"on_removed": ["untag"], "tags": ["Imported"]}
    nights = [Night((ANN, BOB, CLEO), how), Night((BOB, CLEO), how), Night((CLEO,), how)]
    seen = nothing_tells_them_apart(nights)
    assert [[key for key, kind, *_ in night["outbox"] if kind == "removal"] for night in seen] == [
        [],
        ["ann@example.org"],
        ["bob@example.org"],
    ]


@given(hashes=st.sets(st.binary(min_size=16, max_size=16), max_size=40), data=st.data())
def test_hashes_are_found_whole(hashes: set[bytes], data: st.DataObject) -> None:
    hashes |= {b"first half" + bytes(6), b"first half" + bytes(5) + b"1"}
    asked = data.draw(st.lists(st.sampled_from(sorted(hashes)) | st.binary(min_size=16, max_size=16)))
    known = KnownRecords(bytearray(b"".join(hashes)))
    kept = set(hashes)
    if asked and data.draw(st.booleans()):
        known.leave_out([asked[0]])
        kept.discard(asked[0])
    found = known.see(b"".join(asked)).tolist()
    # Of two that share their first eight bytes, one may be taken for unknown.
    twins = {one for one in hashes if sum(one[:8] == other[:8] for other in hashes) > 1}
    assert all(one in kept for one, is_found in zip(asked, found, strict=True) if is_found)
    assert all(one not in kept - twins for one, is_found in zip(asked, found, strict=True) if not is_found)
    seen = {one for one, is_found in zip(asked, found, strict=True) if is_found}
    assert known.seen_count == len(seen)
    assert list(known.unseen()) == sorted(hashes - seen)
    others = data.draw(st.lists(st.sampled_from(asked), max_size=3)) if asked else []
    known.share(others)
    shared = {one for one in seen if asked.count(one) > 1 or one in others}
    assert known.leave_out_shared() == bool(shared)
    if shared:
        assert known.seen_count == 0
        assert not any(known.see(b"".join(shared)))
        assert known.see(b"".join(seen - shared)).all()


CELLS = {
    "Email": ["ann@example.org", "bob@example.org", "", "żółw@example.org"],
    "City": ["Łódź", "", "", "x"],
}


def test_the_hash_of_a_record_stays_what_it_is() -> None:
    under = Fingerprint(("City", "Email"), bytes(16))
    golden = [
        "edeb49341ba47c598bf51030bf6608ad",
        "9bcec6a899249048bb44e99132d646d2",
        "dcf8cb87ae5b3e367b2d5007c1aa38b0",
        "b53248772e499ecc55a4f879d8597cba",
    ]
    for frame in (pd.DataFrame(CELLS, dtype=object), pd.DataFrame(CELLS, dtype="string[pyarrow]")):
        hashes = raw_hashes(frame, under)
        assert [hashes[start : start + 16].hex() for start in range(0, len(hashes), 16)] == golden


def test_half_of_a_surrogate_pair_does_not_change_the_hashes_beside_it() -> None:
    under = Fingerprint(("City", "Email"), bytes(16))
    frame = pd.DataFrame(CELLS, dtype=object)
    odd = pd.concat([frame, pd.DataFrame({"Email": ["\ud800"], "City": [""]}, dtype=object)])
    assert raw_hashes(odd, under)[: 16 * len(frame)] == raw_hashes(frame, under)


def test_cells_do_not_run_into_each_other() -> None:
    under = Fingerprint(("a", "b"), bytes(16))
    hashes = raw_hashes(pd.DataFrame({"a": ["x", "xy", "", "xyz"], "b": ["yz", "z", "xyz", ""]}), under)
    assert len({hashes[start : start + 16] for start in range(0, len(hashes), 16)}) == 4


def test_a_fingerprint_is_that_of_the_mapping_and_of_nothing_else() -> None:
    mapping = CONSENT | TAGS | {"duplicates": "newest:Changed"}
    one = fingerprint(load_config(**mapping), COLUMNS, None)
    assert one.columns == ("Changed", "City", "Email", "OK", "Status", "Tags")
    elsewhere = {"source": {"csv": "other.csv"}, "on_removed": ["untag"], "guards": {"min_rows": 7}}
    assert fingerprint(load_config(**mapping, **elsewhere), COLUMNS[::-1], None) == one
    for change in ({"blank": "clear"}, {"tags": ["Imported"]}, {"fields": {"email": "Email"}}):
        assert fingerprint(load_config(**{**mapping, **change}), COLUMNS, None).digest != one.digest


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from tests.contacts.test_known_records import *\n"
        "print(fingerprint(load_config(**CONSENT, **TAGS), COLUMNS, None).digest.hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@given(
    cells=st.lists(
        st.sampled_from(["", "yes", "1", "ann@example.org", "VIP;Blog", "unsubscribed", "DE"]),
        min_size=8,
        max_size=8,
    ),
    changes=st.sampled_from(
        [
            CONSENT | TAGS,
            {"duplicates": "newest:Changed", "points": {"column": "Changed"}},
            {"key": {"column": "Id"}, "tags": ["Lives in {City}"]},
            {
                "fields": {
                    "email": "Email",
                    "phone": {"column": "City", "do": [{"phone": "number", "country": "Tags"}]},
                }
            },
        ]
    ),
)
def test_the_mapping_reads_no_other_column_than_it_says_but_who_opted_out(
    cells: list[str], changes: dict[str, Any]
) -> None:
    load = load_config(**changes)
    record = dict(zip(COLUMNS, cells, strict=True))
    read = {name: cell for name, cell in record.items() if name in read_columns(load, COLUMNS)}
    found = mapper(load, COLUMNS)(record, 2)
    columns = text_columns(pd.DataFrame([record], columns=list(COLUMNS), dtype=object))
    assert columns is not None
    is_marked = bool(ColumnMapper(load, COLUMNS).marked(columns, 1)[0])
    assert is_marked or found == mapper(load, COLUMNS)(read, 2)
    if is_marked and isinstance(found, Mapped):
        assert str(found.blocked).startswith("opted out: ")


def test_a_known_record_that_says_no_in_a_column_nobody_reads_is_mapped_again() -> None:
    frame = pd.DataFrame({"a": ["x", "x"], "Other": ["", "Unsubscribed"]})
    under = Fingerprint(("a",), bytes(16))
    plain, marked = raw_hashes(frame, under), raw_hashes(frame, under, np.array([False, True]))
    assert plain[:16] == plain[16:] == marked[:16] != marked[16:]
