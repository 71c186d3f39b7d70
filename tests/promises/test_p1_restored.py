"""P1: a state that was put back from a copy is recognised, and gives nothing twice by itself."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.attacks.table import observe
from tests.command.several import ended, wait_for, writes
from tests.conftest import LOAD, PIPELINE, Project, contact

pytestmark = pytest.mark.of_a_file

POINTS = LOAD + "points: 10\n"


def people(project: Project, count: int, **changes: str) -> None:
    project.contacts([contact(number, **changes) for number in range(count)])


def scores(account: Account) -> Counter[int]:
    return Counter(lead.score for lead in account.leads.values())


def put_back(project: Project, how: str) -> None:
    """Two leads are known to a copy; three more were loaded since, and then the copy came back."""
    kept = project.folder / "kept.db"
    project.pipeline(POINTS)
    people(project, 2)
    assert project.run().code == 0
    if how == "backup":
        assert project.command("state", "backup", "p.yaml", "--to", "kept.db").code == 0
    elif how == "file":
        shutil.copy(project.state, kept)
    else:
        shutil.copytree(project.state.parent, project.folder / "kept")
    people(project, 5)
    assert project.run().code == 0
    if how == "folder":
        shutil.rmtree(project.state.parent)
        (project.folder / "kept").rename(project.state.parent)
    else:
        shutil.copy(kept, project.state)


@pytest.mark.full(but=["backup"])
@pytest.mark.parametrize("how", ["backup", "file", "folder"])
def test_a_state_put_back_from_a_copy_stops_before_it_gives_points_again(
    how: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    put_back(project, how)
    sandbox.reset_calls()
    for _ in range(2):  # it stays so until a person has said a word
        stopped = project.run()
        assert (stopped.code, stopped.json["status"], writes(sandbox)) == (4, "refused", [])
        assert "the state was put back from a copy (" in stopped.stderr
        assert "3 of 3 looked at that are new to it and in Kartra already" in stopped.stderr
        assert "kartra-sync run p.yaml --restored" in stopped.stderr
    verified = project.command("state", "verify", "p.yaml")
    assert (verified.code, "the state was put back from a copy" in verified.stdout) == (0, True)
    assert scores(account) == {10: 5}
    probe = {"backup": "restored-backup", "file": "restored-cp", "folder": "restored-folder"}[how]
    observe(probe, f"exit {stopped.code}, {len(writes(sandbox))} writes; points {dict(scores(account))}")


def test_what_a_profile_proves_is_found_again_without_a_word(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    put_back(project, "file")
    project.pipeline(LOAD)
    done = project.run()
    assert (done.code, done.json["leads"]["edited"], done.json["leads"]["unchanged"]) == (0, 0, 5)
    assert {len(lead.sequence_starts) for lead in account.leads.values()} == {1}
    observe("restored-proven", f"exit {done.code}, {done.json['leads']['unchanged']} unchanged")


def test_a_sequence_that_a_lead_has_left_is_not_begun_again(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    put_back(project, "file")
    project.pipeline(LOAD)
    for lead in account.leads.values():
        lead.sequences.clear()
    assert project.run().code == 4
    begun = {len(lead.sequence_starts) for lead in account.leads.values()}
    assert begun == {1}
    observe("restored-sequence", f"exit 4; beginnings of each lead {begun}")


def test_new_people_get_their_points_from_a_state_that_was_put_back(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.pipeline(POINTS)
    people(project, 2)
    assert project.run().code == 0
    assert project.command("state", "backup", "p.yaml", "--to", "kept.db").code == 0
    shutil.copy(project.folder / "kept.db", project.state)
    people(project, 5)
    assert project.run().code == 0
    assert scores(account) == {10: 5}
    observe("restored-new", f"exit 0, points {dict(scores(account))}")


def test_after_a_word_a_state_that_was_put_back_is_what_counts(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    put_back(project, "backup")
    assert project.command("adopt", "p.yaml").code == 0
    assert project.run().code == 0  # nothing is due any more
    people(project, 6)
    assert project.run("--restored").code == 0
    assert scores(account) == {10: 6}
    notes = project.command("state", "verify", "p.yaml", "--json").json["notes"]
    assert notes == []


def test_money_waits_for_a_word_where_the_state_was_put_back(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    for number in range(3):
        account.add_lead(f"lead{number}@example.org")
    rows = [{"Key": f"o{number}", "Email": f"lead{number}@example.org", "Points": "5"} for number in range(3)]
    project.contacts(rows[:1], name="points.csv")
    (project.folder / "p.yaml").write_text(
        PIPELINE + "operations:\n  source: {csv: points.csv}\n  do: give_points\n  key: Key\n"
        "  lead: {email: Email}\n  parameters: {points: Points}\n",
        encoding="utf-8",
    )
    assert project.run("--yes").code == 0
    shutil.copy(project.state, project.folder / "kept.db")
    project.contacts(rows, name="points.csv")
    assert project.run("--yes").code == 0
    shutil.copy(project.folder / "kept.db", project.state)
    stopped = project.run("--yes")
    assert stopped.code == 4
    assert "2 operations are new to it and may have been done since: nothing was sent" in stopped.stderr
    assert scores(account) == {5: 3}
    observe("restored-money", f"exit {stopped.code}, points {dict(scores(account))}")


@pytest.mark.full(but=["replaced"])
@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_state_that_is_taken_away_while_a_run_goes_on_stops_it(
    what: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.pipeline(POINTS, kartra="workers: 1")
    people(project, 2)
    assert project.run().code == 0
    assert project.command("state", "backup", "p.yaml", "--to", "kept.db").code == 0
    people(project, 20)
    sandbox.set_options(latency_s=0.3)
    sandbox.reset_calls()
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 3)
    if what == "deleted":
        project.state.unlink()
    else:
        (project.folder / "kept.db").replace(project.state)
    done = ended(running)
    assert (done.code, done.json["status"]) == (1, "failed")
    assert "the state was deleted or replaced while it was used: nothing more is sent" in done.stderr
    assert len(account.leads) < 20
    observe(f"{what}-midway", f"exit {done.code}: {done.stderr.split(': ', 2)[-1]}", FOLDER=project.folder)
    if what == "replaced":  # the journal of the file before lies beside it
        journal = project.state.with_name("kartra.db-wal")
        refused = project.run()
        assert (refused.code, "is the journal of another file" in refused.stderr) == (1, True)
        journal.unlink()
        project.state.with_name("kartra.db-shm").unlink(missing_ok=True)
        assert project.run().code == 4
        assert scores(account) == {10: len(account.leads)}
        observe("foreign-journal", refused.stderr, FOLDER=project.folder)


def test_one_state_reached_by_a_link_is_one_state(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    people(project, 12)
    path = project.pipeline(POINTS, kartra="workers: 1")
    other = project.folder / "other"
    other.mkdir()
    shutil.copy(project.folder / "contacts.csv", other)
    (other / "p.yaml").write_text(path.read_text() + "state: linked.db\n", encoding="utf-8")
    project.state.parent.mkdir()
    (other / "linked.db").symlink_to(project.state)
    sandbox.set_options(latency_s=0.2)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 3)
    refused = project.command("run", "other/p.yaml", "--json")
    assert (refused.code, running.poll()) == (5, None)
    assert ended(running).code == 0
    assert scores(account) == {10: 12}
    observe("two-names", f"the second ends with {refused.code}; points {dict(scores(account))}")


def test_what_was_seen_of_a_state_names_nobody_and_is_its_owners_alone(
    project: Project, sandbox: Sandbox, tmp_path: Path
) -> None:
    project.environ["XDG_STATE_HOME"] = str(tmp_path / "seen")
    project.pipeline(LOAD)
    people(project, 1)
    assert project.run().code == 0
    (file,) = (tmp_path / "seen" / "kartra-sync").iterdir()
    assert (len(file.name), file.read_text().isdigit(), file.stat().st_mode & 0o777) == (32, True, 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    (attribute,) = os.listxattr(project.state.parent)
    assert os.getxattr(project.state.parent, attribute) == file.read_bytes()
    observe(
        "seen-file", f"a name of {len(file.name)} characters, a number, {file.stat().st_mode & 0o777:04o}"
    )
