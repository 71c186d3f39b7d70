"""Details of transactions and subscriptions: many in one call where Kartra lets them, else one by one.

Whether a chain without a lead works is learned from the first one of an account.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal, Protocol

from connectors.errors import RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import ActionAnswer, Effect
from connectors.kartra.cells import TableRow
from connectors.kartra.commands import Action, Call
from connectors.kartra.error_types import NO_SUCH_SALE, NOT_PERMITTED
from connectors.kartra.profile import text_of
from connectors.kartra.sender import is_answered, refusal
from pipelines.pull.budget import PullCalls
from pipelines.tables.answers import PulledDetails
from pipelines.tables.sale_rows import subscription_row, transaction_row, without_buyer

log = logging.getLogger("kartra_sync.pull")

CHAINED = 20
"""Details asked for in one call. A call stays far below PHP's 1,000 fields (§1.3)."""

Kind = Literal["transaction", "subscription"]


class Chains(Protocol):
    """What is known of an account: whether details may be chained in one call without a lead."""

    def known(self) -> bool | None: ...

    def learn(self, works: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Owed:
    """A transaction or subscription whose details are to be pulled; `stub` is what is known of it."""

    kind: Kind
    stub: TableRow

    @property
    def number(self) -> str:
        return str(self.stub[f"{self.kind}_id"])

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def action(self) -> Action:
        make = commands.get_transaction_details
        return (make if self.kind == "transaction" else commands.get_subscription_details)(self.number)

    def details_in(self, answer: ActionAnswer) -> Mapping[str, Any] | None:
        """The details in an answer, if they are those of this one."""
        held = answer.payload or {}
        return held[f"{self.kind}_details"] if _named_in(answer) == self.name else None

    def row(self, details: Mapping[str, Any], zone: tzinfo) -> TableRow:
        if self.kind == "subscription":
            return subscription_row(details, self.stub, zone)
        row = transaction_row(details, self.stub, zone)
        return {**row, "extra": {**(self.stub["extra"] or {}), **(row["extra"] or {})} or None}


class Details:
    """Reads details. `is_forgotten` names those whose name and address are not to come into the tables."""

    def __init__(
        self, calls: PullCalls, chains: Chains, zone: tzinfo, is_forgotten: Callable[[str], bool]
    ) -> None:
        self._calls = calls
        self._chains = chains
        self._zone = zone
        self._is_forgotten = is_forgotten

    def batches(self, owed: list[Owed], *, whole_chains_only: bool) -> list[list[Owed]]:
        """What goes into one call each; one alone as long as nobody knows whether chains work."""
        size = 1 if self._chains.known() is False else CHAINED
        batches = [owed[start : start + size] for start in range(0, len(owed), size)]
        if self._chains.known() is None:  # the first one teaches
            return batches[:1] if len(owed) > 1 or not whole_chains_only else []
        return [batch for batch in batches if len(batch) == size or not whole_chains_only]

    def read(self, batch: list[Owed]) -> tuple[PulledDetails, list[Owed]]:
        """In a worker: the details of a batch, and those that came without. Raises FatalApiError."""
        rows: dict[Kind, list[TableRow]] = {"transaction": [], "subscription": []}
        refused: dict[Kind, dict[str, str]] = {"transaction": {}, "subscription": {}}
        failed = []
        try:
            answers = self._answers(batch)
        except RetryableApiError as error:
            log.info("details wait for the next run: %s", error)
            return PulledDetails(), batch
        for one, answer in zip(batch, answers, strict=True):
            if answer.type == NOT_PERMITTED:
                raise refusal(one.action.cmd, answer.type)
            if answer.effect is Effect.REFUSED:
                refused[one.kind][one.number] = answer.type or "?"
            elif (details := one.details_in(answer)) is not None:
                rows[one.kind].append(self._row(one, details))
            else:
                failed.append(one)
        pulled = PulledDetails(
            rows["transaction"], rows["subscription"], refused["transaction"], refused["subscription"]
        )
        return pulled, failed

    def _row(self, one: Owed, details: Mapping[str, Any]) -> TableRow:
        row = one.row(details, self._zone)
        return without_buyer(row) if self._is_forgotten(row["lead_email"] or "") else row

    def _answers(self, batch: list[Owed]) -> list[ActionAnswer]:
        """As `read_each`, but an answer counts only with the number that was asked for: Kartra may leave
        entries of a chain out, and then order tells nothing."""
        actions = [one.action for one in batch]
        if len(batch) == 1:
            return self._calls.read_each(actions, None)
        answer = self._calls.read(Call(tuple(actions)), usable=is_answered)
        by_name = {one.name: one for one in batch}
        told = {name: inner for inner in answer.actions if (name := _named_in(inner)) in by_name}
        if self._chains.known() is None:
            self._chains.learn(len(told) > 1 or answer.type in NO_SUCH_SALE)
        nested = [inner for inner in answer.actions if inner.effect is Effect.REFUSED]
        if len(told) + len(nested) == len(batch):  # every entry is there, so refusals stand in their places
            return list(answer.actions)
        return [told.get(one.name) or self._calls.read_each([one.action], None)[0] for one in batch]


def _named_in(answer: ActionAnswer) -> str:
    """Whose details an answer holds, as `Owed.name`; nothing where it holds none."""
    for kind in ("transaction", "subscription"):
        details = (answer.payload or {}).get(f"{kind}_details")
        if isinstance(details, Mapping):
            return f"{kind} {text_of(details.get(f'{kind}_id'))}"
    return ""
