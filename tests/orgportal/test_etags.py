"""ETag, If-Match and If-None-Match as RFC 9110 has them."""

from dataclasses import dataclass

import pytest
from bson import ObjectId
from django.test import RequestFactory

from orgportal.conventions import etag_of, expected_rev, is_known
from orgportal.errors import PortalError

ID = ObjectId("66f0c0ffee0123456789abcd")
OTHER = ObjectId("66f0c0ffee0123456789abce")


@dataclass(frozen=True)
class Thing:
    id: ObjectId = ID
    rev: int = 3


def rev_for(header: str | None) -> int | None:
    request = RequestFactory().patch("/", headers={} if header is None else {"If-Match": header})
    return expected_rev(request, Thing())


def known(header: str | None, etag: str) -> bool:
    return is_known(RequestFactory().get("/", headers={} if header is None else {"If-None-Match": header}), etag)


def test_a_tag_is_strong_and_changes_with_the_revision_and_with_the_identity() -> None:
    tags = {etag_of(Thing()), etag_of(Thing(rev=4)), etag_of(Thing(id=OTHER))}
    assert len(tags) == 3
    assert etag_of(Thing()) == '"66f0c0ffee0123456789abcd-3"'


def test_a_tag_changes_with_what_else_is_shown() -> None:
    assert etag_of(Thing(), 5) != etag_of(Thing(), 6) != etag_of(Thing())
    assert etag_of(Thing(), 5) == etag_of(Thing(), 5)


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_without_a_tag_any_revision_will_do(header: str | None) -> None:
    assert rev_for(header) is None


@pytest.mark.parametrize(
    "header",
    [
        etag_of(Thing()),
        etag_of(Thing(), "counts at that time"),
        f'"something", {etag_of(Thing())}',
        f'"with,a,comma",{etag_of(Thing())}, W/"x,y"',
        f"{etag_of(Thing(rev=2))},{etag_of(Thing())}",
        f'W/"other" , {etag_of(Thing())} ',
    ],
)
def test_the_current_tag_demands_the_current_revision(header: str) -> None:
    assert rev_for(header) == 3


@pytest.mark.parametrize(
    "header",
    [
        etag_of(Thing(rev=2)),
        etag_of(Thing(rev=30)),
        etag_of(Thing(id=OTHER)),
        "W/" + etag_of(Thing()),
        '""',
        '"*"',
        '"66f0c0ffee0123456789abcd"',
        '"66f0c0ffee0123456789abcd-3-x-y"',
        '"66f0c0ffee0123456789abcd-03"',
    ],
)
def test_another_tag_is_stale(header: str) -> None:
    with pytest.raises(PortalError) as caught:
        rev_for(header)
    assert (caught.value.status, caught.value.code) == (412, "stale")


@pytest.mark.parametrize(
    "header", ["", "abc", '"abc', "3", "W/", 'w/"abc"', '"a" "b"', '"a",', '"a", ', ",", ',"a"', '"a",,"b"', "*, *"]
)
def test_a_header_that_cannot_be_read_is_400(header: str) -> None:
    with pytest.raises(PortalError) as caught:
        rev_for(header)
    assert (caught.value.status, caught.value.code) == (400, "bad_header")


def test_a_representation_is_known_by_its_whole_tag() -> None:
    tag = etag_of(Thing(), 5)
    assert known(tag, tag)
    assert known("W/" + tag, tag)
    assert known(f'"other", {tag}', tag)
    assert known("*", tag)
    assert not known(None, tag)
    assert not known(etag_of(Thing(), 6), tag)
    assert not known(etag_of(Thing()), tag)
