"""Addresses in one form: the same person has one key, and what is no address says why."""

import re
import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.contacts.addresses import (
    SEVERAL,
    InvalidAddressError,
    addresses_in,
    normal_address,
    words_beside,
)

letters = st.characters(categories=["L", "M", "N"])
domains = st.builds(
    "{}.{}".format, st.text(letters, min_size=1, max_size=8), st.sampled_from(["org", "co.uk", "test", "рф"])
)
address_like = st.builds("{}@{}".format, st.text(letters | st.sampled_from(".+-_'"), min_size=1), domains)


def normal_or_reason(cell: str) -> str:
    try:
        return normal_address(cell)
    except InvalidAddressError as error:
        return f"invalid: {error}"


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("ann@example.org", "ann@example.org"),
        (" Ann.Lee@Example.ORG\t", "ann.lee@example.org"),
        ("ann+news@example.co.uk", "ann+news@example.co.uk"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ann@müller.de", "ann@xn--mller-kva.de"),
        ("ann@MÜLLER.de", "ann@xn--mller-kva.de"),
        ("ann@mu\u0308ller.de", "ann@xn--mller-kva.de"),
        ("ann@xn--mller-kva.de", "ann@xn--mller-kva.de"),
        ("ann@straße.de", "ann@xn--strae-oqa.de"),
        ("JÖRG@example.org", "jörg@example.org"),
        ("jo\u0308rg@example.org", "jörg@example.org"),
        ("ann@shop.test", "ann@shop.test"),
        ("\ufeff ann@example.org".lstrip("\ufeff"), "ann@example.org"),
        ("\u00a0ann@example.org\u2003", "ann@example.org"),
        ("Ann <ann@example.org>", "ann@example.org"),
        ("<ann@example.org>", "ann@example.org"),
        ('"Lee, Ann" <Ann@Example.org>', "ann@example.org"),
        ("ann@example.org <ann@example.org>", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("mailto:ann@example.org?subject=Hello%20there", "ann@example.org"),
        ("[ann@example.org](mailto:ann@example.org)", "ann@example.org"),
        ("E-Mail: ann@example.org", "ann@example.org"),
        ("ann@example.org (work)", "ann@example.org"),
        ("'ann@example.org", "ann@example.org"),
        ("ann@example.org'", "ann@example.org"),
        ('"ann@example.org"', "ann@example.org"),
        ('="ann@example.org"', "ann@example.org"),
        ("“ann@example.org", "ann@example.org"),
        ("«ann@example.org»", "ann@example.org"),
        ("’ann@example.org", "ann@example.org"),
        ("`ann@example.org", "ann@example.org"),
        ("• ann@example.org", "ann@example.org"),
        ("·ann@example.org", "ann@example.org"),
        ("*ann@example.org", "ann@example.org"),
        ("- ann@example.org", "ann@example.org"),
        ("|ann@example.org", "ann@example.org"),
        ("[ann@example.org]", "ann@example.org"),
        ("{ann@example.org}", "ann@example.org"),
        ("ann@example.org,", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("%20ann@example.org", "ann@example.org"),
        ("ann%40example.org", "ann@example.org"),
        ("ann&#64;example.org", "ann@example.org"),
        ("&lt;ann@example.org&gt;", "ann@example.org"),
        ("\u200bann@example.org", "ann@example.org"),
        ("\ufeffann@example.org\u200b", "ann@example.org"),
        ("\u202aann@example.org\u202c", "ann@example.org"),
        ("ann@exam\u00adple.org", "ann@example.org"),
        ("ann\uff20example.org", "ann@example.org"),
        ("ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ann@example.org"),
        ("ann\ufe6bexample.org", "ann@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("'o'neil@example.org'", "o'neil@example.org"),
        ("_ann@example.org", "_ann@example.org"),
    ],
)
def test_one_person_has_one_key(cell: str, address: str) -> None:
    assert normal_address(cell) == address


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "no e-mail address"),
        (" \t", "no e-mail address"),
        ("ann", "not an e-mail address: no @"),
        ("ann.example.org", "not an e-mail address: no @"),
        ("ann@", "not an e-mail address: the domain has no dot"),
        ("@example.org", "not an e-mail address"),
        ("ann@localhost", "not an e-mail address: the domain has no dot"),
        ("ann@bob@example.org", "not an e-mail address: more than one @"),
        ("ann lee@example.org", "not an e-mail address: a space in it"),
        ("ann@exam ple.org", "not an e-mail address: a space in it"),
        ("ann..lee@example.org", "not an e-mail address"),
        (".ann@example.org", "not an e-mail address"),
        ("ann@-example.org", "not an e-mail address"),
        ("ann@example..org", "not an e-mail address"),
        ("ann@[127.0.0.1]", "not an e-mail address"),
        ("ann@\u2603\u2603.org", "e-mail address with an impossible domain"),
        ("=ann@example.org", "not an e-mail address: it begins with ="),
        ("#ann@example.org", "not an e-mail address: it begins with #"),
        ("?ann@example.org", "not an e-mail address: it begins with ?"),
        ("+ann@example.org", "not an e-mail address: it begins with +"),
        ("-ann@example.org", "not an e-mail address: it begins with -"),
        ("😀ann@example.org", "not an e-mail address: it begins with 😀"),
        ("ann@example.c", "not an e-mail address: the domain ends in a single letter"),
        ("Ann Lee ann@example.org", "not an e-mail address: a space in it"),
        ("left: ann@example.org", "not an e-mail address: a space in it"),
        ("\u200b", "no e-mail address"),
        ("ann@example.org; bob@example.org", SEVERAL),
        ("ann@example.org bob@example.org", SEVERAL),
        ("ann@example.org/bob@example.org", SEVERAL),
        ("ann@example.org\nbob@example.org", SEVERAL),
        ("bob@example.org <ann@example.org>", SEVERAL),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.org", "e-mail address too long"),
        ("a\x00b@example.org", "not an e-mail address"),
    ],
)
def test_what_is_no_address_says_why_without_the_address(cell: str, reason: str) -> None:
    with pytest.raises(InvalidAddressError) as refusal:
        normal_address(cell)
    assert str(refusal.value) == reason


