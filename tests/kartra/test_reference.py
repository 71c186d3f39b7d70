"""What code and tests cite of Kartra's interface stands in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "connectors" / "kartra" / "reference.md"
CITED = re.compile(r"§+ ?(\d+(?:\.\d+)*)((?:(?:,| and) (?:§)?\d+(?:\.\d+)*)*)")
ANOTHER_DOCUMENT = re.compile(r"\bdesign §|API reference|kartra-api|§ ?[A-Z]", re.IGNORECASE)


def texts() -> Iterator[tuple[str, str]]:
    for folder in ("connectors", "pipelines", "tests", "sql", "configs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".sql", ".md", ".yaml") and path.name != Path(__file__).name:
                yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    yield "README.md", (ROOT / "README.md").read_text("utf-8")


def sections() -> set[str]:
    """Headings, and the numbered rules of §4 and §10."""
    return set(re.findall(r"^(?:#+ |\*\*)(\d+(?:\.\d+)*)", REFERENCE.read_text("utf-8"), re.MULTILINE))


def cited() -> set[tuple[str, str]]:
    return {
        (number, where)
        for where, text in texts()
        for found in CITED.finditer(text)
        for number in re.findall(r"\d+(?:\.\d+)*", found[0])
    }


def test_each_section_that_is_cited_is_in_the_reference() -> None:
    assert len(cited()) > 100
    known = sections()
    assert sorted((number, where) for number, where in cited() if number not in known) == []


def test_no_line_cites_a_document_that_is_not_in_the_repository() -> None:
    found = [
        f"{where}: {line.strip()}"
        for where, text in texts()
        for line in text.splitlines()
        if ANOTHER_DOCUMENT.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("number", ["1.3", "4.7", "5.1.1", "10.22"])
def test_sections_of_every_depth_are_found(number: str) -> None:
    assert number in sections()
    assert "99.1" not in sections()
