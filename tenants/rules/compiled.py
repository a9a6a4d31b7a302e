"""A JSON Schema (draft 2020-12), made ready for checking data, and what data does wrong by it.

Checked is the data as relaxed Extended JSON has it: a date is `{"$date": "2026-01-31T…Z"}`. Formats are checked too.
Nothing is ever fetched, patterns run in time proportional to the text (the `regex` crate, which has no backtracking),
and how long one record may take is bounded by the weight of the schema times the amount of data.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson
from bson import ObjectId

from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants.records.values import join, to_relaxed
from tenants.rules.weight import weight_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 64 * 1024
MAX_PATTERNS = 40
# Bytes that all compiled patterns of a schema may take together.
PATTERN_MEMORY = 8_000_000
PATTERN_MEMORY_EACH = 4_000_000
# Weight times amount of data: some tenths of a second at the worst.
MAX_WORK = 2_000_000
# Texts count by their length as well: so many characters are one value more.
TEXT_UNIT = 64
MAX_ERRORS = 20
# Beyond so many values in one record only the first error is looked for: to list them takes as long as there are.
MANY_VALUES = 20_000
MESSAGE_LENGTH = 200
KEPT_SCHEMAS = 32


def invalid_schema(path: str, message: str) -> PortalError:
    """422: what was sent is no schema, or none that can be used; `path` is where in the schema."""
    return PortalError("invalid_schema", 422, "This schema cannot be used.", errors=[InputError(path, message)])


@dataclass(frozen=True)
class CompiledSchema:
    """A schema that data can be checked against; safe to share between threads."""

    validator: Any
    weight: int

    def errors(self, data: Document, *, path: str = "data") -> list[InputError]:
        """What is wrong with the data (BSON values), at most 20 entries; empty when it fits."""
        relaxed = to_relaxed(data)
        amount = _amount(relaxed, at_most=MAX_WORK // self.weight)
        if amount is None:
            return [InputError(path, "The record holds too much to be checked against a schema of this size.")]
        if self.validator.is_valid(relaxed):
            return []
        if amount > MANY_VALUES:
            return list(self._first_error(relaxed, path))
        return [_input_error(error, path) for error in islice(self.validator.iter_errors(relaxed), MAX_ERRORS)]

    def _first_error(self, relaxed: Any, path: str) -> Iterator[InputError]:
        try:
            self.validator.validate(relaxed)
        except jsonschema_rs.ValidationError as error:
            yield _input_error(error, path)


def _amount(value: Any, *, at_most: int) -> int | None:
    """How much there is to check, in values; None for more than `at_most`."""
    amount, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        amount += 1
        if type(inner) is str:
            amount += len(inner) // TEXT_UNIT
        elif type(inner) is dict:
            waiting.extend(inner.values())
        elif type(inner) is list:
            waiting.extend(inner)
        if amount > at_most:
            return None
    return amount


def _input_error(error: Any, path: str) -> InputError:
    where = path
    for part in error.instance_path:
        where = join(where, part)
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        return InputError(join(where, error.kind.property), "This field is required.")
    return InputError(where, shortened(error.message))


def shortened(message: str) -> str:
    """A message that repeats the value, without most of a long one; what is wrong stands at its end."""
    if len(message) <= MESSAGE_LENGTH:
        return message
    return f"{message[: MESSAGE_LENGTH // 3]} … {message[-MESSAGE_LENGTH // 2 :]}"


def accepted_text(schema: object) -> str:
    """The text under which a schema is kept.

    Raises PortalError 422 `invalid_schema`, naming the place in the schema, for what is no JSON Schema of draft
    2020-12, refers out of itself, has patterns that no linear-time engine can run, or is too large or too costly.
    """
    if not isinstance(schema, dict):
        raise invalid_schema("", "Use a JSON object.")
    try:
        text = orjson.dumps(schema)
    except TypeError:
        raise invalid_schema("", "It nests too deep, or holds what JSON cannot.") from None
    if len(text) > MAX_BYTES:
        raise invalid_schema("", f"A schema has at most {MAX_BYTES // 1024} KiB; this one has {len(text):,} bytes.")
    compile_schema(schema)
    return text.decode()


def compile_schema(schema: Mapping[str, Any]) -> CompiledSchema:
    """The schema, ready for use. Raises PortalError as `accepted_text`."""
    _check_dialect(schema)
    weight = weight_of(schema)
    patterns = _count_patterns(schema)
    if patterns > MAX_PATTERNS:
        raise invalid_schema("", f"Use at most {MAX_PATTERNS} patterns.")
    memory = min(PATTERN_MEMORY_EACH, PATTERN_MEMORY // max(patterns, 1))
    try:
        validator = jsonschema_rs.Draft202012Validator(
            dict(schema),
            pattern_options=jsonschema_rs.RegexOptions(size_limit=memory, dfa_size_limit=memory),
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
        )
    except jsonschema_rs.ValidationError as error:
        raise invalid_schema(_place(error), _schema_message(error)) from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise invalid_schema("", shortened(str(error))) from None
    return CompiledSchema(validator, weight)


def _check_dialect(schema: Mapping[str, Any]) -> None:
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        raise invalid_schema("$schema", f"Only draft 2020-12 is known: {DIALECT}.")
    waiting: list[tuple[str, Any]] = [(name, value) for name, value in schema.items() if name not in {"$schema", "$id"}]
    while waiting:
        path, value = waiting.pop()
        name = path.rpartition(".")[2]
        if name in {"$schema", "$id"} and isinstance(value, str):
            raise invalid_schema(path, "Only the whole schema can have this.")
        if name == "format" and value == "regex":
            raise invalid_schema(path, "Data is never read as a pattern.")
        if isinstance(value, dict):
            waiting.extend((f"{path}.{inner}", value[inner]) for inner in value)
        elif isinstance(value, list):
            waiting.extend((f"{path}.{index}", inner) for index, inner in enumerate(value))


def _count_patterns(schema: Any) -> int:
    count, waiting = 0, [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += isinstance(value.get("pattern"), str)
            several = value.get("patternProperties")
            count += len(several) if isinstance(several, dict) else 0
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return count


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error.instance_path)


def _schema_message(error: Any) -> str:
    message = str(error.message)
    if message.endswith('is not a "regex"'):
        return (
            "This pattern cannot be used. Look-around and back-references do not run in linear time, and counted "
            "repetitions of large classes take too much memory."
        )
    if error.instance_path and error.instance_path[-1] == "type":
        return "Use array, boolean, integer, null, number, object or string, or a list of some of them."
    return shortened(message.partition(". Adjust configuration")[0])


_kept: OrderedDict[ObjectId, CompiledSchema] = OrderedDict()
_lock = threading.Lock()


def kept(schema_id: ObjectId, load: Callable[[], str]) -> CompiledSchema:
    """The compiled schema of that id, which never changes; `load` gives its text when this process has it no longer."""
    with _lock:
        if schema_id in _kept:
            _kept.move_to_end(schema_id)
            return _kept[schema_id]
    compiled = compile_schema(orjson.loads(load()))
    with _lock:
        _kept[schema_id] = compiled
        while len(_kept) > KEPT_SCHEMAS:
            _kept.popitem(last=False)
    return compiled
