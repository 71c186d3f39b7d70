"""One round of random input: all of it is read, or refused with an error of ours."""

import warnings

from hypothesis import HealthCheck, Phase, given, seed, settings

from connectors.errors import SyncError
from tests.fuzz.parsers import Parser


def played(parser: Parser, examples: int, *, seed: int) -> tuple[int, int]:
    """How many inputs were read, and how many of them refused. Whatever else is raised comes through."""
    tried = refused = 0

    def read(data: bytes) -> None:
        nonlocal tried, refused
        tried += 1
        try:
            parser.read(data)
        except SyncError:
            refused += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _seeded(seed, examples, given(parser.inputs)(read))
    return tried, refused


def _seeded(number: int, examples: int, test: object) -> None:
    quick = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    quick(seed(number)(test))()  # type: ignore[arg-type]
