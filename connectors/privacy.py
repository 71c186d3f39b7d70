"""How personal data is shown where people read along: logs, messages, reports."""

import re
from typing import Any

_ADDRESS = re.compile(r"[^\s@<>\"(),;:]+@[^\s@<>\"'(),;:]+")


def mask_address(address: str) -> str:
    """`ann@example.org` as `a***@e***.org`; anything that is no address as `***`."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return "***"
    name, dot, tld = domain.rpartition(".")
    return f"{local[0]}***@{name[:1]}***{dot}{tld if dot else ''}"


def mask_text(text: str) -> str:
    """A foreign message with every address in it masked."""
    return _ADDRESS.sub(lambda match: mask_address(match.group()), text)


def mask_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: mask_deep(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [mask_deep(inner) for inner in value]
    return mask_value(value) if isinstance(value, str) else value


def mask_value(value: str) -> str:
    if not value:
        return ""
    return mask_address(value) if "@" in value else f"{value[0]}***"
