"""A source as the arguments of `init` and `inspect` name it, and how a pipeline file has it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from glob import escape
from pathlib import Path

from pydantic import ValidationError

from connectors.databases.urls import is_database_url
from connectors.errors import ConfigError
from connectors.sources import Source
from connectors.sources.database.named_table import is_statement, table_names, table_statement
from connectors.sources.files.archives import member_names
from connectors.sources.kinds import KIND_BY_SUFFIX
from pipelines.config.document import URL_WITH_PASSWORD
from pipelines.config.sources import SOURCE_OPTIONS, SourceConfig, SqlOptions
from pipelines.config.variables import with_variables
from pipelines.extract.sources import open_source, words_shown

_DATABASES = frozenset((".db", ".sqlite", ".sqlite3", ".db3"))
_OPTED_OUT = ("unsubscribed", "cleaned")
_YAML_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file; `member` chooses among the files of an archive, `sheet` among those of a workbook."""

    path: Path
    kind: str
    member: str | None = None
    sheet: str | None = None

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> Source:
        """Raises SourceError."""
        options = {"path": self.path, **self._choices()}
        with words_shown():
            return open_source(
                SourceConfig(kind=self.kind, options=SOURCE_OPTIONS[self.kind].model_validate(options))
            )

    def written(self, folder: Path) -> str:
        """The body of the map that a pipeline file in `folder` has for it."""
        place = yaml_scalar(_seen_from(folder, self.path))
        choices = "".join(f", {name}: {yaml_scalar(value)}" for name, value in self._choices().items())
        return f"{self.kind}: {{path: {place}{choices}}}" if choices else f"{self.kind}: {place}"

    def _choices(self) -> dict[str, str]:
        given = {"member": self.member, "sheet": self.sheet}
        return {name: value for name, value in given.items() if value is not None}

    def members(self) -> list["NamedFile"]:
        """Each file of an archive by itself; of anything else the file."""
        if self.path.suffix.lower() != ".zip" or not self.path.is_file():
            return [self]
        names = dict.fromkeys(Path(name).name for name in member_names(self.path))
        # `member:` is a pattern, and a name may hold brackets or stars of its own.
        return [replace(self, member=escape(name)) for name in names] if len(names) > 1 else [self]

    def opted_out(self) -> list["NamedFile"]:
        """The files of Mailchimp's export with those who must not be mailed: in its archive, or unpacked."""
        if self.member is not None:
            names = member_names(self.path)
            return [replace(self, member=f"{word}*") for word in _OPTED_OUT if _has_member(names, word)]
        if not self.path.name.startswith("subscribed"):
            return []
        beside = (self.path.with_name(f"{word}*{self.path.suffix}") for word in _OPTED_OUT)
        return [replace(self, path=path) for path in beside if any(path.parent.glob(path.name))]


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query of a database. `url` may be that of a variable, `shown_url` is how it is written."""

    url: str
    shown_url: str
    query: str | Path
    name: str

    @property
    def place(self) -> str | Path:
        """The database, as a source takes it. Raises ConfigError."""
        return self._options().url

    def open(self) -> Source:
        """Raises ConfigError, SourceError."""
        return open_source(SourceConfig(kind="sql", options=self._options()))

    def _options(self) -> SqlOptions:
        try:
            return SqlOptions.model_validate({"url": self.url, "query": str(self.query)})
        except ValidationError as error:
            raise ConfigError(f"{self.shown_url}: {error.errors()[0]['msg']}") from None

    def written(self, folder: Path) -> str:
        query = self.query if isinstance(self.query, str) else _seen_from(folder, self.query)
        return f"sql: {{url: {json.dumps(self.shown_url, ensure_ascii=False)}, query: {yaml_scalar(query)}}}"


NamedSource = NamedFile | NamedQuery


def named_source(
    place: str, query: str | None, environ: Mapping[str, str], *, sheet: str | None = None
) -> NamedSource:
    """Raises ConfigError for what cannot be one."""
    if query is None:
        path = Path(place)
        if is_database_url(place) or "${" in place or path.suffix.lower() in _DATABASES:
            _refuse_no_query(place, environ)
        if path.is_dir():
            path = _files_of(path)
        kind = _kind(path)
        if sheet is not None and "sheet" not in SOURCE_OPTIONS[kind].model_fields:
            raise ConfigError(f"--sheet: {path.name} is not a workbook")
        is_mailchimps = path.suffix.lower() == ".zip" and _has_member(member_names(path), "subscribed")
        return NamedFile(path, kind, "subscribed*" if is_mailchimps else None, sheet)
    url, shown = _database(place, environ)
    query = query.strip()
    if re.fullmatch(r"\S+\.sql", query):
        return NamedQuery(url, shown, Path(query).absolute(), Path(query).stem)
    if is_statement(query):
        return NamedQuery(url, shown, query, "contacts")
    statement = table_statement(NamedQuery(url, shown, query, query).place, query)
    return NamedQuery(url, shown, statement, query)


def _files_of(folder: Path) -> Path:
    """The files of a folder, as one path or a glob. Raises ConfigError where they are of several kinds."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in KIND_BY_SUFFIX)
    if subscribed := [file for file in files if file.name.startswith("subscribed")]:
        files = subscribed
    suffixes = sorted({file.suffix for file in files})
    if not files:
        raise ConfigError(
            f"{folder}: a folder without a file that ends in one of {', '.join(KIND_BY_SUFFIX)}"
        )
    if len(suffixes) > 1:
        raise ConfigError(
            f"{folder}: a folder with files of several kinds, {', '.join(suffixes)}; name one file"
        )
    name = "subscribed*" if subscribed else "*"
    return files[0] if len(files) == 1 else folder / f"{name}{suffixes[0]}"


