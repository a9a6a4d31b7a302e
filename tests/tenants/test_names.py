"""Organizations' names: what is refused, what it folds to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgportal.errors import PortalError
from tenants import names


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("  Acme \t Ltd.  ", "acme_ltd"),
        ("Åland Islands", "aland_islands"),
        ("中华人民共和国", "zhong_hua_ren_min_gong_he_guo"),
        ("ශ්\u200dරී ලංකා", "shrii_lnkaa"),
        ("ＡＣＭＥ", "acme"),
        ("\u212aelvin", "kelvin"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("system.users", "system_users"),
        ("A$AP & Co", "a_ap_co"),
        ("&amp; &#65;", "amp_65"),
        ("3M", "o_3m"),
        ("X", "x_org"),
        ("a" * 200, "a" * 40),
    ],
)
def test_a_name_folds_to_its_slug(name: str, slug: str) -> None:
    assert names.slug_from(name) == slug


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Enter a name"),
        (" \t\n ", "Enter a name"),
        ("..", "letter or digit"),
        ("$", "letter or digit"),
        ("☃☃", "letter or digit"),
        ("a\0b", "control characters"),
        ("a\u202eb", "cannot be seen"),
        ("a\u200bb", "cannot be seen"),
        ("\ufeffab", "cannot be seen"),
        ("a\ud800b", "cannot be seen"),
        ("a\x1fb", "control characters"),
        ("x" * 300, "at most 200"),
        ("x" * 100_000, "at most 200"),
        ("Admin", "reserved"),
        ("ＮＵＬＬ", "reserved"),
        ("www", "reserved"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(PortalError) as refusal:
        names.slug_from(name)
    assert refusal.value.status == 422
    assert refusal.value.errors[0].path == "organization_name"
    assert reason in refusal.value.errors[0].message


@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"$ne": ""}, b"acme"])
def test_what_is_no_text_is_refused(value: object) -> None:
    for check in (names.clean_name, names.clean_slug):
        with pytest.raises(PortalError) as refusal:
            check(value)  # type: ignore[arg-type]
        assert refusal.value.status == 422


@pytest.mark.parametrize(
    "slug", ["", "a", "A", "ab-c", "1ab", "_ab", "a b", "ab\n", "a" * 41, "äb", "admin", "a.b", "a$b", "ab\0"]
)
def test_a_malformed_or_reserved_slug_is_refused(slug: str) -> None:
    with pytest.raises(PortalError) as refusal:
        names.clean_slug(slug)
    assert refusal.value.errors[0].path == "slug"


@given(st.text(max_size=250))
def test_folding_gives_a_well_formed_slug_that_folds_to_itself(name: str) -> None:
    slug = names.suggest_slug(name)
    if slug is not None:
        assert names.SLUG.fullmatch(slug)
        assert names.clean_slug(slug) == slug
        assert names.slug_from(slug) == slug


@given(st.text(max_size=250))
def test_a_cleaned_name_stays_as_it_is(name: str) -> None:
    try:
        cleaned = names.clean_name(name)
    except PortalError:
        return
    assert names.clean_name(cleaned) == cleaned
