"""P8: the mode of an App is recognised by what Kartra stores, whatever the file says."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import Project, Result
from tests.promises.scenes import Scenes, Seen, adds_up, run_seen
from tests.state.places import beside

SCENES = Scenes()
LOAD = """\
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
tags: [Imported]
points: 10
sequences: [{name: Onboarding, step: "1"}]
consent: {attested: "sign-up form"}
"""
PULL = "pull: {into: tables.db, refresh_after: 0s}\n"
NAMES = ("ann", "bob", "cem", "dee", "eve")
ROWS = [{"Email": f"{name}@example.org", "City": "Lyon"} for name in NAMES]
TEST = "mode: test"
A_DAY_BEFORE = datetime.strftime(datetime.now(UTC) - timedelta(days=1), "%Y-%m-%d %H:%M:%S")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def given(sandbox: Sandbox) -> list[tuple[str, int, int]]:
    with sandbox.lock:
        leads = sandbox.account.leads.values()
        return sorted((lead.email, lead.score, len(lead.sequence_starts)) for lead in leads)


def each_once(domain: str) -> list[tuple[str, int, int]]:
    return [(f"{name}@{domain}", 10, 1) for name in NAMES]


def status(project: Project) -> str:
    return project.command("status", "p.yaml").stdout


@dataclass(frozen=True)
class Told:
    stopped: Seen
    stands: str
    """What status says after it."""
    stopped_again: Seen
    corrected: Seen
    again: Seen
    given: list[tuple[str, int, int]]


def wrong_file(*, app: str, said: str, mended: str) -> object:
    """The App is in a mode that the file does not say; it is run twice, then mended."""

    def scene(project: Project, sandbox: Sandbox) -> Told:
        sandbox.set_options(mode=app)
        project.pipeline(LOAD, kartra=said)
        project.contacts(ROWS)
        stopped = run_seen(project, sandbox)
        stands = status(project)
        stopped_again = run_seen(project, sandbox)
        project.pipeline(LOAD, kartra=mended)
        corrected = run_seen(project, sandbox)
        return Told(stopped, stands, stopped_again, corrected, run_seen(project, sandbox), given(sandbox))

    return scene


SCENES.add(wrong_file(app="test", said="", mended=TEST), "Test mode, and the file says nothing")  # type: ignore[arg-type]
SCENES.add(wrong_file(app="live", said=TEST, mended=""), "Live, and the file says test")  # type: ignore[arg-type]


def test_p8_test_mode_that_the_file_does_not_say_stops_after_the_first_lead(scenes: Scenes) -> None:
    told: Told = scenes["Test mode, and the file says nothing"]
    assert told.stopped.result.code == 4
    assert told.stopped.leads == {"created": 1, "deferred": 4}
    assert adds_up(told.stopped.result)
    for words in ("Test mode", "kartra.com", "`mode: test`", "a***@e***.org"):
        assert words in told.stopped.result.stderr
    assert "ann@" not in told.stopped.result.stderr
    assert "test mode" in told.stands.lower()


def test_p8_live_that_the_file_denies_stops_after_the_first_lead(scenes: Scenes) -> None:
    told: Told = scenes["Live, and the file says test"]
    assert told.stopped.result.code == 4
    assert told.stopped.leads == {"created": 1, "deferred": 4}
    for words in ("the App is Live", "Take `mode: test` out"):
        assert words in told.stopped.result.stderr


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("Test mode, and the file says nothing", "kartra.com"),
        ("Live, and the file says test", "example.org"),
    ],
)
def test_p8_the_run_after_the_file_is_corrected_is_exact(scenes: Scenes, name: str, domain: str) -> None:
    told: Told = scenes[name]
    assert told.stopped_again.result.code == 4
    assert told.corrected.result.code == 0, told.corrected.result.stderr
    assert told.corrected.leads == {"unchanged": 1, "created": 4}
    assert told.again.calls == []
    assert told.given == each_once(domain)


@SCENES.add
def it_goes_live_later(project: Project, sandbox: Sandbox) -> tuple[Result, list[tuple[str, int, int]], Seen]:
    """The App of a file that was never mended goes Live."""
    sandbox.set_options(mode="test")
    project.pipeline(LOAD)
    project.contacts(ROWS)
    assert project.run().code == 4
    sandbox.set_options(mode="live")
    last = project.run()
    return last, given(sandbox), run_seen(project, sandbox)


def test_p8_what_test_mode_stored_is_not_taken_for_done_once_the_app_is_live(scenes: Scenes) -> None:
    last, leads, again = scenes["it_goes_live_later"]
    assert last.json["leads"]["created"] == 5
    assert leads == sorted([("ann@kartra.com", 10, 1), *each_once("example.org")])
    assert again.calls == []


@SCENES.add
def its_first_creations_in_live_get_lost(
    project: Project, sandbox: Sandbox
) -> tuple[Result, Result, list[tuple[str, int, int]], Seen]:
    """Everybody was sent in Test mode; App and file go Live, and at first no creation gets through."""
    sandbox.set_options(mode="test")
    project.pipeline(LOAD, kartra=f"{TEST}\nsettle_s: 1")
    project.contacts(ROWS)
    assert project.run().code == 0
    with sandbox.lock:
        for lead in sandbox.account.leads.values():
            lead.date_joined = A_DAY_BEFORE  # an App goes Live long after its tests
    sandbox.set_options(mode="live")
    project.pipeline(LOAD, kartra="settle_s: 1")
    sandbox.set_faults(Faults(cut_before=1.0, commands=frozenset({"create_lead"})))
    lost = project.run()
    sandbox.set_faults(Faults())
    return lost, project.run(), given(sandbox), run_seen(project, sandbox)


def test_p8_a_lead_that_test_mode_left_behind_says_nothing_of_a_creation_in_live(scenes: Scenes) -> None:
    lost, last, leads, again = scenes["its_first_creations_in_live_get_lost"]
    assert lost.code == 3, lost.stderr
    assert "the App is in Test mode" not in lost.stderr
    assert last.code == 0, last.stderr
    assert leads == sorted([*each_once("kartra.com"), *each_once("example.org")])
    assert again.calls == []


@SCENES.add
def where_the_mode_is_right(project: Project, sandbox: Sandbox) -> list[Seen]:
    project.pipeline(LOAD)
    project.contacts(ROWS[:3])
    first = run_seen(project, sandbox)
    project.contacts(ROWS)
    return [first, run_seen(project, sandbox)]


def reads(seen: Seen) -> int:
    return sum("get_lead" in call.commands for call in seen.calls)


def test_p3_the_mode_costs_one_call_for_an_account(scenes: Scenes) -> None:
    first, second = scenes["where_the_mode_is_right"]
    assert (reads(first), reads(second)) == (1, 0)
    assert [call.commands[0] for call in first.calls if "retrieve" not in call.commands[0]] == [
        "create_lead",
        "get_lead",
        "create_lead",
        "create_lead",
    ]


@SCENES.add
def the_first_answer_is_lost(
    project: Project, sandbox: Sandbox
) -> tuple[Seen, Seen, list[tuple[str, int, int]]]:
    sandbox.set_options(mode="test")
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
    project.pipeline(LOAD, kartra="settle_s: 1")
    project.contacts(ROWS)
    stopped = run_seen(project, sandbox)
    sandbox.set_faults(Faults())
    project.pipeline(LOAD, kartra="settle_s: 1\nmode: test")
    return stopped, run_seen(project, sandbox), given(sandbox)


def test_p8_a_creation_without_an_answer_shows_the_mode_as_well(scenes: Scenes) -> None:
    stopped, corrected, leads = scenes["the_first_answer_is_lost"]
    assert stopped.result.code == 4, stopped.result.stderr
    assert "Test mode" in stopped.result.stderr
    assert corrected.result.code in (0, 3), corrected.result.stderr
    assert [name for name, _, _ in leads] == [f"{name}@kartra.com" for name in NAMES]
    assert all(score <= 10 and starts == 1 for _, score, starts in leads)


@SCENES.add
def what_versions_before_marked_done(
    project: Project, sandbox: Sandbox
) -> tuple[list[Seen], Result, Seen, object]:
    """Leads of Test mode that stand as Live in the state; a pull shows it."""
    sandbox.set_options(mode="test")
    project.pipeline(LOAD, kartra=TEST)
    project.contacts(ROWS)
    assert project.run().code == 0
    beside(project.place)("UPDATE scopes SET mode = 'live'")
    beside(project.place)("DELETE FROM modes")
    beside(project.place)("UPDATE leads SET changed_at = '2026-01-01T00:00:00+00:00'")  # long settled
    path = project.pipeline(LOAD)
    path.write_text(path.read_text() + PULL)
    shown = [run_seen(project, sandbox), run_seen(project, sandbox)]
    told = project.command("status", "p.yaml")
    path = project.pipeline(LOAD, kartra=TEST)
    path.write_text(path.read_text() + PULL)
    return shown, told, run_seen(project, sandbox), given(sandbox)


def test_p8_a_profile_that_a_pull_reads_shows_the_mode_as_well(scenes: Scenes) -> None:
    shown, told, corrected, leads = scenes["what_versions_before_marked_done"]
    assert shown[0].result.code == 4
    assert "Test mode" in shown[0].result.stderr
    assert "test mode" in told.stdout.lower()
    assert corrected.result.code == 0, corrected.result.stderr
    assert corrected.leads == {"unchanged": 5}
    assert leads == each_once("kartra.com")


DAY_AGO = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
TEN_DAYS_AHEAD = (datetime.now(UTC) + timedelta(days=10)).isoformat()


def last_shown(project: Project, at: str) -> None:
    beside(project.place)("UPDATE modes SET shown_at = :at", at=at)


@dataclass(frozen=True)
class PutBack:
    planned: int
    stopped: Seen
    corrected: Seen
    again: Seen
    given: list[tuple[str, int, int]]


def put_into_the_other(before: str, after: str, said: str) -> object:
    """An App that was proven to be in one mode is put into the other one, and back a night later."""

    def scene(project: Project, sandbox: Sandbox) -> PutBack:
        sandbox.set_options(mode=before)
        project.pipeline(LOAD, kartra=said)
        project.contacts(ROWS[:2])
        assert project.run().code == 0
        last_shown(project, DAY_AGO)
        sandbox.set_options(mode=after)
        project.contacts(ROWS)
        planned = project.command("plan", "p.yaml", "--json").json["calls"]["estimated"]
        stopped = run_seen(project, sandbox)
        sandbox.set_options(mode=before)
        corrected = run_seen(project, sandbox)
        return PutBack(planned, stopped, corrected, run_seen(project, sandbox), given(sandbox))

    return scene


SCENES.add(put_into_the_other("live", "test", ""), "put back to Test mode")  # type: ignore[arg-type]
SCENES.add(put_into_the_other("test", "live", TEST), "gone Live")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "domain", "other"),
    [("put back to Test mode", "example.org", "kartra.com"), ("gone Live", "kartra.com", "example.org")],
)
def test_p8_an_app_that_is_put_into_the_other_mode_shows_it_by_the_next_created_lead(
    scenes: Scenes, name: str, domain: str, other: str
) -> None:
    put: PutBack = scenes[name]
    assert put.stopped.result.code == 4, put.stopped.result.stderr
    assert put.stopped.leads == {"unchanged": 2, "created": 1, "deferred": 2}
    assert put.corrected.result.code == 0, put.corrected.result.stderr
    assert put.corrected.leads == {"unchanged": 2, "created": 3}
    assert put.again.calls == []
    assert put.given == sorted([(f"cem@{other}", 10, 1), *each_once(domain)])


@SCENES.add
def a_mode_that_was_shown_long_ago(project: Project, sandbox: Sandbox) -> list[tuple[int, Seen]]:
    """Each night has one lead more; before each, the mode was shown another time ago."""
    project.pipeline(LOAD)
    nights = []
    for number, at in enumerate((None, None, DAY_AGO, None, TEN_DAYS_AHEAD), 1):
        project.contacts(ROWS[:number])
        if at is not None:
            last_shown(project, at)
        planned = project.command("plan", "p.yaml", "--json").json["calls"]["estimated"]
        nights.append((planned, run_seen(project, sandbox)))
    return nights


def test_p3_the_mode_costs_one_call_a_day_where_leads_are_created_and_a_plan_counts_it(
    scenes: Scenes,
) -> None:
    nights = scenes["a_mode_that_was_shown_long_ago"]
    assert [reads(seen) for _, seen in nights] == [1, 0, 1, 0, 1]
    assert [planned for planned, _ in nights] == [len(seen.calls) for _, seen in nights]
