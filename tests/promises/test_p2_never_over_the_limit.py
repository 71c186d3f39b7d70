"""P2: at most 20 calls in any second as the server counts them, over all threads and processes of an App."""

import os
import signal
import subprocess
from pathlib import Path

from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import LOAD, Project, contact, kill
from tests.promises import all_wished, held, wait_until

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
    return Project(folder, dict(project.environ))


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=60)
    return process.returncode


def test_p2_one_process_stays_within_the_limit(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    rows = [contact(number) for number in range(40)]
    project.contacts(rows)
    result = project.run()
    assert (result.code, result.json["calls"]) == (
        0,
        {"sent": 44, "throttled": 0, "retried": 0, "read_back": 0},
    )
    assert (len(sandbox.calls), sandbox.throttled) == (44, 0)
    assert sandbox.worst_second() <= 20
    assert held(sandbox) == all_wished(rows)


def test_p2_three_processes_of_one_app_share_the_limit(project: Project, sandbox: Sandbox) -> None:
    projects = [project, beside(project, "second"), beside(project, "third")]
    rows = [contact(number) for number in range(54)]
    for place, one in enumerate(projects):
        one.pipeline(LOAD)
        one.contacts(rows[place::3])
    processes = [one.start("run", "p.yaml", "--json") for one in projects]
    assert [ended(process) for process in processes] == [0, 0, 0]
    assert (len(sandbox.calls), sandbox.throttled) == (3 * 4 + 54, 0)
    assert sandbox.worst_second() <= 20
    assert held(sandbox) == all_wished(rows)


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
    assert result.json["calls"]["sent"] == len(sandbox.calls) == 4 + 16 + sandbox.throttled
    assert held(sandbox) == all_wished(rows)


def test_p2_after_a_429_everyone_waits_a_second(project: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(calls_per_second=0, faults=Faults(throttle=1.0, from_call=30, to_call=30))
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(30)])
    second = beside(project, "second")
    second.pipeline(LOAD)
    second.contacts([contact(number) for number in range(30, 60)])
    processes = [one.start("run", "p.yaml", "--json") for one in (project, second)]
    assert [ended(process) for process in processes] == [0, 0]
    calls = sandbox.calls
    assert sandbox.throttled == 1
    refused = next(place for place, call in enumerate(calls) if call.http_status == 429)
    arrivals = [call.at for call in calls]
    # calls that were under way with the refused one may still arrive; then there is silence
    assert max(arrivals[place + 1] - arrivals[place] for place in range(refused, refused + 8)) >= 0.9
    assert held(sandbox) == all_wished([contact(number) for number in range(60)])


def test_p2_the_last_calls_of_a_killed_process_count_for_the_next(project: Project, sandbox: Sandbox) -> None:
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
    assert ended(waiting) == 0
    assert set(held(sandbox)) >= {contact(number)["Email"] for number in range(100, 120)}
    assert sandbox.throttled == 0
    assert sandbox.worst_second() <= 20


def test_p2_a_slower_rate_is_kept_too(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(NOTES_ONLY, kartra="calls_per_second: 5")
    project.contacts([contact(number) for number in range(12)])
    assert project.run().code == 0
    assert len(sandbox.calls) == 13
    assert sandbox.worst_second() <= 5


def test_p2_the_shared_window_holds_no_credential(project: Project, sandbox: Sandbox, tmp_path: Path) -> None:
    """The file that processes share is named by a hash and holds times alone."""
    project.environ["TMPDIR"] = str(tmp_path)
    project.pipeline(NOTES_ONLY)
    project.contacts([contact(0)])
    assert project.run().code == 0
    (window,) = tmp_path.glob("kartra-sync/*.window")
    secrets = [sandbox.credentials.app_id, sandbox.credentials.api_key, sandbox.credentials.api_password]
    assert [secret for secret in secrets if secret in window.name] == []
    assert [secret for secret in secrets if secret.encode() in window.read_bytes()] == []
