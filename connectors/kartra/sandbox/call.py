"""One call while it is carried out: the account, the options, and the one lead it is about."""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from connectors.kartra.sandbox.account import Account, SandboxLead
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.options import SandboxOptions
from connectors.kartra.sandbox.php_form import Form, text

Entry: TypeAlias = dict[str, object]

_MARKUP = re.compile(r"<[^>]*>")
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
"""What takes four bytes in UTF-8, emoji above all: the old character set of MySQL has no room for it."""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """How get_lead still shows a lead until an instant of the monotonic clock. `is_whole`: fields, tags and
    points as well, and not lists and sequences alone."""

    until: float
    lead: SandboxLead
    is_whole: bool


@dataclass(slots=True)
class LateEffects:
    """Effects that get_lead does not show yet: lists, sequences, new transactions, or all of them."""

    _earlier: dict[str, list[_Earlier]] = field(default_factory=dict)
    _hidden: dict[str, float] = field(default_factory=dict)  # transaction id: until then

    def hide(self, transaction_id: str, until: float) -> None:
        self._hidden[transaction_id] = until

    def is_hidden(self, transaction_id: str, now: float) -> bool:
        return self._hidden.get(transaction_id, 0.0) > now

    def remember(self, lead: SandboxLead, until: float, *, is_whole: bool) -> None:
        earlier = _Earlier(until, copy.deepcopy(lead), is_whole)
        self._earlier.setdefault(lead.id, []).append(earlier)

    def shown(self, lead: SandboxLead, now: float) -> SandboxLead:
        """The lead as get_lead shows it."""
        # The oldest effect that is still on its way decides: what came after it is not shown either.
        pending = [earlier for earlier in self._earlier.get(lead.id, ()) if earlier.until > now]
        if not pending:
            self._earlier.pop(lead.id, None)
            return lead
        self._earlier[lead.id] = pending
        before = pending[0]
        if before.is_whole:
            return before.lead
        return replace(lead, lists=before.lead.lists, sequences=before.lead.sequences)


@dataclass(slots=True)
class Call:
    account: Account
    options: SandboxOptions
    late: LateEffects
    at: float  # monotonic
    now: datetime  # Kartra's wall clock
    lead_form: Form
    _lead: SandboxLead | None = None

    def lead(self) -> SandboxLead:
        """The lead named by `lead`, where an id beats an address. Refused with 243 or 245."""
        if self._lead is None:
            self._lead = self.find(self.lead_form, unknown="243")
        return self._lead

    def find(self, form: Form, *, unknown: str) -> SandboxLead:
        lead_id, email = text(form, "id"), text(form, "email")
        if self.options.rewrite_lookups:
            email = self.stored_address(email)
        found = self.account.leads.get(lead_id) if lead_id else self.account.lead(email)
        if found is None:
            raise Refused(unknown)
        if found.deleted:
            raise Refused("245")
        return found

    def registered(self, lead: SandboxLead) -> None:
        """create_lead was carried out: the rest of the chain is about this lead."""
        self._lead = lead

    def stored_address(self, email: str) -> str:
        """An address as the account stores it: Test mode replaces the domain."""
        local, at, _ = email.rpartition("@")
        # §2.2: Test mode stores every address under Kartra's own domain, so that nobody gets mail.
        return f"{local}@kartra.com" if at and self.options.mode == "test" else email

    def kept_text(self, field: str, given: str) -> str:
        """What a field keeps of a text; a custom field goes by its type."""
        options = self.options
        if options.markup == "strip":
            given = _MARKUP.sub("", given)
        if options.line_breaks == "blank":
            given = " ".join(given.splitlines())
        if options.emoji == "cut":
            given = _BEYOND.split(given)[0]
        if options.emoji == "drop":
            given = _BEYOND.sub("", given)
        limit = dict(options.field_limits).get(field, options.text_limit)
        return given[:limit] if limit else given

    def lead_for_late_effect(self) -> SandboxLead:
        """The lead, for an effect that get_lead shows only after `effect_delay_s`."""
        return self._late_lead(is_whole=self.options.late_effects == "all")

    def lead_for_effect(self) -> SandboxLead:
        """The lead, for an effect that get_lead shows at once, unless `late_effects` says otherwise."""
        return self._late_lead(is_whole=True) if self.options.late_effects == "all" else self.lead()

    def _late_lead(self, *, is_whole: bool) -> SandboxLead:
        lead = self.lead()
        if self.options.effect_delay_s:
            self.late.remember(lead, self.at + self.options.effect_delay_s, is_whole=is_whole)
        return lead

    def name(self, action: Form, key: str, known: Iterable[str], *, empty: str, unknown: str) -> str:
        """The account's own spelling of the name an action gives."""
        given = text(action, key)
        if not given:
            raise Refused(empty)
        if self.options.case_sensitive_names:
            found = given if given in known else None
        else:
            found = next((name for name in known if name.casefold() == given.casefold()), None)
        if found is None:
            raise Refused(unknown)
        return found
