"""How the state tells by which way an account is reached."""

import pytest

from pipelines.verbs.account import fingerprint_of

URL = "https://app.kartra.com/api"


@pytest.mark.parametrize(
    "spelled",
    [
        "https://APP.kartra.com/api",
        "https://app.kartra.com:443/api",
        "https://app.kartra.com/api/",
        "HTTPS://app.kartra.com/api",
    ],
)
def test_a_url_has_one_fingerprint_however_it_is_spelled(spelled: str) -> None:
    assert fingerprint_of(spelled, "KEY00000") == fingerprint_of(URL, "KEY00000")


@pytest.mark.parametrize(
    "other",
    ["http://app.kartra.com/api", "https://app.kartra.com:8443/api", "https://app.kartra.example/api"],
)
def test_another_place_or_key_has_another_fingerprint(other: str) -> None:
    assert fingerprint_of(other, "KEY00000") != fingerprint_of(URL, "KEY00000")
    assert fingerprint_of(URL, "KEY00001") != fingerprint_of(URL, "KEY00000")
