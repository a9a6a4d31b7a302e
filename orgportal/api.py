"""The JSON API: one object that parses strictly, answers errors as problem+json and documents itself."""

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.utils.datastructures import MultiValueDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.types import DictStrAny

from accounts.api import router as authentication
from accounts.api_keys.api import router as api_keys
from accounts.factors.api import router as second_factor
from accounts.invitations.api import accepting as accepting_invitations
from accounts.invitations.api import router as invitations
from accounts.membership.api import router as members
from accounts.passkeys.api import router as passkeys
from accounts.recovery_api import router as recovery
from accounts.session_list.api import router as session_list
from orgportal import answers, strict_json
from orgportal.api_documentation import DESCRIPTION, Docs, completed
from orgportal.errors import InputError, PortalError, invalid, unauthenticated
from tenants.api import router as organizations
from tenants.audit.api import router as audit
from tenants.exports.api import router as exports
from tenants.figures.api import router as figures
from tenants.imports.api import router as imports
from tenants.policies.api import router as policies
from tenants.record_indexes.api import router as indexes
from tenants.records.api import router as records
from tenants.rules.api import router as schema

# Where ninja says that the input came from; paths in `errors` begin behind it.
_SOURCES = frozenset({"body", "query", "path", "header", "cookie", "form"})


class StrictParser(Parser):
    """Bodies in strict JSON only."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        """The body's JSON. Raises PortalError 415 for another content type, 400 and 422 as `strict_json.parse`.

        An operation whose bodies may nest deeper than others has set `max_json_depth` on the request.
        """
        if request.content_type != "application/json":
            raise PortalError("unsupported_media_type", 415, "Send the body as application/json.")
        depth: int = getattr(request, "max_json_depth", strict_json.MAX_DEPTH)
        return cast(DictStrAny, strict_json.parse(request.body, max_depth=depth))

    def parse_querydict(
        self, data: "MultiValueDict[str, Any]", list_fields: list[str], request: HttpRequest
    ) -> DictStrAny:
        """The parameters of the query. Raises PortalError 422 for one that is given twice."""
        for name, values in data.lists():
            if len(values) > 1:
                raise invalid(name[:200], "Give it once.")
        return super().parse_querydict(data, list_fields, request)


class PortalAPI(NinjaAPI):
    """NinjaAPI with this portal's errors and its completed OpenAPI document, made once."""

    _document: OpenAPISchema | None = None

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        """The OpenAPI document."""
        if self._document is None:
            self._document = completed(super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params))
        return self._document

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        """The answer to whatever an operation raised; what is not known goes on to Django."""
        known = _known(exc)
        if known is None:
            raise exc
        return answers.answer(request, known)


def _known(error: Exception) -> PortalError | None:
    if isinstance(error, ValidationError):
        return _invalid_input(error)
    if isinstance(error, AuthenticationError):
        return unauthenticated()
    if isinstance(error, HttpError):
        # Ninja wraps what the parser raised.
        return answers.as_portal_error(error.__cause__) if error.__cause__ else None
    return answers.as_portal_error(error)


def _invalid_input(error: ValidationError) -> PortalError:
    errors = [InputError(_path(wrong["loc"]), str(wrong["msg"])[:300]) for wrong in error.errors[:100]]
    return PortalError("invalid_input", 422, "Some of the input is not acceptable.", errors=errors)


def _path(location: tuple[str | int, ...]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[0] in _SOURCES:
        # The second part is the name of the view's own argument for the body.
        parts = parts[2:] if parts[0] == "body" else parts[1:]
    return ".".join(part.encode("utf-8", "backslashreplace").decode()[:200] for part in parts)


def _read_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """405 for other methods, rather than a complaint about the CSRF token."""
    return csrf_exempt(require_safe(view))


api = PortalAPI(
    title="orgportal",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    parser=StrictParser(),
    docs=Docs(),
    docs_decorator=_read_only,
)
api.add_router("/auth", authentication)
api.add_router("/auth", second_factor)
api.add_router("/auth", passkeys)
api.add_router("/auth", recovery)
api.add_router("/auth", session_list)
api.add_router("/orgs", invitations)
api.add_router("/invitations", accepting_invitations)
api.add_router("/orgs", organizations)
api.add_router("/orgs", members)
api.add_router("/orgs", api_keys)
api.add_router("/orgs", audit)
api.add_router("/orgs", records)
api.add_router("/orgs", schema)
api.add_router("/orgs", indexes)
api.add_router("/orgs", figures)
api.add_router("/orgs", imports)
api.add_router("/orgs", exports)
api.add_router("/orgs", policies)
