"""A YAML file with the place of each value, so that an error can say where it is."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from connectors.errors import ConfigError
from pipelines.config.variables import with_variables
from pipelines.words.nearest import nearest

SECRETS = ("app_id", "api_key", "api_password")
SECRET_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-)?\}")
URL_WITH_PASSWORD = re.compile(
    r"^(?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]*://(?:[^/\s:@]*:(?!\$\{)[^@/\s]+@|\S*[?&](?:password|passwd|pwd|sslpassword)=(?!\$\{).)"
)
"""A URL as it stands in the file, with a password that is no variable."""
Where = tuple[str | int, ...]
"""The keys and places that lead to a node."""
SYNTAX = (
    (r"'\\t' that cannot start", "a tab stands here; indent with spaces"),
    (r"that cannot start any token", "a value cannot begin with this character; put it in quotes"),
    (
        r"mapping values are not allowed",
        "no colon is expected here: either the line above lacks its colon or has another indentation, "
        "or a value with a colon needs quotes",
    ),
    (r"simple key.*could not find expected ':'", "a colon is missing after the key"),
    (r"quoted scalar.*end of stream", "this quote is never closed"),
    (r"unknown escape", "unknown escape; in single quotes a backslash is itself"),
    (r"flow (mapping|sequence).*end of stream|stream end", "this bracket is never closed"),
    (
        r"flow (mapping|sequence).*expected ','",
        "a comma or the closing bracket is missing here; text with ? or : in it needs quotes",
    ),
    (r"block (mapping|collection).*scalar>", "text after a closed quote; put the whole value in quotes"),
    (r"expected <block end>", "the indentation does not fit the lines above"),
    (r"undefined alias", "no anchor has this name; a value that begins with * needs quotes"),
    (r"duplicate anchor", "this anchor stands twice"),
    (r"another document", "a second document begins here; a file holds one pipeline"),
)
"""PyYAML's context and problem, and what we say instead; PyYAML's own words may quote the file."""
AT_THE_BEGINNING = (
    "a colon is missing after the key",
    "this quote is never closed",
    "this bracket is never closed",
)


@dataclass(frozen=True, slots=True)
class Fault:
    line: int
    column: int
    where: Where
    text: str

    def __str__(self) -> str:
        label = ""
        for step in self.where:
            name = "".join(letter if letter.isprintable() else "?" for letter in str(step))
            label += f"[{step}]" if isinstance(step, int) else f".{name}"
        label = f"{label.removeprefix('.')}: " if label else ""
        return f"{self.line}:{self.column}: {label}{self.text}"


class Document:
    """One pipeline file as dicts, lists, text and None, with the position of every key and value.

    `faults` are those that the text itself has; checking the data is for others, who skip what is `settled`.
    """

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self.settled: set[Where] = set()
        self.secret_variables: dict[Where, str] = {}
        self._variables = variables
        self._keys: dict[Where, yaml.Mark] = {}
        self._values: dict[Where, yaml.Mark] = {}
        self._open: list[yaml.Node] = []
        root = _compose(path)
        if not isinstance(root, yaml.MappingNode):
            raise config_error(
                path, [Fault(1, 1, (), "a map with pipeline, kartra and load or pull is expected")]
            )
        self.data: dict[str, object] = self._mapping(root, ())

    def known(self, where: Where) -> Where:
        """The longest beginning of `where` that stands in the file."""
        while where not in self._values:
            where = where[:-1]
        return where

    def fault(self, where: Where, text: str, *, at_key: bool = False) -> Fault:
        found = self.known(where)
        mark = self._values[found]
        if at_key:
            mark = self._keys.get(found, mark)
        return _fault_at(mark, where, text)

    def _report(self, where: Where, text: str) -> None:
        self.faults.append(self.fault(where, text))
        self.settled.add(where)

    def _value(self, node: yaml.Node, where: Where) -> object:
        self._values[where] = node.start_mark
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._report(where, "tags that begin with ! mean nothing here; text needs quotes")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if node in self._open:
            self._report(where, "this alias contains itself")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        self._open.append(node)
        values = [self._value(child, (*where, place)) for place, child in enumerate(node.value)]
        self._open.pop()
        return values

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, object]:
        self._values[where] = node.start_mark
        self._open.append(node)
        pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in self._pairs(node, where):
            first, _ = pairs.setdefault(key.value, (key, value))
            if first is not key:
                text = f"this key stands twice, first on line {first.start_mark.line + 1}"
                self.faults.append(_fault_at(key.start_mark, (*where, key.value), text))
        for base in self._merged(node, where):
            for key, value in self._pairs(base, where):
                pairs.setdefault(key.value, (key, value))
        data = {}
        for name, (key, value) in pairs.items():
            self._keys[*where, name] = key.start_mark
            data[name] = self._value(value, (*where, name))
        self._open.pop()
        return data

    def _pairs(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, value in node.value:
            if _is_merge(key):
                continue
            text = key.value if isinstance(key, yaml.ScalarNode) else ""
            name, colon, _ = text.partition(":")
            if not text:
                self.faults.append(_fault_at(key.start_mark, where, "a key is expected here"))
            elif "${" in text:
                self.faults.append(_fault_at(key.start_mark, where, "a key cannot contain a variable"))
            elif colon and key.style is None and _is_none(value):  # {app_id:abc}: the rest may be a secret
                text = "a space is missing after the colon"
                self.faults.append(_fault_at(key.start_mark, (*where, name), text))
                self.settled.add((*where, name))
            else:
                yield key, value

    def _merged(
        self, node: yaml.MappingNode, where: Where, merging: tuple[yaml.Node, ...] = ()
    ) -> Iterator[yaml.MappingNode]:
        for key, value in node.value:
            if not _is_merge(key):
                continue
            for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(base, yaml.MappingNode) and base not in (*self._open, *merging):
                    yield from (base, *self._merged(base, where, (*merging, base)))
                else:
                    self.faults.append(_fault_at(base.start_mark, where, "<< takes the alias of another map"))

    # Scalars

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> str | None:
        if _is_none(node):
            return None
        if where[:-1] == ("kartra",) and where[-1] in SECRETS:
            return self._secret(node, where)
        if where[0] != "kartra" and URL_WITH_PASSWORD.search(node.value):
            self._report(
                where, "a password must not stand in the file; write the URL, or the password, as ${NAME}"
            )
            return None
        text = with_variables(node.value, lambda match: self._substitute(match, where))
        return text if text or node.style is not None else None

    def _secret(self, node: yaml.ScalarNode, where: Where) -> str | None:
        match = SECRET_VARIABLE.fullmatch(node.value)
        if not match:
            hint = f"${{KARTRA_{str(where[-1]).upper()}}}"
            self._report(where, f"a secret must not stand in the file; write {hint}")
            return None
        self.secret_variables[where] = match[1]
        return self._variables.get(match[1]) or None

    def _substitute(self, match: re.Match[str], where: Where) -> str:
        if match["literal"]:
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            self._report(where, "not a variable: write ${NAME} or ${NAME:-default}, and $${ for a literal ${")
            return match[0]
        value = self._variables.get(name)
        if default is not None:
            return value or default
        if value is None:
            self._report(where, not_set(name))
            return match[0]
        return value


def _is_none(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _is_merge(key: yaml.Node) -> bool:
    return key.tag == "tag:yaml.org,2002:merge"


def not_set(name: str) -> str:
    return f"{name} is not set, neither in the environment nor in a .env beside this file"


def _fault_at(mark: yaml.Mark, where: Where, text: str) -> Fault:
    return Fault(mark.line + 1, mark.column + 1, where, text)


def config_error(path: Path, faults: Iterable[Fault]) -> ConfigError:
    ordered = sorted(set(faults), key=lambda fault: (fault.line, fault.column, str(fault)))
    return ConfigError("\n".join(f"{shown_path(path)}:{fault}" for fault in ordered))


def shown_path(path: Path) -> str:
    here = path.absolute()
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


def _compose(path: Path) -> yaml.Node | None:
    text = _text_of(path)
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise config_error(path, [Fault(line, column, (), "a control character stands here")]) from None
    except yaml.MarkedYAMLError as error:
        raise config_error(path, [_syntax_fault(error, text)]) from None
    except RecursionError:
        raise config_error(path, [Fault(1, 1, (), "nested too deeply")]) from None


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Fault:
    problem = f"{error.context} {error.problem}"
    words = next((ours for theirs, ours in SYNTAX if re.search(theirs, problem)), "this is not valid YAML")
    mark = error.problem_mark
    if words in AT_THE_BEGINNING or mark is None:
        mark = error.context_mark or mark
    if mark is None:
        return Fault(1, 1, (), words)
    if text[mark.index - 1 : mark.index + 1] == "${":
        words = "inside { } and [ ] a variable needs quotes"
    return _fault_at(mark, (), words)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown_path(path)}:{line}: not UTF-8; save the file as UTF-8") from None
    except FileNotFoundError:
        raise ConfigError(f"{shown_path(path)}: no such file{_hint(path.parent, path.name)}") from None
    except OSError as error:
        if path.is_dir():
            raise ConfigError(f"{shown_path(path)}: a folder, not a pipeline file{_hint(path, '')}") from None
        raise ConfigError(f"{shown_path(path)}: cannot be read: {error.strerror}") from error


def _hint(folder: Path, name: str) -> str:
    names = sorted(file.name for file in folder.glob("*.y*ml"))
    near = nearest(name, names)
    if near:
        return f'; did you mean "{near}"?'
    return f"; the folder has {', '.join(names)}" if names else ""
