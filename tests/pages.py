"""Pages as a person gets them: their tags, their words, their tables, and a real browser that opens them."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

NEEDS_BROWSER = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs a browser: apt-get install chromium"
)


class Page(HTMLParser):
    """What a page is made of, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words = ""
        self.tables: dict[str, list[list[str]]] = {}
        """By caption, each row as its cells; a figure as the report has it."""
        self.charts: dict[str, list[str]] = {}
        """By title, each bar by what it says of itself."""
        self._caption = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        values = dict(attrs)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr" and self._caption:
            self.tables[self._caption].append([])
        elif tag in ("td", "th") and self._caption:
            self.tables[self._caption][-1].append("")
        elif tag == "data" and self._caption:
            self.tables[self._caption][-1][-1] = values["value"] or ""
        elif tag == "svg" and values.get("role") == "img":
            self.charts[(values["aria-label"] or "").partition(", 2")[0]] = []
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "onload")]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag == "table":
            self._caption = ""

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._inside == "caption":
            self._caption = data
            self.tables[data] = []
        elif self._inside in ("td", "th") and self._caption:
            self.tables[self._caption][-1][-1] += data
        elif self._inside == "title" and self.charts and ": " in data:
            self.charts[list(self.charts)[-1]].append(data)


def browse(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`run.html` of the folder in a real browser."""
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'browser'}",
    ]
    address = (folder / "run.html").as_uri()
    return subprocess.run(
        [*command, *options, address], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
