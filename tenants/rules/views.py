"""The page of the organization's schema: write one, try it, switch it on and off."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.roles import ACTION
from orgportal import strict_json
from orgportal.errors import InputError, PortalError
from orgportal.form_pages import SHOWN_IN_FORM, place_error
from tenants.access import Access, organization_access
from tenants.records import document_text, editor
from tenants.rules import service
from tenants.rules.forms import SchemaForm, SwitchOffForm
from tenants.views import in_organization

TEMPLATE = "tenants/schema.html"
EMPTY: Mapping[str, Any] = {"$schema": service.DIALECT, "type": "object", "properties": {}, "required": []}


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=ACTION["schema.see"].needs)
def schema(request: HttpRequest, access: Access) -> HttpResponse:
    """How it stands with the schema, and for admins an editor for it."""
    if request.method == "POST":
        return _set(request, organization_access(principal=access.principal, needs=ACTION["schema.change"].needs))
    standing = service.get_schema(access=access)
    is_draft = "draft" in request.GET
    shown = service.draft(access=access) if is_draft else _shown(standing)
    form = SchemaForm(initial={"data": _text_of(shown), "rev": standing.rev})
    return render(request, TEMPLATE, {**_context(access, form, standing), "is_draft": is_draft})


def _shown(standing: service.Standing) -> Mapping[str, Any]:
    """What is being worked on: what is checked, else what was tried and did not fit, else what is on."""
    newest = standing.last if standing.last and standing.last.kept.step in {"misfit", "failed"} else None
    found = standing.checking or newest or standing.on or standing.last
    return found.schema if found else EMPTY


def _text_of(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _set(request: HttpRequest, access: Access) -> HttpResponse:
    data = request.POST.copy()
    data["data"] = editor.tidy(str(data.get("data", "")))
    form = SchemaForm(data)
    if not form.is_valid():
        return render(request, TEMPLATE, _context(access, form, service.get_schema(access=access)), status=422)
    text = form.cleaned_data["data"]
    try:
        value = strict_json.parse(text.encode("utf-8", "surrogatepass"))
        if "try" in request.POST:
            service.try_schema(access=access, schema=value)
            messages.success(request, "The records are being held against it. Nothing else has changed.")
        else:
            service.set_schema(access=access, schema=value, expected_rev=form.cleaned_data["rev"])
            messages.success(request, "Every write is held to it from now on. The records that are there are checked.")
    except PortalError as error:
        return _refused(request, access, form, error)
    return redirect("schema")


def _refused(request: HttpRequest, access: Access, form: SchemaForm, error: PortalError) -> HttpResponse:
    """The page again with everything that was typed, and what is wrong at its line."""
    if error.status not in SHOWN_IN_FORM:
        raise error
    text = str(form["data"].value() or "")
    found = editor.problems(text, _below_root(error)) if error.status in {400, 422} else []
    if not found:
        place_error(form, error, beside={})
    standing = service.get_schema(access=access)
    if error.code == "stale":
        form.data = {"data": text, "rev": standing.rev}  # type: ignore[assignment]
    context = _context(access, form, standing) | {
        "problems": [(problem, list(document_text.excerpt(text, problem.line))) for problem in found]
    }
    return render(request, TEMPLATE, context, status=error.status)


def _below_root(error: PortalError) -> PortalError:
    """The same error with paths as the editor has them."""
    errors = [InputError(f"{editor.ROOT}.{part.path}".rstrip("."), part.message) for part in error.errors]
    return PortalError(error.code, error.status, error.message, errors=errors, data=error.data)


def _context(access: Access, form: SchemaForm, standing: service.Standing) -> dict[str, Any]:
    return {
        "form": form,
        "standing": standing,
        "on_text": _text_of(standing.on.schema) if standing.on else "",
        "is_moving": standing.is_moving,
        "may_change": access.role.covers(ACTION["schema.change"].needs),
        "organization": access.organization,
        "sample_size": service.DRAFT_SAMPLE,
    }


@require_POST
@in_organization(needs=ACTION["schema.change"].needs)
def schema_off(request: HttpRequest, access: Access) -> HttpResponse:
    """Switch the schema off."""
    form = SwitchOffForm(request.POST)
    if not form.is_valid():
        raise PortalError("invalid_input", 422, "The form is not complete. Look at the schema again.")
    service.switch_off(access=access, expected_rev=form.cleaned_data["rev"])
    messages.success(request, "The schema is off. Records can hold anything again.")
    return redirect("schema")
