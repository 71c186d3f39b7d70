"""Values and a template give a page."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES = Path(__file__).parent


def page(name: str, **values: object) -> str:
    """One file of HTML: no script, nothing from elsewhere, and it prints on A4."""
    return _template(name).render(**values)


@cache
def _template(name: str) -> Template:
    # Every value is escaped, whatever it looks like: names of people, of tags, Kartra's own words.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
