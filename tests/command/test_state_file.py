"""The state file and its disk: damaged, from another version, full, read-only, far away. Nothing is lost."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from pipelines.shipped import ROOT
from pipelines.state.file import network_file_system
from tests.attacks.table import observe
from tests.command.several import adds_up, ended, together, wait_for, writes
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.disks import fill, mount
from tests.promises.scenes import all_wished, held
from tests.warm_start import COMMAND

MIGRATIONS = sorted((ROOT / "sql" / "state" / "migrations").glob("*.sql"))
QUICK = "settle_s: 1"
"""How long the effects of a call without an answer are waited for: the sandbox shows them at once."""


def look(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def schema_of(state: Path) -> object:
    return look(state, "PRAGMA user_version")[0][0]


def mode_of(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def make_newer(state: Path) -> None:
    with sqlite3.connect(state) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def overwrite_the_middle(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[4096:-4096] = b"\xa5" * (len(content) - 8192)
    state.write_bytes(content)


def cut_off(state: Path) -> None:
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (make_newer, "written by a newer kartra-sync (schema 99, this one knows"),
        (overwrite_the_middle, ""),
        (cut_off, ""),
    ],
)
def test_a_state_that_cannot_be_trusted_is_refused_and_left_as_it_is(
    damage: Callable[[Path], None], told: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    damage(project.state)
    before = project.state.read_bytes()
    sandbox.reset_calls()
    results = together(project, [("run", "p.yaml"), ("plan", "p.yaml"), ("status", "p.yaml")])
    assert [result.code for result in results] == [1, 1, 1]
    for result in results:
        assert result.stderr.startswith(f"kartra-sync: {project.state}: ")
        assert told in result.stderr
        assert result.stderr.count("\n") == 1
    assert sandbox.calls == []
    assert project.state.read_bytes() == before


@pytest.mark.parametrize("is_older", [False, True])
def test_one_damaged_page_among_thousands_is_found_before_any_call_and_before_a_migration(
    is_older: bool, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    make_older(project.state, ballast=20_000)
    if not is_older:
        assert project.command("status", "p.yaml").code == 0
    content = bytearray(project.state.read_bytes())
    middle = len(content) // 2 // 4096 * 4096  # a page of the other pipeline's leads, which nobody asks for
    content[middle : middle + 64] = b"\xa5" * 64
    project.state.write_bytes(content)
    beside = set(project.state.parent.glob(f"{project.state.name}*backup*"))
    project.contacts([contact(number, City="Oslo") for number in range(3)])
    sandbox.reset_calls()
    results = [project.command(verb, "p.yaml") for verb in ("plan", "run", "status")]
    assert [result.code for result in results] == [1, 1, 1]
    (told,) = {result.stderr for result in results}
    assert told.startswith(f"kartra-sync: {project.state}: the state is damaged (")
    assert told.endswith("); restore a copy of it\n")
    assert [result.stdout for result in results] == ["", "", ""]
    assert sandbox.calls == []
    after_header = 100  # which says how the journal is kept, and that is another for an older file
    assert project.state.read_bytes()[after_header:] == content[after_header:]
    assert set(project.state.parent.glob(f"{project.state.name}*backup*")) == beside


# --- a state of an older version


def make_older(state: Path, *, ballast: int = 0) -> None:
    """The same state as the first version would have it, and so many leads of another pipeline."""
    older = state.with_name("older.db")
    with closing(sqlite3.connect(older)) as connection:
        connection.executescript(MIGRATIONS[0].read_text("utf-8"))
        connection.execute("ATTACH ? AS newer", (str(state),))
        for table, *_ in look(older, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
            columns = ", ".join(
                str(row[0]) for row in look(older, f"SELECT name FROM pragma_table_info('{table}')")
            )
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
        connection.execute("INSERT INTO scopes VALUES (99, 'ballast', 'account', 'live')")
        connection.execute(
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT ?)"
            " INSERT INTO leads SELECT 99, 'lead' || number, NULL, 'created', zeroblob(16),"
            " json_object('email', '', 'note', hex(zeroblob(500))), '', NULL FROM numbers WHERE ?",
            (max(ballast, 1), ballast > 0),
        )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    older.chmod(0o600)
    older.replace(state)


def old_state(project: Project, *, ballast: int = 0) -> None:
    """Three leads are loaded, and their state is one of the first version."""
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    make_older(project.state, ballast=ballast)


def names_beside(project: Project) -> list[str]:
    return sorted(file.name for file in project.state.parent.iterdir())


def test_an_older_state_is_copied_then_brought_up_and_nothing_is_sent_again(
    project: Project, sandbox: Sandbox
) -> None:
    old_state(project)
    before = look(project.state, "SELECT * FROM leads ORDER BY key")
    sandbox.reset_calls()
    ran = project.command("run", "p.yaml", "--json", "-v")
    assert (ran.code, ran.json["leads"]["unchanged"], writes(sandbox)) == (0, 3, [])
    backup = project.state.with_name("kartra.db.schema-1.backup")
    assert f"has an older schema (1); a copy of it was made first: {backup}\n" in ran.stderr
    assert names_beside(project) == ["kartra.db", "kartra.db.schema-1.backup"]
    assert (schema_of(project.state), schema_of(backup), mode_of(backup)) == (len(MIGRATIONS), 1, "0o600")
    assert look(backup, "SELECT * FROM leads ORDER BY key") == before
    assert project.run().code == 0
    assert names_beside(project) == ["kartra.db", "kartra.db.schema-1.backup"]


def test_a_new_state_makes_no_backup(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    assert names_beside(project) == ["kartra.db"]


def test_no_backup_is_overwritten_by_another(project: Project, sandbox: Sandbox) -> None:
    old_state(project)
    earlier = project.state.with_name("kartra.db.schema-1.backup")
    earlier.write_text("of last year")
    assert project.command("status", "p.yaml").code == 0
    assert earlier.read_text() == "of last year"
    assert schema_of(project.state.with_name("kartra.db.schema-1.backup-2")) == 1


def test_of_several_processes_that_meet_an_older_state_one_brings_it_up(
    project: Project, sandbox: Sandbox
) -> None:
    old_state(project, ballast=5_000)
    results = together(project, [("status", "p.yaml", "-v")] * 3)
    assert [result.code for result in results] == [0, 0, 0]
    assert sum("a copy of it was made first" in result.stderr for result in results) == 1
    assert names_beside(project) == ["kartra.db", "kartra.db.schema-1.backup"]


@pytest.mark.parametrize("when", ["*.part", "*.backup", "kartra.db-wal"])
def test_a_state_killed_while_it_is_brought_up_is_the_old_or_the_new_one(
    when: str, project: Project, sandbox: Sandbox
) -> None:
    """Killed while the copy is written, while the schema changes, and when the file was just opened."""
    old_state(project, ballast=20_000)
    before = look(project.state, "SELECT key FROM leads ORDER BY key")
    process = project.start("status", "p.yaml")
    while not list(project.state.parent.glob(when)) and process.poll() is None:
        pass
    kill(process)
    tables = {str(name) for (name,) in look(project.state, "SELECT name FROM sqlite_schema")}
    assert schema_of(project.state) in (1, len(MIGRATIONS))
    assert ("forgotten" in tables) == ("breakers" in tables) == (schema_of(project.state) != 1)
    assert look(project.state, "SELECT key FROM leads ORDER BY key") == before
    sandbox.reset_calls()
    ran = project.run()
    assert (ran.code, ran.json["leads"]["unchanged"], writes(sandbox)) == (0, 3, [])
    assert schema_of(project.state) == len(MIGRATIONS)
    whole = [file for file in project.state.parent.iterdir() if file.name.endswith((".backup", ".backup-2"))]
    assert {schema_of(file) for file in whole} == {1}
    assert [look(file, "SELECT key FROM leads ORDER BY key") for file in whole] == [before] * len(whole)
    observe(
        "kill-migration", f"the old or the new one; then {ran.json['leads']['unchanged']} unchanged, 0 writes"
    )


# --- a disk of its own


@pytest.fixture
def disk(project: Project) -> Iterator[Path]:
    """A disk of 12 MB for the state alone."""
    folder = project.state.parent
    folder.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def no_room(project: Project) -> str:
    return f"too little space is left for {project.state.parent}. Make room and run again; nothing is lost\n"


def test_a_disk_that_is_full_before_a_run_stops_it_and_the_next_run_does_it_all(
    disk: Path, project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(12)]
    project.contacts(rows[:4])
    project.pipeline(LOAD)
    ballast = fill(disk)
    first = project.run()  # there is no state yet
    ballast.unlink()
    assert project.run().code == 0
    project.contacts([contact(0, City="Oslo"), *rows[1:]])
    ballast = fill(disk)
    sandbox.reset_calls()
    second = project.run()
    for stopped in (first, second):
        assert (stopped.code, stopped.json["status"], stopped.json["exit_code"]) == (1, "failed", 1)
        assert stopped.stderr.startswith(f"kartra-sync: {project.state}: cannot be used as state: ")
        assert stopped.stderr.endswith(no_room(project))
        assert stopped.stderr.count("\n") == 1
    assert sandbox.calls == []
    ballast.unlink()
    done = project.run()
    assert (done.code, done.json["leads"]["created"], done.json["leads"]["edited"]) == (0, 8, 1)
    assert held(sandbox) == all_wished([contact(0, City="Oslo"), *rows[1:]])
    said = second.stderr.replace(str(project.state.parent), "STATE")
    observe("full-before", f"exit {second.code}, 0 calls: {said}; then exit {done.code}")


def test_a_disk_that_fills_up_in_mid_run_loses_nothing_and_starts_no_sequence_twice(
    disk: Path, project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(40)]
    project.contacts(rows)
    project.pipeline(LOAD, kartra=QUICK)
    sandbox.set_options(latency_s=0.3)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 8)
    ballast = fill(disk)
    stopped = ended(running)
    assert (stopped.code, stopped.json["status"], stopped.json["exit_code"]) == (1, "failed", 1)
    assert stopped.stderr.endswith(no_room(project))
    assert "Traceback" not in stopped.stderr
    landed = len(held(sandbox))
    assert 8 <= landed < 40
    full = project.run()
    assert (full.code, full.stderr.endswith(no_room(project))) == (1, True)
    ballast.unlink()
    sandbox.set_options(latency_s=0)
    done = project.run()
    assert (done.code, done.stderr, adds_up(done.json)) == (0, "", True)
    assert done.json["leads"]["unchanged"] + done.json["leads"]["edited"] == landed
    assert done.json["leads"]["created"] == 40 - landed
    assert held(sandbox) == all_wished(rows)
    observe("full-midway", f"exit {stopped.code} and {full.code}; then exit {done.code}, each lead as wished")


def test_an_older_state_that_cannot_be_copied_for_lack_of_room_stays_as_it_is(
    disk: Path, project: Project, sandbox: Sandbox
) -> None:
    old_state(project, ballast=300)
    ballast = fill(disk, but=512 * 1024)
    refused = project.command("run", "p.yaml")
    backup = project.state.with_name("kartra.db.schema-1.backup")
    assert refused.code == 1
    assert refused.stderr.startswith(f"kartra-sync: {backup}: the state cannot be copied there: ")
    assert refused.stderr.endswith(no_room(project))
    ballast.unlink()
    assert (names_beside(project), schema_of(project.state)) == (["kartra.db"], 1)
    again = project.run()
    assert (again.stderr, again.json["leads"]["unchanged"]) == ("", 3)
    observe("full-migration", f"exit {refused.code}, schema 1 as before, no copy; then 3 unchanged")


def test_a_disk_that_became_read_only_stops_a_run_and_a_look(
    disk: Path, project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(5)]
    project.contacts(rows[:3])
    project.pipeline(LOAD)
    assert project.run().code == 0
    project.contacts(rows)
    sandbox.reset_calls()
    mount("-o", "remount,ro", str(disk))
    results = together(project, [("run", "p.yaml"), ("plan", "p.yaml"), ("status", "p.yaml")])
    told = f"kartra-sync: {project.state}: cannot be used as state: Read-only file system\n"
    looks = [(0, "")] * 2  # who only reads needs no right to write
    assert [(result.code, result.stderr) for result in results] == [(1, told), *looks]
    assert writes(sandbox) == []
    mount("-o", "remount,rw", str(disk))
    assert project.run().json["leads"]["created"] == 2
    assert held(sandbox) == all_wished(rows)
    codes = [result.code for result in results]
    observe(
        "read-only-disk", f"run, plan, status end with {codes}: {results[0].stderr}", FOLDER=project.folder
    )


def test_a_folder_that_may_not_be_written_stops_a_run(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    words = [COMMAND, "run", "p.yaml"]
    if os.geteuid() == 0:  # root writes everywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("root cannot give up its rights here: there is no setpriv")
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    project.folder.chmod(0o500)
    try:
        done = subprocess.run(
            words,
            cwd=project.folder,
            env={"PATH": os.environ["PATH"], **project.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        project.folder.chmod(0o700)
    told = f"kartra-sync: {project.state}: cannot be used as state: Permission denied\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert sandbox.calls == []


# --- a disk of another host

MOUNTS = [
    ("/", "ext4"),
    ("/proc", "proc"),
    ("/home", "nfs4"),
    ("/home/ann/local", "xfs"),
    ("/mnt/My Share", "cifs"),
    ("/net", "autofs"),
    ("/net/store", "nfs"),
    ("/ssh", "fuse.sshfs"),
    ("/workspaces", "9p"),
    ("/shared", "virtiofs"),
    ("/data", "ext4"),
    ("/data", "ceph"),
    ("/was", "nfs"),
    ("/was", "tmpfs"),
    ("/Volumes/Office", "smbfs"),
    ("/Volumes/Old", "afpfs"),
    ("/lustre", "LUSTRE"),
    ("/gluster", "fuse.glusterfs"),
    ("/usb", "fuseblk"),
]


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("/srv/state/kartra.db", None),
        ("/home/ann/state/kartra.db", "nfs4"),
        ("/home/ann/local/kartra.db", None),
        ("/home/ann/locals/kartra.db", "nfs4"),
        ("/homes/kartra.db", None),
        ("/mnt/My Share/kartra.db", "cifs"),
        ("/net/kartra.db", None),
        ("/net/store/kartra.db", "nfs"),
        ("/ssh/kartra.db", "fuse.sshfs"),
        ("/workspaces/app/kartra.db", None),
        ("/shared/kartra.db", None),
        ("/data/kartra.db", "ceph"),
        ("/was/kartra.db", None),
        ("/Volumes/Office/kartra.db", "smbfs"),
        ("/Volumes/Old/kartra.db", "afpfs"),
        ("/lustre/kartra.db", "LUSTRE"),
        ("/gluster/kartra.db", "fuse.glusterfs"),
        ("/usb/kartra.db", None),
    ],
)
def test_a_path_lies_on_the_file_system_mounted_nearest_to_it(state: str, found: str | None) -> None:
    assert network_file_system(Path(state), MOUNTS) == found


def test_where_nothing_is_known_of_mounts_every_path_is_allowed() -> None:
    assert network_file_system(Path("/home/ann/kartra.db"), []) is None


def test_a_state_on_a_network_file_system_is_refused_before_anything_is_made(
    project: Project, sandbox: Sandbox
) -> None:
    """In a namespace where the table of mounts says that the project lies on another host."""
    if shutil.which("unshare") is None:
        pytest.skip("no table of mounts can be shown to the command: there is no unshare")
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    table = project.folder / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {project.folder} nfs4 rw 0 0\n")
    script = f'mount --bind "{table}" /proc/$$/mounts || exit 99; exec "{COMMAND}" run p.yaml --json'
    done = subprocess.run(
        ["unshare", "--mount", "/bin/bash", "-c", script],
        cwd=project.folder,
        env={"PATH": os.environ["PATH"], **project.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"no table of mounts can be shown to the command: {done.stderr.strip()}")
    refused = Result(done.returncode, done.stdout, done.stderr)
    told = (
        f"{project.state}: cannot be used as state: it lies on a network file system (nfs4), where SQLite"
        " cannot keep it whole; put `state:` on a local disk"
    )
    assert (refused.code, refused.stderr) == (1, f"kartra-sync: {told}\n")
    assert refused.json == {"status": "failed", "error": told, "exit_code": 1}
    assert (project.state.parent.exists(), sandbox.calls) == (False, [])
