"""Reads details of transactions and subscriptions: many per call if Kartra allows it, else one by one.

The first chain without a lead shows whether the account allows it.
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
"""The details in one call, far below PHP's 1,000 form fields (§1.3)."""

Kind = Literal["transaction", "subscription"]


class Chains(Protocol):
    """Remembers whether an account allows details to be chained in a call without a lead."""

    def works(self) -> bool | None: ...

    def learn(self, works: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Owed:
    """A transaction or subscription whose details are due; `stub` is its row in the lead's list."""

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
        """The details in an answer, if they belong to this one."""
        held = answer.payload or {}
        return held[f"{self.kind}_details"] if _named_in(answer) == self.name else None

    def row(self, details: Mapping[str, Any], zone: tzinfo) -> TableRow:
        if self.kind == "subscription":
            return subscription_row(details, self.stub, zone)
        row = transaction_row(details, self.stub, zone)
        return {**row, "extra": {**(self.stub["extra"] or {}), **(row["extra"] or {})} or None}


class Details:
    """Reads details. Name and address of people for whom `is_forgotten` is true stay out of the tables."""

    def __init__(
        self, calls: PullCalls, chains: Chains, zone: tzinfo, is_forgotten: Callable[[str], bool]
    ) -> None:
        self._calls = calls
        self._chains = chains
        self._zone = zone
        self._is_forgotten = is_forgotten

    def batches(self, owed: list[Owed], *, whole_chains_only: bool) -> list[list[Owed]]:
        """The batches for one call each; a single one while it is unknown whether chains work."""
        size = 1 if self._chains.works() is False else CHAINED
        batches = [owed[start : start + size] for start in range(0, len(owed), size)]
        if self._chains.works() is None:  # the first one shows whether they work
            return batches[:1] if len(owed) > 1 or not whole_chains_only else []
        return [batch for batch in batches if len(batch) == size or not whole_chains_only]

    def read(self, batch: list[Owed]) -> tuple[PulledDetails, list[Owed]]:
        """The details of a batch, and those without an answer. Runs in a worker. Raises FatalApiError."""
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
        """The answers, each matched by its number: Kartra may leave out entries, and then order proves
        nothing."""
        actions = [one.action for one in batch]
        if len(batch) == 1:
            return self._calls.read_each(actions, None)
        answer = self._calls.read(Call(tuple(actions)), usable=is_answered)
        by_name = {one.name: one for one in batch}
        named = {name: inner for inner in answer.actions if (name := _named_in(inner)) in by_name}
        if self._chains.works() is None:
            # 247 and 248 are answers to an entry: Kartra understood the chain.
            # One entry alone proves nothing: where chains do not work, the first may still be answered.
            self._chains.learn(len(named) > 1 or answer.type in NO_SUCH_SALE)
        nested = [inner for inner in answer.actions if inner.effect is Effect.REFUSED]
        if len(named) + len(nested) == len(batch):  # complete, so refusals are in their places
            return list(answer.actions)
        return [named.get(one.name) or self._calls.read_each([one.action], None)[0] for one in batch]


def _named_in(answer: ActionAnswer) -> str:
    """The `Owed.name` of the details in an answer, or ""."""
    for kind in ("transaction", "subscription"):
        details = (answer.payload or {}).get(f"{kind}_details")
        if isinstance(details, Mapping):
            return f"{kind} {text_of(details.get(f'{kind}_id'))}"
    return ""
