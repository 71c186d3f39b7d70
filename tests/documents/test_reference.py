"""The reference says what the program says."""

from tests.documents.reference import written


def test_the_reference_is_current() -> None:
    found = {path.name: path.read_text("utf-8") if path.exists() else "" for path in written()}
    assert found == {path.name: text for path, text in written().items()}, (
        "write the reference anew: python -m tests.documents"
    )
