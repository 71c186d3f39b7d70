"""Reads one lead back."""

import logging
from collections.abc import Sequence

from connectors.errors import RetryableApiError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Call
from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD_READ
from connectors.kartra.sender import ProfileRead, Sender, profile_of, refusal

log = logging.getLogger("kartra_sync.drift")
GONE = {LEAD_DELETED: "deleted", NO_LEAD_READ: "unknown"}


def first_found(client: Sender, reads: Sequence[Call]) -> Answer:
    """The answer to the first call that Kartra does not refuse, else to the last one. Runs in a worker."""
    answer = client.send(reads[0])
    for call in reads[1:]:
        if answer.effect is not Effect.REFUSED:
            break
        answer = client.send(call)
    return answer


def read_lead(client: Sender, reads: Sequence[Call]) -> ProfileRead | None:
    """The lead by the first call that finds it, None without a usable answer. Runs in a worker.

    Raises FatalApiError if no lead may be read.
    """
    read = None
    for call in reads:
        try:
            read = profile_of(client.read(call))
        except RetryableApiError as error:
            log.info("a lead waits for the next look: %s", error)
            return None
        if read.profile is not None:
            break
        if read.type not in GONE:
            raise refusal("get_lead", read.type)
    return read
