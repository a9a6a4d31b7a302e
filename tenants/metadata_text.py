"""Metadata values as one line of text each, so that a form can show and take them without losing their type."""

import json
import re
from collections.abc import Mapping

from orgportal.errors import invalid

Value = str | int | float | bool | None

LITERALS: Mapping[str, Value] = {"true": True, "false": False, "null": None}
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")


def value_to_text(value: Value) -> str:
    """What `value_from_text` reads back as the same value: a text that looks like something else goes in quotes."""
    if isinstance(value, str) and value.isprintable() and value == value.strip() and value_or_none(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def value_or_none(text: str) -> Value:
    """The value that a line of text stands for, None also where it is malformed."""
    if text in LITERALS:
        return LITERALS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text):
        return float(text)
    if text.startswith('"'):
        return _unquoted(text)
    return text


def _unquoted(text: str) -> str | None:
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def metadata_from_rows(keys: list[str], lines: list[str]) -> dict[str, Value]:
    """The metadata that rows of a form spell out; wholly empty rows are skipped.

    `true`, `false`, `null` and numbers are what they look like, `"…"` keeps a text that looks like one of
    them, everything else is text. Raises PortalError 422 with path `metadata.<key>`.
    """
    metadata: dict[str, Value] = {}
    for raw_key, raw_line in zip(keys, lines, strict=False):
        key, line = raw_key.strip(), raw_line.strip()
        if not key and not line:
            continue
        if not key:
            raise invalid("metadata", f"The value “{line[:40]}” has no key.")
        if key in metadata:
            raise invalid(f"metadata.{key}", f"The key “{key}” is there twice.")
        value = value_or_none(line)
        if value is None and line != "null":
            raise invalid(f"metadata.{key}", f"The value of “{key}” begins with a quote but does not end with one.")
        metadata[key] = value
    return metadata
