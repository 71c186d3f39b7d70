"""Finds `sql/` and `configs/`: beside the packages in a checkout, inside them in the wheel."""

from pathlib import Path

_HERE = Path(__file__).parent
ROOT = _HERE / "_shipped" if (_HERE / "_shipped").is_dir() else _HERE.parent
"""The folder that holds `sql/` and `configs/`."""


def read_sql(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (ROOT / "sql" / f"{name}.sql").read_text(encoding="utf-8")
