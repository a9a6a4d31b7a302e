"""The same rules as a `$jsonSchema` validator, as far as MongoDB has words for them.

The validator is a second line: the portal itself checks every write. So it may let more through than the schema, but
must never refuse what the schema allows. What makes that delicate is that the schema sees relaxed Extended JSON,
where a date, an id, a decimal, binary data and NaN are objects, and MongoDB sees the BSON types. Patterns are left
out on purpose: the database would run them with backtracking, for as long as they take.
Source: https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/
"""

from collections.abc import Callable, Mapping
from typing import Any

# Whatever relaxed Extended JSON writes as an object; doubles because of NaN and the infinities.
TYPES: Mapping[str, list[str]] = {
    "string": ["string"],
    "number": ["int", "long", "double"],
    "integer": ["int", "long", "double"],
    "boolean": ["bool"],
    "null": ["null"],
    "array": ["array"],
    "object": ["object", "date", "objectId", "decimal", "binData", "double"],
}
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
SILENT = frozenset(
    {
        "$schema", "$id", "$defs", "definitions", "$comment", "$anchor", "$dynamicAnchor", "$vocabulary", "title",
        "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
    }
)  # fmt: skip
LARGEST_COUNT = 2**31 - 1
# References are written out; a schema that would become larger than this keeps some of them to itself.
MAX_SUBSCHEMAS = 3000


def translated(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The validator for an organization's collection, and the schema's keywords that it leaves out, sorted."""
    translation = _Translation(schema)
    rules = translation.of(schema, frozenset())
    return {"$jsonSchema": {"properties": {"data": rules}}}, sorted(translation.left_out)


class _Translation:
    """One translation; remembers which keywords had no words in MongoDB."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._subschemas = 0
        self.left_out: set[str] = set()

    def of(self, schema: Any, within: frozenset[str]) -> dict[str, Any]:
        """The rules of a subschema; `within` holds the references that led to it."""
        if schema is False:
            return {"not": {}}
        if not isinstance(schema, dict):
            return {}
        self._subschemas += 1
        rules: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in SILENT:
                continue
            translate = KEYWORDS.get(keyword)
            found = translate(self, value, schema, within) if translate else None
            if found is None:
                self.left_out.add(keyword)
            else:
                for name, rule in found.items():
                    _add(rules, name, rule)
        return rules

    def type_(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        named = [value] if isinstance(value, str) else list(value)
        types = list(dict.fromkeys(bson for name in named for bson in TYPES[name]))
        return {"bsonType": types}

    def choices(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any] | None:
        # MongoDB compares the order of an object's fields, and takes no repetitions.
        if not value or any(isinstance(choice, dict | list) for choice in value):
            return None
        return {"enum": [choice for number, choice in enumerate(value) if _is_first(value, number)]}

    def const(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any] | None:
        return self.choices([value], schema, within)

    def required(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        names = [name for name in dict.fromkeys(value) if _is_field(name)]
        return {"required": names} if names else {}

    def properties(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        return {"properties": {name: self.of(inner, within) for name, inner in value.items() if _is_field(name)}}

    def additional(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any] | None:
        # Which properties are additional depends on these patterns.
        if "patternProperties" in schema:
            return None
        return {"additionalProperties": value if isinstance(value, bool) else self.of(value, within)}

    def items(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        rules = self.of(value, within)
        return {"additionalItems": rules} if "prefixItems" in schema else {"items": rules}

    def prefix_items(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        return {"items": [self.of(inner, within) for inner in value]}

    def all_of(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        return {"allOf": [self.of(inner, within) for inner in value]}

    def any_of(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        return {"allOf": [{"anyOf": [self.of(inner, within) for inner in value]}]}

    def one_of(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        # Each alternative lets more through here, so that two may hold where the schema means one.
        self.left_out.add("oneOf (held to as anyOf)")
        return self.any_of(value, schema, within)

    def reference(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any] | None:
        known = value in within or self._subschemas > MAX_SUBSCHEMAS
        target = None if known else self._target(value)
        return None if target is None else {"allOf": [self.of(target, within | {value})]}

    def _target(self, reference: str) -> Any:
        first, *names = reference.split("/")
        place: Any = self._root
        for name in names:
            place = place.get(name) if isinstance(place, dict) else None
        return place if first == "#" and names and isinstance(place, dict) else None

    def dependent(self, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        lists = {name: [other for other in dict.fromkeys(others) if _is_field(other)] for name, others in value.items()}
        return {"dependencies": {name: others for name, others in lists.items() if others and _is_field(name)}}


Translate = Callable[["_Translation", Any, Mapping[str, Any], frozenset[str]], dict[str, Any] | None]


def _count(keyword: str) -> Translate:
    return lambda self, value, schema, within: {keyword: int(value)} if value <= LARGEST_COUNT else None


def _bound(keyword: str, *, excludes: bool) -> Translate:
    def translate(self: _Translation, value: Any, schema: Mapping[str, Any], within: frozenset[str]) -> Any:
        # MongoDB holds decimals and NaN to it too, which are objects to the schema: then only where it has none.
        types = schema.get("type", "object")
        if "object" in ([types] if isinstance(types, str) else types):
            return None
        return {"allOf": [{keyword: value, f"exclusive{keyword.title()}": True} if excludes else {keyword: value}]}

    return translate


def _add(rules: dict[str, Any], name: str, rule: Any) -> None:
    if name == "allOf":
        rules.setdefault("allOf", []).extend(rule)
    else:
        rules[name] = rule


def _is_field(name: str) -> bool:
    """Whether a stored document can have a field of that name; wrappers such as `$date` are no fields."""
    return bool(name) and not name.startswith("$") and "." not in name and "\0" not in name


def _is_first(choices: list[Any], number: int) -> bool:
    """Whether the same was not among the choices before. True is not 1."""
    choice = choices[number]
    return not any(
        isinstance(other, bool) is isinstance(choice, bool) and other == choice for other in choices[:number]
    )


KEYWORDS: Mapping[str, Translate] = {
    "type": _Translation.type_,
    "enum": _Translation.choices,
    "const": _Translation.const,
    "required": _Translation.required,
    "properties": _Translation.properties,
    "additionalProperties": _Translation.additional,
    "items": _Translation.items,
    "prefixItems": _Translation.prefix_items,
    "allOf": _Translation.all_of,
    "anyOf": _Translation.any_of,
    "oneOf": _Translation.one_of,
    "$ref": _Translation.reference,
    "dependentRequired": _Translation.dependent,
    **{keyword: _count(keyword) for keyword in COUNTS},
    "minimum": _bound("minimum", excludes=False),
    "maximum": _bound("maximum", excludes=False),
    "exclusiveMinimum": _bound("minimum", excludes=True),
    "exclusiveMaximum": _bound("maximum", excludes=True),
}
