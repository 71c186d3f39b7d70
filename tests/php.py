"""PHP itself, to hold our reading and writing of forms against. Where it is missing the tests are skipped."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_SCRIPT = """
while (($line = fgets(STDIN)) !== false) {
    parse_str(base64_decode($line), $form);
    echo json_encode($form, JSON_INVALID_UTF8_SUBSTITUTE), "\\t",
         json_encode($form, JSON_INVALID_UTF8_SUBSTITUTE | JSON_FORCE_OBJECT), "\\n";
}
"""


class Php:
    """One process that decodes a form body per line, so that hundreds of them take a moment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def decoded(self, body: str) -> Any:
        """As Kartra's code sees it: lists where the keys run 0..n-1, else maps."""
        return json.loads(self._asked(body)[0])

    def maps(self, body: str) -> dict[str, Any]:
        """The same with every array as a map, in PHP's own order of keys."""
        form: dict[str, Any] = json.loads(self._asked(body)[1])
        return form

    def _asked(self, body: str) -> list[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(body.encode()).decode() + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().split("\t")


@contextmanager
def php_process() -> Iterator[Php]:
    program = shutil.which("php")
    if program is None:
        pytest.skip("needs PHP: apt-get install php-cli")
    with subprocess.Popen(
        [program, "-n", "-d", "display_errors=0", "-r", _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield Php(process)
        process.stdin.close()  # type: ignore[union-attr]
