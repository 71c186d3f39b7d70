"""A YAML file with the position of each value, so that an error can name line and column."""

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import yaml

from pipelines.config.dotenv import Variables
from pipelines.config.secrets import UnreadableSecretError
from pipelines.config.variables import with_variables
from pipelines.config.yaml_text import (
    MAX_NODES,
    TOO_MANY,
    Fault,
    Where,
    compose,
    config_error,
    fault_at,
)

SECRETS = ("app_id", "api_key", "api_password")
ACCOUNT_URL = "KARTRA_URL"
"""The variable that says where calls are sent, in a file that says nothing of the account."""
ADDRESSES_WITH_SECRETS = (("notify", "to"), ("notify", "ping"), ("metrics", "otlp"))
SECRET_VARIABLE = re.compile(
    r"\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-)?|(?P<kind>file|keyring):(?P<place>[^${}]+))\}"
)
URL_WITH_PASSWORD = re.compile(
    r"^(?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]*://(?:[^/\s:@]*:(?!\$\{)[^@/\s]+@|\S*[?&](?:password|passwd|pwd|sslpassword)=(?!\$\{).)"
)
"""A URL with a password written out instead of a variable."""


def is_secret_of_pipeline(where: Where) -> bool:
    return where[:-1] == ("kartra",) and where[-1] in SECRETS