def _refuse_no_query(place: str, environ: Mapping[str, str]) -> None:
    url, shown = _database(place, environ)
    found = table_names(NamedQuery(url, shown, "SELECT 1", "").place)
    raise ConfigError(f"{shown} is a database: name a table with --query; it has {found}")


def pipeline_name(source: NamedSource, file: Path | None = None) -> str:
    """Of the file that it is written to, or of the source."""
    if file is not None:
        first = file.stem
    else:
        first = source.name.partition(".")[0] if isinstance(source, NamedFile) else source.name
    return re.sub(r"[^a-z0-9_-]+", "_", first.lower()).strip("_")[:64] or "contacts"


def yaml_scalar(text: str) -> str:
    """A scalar that YAML and the variables of a pipeline leave alone."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*", text):
        return text if text.lower() not in _YAML_WORDS else json.dumps(text)
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def _database(place: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The URL, and how it may be written down."""
    if "${" in place:
        return with_variables(place, partial(_variable, environ)), place
    if URL_WITH_PASSWORD.match(place):
        raise ConfigError(
            "the URL holds a password, which must not stand in a pipeline file: put it in a variable of the"
            " environment and name that, as '${CRM_URL}'"
        )
    url = place if "://" in place else f"sqlite:///{place}"
    return url, url


def _variable(environ: Mapping[str, str], match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return match[0]
    if not (value := environ.get(name) or match["default"]):
        raise ConfigError(f"{name} is not set in the environment")
    return value


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = KIND_BY_SUFFIX.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise ConfigError(
            f"{path.name}: name a file that ends in one of {', '.join(KIND_BY_SUFFIX)}, or a database with"
            " --query"
        )
    return kind


def _has_member(names: list[str], word: str) -> bool:
    return any(Path(name).name.startswith(word) for name in names)


def _seen_from(folder: Path, path: Path) -> str:
    try:
        return str(path.absolute().relative_to(folder.absolute()))
    except ValueError:
        return str(path.absolute())
