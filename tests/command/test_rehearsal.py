"""Who rehearses on a sandbox does not end up in Kartra's own account."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.command.several import ended
from tests.conftest import Project, contact

KARTRA = "https://app.kartra.com/api"


@pytest.fixture
def serving(project: Project) -> Iterator["subprocess.Popen[str]"]:
    """`sandbox`, in the folder of the project."""
    project.contacts([contact(1)])
    process = project.start("sandbox", "--port", "0")
    yield process
    process.kill()
    process.communicate()


def lines_of(serving: "subprocess.Popen[str]") -> list[str]:
    assert serving.stdout is not None
    return [serving.stdout.readline() for _ in range(5)]


def drafted(project: Project) -> str:
    done = project.command("init", "contacts.csv", "--attested", "form", "--to", "p.yaml", "--replace")
    assert done.code == 0
    return next(
        line for line in (project.folder / "p.yaml").read_text("utf-8").splitlines() if "url:" in line
    )


def test_the_address_comes_before_the_credentials(project: Project, serving: "subprocess.Popen[str]") -> None:
    first, *exports = lines_of(serving)
    names = [line.split()[1].split("=")[0] for line in exports]
    assert names == ["KARTRA_URL", "KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"]
    url = exports[0].split("=")[1].strip()
    assert url in first
    assert url.startswith("http://127.0.0.1:")


def test_what_is_drafted_beside_a_sandbox_is_for_the_sandbox(
    project: Project, serving: "subprocess.Popen[str]"
) -> None:
    exports = dict(line.split()[1].split("=") for line in lines_of(serving)[1:])
    url = exports.pop("KARTRA_URL")
    assert drafted(project) == f"  url: ${{KARTRA_URL:-{url}}}  # a sandbox; Kartra itself: {KARTRA}"
    project.environ |= exports
    assert project.command("check", "p.yaml", "--json").json["files"][0]["names_checked"]
    serving.send_signal(signal.SIGTERM)
    assert ended(serving).code == 0
    assert not (project.folder / ".kartra-sandbox").exists()
    assert drafted(project) == f"  url: ${{KARTRA_URL:-{KARTRA}}}"


def test_a_sandbox_that_was_killed_is_none(project: Project, serving: "subprocess.Popen[str]") -> None:
    lines_of(serving)
    serving.kill()
    serving.wait()
    assert drafted(project) == f"  url: ${{KARTRA_URL:-{KARTRA}}}"