class Document:
    """One file as dicts, lists, text and None, with the position of every key and value.

    `faults` are those of the text itself. Whoever checks the data skips the places in `settled`.
    """

    def __init__(
        self,
        path: Path,
        variables: Variables,
        *,
        decided: Collection[Where] = (),
        is_secret: Callable[[Where], bool] = is_secret_of_pipeline,
        secrets_as_written: bool = False,
        only: Collection[str] | None = None,
        expected: str = "a map with pipeline, kartra and load or pull is expected",
    ) -> None:
        """Places in `decided` are left out, whatever the file says there: somebody else says what counts.

        `secrets_as_written`: a secret stays the reference to it, for it may not be needed. `only`: see
        `compose`.
        """
        self.faults: list[Fault] = []
        self.settled: set[Where] = set()
        self.secret_variables: dict[Where, str] = {}
        self.secrets: set[str] = set()
        """The values of secrets that were found."""
        self.has_keyring = False
        """Whether one of them is kept in the keyring."""
        self.variables_used: dict[Where, list[str]] = {}
        """The variables that each value is made from, without those of `secret_variables`."""
        self._path = path
        self._visited = 0
        self._variables = variables
        self._decided, self._is_secret = frozenset(decided), is_secret
        self._secrets_as_written = secrets_as_written
        self._keys: dict[Where, yaml.Mark] = {}
        self._values: dict[Where, yaml.Mark] = {}
        self._open: list[yaml.Node] = []
        root = compose(path, only)
        if not isinstance(root, yaml.MappingNode):
            raise config_error(path, [Fault(1, 1, (), expected)])
        self.data: dict[str, object] = self._mapping(root, ())

    def account(self) -> dict[str, object]:
        """What `kartra` is where the file does not say: the account that the environment names."""
        names = {key: f"KARTRA_{key.upper()}" for key in SECRETS}
        self.secret_variables |= {("kartra", key): name for key, name in names.items()}
        found: dict[str, object] = {key: self._found(name, key) for key, name in names.items()}
        if url := self._found(ACCOUNT_URL, "url"):
            self.variables_used["kartra", "url"] = [ACCOUNT_URL]
            found["url"] = url
        return found

    def _found(self, name: str, key: str) -> str | None:
        try:
            value = self._variables.get(name) or None
        except UnreadableSecretError as error:
            self._report(("kartra", key), str(error))
            return None
        if value and key in SECRETS:
            self.secrets.add(value)
        return value

    def known(self, where: Where) -> Where:
        """The longest prefix of `where` that is in the file."""
        while where not in self._values:
            where = where[:-1]
        return where

    def fault(self, where: Where, text: str, *, at_key: bool = False) -> Fault:
        found = self.known(where)
        mark = self._values[found]
        if at_key:
            mark = self._keys.get(found, mark)
        return fault_at(mark, where, text)

    def _report(self, where: Where, text: str) -> None:
        self.faults.append(self.fault(where, text))
        self.settled.add(where)

    def _value(self, node: yaml.Node, where: Where) -> object:
        self._values[where] = node.start_mark
        self._count(node)
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
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

    def _count(self, node: yaml.Node) -> None:
        """Counts a node each time an alias repeats it. Raises ConfigError."""
        self._visited += 1
        if self._visited > MAX_NODES:
            raise config_error(self._path, [fault_at(node.start_mark, (), TOO_MANY)])

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, object]:
        self._values[where] = node.start_mark
        self._open.append(node)
        pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in self._pairs(node, where):
            first, _ = pairs.setdefault(key.value, (key, value))
            if first is not key:
                text = f"this key stands twice, first on line {first.start_mark.line + 1}"
                self.faults.append(fault_at(key.start_mark, (*where, key.value), text))
        # << comes last: a key of the map itself goes before one of a merged map.
        for base in self._merged(node, where):
            self._count(base)
            for key, value in self._pairs(base, where):
                pairs.setdefault(key.value, (key, value))
        data = {}
        for name, (key, value) in pairs.items():
            self._keys[*where, name] = key.start_mark
            if (*where, name) in self._decided:
                self._values[*where, name] = value.start_mark
                continue
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
                self.faults.append(fault_at(key.start_mark, where, "a key is expected here"))
            elif "${" in text:
                self.faults.append(fault_at(key.start_mark, where, "a key cannot contain a variable"))
            # In {app_id:abc} the whole is one key, and what follows the colon may be a secret: only the name
            # is shown.
            elif colon and key.style is None and _is_none(value):
                text = "a space is missing after the colon"
                self.faults.append(fault_at(key.start_mark, (*where, name), text))
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
                    self.faults.append(fault_at(base.start_mark, where, "<< takes the alias of another map"))

    # Scalars

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> str | None:
        if _is_none(node):
            return None
        if self._is_secret(where):
            return self._secret(node, where)
        if where[0] != "kartra" and URL_WITH_PASSWORD.search(node.value):
            self._report(
                where, "a password must not stand in the file; write the URL, or the password, as ${NAME}"
            )
            return None
        if where[:2] in ADDRESSES_WITH_SECRETS and "${" not in node.value:
            self._report(
                where, "such an address holds a secret, which must not stand in the file; write ${NAME}"
            )
            return None
        text = with_variables(node.value, lambda match: self._substitute(match, where))
        return text if text or node.style is not None else None

    def _secret(self, node: yaml.ScalarNode, where: Where) -> str | None:
        text = str(node.value)
        match = SECRET_VARIABLE.fullmatch(text)
        if self._secrets_as_written:
            if "${" not in text or URL_WITH_PASSWORD.search(text):
                self._report(where, _no_secret(where))
            return text
        if not match:
            self._report(where, _no_secret(where))
            return None
        try:
            if match["kind"]:
                self.has_keyring = self.has_keyring or match["kind"] == "keyring"
                value: str | None = self._variables.kept(match["kind"], match["place"])
            else:
                self.secret_variables[where] = match["name"]
                value = self._variables.get(match["name"])
        except UnreadableSecretError as error:
            self._report(where, str(error))
            return None
        self.secrets.add(value or "")
        return value or None

    def _substitute(self, match: re.Match[str], where: Where) -> str:
        if match["literal"]:
            return "${"
        name, default = match["name"], match["default"]
        try:
            if match["kind"]:
                return self._variables.kept(match["kind"], match["place"])
            value = self._variables.get(name) if name else None
        except UnreadableSecretError as error:
            self._report(where, str(error))
            return match[0]
        if name is None:
            self._report(where, "not a variable: write ${NAME} or ${NAME:-default}, and $${ for a literal ${")
            return match[0]
        if value:
            self.variables_used.setdefault(where, []).append(name)
        if default is not None:
            return value or default
        if value is None:
            self._report(where, self._variables.not_set(name))
            return match[0]
        return value


def _no_secret(where: Where) -> str:
    return f"a secret must not stand in the file; write ${{KARTRA_{str(where[-1]).upper()}}}"


def _is_none(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _is_merge(key: yaml.Node) -> bool:
    return key.tag == "tag:yaml.org,2002:merge"
