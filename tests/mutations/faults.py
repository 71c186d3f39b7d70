"""The faults: in which file, what stands there, what is put in its place. Anybody could make each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old` stands once in the file. `found_by`: the test that finds it, where the simulation does not.

    `theme`: of the lives that meet its situation (`tests/simulate/themes.py`); one in fifty has it anyway.
    """

    name: str
    file: str
    old: str
    new: str
    found_by: str = ""
    theme: str = ""

    @property
    def kind(self) -> str:
        """Of the lives that can meet it: load, money, or any."""
        if self.file.startswith("pipelines/operations/"):
            return "money"
        return "load" if self.file.startswith(LOADING) or self.file in (OUTBOX, LEADS) else ""


LOADING = ("pipelines/load/", "pipelines/changes/", "pipelines/contacts/", "sql/state/leads")
OUTBOX, LEADS = "pipelines/state/outbox.py", "pipelines/state/leads.py"
NEXT, AFTER, TASK = "pipelines/load/next_step.py", "pipelines/load/after_read.py", "pipelines/load/task.py"
READBACK, DIFF, WISHES = (
    "pipelines/changes/readback.py",
    "pipelines/changes/diff.py",
    "pipelines/contacts/wishes.py",
)
ATTEMPT, CARRY, PROOF = (
    "pipelines/operations/attempt.py",
    "pipelines/operations/carry_out.py",
    "pipelines/operations/proof.py",
)
JOURNAL, IDENTITY = "pipelines/operations/journal.py", "pipelines/verbs/identity.py"
LIMITER, SENDER = "connectors/kartra/limiter.py", "connectors/kartra/sender.py"
ANSWERS, RUNS = "connectors/kartra/answers.py", "pipelines/state/runs.py"

