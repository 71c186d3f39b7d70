"""Whatever can change what a record maps to is in the fingerprint, or has a reason why it need not be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.contacts.fingerprint import MAPPING_ROOMS, mapping_modules
from pipelines.shipped import ROOT

HARMLESS = {
    ("connectors.errors", "ConfigError"): "it stops everything",
    ("connectors.errors", "Lines"): "how a fault is written",
    ("connectors.sources.files.url_kinds", "fault_of_url"): "it stops everything",
    ("connectors.unseen", "MARKS"): "hashed with the rooms",
    ("connectors.errors", "lines_of"): "how a fault is written",
    ("connectors.unseen", "SOFT"): "hashed with the rooms",
    ("connectors.unseen", "without_unseen"): "hashed with the rooms",
    ("connectors.kartra", "commands"): "calls, which are made of a change and not of a record",
    ("connectors.kartra.clock", "zone_of"): "the zone of a pull",
    ("connectors.kartra.commands", "Action"): "a call",
    ("connectors.kartra.commands", "CHOICE_TYPES"): "what a custom field is created as",
    ("connectors.kartra.commands", "CustomFieldType"): "what a custom field is created as",
    ("connectors.kartra.commands", "InventoryName"): "what an account lists",
    ("connectors.kartra.commands", "LEAD_FIELDS"): "names of fields: those of the load section are hashed",
    ("connectors.kartra.profile", "LeadProfile"): "what Kartra has of a lead",
    ("connectors.kartra.wire", "Credentials"): "the account's",
    ("connectors.privacy", "mask_text"): "what is told of a record that maps to no lead",
    ("connectors.sources", "BadRow"): "it maps to no lead",
    ("connectors.sources", "Chunk"): "the record itself, whose cells are hashed",
    ("connectors.sources.names", "column_name"): "names of columns, which are hashed",
    ("connectors.sources.names", "unique_names"): "names of columns, which are hashed",
}
"""What the mapping's rooms import of connectors, and why another version of it changes no mapped lead."""


def imported(modules: Iterator[Path], package: str) -> set[tuple[str, str]]:
    """(module, name) of what they import of a package, wherever in them that is said."""
    found = set()
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
                found |= {(node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {(one.name, "") for one in node.names if one.name.split(".")[0] == package}
    return found


def of_mapping() -> Iterator[Path]:
    """The modules that take part in a mapping: those of contacts, and what they import of ours."""
    left = sorted((ROOT / "pipelines" / "contacts").rglob("*.py"))
    seen = set(left)
    while left:
        path = left.pop()
        yield path
        for module, name in imported(iter([path]), "pipelines"):
            for dotted in (module, f"{module}.{name}"):
                file = ROOT.joinpath(*dotted.split(".")).with_suffix(".py")
                if file.is_file() and file not in seen:
                    seen.add(file)
                    left.append(file)


def test_what_the_mapping_imports_of_ours_is_hashed() -> None:
    hashed = set(mapping_modules())
    used = set(of_mapping())
    assert {path.relative_to(ROOT).parts[1] for path in used} == set(MAPPING_ROOMS)
    assert used <= hashed


def test_what_the_mapping_imports_of_connectors_changes_no_mapped_lead() -> None:
    assert imported(of_mapping(), "connectors") <= HARMLESS.keys()


@pytest.mark.parametrize("room", MAPPING_ROOMS)
def test_no_room_of_the_fingerprint_is_empty(room: str) -> None:
    assert [path for path in mapping_modules() if room in path.parts]
