"""ETag, If-Match and If-None-Match for organizations (RFC 9110, sections 8.8 and 13)."""

import hashlib
import re
from collections.abc import Iterator
from typing import Protocol

from bson import ObjectId
from django.http import HttpRequest

from orgportal.errors import PortalError

_TAG = re.compile(r'[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(,|$)')


class Revised(Protocol):
    """Anything with an identity and a revision that every change raises."""

    @property
    def id(self) -> ObjectId: ...

    @property
    def rev(self) -> int: ...


def etag_of(thing: Revised, *further: object) -> str:
    """The strong ETag of a representation.

    `further` is what the representation shows beside the thing itself, such as counts: it changes the tag,
    but not what `If-Match` compares.
    """
    shown = hashlib.sha256(repr(further).encode()).hexdigest()[:12] if further else ""
    return f'"{thing.id}-{thing.rev}{"-" if shown else ""}{shown}"'


def stale() -> PortalError:
    """412: the caller decided on a state that is no longer there."""
    return PortalError("stale", 412, "It has changed since you read it. Read it again.")


def expected_rev(request: HttpRequest, thing: Revised) -> int | None:
    """The revision that `If-Match` demands; None when any will do.

    Raises PortalError 412 when no given tag is that of the thing (a weak tag never is), 400 when the
    header cannot be read.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    for weak, tag in _tags(header, "If-Match"):
        if not weak and _same_state(tag, thing):
            return thing.rev
    raise stale()


def expected_tags(request: HttpRequest) -> frozenset[str] | None:
    """The strong tags, without quotes, of which `If-Match` demands one; None when any state will do.

    For what is compared by whoever changes it. Raises PortalError 400 when the header cannot be read.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _tags(header, "If-Match") if not weak)


def is_known(request: HttpRequest, etag: str) -> bool:
    """Whether `If-None-Match` says that the caller already has this representation (304)."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return False
    return header.strip() == "*" or any(f'"{tag}"' == etag for _, tag in _tags(header, "If-None-Match"))


def _same_state(tag: str, thing: Revised) -> bool:
    return tag.split("-")[:2] == [str(thing.id), str(thing.rev)] and tag.count("-") <= 2


def _tags(header: str, name: str) -> Iterator[tuple[bool, str]]:
    """Each tag and whether it is weak. Commas may be part of a tag, so the header is not just split."""
    position, more = 0, True
    while more:
        found = _TAG.match(header, position)
        if found is None:
            raise PortalError("bad_header", 400, f"{name} takes an ETag of an earlier answer, quotes included, or *.")
        yield bool(found[1]), found[2]
        position, more = found.end(), bool(found[3])
