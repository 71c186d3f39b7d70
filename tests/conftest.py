"""A project of a user: a folder, a pipeline file, a CSV, the command, and a sandbox account to load into."""

import csv
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from connectors.kartra.sandbox import Account, CustomField, Sandbox
from pipelines.config.server_state import ServerState, server_state
from tests import warm_start
from tests.json_shapes import check_shape

pytest_plugins = ["tests.servers", "tests.full", "tests.heard"]

# Properties hold or not; how fast they are found out depends on what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Each sandbox has a port, and so a window, of its own: the files of thousands are not left where users look,
# nor all in one folder, which each command looks through for stale ones.
PACING = Path(tempfile.gettempdir(), "kartra-sync-tests", os.environ.get("PYTEST_XDIST_WORKER", "alone"))
PACING.mkdir(exist_ok=True, parents=True)
os.environ.setdefault("KARTRA_SYNC_PACING", str(PACING))
os.environ.setdefault("XDG_STATE_HOME", str(PACING))  # nor is what was seen of their states


def all_on_a_server() -> bool:
    return os.environ.get("KARTRA_SYNC_STATE") == "postgresql"


PIPELINE = """\
pipeline: newsletter
kartra:
  url: ${KARTRA_URL}
  app_id: ${KARTRA_APP_ID}
  api_key: ${KARTRA_API_KEY}
  api_password: ${KARTRA_API_PASSWORD}
"""


@dataclass(frozen=True)
class Result:
    """What the command did. `json` is its one object on stdout."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass
class Project:
    """A folder with `p.yaml` and `contacts.csv`, and the environment the command runs in."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    on_a_file: bool = False
    """Its state is a file, wherever those of all others are: it is about files."""

    def __post_init__(self) -> None:
        if all_on_a_server() and not self.on_a_file and "KARTRA_STATE" not in self.environ:
            # Imported where every state is on a server: few tests need one, and all import this.
            from tests.server_state import environ_of, new_place

            self.environ |= environ_of(new_place())

    @property
    def place(self) -> Path | ServerState:
        """Where the state is, a file or a schema of a server."""
        named = self.environ.get("KARTRA_STATE")
        return server_state(named) or self.state if named else self.state

    @property
    def state(self) -> Path:
        return self.folder / "state" / "kartra.db"

    def aim(self, sandbox: Sandbox) -> None:
        """Let the pipeline talk to this sandbox."""
        self.environ |= {
            "KARTRA_URL": sandbox.url,
            "KARTRA_APP_ID": sandbox.credentials.app_id,
            "KARTRA_API_KEY": sandbox.credentials.api_key,
            "KARTRA_API_PASSWORD": sandbox.credentials.api_password,
        }

    @property
    def head(self) -> str:
        """How a file begins that a test writes by itself. Keys of `kartra:` may follow."""
        return self._state_line + PIPELINE

    @property
    def _state_line(self) -> str:
        return "state: ${KARTRA_STATE}\n" if "KARTRA_STATE" in self.environ else ""

    def pipeline(self, load: str, *, kartra: str = "", name: str = "p.yaml") -> Path:
        """Write the pipeline file: `load` is the body of its load section, `kartra` extra lines of that."""
        indented = "".join(f"  {line}\n" for line in load.strip().splitlines())
        extra = "".join(f"  {line}\n" for line in kartra.strip().splitlines())
        path = self.folder / name
        path.write_text(f"{PIPELINE}{extra}{self._state_line}load:\n{indented}", encoding="utf-8")
        return path

    def contacts(self, rows: Sequence[dict[str, str]], *, name: str = "contacts.csv") -> Path:
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    def command(self, *words: str, timeout_s: float = 120) -> Result:
        with self._started(words) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        check_shape(words, stdout)
        return Result(process.returncode, stdout, stderr)

    def run(self, *words: str) -> Result:
        """`kartra-sync run p.yaml --json`."""
        return self.command("run", "p.yaml", "--json", *words)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The command in the background, in a process group of its own."""
        return self._started(words, start_new_session=True)

    def _started(self, words: Sequence[str], **kwargs: Any) -> subprocess.Popen[str]:
        return warm_start.start(
            words,
            environ=self.command_environ(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **kwargs,
        )

    def command_environ(self) -> dict[str, str]:
        return {**warm_start.base_environ(), **self.environ}


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    return Project(tmp_path, on_a_file=request.node.get_closest_marker("of_a_file") is not None)


def an_account() -> Account:
    """An account without leads."""
    return Account(
        tags=["Imported", "VIP", "Blog", "Customer"],
        lists=["News", "Customers"],
        sequences={"Onboarding": ["1", "2", "3"]},
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {"610": "small", "611": "medium", "612": "large"}),
            CustomField("3", "fruits", "checkbox", {"1": "apple", "2": "pear", "3": "plum"}),
        ],
    )


@pytest.fixture
def account() -> Account:
    return an_account()


@pytest.fixture
def sandbox(account: Account, project: Project) -> Iterator[Sandbox]:
    """A sandbox with that account, and the project aimed at it."""
    with Sandbox(account) as served:
        project.aim(served)
        yield served


LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First, city: City}
custom_fields: {note: Note, size: Size, fruits: {column: Fruits, split: ";"}}
tags: [Imported, {column: Tags, split: ";"}]
lists: [News]
sequences: [{name: Onboarding, step: 1}]
consent: {column: Consent, accepted: ["yes"]}
"""


def contact(number: int, **changes: str) -> dict[str, str]:
    """A row of the CSV that LOAD maps."""
    row = {
        "Email": f"lead{number}@example.org",
        "First": f"First {number}",
        "City": ["Lyon", "Kraków", "Leeds"][number % 3],
        "Note": f"note, {number}",
        "Size": ["small", "medium", "large"][number % 3],
        "Fruits": ["apple", "apple;pear", "plum"][number % 3],
        "Tags": ["VIP", "Blog;VIP", ""][number % 3],
        "Consent": "yes",
    }
    return {**row, **changes}


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, as the operating system does when memory is short."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
