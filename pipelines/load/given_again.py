"""Before a state that was put back from a copy gives what may have been given since: look, then ask."""

from collections.abc import Callable, Iterator

from connectors.kartra.commands import get_lead
from connectors.kartra.sender import profile_of
from pipelines.calls.context import RunContext
from pipelines.changes.before_call import unproven_of
from pipelines.changes.readback import adopt
from pipelines.changes.spelling import Names, in_our_words, names_wished
from pipelines.errors import GuardError
from pipelines.load.task import Rules, Task, begin, owing
from pipelines.words.numbers import counted

LOOKED_AT = 100
"""New leads that are looked for in Kartra at most: one call each. Of those after them delivery parks what it
finds there already."""


def refuse_given_again(run: RunContext, rules: Rules, *, between: Callable[[], None] = lambda: None) -> None:
    """Once everything is planned. Raises GuardError where something may have been given before."""
    if run.restored is None:
        return
    known = there = looked_at = 0
    listed = run.store.inventories.names(run.account)
    for task in _giving(run, rules):
        between()
        if task.snapshot is not None:
            known += 1
        elif looked_at < LOOKED_AT:
            looked_at += 1
            there += _gives_again(run, rules, task, listed)
    if not known and not there:
        return
    found = [f"{counted(known, 'lead')} known then"] if known else []
    found += (
        [f"{there:,} of {looked_at:,} looked at that are new to it and in Kartra already"] if there else []
    )
    raise GuardError(
        f"{run.restored.describe()}: the account may be ahead of it. Points, sequences or classes are due for"
        f" {' and '.join(found)}, and nothing shows whether they were given since: nothing was sent. Best:"
        " put a newer copy in its place. If nothing was given since:"
        f" kartra-sync run {run.config.path.name} --restored. If everything was:"
        f" kartra-sync adopt {run.config.path.name} counts it as given to leads that are new to it"
    )


def _giving(run: RunContext, rules: Rules) -> Iterator[Task]:
    """Every planned entry that gives something of which each time counts."""
    after = 0
    while entries := run.store.outbox.planned(after=after):
        tasks = (begin(entry, rules) for entry in entries)
        yield from (task for task in tasks if unproven_of(task.change))
        after = entries[-1].entry_id


def _gives_again(run: RunContext, rules: Rules, task: Task, listed: Names) -> bool:
    """Whether a lead that is new to the state is in Kartra, and would be given what it does not show."""
    desired = task.entry.desired
    # Under these settings a lead that is there already is given nothing.
    if desired is None or rules.sync_mode == "create_only" or rules.existing == "skip":
        return False
    profile = profile_of(run.client.read(get_lead(email=desired.email))).profile
    if profile is None:
        return False
    profile = in_our_words(profile, (names_wished(desired),), listed)
    found = Task(task.entry, adopt(desired, profile, rules.existing), "adopted", task.change)
    return bool(unproven_of(owing(found, rules).change))
