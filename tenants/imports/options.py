"""How a file is to be imported, as its sender says it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from orgportal.database import Document
from orgportal.errors import invalid
from tenants.records.values import ID, name_flaw

Format = Literal["ndjson", "json", "csv", "ejson"]
Mode = Literal["insert", "upsert"]
FORMATS: tuple[Format, ...] = get_args(Format)
MODES: tuple[Mode, ...] = get_args(Mode)
KINDS = ("auto", "string", "number", "integer", "boolean", "date", "json")
DELIMITERS: Mapping[str, str] = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MAX_KEY_FIELDS = 4
MAX_TEXT = 2000
_TYPE = re.compile(r"(.+):([a-z]+)", re.DOTALL)


@dataclass(frozen=True)
class Options:
    """Checked. `key` are the field paths that tell what is updated; the rest concerns CSV only.

    `types` says by column what its cells are, `missing` which texts stand for no value, `infer` whether cells
    without a type are looked at; `delimiter` is "" where it is to be found out.
    """

    format: Format = "ndjson"
    mode: Mode = "insert"
    key: tuple[str, ...] = (ID,)
    dry_run: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    infer: bool = True
    missing: tuple[str, ...] = ()
    delimiter: str = ""

    def as_document(self) -> Document:
        """As it is stored: columns may have names that are no names of fields."""
        stored = asdict(self)
        return {**stored, "key": list(self.key), "missing": list(self.missing), "types": list(self.types.items())}


def options_from(stored: Mapping[str, Any]) -> Options:
    """The options of a stored import."""
    return Options(
        format=stored["format"],
        mode=stored["mode"],
        key=tuple(stored["key"]),
        dry_run=stored["dry_run"],
        types=dict(stored["types"]),
        infer=stored["infer"],
        missing=tuple(stored["missing"]),
        delimiter=stored["delimiter"],
    )


def read_options(
    *,
    format: str,
    mode: str = "insert",
    key: str | None = None,
    dry_run: bool = False,
    types: str | None = None,
    infer: bool = True,
    missing: str | None = None,
    delimiter: str | None = None,
) -> Options:
    """The options that texts say, such as `types="price:number,code:string"`, `key="country,code"`.

    Raises PortalError 422 naming the one that is wrong, also where one has no meaning for the format or mode.
    """
    if format not in FORMATS:
        raise invalid("format", f"Use one of {', '.join(FORMATS)}.")
    if mode not in MODES:
        raise invalid("mode", f"Use one of {', '.join(MODES)}.")
    if key is not None and mode != "upsert":
        raise invalid("key", "Only mode=upsert has a key.")
    given = {"types": types, "missing": missing, "delimiter": delimiter, "infer": None if infer else "0"}
    for name, value in given.items():
        if value is not None and format != "csv":
            raise invalid(name, "Only format=csv has this.")
    return Options(
        format=_one_of(FORMATS, format),
        mode=_one_of(MODES, mode),
        key=_key(key),
        dry_run=dry_run,
        types=_types(types),
        infer=infer,
        missing=tuple(_words("missing", missing)),
        delimiter=_delimiter(delimiter),
    )


def _one_of(allowed: tuple[Any, ...], value: str) -> Any:
    return allowed[allowed.index(value)]


def _words(name: str, text: str | None) -> list[str]:
    if text is None:
        return []
    if len(text) > MAX_TEXT or "\0" in text:
        raise invalid(name, f"Use at most {MAX_TEXT:,} characters.")
    return [word.strip() for word in text.split(",") if word.strip()]


def _key(text: str | None) -> tuple[str, ...]:
    paths = _words("key", text) or [ID]
    if len(paths) > MAX_KEY_FIELDS or len(set(paths)) != len(paths):
        raise invalid("key", f"Use at most {MAX_KEY_FIELDS} different fields.")
    if ID in paths and len(paths) > 1:
        raise invalid("key", "The id alone tells which record is meant.")
    for path in paths:
        if path != ID and any(name_flaw(name) for name in path.split(".")):
            raise invalid("key", f"There is no field with the path {path[:200]}.")
    return tuple(paths)


def _types(text: str | None) -> dict[str, str]:
    types: dict[str, str] = {}
    for word in _words("types", text):
        found = _TYPE.fullmatch(word)
        if found is None or found[2] not in KINDS:
            raise invalid("types", f"Use column:type with a type of {', '.join(KINDS)}, separated by commas.")
        if types.setdefault(found[1], found[2]) != found[2]:
            raise invalid("types", f"The column {found[1][:200]} has two types.")
    return types


def _delimiter(name: str | None) -> str:
    if name is None:
        return ""
    if name not in DELIMITERS:
        raise invalid("delimiter", f"Use one of {', '.join(DELIMITERS)}.")
    return DELIMITERS[name]
