"""A page with one form: shown, refused with the reason beside the field, and shown again."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orgportal.errors import PortalError

# What a person can do something about on the same page. The rest (403, 404 ...) gets a page of its own.
SHOWN_IN_FORM = frozenset({400, 409, 412, 422, 429, 503})


def show_form(request: HttpRequest, template: str, form: forms.Form, **context: Any) -> HttpResponse:
    """The page with its form: 200 as long as nothing was sent, 422 when the form itself refused the input."""
    status = 422 if form.is_bound and form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)


def show_refusal(
    request: HttpRequest,
    template: str,
    form: forms.Form,
    error: PortalError,
    *,
    beside: Mapping[str, str] | None = None,
    **context: Any,
) -> HttpResponse:
    """The page again, with what the service refused beside its field or on top, and the error's own status.

    `beside` names the field for an error code that concerns one (`{"email_taken": "email"}`). Raises the error
    again when it is not one that the person can mend here.
    """
    if error.status not in SHOWN_IN_FORM:
        raise error
    place_error(form, error, beside=beside or {})
    response = render(request, template, {"form": form, **context}, status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def place_error(form: forms.Form, error: PortalError, *, beside: Mapping[str, str]) -> None:
    """Put each part of the error beside the field that its path begins with, the rest on top of the form."""
    if not error.errors:
        form.add_error(beside.get(error.code, NON_FIELD_ERRORS), error.message)
    for part in error.errors:
        field = part.path.partition(".")[0]
        form.add_error(field if field in form.fields else NON_FIELD_ERRORS, part.message)
