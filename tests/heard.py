"""A local server that notices, pings and metrics go to, and what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import Project, contact

LOADING = """
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email, first_name: First}
  consent: {attested: "sign-up form, 2025"}
"""


@dataclass
class Heard:
    """What was asked, in order. A POST to one of `broken` is answered with 500."""

    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    by_path: dict[str, list[str]] = field(default_factory=dict)
    """The titles that each path took."""
    status: int = 200
    ping_status: int = 200
    broken: set[str] = field(default_factory=set)
    url: str = ""

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.bodies]


@contextmanager
def a_web_server() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.paths.append(self.path)
            self._answer(heard.ping_status)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 500 if self.path in heard.broken else heard.status
            if status == 200 and self.path.startswith("/hook"):
                heard.bodies.append(json.loads(body))
                heard.by_path.setdefault(self.path, []).append(heard.bodies[-1]["title"])
            heard.paths.append(self.path)
            self._answer(status)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status == 301:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.url = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@pytest.fixture(name="heard")
def _heard() -> Iterator[Heard]:
    with a_web_server() as heard:
        yield heard


def telling(project: Project, heard: Heard, told: str, *, beat: str = "beat") -> Project:
    """A pipeline of two contacts that tells a webhook and a heartbeat service, as `told` says."""
    project.environ |= {"ALERT_URL": f"json://{heard.url}/hook", "PING_URL": f"http://{heard.url}/{beat}"}
    (project.folder / "p.yaml").write_text(project.head + LOADING + told, encoding="utf-8")
    project.contacts([contact(0), contact(1)])
    return project