@given(cell=address_like | st.emails())
@example("İ@example.org")
@example("ẞ@example.org")
@example("ΑΣ@example.org")
@example("ſ@example.org")
@example("ann@ﬁ.org")
@example("a\u0345@example.org")
def test_a_normal_address_is_its_own_normal_form(cell: str) -> None:
    address = normal_or_reason(cell)
    if not address.startswith("invalid: "):
        assert normal_or_reason(address) == address


@given(cell=st.emails())
def test_case_and_blanks_around_an_address_do_not_count(cell: str) -> None:
    assert normal_or_reason(f"  {cell.upper()} ") == normal_or_reason(cell)


@given(cell=address_like)
def test_both_unicode_forms_of_an_address_are_one(cell: str) -> None:
    composed = normal_or_reason(unicodedata.normalize("NFC", cell))
    assert normal_or_reason(unicodedata.normalize("NFD", cell)) == composed


@given(cell=st.text() | address_like | st.text().map("{}@example.org".format))
def test_any_cell_is_an_address_or_a_reason(cell: str) -> None:
    address = normal_or_reason(cell)
    if not address.startswith("invalid: "):
        local, _, domain = address.partition("@")
        assert local
        assert domain.isascii()
        assert "." in domain
        assert address == address.lower()
        assert len(address) <= 254


def by_the_library_alone(text: str) -> str:
    """What email-validator makes of an address in ASCII; "" where it takes it for none."""
    try:
        found = validate_email(text.strip().lower(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return ""
    is_possible = "." in found.ascii_domain and len(found.ascii_domain.rpartition(".")[2]) > 1
    return f"{found.local_part}@{found.ascii_domain}".lower() if is_possible else ""


parts_of_addresses = st.lists(
    st.sampled_from(
        [*"aZ0-_+.@ '\"[]()<>\\/=", "..", "ann", "example.org", "xn--", "test", "local", "x" * 63, "1.2"]
    ),
    max_size=12,
).map("".join)


@given(local=parts_of_addresses, domain=parts_of_addresses, end=st.sampled_from([".org", ".test", "", "."]))
def test_addresses_are_what_the_library_says_they_are(local: str, domain: str, end: str) -> None:
    for text in (f"{local}@{domain}{end}", f"ann@{domain}{end}", f"{local}@example{end}"):
        try:
            found = normal_address(text)
        except InvalidAddressError:
            found = ""
        alone = by_the_library_alone(text) if len(text.strip()) <= 254 else ""
        if re.fullmatch(r"[A-Za-z0-9_][^'\"\[\]()<>\\\s]*[A-Za-z0-9]", text):  # nothing can be taken off
            assert found == alone
        else:
            assert by_the_library_alone(found) == found
            assert found in text.lower()


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("ann@example.org", ["ann@example.org"]),
        ("P0 Person <p0@example.org>", ["p0@example.org"]),
        ("mailto:p1@example.org", ["p1@example.org"]),
        ("p2@example.org; Q@example.org", ["p2@example.org", "q@example.org"]),
        ("p2@example.org/q@example.org\nr@example.org", ["p2@example.org", "q@example.org", "r@example.org"]),
        ("'p3@example.org", ["p3@example.org"]),
        ("p4@example.org.", ["p4@example.org"]),
        ("\u200bp5@example.org", ["p5@example.org"]),
        (" P6@Example.ORG ", ["p6@example.org"]),
        ("=p7@example.org", ["=p7@example.org", "p7@example.org"]),
        ("Person (p8@example.org), left", ["p8@example.org"]),
        ("please do not mail p9@exämple.org!", ["p9@xn--exmple-cua.org"]),
        ("<a href='mailto:p1@example.org'>p1@example.org</a>", ["p1@example.org"]),
        ('{"email":"p2@example.org"}', ["p2@example.org"]),
        ("email=p3@example.org", ["email=p3@example.org", "p3@example.org"]),
        ("p4@example.org→q@example.org", ["p4@example.org", "q@example.org"]),
        (r"p5@example.org\nq@example.org", ["p5@example.org", "q@example.org"]),
        ("o'neil@example.org", ["o'neil@example.org"]),
        ("no address", []),
        ("p0@localhost", []),
        ("", []),
    ],
)
def test_every_address_of_a_cell_is_found(cell: str, addresses: list[str]) -> None:
    assert list(addresses_in(cell)) == addresses


@given(cell=st.text() | address_like | parts_of_addresses)
def test_the_address_of_a_cell_is_one_of_those_in_it(cell: str) -> None:
    address = normal_or_reason(cell)
    if not address.startswith("invalid: "):
        assert address in addresses_in(cell)


def test_what_stands_beside_an_address_is_known() -> None:
    assert words_beside("Do not mail <ann@example.org> (left)") == "do not mail (left)"
    assert words_beside("ann@example.org") == ""
