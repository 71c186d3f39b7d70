"""The verb `support`: what somebody has to know who helps from afar, and nothing of people or credentials.

Only what is known to be harmless is let through: numbers, the words of this program and of Kartra. Of the
configuration that is its shape; of a message of a run the words that this program itself has for messages.
"""

import ast
import json
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from os import environ
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

import connectors
import pipelines
from connectors.errors import ConfigError
from connectors.kartra.commands import LEAD_FIELDS
from connectors.kartra.transport import KARTRA_URL
from pipelines.calls.examined import behaviour_of
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.schema import json_schema
from pipelines.config.sources import SOURCE_OPTIONS
from pipelines.private_file import create_private
from pipelines.state.copying import row_counts
from pipelines.state.place import is_there
from pipelines.state.runs import Run
from pipelines.state.store import Store
from pipelines.verbs.identity import find
from pipelines.verbs.reading import store_of

FORM = 1
RUNS = 20
_VARIABLES = (
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("KARTRA_SYNC_PACING", "TMPDIR", "SQLITE_TMPDIR", "XDG_STATE_HOME", "LANG", "TZ"),
)
_WORD = re.compile(r"[A-Za-z]+")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*@[^()]*\)")
_SECTIONS = ("rows", "leads", "actions", "calls", "pulled", "refusals")


def of_program(problem: str = "") -> dict[str, Any]:
    """What is known where the pipeline file cannot be read: `problem` says why."""
    return {
        "support": "kartra-sync",
        "form": FORM,
        "program": _version("kartra-sync"),
        "machine": _machine(),
        "libraries": _libraries(),
        # Names only: the address of a proxy may contain a password.
        "environment": sorted(name for name in _VARIABLES if environ.get(name)),
        **({"problem": redacted(problem)} if problem else {}),
    }


def of_pipeline(config: PipelineConfig) -> dict[str, Any]:
    """What is known of a pipeline. Nothing is asked of Kartra, and nothing is written."""
    with store_of(config) as store:
        return {
            **of_program(),
            "configuration": _shape(config, _vocabulary()),
            "state": _state(config, store),
            "runs": [_run(run) for run in store.runs.last(config.pipeline, RUNS)],
            "doctor": _doctor(config, store),
        }


def write_support(path: Path, said: Mapping[str, Any]) -> int:
    """A new file, for its owner alone; gives its size. Raises ConfigError."""
    text = json.dumps(said, indent=1) + "\n"
    try:
        with create_private(path) as handle:
            handle.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: is there already, and nothing is overwritten") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return len(text)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def _machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": _numbers(platform.release()),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
    }


def _numbers(release: str) -> str:
    """The beginning of a release that is numbers: what follows is anybody's to name."""
    found = re.match(r"[0-9.]*", release)
    return found[0].strip(".") if found else ""


def _libraries() -> dict[str, str]:
    """The versions of what this program asks for, and of nothing else that is installed here."""
    try:
        needed = {
            re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower().replace("_", "-")
            for one in distributions(name="kartra-sync")
            for line in one.requires or ()
        }
    except PackageNotFoundError:
        return {}
    return {name: found for name in sorted(needed) if (found := _version(name)) != "?"}


# --- the configuration as a shape


def _shape(value: Any, known: frozenset[str]) -> Any:
    """A value without what people wrote: numbers and choices stay, texts say that they are texts."""
    if isinstance(value, BaseModel):
        return {name: _shape(inner, known) for name, inner in value if name not in ("path", "url")} | (
            {"url": _where(getattr(value, "url", None))} if "url" in type(value).model_fields else {}
        )
    if isinstance(value, Mapping):
        named = {str(name): _shape(inner, known) for name, inner in value.items() if name in _NAMES}
        # Without their keys, which somebody made up: columns of a source, or custom fields.
        others = [_shape(inner, known) for name, inner in value.items() if name not in _NAMES]
        return named | ({"others": others} if others else {})
    if isinstance(value, tuple | list | set | frozenset):
        return [_shape(inner, known) for inner in value]
    return _plain(value, known)


_NAMES = frozenset({"email", *LEAD_FIELDS})


