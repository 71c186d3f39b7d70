"""One lead by hand: created, or edited where she is there already, tagged and put on a list."""

import os

from connectors.kartra import KartraClient, Lead, RefusedApiError, commands

with KartraClient.connect(
    app_id=os.environ["KARTRA_APP_ID"],
    api_key=os.environ["KARTRA_API_KEY"],
    api_password=os.environ["KARTRA_API_PASSWORD"],
    url=os.environ.get("KARTRA_URL", "https://app.kartra.com/api"),
) as kartra:
    ann = Lead(email="ann@example.org", fields={"first_name": "Ann"})
    try:
        kartra.create_lead(ann)
    except RefusedApiError as error:
        if error.type != "244":  # she is there already
            raise
        kartra.edit_lead(ann)
    kartra.chain(  # several actions on one lead are one call
        Lead(email="ann@example.org"),
        commands.assign_tag("VIP"),
        commands.subscribe_lead_to_list("News"),
    )
    print(sorted(kartra.get_lead(Lead(email="ann@example.org")).tags))
