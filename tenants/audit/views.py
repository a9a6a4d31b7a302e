"""The page on which admins look through the audit, and its export."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import authors
from accounts.roles import ACTION
from orgportal.conventions.cursors import place_before, read_place
from tenants.access import Access
from tenants.audit import service
from tenants.audit.api import exported
from tenants.audit.forms import AuditForm
from tenants.audit.service import Entry
from tenants.views import in_organization

PER_PAGE = 50
ACTORS = {"operator": "Whoever runs this portal", "system": "The portal itself", "anonymous": "Somebody unknown"}
METHODS = {"session": "in a browser", "token": "with a token", "key": "with an API key", "link": "with a link"}


@dataclass(frozen=True)
class Row:
    """An entry as the page shows it: who, to what, and everything else that is known."""

    entry: Entry
    actor: str
    target: str
    facts: list[tuple[str, str]]


@require_safe
@in_organization(needs=ACTION["audit.see"].needs)
def audit(request: HttpRequest, access: Access) -> HttpResponse:
    """Who did what, newest first."""
    form = AuditForm(request.GET)
    context: dict[str, Any] = {"form": form, "organization": access.organization, "rows": []}
    if not form.is_valid():
        return render(request, "tenants/audit.html", context, status=422)
    listing = f"audit.{access.organization.id}"
    found = service.list_entries(
        access=access,
        wanted=form.wanted(),
        limit=PER_PAGE,
        before=read_place(request.GET.get("cursor"), listing=listing),
    )
    asked = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    context |= {
        "rows": _rows(access, found.entries),
        "is_filtered": bool(asked),
        "is_first": "cursor" not in request.GET,
        "newest_url": f"?{urlencode(asked)}",
        "searched_until": found.searched_until,
    }
    if found.before is not None:
        context["older_url"] = f"?{urlencode({**asked, 'cursor': place_before(found.before, listing=listing)})}"
    return render(request, "tenants/audit.html", context)


@require_safe
@in_organization(needs=ACTION["audit.see"].needs)
def audit_export(request: HttpRequest, access: Access) -> HttpResponse:
    """The whole chain as a file."""
    return exported(access)


def _rows(access: Access, entries: list[Entry]) -> list[Row]:
    ids = {entry.target.partition(":")[2] for entry in entries if entry.target.startswith("account:")}
    names = authors.names_of(org_id=access.organization.id, authors=ids) if ids else {}
    return [Row(entry, _actor(entry), _target(access, entry, names), _facts(entry)) for entry in entries]


def _actor(entry: Entry) -> str:
    if entry.actor_kind == "key":
        return f"An API key of {entry.actor_name}"
    return entry.actor_name if entry.actor_kind == "account" else ACTORS.get(entry.actor_kind, entry.actor_kind)


def _target(access: Access, entry: Entry, names: dict[str, str]) -> str:
    """What it was done to; nothing where that is the organization itself or whoever did it."""
    kind, _, identity = entry.target.partition(":")
    if kind == "organization" and identity == str(access.organization.id):
        return ""
    if kind != "account":
        return entry.target
    return "" if identity == entry.actor_id else names.get(identity, entry.target)


def _facts(entry: Entry) -> list[tuple[str, str]]:
    facts = [(name.replace("_", " ").capitalize(), _said(value)) for name, value in sorted(entry.details.items())]
    facts += [("Name given", entry.actor_name)] if entry.actor_kind in ACTORS and entry.actor_name else []
    facts += [("Came in", METHODS.get(entry.method, entry.method))] if entry.method else []
    kept = {
        "Target": entry.target,
        "Address": entry.address,
        "Software": entry.agent,
        "Request": entry.request_id,
        "Action": entry.action,
        "Entry": f"{entry.seq} ({entry.id})",
        "Hash": entry.hash,
    }
    return facts + [(label, value) for label, value in kept.items() if value]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
