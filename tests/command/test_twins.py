"""Two pipeline files of one name in one state: each would undo what the other does, and it is told."""

import shutil

from connectors.kartra.sandbox import Sandbox
from tests.command.several import stored, together
from tests.conftest import LOAD, Project, contact


def copied(project: Project) -> None:
    """The file was copied for another source, and its `pipeline:` stayed."""
    project.contacts([contact(number) for number in range(10)], name="a.csv")
    project.contacts([contact(number) for number in range(10, 20)], name="b.csv")
    for name in ("a", "b"):
        project.pipeline(LOAD.replace("contacts.csv", f"{name}.csv"), name=f"{name}.yaml")


def test_a_check_of_both_tells(project: Project, sandbox: Sandbox) -> None:
    copied(project)
    both, one, twice = together(
        project,
        [
            ("check", "a.yaml", "b.yaml", "--json"),
            ("check", "b.yaml", "--json"),
            ("check", "a.yaml", "./a.yaml", "--json"),
        ],
    )
    assert (both.code, [file["ok"] for file in both.json["files"]]) == (2, [True, False])
    (told,) = both.json["files"][1]["problems"]
    assert told.startswith(
        "b.yaml: a.yaml calls its pipeline newsletter, too, and keeps it in the same state"
    )
    assert (one.code, twice.code) == (0, 0)


def test_both_are_not_run_at_once(project: Project, sandbox: Sandbox) -> None:
    copied(project)
    refused = project.command("run", "a.yaml", "b.yaml", "--json")
    assert (refused.code, refused.json["status"], stored(sandbox)) == (2, "refused", {})
    assert "Give one of them another name" in refused.stderr


def test_a_run_says_that_the_one_before_came_from_another_file(project: Project, sandbox: Sandbox) -> None:
    copied(project)
    assert "notes" not in project.command("run", "a.yaml", "--json").json
    assert "notes" not in project.command("run", "a.yaml", "--json").json
    planned, ran = (project.command(verb, "b.yaml", "--json") for verb in ("plan", "run"))
    for result in (planned, ran):
        (note,) = result.json["notes"]
        assert note.startswith("the run before came from another file. b.yaml: a.yaml calls its pipeline")


def test_a_file_that_was_moved_or_named_otherwise_is_no_other(project: Project, sandbox: Sandbox) -> None:
    copied(project)
    assert project.command("run", "a.yaml", "--json").code == 0
    (project.folder / "a.yaml").rename(project.folder / "c.yaml")
    (project.folder / "linked.yaml").symlink_to("c.yaml")
    for name in ("c.yaml", "linked.yaml"):
        ran = project.command("run", name, "--json")
        assert (ran.code, "notes" in ran.json) == (0, False)
    shutil.copy(project.folder / "b.yaml", project.folder / "c.yaml")
    text = (project.folder / "c.yaml").read_text("utf-8").replace("newsletter", "another")
    (project.folder / "c.yaml").write_text(text, "utf-8")
    assert "notes" not in project.command("plan", "b.yaml", "--json").json
