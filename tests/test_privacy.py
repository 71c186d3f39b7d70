"""What people read along shows no person: addresses are masked wherever they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.privacy import mask_address, mask_text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ann@example.org", "a***@e***.org"),
        ("a@b.de", "a***@b***.de"),
        ("Ann.Lee+news@mail.example.co.uk", "A***@m***.uk"),
        ("jörg@xn--mller-kva.de", "j***@x***.de"),
        ("ann@localhost", "a***@***"),
        ('"a@b"@example.org', '"***@e***.org'),
        ("ann", "***"),
        ("", "***"),
        ("@example.org", "***"),
        ("ann@", "***"),
    ],
)
def test_an_address_shows_its_first_letters_and_its_tld(address: str, shown: str) -> None:
    assert mask_address(address) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lead ann@example.org exists", "lead a***@e***.org exists"),
        (
            "<ann@example.org>, bob@example.net; (eve@example.com)",
            "<a***@e***.org>, b***@e***.net; (e***@e***.com)",
        ),
        ('{"email":"ann@example.org"}', '{"email":"a***@e***.org"}'),
        ("ann@example.org", "a***@e***.org"),
        ("o'brien@example.org", "o***@e***.org"),
        ("mailto:ann@example.org", "mailto:a***@e***.org"),
        ("email=ann@example.org&x=1", None),
        ("no address @ all, a@ or @b", "no address @ all, a@ or @b"),
        ("", ""),
    ],
)
def test_every_address_in_a_text_is_masked(text: str, shown: str | None) -> None:
    masked = mask_text(text)
    assert "ann@example.org" not in masked
    assert shown is None or masked == shown


@given(address=st.emails(), before=st.text(), after=st.text())
def test_no_address_survives_in_any_text(address: str, before: str, after: str) -> None:
    assert address not in mask_text(f"{before} {address} {after}")


@given(address=st.emails())
def test_a_masked_address_tells_no_more_than_two_letters_and_the_tld(address: str) -> None:
    local, _, domain = address.rpartition("@")
    name, _, tld = domain.rpartition(".")
    assert mask_address(address) == f"{local[0]}***@{name[0]}***.{tld}"


@given(text=st.text().filter(lambda text: "@" not in text))
def test_a_text_without_an_address_stays_as_it_is(text: str) -> None:
    assert mask_text(text) == text


@given(text=st.text())
def test_a_masked_text_has_nothing_more_to_mask(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
