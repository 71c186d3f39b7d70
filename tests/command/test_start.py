"""What a verb does not need it does not load: `--help` and a look at the state answer at once."""

import re
import subprocess
import sys

import pytest

from tests.conftest import LOAD, Project
from tests.warm_start import COMMAND

SLOW = {
    *("pandas", "numpy", "pyarrow", "openpyxl", "fsspec"),
    *("babel", "phonenumbers", "nameparser", "email_validator", "dateutil"),
    *("requests", "urllib3", "aiohttp", "tenacity", "pyrate_limiter"),
    *("jinja2", "psycopg", "pymysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql"),
}


def loaded_by(project: Project, *words: str) -> set[str]:
    """The modules that a verb loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, *words],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


def test_help_loads_the_command_line_alone(project: Project) -> None:
    modules = loaded_by(project, "--help")
    assert "click" in modules
    assert not modules & {*SLOW, "pydantic", "sqlalchemy", "yaml", "rich"}


@pytest.mark.parametrize("verb", ["status", "runs"])
def test_a_look_at_the_state_loads_no_frame_no_client_and_no_other_database(
    verb: str, project: Project
) -> None:
    project.pipeline(LOAD)
    project.environ |= dict.fromkeys(("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"), "x")
    project.environ["KARTRA_URL"] = "https://app.kartra.com/api"
    modules = loaded_by(project, verb, "p.yaml")
    assert "sqlite3" in modules
    assert not modules & {*SLOW, "sqlalchemy"}
