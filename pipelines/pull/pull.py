"""Pulls what Kartra has into tables, stalest leads first; it can be resumed after every call.

The tables always say what comes next: names, then for each lead its profile and one chained call for its
sales, then details. Workers make the calls, this thread owns the tables. A lead goes on only when its last
answer is committed, so that a kill loses at most the calls in flight.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from connectors.errors import RetryableApiError, SyncError
from connectors.kartra.answers import Answer, found
from connectors.kartra.commands import InventoryName
from connectors.kartra.profile import LeadProfile, parse_names, read_rows
from pipelines.calls.context import RunContext
from pipelines.calls.inventories import INVENTORIES
from pipelines.calls.patience import UNANSWERED_IN_A_ROW, Patience
from pipelines.calls.workers import Workers
from pipelines.pull.budget import PullCalls, PullStoppedError
from pipelines.pull.details import Chains, Details, Owed
from pipelines.pull.leads import Brought, LeadReads, LeadTask, PullOrder, lead_task
from pipelines.tables.answers import PulledDetails, RosterEntry
from pipelines.tables.lead_rows import custom_field_rows
from pipelines.tables.warehouse import Warehouse
from pipelines.words.numbers import counted

log = logging.getLogger("kartra_sync.pull")

PAGE = 2_000
"""The leads taken from the roster at a time."""

Batch = list[Owed]
ReadBatch = tuple[PulledDetails, Batch]


class Failures:
    """Leads and details without a usable answer, which are left alone for the rest of this pull."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._patience = Patience()

    def note(self, failed: Sequence[str], *, stopped: bool) -> RetryableApiError | None:
        """Notes the result of a lead or of a call for details; returns the error that ends the pull after
        many.

        After a stop, missing answers do not count.
        """
        is_usable = not failed or stopped
        self._patience.count(is_usable=is_usable)
        if not is_usable:
            self.names.update(failed)
        if not self._patience.is_exhausted:
            return None
        return RetryableApiError(f"no usable answer {UNANSWERED_IN_A_ROW} times in a row. Run again later")


