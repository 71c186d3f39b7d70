"""Profiles of leads as Kartra has them now: one call each, several at a time."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from connectors.kartra.sender import ProfileRead
from pipelines.calls.context import RunContext
from pipelines.calls.profiles import read_lead
from pipelines.calls.workers import call_each, width_of
from pipelines.changes.readback import reads_of
from pipelines.contacts.lead import Snapshot

_Lead = TypeVar("_Lead")


def read_leads(
    run: RunContext, leads: Iterable[_Lead], snapshot_of: Callable[[_Lead], Snapshot]
) -> Iterator[tuple[_Lead, ProfileRead | None]]:
    """Each lead with its profile, in their order; None where no answer was usable.

    Raises FatalApiError where no lead may be read.
    """
    mode = run.config.kartra.mode

    def read(lead: _Lead) -> ProfileRead | None:
        return read_lead(run.client, tuple(reads_of(snapshot_of(lead), mode)))

    yield from call_each(leads, read, width=partial(width_of, run.config.kartra, run.client), pool=run.pool)
