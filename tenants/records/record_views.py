"""Pages of single records: look at one, change, create, duplicate, delete. Each is guard, form, service, redirect."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import authors
from accounts.roles import Role
from orgportal.errors import PortalError
from orgportal.form_pages import SHOWN_IN_FORM, place_error
from tenants.access import Access, organization_access
from tenants.forms import new_form_key
from tenants.records import calls, diffs, document_text, editor, store
from tenants.records.addresses import api_address
from tenants.records.documents import Record
from tenants.records.forms import DeleteRecordForm, NewRecordForm, RecordForm
from tenants.views import in_organization

PAGE = "tenants/records/record.html"
NEW_PAGE = "tenants/records/new.html"
DELETE_PAGE = "tenants/records/record_delete.html"
EXAMPLE = '{\n  "name": "",\n  "since": {"$date": "2024-05-01T00:00:00Z"}\n}'


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization()
def record(request: HttpRequest, access: Access, id: str) -> HttpResponse:
    """One record as text, with what the portal knows about it; saving needs the version that was shown."""
    if request.method == "POST":
        return _save(request, organization_access(principal=access.principal, needs=Role.EDITOR), id)
    found = store.get_record(access=access, id=id)
    form = RecordForm(initial={"data": document_text.text_of(found.data), "version": found.version})
    return render(request, PAGE, _context(access, form, found))


def _save(request: HttpRequest, access: Access, id: str) -> HttpResponse:
    form = RecordForm(_tidied(request))
    if not form.is_valid():
        return _refused(request, access, form, id, PortalError("bad_form", 422, "The form is not complete."))
    try:
        data = editor.read(form.cleaned_data["data"])
        saved = store.replace_record(access=access, id=id, data=data, expected={form.cleaned_data["version"]})
    except PortalError as error:
        return _refused(request, access, form, id, error)
    messages.success(request, f"Saved. This is revision {saved.rev} now.")
    return redirect("record", id=id)


def _refused(request: HttpRequest, access: Access, form: RecordForm, id: str, error: PortalError) -> HttpResponse:
    """The page again with everything that was typed: what is wrong, what somebody else saved, or that it is gone."""
    if error.status == 404:
        return _gone(request, access, form, id, error)
    if error.status not in SHOWN_IN_FORM | {413}:
        raise error
    try:
        current = store.get_record(access=access, id=id)
    except PortalError as missing:
        return _gone(request, access, form, id, missing)
    if error.code == "stale":
        return _conflict(request, access, form, current)
    return _shown_again(request, PAGE, form, error, _context(access, form, current))


def _shown_again(
    request: HttpRequest, template: str, form: RecordForm, error: PortalError, context: dict[str, Any]
) -> HttpResponse:
    text = str(form["data"].value() or "")
    found = editor.problems(text, error) if error.status in {400, 413, 422} else []
    if not found:
        place_error(form, error, beside={})
    context |= {"problems": [(problem, list(document_text.excerpt(text, problem.line))) for problem in found]}
    response = render(request, template, context, status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def _conflict(request: HttpRequest, access: Access, form: RecordForm, current: Record) -> HttpResponse:
    """412: theirs against mine, line by line, and mine in the editor, to be saved over theirs knowingly."""
    text = str(form["data"].value() or "")
    try:
        mine = document_text.text_of(editor.read(text))
    except PortalError:
        mine = text
    form = RecordForm({"data": text, "version": current.version})
    lines = diffs.difference(document_text.text_of(current.data), mine)
    context = _context(access, form, current) | {"difference": lines}
    return render(request, "tenants/records/conflict.html", context, status=412)


def _gone(request: HttpRequest, access: Access, form: RecordForm, id: str, error: PortalError) -> HttpResponse:
    """404, but with the text: it can be kept as a new record."""
    text = str(form["data"].value() or "")
    again = NewRecordForm(initial={"data": text, "id": id, "form_key": new_form_key()})
    context = {"form": again, "organization": access.organization, "is_gone": True, "action": reverse("record_new")}
    return render(request, NEW_PAGE, context, status=error.status)


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=Role.EDITOR)
def record_new(request: HttpRequest, access: Access) -> HttpResponse:
    """A new record, empty or as a copy of the one that `from` names."""
    if request.method != "POST":
        source = request.GET.get("from")
        text = document_text.text_of(store.get_record(access=access, id=source).data) if source else EXAMPLE
        form = NewRecordForm(initial={"data": text, "form_key": new_form_key()})
        return render(request, NEW_PAGE, _new_context(access, form, source))
    form = NewRecordForm(_tidied(request))
    if not form.is_valid():
        return render(request, NEW_PAGE, _new_context(access, form), status=422)
    try:
        made = store.create_record(
            access=access,
            data=editor.read(form.cleaned_data["data"]),
            id=form.cleaned_data["id"] or None,
            origin=form.origin(scope=f"{access.organization.id} {access.principal.account_id}"),
        )
    except PortalError as error:
        return _new_refused(request, access, form, error)
    messages.success(request, f"The record {made.id} is created.")
    return redirect("record", id=made.id)


def _new_refused(request: HttpRequest, access: Access, form: NewRecordForm, error: PortalError) -> HttpResponse:
    if error.status not in SHOWN_IN_FORM | {413}:
        raise error
    if error.code == "record_exists" or any(part.path == "id" for part in error.errors):
        place_error(form, error, beside={"record_exists": "id"})
        return render(request, NEW_PAGE, _new_context(access, form), status=error.status)
    return _shown_again(request, NEW_PAGE, form, error, _new_context(access, form))


def _new_context(access: Access, form: NewRecordForm, source: str | None = None) -> dict[str, Any]:
    return {"form": form, "organization": access.organization, "source": source, "action": reverse("record_new")}


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=Role.EDITOR)
def record_delete(request: HttpRequest, access: Access, id: str) -> HttpResponse:
    """Asks once, shows what goes, and deletes the record as it was shown."""
    found = store.get_record(access=access, id=id)
    form = DeleteRecordForm(request.POST if request.method == "POST" else None, initial={"version": found.version})
    if request.method == "POST" and form.is_valid():
        try:
            store.delete_record(access=access, id=id, expected={form.cleaned_data["version"]})
        except PortalError as error:
            if error.code != "stale":
                raise
            form = DeleteRecordForm(initial={"version": found.version})
            return render(request, DELETE_PAGE, _delete_context(access, form, found, changed=True), status=412)
        messages.success(request, f"The record {id} is deleted.")
        return redirect("records")
    status = 422 if form.is_bound else 200
    return render(request, DELETE_PAGE, _delete_context(access, form, found), status=status)


def _delete_context(access: Access, form: DeleteRecordForm, found: Record, *, changed: bool = False) -> dict[str, Any]:
    text = document_text.text_of(found.data)
    return {"form": form, "record": found, "text": text, "changed": changed, "organization": access.organization}


def _tidied(request: HttpRequest) -> dict[str, str]:
    sent = {name: str(value) for name, value in request.POST.items()}
    return sent | {"data": editor.tidy(sent.get("data", ""))}


def _context(access: Access, form: RecordForm, found: Record) -> dict[str, Any]:
    may_write = access.role.covers(Role.EDITOR)
    names = authors.names_of(org_id=access.organization.id, authors={found.created_by})
    return {
        "form": form,
        "record": found,
        "text": document_text.text_of(found.data),
        "organization": access.organization,
        "author": names[found.created_by],
        "may_write": may_write,
        "calls": calls.record_calls(found, address=api_address(access), may_write=may_write),
    }