class Pull:
    """One pull of one account into one warehouse. `run` does all of it."""

    def __init__(
        self,
        run: RunContext,
        warehouse: Warehouse,
        order: PullOrder,
        chains: Chains,
        *,
        is_forgotten: Callable[[str], bool] = lambda _: False,
        see: Callable[[LeadProfile, datetime], None] = lambda *_: None,
    ) -> None:
        """`see` gets every profile and the time of its read, once it is in the tables."""
        self.notes: list[str] = []
        """Remarks for a person, such as a name that looks renamed."""
        self._run = run
        self._warehouse = warehouse
        self._order = order
        self._see = see
        self._calls = PullCalls(run.client, self._may_go_on, at_most=order.max_calls)
        self._reads = LeadReads(self._calls, order, run.clock.now, is_forgotten)
        self._details = Details(self._calls, chains, order.zone, is_forgotten)
        self._failures = Failures()
        self._names: Workers[InventoryName, Answer] = Workers(
            run, self._launch_names, self._take_names, is_used_up=lambda: self.is_out_of_budget
        )
        self._leads: Workers[LeadTask, Brought] = Workers(
            run, self._launch_leads, self._take_leads, is_used_up=lambda: self.is_out_of_budget
        )
        self._batches: Workers[Batch, ReadBatch] = Workers(
            run, self._launch_batches, self._take_batches, is_used_up=lambda: self.is_out_of_budget
        )

    @property
    def is_out_of_budget(self) -> bool:
        return self._calls.is_used_up

    def run(self, lookups: Iterable[str]) -> None:
        """Pulls everything that is not fresh, after putting `lookups` on the roster.

        Raises SyncError; earlier answers are in the tables then. A stop or a used budget simply ends it.
        """
        try:
            self._names.work(name for name in INVENTORIES if name in self._order.tables)
            self._go_on_unless(self._names.failure)
            order = self._order
            if not order.profiles and not order.sales:
                return
            self._warehouse.add_to_roster(lookups, self._run.clock.now())
            waiting = self._warehouse.waiting(order.before, profiles=order.profiles, sales=order.sales)
            self._leads.expect(waiting.leads)
            if not waiting.roster:
                self.notes.append("no lead is known: `pull.leads` names none, and Kartra lists none")
            while entries := self._stale():
                now = self._run.clock.now()
                self._leads.work(lead_task(entry, order, now) for entry in entries)
                self._go_on_unless(self._leads.failure)
                # A chain that is not full waits for the sales of the next page: it would cost a whole call.
                self._pull_details(whole_chains_only=True)
            self._pull_details()
        except PullStoppedError:
            return
        if failed := self._failures.names:
            raise RetryableApiError(
                f"{counted(len(failed), 'lead')} got no usable answer: the next run asks again"
            )

    def _may_go_on(self) -> bool:
        """Whether further calls may be made; called by workers."""
        return not (self._names.is_halted or self._leads.is_halted or self._batches.is_halted)

    def _go_on_unless(self, failure: SyncError | None) -> None:
        """Raises what stopped the workers, or PullStoppedError if no further call may be made."""
        if failure is not None:
            raise failure
        if self._run.stopping() or self.is_out_of_budget:
            raise PullStoppedError

    # --- names

    def _launch_names(self, names: list[InventoryName]) -> list[tuple[InventoryName, Callable[[], Answer]]]:
        return [(name, partial(self._calls.inventory, INVENTORIES[name][0]())) for name in names]

    def _take_names(self, landed: list[tuple[InventoryName, Future[Answer]]]) -> None:
        for name, future in landed:
            try:
                self._keep_names(name, future.result())
            except PullStoppedError:
                continue
            except SyncError as error:
                self._names.fail(error)

    def _keep_names(self, name: InventoryName, answer: Answer) -> None:
        now = self._run.clock.now()
        key = INVENTORIES[name][1]
        written = found(answer.body, key)
        fields, options = custom_field_rows(written) if name == "custom_fields" else ([], [])
        names = [{"name": each} for each in dict.fromkeys(parse_names(answer.body, key))]
        rows = fields if name == "custom_fields" else names
        listed = None if written is None else read_rows(written)
        # An unreadable list is not an empty one: it must not mark every name as gone.
        if (listed is None or (listed and not rows)) and self._warehouse.has_names(name):
            what = name.replace("_", " ")
            self.notes.append(
                f"the account's {what} came in a form that cannot be read: the tables keep theirs"
            )
            return
        self.notes += self._warehouse.keep_names(name, rows, now)
        if name == "custom_fields":
            self._warehouse.keep_names("custom_field_options", options, now)

    # --- leads

    def _stale(self) -> list[RosterEntry]:
        """The next stale leads, without those that failed in this pull."""
        order, failed = self._order, self._failures.names
        # Those that failed are still the stalest: without the surplus they would fill the page.
        entries = self._warehouse.stale(
            order.before, PAGE + len(failed), profiles=order.profiles, sales=order.sales
        )
        return [entry for entry in entries if entry.lookup not in failed]

    def _launch_leads(self, tasks: list[LeadTask]) -> list[tuple[LeadTask, Callable[[], Brought]]]:
        leaving: list[tuple[LeadTask, Callable[[], Brought]]] = []
        for task in tasks:
            if task.owes_profile or task.owes_sales:
                leaving.append((task, partial(self._reads.read, task)))
            else:
                self._settle_lead()
        return leaving

    def _take_leads(self, landed: list[tuple[LeadTask, Future[Brought]]]) -> None:
        brought: list[tuple[LeadTask, Brought]] = []
        failed: list[str] = []
        for task, future in landed:
            try:
                brought.append((task, future.result()))
            except PullStoppedError:
                continue
            except RetryableApiError as error:
                log.info("a lead waits for the next run: %s", error)
                failed.append(task.lookup)
            except SyncError as error:
                self._leads.fail(error)
        self._keep([one for _, one in brought])
        for task, one in brought:
            if (following := task.after(one.pulled)) is not None:
                self._leads.again(following)
            else:
                self._settle_lead()
        for lookup in failed:
            self._settle_lead(lookup)

    def _settle_lead(self, *failed: str) -> None:
        self._leads.settle()
        if given_up := self._failures.note(failed, stopped=self._run.stopping()):
            self._leads.fail(given_up)

    # --- details

    def _pull_details(self, *, whole_chains_only: bool = False) -> None:
        """Details of new transactions, and of subscriptions that are new or open."""
        while batches := self._details.batches(self._owed(), whole_chains_only=whole_chains_only):
            self._batches.work(batches)
            self._go_on_unless(self._batches.failure)

    def _owed(self) -> list[Owed]:
        transactions, subscriptions = self._warehouse.owed(PAGE + len(self._failures.names))
        owed = [Owed("transaction", stub) for stub in transactions if self._order.transactions]
        owed += [Owed("subscription", stub) for stub in subscriptions if self._order.subscriptions]
        return [one for one in owed if one.name not in self._failures.names]

    def _launch_batches(self, batches: list[Batch]) -> list[tuple[Batch, Callable[[], ReadBatch]]]:
        return [(batch, partial(self._details.read, batch)) for batch in batches]

    def _take_batches(self, landed: list[tuple[Batch, Future[ReadBatch]]]) -> None:
        read: list[ReadBatch] = []
        for _, future in landed:
            try:
                read.append(future.result())
            except PullStoppedError:
                continue
            except SyncError as error:
                self._batches.fail(error)
        self._keep([Brought(pulled) for pulled, _ in read])
        for _, failed in read:
            names = [one.name for one in failed]
            if given_up := self._failures.note(names, stopped=self._run.stopping()):
                self._batches.fail(given_up)

    # --- what workers bring

    def _keep(self, brought: Sequence[Brought]) -> None:
        """Into the tables, in one transaction."""
        if not brought:
            return
        self._warehouse.keep([one.pulled for one in brought], self._run.clock.now())
        for one in brought:
            if one.seen is not None:
                self._see(*one.seen)
