"""P2: at most 20 calls in any second as the server counts them, over all threads and processes of an App."""

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from connectors.kartra.limiter import MARGIN_S
from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.promises.scenes import Seen, account_without_leads, all_wished, held, run_seen, wait_until

ATTEMPTS = 8
TICK_S = 0.01

NOTES_ONLY = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
custom_fields: {note: Note}
consent: {attested: "sign-up form, 2025"}
"""


def beside(project: Project, name: str) -> Project:
    """Another project with a state of its own and the same App."""
    folder = project.folder / name
    folder.mkdir()
    environ = {name: value for name, value in project.environ.items() if name != "KARTRA_STATE"}
    return Project(folder, environ)


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=60)
    return process.returncode


class ServerClock:
    """How late this machine was at most with what was due: a question that asks for nothing is timed.

    It takes the way of a call, through the accepted connection and the one loop that dates calls, and is
    none that counts (only a POST to `/api` does).
    """

    def __init__(self, url: str) -> None:
        self.worst_s = 0.0
        self._address = urlsplit(url).netloc
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "ServerClock":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        with closing(http.client.HTTPConnection(self._address)) as connection:
            asked = time.monotonic()
            while not self._stop.wait(TICK_S):
                connection.request("GET", "/")
                connection.getresponse().read()
                answered = time.monotonic()
                # The wait counts as well: what is woken late here is woken late in the command's process.
                self.worst_s = max(self.worst_s, answered - asked - TICK_S)
                asked = answered


def measured(folder: Path, play: Callable[[Project, Sandbox], Seen]) -> tuple[Seen, Sandbox]:
    """What a scene saw. A sandbox that is late itself dates some calls too late, and the next ones not.

    So a scene with a 429 is played again where that was longer than the limiter's margin, and only there.
    """
    for attempt in range(ATTEMPTS):
        project = Project(folder / f"attempt-{attempt}")
        project.folder.mkdir()
        with Sandbox(account_without_leads()) as sandbox, ServerClock(sandbox.url) as clock:
            project.aim(sandbox)
            seen = play(project, sandbox)
        if not sandbox.throttled or clock.worst_s < MARGIN_S:
            break
    return seen, sandbox


def test_p2_one_process_stays_within_the_limit(tmp_path: Path) -> None:
    rows = [contact(number) for number in range(40)]

    def play(project: Project, sandbox: Sandbox) -> Seen:
        project.pipeline(LOAD)
        project.contacts(rows)
        return run_seen(project, sandbox)

    seen, sandbox = measured(tmp_path, play)
    assert (seen.result.code, seen.result.json["calls"]) == (
        0,
        {"sent": 45, "throttled": 0, "retried": 0, "read_back": 1},
    )
    assert (len(seen.calls), sandbox.throttled) == (45, 0)
    assert sandbox.worst_second() <= 20
    assert seen.held == all_wished(rows)


def test_p2_three_processes_of_one_app_share_the_limit(tmp_path: Path) -> None:
    rows = [contact(number) for number in range(54)]

    def play(project: Project, sandbox: Sandbox) -> Seen:
        projects = [project, beside(project, "second"), beside(project, "third")]
        for place, one in enumerate(projects):
            one.pipeline(LOAD)
            one.contacts(rows[place::3])
        processes = [one.start("run", "p.yaml", "--json") for one in projects]
        codes = [ended(process) for process in processes]
        return Seen(Result(max(codes), "", ""), sandbox.calls, held(sandbox))

    seen, sandbox = measured(tmp_path, play)
    assert seen.result.code == 0
    assert (len(seen.calls), sandbox.throttled) == (3 * (4 + 1) + 54, 0)
    assert sandbox.worst_second() <= 20
    assert seen.held == all_wished(rows)


def test_p2_a_server_that_throttles_is_waited_out_and_nothing_is_lost(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(calls_per_second=8)
    project.pipeline(LOAD)
    rows = [contact(number) for number in range(16)]
    project.contacts(rows)
    result = project.run()
    assert (result.code, result.json["status"]) == (0, "succeeded")
    assert {name: count for name, count in result.json["leads"].items() if count} == {"created": 16}
    assert result.json["calls"]["throttled"] == sandbox.throttled > 0
    assert result.json["calls"]["sent"] == len(sandbox.calls) == 4 + 1 + 16 + sandbox.throttled
    assert held(sandbox) == all_wished(rows)


def test_p2_after_a_429_its_call_waits_a_second_and_the_others_go_on(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(calls_per_second=0, faults=Faults(throttle=1.0, from_call=30, to_call=30))
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(60)])
    assert project.run().code == 0
    assert sandbox.throttled == 1
    calls = sandbox.calls
    (refused,) = (call for call in calls if call.http_status == 429)
    again = next(call for call in calls if call.form == refused.form and call is not refused)
    assert again.at - refused.at >= 1.0
    assert any(refused.at < call.at < refused.at + 1.0 for call in calls)
    assert held(sandbox) == all_wished([contact(number) for number in range(60)])


def test_p2_after_three_429s_of_one_second_everyone_waits_a_second(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(calls_per_second=0, faults=Faults(throttle=1.0, from_call=30, to_call=32))
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(30)])
    second = beside(project, "second")
    second.pipeline(LOAD)
    second.contacts([contact(number) for number in range(30, 60)])
    processes = [one.start("run", "p.yaml", "--json") for one in (project, second)]
    assert [ended(process) for process in processes] == [0, 0]
    calls = sandbox.calls
    assert sandbox.throttled == 3
    last = max(place for place, call in enumerate(calls) if call.http_status == 429)
    arrivals = [call.at for call in calls]
    # calls that were under way with the refused ones may still arrive; then there is silence
    assert max(arrivals[place + 1] - arrivals[place] for place in range(last, last + 8)) >= 0.9
    assert held(sandbox) == all_wished([contact(number) for number in range(60)])


def test_p2_the_last_calls_of_a_killed_process_count_for_the_next(tmp_path: Path) -> None:
    seen, sandbox = measured(tmp_path, killed_and_followed)
    assert seen.result.code == 0
    assert set(seen.held) >= {contact(number)["Email"] for number in range(100, 120)}
    assert sandbox.throttled == 0
    assert sandbox.worst_second() <= 20


def killed_and_followed(project: Project, sandbox: Sandbox) -> Seen:
    """The second process is held while the first one uses the limit up and dies, then goes on at once."""
    sandbox.set_faults(Faults(slow=1.0, slow_s=1.0, commands=frozenset({"retrieve_custom_fields"})))
    next_one = beside(project, "next")
    next_one.pipeline(NOTES_ONLY)
    next_one.contacts([contact(number) for number in range(100, 120)])
    waiting = next_one.start("run", "p.yaml", "--json")
    wait_until(lambda: any(call.commands for call in sandbox.calls), "the question for custom fields")
    os.killpg(waiting.pid, signal.SIGSTOP)  # it waits for an answer: it holds no lock
    try:
        project.pipeline(NOTES_ONLY.replace("custom_fields: {note: Note}\n", ""))
        project.contacts([contact(number) for number in range(40)])
        doomed = project.start("run", "p.yaml", "--json")
        wait_until(lambda: len(sandbox.calls) >= 1 + 25, "25 calls")
        kill(doomed)
    finally:
        os.killpg(waiting.pid, signal.SIGCONT)
    return Seen(Result(ended(waiting), "", ""), sandbox.calls, held(sandbox))


def test_p2_a_slower_rate_is_kept_too(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(NOTES_ONLY, kartra="calls_per_second: 5")
    project.contacts([contact(number) for number in range(12)])
    assert project.run().code == 0
    assert len(sandbox.calls) == 14
    assert sandbox.worst_second() <= 5


def test_p2_the_shared_window_holds_no_credential(project: Project, sandbox: Sandbox, tmp_path: Path) -> None:
    """The file that processes share is named by a hash and holds times alone."""
    project.environ["KARTRA_SYNC_PACING"] = str(tmp_path)
    project.pipeline(NOTES_ONLY)
    project.contacts([contact(0)])
    assert project.run().code == 0
    (window,) = tmp_path.glob("*.window")
    secrets = [sandbox.credentials.app_id, sandbox.credentials.api_key, sandbox.credentials.api_password]
    assert [secret for secret in secrets if secret in window.name] == []
    assert [secret for secret in secrets if secret.encode() in window.read_bytes()] == []
