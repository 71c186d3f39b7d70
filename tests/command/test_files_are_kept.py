"""No verb writes over a file that is there without --replace, and never over one that a pipeline uses."""

import os
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox, demo_account
from tests.conftest import LOAD, Project, contact

EXPORT = (Path(__file__).parents[1] / "data" / "exports" / "kartra_transactions.csv").read_text("utf-8")
WRITERS = {
    "rejects": ("rejects", "p.yaml", "--csv", "{}"),
    "report": ("report", "p.yaml", "leads-by-source", "--csv", "{}"),
    "reconcile": ("reconcile", "p.yaml", "transactions.csv", "--csv", "{}"),
    "init": ("init", "contacts.csv", "--attested", "form", "--to", "{}"),
}
IN_USE = ("contacts.csv", "./contacts.csv", "linked.csv", "blocked.csv", "in/new.csv", "other.csv", ".env")

KEPT = ("p.yaml", "another.yaml", "state/kartra.db", "tables.db", "tables.db-wal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A pipeline that has run and pulled, with a reject, and another one beside it that cannot be read."""
    project = Project(tmp_path_factory.mktemp("kept"))
    here = project.folder
    project.contacts([contact(1), contact(2, Email="nobody")])
    project.contacts([contact(7)], name="blocked.csv")
    project.contacts([contact(8)], name="other.csv")
    (here / "linked.csv").symlink_to("contacts.csv")
    (here / "in").mkdir()
    (here / "transactions.csv").write_text(EXPORT, encoding="utf-8")
    (here / ".env").write_text("A=1\n", encoding="utf-8")
    load = f"{LOAD}suppress: [{{csv: blocked.csv, email: Email}}]\n"
    path = project.pipeline(load)
    path.write_text(f"{path.read_text('utf-8')}pull: {{into: tables.db, leads: {{state: true}}}}\n", "utf-8")
    (here / "another.yaml").write_text(
        "pipeline: another\nkartra: {app_id: '${NOT_SET_HERE}'}\nload:\n  source: {csv: other.csv}\n"
        "  suppress: [{csv: 'in/*.csv', email: E}]\n  transform: '${NOT_SET_HERE}'\n",
        encoding="utf-8",
    )
    with Sandbox(demo_account()) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 3
    return project


def words_of(writer: str, target: str) -> list[str]:
    return [word.format(target) for word in WRITERS[writer]]


def files_of(folder: Path) -> dict[str, bytes]:
    """Without what a run that could not open its state leaves beside its file, to be taken in later."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix not in (".db-wal", ".db-shm")
        and not file.name.startswith(".kartra-sync-")
    }


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_is_there_is_replaced_by_request_alone(writer: str, folder: Project) -> None:
    target = folder.folder / f"{writer}-out.yaml"
    target.write_text("precious", encoding="utf-8")
    refused = folder.command(*words_of(writer, target.name))
    assert (refused.code, target.read_text("utf-8")) == (2, "precious")
    assert "--replace" in refused.stderr
    assert folder.command(*words_of(writer, target.name), "--replace").code in (0, 3)
    assert "precious" not in target.read_text("utf-8")
    target.unlink()


@pytest.mark.parametrize("target", IN_USE)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_a_pipeline_uses_is_not_written_over_whatever_is_said(
    writer: str, target: str, folder: Project
) -> None:
    before = files_of(folder.folder)
    refused = folder.command(*words_of(writer, target), "--replace")
    assert (refused.code, files_of(folder.folder)) == (2, before)
    assert "reads or keeps this file" in refused.stderr


@pytest.mark.parametrize(
    "target", ["p.yaml", "another.yaml", "state/kartra.db", "tables.db", "tables.db-wal"]
)
@pytest.mark.parametrize("writer", ["rejects", "report", "reconcile"])
def test_neither_is_a_pipeline_its_state_or_its_tables(writer: str, target: str, folder: Project) -> None:
    before = files_of(folder.folder)
    refused = folder.command(*words_of(writer, target), "--replace")
    assert (refused.code, files_of(folder.folder)) == (2, before)


def test_a_report_does_not_take_the_place_of_the_export_it_is_about(folder: Project) -> None:
    refused = folder.command(*words_of("reconcile", "transactions.csv"), "--replace")
    assert (refused.code, (folder.folder / "transactions.csv").read_text("utf-8")) == (2, EXPORT)


def test_tables_and_files_for_an_import_do_not_take_the_place_of_a_source(folder: Project) -> None:
    here = folder.folder
    (here / "third.yaml").write_text(
        "pipeline: third\nload: {source: {csv: out/leads.csv}}\nmore: 'out/newsletter-import-*.csv'\n",
        "utf-8",
    )
    (here / "out").mkdir()
    (here / "out" / "leads.csv").write_text("Email\n", encoding="utf-8")
    before = files_of(here)
    for words in (("export", "p.yaml", "--to", "out"), ("export-import", "p.yaml", "--to", "out")):
        refused = folder.command(*words, "--replace")
        assert (refused.code, files_of(here)) == (2, before)
        assert "third.yaml" in refused.stderr
    (here / "third.yaml").unlink()


def test_a_device_is_written_to_as_it_is(folder: Project) -> None:
    mode = Path(os.devnull).stat().st_mode
    done = folder.command("rejects", "p.yaml", "--csv", os.devnull)
    assert (done.code, Path(os.devnull).stat().st_mode) == (0, mode)
    shown = folder.command("rejects", "p.yaml", "--csv", "/dev/stdout")
    assert (shown.code, "nobody" in shown.stdout) == (0, True)


def test_what_is_replaced_is_whole_or_as_it_was(folder: Project) -> None:
    target = folder.folder / "whole.csv"
    target.write_text("as it was", encoding="utf-8")
    refused = folder.command("rejects", "nothing.yaml", "--csv", target.name, "--replace")
    assert (refused.code, target.read_text("utf-8")) == (2, "as it was")
    assert folder.command("rejects", "p.yaml", "--csv", target.name, "--replace").code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.folder.iterdir() if file.name.endswith(".part")] == []


def test_results_are_not_written_over_what_is_none(project: Project, sandbox: Sandbox) -> None:
    project.contacts([{"Key": "1", "Email": "ann@example.org"}], name="rows.csv")
    path = project.pipeline("")
    text = path.read_text("utf-8").removesuffix("load:\n")
    operations = (
        "operations: {source: {csv: rows.csv}, do: give_points, key: Key, lead: {email: Email},"
        " parameters: {points: {constant: '5'}}, results: results.csv}\n"
    )
    path.write_text(text + operations, encoding="utf-8")
    results = project.folder / "results.csv"
    results.write_text("Name,Number\nAnn,1\n", encoding="utf-8")
    refused = project.run("--yes")
    assert (refused.code, results.read_text("utf-8")) == (2, "Name,Number\nAnn,1\n")
    assert "results.csv is there already and holds no results" in refused.stderr
    assert [call for call in sandbox.calls if "give_points_to_lead" in call.commands] == []
    results.unlink()
    assert project.run("--yes").code in (0, 3)
    assert project.run("--yes").code in (0, 3)
    assert results.read_text("utf-8").startswith("row,key,operation,")


@pytest.mark.parametrize(
    "line", ["state: contacts.csv", "state: ./p.yaml", "state: tables.db", "state: linked.db"]
)
def test_a_state_has_a_file_of_its_own(line: str, project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    (project.folder / "linked.db").symlink_to("tables.db")
    path = project.pipeline(LOAD)
    pull = "pull: {into: tables.db, leads: {state: true}}"
    path.write_text(f"{path.read_text('utf-8')}{pull}\n{line}\n", encoding="utf-8")
    before = files_of(project.folder)
    for verb in ("check", "run"):
        refused = project.command(verb, "p.yaml")
        assert (refused.code, files_of(project.folder)) == (2, before)
        assert "state: needs a file of its own" in refused.stdout + refused.stderr
    assert sandbox.calls == []
