"""In which mode an App is: what is stored of the first lead that is created shows it.

Anybody may put an App back to Test mode, and no answer says so; what a lead has shown is believed for a day.
"""

from datetime import datetime, timedelta

from pipelines.load.alone import FIRST_ALONE
from pipelines.load.task import Stage, Task
from pipelines.state.accounts import Accounts
from pipelines.state.clock import is_fresh

BELIEVED_FOR = timedelta(days=1)
"""One more read in a night's run that creates leads, against a night whose leads reach nobody."""


def is_mode_open(accounts: Accounts, account: str, mode: str, now: datetime) -> bool:
    """Whether the next lead that is created has to show in which mode the App is."""
    shown = accounts.mode_shown(account)
    return shown is None or shown.mode != mode or not is_fresh(shown.at, now - BELIEVED_FOR, now)


class ModeShown:
    """Open until a created lead has been read back; at most FIRST_ALONE of them are, one at a time."""

    def __init__(self, accounts: Accounts, account: str, mode: str, now: datetime) -> None:
        self._accounts, self._account = accounts, account
        self._reads = 0
        self._is_reading = False
        self.is_open = is_mode_open(accounts, account, mode, now)

    @property
    def wants_a_lead(self) -> bool:
        """Whether the next lead that is created is to be read back."""
        return self.is_open and not self._is_reading and self._reads < FIRST_ALONE

    def reads(self, task: Task) -> None:
        """The task goes on; if it is a lead just created, it is the one that is read now."""
        if task.stage is Stage.STORED:
            self._reads += not self._is_reading
            self._is_reading = True

    def settled(self, task: Task, shown: str | None) -> None:
        """The task has ended; `shown` is the mode that its lead showed."""
        if task.stage is Stage.STORED:
            self._is_reading = False
        if shown is not None and self.is_open:
            self._accounts.keep_mode(self._account, shown)
            self.is_open = False
