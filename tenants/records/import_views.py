"""Imports: send a file, watch it become records, see what went wrong with which line. Each is guard, form, service."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.roles import Role
from orgportal import request_checks
from orgportal.errors import PortalError
from orgportal.form_pages import SHOWN_IN_FORM, place_error, show_form
from orgportal.middleware import without_deadline
from tenants.access import Access
from tenants.forms import new_form_key
from tenants.imports import service
from tenants.records import samples
from tenants.records.forms import ImportForm
from tenants.records.uploads import SpoolingHandler
from tenants.views import in_organization

FORM_PAGE = "tenants/records/import.html"
RECENT = 10
LISTED = 50

View = Callable[..., HttpResponseBase]


def takes_a_file(view: View) -> View:
    """Let the request's file go to disk as it comes, and check the CSRF token, which is in the same body, only then."""
    checked = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def prepared(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return checked(request, *args, **kwargs)
        request.upload_handlers = [SpoolingHandler(request)]
        # It takes as long as the sender's line is slow.
        return without_deadline(request, lambda: checked(request, *args, **kwargs))

    return prepared


@require_http_methods(["GET", "HEAD", "POST"])
@takes_a_file
@in_organization(needs=Role.EDITOR)
def import_new(request: HttpRequest, access: Access) -> HttpResponse:
    """Send a file with how it is to be read; the worker imports it, and its progress is the next page."""
    if request.method != "POST":
        return show_form(request, FORM_PAGE, ImportForm(initial={"form_key": new_form_key()}), **_context(access))
    form = ImportForm(request.POST, request.FILES)
    handler = request.upload_handlers[0]
    if isinstance(handler, SpoolingHandler) and handler.is_too_large:
        form.errors.pop("file", None)
        # Who is still sending would not see the answer.
        request_checks.discard(iter(lambda: request.read(SpoolingHandler.chunk_size), b""))
        return _refused(request, access, form, PortalError("file_too_large", 413, "The file is too large."))
    if not form.is_valid():
        return show_form(request, FORM_PAGE, form, **_context(access))
    try:
        job = _take(access, form)
    except PortalError as error:
        if error.code == "import_exists":
            return redirect("import_progress", import_id=error.data["id"])
        return _refused(request, access, form, error)
    return redirect("import_progress", import_id=job.id)


def _take(access: Access, form: ImportForm) -> service.Import:
    """Hand the file on to where the worker finds it."""
    file: UploadedFile[Any] = form.cleaned_data["file"]
    options = service.read_options(**form.service_options(guessed_format(file)))
    upload = service.start_upload(
        access=access,
        file_name=file.name or "",
        total_bytes=file.size or 0,
        key=form.cleaned_data["form_key"] or None,
    )
    try:
        for chunk in file.chunks():
            upload.write(chunk)
        return upload.finish(options)
    except PortalError as error:
        upload.abort(error)
        raise


def guessed_format(file: "UploadedFile[Any]") -> str:
    """By the name, else by the first character: what begins like JSON is, and all else is CSV."""
    ending = (file.name or "").rpartition(".")[2].lower()
    if ending in {"csv", "tsv", "tab"}:
        return "csv"
    if ending in {"json", "ndjson", "jsonl", "ejson", "geojson"}:
        return "ejson"
    start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return "ejson" if start[:1] in {b"{", b"["} else "csv"


def _refused(request: HttpRequest, access: Access, form: ImportForm, error: PortalError) -> HttpResponse:
    if error.status not in SHOWN_IN_FORM | {413, 415}:
        raise error
    place_error(form, error, beside={"file_too_large": "file", "unsupported_encoding": "file"})
    return render(request, FORM_PAGE, {"form": form, **_context(access)}, status=error.status)


def _context(access: Access) -> dict[str, Any]:
    return {"organization": access.organization, "imports": service.list_recent(access=access, limit=RECENT)}


@require_POST
@in_organization(needs=Role.EDITOR)
def import_sample(request: HttpRequest, access: Access) -> HttpResponse:
    """The sample file at one click."""
    options = service.read_options(format=samples.FORMAT)
    run = partial(service.run_import, access=access, options=options, file_name=samples.NAME)
    with samples.open_sample() as file:
        done = without_deadline(request, lambda: run(body=[file.read()]))
    messages.success(request, f"{done.counts.inserted} sample records are here. Delete them again whenever you like.")
    return redirect("records")


@require_safe
@in_organization()
def imports(request: HttpRequest, access: Access) -> HttpResponse:
    """The imports of the last thirty days."""
    found = service.list_recent(access=access, limit=LISTED)
    context = {"organization": access.organization, "imports": found, "may_write": access.role.covers(Role.EDITOR)}
    return render(request, "tenants/records/imports.html", context)


@require_safe
@in_organization()
def import_progress(request: HttpRequest, access: Access, import_id: str) -> HttpResponse:
    """How far an import is, and in the end what became of each line."""
    found = service.progress(access=access, id=import_id)
    context = {
        "organization": access.organization,
        "found": found,
        "percent": _percent(found),
        "may_write": access.role.covers(Role.EDITOR),
        "unlisted": max(0, found.counts.failed - len({error.line for error in found.errors})),
    }
    asks_again = bool(getattr(request, "htmx", False))
    template = "tenants/records/includes/import_progress.html" if asks_again else "tenants/records/import_progress.html"
    return render(request, template, context)


def _percent(found: service.Import) -> int:
    """How far it is: by the lines, once they are counted, which says more than the bytes that were read ahead."""
    if found.state == "importing" and found.total_lines:
        return min(99, found.counts.received * 100 // found.total_lines)
    return found.percent


@require_POST
@in_organization(needs=Role.EDITOR)
def import_cancel(request: HttpRequest, access: Access, import_id: str) -> HttpResponse:
    """Ask for the end of an import; what is written stays."""
    service.cancel(access=access, id=import_id)
    return redirect("import_progress", import_id=import_id)
