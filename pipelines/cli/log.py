"""The log on stderr: lines for people, or an object of JSON a line for machines."""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from pipelines.run_context import current_run

LogFormat = Literal["text", "json"]
ROOT = "kartra_sync"
RUNS = "kartra_sync.runs"
"""Begin and end of each run: with JSON they are always there."""
PROGRESS = "kartra_sync.progress"
"""A line a minute where there is no terminal, in either format."""
# Anything else on a record came in through `extra`.
_OWN = frozenset(logging.makeLogRecord({}).__dict__)


class JsonLines(logging.Formatter):
    """`at`, `level`, `logger`, `message`, the run where there is one, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        run = current_run()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"pipeline": run.pipeline, "run_id": run.run_id} if run else {}),
            **{name: value for name, value in record.__dict__.items() if name not in _OWN},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def start_log(verbose: int, log_format: LogFormat = "text") -> None:
    """Warnings; with 1 information too, with 2 everything."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    as_json = log_format == "json"
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    logging.getLogger(PROGRESS).setLevel(logging.INFO)
    logging.getLogger(RUNS).setLevel(logging.INFO if as_json else logging.NOTSET)


def asked_for_json(words: Sequence[str]) -> bool:
    return "--log-format=json" in words or ("--log-format", "json") in pairwise(words)


def is_json() -> bool:
    """Whether stderr is for machines, so that nothing but objects may stand there."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger(ROOT).handlers)
