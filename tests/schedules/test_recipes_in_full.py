"""The recipes, executed by Airflow and Dagster, read by the schemas of Compose, Kubernetes and GitHub, and
the steps of the image typed: in a venv of its own with the group `recipes`, which brings 100 libraries along.

The versions are those that pip finds beside the libraries that are installed here: where they cannot live
together, this fails.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, contact
from tests.documents.reference import CONFIGS
from tests.schedules.test_recipes import COMPOSE, KUBERNETES, LOAD, SCHEDULES, WORKFLOW, instructions
from tests.warm_start import COMMAND

pytestmark = pytest.mark.full
ROOT = CONFIGS.parent
PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv with the group, on top of what is installed here."""
    folder = tmp_path_factory.mktemp("recipes") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    found = folder / "bin" / "python"
    paths = {"base": str(folder), "platbase": str(folder)}
    beside = Path(sysconfig.get_path("purelib", "venv", vars=paths)) / "beside.pth"
    beside.write_text("\n".join([*(path for path in sys.path if "site-packages" in path), str(ROOT)]))
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["recipes"]
    subprocess.run([found, *PIP, *wanted], check=True, timeout=540)
    return found


@pytest.fixture
def nightly(project: Project, sandbox: Sandbox) -> Project:
    project.pipeline(LOAD, name="newsletter.yaml")
    project.contacts([contact(0), contact(1)])
    return project


def told_by(python: Path, script: str, project: Project, more: Mapping[str, str]) -> str:
    environ = project.command_environ() | {
        "KARTRA_FOLDER": str(project.folder),
        "KARTRA_COMMAND": COMMAND,
        **more,
    }
    done = subprocess.run(
        [python, "-c", script], env=environ, cwd=project.folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_dagster_materializes_the_asset_and_sends_nothing_twice(
    python: Path, nightly: Project, account: Account
) -> None:
    script = """
import json, dagster, kartra_newsletter as recipe
for _ in range(2):
    done = dagster.materialize([recipe.kartra_newsletter])
    (event,) = done.asset_materializations_for_node("kartra_newsletter")
    print(json.dumps({name: value.value for name, value in event.metadata.items()}))
(schedule,) = recipe.defs.get_repository_def().schedule_defs
print(json.dumps([schedule.cron_schedule, schedule.execution_timezone]))
"""
    told = told_by(python, script, nightly, {"PYTHONPATH": str(SCHEDULES / "dagster")})
    first, second, schedule = map(json.loads, told.splitlines()[-3:])
    assert (first["status"], first["created"], second["created"], second["calls"]) == ("succeeded", 2, 0, 0)
    assert schedule == ["0 2 * * *", "Europe/Vienna"]
    assert len(account.leads) == 2


def test_a_guard_is_not_tried_again_by_dagster(python: Path, nightly: Project, account: Account) -> None:
    nightly.pipeline(f"{LOAD}guards: {{min_rows: 10}}\n", name="newsletter.yaml")
    script = """
import dagster, kartra_newsletter as recipe
done = dagster.materialize([recipe.kartra_newsletter], raise_on_error=False)
print(done.success, len([event for event in done.all_events if event.is_step_start]))
"""
    told = told_by(python, script, nightly, {"PYTHONPATH": str(SCHEDULES / "dagster")})
    assert told.splitlines()[-1] == "False 1"
    assert not account.leads


def test_airflow_runs_the_dag(python: Path, nightly: Project, account: Account) -> None:
    environ = {
        "AIRFLOW_HOME": str(nightly.folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(SCHEDULES / "airflow"),
        "PYTHONPATH": str(SCHEDULES / "airflow"),
    }
    environ["PATH"] = f"{python.parent}:{os.environ['PATH']}"
    told_by(
        python,
        "from airflow.__main__ import main; import sys; sys.argv[1:] = ['db', 'migrate']; main()",
        nightly,
        environ,
    )
    script = """
import kartra_newsletter as recipe
done = recipe.dag.test()
print(done.state, sorted((task.task_id, str(task.state)) for task in done.get_task_instances()))
"""
    told = told_by(python, script, nightly, environ)
    assert told.splitlines()[-1] == "success [('run', 'success'), ('status', 'success')]"
    assert len(account.leads) == 2


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.compose-spec", COMPOSE), ("vendor.github-workflows", WORKFLOW)]
)
def test_the_schema_of_a_service_knows_every_key(python: Path, schema: str, file: Path) -> None:
    asked = [python.parent / "check-jsonschema", "--builtin-schema", schema, file]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_knows_every_key(python: Path) -> None:
    done = subprocess.run(
        [python, "-m", "kubernetes_validate", "--strict", KUBERNETES], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_steps_of_the_image_make_a_program_that_works(tmp_path: Path) -> None:
    """Its RUN lines up to the second stage, with the folders of the image under this one."""
    (steps, *_) = "\n".join(rest if word == "RUN" else f"#{word}" for word, rest in instructions()).split(
        "#FROM"
    )[1:]
    typed = [line for line in steps.splitlines() if line and not line.startswith(("#", " "))]
    moved = [
        line.replace("/opt/", f"{tmp_path}/").replace("/tmp/tested", f"{tmp_path}/tested") for line in typed
    ]
    assert len(moved) == 3
    for line in moved:
        subprocess.run(["bash", "-euc", line], cwd=ROOT, check=True, timeout=1800)
    installed = tmp_path / "kartra-sync"
    environ = {
        "PATH": f"{installed}/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    done = subprocess.run(["kartra-sync", "demo"], env=environ, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytest" not in {path.name for path in installed.glob("lib/python3*/site-packages/*")}
