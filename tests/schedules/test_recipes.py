"""The recipes of configs/schedules: what any machine can see of them.

`test_recipes_in_full.py` has the rest: Airflow and Dagster execute theirs, and the schemas of Compose,
Kubernetes and GitHub are asked.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import URL

from connectors.kartra.sandbox import Account, Sandbox, SandboxOptions
from tests.conftest import Project, contact
from tests.documents.reference import CONFIGS
from tests.warm_start import COMMAND, base_environ

SCHEDULES = CONFIGS / "schedules"
SECRETS = ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD")
FOLDERS = sorted(path for path in SCHEDULES.iterdir() if path.is_dir())
KUBERNETES, COMPOSE, WORKFLOW, DOCKERFILE = (
    SCHEDULES / name
    for name in (
        "kubernetes/cronjob.yaml",
        "docker/compose.yaml",
        "github-actions/newsletter.yml",
        "docker/Dockerfile",
    )
)
LONGEST_LINES = 40
NOBODY = 10001


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_recipe_lists_its_secrets_and_says_where_the_state_lives(folder: Path) -> None:
    told = (folder / "README.md").read_text(encoding="utf-8")
    assert "**The state** lives" in told
    assert "**Secrets**" in told
    assert [name for name in SECRETS if name not in told] == []


@pytest.mark.parametrize("name", ["airflow", "dagster"])
def test_a_recipe_in_python_is_short(name: str) -> None:
    text = (SCHEDULES / name / "kartra_newsletter.py").read_text(encoding="utf-8")
    compile(text, name, "exec")
    assert len(text.splitlines()) < LONGEST_LINES


def test_no_recipe_holds_the_value_of_a_secret() -> None:
    for path in SCHEDULES.rglob("*"):
        if path.is_file() and path.suffix not in (".md", ".pyc"):
            given = re.findall(r"(?:KARTRA_\w+|PASSWORD)\s*[:=]\s*(\S+)", path.read_text(encoding="utf-8"))
            assert [
                value for value in given if not value.startswith(("${{", "postgresql://kartra@", "os."))
            ] == []


def instructions() -> Iterator[tuple[str, str]]:
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


def test_the_image_is_built_from_what_is_there_and_runs_as_nobody() -> None:
    told = list(instructions())
    copied = [
        source
        for word, rest in told
        if word == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    assert [source for source in copied if not (CONFIGS.parent / source).exists()] == []
    assert [rest for word, rest in told if word == "FROM" and ":latest" in rest] == []
    last = {word: rest for word, rest in told}  # noqa: C416 - of each the last one counts
    assert (last["USER"], last["STOPSIGNAL"]) == ("10001:10001", "SIGTERM")
    assert yaml.safe_load(last["ENTRYPOINT"]) == ["kartra-sync"]  # a shell in between would keep the signal
    secret = re.compile("KARTRA|PASSWORD|TOKEN")
    assert [rest for word, rest in told if word in ("ENV", "ARG") and secret.search(rest)] == []


def test_pods_and_services_have_no_more_rights_than_they_need() -> None:
    job = read(KUBERNETES)["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["concurrencyPolicy"], pod["restartPolicy"]) == ("Forbid", "Never")
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    service = read(COMPOSE)["services"]["kartra-sync"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_forks_get_no_secrets_and_a_merge_applies_what_was_reviewed() -> None:
    workflow = read(WORKFLOW)
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow[True]  # YAML reads `on` as true
    assert "head.repo.full_name == github.repository" in jobs["plan"]["if"]
    typed = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert typed["plan"][0] == "kartra-sync plan newsletter.yaml --markdown --save > plan.md"
    assert 'kartra-sync apply newsletter.yaml "$plan"' in typed["apply"][0]
    # What a pull request may choose is never part of a script.
    assert not re.search(r"\$\{\{\s*github\.event", " ".join(chain(*typed.values())))


@pytest.mark.full
def test_the_steps_of_the_workflow_plan_comment_and_apply(project: Project, sandbox: Sandbox) -> None:
    """As the runner types them, with `gh` as a file beside it."""
    project.pipeline(LOAD, name="newsletter.yaml")
    project.contacts([contact(0), contact(1)])
    folder = project.folder / "bin"
    folder.mkdir()
    (folder / "gh").write_text(f'#!/bin/sh\ncat plan.md > "{folder}/comment"\n')
    (folder / "gh").chmod(0o755)
    environ = project.command_environ() | {"NUMBER": "7"}
    environ["PATH"] = f"{folder}:{Path(COMMAND).parent}:{environ['PATH']}"

    def typed(job: str) -> None:
        for step in read(WORKFLOW)["jobs"][job]["steps"]:
            if "run" in step:
                script = ["bash", "-eo", "pipefail", "-c", step["run"]]
                subprocess.run(script, cwd=project.folder, env=environ, check=True, timeout=120)

    typed("plan")
    comment = (folder / "comment").read_text()
    assert "2" in comment
    assert "example.org" not in comment
    assert not sandbox.account.leads
    typed("apply")
    assert len(sandbox.account.leads) == 2
    typed("apply")  # there is no plan left
    typed("nightly")
    assert len(sandbox.account.leads) == 2


LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
consent: {attested: "sign-up form, 2025"}
"""
CONTAINED = """\
mount --make-rprivate / && mount --bind "$WRITABLE" "$WRITABLE" && mount -o remount,ro,bind / \
&& cd "$PIPELINES" \
&& exec setpriv --reuid 10001 --regid 10001 --clear-groups $READS --no-new-privs "$@"
"""


