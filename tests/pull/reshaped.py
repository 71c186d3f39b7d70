"""A server between the client and a sandbox that gives its answers another shape, as Kartra may one day."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project

Reshape = Callable[[Any], Any]
"""The JSON of an answer as it is to be."""


class Between:
    """While it is open the project talks to the sandbox through it, always by one URL."""

    def __init__(self, project: Project, sandbox: Sandbox) -> None:
        project.aim(sandbox)
        self._reshape: Reshape = lambda body: body
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {"Content-Type": self.headers["Content-Type"]}
                with urllib.request.urlopen(urllib.request.Request(sandbox.url, body, headers)) as answer:
                    answered = json.dumps(between._reshape(json.loads(answer.read()))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(answered)))
                self.end_headers()
                self.wfile.write(answered)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of its base
                """Nothing of a call is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        project.environ["KARTRA_URL"] = f"http://127.0.0.1:{self._server.server_port}/api"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def shape(self, reshape: Reshape) -> Iterator[None]:
        """Answers have this shape within it."""
        self._reshape = reshape
        try:
            yield
        finally:
            self._reshape = lambda body: body


def in_profiles(change: Callable[[dict[str, Any]], object]) -> Reshape:
    """Changes `lead_details` wherever an answer has them."""

    def reshape(body: Any) -> Any:
        if isinstance(body, dict) and isinstance(body.get("lead_details"), dict):
            change(body["lead_details"])
        return body

    return reshape
