"""Documents as lines of Extended JSON, fast: orjson walks them, and Python sees only what JSON has no word for."""

import math
from typing import Any

import orjson

from orgportal.database import Document
from tenants.records import wrappers
from tenants.records.values import to_canonical, to_relaxed

# Subclasses are 64-bit integers and binaries, which need a look.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def relaxed_line(document: Document) -> bytes:
    """The document as `to_relaxed` has it, without a line break."""
    line = orjson.dumps(document, default=wrappers.relaxed, option=_OPTIONS)
    # orjson writes null for NaN and the infinities.
    if b"null" in line and _has_special(document):
        return orjson.dumps(to_relaxed(document))
    return line


def canonical_line(document: Document) -> bytes:
    """The document as `to_canonical` has it, without a line break."""
    return orjson.dumps(to_canonical(document))


def _has_special(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_special(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_has_special(inner) for inner in value)
    return isinstance(value, float) and not math.isfinite(value)
