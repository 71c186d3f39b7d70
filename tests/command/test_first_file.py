"""A first file of six lines: what a newcomer leaves out has the default, and `check` says which."""

from connectors.kartra.sandbox import Sandbox
from tests.config.test_pipeline_file import SIX_LINES
from tests.conftest import Project, contact


def test_a_file_of_six_lines_is_checked_loaded_and_says_its_defaults(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(0), contact(1)])
    (project.folder / "p.yaml").write_text(SIX_LINES, encoding="utf-8")
    checked = project.command("check", "p.yaml")
    assert checked.code == 0
    assert (
        "left out of the file, so the default: kartra: the account of KARTRA_APP_ID, state: state/kartra.db,"
        " key: email, sync_mode: upsert"
    ) in " ".join(checked.stdout.split())
    told = project.command("check", "p.yaml", "--json").json["files"][0]["defaults"]
    assert told["load.key"] == "email"
    done = project.run()
    assert (done.code, done.json["leads"]["created"]) == (0, 2)
    assert project.run().json["calls"]["sent"] == 0
