"""Lives that once violated something, as plans: a seed plays another life once the drawing has changed."""

from tests.simulate.plan import Day, Plan

FOUND = {
    "a run that was stopped and lost its lease meanwhile lets no call go": Plan(
        seed=3,
        scoring=True,
        locks=False,
        days=(Day(edits=False, pause=(0.8, 150.0), second_after_s=125.0),),
    ),
    "what only open calls know goes with a pipeline that is renamed": Plan(
        seed=289,
        leads=3,
        by_number=True,
        scoring=True,
        locks=False,
        days=(
            Day(edits=False, kill_at=56, gap_s=20.0),
            Day(edits=False, gap_s=20.0, before="rotate the key"),
            Day(gap_s=3.0, before="rename"),
        ),
    ),
    "a refund that was parked in Test mode can be resolved once the App is live": Plan(
        seed=3,
        kind="money",
        leads=6,
        test_mode=True,
        options=(("transaction_extras", False),),
        days=(Day(edits=False, weather=(("silence", 0.5),)), Day(edits=False, before="go live")),
    ),
}
