"""Every command of every document is typed as it stands, in a fresh folder, with a sandbox as the account."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox, demo_account
from pipelines.fleet.rehearsal import rehearsal_of
from tests.conftest import Project, Result
from tests.documents.guides import REPOSITORY, fences, guides, typed
from tests.documents.reference import CONFIGS
from tests.server_state import environ_of
from tests.state.places import new_schema

ABOUT_THE_USUAL_CASE = {"python", "schedules"}  # guides of these folders, too, use the newsletter
SETS_UP = ".venv/bin/pip install"  # the README's two commands: `.ci/run` types them in a fresh clone


@pytest.mark.parametrize("guide", guides(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_guide_does_what_it_says(guide: Path, project: Project, request: pytest.FixtureRequest) -> None:
    reader = Project(project.folder / "folder", {"COLUMNS": "80"})
    if guide.parent in (REPOSITORY, CONFIGS) or ABOUT_THE_USUAL_CASE & set(guide.parts):
        shutil.copytree(CONFIGS / "newsletter", reader.folder)
    if guide.parent not in (REPOSITORY, CONFIGS):
        shutil.copytree(guide.parent, reader.folder, dirs_exist_ok=True)
    if guide.parent.name == "servers":
        reader.environ |= environ_of(new_schema(request.getfixturevalue("postgresql_server")))
    with _served(reader):
        for fence in fences(guide):
            if fence.kind == "sh" and SETS_UP not in fence.body:
                for each in typed(fence):
                    done = types(each.line, reader)
                    assert done.code == each.code, f"{each.line}\n{done.stdout}{done.stderr}"
            elif fence.name:
                (reader.folder / fence.name).write_text(fence.body, encoding="utf-8")


@contextmanager
def _served(reader: Project) -> Iterator[Sandbox]:
    """The account of a guide; for a fleet the accounts that `sandbox --for` would serve."""
    fleet = reader.folder / "agency.yaml"
    if not fleet.exists():
        with Sandbox(demo_account()) as sandbox:
            reader.aim(sandbox)
            yield sandbox
        return
    rehearsal = rehearsal_of(fleet, {})
    first, *others = rehearsal.accounts.values()
    with Sandbox(first, others=others) as sandbox:
        reader.environ |= {"KARTRA_URL": sandbox.url, **rehearsal.made_up}
        yield sandbox


def types(line: str, reader: Project) -> Result:
    """The command by itself from the warm process; what needs a shell from one that finds the command."""
    words = shlex.split(line, comments=True)
    if words[0] == "kartra-sync" and not set(line) & set("|&;<>$"):
        return reader.command(*words[1:])
    environ = reader.command_environ()
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=reader.folder,
        env=environ | {"PATH": f"{Path(sys.executable).parent}:{environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
