"""Kartra's inbound API for one App and one account, a method for each command, for programs of your own.

Each method returns a typed result, or raises an error that says what to do next. Pipelines keep a journal and
use the floor below: `sender` returns the answer to a call, whatever it is. The money commands are in
`sales_client`, because thirty methods with their rules are too long to read as one class.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from connectors.errors import UnknownOutcomeError
from connectors.kartra import commands
from connectors.kartra.answers import Answer
from connectors.kartra.commands import Action, Call, CustomFieldType, Lead
from connectors.kartra.limiter import limiter_for
from connectors.kartra.outcomes import SHOWN_BY
from connectors.kartra.profile import (
    CustomFieldDefinition,
    LeadProfile,
    parse_custom_fields,
    parse_names,
    parse_profile,
)
from connectors.kartra.sales_client import SalesClient, rules
from connectors.kartra.sender import Sender
from connectors.kartra.transport import KARTRA_URL
from connectors.kartra.wire import Credentials


class KartraClient(SalesClient):
    """Kartra for one App and one account; any number of threads may use it, or several clients and processes:
    on one host they share the rate of the App.

    A method named like a command sends it once and returns when Kartra said that it was done. Otherwise it
    raises an `ApiError`, by what there is to do next:

    - `RefusedApiError`: fix the request. Nothing was done; `type` is Kartra's number, or None where a rule
      known here was broken and nothing was sent.
    - `RetryableApiError`: send it again. It was not executed, or it only reads and was not answered.
    - `UnknownOutcomeError`: read back first, `read_back` says what. The answer was lost or says nothing.
    - `FatalApiError`: stop. Credentials, App or this machine's address are refused.

    Any command may also be answered 201-204, 233, 238-240, 242 (fatal), 262 (the App lacks the permission for
    this command) and 223, 224, 236, 254 (a request built wrongly: a bug here). In the docstrings, "again" is
    what a second execution of the same does: safe (the same end state), guarded (refused) or once only (a
    second effect). Times are Kartra's wall clock ("EST"), naive. Sections (§) are those of `reference.md`.
    """

    @classmethod
    def connect(
        cls,
        *,
        app_id: str,
        api_key: str,
        api_password: str,
        url: str = KARTRA_URL,
        calls_per_second: float = 20,
        timeout_s: float = 30.0,
    ) -> Self:
        """A client with the limiter that all processes of this host share for the App. Nothing is sent yet.

        The App id is its developer's, key and password are the account's (§1.4). Set `calls_per_second`
        lower where another host uses the App too. ValueError: a credential is empty, or the URL is neither
        https nor on this machine.
        """
        credentials = Credentials(app_id, api_key, api_password)
        # Checked after they were cleaned: a secret of blanks or line ends is an empty one.
        if not (credentials.app_id and credentials.api_key and credentials.api_password):
            raise ValueError("app_id, api_key and api_password are needed, and must not be empty")
        # Kartra counts 20 a second for each App (§2.1): a higher figure would only earn 429s.
        if not 0 < calls_per_second <= 20:
            raise ValueError("calls_per_second: more than 0, and 20 at most for one App")
        limiter = limiter_for(url, credentials.app_id, calls_per_second=calls_per_second)
        return cls(Sender(url, credentials, limiter, timeout_s=timeout_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sender.close()

    def chain(self, lead: Lead | None, *actions: Action) -> Answer:
        """Several actions on one lead in one call, such as create_lead, assign_tag, subscribe_lead_to_list.

        `create_lead`, `edit_lead` and `search_lead` only stand first, and `lead` then carries the profile.
        Returns when each action was done: `actions` of the answer hold what Kartra said to each, `lead_id`
        is there after a creation. Otherwise raises as every method does; `actions` of the error tell what
        became of each, for there is no transaction: those before a refused one were carried out, and of
        those whose entry is missing nobody knows. Again: as its most delicate action. §3.3, §4
        """
        with rules():
            call = Call(actions, lead)
        return self._carried_out(call)

    # --- leads, §5.1

    def create_lead(self, lead: Lead) -> str:
        """A new lead with an email, fields and custom fields; the id of it comes back.

        Refused: 244 the address is taken (edit it), 245 it was deleted, 206 no address, 271 custom fields of
        a wrong form. An unknown custom field and an unknown option are ignored without a word (§7.3). In
        Test mode the address is stored under @kartra.com (§2.2). Again: guarded (244). §5.1
        """
        answer = self._act(lead, commands.create_lead)
        if answer.lead_id is None:
            # Kartra said that it was done, so the lead is there: a second try would only be refused with 244
            # (§5.1).
            where = SHOWN_BY["create_lead"]
            raise UnknownOutcomeError(
                f"created, but the answer has no id. Read back: {where}", read_back=where
            )
        return answer.lead_id

    def edit_lead(self, lead: Lead) -> None:
        """Change fields and custom fields of the lead with this id or email; what is not sent stays.

        `new_email` is what changes the address. A custom field is cleared by "", a standard field perhaps.
        Refused: 206, 243 no such lead, 244 `new_email` is taken, 245 deleted, 271 custom fields of a wrong
        form. Again: safe. §5.1
        """
        self._act(lead, commands.edit_lead)

    def search_lead(self, lead: Lead) -> str | None:
        """Is there such a lead? Its id, or None where Kartra only says yes. `get_lead` tells more.

        Refused: 206, 243 no such lead, 245 deleted. Again: safe. §5.1
        """
        return self._act(lead, commands.search_lead).lead_id

    def get_lead(self, lead: Lead) -> LeadProfile:
        """The whole profile: fields, tags, lists, sequences, custom fields; all Kartra sent in `details`.

        Refused: 234 no such lead, 245 deleted, 236. Again: safe. §6
        """
        with rules():
            call = Call(get_lead=lead)
        return self._read(call, parse_profile)

    # --- tags, lists, sequences, points, §5.2: named exactly as the account's inventory has them

    def assign_tag(self, lead: Lead, tag_name: str) -> None:
        """Give the lead a tag, which must exist.

        Refused: 212 no such tag, 211 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.assign_tag, tag_name)

    def unassign_tag(self, lead: Lead, tag_name: str) -> None:
        """Take a tag from the lead; done, too, where it has none of that name.

        Refused: 214 no such tag, 213 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unassign_tag, tag_name)

    def subscribe_lead_to_list(self, lead: Lead, list_name: str) -> None:
        """Put the lead on a list. It may show in a profile "in a few moments" only (§3.4).

        Refused: 231 no such list, 207 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.subscribe_lead_to_list, list_name)

    def unsubscribe_lead_from_list(self, lead: Lead, list_name: str) -> None:
        """Take the lead off a list; done, too, where it is not on it. Its profile shows the list as left.

        Refused: 209 no such list, 208 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unsubscribe_lead_from_list, list_name)

    def subscribe_lead_to_sequence_at_step(self, lead: Lead, sequence_name: str, step: str | int) -> None:
        """Start a sequence for the lead at `step`, the number on the step's box.

        Refused: 219 no such sequence, 226 no name, 230 no such step, 225 no step, 229 not alphanumeric;
        206, 243 no such lead, 245 deleted. Again: once only (it may start over, or move the lead). §5.2
        """
        self._act(lead, commands.subscribe_lead_to_sequence_at_step, sequence_name, step)

    def unsubscribe_lead_from_sequence(self, lead: Lead, sequence_name: str) -> None:
        """End a sequence for the lead.

        Refused: 220 no such sequence, 226 no name; 206, 243 no such lead, 245 deleted. Again: safe. §5.2
        """
        self._act(lead, commands.unsubscribe_lead_from_sequence, sequence_name)

    def give_points_to_lead(self, lead: Lead, points: int, *, expiration_days: int | None = None) -> None:
        """Add points, 1 or more. After `expiration_days` exactly these are taken off again; None or 0: never.

        Refused: 227 no number, 215 none given; 206, 243 no such lead, 245 deleted. Again: once only. §5.2
        """
        self._act(lead, commands.give_points_to_lead, points, expiration_days=expiration_days)

    def remove_points_from_lead(self, lead: Lead, points: int) -> None:
        """Take points off, 1 or more. What happens below zero is not documented.

        Refused: 228 no number, 217 none given; 206, 243 no such lead, 245 deleted. Again: once only. §5.2
        """
        self._act(lead, commands.remove_points_from_lead, points)

    # --- what the account has, §5.3: whole, without paging

    def retrieve_account_tags(self) -> tuple[str, ...]:
        """The names of all tags, in Kartra's order. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_tags).body, "account_tags")

    def retrieve_account_lists(self) -> tuple[str, ...]:
        """The names of all lists, in Kartra's order. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_lists).body, "account_lists")

    def retrieve_account_sequences(self) -> tuple[str, ...]:
        """The names of all sequences, in Kartra's order; not their steps. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_sequences).body, "account_sequences")

    def retrieve_account_pages(self) -> tuple[str, ...]:
        """The names of all pages; under which key Kartra answers them is inferred. Again: safe. §5.3"""
        return parse_names(self._act(None, commands.retrieve_account_pages).body, "account_pages")

    def retrieve_custom_fields(self) -> tuple[CustomFieldDefinition, ...]:
        """Each field's identifier and type, and of a choice its options with the ids that a lead is sent.

        Often slow: leave `timeout_s` at 30 or more. Again: safe. §7.1
        """
        return parse_custom_fields(self._act(None, commands.retrieve_custom_fields).body)

    def create_custom_field(
        self,
        identifier: str,
        type: CustomFieldType,  # noqa: A002 - Kartra's own word
        options: Iterable[str] = (),
    ) -> None:
        """A new custom field; a choice (drop_down, radio_button, checkbox) takes two options or more.

        Refused: 264 exists or is reserved, 263 not of letters, digits, dashes and underscores, 265 empty,
        269 no such type, 270, 272 an option without a name, 273 fewer than two. Again: guarded (264). §5.4
        """
        self._act(None, commands.create_custom_field, identifier, type, options)

    # --- calendars, §5.5

    def calendar_subscribe(
        self, lead: Lead, calendar_name: str, class_name: str, starting_at: datetime | None = None
    ) -> None:
        """Book a class of a calendar for the lead, from `starting_at` on by Kartra's wall clock.

        Refused: 257 no such calendar, or one whose setup is not completed, 258 no such class, 260 bad date,
        261 in the past, 255 and 256 no name; 206, 243 no such lead, 245 deleted. Again: once only. §5.5
        """
        self._act(lead, commands.calendar_subscribe, calendar_name, class_name, starting_at)

    def calendar_cancel(self, lead: Lead, calendar_name: str, class_name: str) -> None:
        """Cancel the booking of a class.

        Refused: 259 nothing is booked, 257 no such calendar, 258 no such class, 255 and 256 no name; 206,
        243 no such lead, 245 deleted. Again: guarded (259). §5.5
        """
        self._act(lead, commands.calendar_cancel, calendar_name, class_name)
