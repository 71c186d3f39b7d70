"""P7: every file that holds people's data is its owner's alone; who was forgotten stands in none of ours."""

import gzip
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.attacks.table import observe
from tests.conftest import LOAD, Project, Result, contact
from tests.full import IS_FULL
from tests.warm_start import COMMAND

PULL = "pull: {into: deep/er/tables.db, leads: {state: true}}\n"
WRITING = (
    ("run", "p.yaml"),
    ("export", "p.yaml", "--to", "out/csv"),
    ("export", "p.yaml", "--to", "out/parquet", "--format", "parquet"),
    ("rejects", "p.yaml", "--csv", "some/rejects.csv"),
    ("report", "p.yaml", "freshness", "--csv", "some/report.csv"),
    ("report", "p.yaml", "--html", "some/report.html"),
    ("outcomes", "p.yaml", "--csv", "some/outcomes.csv"),
    ("show", "p.yaml", "--html", "some/run.html"),
    ("plan", "p.yaml", "--save"),
    ("export-import", "p.yaml", "--to", "import"),
    ("state", "backup", "p.yaml", "--to", "kept.db"),
    ("state", "backup", "p.yaml"),
)


def under(umask: int, project: Project, words: Iterable[str]) -> Result:
    done = subprocess.run(
        [COMMAND, *words],
        cwd=project.folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("KARTRA_")}
        | {"KARTRA_SYNC_PACING": os.environ["KARTRA_SYNC_PACING"]}
        | project.environ,
        capture_output=True,
        text=True,
        umask=umask,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def with_pull(project: Project, load: str = LOAD) -> Path:
    path = project.pipeline(load)
    path.write_text(path.read_text(encoding="utf-8") + PULL, encoding="utf-8")
    return path


