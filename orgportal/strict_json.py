"""JSON as the API takes it: what two readers could understand differently is refused (RFC 8259, I-JSON RFC 7493)."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from orgportal.errors import InputError, PortalError

MAX_DEPTH = 32
MAX_KEYS = 1000
INT64 = range(-(2**63), 2**63)

_LONGEST_INT64 = 20
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class _Flaw:
    """Stands in the parsed tree where a value was that cannot be taken."""

    def __init__(self, message: str, key: str | None = None) -> None:
        self.message = message
        self.key = key


class _Reader:
    """One reading. It remembers whether any flaw was met, so that flawless input is never walked through."""

    def __init__(self) -> None:
        self.flawed = False

    def _flaw(self, message: str, key: str | None = None) -> _Flaw:
        self.flawed = True
        return _Flaw(message, key)

    def integer(self, digits: str) -> int | _Flaw:
        # Checked by length first: converting 5,000 digits is slow, or refused by Python itself.
        if len(digits) > _LONGEST_INT64 or int(digits) not in INT64:
            return self._flaw("Use an integer of at most 64 bits.")
        return int(digits)

    def number(self, text: str) -> float | _Flaw:
        value = float(text)
        return value if math.isfinite(value) else self._flaw("The number is too large.")

    def constant(self, name: str) -> _Flaw:
        return self._flaw(f"{name} is not a JSON value.")

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
        if len(pairs) > MAX_KEYS:
            return self._flaw(f"Use at most {MAX_KEYS:,} keys.")
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return self._flaw("The key appears twice.", twice)


def parse(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text in UTF-8.

    Raises PortalError: 400 `malformed_json` for what is not JSON (a byte order mark and UTF-16 included; with `line`
    and `column` from 1 where it is known), 422
    `invalid_input` naming the path for duplicate keys, NaN and infinities, numbers out of range, lone surrogates,
    over 1,000 keys in one object, and nesting over `max_depth` levels.
    """
    text = _decode(body)
    _check_depth(body, max_depth)
    reader = _Reader()
    decoder = json.JSONDecoder(
        object_pairs_hook=reader.members,
        parse_int=reader.integer,
        parse_float=reader.number,
        parse_constant=reader.constant,
    )
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        message = f"Line {error.lineno}, column {error.colno} is not valid JSON."
        raise PortalError("malformed_json", 400, message, data={"line": error.lineno, "column": error.colno}) from None
    if reader.flawed or _SURROGATE_ESCAPE.search(body):
        wrong = list(_flaws(value, ""))
        if wrong:
            raise _invalid(wrong)
    return value


def _malformed(message: str) -> PortalError:
    return PortalError("malformed_json", 400, message)


def _invalid(errors: list[InputError]) -> PortalError:
    return PortalError("invalid_input", 422, "Some of the input is not acceptable.", errors=errors[:100])


def _decode(body: bytes) -> str:
    if body.startswith(_BYTE_ORDER_MARKS):
        raise _malformed("Send UTF-8 without a byte order mark.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"Byte {error.start} is not UTF-8.") from None


def _check_depth(body: bytes, max_depth: int) -> None:
    """Refuse deep nesting before the decoder, which recurses, gets to see it."""
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    depth = 0
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise _invalid([InputError("", f"Nest at most {max_depth} levels.")])
        elif first in b"]}":
            depth -= 1


def _flaws(value: Any, path: str) -> Iterator[InputError]:
    if isinstance(value, _Flaw):
        yield InputError(_join(path, value.key) if value.key is not None else path, value.message)
    elif isinstance(value, str):
        if _SURROGATE.search(value):
            yield InputError(path, "The text holds half of a surrogate pair.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _SURROGATE.search(key):
                yield InputError(path, "A key holds half of a surrogate pair.")
            yield from _flaws(inner, _join(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flaws(inner, _join(path, str(index)))


def _join(path: str, key: str) -> str:
    # The path is echoed to the caller, so half surrogates in it are escaped.
    shown = key.encode("utf-8", "backslashreplace").decode()[:200]
    return f"{path}.{shown}" if path else shown
