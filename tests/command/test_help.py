"""Help: every verb says what it is for and ends with an example, and the examples run."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox, demo_account
from tests.command.several import together
from tests.conftest import Project
from tests.warm_start import COMMAND

CONFIGS = Path(__file__).parent.parent.parent / "configs"
DESIGNED = {
    "adopt",
    "check",
    "demo",
    "errors",
    "explain",
    "export-import",
    "parked",
    "plan",
    "rejects",
    "resolve",
    "run",
    "runs",
    "sandbox",
    "schema",
    "state",
    "status",
}
NOTHING_TO_RESOLVE = 2


def helped_in(columns: int) -> str:
    """`--help` as a terminal of that width shows it."""
    environ = {**os.environ, "COLUMNS": str(columns)}
    return subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True, env=environ).stdout


def verbs() -> list[str]:
    """As `--help` lists them: under a title each that says what they are for."""
    groups = helped_in(80).split("Start here:\n")[1].split("\n\n  Exit:")[0]
    return re.findall(r"^  ([a-z-]+)  ", groups, re.MULTILINE)


VERBS = verbs()


def example_of(helped: str) -> str:
    found = re.findall(r"^\s*Example:\s+(kartra-sync .+)$", helped, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_help_lists_the_verbs_and_the_exit_codes(project: Project) -> None:
    assert set(VERBS) >= DESIGNED
    for words in (("--help",), ("-h",)):
        helped = project.command(*words)
        assert (helped.code, helped.stderr) == (0, "")
        said = " ".join(helped.stdout.split())
        assert (
            "Exit: 0 done · 1 failed, safe to run again · 2 usage or configuration"
            " · 3 done, some leads refused · 4 stopped by a guard · 5 another run holds the lock"
            " · 6 the saved plan no longer holds · 7 changes are pending (plan --detailed-exitcode)"
            " · 130/143 interrupted · 70 a bug of ours"
        ) in said


def test_every_verb_is_one_line_of_a_terminal_under_a_title() -> None:
    helped = helped_in(80)
    titles = re.findall(r"^([A-Z].*):$", helped, re.MULTILINE)
    assert titles == [
        "Options",
        "Start here",
        "Every night",
        "Many accounts",
        "When something is wrong",
        "Tables",
        "Rehearse",
        "By hand",
    ]
    lines = helped.splitlines()
    assert max(map(len, lines)) <= 80
    listed = lines[lines.index("Start here:") : lines.index("By hand:") + 4]
    assert [line for line in listed if line.startswith("   ")] == []  # a summary that went on
    assert len(VERBS) == len(set(VERBS)) == sum(line.startswith("  ") for line in listed)


def test_the_module_is_the_command(project: Project) -> None:
    done = [
        subprocess.run(
            [*start, "errors", "212", "--json"],
            cwd=project.folder,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for start in ([sys.executable, "-m", "pipelines"], [COMMAND])
    ]
    assert done[0] == done[1] != ""


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_ends_with_its_example(verb: str, project: Project) -> None:
    helped = project.command(verb, "--help")
    assert (helped.code, helped.stderr) == (0, "")
    last_line = helped.stdout.rstrip().splitlines()[-1].strip()
    assert last_line == f"Example:  {example_of(helped.stdout)}"
    assert shlex.split(last_line)[1:3] == ["kartra-sync", verb]


def test_the_examples_of_the_help_run_one_after_the_other(project: Project) -> None:
    """In a folder with newsletter.yaml and its CSV; `demo` and `sandbox` need none and are run elsewhere."""
    shutil.copytree(CONFIGS / "newsletter", project.folder, dirs_exist_ok=True)
    order = [
        "schema",
        "errors",
        "check",
        "plan",
        "run",
        "status",
        "runs",
        "rejects",
        "export-import",
        "adopt",
        "explain",
        "parked",
        "resolve",
        "state",
    ]
    assert {*order, "demo", "sandbox"} >= DESIGNED
    helps = together(project, [(verb, "--help") for verb in order])
    with Sandbox(demo_account()) as sandbox:
        project.aim(sandbox)
        path = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
        for verb, helped in zip(order, helps, strict=True):
            example = example_of(helped.stdout)
            done = subprocess.run(
                ["/bin/bash", "-c", example],
                cwd=project.folder,
                env={**project.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            code = NOTHING_TO_RESOLVE if verb == "resolve" else 0
            assert (example, done.returncode) == (example, code)
    assert {"kartra-sync.schema.json", "again.csv", "state"} < {one.name for one in project.folder.iterdir()}


def test_the_example_of_the_sandbox_serves_until_it_is_told_to_end(project: Project) -> None:
    example = example_of(project.command("sandbox", "--help").stdout)
    words = shlex.split(example.replace("--port 8765", "--port 0"))  # another may be there
    assert words[:4] == ["kartra-sync", "sandbox", "--port", "0"]
    process = project.start(*words[1:])
    assert process.stdout is not None
    first_line = process.stdout.readline()
    assert re.match(r"A sandbox account at http://127\.0\.0\.1:\d+/api ", first_line)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
