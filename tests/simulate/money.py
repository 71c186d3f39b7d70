"""Lives of operations: refunds whose money has to be right to the cent."""

import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox.account import Account, Transaction
from pipelines.operations.journal import OperationStore
from pipelines.state.store import Store
from tests.simulate.hub import START, Hub
from tests.simulate.plan import Plan

SECTION = """\
operations:
  source: {csv: operations.csv}
  do: refund
  key: Order
  lead: {email: Email}
  parameters: {transaction: Transaction, amount: Amount}
  guards: {max_total: 10000000, max_failed: 100%}
  results: results.csv
"""


class Bank:
    """Buyers with sales, and the refunds that the source asks for."""

    def __init__(self, plan: Plan, account: Account) -> None:
        self.section = SECTION
        self._account = account
        self._chance = plan.chance("money")
        self._orders = itertools.count(1)
        self.rows: list[dict[str, str]] = []
        while len(self.rows) < plan.leads:
            self._sell()

    def _sell(self) -> None:
        chance, account = self._chance, self._account
        lead = account.add_lead(f"buyer{len(account.leads)}@example.org")
        for _ in range(chance.choice((1, 1, 2))):
            price = Decimal(chance.randint(2000, 20000)) / 100
            date = START.strftime("%Y-%m-%d 06:00:00")
            sale = account.add_transaction(Transaction(lead.id, amount=f"{price}", date=date))
            part = (price / 4).quantize(Decimal("0.01"))
            for amount in chance.choice((["full"], [f"{part}"], [f"{part}", f"{part}"])):
                self.rows.append(
                    {
                        "Order": f"R-{next(self._orders)}",
                        "Email": lead.email,
                        "Transaction": sale.id,
                        "Amount": amount,
                    }
                )

    def edit(self, account: Account) -> None:
        for _ in range(self._chance.choice((0, 1, 2))):
            assert account is self._account
            self._sell()

    def write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, ["Order", "Email", "Transaction", "Amount"])
            writer.writeheader()
            writer.writerows(self.rows)

    def _amount(self, row: dict[str, str]) -> Decimal:
        given = row["Amount"]
        return Decimal(self._account.transactions[row["Transaction"]].amount if given == "full" else given)

    def _wished(self) -> Counter[tuple[str, Decimal]]:
        return Counter((row["Transaction"], self._amount(row)) for row in self.rows)

    def _given(self) -> Counter[tuple[str, Decimal]]:
        refunds = [one for one in self._account.transactions.values() if one.parent_id != "0"]
        return Counter((one.parent_id, Decimal(one.amount)) for one in refunds)

    def twice(self) -> Iterator[str]:
        for (sale, amount), count in (self._given() - self._wished()).items():
            yield f"sale {sale}: {amount} given back {count} times too often"

    def problems(self, life: Any) -> Iterator[str]:
        for (sale, amount), count in (self._wished() - self._given()).items():
            yield f"sale {sale}: {amount} was not given back ({count})"
        with (life.folder / "results.csv").open(encoding="utf-8", newline="") as handle:
            told = {
                line["key"]: Decimal(line["amount"] or 0)
                for line in csv.DictReader(handle)
                if "done" in line["outcome"]
            }
        asked = {row["Order"]: self._amount(row) for row in self.rows}
        if told != asked:
            yield f"the results tell {sum(told.values())}, the source asks for {sum(asked.values())}"

    def heal(self, store: Store, hub: Hub) -> bool:
        """A person looks up each parked refund in Kartra."""
        journal = OperationStore(store)
        touched = False
        by_key = {row["Order"]: row for row in self.rows}
        known = journal.recorded(by_key)
        elsewhere = {key: journal.left_elsewhere(key) for key in by_key if key not in known}
        known |= {key: what for key, what in elsewhere.items() if what is not None}
        for key, what in known.items():
            if what.outcome not in ("parked", None) or (what.outcome is None and key not in elsewhere):
                continue
            touched = True
            hub.met["a refund is parked until a person says what became of it"] += 1
            row = by_key[key]
            amount = self._amount(row)
            others = sum(
                known[other].outcome in ("done", "already done")
                and by_key[other]["Transaction"] == row["Transaction"]
                and self._amount(by_key[other]) == amount
                for other in known
                if other != key
            )
            journal.resolve(key, landed=self._given()[row["Transaction"], amount] > others)
        return touched
