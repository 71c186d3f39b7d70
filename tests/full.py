"""What takes long is played with `KARTRA_SYNC_FULL=1` only; a smaller member of its kind is in every suite.

`@pytest.mark.full` on a test keeps all of it for then, with `only=` and `but=` the parameters of these ids,
or all others.
"""

import os

import pytest

IS_FULL = os.environ.get("KARTRA_SYNC_FULL") == "1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "full(only=[ids], but=[ids]): takes long; played with KARTRA_SYNC_FULL=1"
    )
    config.addinivalue_line(
        "markers", "of_a_file: about a state as a file; it is one with KARTRA_SYNC_STATE=postgresql, too"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skipped = pytest.mark.skip(reason="takes long: KARTRA_SYNC_FULL=1 plays it")
    for item in items:
        mark = item.get_closest_marker("full")
        if mark and not IS_FULL and _is_meant(item, **mark.kwargs):
            item.add_marker(skipped)


def _is_meant(item: pytest.Item, only: list[str] | None = None, but: list[str] | None = None) -> bool:
    played = item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""
    return (only is None or played in only) and (but is None or played not in but)
