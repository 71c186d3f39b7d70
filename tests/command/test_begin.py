"""`kartra-sync` without a verb says where to begin; the shell completes its words."""

import os
import shutil
import subprocess

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import LOAD, Project, contact


def test_an_empty_folder_is_shown_the_demo(project: Project) -> None:
    said = project.command()
    assert (said.code, said.stdout) == (2, "")
    assert "kartra-sync demo" in said.stderr
    assert "kartra-sync init contacts.csv" in said.stderr
    assert "kartra-sync --help" in said.stderr
    assert list(project.folder.iterdir()) == []


def test_contacts_without_a_pipeline_are_shown_init(project: Project) -> None:
    project.contacts([contact(0)], name="My Contacts.csv")
    (project.folder / "notes.yaml").write_text("hello: world\n", encoding="utf-8")
    said = project.command()
    assert "My Contacts.csv is here, and no pipeline file yet." in said.stderr
    assert "kartra-sync init 'My Contacts.csv'" in said.stderr


def test_an_export_is_found_as_it_was_downloaded(project: Project) -> None:
    (project.folder / "audience_export_1f3.zip").touch()
    assert "kartra-sync init audience_export_1f3.zip" in project.command().stderr


def test_a_pipeline_is_shown_its_next_step(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(0), contact(1, Email="nobody")])
    project.pipeline(LOAD)
    fresh = project.command()
    assert "p.yaml: a pipeline that has not run yet." in fresh.stderr
    assert "kartra-sync plan p.yaml" in fresh.stderr
    assert not project.state.exists()
    assert project.run().code == 3
    after = project.command()
    assert "newsletter: 1 lead in Kartra" in after.stderr
    assert "kartra-sync rejects p.yaml" in after.stderr
    del project.environ["KARTRA_URL"]
    broken = project.command()
    assert (broken.code, broken.stdout) == (2, "")
    assert "kartra-sync check p.yaml" in broken.stderr


@pytest.mark.parametrize(
    ("shell", "environ", "expected"),
    [
        ("bash", {"COMP_WORDS": "kartra-sync stat", "COMP_CWORD": "1"}, "plain,status\nplain,state\n"),
        (
            "zsh",
            {"COMP_WORDS": "kartra-sync outc", "COMP_CWORD": "1"},
            "plain\noutcomes\nList what became of each lead of a run, and why\n",
        ),
        ("bash", {"COMP_WORDS": "kartra-sync report p.yaml --ht", "COMP_CWORD": "3"}, "plain,--html\n"),
        ("bash", {"COMP_WORDS": "kartra-sync run ", "COMP_CWORD": "2"}, "file,\n"),
    ],
)
def test_the_shell_completes_verbs_options_and_files(
    shell: str, environ: dict[str, str], expected: str, project: Project
) -> None:
    project.environ |= {"_KARTRA_SYNC_COMPLETE": f"{shell}_complete", **environ}
    done = project.command()
    assert (done.code, done.stdout) == (0, expected)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_what_the_help_says(project: Project) -> None:
    assert 'eval "$(_KARTRA_SYNC_COMPLETE=bash_source kartra-sync)"' in project.command("--help").stdout
    project.environ["_KARTRA_SYNC_COMPLETE"] = "bash_source"
    script = project.command().stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p kartra-sync"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        check=True,
    )
    assert "kartra-sync" in done.stdout


def test_zsh_gets_a_script_of_its_own(project: Project) -> None:
    project.environ["_KARTRA_SYNC_COMPLETE"] = "zsh_source"
    assert project.command().stdout.startswith("#compdef kartra-sync\n")