def open_to_others(folder: Path, *, apart: Iterable[str]) -> list[str]:
    """What anybody but the owner may do something with."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name not in apart and stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    )


def modes_of(folder: Path, *, apart: Iterable[str]) -> str:
    paths = [path for path in folder.rglob("*") if path.name not in apart]
    files, folders = (
        sorted({f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in paths if path.is_dir() == is_folder})
        for is_folder in (False, True)
    )
    return f"files {', '.join(files)}, folders {', '.join(folders)}"


@pytest.mark.full(but=["0"])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_p7_what_every_verb_writes_is_its_owners_alone_whatever_the_umask(
    umask: int, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([*(contact(number) for number in range(3)), contact(9, Email="nobody")])
    with_pull(project)
    for words in WRITING:
        done = under(umask, project, words)
        assert done.code in (0, 3), done.stderr
    assert open_to_others(project.folder, apart=("p.yaml", "contacts.csv")) == []
    assert under(umask, project, ("init", "contacts.csv")).code == 0
    draft = stat.S_IMODE((project.folder / "contacts.yaml").stat().st_mode)
    assert draft & 0o022 == 0
    modes = modes_of(project.folder, apart=("p.yaml", "contacts.csv", "contacts.yaml"))
    observe(f"umask-{umask:03o}", f"{len(WRITING)} verbs; {modes}")
    if umask == 0:
        observe("folders-above", modes)
        observe("draft-000", oct(draft))


@pytest.mark.parametrize("reached", ["directly", "by a link"])
def test_p7_a_file_that_anybody_could_read_is_closed_before_people_stand_in_it(
    reached: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(0), contact(9, Email="nobody")])
    with_pull(project)
    places = {"state/kartra.db": b"", "deep/er/tables.db": b"", "rejects.csv": b"old"}
    for name, content in places.items():
        place = project.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        real = place if reached == "directly" else project.folder / "elsewhere" / place.name
        real.parent.mkdir(exist_ok=True)
        real.write_bytes(content)
        real.chmod(0o666)
        if real != place:
            place.symlink_to(real)
    assert project.run().code == 3
    assert project.command("rejects", "p.yaml", "--csv", "rejects.csv", "--replace").code == 0
    for name in places:
        place = project.folder / name
        assert place.is_symlink() == (reached == "by a link")
        assert (stat.S_IMODE(place.stat().st_mode), place.stat().st_size > 10) == (0o600, True), name
    if reached == "by a link":
        observe("links", f"{sum((project.folder / name).is_symlink() for name in places)} links, files 0600")
        return
    for name, probe in zip(places, ("state-0666", "tables-0666", "rejects-0666"), strict=True):
        observe(probe, f"{stat.S_IMODE((project.folder / name).stat().st_mode):04o}")


def test_p7_tables_that_are_shared_with_a_group_stay_so(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(0)])
    with_pull(project)
    tables = project.folder / "deep" / "er" / "tables.db"
    tables.parent.mkdir(parents=True)
    tables.touch()
    tables.chmod(0o660)
    assert project.run().code == 0
    assert stat.S_IMODE(tables.stat().st_mode) == 0o660
    observe("group", f"{stat.S_IMODE(tables.stat().st_mode):04o}")


def test_p7_what_an_export_left_that_was_killed_is_closed_and_goes_a_day_later(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(0)])
    with_pull(project)
    assert project.run().code == 0
    out = project.folder / "out"
    for name in ("of-yesterday", "of-now"):
        (out / f".export-{name}").mkdir(parents=True)
        (out / f".export-{name}" / "leads.csv").write_text("Ann")
    past = time.time() - 100_000
    os.utime(out / ".export-of-yesterday", (past, past))
    assert project.command("export", "p.yaml", "--to", "out").code == 0
    assert [path.name for path in out.glob(".export-*")] == [".export-of-now"]
    observe("killed-export", "of yesterday: gone; of now, which may be going on: kept")


def test_p7_a_link_that_somebody_put_where_a_file_is_written_first_is_not_followed(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(9, Email="nobody")])
    project.pipeline(LOAD)
    assert project.run().code == 3
    victim = project.folder / "victim"
    victim.write_text("precious")
    (project.folder / ".rejects.csv.part").symlink_to(victim)
    assert project.command("rejects", "p.yaml", "--csv", "rejects.csv").code == 0
    assert victim.read_text() == "precious"
    assert "nobody" in (project.folder / "rejects.csv").read_text()
    assert not (project.folder / "rejects.csv").is_symlink()
    observe("planted-link", f"what it points to holds {victim.read_text()!r} as before; the file is a file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_p7_what_root_writes_over_somebodys_file_stays_theirs(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(9, Email="nobody")])
    project.pipeline(LOAD)
    assert project.run().code == 3
    rejects = project.folder / "rejects.csv"
    rejects.write_text("old")
    os.chown(rejects, 12345, 12345)
    assert project.command("rejects", "p.yaml", "--csv", "rejects.csv", "--replace").code == 0
    found = rejects.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 12345, 0o600)
    observe("root-over-user", "owner and group as before, 0600")


def test_p7_the_file_of_the_rate_names_nobody(project: Project, sandbox: Sandbox, tmp_path: Path) -> None:
    pacing = tmp_path / "pacing"
    pacing.mkdir()
    project.environ["KARTRA_SYNC_PACING"] = str(pacing)
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    (window,) = pacing.iterdir()
    content = window.read_bytes().lower()
    assert re.fullmatch(r"kartra-sync-[0-9a-f]+\.window", window.name)
    assert not any(word in content for word in (b"lead0", b"example.org", b"sandboxk"))
    observe("rate-file", "a hash as its name; 0 addresses, 0 keys")


# --- forgotten

PEOPLE = 200 if IS_FULL else 5
EVERYTHING = (
    LOAD.replace("\nfields: {", "\nfields: {last_name: Last, phone: Phone, ")
    + "points: 10\non_removed: [untag]\nguards: {max_removed: 100%, max_failed: 100%}\n"
)


def seeded(number: int, **changes: str) -> dict[str, str]:
    row = contact(number) | {
        "Email": f"Zz{number}Person@seeded{number}q.example",
        "First": f"Firstzz{number}q",
        "Last": f"Lastzz{number}q",
        "City": f"Cityzz{number}q",
        "Phone": f"+43660{number:06}77",
        "Note": f"notezz{number}q über",
    }
    return row | changes


def told_of(number: int) -> tuple[str, ...]:
    """What may stand nowhere; other words of a lead are those of thousands."""
    return (
        *(f"zz{number}person", f"seeded{number}q", f"firstzz{number}q", f"lastzz{number}q"),
        *(f"cityzz{number}q", f"notezz{number}q", f"43660{number:06}77"),
    )


def holding(files: Iterable[Path], words: Iterable[str]) -> list[str]:
    """Which files hold one of the words: as bytes, in UTF-16, and unpacked."""
    wanted = [word.encode(encoding) for word in words for encoding in ("utf-8", "utf-16-le")]
    found = []
    for file in files:
        content = file.read_bytes().lower()
        if content.startswith(b"par1"):
            content += str(pq.read_table(file).to_pylist()).lower().encode()
        if any(word in content for word in wanted):
            found.append(file.name)
    return sorted(found)


def test_p7_people_who_were_forgotten_stand_in_no_byte_of_the_state_and_the_tables(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """Among them refused ones, duplicates, withheld ones, edited ones, and some whose lead drifted."""
    people = [seeded(number) for number in range(PEOPLE)]
    account.add_lead(people[1]["Email"].lower()).deleted = True
    sandbox.set_options(calls_per_second=0)
    project.contacts(people)
    with_pull(project, EVERYTHING)
    assert project.run().code == 3
    edited = [person | {"City": person["City"] + "b"} for person in people]
    extra = [people[0] | {"First": "Firstzz0qdup"}, people[2] | {"Consent": "no"}]
    extra.append(people[3] | {"Email": "broken zz3Person@seeded3q.example x"})
    project.contacts([*edited, *extra])
    assert project.run().code == 3
    for lead in list(account.leads.values())[-2:]:
        lead.fields["city"] = "Elsewhere"
    assert project.command("drift", "p.yaml").code == 0
    for number in range(PEOPLE):
        done = project.command("state", "forget", "p.yaml", people[number]["Email"], "--yes", "--json")
        assert (done.code, done.json["files"], done.json["backups"]) == (0, [], [])
    ours = [*project.state.parent.iterdir(), *(project.folder / "deep" / "er").iterdir()]
    assert len(ours) >= 2
    held = holding(ours, [word for number in range(PEOPLE) for word in told_of(number)])
    assert held == []
    assert project.run().json["rows"]["blocked"] >= PEOPLE
    observe("forget-raw", f"their words stand in {len(held)} files of state and tables, as UTF-8 or UTF-16")
    observe("forget-tables", f"in {len(held)} files, journals and free pages with them")


def test_p7_what_was_written_before_and_names_a_forgotten_person_is_named(
    project: Project, sandbox: Sandbox
) -> None:
    ann, bob = seeded(1), seeded(2)
    project.contacts([ann, bob, seeded(3, Email="zz1person@seeded1q.example", First="again")])
    with_pull(project, EVERYTHING)
    assert project.run().code == 0
    for words in WRITING[1:4]:
        assert project.command(*words).code == 0
    address = ann["Email"].lower()
    (project.folder / "mails.txt").write_bytes(f"to: {ann['Email']}".encode("utf-16-le"))
    (project.folder / "old.csv.gz").write_bytes(gzip.compress(address.encode()))
    (project.folder / "note.txt").write_text("of nobody")
    (project.folder / "bobs.txt").write_text(bob["Email"])
    shutil.make_archive(str(project.folder / "sent"), "zip", project.folder / "out" / "csv")
    assert project.command("state", "backup", "p.yaml").code == 0
    done = project.command("state", "forget", "p.yaml", address, "--yes", "--json")
    assert done.code == 0
    named = {str(Path(file).relative_to(project.folder.resolve())) for file in done.json["files"]}
    assert named == {
        *("mails.txt", "old.csv.gz", "sent.zip"),
        *("out/csv", "out/parquet"),
    }
    assert len(done.json["backups"]) == 1
    assert {
        file
        for file in done.json["files"]
        if f"{file}: delete it, or have it written again" not in done.json["still_held_by"]
    } == set()
    for probe, name in {
        "forget-export": "out/csv",
        "forget-parquet": "out/parquet",
        "forget-utf16": "mails.txt",
        "forget-gzip": "old.csv.gz",
        "forget-zip": "sent.zip",
    }.items():
        told = next(line for line in done.json["still_held_by"] if f"/{name}:" in line)
        observe(probe, told, FOLDER=project.folder.resolve())


BY_NUMBER = EVERYTHING.replace("key: email", "key: {column: Id}")


def test_p7_an_address_given_up_long_ago_leads_to_the_person_and_to_no_other(
    project: Project, sandbox: Sandbox
) -> None:
    ann = [seeded(1, Id="K-000001", Email=f"ann{step}@seeded.example") for step in range(3)]
    others = [seeded(2, Id="K-000002"), seeded(3, Id="K-000003")]
    for step in range(3):
        project.contacts([ann[step], *others])
        project.pipeline(BY_NUMBER)
        assert project.run().code == 0
    others[0]["Email"] = "ann0@seeded.example"  # it has another owner now
    project.contacts([ann[2], *others])
    assert project.run().code == 0
    done = project.command("state", "forget", "p.yaml", "ann1@seeded.example", "--yes", "--json")
    assert (done.code, done.json["erased"]["leads"]) == (0, 1)
    assert holding(project.state.parent.iterdir(), ["ann2@", "ann1@", "k-000001", "firstzz1q"]) == []
    kept = project.run()
    assert (kept.code, kept.json["rows"]["blocked"], kept.json["leads"]["unchanged"]) == (0, 1, 2)
    observe("forget-chain", f"{done.json['erased']['leads']} lead erased by an address of two changes ago")
    observe("forget-new-owner", f"{kept.json['leads']['unchanged']} others known as before")


def test_p7_other_peoples_words_about_a_forgotten_person_are_told(project: Project, sandbox: Sandbox) -> None:
    project.contacts([seeded(1), seeded(2, Note="friend of zz1person@seeded1q.example")])
    project.pipeline(EVERYTHING)
    assert project.run().code == 0
    done = project.command("state", "forget", "p.yaml", seeded(1)["Email"], "--yes")
    assert (done.code, "what other people's records in the state say" in done.stdout) == (0, True)
    told = next(line for line in done.stdout.splitlines() if "what other people's records" in line)
    observe("forget-mentioned", told, FOLDER=project.folder)