FAULTS = (
    # --- what an answer proves
    Fault(
        "a lost answer counts as not sent",
        SENDER,
        "return replace(uniform(call, Effect.UNKNOWN), trouble=str(error))",
        "return replace(uniform(call, Effect.RETRY_LATER), trouble=str(error))",
    ),
    Fault(
        "a page of a proxy counts as not carried out",
        ANSWERS,
        "        return uniform(call, Effect.UNKNOWN, answered)\n    status = _status(answered)",
        "        return uniform(call, Effect.RETRY_LATER, answered)\n    status = _status(answered)",
    ),
    Fault(
        "a 429 counts as done",
        ANSWERS,
        "return replace(uniform(call, Effect.RETRY_LATER, answered), throttled=True)",
        "return uniform(call, Effect.DONE, answered)",
    ),
    Fault(
        "an entry that is missing in the answer counts as done",
        ANSWERS,
        "        ActionAnswer(Effect.UNKNOWN) if inner is None else _single(cmd, inner)\n"
        "        for cmd, inner in zip(call.commands, _matched(call, entries), strict=True)\n"
        "    ]\n\n\ndef _single",
        "        ActionAnswer(Effect.DONE) if inner is None else _single(cmd, inner)\n"
        "        for cmd, inner in zip(call.commands, _matched(call, entries), strict=True)\n"
        "    ]\n\n\ndef _single",
    ),
    # --- delivery
    Fault(
        "what may have landed is sent again without a look",
        NEXT,
        "        task = replace(task, change=change, one_by_one=one_by_one, stage=Stage.UNKNOWN)\n",
        "        task = replace(task, change=change, one_by_one=one_by_one, stage=Stage.DUE)\n",
    ),
    Fault(
        "effects get no time to show",
        TASK,
        "        return now.monotonic_s < self.open_until\n",
        "        return False\n",
    ),
    Fault(
        "a creation that is taken was always there before",
        NEXT,
        "    if now.earlier_try_at is not None or task.tries > 1:\n",
        "    if False:\n",
        theme="creations after any look",
    ),
    Fault(
        "what an earlier run left open is forgotten",
        OUTBOX,
        "        rows = self._queries.unsettled(scope_id=self._scope.scope_id, count=BATCH)\n",
        "        rows: list[Any] = []\n",
    ),
    Fault(
        "a call of a process that just died cannot be on its way",
        TASK,
        "        wait_s = rules.settle_s + rules.on_its_way_s",
        "        wait_s = rules.settle_s",
        theme="late calls of the dead",
    ),
    Fault(
        "the outcome is kept, the lead is not",
        OUTBOX,
        "                self._leads.acknowledge(entry.key, acknowledged)\n            self._queries.settle(\n",  # noqa: E501
        "                pass\n            self._queries.settle(\n",
    ),
    Fault(
        "an intent of a run without its lease is committed",
        "pipelines/calls/context.py",
        "                self.store.runs.check_lease(self.run_id)\n",
        "                pass\n",
        theme="the state is taken away",
    ),
    # --- reading back
    Fault(
        "every lead that is there is our creation",
        READBACK,
        "    if age < -CLOCKS_DIFFER:\n        return False\n",
        "    if age < -CLOCKS_DIFFER:\n        return True\n",
        theme="unanswered about strangers",
    ),
    Fault(
        "all of an open try has landed",
        READBACK,
        "    flags = landed(change, profile)\n",
        "    flags = tuple(True for _ in landed(change, profile))\n",
    ),
    Fault(
        "points have never landed",
        WISHES,
        "    return True if profile.score == before + int(step.label) else None\n",
        "    return False\n",
    ),
    Fault(
        "points have landed whatever the score says",
        WISHES,
        "    if profile.score == before:\n        return False\n",
        "    if profile.score == before:\n        return True\n",
    ),
    Fault(
        "bookings that nobody can prove are made again",
        WISHES,
        "def _no_profile_shows_it(_step: Step, _profile: LeadProfile, _before: int | None) -> bool | None:\n"
        "    return None\n",
        "def _no_profile_shows_it(_step: Step, _profile: LeadProfile, _before: int | None) -> bool | None:\n"
        "    return False\n",
    ),
    Fault(
        "what is unproven is given again",
        DIFF,
        "    others = snapshot.kept | snapshot.unproven\n",
        "    others = snapshot.kept\n",
    ),
    # --- people's choices
    Fault(
        "who left a list is put back on it",
        READBACK,
        "lead_id=profile.id or after.lead_id, kept=after.kept | left)\n",
        "lead_id=profile.id or after.lead_id, kept=after.kept)\n",
        theme="leaving while unknown",
    ),
    Fault(
        "who left a list before it was taken back is put on it again",
        "pipelines/changes/before_call.py",
        "        and step.label not in snapshot.taken\n",
        "        and False\n",
        theme="leaving, going, coming back",
    ),
    Fault(
        "rows without consent are sent",
        "pipelines/contacts/opt_outs.py",
        "        if self.consent is None or word in self._accepted:\n            return None\n",
        "        return None\n",
    ),
    Fault(
        "rows without consent that are read one by one are sent",
        "pipelines/contacts/opt_outs.py",
        "            return Standing(blocked=refused)\n",
        "            return Standing()\n",
        found_by="tests/contacts/test_mapping.py",
    ),
    # --- what changed
    Fault(
        "what is asked for no longer stays",
        DIFF,
        "        gone |= {name for name in ours if not is_silent or (wish.collection, name) in withdrawn}\n",
        "        pass\n",
    ),
    Fault(
        "an address that changes is not sent",
        DIFF,
        "        email=desired.email if desired.email != snapshot.email else None,\n",
        "        email=None,\n",
    ),
    Fault(
        "a record is known before it was acknowledged",
        "sql/state/leads.sql",
        "  AND leads.digest = staged.digest AND leads.removed_at IS NULL AND leads.origin <> 'skipped'\n"
        "  AND staged.row NOT IN (SELECT winner FROM temp.losers)\n",
        "  AND leads.removed_at IS NULL AND leads.origin <> 'skipped'\n"
        "  AND staged.row NOT IN (SELECT winner FROM temp.losers)\n",
    ),
    # --- the window
    Fault(
        "the window is a tenth too short",
        LIMITER,
        "        window_s = seconds + MARGIN_S + learned_s\n",
        "        window_s = 0.9 * seconds\n",
    ),
    Fault(
        "a permit leaves no stamp",
        LIMITER,
        "        return replace(self, stamps=(*self.stamps[1:], now))\n",
        "        return self\n",
    ),
    Fault(
        "one permit too many",
        LIMITER,
        "        if len(past) >= permits:\n            free_at = max(free_at, past[-permits] + window_s)\n",
        "        if len(past) > permits:\n            free_at = max(free_at, past[-permits - 1] + window_s)\n",  # noqa: E501
        found_by="tests/kartra/test_limiter.py",
    ),
    # --- one run at a time
    Fault(
        "a run does not ask who holds the lease",
        RUNS,
        "            if taken is False:  # ",
        "            if False:  # ",
    ),
    Fault(
        "whoever holds a lease is dead",
        "pipelines/state/lease.py",
        "        beats = -dead_after < now - self.heartbeat_at < dead_after\n",
        "        beats = False\n",
    ),
    Fault(
        "a run is silent while it works",
        "pipelines/calls/heartbeat.py",
        "        if self._clock.monotonic() - self._beaten_at > HEARTBEAT_S:\n",
        "        if False:\n",
        theme="long without locks",
    ),
    # --- whose account it is
    Fault(
        "a renewed key is another account",
        IDENTITY,
        "            return Standing(account, config.pipeline, config.kartra.mode, (note,))\n",
        "            return Standing(account_of(config), config.pipeline, config.kartra.mode, (note,))\n",
    ),
    Fault(
        "a renamed pipeline is another one",
        IDENTITY,
        "    renamed = [scope for scope in of_account if scope.file == file]\n",
        "    renamed: list[KnownScope] = []\n",
    ),
    Fault(
        "a URL of another spelling is another account",
        "pipelines/verbs/account.py",
        '    return blake2b(f"{_canonical(url)}\\n{api_key}".encode()',
        '    return blake2b(f"{url}\\n{api_key}".encode()',
        found_by="tests/verbs/test_account.py",
    ),
    Fault(
        "calls without an outcome are nothing that a pipeline knows",
        "pipelines/state/accounts.py",
        "        return self.has_leads or self.has_operations or self.has_unknown\n",
        "        return self.has_leads or self.has_operations\n",
        theme="open calls alone know",
    ),
    # --- money
    Fault(
        "a refund without an answer is sent again without a look",
        ATTEMPT,
        "    return ReadBack(attempt, min(FIRST_READ_S, attempt.settle_s))\n",
        "    return Go(replace(attempt, stage=Stage.SENDING), FIRST_READ_S)\n",
    ),
    Fault(
        "a refund gets no time to show",
        ATTEMPT,
        "    is_last = attempt.read_at_s >= attempt.until_s\n",
        "    is_last = True\n",
    ),
    Fault(
        "what proves nothing proves that it did not happen",
        ATTEMPT,
        "    if judged.verdict is not Verdict.NOT_LANDED:\n        return Settle(attempt, _proven(",
        "    if judged.verdict is Verdict.LANDED:\n        return Settle(attempt, _proven(",
        found_by="tests/operations/test_attempt.py",
    ),
    Fault(
        "a new refund of the sale is never ours",
        PROOF,
        "    ours = [row for row in new if row.transaction_parent_id == asked.transaction]\n",
        "    ours: list[Transaction] = []\n",
    ),
    Fault(
        "a refund that belongs to another row proves this one",
        JOURNAL,
        '        return frozenset(row["refund_id"] for row in rows)\n',
        "        return frozenset()\n",
    ),
    Fault(
        "an operation is done again in the next run",
        JOURNAL,
        '        return {row["key"]: _recorded(row) for row in rows}\n\n    def recorded_elsewhere',
        "        return {}\n\n    def recorded_elsewhere",
    ),
    Fault(
        "a refund of a process that just died cannot be on its way",
        CARRY,
        "self._settle_s + on_its_way_s,\n",
        "self._settle_s,\n",
        theme="late calls of the dead",
    ),
    Fault(
        "what was planned and not sent is counted by nobody",
        "pipelines/verbs/work.py",
        "        outbox.defer(self.context.run_id)\n",
        "        pass\n",
        theme="stopped early",
    ),
)
