"""P10 where it is hard: a file with faults, a killed run, a state out of reach, one channel of two."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.kartra.sandbox import Sandbox
from pipelines.state.clock import instant
from pipelines.state.health import Health
from pipelines.verbs.notices import Attempt, Notice, next_notice
from tests.conftest import Project, contact, kill
from tests.heard import LOADING, Heard, telling

ALL = ("failed", "stopped", "partial", "recovered", "late")
NIGHT = instant("2026-11-28T02:00:00+00:00")
DAY = timedelta(days=1)
TOLD = """
notify: {to: ["${ALERT_URL}"], ping: "${PING_URL}"}
"""


@pytest.fixture
def sandbox(project: Project) -> Iterator[Sandbox]:
    with Sandbox(calls_per_second=0) as sandbox:
        project.aim(sandbox)
        yield sandbox


@pytest.fixture
def told(project: Project, sandbox: Sandbox, heard: Heard) -> Project:
    return telling(project, heard, TOLD, beat="beat?key=7")


def edit(project: Project, old: str, new: str, *, file: str = "p.yaml") -> None:
    path = project.folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.full(but=["key: email-kye: email"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("key: email", "kye: email"),
        ("  key: email", "\tkey: email"),
        ("fields: {email", "fields: {{email"),
        ("consent:", "consent"),
    ],
)
def test_p10_of_a_file_with_a_fault_people_hear_once_and_that_it_was_mended(
    told: Project, heard: Heard, right: str, wrong: str
) -> None:
    edit(told, right, wrong)
    assert [told.run().code for _ in range(2)] == [2, 2]
    assert heard.titles == ["kartra-sync: newsletter was stopped before it did harm"]
    assert heard.bodies[0]["message"].startswith("p.yaml:")
    edit(told, wrong, right)
    assert told.run().code == 0
    assert heard.titles[1:] == ["kartra-sync: newsletter works again"]
    assert [path for path in heard.paths if "beat" in path] == [
        *["/beat/fail?key=7"] * 2,
        "/beat/start?key=7",
        "/beat?key=7",
    ]
    runs = told.command("runs", "p.yaml", "--json").json["runs"]
    assert [run["status"] for run in runs] == ["succeeded", "refused", "refused"]


def test_p10_a_variable_that_is_missing_silences_its_own_channel_alone(told: Project, heard: Heard) -> None:
    edit(told, '["${ALERT_URL}"]', '["${NOT_SET}", "${ALERT_URL}"]')
    assert told.run().code == 2
    assert heard.titles == ["kartra-sync: newsletter was stopped before it did harm"]


def test_p10_whoever_is_not_run_because_of_another_file_is_told(told: Project, heard: Heard) -> None:
    other = told.folder / "other.yaml"
    other.write_text((told.folder / "p.yaml").read_text("utf-8").replace("newsletter", "shop"), "utf-8")
    edit(told, "key: email", "kye: email", file="other.yaml")
    assert told.command("run", "p.yaml", "other.yaml").code == 2
    assert sorted(heard.titles) == [
        "kartra-sync: newsletter was stopped before it did harm",
        "kartra-sync: shop was stopped before it did harm",
    ]
    edit(told, "kye: email", "key: email", file="other.yaml")
    assert told.command("run", "other.yaml").code == 0
    assert heard.titles[2:] == ["kartra-sync: shop works again"]  # of one state, and of nobody else


def test_p10_a_run_that_was_killed_is_told_by_the_next_one(
    told: Project, heard: Heard, sandbox: Sandbox
) -> None:
    sandbox.set_options(latency_s=30)
    dying = told.start("run", "p.yaml", "--json")
    while not sandbox.calls:
        assert dying.poll() is None
        time.sleep(0.02)
    kill(dying)
    sandbox.set_options(latency_s=0)
    assert [told.run().code for _ in range(2)] == [0, 0]
    (notice,) = heard.bodies
    assert notice["title"] == "kartra-sync: newsletter works again"
    assert "1 × a run ended without a word (killed" in notice["message"]


@pytest.mark.of_a_file
def test_p10_a_state_out_of_reach_is_told_once_and_every_night_has_its_row(
    told: Project, heard: Heard
) -> None:
    assert told.run().code == 0
    state, away = told.state, told.folder / "away.db"
    state.rename(away)
    state.write_text("not a database, but what a broken disk left of it\n" * 100)
    assert [told.run().code for _ in range(3)] == [1, 1, 1]
    assert heard.titles == ["kartra-sync: newsletter has failed"]
    (kept,) = told.folder.glob(".kartra-sync-*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    for beside in told.state.parent.glob("kartra.db*"):
        beside.unlink()
    away.rename(state)
    assert told.run().code == 0
    assert heard.titles[1:] == ["kartra-sync: newsletter works again"]
    assert "failed 3 times" in heard.bodies[1]["message"]
    runs = told.command("runs", "p.yaml", "--json").json["runs"]
    assert [run["status"] for run in runs] == ["succeeded", *["failed"] * 3, "succeeded"]
    assert not kept.exists()


def test_p10_a_first_night_without_its_source_has_a_row_though_nobody_is_told(
    project: Project, sandbox: Sandbox
) -> None:
    (project.folder / "p.yaml").write_text(project.head + LOADING, encoding="utf-8")
    assert project.run().code == 1
    (run,) = project.command("runs", "p.yaml", "--json").json["runs"]
    assert (run["status"], "contacts.csv" in run["message"]) == ("failed", True)
    project.contacts([contact(0)])
    assert project.run().code == 0


def test_p10_one_channel_of_two_that_was_broken_gets_its_notice_at_the_next_run(
    told: Project, heard: Heard
) -> None:
    told.environ["OTHER_URL"] = f"json://{heard.url}/hook2"
    edit(told, '["${ALERT_URL}"]', '["${ALERT_URL}", "${OTHER_URL}"]')
    assert told.run().code == 0
    (told.folder / "contacts.csv").rename(told.folder / "away.csv")
    heard.broken.add("/hook2")
    assert told.run().code == 1
    heard.broken.clear()
    assert told.run().code == 1
    title = "kartra-sync: newsletter has failed"
    assert heard.by_path == {"/hook": [title], "/hook2": [title]}


@pytest.mark.full(but=["301-HTTP 301"])
@pytest.mark.parametrize(("status", "said"), [(404, "HTTP 404"), (301, "HTTP 301"), (503, "HTTP 503")])
def test_p10_a_heartbeat_that_does_not_take_its_ping_is_said_and_fails_no_run(
    told: Project, heard: Heard, status: int, said: str
) -> None:
    heard.ping_status = status
    done = told.run()
    assert done.code == 0
    assert f"the ping to 127.0.0.1 was answered with {said}" in done.stderr
    assert "key=7" not in done.stderr
    assert "/elsewhere" not in heard.paths


@pytest.mark.full(but=["opentelemetry-metrics"])
@pytest.mark.parametrize(
    ("library", "section"),
    [
        ("apprise", "notify"),
        ("prometheus_client", "metrics"),
        ("opentelemetry", "metrics"),
    ],
)
def test_p10_check_says_which_group_is_missing(told: Project, library: str, section: str) -> None:
    told.environ |= {"PYTHONPATH": str(told.folder / "without"), "OTLP_URL": "http://127.0.0.1:9/v1/metrics"}
    (told.folder / "without").mkdir()
    (told.folder / "without" / f"{library}.py").write_text("raise ImportError('not here')\n")
    metrics = {
        "prometheus_client": "metrics: kartra.prom\n",
        "opentelemetry": "metrics: {otlp: '${OTLP_URL}'}\n",
    }
    edit(told, TOLD, TOLD + metrics.get(library, ""))
    done = told.command("check", "p.yaml")
    assert (done.code, f"pip install 'kartra-sync[{section}]'" in done.stdout + done.stderr) == (2, True)


def test_p10_an_address_that_is_none_is_named_by_its_place(told: Project) -> None:
    told.environ["ALERT_URL"] = "jsn://secret-of-mine/hook"
    checked = told.command("check", "p.yaml")
    assert checked.code == 2
    assert "notify.to[0] is no address that apprise knows (jsn://…)" in checked.stdout + checked.stderr
    (told.folder / "contacts.csv").unlink()
    done = told.run()
    assert (done.code, "could not be delivered by jsn://…" in done.stderr) == (1, True)
    assert "secret-of-mine" not in checked.stdout + checked.stderr + done.stderr


@pytest.mark.of_a_file
def test_p10_a_state_that_cannot_be_read_is_told_by_the_check_of_lateness(
    told: Project, heard: Heard
) -> None:
    assert told.run().code == 0
    told.state.write_text("not a database\n" * 100)
    late = ("status", "p.yaml", "--max-age", "26h", "--notify")
    assert [told.command(*late).code for _ in range(2)] == [1, 1]
    assert heard.titles == ["kartra-sync: newsletter has failed"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--max-age", "26h"), 1),  # it never ran
        (("--max-age", "soon"), 2),
        (("--max-age", "-1h"), 2),
        (("--notify",), 2),
        ((), 0),
    ],
)
def test_p10_what_status_ends_with(told: Project, words: tuple[str, ...], code: int) -> None:
    assert told.command("status", "p.yaml", *words).code == code


def nights(*attempts: Attempt, every: timedelta = DAY) -> list[Notice]:
    """What is told of nights that end so, one after the other."""
    health: Health | None = None
    told = []
    for number, attempt in enumerate(attempts):
        health, notice = next_notice(health, attempt, NIGHT + number * every, ALL)
        told += [notice] if notice else []
    return told


OK = Attempt("newsletter", "p.yaml", "succeeded")
PARTIAL = Attempt("newsletter", "p.yaml", "partial", figures="1 refused")
NO_FILE = Attempt("newsletter", "p.yaml", "failed", "contacts.csv: no such file")
NO_DISK = Attempt("newsletter", "p.yaml", "failed", "no space is left")
TOO_FEW = "the source has {} rows, fewer than 1,000"


def titles(notices: list[Notice]) -> list[str]:
    return [notice.title.removeprefix("kartra-sync: newsletter ") for notice in notices]


def test_p10_another_reason_is_told_a_day_later_and_the_same_one_never() -> None:
    told = nights(NO_FILE, NO_FILE, NO_DISK, NO_DISK, NO_FILE, OK)
    assert titles(told) == ["has failed", "still fails, now for another reason", "works again"]
    assert told[2].body.splitlines() == [
        "Before, it failed 5 times, since 2026-11-28 02:00 UTC.",
        "  3 × contacts.csv: no such file",
        "  2 × no space is left",
    ]
    within_a_day = nights(NO_FILE, NO_DISK, NO_FILE, OK, every=timedelta(hours=1))
    assert titles(within_a_day) == ["has failed", "works again"]
    assert "1 × no space is left" in within_a_day[1].body


def test_p10_the_same_trouble_with_other_figures_is_no_news() -> None:
    few = [replace(NO_FILE, status="refused", message=TOO_FEW.format(rows)) for rows in (3, 17, 998)]
    assert titles(nights(*few)) == ["was stopped before it did harm"]


def test_p10_leads_refused_for_the_first_time_are_told_a_day_later() -> None:
    told = nights(replace(PARTIAL, refused=3), PARTIAL, replace(PARTIAL, refused=2), PARTIAL, OK)
    assert titles(told) == ["is done, some leads were refused", "has more leads refused", "works again"]
    assert "5 leads refused for the first time" in told[1].body


def test_p10_a_run_that_left_something_for_later_has_refused_nobody() -> None:
    (notice,) = nights(replace(PARTIAL, has_refused=False, figures="7 waiting for the next run"))
    assert "refused" not in notice.text
    assert notice.body.endswith("What is left, and why: kartra-sync show p.yaml")


PEOPLE = (
    "{first}.{last}@example.org",
    "{first}@{last}.co.uk",
    "<{first}.{last}@mail.example.net>",
    "mailto:{first}+news@example.com",
    "({first}_{last}@example.org)",
)


def test_p10_ten_thousand_messages_name_nobody() -> None:
    draw = random.Random(20)
    health: Health | None = None
    count = 0
    while count < 10_000:
        names = {name: "".join(draw.choices("abcdefghijklmnop", k=9)) for name in ("first", "last")}
        address = draw.choice(PEOPLE).format(**names)
        status = draw.choice(["succeeded", "partial", "failed", "refused", "late"])
        message = f"row {count}: the call for {address} failed: HTTP {draw.randint(400, 599)}"
        attempt = Attempt("newsletter", "p.yaml", status, message, account=draw.choice(["acme", address]))
        health, notice = next_notice(health, attempt, NIGHT + count * DAY, ALL)
        if notice is not None:
            count += 1
            assert names["first"] not in notice.text
            assert names["last"] not in notice.text
            assert health is not None
        kept = str(health.to_json()) if health else ""
        assert names["first"] not in kept
