"""`fleet worker`: the schedule and the runs over hosts, by a queue on PostgreSQL."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from pipelines.config.fleet import FleetPipeline
from pipelines.fleet.moments import Decision, decide, last_due
from tests.conftest import Project, Result
from tests.fleet.fleets import FLEET, Agency, agency
from tests.servers import FreshDatabase

WITHIN_S = 120
SCHEDULED = '{file: welcome.yaml, schedule: "* * * * *", late_after: 26h}'
SECOND = '{file: again.yaml, schedule: "* * * * *"}'
QUEUE = "kartra_jobs_agency"
LAST = f"SELECT * FROM {QUEUE}.procrastinate_periodic_defers WHERE task_name = 'run'"


def until(holds: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    ends = time.monotonic() + WITHIN_S
    while not holds():
        if process is not None and process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        assert time.monotonic() < ends
        time.sleep(0.1)


@contextmanager
def on_server(
    project: Project, database: FreshDatabase, names: list[str], count: int = 3
) -> Iterator[Agency]:
    """A fleet whose states are on a server, each in a schema of its own."""
    address = database("postgresql").replace("postgresql+psycopg", "postgresql")
    with agency(project, names, count) as (made, _):
        fleet = FLEET.replace("accounts: accounts.csv\n", f'accounts: accounts.csv\nstate: "{address}"\n')
        made.write(fleet=fleet.replace("{file: welcome.yaml, late_after: 26h}", SCHEDULED))
        made.address = address
        yield made


@contextmanager
def working(made: Agency, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = made.project.start("fleet", "worker", "agency.yaml", *words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WITHIN_S)


def rows(made: Agency, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(made.address) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def do(made: Agency, statements: str) -> None:
    with psycopg.connect(made.address) as connection:
        connection.execute(statements)  # type: ignore[call-overload]


def tables_of(made: Agency) -> bool:
    """Whether the queue has been made."""
    found = rows(made, f"SELECT to_regclass('{QUEUE}.fleet_files') IS NOT NULL")
    return found == [(True,)]


def ended(made: Agency) -> bool:
    return rows(made, ENDED) == [(True,)]


def test_a_fleet_with_its_states_on_a_server_runs_as_with_files(
    project: Project, fresh_database: FreshDatabase
) -> None:
    with on_server(project, fresh_database, ["acme", "bolt-co"]) as made:
        done = made.command("run", "--json")
        assert (done.code, [each["calls"]["sent"] > 0 for each in done.json["accounts"]]) == (0, [True, True])
        assert made.leads() == made.own(3)
        again = made.command("run", "--json")
        assert [each["leads"]["unchanged"] for each in again.json["accounts"]] == [3, 3]
        status = made.command("status", "--json")
        assert [(each["account"], each["status"]) for each in status.json["accounts"]] == [
            ("acme", "succeeded"),
            ("bolt-co", "succeeded"),
        ]
        schemas = {row[0] for row in rows(made, "SELECT nspname FROM pg_namespace WHERE nspname ~ 'kartra'")}
        assert schemas == {"kartra_sync_acme", "kartra_sync_bolt$co", "kartra_sync_windows"}
        # a key of another account is noticed by what the states on the server know
        made.rows[0]["api_key"], made.rows[1]["api_key"] = made.rows[1]["api_key"], made.rows[0]["api_key"]
        swapped = [made.rows[1]["api_password"], made.rows[0]["api_password"]]
        made.rows[0]["api_password"], made.rows[1]["api_password"] = swapped
        made.write_accounts()
        mixed = made.command("run")
        assert (mixed.code, mixed.stderr.count("Were the keys of the two mixed up?")) == (4, 2)


def nightly(made: Agency) -> None:
    """A schedule whose last moment was two hours ago: what nobody has watched yet is not due by it."""
    then = datetime.now(UTC) - timedelta(hours=2)
    text = (made.folder / "agency.yaml").read_text("utf-8")
    night = text.replace('"* * * * *"', f'"{then.minute} {then.hour} * * *"')
    (made.folder / "agency.yaml").write_text(night, encoding="utf-8")


NOTED = f"""
CREATE TABLE {QUEUE}.noted (name text, at bigint);
CREATE FUNCTION {QUEUE}.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {QUEUE}.noted SELECT NEW.periodic_id, NEW.defer_timestamp WHERE NEW.task_name = 'run';
    RETURN NEW;