def can_contain() -> bool:
    tried = ["unshare", "--mount", "--pid", "--fork", "setpriv", "--reuid", "10001", "--clear-groups", "true"]
    try:
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def contained(inner: Project, writable: Path, *words: str) -> subprocess.Popen[str]:
    """The command as process 1 on a read-only root, as a user without a name, with one folder to write into.

    The user may read what root may, for the Python of these tests may lie in a folder of root's.
    """
    writable.mkdir(exist_ok=True)
    os.chown(writable, NOBODY, NOBODY)
    places = ("HOME", "KARTRA_SYNC_PACING", "XDG_STATE_HOME", "TMPDIR", "WRITABLE")
    environ = base_environ() | inner.environ | dict.fromkeys(places, str(writable))
    environ["PIPELINES"] = str(inner.folder)
    environ["READS"] = "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search"
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "sh", "-c", CONTAINED]
    return subprocess.Popen(
        [*namespaces, "sh", COMMAND, *words, "--log-format", "json", "--json"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def inner(project: Project) -> Project:
    """A folder of pipelines that a container only reads."""
    found = Project(project.folder / "pipelines")
    found.folder.mkdir()
    found.pipeline(LOAD)
    text = (found.folder / "p.yaml").read_text()
    (found.folder / "p.yaml").write_text(f"state: ${{KARTRA_STATE}}\n{text}")
    return found


@pytest.mark.skipif(not can_contain(), reason="needs root, unshare and setpriv: a container made by hand")
def test_as_process_1_on_a_read_only_root_a_stop_settles_and_the_next_goes_on(
    inner: Project, account: Account, tmp_path: Path
) -> None:
    """What the image and its platforms promise, without them."""
    inner.contacts([contact(number) for number in range(40)])
    inner.environ["KARTRA_STATE"] = str(tmp_path / "writable" / "kartra.db")
    with Sandbox(account, SandboxOptions(latency_s=0.1)) as sandbox:
        inner.aim(sandbox)
        stopped = contained(inner, tmp_path / "writable", "run", "p.yaml")
        while not account.leads:
            assert stopped.poll() is None, stopped.communicate()
            time.sleep(0.02)
        (inside,) = map(int, Path(f"/proc/{stopped.pid}/task/{stopped.pid}/children").read_text().split())
        assert Path(f"/proc/{inside}/status").read_text().partition("NSpid:")[2].split()[1] == "1"
        os.kill(inside, signal.SIGTERM)
        _, told = stopped.communicate(timeout=60)
        assert '"status": "interrupted"' in told
        whole = contained(inner, tmp_path / "writable", "run", "p.yaml")
        _, told = whole.communicate(timeout=120)
        assert (whole.returncode, len(account.leads)) == (0, 40), told
        created = [call for call in sandbox.calls if "create_lead" in call.commands and call.executed]
        assert len(created) == 40


@pytest.mark.skipif(not can_contain(), reason="needs root, unshare and setpriv: a container made by hand")
def test_two_containers_without_a_disk_share_the_state_of_a_server(
    inner: Project, sandbox: Sandbox, postgresql_server: URL, tmp_path: Path
) -> None:
    """The second one, as empty as the first, sends nothing."""
    inner.contacts([contact(0), contact(1)])
    inner.aim(sandbox)
    address = postgresql_server.set(drivername="postgresql").render_as_string(hide_password=False)
    sign = "&" if "?" in address else "?"
    inner.environ["KARTRA_STATE"] = f"{address}{sign}schema=t{uuid.uuid4().hex}"
    ended = []
    for name in ("first", "second"):
        run = contained(inner, tmp_path / name, "run", "p.yaml")
        told, log = run.communicate(timeout=120)
        assert run.returncode == 0, log
        assert address not in log
        ended.append(json.loads(told))
    first, second = ended
    assert (first["leads"]["created"], second["leads"]["unchanged"], second["calls"]["sent"]) == (2, 2, 0)
