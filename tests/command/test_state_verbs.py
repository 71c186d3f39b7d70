"""`kartra-sync state`: a copy to restore, a check that finds what is wrong, a person erased for good."""

import json
import os
import pty
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.attacks.table import observe
from tests.command.several import adds_up, ended, named_pipeline, together, wait_for, writes
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.promises.scenes import all_wished, held
from tests.warm_start import COMMAND

ANN = "Ann.Gone@Wanderlust.example"
ADDRESS = ANN.lower()
BY_NUMBER = """
source: {csv: customers.csv}
key: {column: Number}
fields: {email: Email, first_name: First}
consent: {attested: "sign-up form, 2025"}
"""


def look(file: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(query, values).fetchall()


def loaded(project: Project, count: int = 3) -> list[dict[str, str]]:
    """So many leads are in the account; gives their rows."""
    rows = [contact(number) for number in range(count)]
    project.contacts(rows)
    project.pipeline(LOAD, kartra="settle_s: 1")
    assert project.run().code == 0
    return rows


def forget(project: Project, key: str, *words: str, file: str = "p.yaml") -> Result:
    return project.command("state", "forget", file, key, "--yes", *words)


def files_holding(project: Project, *texts: str) -> list[str]:
    """The files beside the state whose bytes hold one of the texts, in any case."""
    return [
        file.name
        for file in sorted(project.state.parent.iterdir())
        if any(text.lower().encode() in file.read_bytes().lower() for text in texts)
    ]


# --- backup


def test_a_backup_is_private_and_lies_beside_the_state_or_where_it_is_told_to(
    project: Project, sandbox: Sandbox
) -> None:
    loaded(project)
    (project.folder / "copies").mkdir()
    beside, told, inside = (
        project.command("state", "backup", "p.yaml", "--json"),
        project.command("state", "backup", "p.yaml", "--to", "kept.db"),
        project.command("state", "backup", "p.yaml", "--to", "copies", "--json"),
    )
    assert [result.code for result in (beside, told, inside)] == [0, 0, 0]
    copies = [Path(beside.json["backup"]), project.folder / "kept.db"]
    copies.append(project.folder / inside.json["backup"])
    assert told.stdout == f"{project.state} copied to kept.db\n"
    assert re.fullmatch(r"kartra\.db\.\d{8}T\d{6}Z\.backup", copies[0].name)
    assert [copy.parent for copy in copies] == [
        project.state.parent,
        project.folder,
        project.folder / "copies",
    ]
    for copy in copies:
        assert oct(copy.stat().st_mode & 0o777) == "0o600"
        assert look(copy, "SELECT * FROM leads") == look(project.state, "SELECT * FROM leads")
    assert beside.json == {
        "state": str(project.state),
        "backup": str(copies[0]),
        "bytes": copies[0].stat().st_size,
    }


def test_nothing_is_overwritten_by_a_backup(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    kept = project.folder / "kept.db"
    kept.write_text("of last year")
    refused = project.command("state", "backup", "p.yaml", "--to", "kept.db", "--json")
    told = "kept.db: is there already, and nothing is overwritten"
    assert (refused.code, refused.stderr) == (2, f"kartra-sync: {told}\n")
    assert refused.json == {"status": "refused", "error": told, "exit_code": 2}
    assert kept.read_text() == "of last year"
    backups = together(project, [("state", "backup", "p.yaml", "--json")] * 3)
    assert [backup.code for backup in backups] == [0, 0, 0]
    assert len({backup.json["backup"] for backup in backups}) == 3


def test_a_backup_that_cannot_be_written_is_1_and_leaves_nothing(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    failed = project.command("state", "backup", "p.yaml", "--to", "missing/kept.db")
    told = "missing/kept.db: the state cannot be copied there: No such file or directory"
    assert (failed.code, failed.stderr) == (1, f"kartra-sync: {told}\n")
    assert [file.name for file in project.state.parent.iterdir()] == ["kartra.db"]


@pytest.mark.parametrize("verb", ["backup", "verify"])
def test_where_there_is_no_state_yet_it_says_so_and_makes_none(verb: str, project: Project) -> None:
    project.pipeline(LOAD)
    project.environ["KARTRA_URL"] = "https://app.kartra.com/api"
    done = project.command("state", verb, "p.yaml")
    told = f"kartra-sync: {project.state}: there is no state yet; the first run makes it\n"
    assert (done.code, done.stderr) == (1, told)
    assert not project.state.parent.exists()


def test_a_backup_made_while_a_run_goes_on_is_whole_and_a_run_goes_on_from_it(
    project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(24)]
    project.contacts(rows)
    project.pipeline(LOAD, kartra="settle_s: 1")
    sandbox.set_options(latency_s=0.3)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 8)
    with sandbox.lock:  # no call is answered meanwhile
        copied = project.command("state", "backup", "p.yaml", "--to", "kept.db")
        assert (copied.code, running.poll()) == (0, None)
    assert ended(running).code == 0
    sandbox.set_options(latency_s=0)
    project.state.unlink()
    (project.folder / "kept.db").rename(project.state)
    assert project.command("state", "verify", "p.yaml").code == 0
    restored = project.run()
    assert (restored.code, adds_up(restored.json)) == (0, True)
    assert held(sandbox) == all_wished(rows)


# --- verify


def test_a_whole_state_is_one_line_and_0(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    told, as_json = together(
        project, [("state", "verify", "p.yaml"), ("state", "verify", "p.yaml", "--json")]
    )
    assert (told.code, told.stdout, told.stderr) == (0, f"{project.state}: whole, 3 leads\n", "")
    assert (as_json.code, as_json.json) == (
        0,
        {
            "ok": True,
            "state": str(project.state),
            "leads": 3,
            "problems": [],
            "notes": [],
            "backups": [],
        },
    )


DAMAGE = {
    "UPDATE leads SET snapshot = '{' WHERE key = (SELECT min(key) FROM leads)": (
        "1 snapshot texts cannot be read"
    ),
    "UPDATE leads SET snapshot = '{}'": "3 snapshot texts cannot be read",
    "UPDATE leads SET digest = x'00'": "3 leads with a digest of a wrong length",
    "UPDATE runs SET summary = 'nothing'": "1 summary texts cannot be read",
    "UPDATE inventories SET content = '['": "4 inventory texts cannot be read",
    "UPDATE outbox SET wish = '{}'": "3 wish texts cannot be read",
    "UPDATE outbox SET change = '{}'": "3 change texts cannot be read",
    "UPDATE outbox SET outcome = NULL": "3 settled journal entries without an outcome",
    "UPDATE outbox SET run_id = 'nobody'": "3 rows of outbox belong to nothing",
    "INSERT INTO rejects SELECT run_id, 2, 2, 'invalid', NULL, '', 'Ann', NULL FROM runs": (
        "1 record texts cannot be read"
    ),
    "INSERT INTO forgotten VALUES (x'00112233445566778899aabbccddeeff', '')": (
        "1 forgotten people without the salt of their hashes"
    ),
}


def test_what_is_wrong_with_a_state_is_told_with_what_to_do(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    assert project.command("state", "backup", "p.yaml").code == 0
    (backup,) = project.state.parent.glob("*.backup")
    found = {}
    for damage in DAMAGE:
        project.state.write_bytes(backup.read_bytes())
        look(project.state, damage)
        done = project.command("state", "verify", "p.yaml", "--json")
        assert (done.code, done.json["ok"], done.json["backups"]) == (1, False, [str(backup)])
        (found[damage],) = done.json["problems"]
    assert found == DAMAGE
    told = project.command("state", "verify", "p.yaml")
    assert (told.code, told.stderr) == (1, "")
    assert told.stdout.splitlines() == [
        f"{project.state}: 1 forgotten people without the salt of their hashes",
        f"Put a backup in its place ({backup}), or move the file away: nothing breaks, but each lead"
        " then costs up to three calls once. In both cases forget again whoever was forgotten since.",
    ]


def test_a_state_whose_pages_are_damaged_is_told_by_verify_too(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    content = bytearray(project.state.read_bytes())
    content[4096:-4096] = b"\xa5" * (len(content) - 8192)
    project.state.write_bytes(content)
    done = project.command("state", "verify", "p.yaml", "--json")
    assert (done.code, done.json["ok"], len(done.json["problems"])) == (1, False, 1)
    assert str(project.state) not in done.json["problems"][0]
    assert project.state.read_bytes() == content


def test_the_lease_of_a_dead_run_is_told_and_no_fault(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    project.contacts([contact(number, City="Oslo") for number in range(3)])
    sandbox.set_options(latency_s=20)
    sandbox.reset_calls()
    holder = project.start("run", "p.yaml")
    wait_for(lambda: sandbox.calls)
    alive = project.command("state", "verify", "p.yaml", "--json")
    kill(holder)
    dead = project.command("state", "verify", "p.yaml")
    assert (alive.code, alive.json["notes"]) == (0, [])
    note = "the lease of newsletter is that of a run that died; the next run takes over"
    assert (dead.code, dead.stdout) == (0, f"{project.state}: whole, 3 leads; {note}\n")


# --- forget


def with_ann(**changes: str) -> list[dict[str, str]]:
    return [contact(0), contact(1), contact(2, Email=ANN, First="Annabel", Note="keeps bees", **changes)]


def test_a_forgotten_person_is_in_no_byte_of_the_state_and_is_never_sent_again(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts(with_ann())
    project.pipeline(LOAD + "on_removed: [untag, unsubscribe]\nguards: {max_removed: 100%}\n")
    assert project.run().code == 0
    project.contacts([*with_ann(City="Oslo"), contact(3, Email="nobody", Note=f"friend of {ANN}")])
    assert project.run().code == 3
    project.contacts([*with_ann(Consent="no"), contact(2, Email=ANN, First="Annabel")])
    assert project.run().code == 0
    assert files_holding(project, ADDRESS, "Annabel") == ["kartra.db"]
    before = held(sandbox)
    done = forget(project, f" {ANN.upper()} ", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert done.json == {
        "state": str(project.state),
        "key": "A***@W***.EXAMPLE",
        "pipelines": ["newsletter"],
        "erased": {
            "leads": 1,
            "outbox": 3,
            "refusals": 0,
            "rejects": 2,
            "plans": 0,
            "imports": 0,
            "operations": 0,
        },
        "backups": [],
        "files": [],
        "still_held_by": [
            "Kartra's own lead: delete it in Kartra",
            "the source: its row is not sent any more, delete it there",
            "copies made elsewhere",
        ],
    }
    assert files_holding(project, ADDRESS, "Annabel", "keeps bees") == []
    assert [row[0] for row in look(project.state, "SELECT key FROM leads ORDER BY key")] == [
        "lead0@example.org",
        "lead1@example.org",
    ]
    sandbox.reset_calls()
    for rows in (with_ann(City="Rome"), [contact(0), contact(1)]):  # in the source still, then gone
        project.contacts(rows)
        planned, ran = project.command("plan", "p.yaml", "--json"), project.run()
        for result in (planned, ran):
            assert (result.code, result.json["leads"]["unchanged"], result.json["leads"]["removed"]) == (
                0,
                2,
                0,
            )
            assert result.json["rows"]["blocked"] == len(rows) - 2
        assert files_holding(project, ADDRESS, "Annabel", "keeps bees") == []
    assert (writes(sandbox), held(sandbox)) == ([], before)


def test_the_bytes_are_gone_while_others_have_the_state_open(project: Project, sandbox: Sandbox) -> None:
    project.contacts(with_ann())
    project.pipeline(LOAD)
    assert project.run().code == 0
    with closing(sqlite3.connect(project.state)) as other:
        assert other.execute("SELECT count(*) FROM leads").fetchall() == [(3,)]
        assert forget(project, ADDRESS).code == 0
        assert "kartra.db-wal" in {file.name for file in project.state.parent.iterdir()}
        held = files_holding(project, ADDRESS, "Annabel")
        assert held == []
        observe("forget-open", f"in {len(held)} files, while the other has it open")


def test_a_forgotten_record_keeps_its_reason_and_not_its_text(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD + "duplicates: first\n")
    project.contacts([contact(0)])
    assert project.run().code == 0
    assert forget(project, ADDRESS).code == 0  # nobody of that name was ever sent
    rows = [
        contact(0),
        contact(1, Email=ANN, First="Annabel"),
        contact(2, Email=f"{ANN} ", First="Annabel"),
        contact(3, Email=f"Annabel {ANN}", First="Annabel"),
        contact(4, Email=f"Annabel <{ANN}>", First="Annabel"),
    ]
    path = project.contacts(rows)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{ANN},Annabel\n")
    ran = project.run()
    assert (ran.code, ran.json["leads"]["unchanged"], adds_up(ran.json)) == (3, 1, True)
    assert ran.json["rows"] == {"read": 6, "invalid": 2, "duplicate": 2, "blocked": 1}
    rejects = look(project.state, "SELECT row, kind, reason, coalesce(record, '') FROM rejects ORDER BY row")
    assert [reject[:2] for reject in rejects] == [
        (3, "duplicate"),
        (4, "duplicate"),
        (5, "invalid"),
        (6, "blocked"),
        (7, "invalid"),
    ]
    assert rejects[3][2] == "forgotten on request"
    assert {reject[3] for reject in rejects} == {""}
    listed, again = together(
        project, [("rejects", "p.yaml", "--json"), ("rejects", "p.yaml", "--csv", "again.csv")]
    )
    assert len(listed.json["rejects"]) == 5
    assert (again.code, (project.folder / "again.csv").read_text()) == (0, "")
    assert files_holding(project, ADDRESS, "Annabel") == []


@pytest.mark.parametrize("given", ["C-17", ANN])
def test_a_person_is_forgotten_in_every_pipeline_by_key_and_by_address(
    given: str, project: Project, sandbox: Sandbox
) -> None:
    customers = [
        {"Number": "C-17", "Email": ANN, "First": "Annabel"},
        {"Number": "C-18", "Email": "bob@example.org", "First": "Bob"},
    ]
    project.contacts(customers, name="customers.csv")
    named_pipeline(project, "customers", BY_NUMBER)
    project.contacts(with_ann())
    project.pipeline(LOAD)
    for file in ("p.yaml", "customers.yaml"):
        assert project.command("run", file).code == 0
    done = forget(project, given, "--json", file="customers.yaml")
    assert done.json["pipelines"] == ["customers", "newsletter"]
    assert done.json["erased"] == {
        "leads": 2,
        "outbox": 2,
        "refusals": 0,
        "rejects": 0,
        "plans": 0,
        "imports": 0,
        "operations": 0,
    }
    assert files_holding(project, ADDRESS, "Annabel", "C-17") == []
    sandbox.reset_calls()
    customers[0]["Email"] = "new.address@example.org"  # the key is known again
    customers[1] |= {"Number": "C-99", "Email": ANN}  # the address is known again
    project.contacts(customers, name="customers.csv")
    newsletter, changed = (
        project.command("run", "p.yaml", "--json"),
        project.command("run", "customers.yaml", "--json"),
    )
    assert [ran.json["rows"]["blocked"] for ran in (newsletter, changed)] == [1, 2]
    assert writes(sandbox) == []


def test_an_entry_without_an_outcome_goes_with_its_person(project: Project, sandbox: Sandbox) -> None:
    project.contacts(with_ann())
    project.pipeline(LOAD, kartra="settle_s: 1\nworkers: 1")
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"create_lead"})))
    running = project.start("run", "p.yaml")
    wait_for(lambda: any("create_lead" in call.commands for call in sandbox.calls))
    kill(running)
    sandbox.set_faults(Faults())
    (key,) = [key for key, state in look(project.state, "SELECT key, state FROM outbox") if state == "sent"]
    done = forget(project, key, "--json")
    assert (done.code, done.json["erased"]["outbox"]) == (0, 1)
    ran = project.run()
    assert (ran.code, ran.json["rows"]["blocked"], ran.json["leads"]["created"]) == (0, 1, 2)
    assert files_holding(project, key) == []


def test_nobody_is_forgotten_while_a_pipeline_of_the_file_is_being_run(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts(with_ann())
    project.pipeline(LOAD)
    named_pipeline(project, "other", LOAD)
    assert project.run().code == 0
    sandbox.set_options(latency_s=20)
    sandbox.reset_calls()
    running = project.start("run", "other.yaml")
    wait_for(lambda: sandbox.calls)
    refused = forget(project, ADDRESS, "--json")
    kill(running)
    assert (refused.code, refused.json["exit_code"], refused.json["status"]) == (5, 5, "refused")
    assert re.fullmatch(
        rf"kartra-sync: other has been running since \S+ \S+ UTC in process {running.pid} on \S+ \(run \S+\):"
        r" nobody was forgotten\n",
        refused.stderr,
    )
    assert look(project.state, "SELECT count(*) FROM leads") == [(3,)]
    assert look(project.state, "SELECT count(*) FROM forgotten") == [(0,)]
    assert forget(project, ADDRESS).code == 0
    observe("forget-running", f"exit {refused.code}, 0 forgotten")


def test_backups_that_still_hold_the_person_are_named(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    assert project.command("state", "backup", "p.yaml").code == 0
    project.contacts([contact(0), contact(1), contact(2, Email=ANN)])
    project.pipeline(LOAD + "guards: {max_removed: 100%}\n")
    assert project.run().code == 0
    second = project.state.with_name("kartra.db.second.backup")
    assert project.command("state", "backup", "p.yaml", "--to", str(second)).code == 0
    told = forget(project, ADDRESS)
    assert (told.code, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "a***@w***.example is forgotten: erased 1 of leads, 1 of outbox",
        "Never sent again from this state file. The person is still in",
        "  Kartra's own lead: delete it in Kartra",
        "  the source: its row is not sent any more, delete it there",
        f"  the backup {second}",
        "  copies made elsewhere",
    ]
    assert files_holding(project, ADDRESS) == [second.name]
    observe("forget-backup", told.stdout.splitlines()[-2], FOLDER=project.folder)


def test_in_a_script_nobody_is_asked(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    done = subprocess.run(
        [COMMAND, "state", "forget", "p.yaml", "lead0@example.org"],
        cwd=project.folder,
        env={"PATH": os.environ["PATH"], **project.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert look(project.state, "SELECT count(*) FROM leads") == [(2,)]


def test_in_a_folder_with_one_state_no_file_has_to_be_named(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    verbs = [("verify",), ("backup",), ("forget", "lead0@example.org")]
    assert [project.command("state", *words).code for words in verbs] == [0, 0, 0]
    assert look(project.state, "SELECT count(*) FROM leads") == [(2,)]
    text = (project.folder / "p.yaml").read_text(encoding="utf-8")
    (project.folder / "q.yaml").write_text(f"state: other.db\n{text}", encoding="utf-8")
    refused = project.command("state", "verify")
    assert (refused.code, refused.stderr) == (
        2,
        "kartra-sync: the pipelines of this folder have more than one state; name one of p.yaml, q.yaml\n",
    )


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 2), ("n", 130, 3), ("", 130, 3)])
def test_on_a_terminal_it_asks_first(
    answer: str, code: int, left: int, project: Project, sandbox: Sandbox
) -> None:
    loaded(project)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "state", "forget", "p.yaml", "lead0@example.org", "--json"],
        cwd=project.folder,
        env={"PATH": os.environ["PATH"], **project.environ},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    stdout, stderr = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, look(project.state, "SELECT count(*) FROM leads")) == (code, [(left,)])
    assert f"Erase l***@e***.org from {project.state}, in all its pipelines, for good? [y/N]" in stderr
    assert "lead0@" not in stderr + stdout
    if code == 0:
        assert json.loads(stdout)["erased"]["leads"] == 1


def test_two_states_do_not_share_the_hashes_of_a_person(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    hashes = []
    for _ in range(2):
        assert forget(project, ADDRESS).code == 0
        ((kept,),) = look(project.state, "SELECT hash FROM forgotten")
        assert len(kept) == 16
        hashes.append(kept)
        project.state.unlink()
    assert hashes[0] != hashes[1]


def test_a_person_can_be_forgotten_twice_and_a_blank_is_nobody(project: Project, sandbox: Sandbox) -> None:
    loaded(project)
    first, second, blank = (
        forget(project, "lead0@example.org", "--json"),
        forget(project, "lead0@example.org", "--json"),
        forget(project, "  "),
    )
    assert [first.json["erased"]["leads"], second.json["erased"]["leads"]] == [1, 0]
    assert (blank.code, blank.stderr) == (2, "kartra-sync: KEY is blank\n")
    assert look(project.state, "SELECT count(*) FROM forgotten") == [(1,)]
    assert project.command("state", "verify", "p.yaml").code == 0


# --- help


@pytest.mark.parametrize("verb", ["backup", "verify", "forget"])
def test_the_help_of_each_verb_ends_with_an_example_that_works(
    verb: str, project: Project, sandbox: Sandbox
) -> None:
    loaded(project)
    (project.folder / "p.yaml").rename(project.folder / "newsletter.yaml")
    helped = project.command("state", verb, "--help")
    assert (helped.code, helped.stderr) == (0, "")
    last = helped.stdout.rstrip().splitlines()[-1].strip()
    assert last.startswith(f"Example:  kartra-sync state {verb} newsletter.yaml")
    assert project.command(*last.split()[2:]).code == 0