END $$;
CREATE TRIGGER note AFTER INSERT ON {QUEUE}.procrastinate_periodic_defers
FOR EACH ROW EXECUTE FUNCTION {QUEUE}.note();
"""
"""Keeps what was put into the queue: the queue itself forgets it."""
ENDED = f"SELECT count(*) = 0 FROM {QUEUE}.procrastinate_jobs WHERE task_name = 'run'"


def have_missed_nights(made: Agency) -> None:
    do(
        made,
        f"UPDATE {QUEUE}.procrastinate_periodic_defers SET defer_timestamp = defer_timestamp - 3 * 86400",
    )
    do(made, f"TRUNCATE {QUEUE}.noted")


def workers(made: Agency) -> list[tuple[object, ...]]:
    return rows(made, f"SELECT id FROM {QUEUE}.procrastinate_workers ORDER BY id")


@pytest.mark.parametrize(
    "seeds", [pytest.param([1], id="once"), pytest.param(range(2, 32), id="30", marks=pytest.mark.full)]
)
def test_a_killed_worker_s_run_goes_on_at_another_and_missed_nights_are_made_up_once(
    project: Project, fresh_database: FreshDatabase, seeds: Sequence[int]
) -> None:
    with on_server(project, fresh_database, ["acme", "bolt"]) as made:
        nightly(made)
        with working(made) as first:
            # Watched for the first time: nothing is due before the next night.
            until(lambda: tables_of(made) and len(rows(made, LAST)) == 2 and ended(made), first)
        assert not any(made.leads().values())
        do(made, NOTED)
        for done, seed in enumerate(seeds, start=1):
            have_missed_nights(made)
            count = 15 * done
            for name in made.accounts:
                made.contacts(name, count)
            _killed_at(made, random.Random(seed), has_another=seed % 2 == 1)
            assert made.leads() == made.own(count)
            noted = rows(made, f"SELECT name, count(*) FROM {QUEUE}.noted GROUP BY name ORDER BY name")
            assert noted == [("acme/welcome.yaml", 1), ("bolt/welcome.yaml", 1)]
        status = made.command("status", "--json").json["accounts"]
        assert [(each["status"], each["waiting"]["unknown"]) for each in status] == [("succeeded", 0)] * 2


def _killed_at(made: Agency, rng: random.Random, *, has_another: bool) -> None:
    """A worker is killed at a moment; another one, which was there or begins now, does the rest."""
    known = sum(len(leads) for leads in made.leads().values())
    sent = known + rng.randrange(0, 30)

    def is_moment() -> bool:
        return sum(len(leads) for leads in made.leads().values()) >= sent or _is_made_up(made)

    with ExitStack() as stack:
        before = set(workers(made))
        first = stack.enter_context(working(made))
        until(lambda: len(set(workers(made)) - before) == 2, first)
        dead = set(workers(made)) - before
        if has_another:
            second = stack.enter_context(working(made))
        until(is_moment, first)
        time.sleep(rng.random() / 10)
        first.kill()
        first.wait()
        # What the next worker to begin does after twenty seconds, for which a test need not wait.
        ids = ", ".join(str(row[0]) for row in dead)
        do(made, f"DELETE FROM {QUEUE}.procrastinate_workers WHERE id IN ({ids})")
        if not has_another:
            second = stack.enter_context(working(made))
        until(lambda: _is_made_up(made), second)


def _is_made_up(made: Agency) -> bool:
    return rows(made, f"SELECT count(*) = 2 FROM {QUEUE}.noted") == [(True,)] and ended(made)


@pytest.mark.full
def test_two_workers_share_the_accounts_and_never_run_one_twice_at_once(
    project: Project, fresh_database: FreshDatabase
) -> None:
    with on_server(project, fresh_database, ["acme", "bolt", "dora", "wrong"], count=15) as made:
        made.rows[3]["api_key"] = "NOT-OURS"
        made.write_accounts()
        # A second pipeline for each account, which the first one has to be done before.
        text = (made.folder / "agency.yaml").read_text("utf-8")
        both = text.replace(SCHEDULED, f"{SCHEDULED}\n  - {SECOND}")
        (made.folder / "agency.yaml").write_text(both, encoding="utf-8")
        text = (made.folder / "welcome.yaml").read_text("utf-8")
        second = text.replace("pipeline: welcome", "pipeline: again").replace("Imported, ", "")
        (made.folder / "again.yaml").write_text(second, encoding="utf-8")
        with working(made, "--at-once", "1", "--json") as one, working(made, "--at-once", "1") as two:
            until(lambda: tables_of(made) and len(rows(made, LAST)) == 8 and ended(made), one)
            told = [_ended(one), _ended(two)]
        assert made.leads() == made.own(15) | {"wrong": []}
        for name in ("acme", "bolt", "dora"):
            ran = rows(
                made, f"SELECT pipeline, started_at, finished_at FROM kartra_sync_{name}.runs ORDER BY 2"
            )
            assert [row[0] for row in ran[:2]] == ["welcome", "again"]
            for before, after in pairwise(ran):
                assert str(before[2]) <= str(after[1]), ran
        printed = [text for text, _ in told]
        assert json.loads(printed[0])["fleet"] == "agency"
        counts = [err.count(": succeeded (run ") for _, err in told]
        assert min(counts) >= 1, counts
        assert "wrong" in told[0][1] + told[1][1]


def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 143, err
    return out, err


@pytest.mark.full
def test_a_worker_with_other_files_of_the_fleet_stops_and_says_so(
    project: Project, fresh_database: FreshDatabase
) -> None:
    with on_server(project, fresh_database, ["acme"]) as made:
        copy = Project(made.folder.parent / "old", environ=dict(project.environ))
        copy.folder.mkdir(exist_ok=True)
        for path in made.folder.iterdir():
            if path.is_file():
                (copy.folder / path.name).write_bytes(path.read_bytes())
                (copy.folder / path.name).chmod(0o600)
        old = copy.start("fleet", "worker", "agency.yaml")
        try:
            until(lambda: any(made.leads().values()), old)
            text = (made.folder / "welcome.yaml").read_text("utf-8")
            (made.folder / "welcome.yaml").write_text(f"{text}# newer\n", encoding="utf-8")
            with working(made):
                told = old.communicate(timeout=WITHIN_S)[1]
            assert "a worker that began later has other files of this fleet" in told
            assert old.returncode == 4
        finally:
            if old.poll() is None:
                old.kill()
                old.communicate()


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("", "agency.yaml: pipelines: none has a schedule, and a worker would wait for ever"),
        (', schedule: "61 2 * * *"', "welcome.yaml: schedule: "),
        (', schedule: "0 0 30 2 *"', "welcome.yaml: schedule: "),
    ],
)
def test_a_schedule_that_would_never_run_is_refused(project: Project, schedule: str, told: str) -> None:
    refused = _out_of_reach(project, f"{{file: welcome.yaml{schedule}}}")
    assert (refused.code, told in refused.stderr) == (2, True), refused.stderr
    assert "secret-of-mine" not in refused.stderr


@pytest.mark.full  # it is waited for half a minute
def test_a_server_that_is_out_of_reach_ends_a_worker_and_names_nobody(project: Project) -> None:
    lost = _out_of_reach(project, SCHEDULED)
    assert lost.code == 1, lost.stderr
    assert "secret-of-mine" not in lost.stderr
    assert lost.stderr.count("\n") <= 2, lost.stderr


def _out_of_reach(project: Project, pipeline: str) -> Result:
    """What a worker says whose states are on a server that is not there."""
    project.environ["DB_PASSWORD"] = "secret-of-mine"
    with agency(project, ["acme"]) as (made, _):
        state = 'state: "postgresql://me:${DB_PASSWORD}@127.0.0.1:1/crm"\n'
        fleet = FLEET.replace("accounts: accounts.csv\n", f"accounts: accounts.csv\n{state}")
        made.write(fleet=fleet.replace("{file: welcome.yaml, late_after: 26h}", pipeline))
        return made.command("worker")


def test_states_in_files_are_refused_with_what_serves_instead(project: Project) -> None:
    with agency(project, ["acme"]) as (made, _):
        refused = made.command("worker")
    assert refused.code == 2
    assert "a worker needs postgresql://" in refused.stderr
    assert "kartra-sync fleet run" in refused.stderr


def test_without_the_group_it_says_how_to_get_it(project: Project, tmp_path: Path) -> None:
    with agency(project, ["acme"]) as (made, _):
        blocked = tmp_path / "blocked"
        (blocked / "procrastinate").mkdir(parents=True)
        text = "raise ModuleNotFoundError('no', name='procrastinate')\n"
        (blocked / "procrastinate" / "__init__.py").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", "fleet", "worker", "agency.yaml"],
            cwd=made.folder,
            env=project.command_environ() | {"PYTHONPATH": f"{blocked}:{Path(__file__).parents[2]}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "pip install 'kartra-sync[fleet]'" in done.stderr) == (2, True), done.stderr


def pipeline(schedule: str, zone: str = "UTC", late: str = "run") -> FleetPipeline:
    return FleetPipeline.model_validate(
        {"file": "welcome.yaml", "schedule": schedule, "zone": zone, "late": late},
        context={"folder": Path("/")},
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHTLY = pipeline("0 2 * * *")
SKIPPING = pipeline("0 2 * * *", late="skip")
NIGHT, NEXT = at("2026-11-10 02:00"), at("2026-11-11 02:00")


@pytest.mark.parametrize(
    ("given", "last", "now", "decision"),
    [
        (NIGHTLY, NIGHT, at("2026-11-11 01:59:59"), None),
        (NIGHTLY, NIGHT, NEXT, Decision(NEXT, True)),
        (NIGHTLY, NIGHT, at("2026-11-11 14:00"), Decision(NEXT, True)),
        (NIGHTLY, NIGHT - timedelta(days=9), at("2026-11-11 14:00"), Decision(NEXT, True)),
        (NIGHTLY, NEXT, at("2026-11-11 14:00"), None),
        # a clock that was put back, or a host whose clock is behind
        (NIGHTLY, NEXT, at("2026-11-10 14:00"), None),
        (SKIPPING, NIGHT, at("2026-11-11 02:09"), Decision(NEXT, True)),
        (SKIPPING, NIGHT, at("2026-11-11 14:00"), Decision(NEXT, False)),
        # nobody has watched it before: it waits for its first night
        (NIGHTLY, None, at("2026-11-11 14:00"), Decision(NEXT, False)),
        (NIGHTLY, None, at("2026-11-11 02:01"), Decision(NEXT, True)),
    ],
)
def test_what_was_missed_is_made_up_once_or_skipped(
    given: FleetPipeline, last: datetime | None, now: datetime, decision: Decision | None
) -> None:
    assert decide(given, last, now) == decision


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        # 02:30 does not exist on 29 March: it is due when it would have been, and once
        ("30 2 * * *", at("2026-03-29 00:59"), at("2026-03-28 01:30")),
        ("30 2 * * *", at("2026-03-29 01:30"), at("2026-03-29 01:30")),
        ("30 2 * * *", at("2026-03-29 23:00"), at("2026-03-29 01:30")),
        # 02:30 comes twice on 25 October: the first counts
        ("30 2 * * *", at("2026-10-25 00:30"), at("2026-10-25 00:30")),
        ("30 2 * * *", at("2026-10-25 01:45"), at("2026-10-25 00:30")),
        # every quarter of an hour goes on through both
        ("*/15 * * * *", at("2026-10-25 01:20"), at("2026-10-25 01:15")),
        ("*/15 * * * *", at("2026-03-29 01:20"), at("2026-03-29 01:15")),
    ],
)
def test_a_schedule_goes_by_the_clock_on_the_wall(schedule: str, now: datetime, due: datetime) -> None:
    assert last_due(pipeline(schedule, "Europe/Vienna"), now) == due
