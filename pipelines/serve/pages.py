"""Templates and values make pages; every value is escaped."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "templates"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name should fail in a test, not leave a gap on a page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["minute"] = _minute
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["number"] = "{:,}".format
    return environment


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else ""


def page(name: str, **values: Any) -> web.Response:
    return web.Response(text=_templates().get_template(name).render(**values), content_type="text/html")


def problem_page(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page that says what is wrong, and nothing of the inside."""
    response = page("problem.html", title=status.phrase, message=message, trail=())
    response.set_status(status)
    response.headers.update(headers or {})
    return response


@cache
def asset(name: str) -> str:
    """The text of one of the two files beside the templates."""
    return (FOLDER / name).read_text(encoding="utf-8")
