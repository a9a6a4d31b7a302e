"""What request and response schemas share: strictness, absent values, the problem document, headers."""

from typing import Annotated, Any

from ninja import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_LIMIT = 500
DEFAULT_LIMIT = 50

ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'

IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "A random UUID: the same key and body give the first answer again for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The `ETag` you read. `412` when it is no longer the current one.",
    "schema": {"type": "string", "pattern": ENTITY_TAGS},
}
IF_NONE_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "An `ETag` you have. `304` when it is still the current one.",
    "schema": {"type": "string", "pattern": ENTITY_TAGS},
}


class Input(BaseModel):
    """A request body: no unknown members, no conversions (`"1"` is no number, `true` is no integer)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Omittable:
    """A member that may be left out, but not be null: `Annotated[str | None, OMITTABLE] = None`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_not_null, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler(schema)
        choices = [choice for choice in shown.pop("anyOf", []) if choice != {"type": "null"}]
        return {**choices[0], **shown} if len(choices) == 1 else {**shown, "anyOf": choices}


OMITTABLE = _Omittable()


def _not_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "Leave it out, or give a value.")
    return value


def _digits(value: Any) -> Any:
    """Only plain digits: Pydantic alone would take "5_0", " 5" and "5.0" as well."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()):
            raise PydanticCustomError("digits", "Use a whole number.")
        return int(value[:10])
    return value


class ListQuery(BaseModel):
    """`?limit=` and `?cursor=` of every list."""

    limit: Annotated[int, BeforeValidator(_digits)] = Field(
        DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many items at most."
    )
    cursor: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=200, pattern="^[A-Za-z0-9_~-]+$", description="`next_cursor` of the page before."
    )


ListParameters = Query[ListQuery]


class ProblemError(BaseModel):
    """One thing wrong with the input."""

    path: str = Field(description="Where: `metadata.colour`; empty for the whole body.", examples=["slug"])
    message: str = Field(description="What, for people.", examples=["Use 2 to 40 of a-z, 0-9 and _."])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Always `about:blank`; `code` tells problems apart.", examples=["about:blank"])
    title: str = Field(description="The phrase of the status.", examples=["Unprocessable Content"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What happened, for people.", examples=["Some of the input is not acceptable."])
    code: str = Field(description="What happened, for programs: stable.", examples=["invalid_input"])
    request_id: str = Field(description="The same as `X-Request-ID`.", examples=["8f1c2c1e5d0f4d0c9a3b6f2f0f5a7e11"])
    errors: list[ProblemError] | None = Field(None, description="What is wrong with the input, if that is it.")


def problems(*statuses: int) -> dict[int, Any]:
    """The error answers of an operation, with those that any may give.

    Each is a `Problem`, as the OpenAPI document says of all that have no schema of their own. Named here, ninja would
    make a model for each of several hundred, which took a quarter of the start of every process.
    """
    return dict.fromkeys(sorted({400, 500, 503, *statuses}))


def headers_of(*parameters: dict[str, Any], answers: dict[int, tuple[str, ...]] | None = None) -> dict[str, Any]:
    """`openapi_extra` for header parameters, and for the headers of successful answers by status."""
    extra: dict[str, Any] = {"parameters": list(parameters)} if parameters else {}
    if answers:
        extra["responses"] = {
            status: {"headers": {name: {"schema": {"type": "string"}} for name in names}}
            for status, names in answers.items()
        }
    return extra
