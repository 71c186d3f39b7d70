"""In which mode an App is: what is stored of the first lead that is created shows it."""

from pipelines.load.alone import FIRST_ALONE
from pipelines.load.task import Stage, Task
from pipelines.state.accounts import Accounts


class ModeShown:
    """Open until a created lead has been read back; at most FIRST_ALONE of them are, one at a time."""

    def __init__(self, accounts: Accounts, account: str, mode: str) -> None:
        self._accounts, self._account = accounts, account
        self._reads = 0
        self._is_reading = False
        self.is_open = accounts.mode_of(account) != mode

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