def _plain(value: Any, known: frozenset[str]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(one, known) for name, one in inner.items()}
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else "empty"
    if isinstance(value, Path):
        return f"a file{value.suffix if value.suffix.lower() in _SUFFIXES else ''}"
    if isinstance(value, str):
        return value if value in known else "a text" if value else ""
    return f"a {type(value).__name__}"


_SUFFIXES = frozenset(
    {".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods", ".parquet", ".jsonl", ".json", ".sql", ".db"}
    | {".sqlite", ".yaml", ".yml", ".py", ".prom", ".gz", ".zip"}
)


def _where(url: object) -> str:
    if url == KARTRA_URL:
        return "Kartra"
    text = str(url or "")
    is_here = re.match(r"http://(127\.|localhost|\[::1\])", text)
    return "this machine" if is_here else "none" if not text else "another"


@cache
def _vocabulary() -> frozenset[str]:
    """The words that a pipeline file may choose from, by its schema."""
    return frozenset({*_choices(json_schema()), *SOURCE_OPTIONS, "auto"})


def _choices(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, inner in schema.items():
            if name == "enum" and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, str))
            elif name == "const" and isinstance(inner, str):
                yield inner
            else:
                yield from _choices(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _choices(inner)


# --- the state and its runs


def _state(config: PipelineConfig, store: Store) -> dict[str, Any]:
    state = config.state
    return {
        "kind": "a file" if isinstance(state, Path) else "a server",
        "exists": is_there(state),
        "bytes": state.stat().st_size if isinstance(state, Path) and state.exists() else 0,
        "schema": store.database.version,
        "tables": row_counts(store.database),
    }


def _run(run: Run) -> dict[str, Any]:
    summary: Mapping[str, Any] = json.loads(run.summary) if run.summary else {}
    return {
        "mode": run.mode,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "status": run.status,
        "message": redacted(run.message or ""),
        "notes": [redacted(str(note)) for note in summary.get("notes", ())],
        "seconds": summary.get("seconds"),
        **{name: _counts(summary[name]) for name in _SECTIONS if isinstance(summary.get(name), Mapping)},
    }


def _counts(section: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a section, by the names that this program has for them."""
    known = _own_words()
    return {
        name: value
        for name, value in section.items()
        if isinstance(value, int | float) and set(name.lower().split("_")) <= known
    }


def redacted(message: str) -> str:
    """A message without what stood in it of a person, a file or an account.

    What is quoted goes, then every word that no message of this program has, and every long number.
    """
    known = _own_words()
    words = []
    for word in _QUOTED.sub("*", message).split():
        bare = word.strip(".,:;!?()[]…")
        is_ours = all(part.lower() in known for part in _WORD.findall(bare))
        is_plain = not re.search(r"[@/\\~=%<>]|\d{5,}", bare) and len(bare) <= 30
        words.append(word if is_ours and is_plain and bare.isascii() else "*")
    return re.sub(r"\*( \*)+", "*", " ".join(words))


@cache
def _own_words() -> frozenset[str]:
    """The words of this program's own messages, from its source: docstrings and examples are none."""
    words: set[str] = set()
    for package in (connectors, pipelines):
        folder = Path(str(package.__file__)).parent
        for file in folder.rglob("*.py"):
            words.update(_words_of(file))
    return frozenset(words)


def _words_of(file: Path) -> Iterator[str]:
    """Of the sentences in calls, errors and results: a table of names of people or countries is none."""
    outside: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while outside:
        node = outside.pop()
        if not isinstance(node, ast.Raise | ast.Return | ast.Yield | ast.Call):
            outside.extend(ast.iter_child_nodes(node))
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and " " in inner.value:
                yield from (word.lower() for word in _WORD.findall(inner.value))


def _doctor(config: PipelineConfig, store: Store) -> dict[str, Any] | None:
    if not config.kartra.api_key:  # by which the account is known
        return None
    account = find(config, store, ask=False).account
    examined, behaviour = store.examinations.of(account), behaviour_of(store, account)
    if behaviour is None or examined is None:
        return None
    return {"found_at": examined.found_at, "found": json.loads(behaviour.to_json())}
