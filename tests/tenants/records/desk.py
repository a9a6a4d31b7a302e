"""An organization with people of every role at its pages, for tests that only read and change its records.

It is made once for each process and emptied for each test: signing up costs more than most of these tests.
"""

import re
import secrets
from html import unescape
from typing import Any

from bson import ObjectId
from django.conf import settings
from django.test import Client

from accounts import service as accounts
from accounts.roles import Role
from orgportal import database
from tenants import service
from tenants.access import Access, organization_access
from tenants.records.documents import new_row
from tests.accounts.cast import by_cookie
from tests.answers import Answer
from tests.scripts import client

PASSWORD = "violet kettle under the stairs"
ORGANIZATION_ONLY = ("imports", "import_chunks", "schemas")


class Desk:
    """The organization, its records as they are stored, and a browser for each role."""

    def __init__(self) -> None:
        self.slug = f"desk_{secrets.token_hex(4)}"
        owner = f"{self.slug}@example.org".replace("_", "-")
        made = service.sign_up(organization_name=self.slug, slug=self.slug, email=owner, password=PASSWORD)
        self.org_id: ObjectId = made.organization.id
        self.account_id: ObjectId = made.account_id
        self._cookies = {Role.OWNER: self._cookie(owner)}
        for role in (Role.VIEWER, Role.EDITOR):
            email = f"{role.value}-{owner}"
            new = accounts.prepare_account(email=email, password=PASSWORD)
            accounts.insert_account(new=new, account_id=ObjectId(), org_id=self.org_id, role=role)
            self._cookies[role] = self._cookie(email)

    def _cookie(self, email: str) -> str:
        logged_in = accounts.log_in(email=email, password=PASSWORD, org_slug=None, choose_later=True)
        return accounts.open_session(logged_in=logged_in)

    @property
    def collection(self) -> Any:
        """Looked up every time: other tests open the process's client anew."""
        return database.collection(f"org_{self.slug}")

    @property
    def is_there(self) -> bool:
        """Whether no other test has emptied the database meanwhile."""
        return database.collection("organizations").find_one({"_id": self.org_id}) is not None

    def clear(self) -> None:
        self.collection.delete_many({})
        for name in ORGANIZATION_ONLY:
            database.collection(name).delete_many({"org_id": self.org_id})

    @property
    def access(self) -> Access:
        """The owner's."""
        principal = by_cookie(self._cookies[Role.OWNER])
        assert principal is not None
        return organization_access(principal=principal)

    def browser(self, role: Role = Role.EDITOR, *, enforce_csrf_checks: bool = False) -> Client:
        """A browser in which somebody with the role is logged in."""
        made = client(enforce_csrf_checks=enforce_csrf_checks)
        made.cookies.clear()
        made.cookies[settings.SESSION_COOKIE_NAME] = self._cookies[role]
        return made

    def add(self, *many: dict[str, Any], **named: dict[str, Any]) -> list[str]:
        """Store records, those with a name under it as their id; their ids."""
        ids = [f"record-{number:03}" for number in range(1, len(many) + 1)]
        rows = [new_row(id=id, data=data, created_by=str(self.account_id)) for id, data in zip(ids, many, strict=True)]
        rows += [new_row(id=id, data=data, created_by=str(self.account_id)) for id, data in named.items()]
        self.collection.insert_many(rows)
        return [row["_id"] for row in rows]

    def data(self, id: str) -> Any:
        """The data of a record, None when it is not there."""
        row = self.collection.find_one({"_id": id})
        return row["data"] if row else None

    @property
    def ids(self) -> list[str]:
        return sorted(row["_id"] for row in self.collection.find({}, {"_id": 1}))


_desks: list[Desk] = []


def the_desk() -> Desk:
    """The process's one, empty; a new one where the database was emptied in between."""
    if not _desks or not _desks[-1].is_there:
        _desks.append(Desk())
    _desks[-1].clear()
    return _desks[-1]


def table_of(page: Answer) -> list[list[str]]:
    """The rows of the grid as texts, without the column of checkboxes."""
    body = page.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr data-row>(.*?)</tr>", body, flags=re.DOTALL)
    return [
        [words(cell) for cell in re.findall(r"<t[hd] (?!class=\"cell-check\").*?</t[hd]>", row, flags=re.DOTALL)]
        for row in rows
    ]


def heads_of(page: Answer) -> list[str]:
    """What stands over the columns."""
    head = page.content.decode().partition("<thead>")[2].partition("</thead>")[0]
    return [words(cell) for cell in re.findall(r"<th (?!scope=\"col\" class=\"cell-check\").*?</th>", head)]


def words(html: str) -> str:
    """The visible text of a piece of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def link_of(page: Answer, name: str) -> str:
    """The address of the link whose id or text is the name."""
    for attributes, text in re.findall(r"<a ([^>]*)>(.*?)</a>", page.content.decode(), flags=re.DOTALL):
        if f'id="{name}"' in attributes or words(text) == name:
            found = re.search(r'href="([^"]*)"', attributes)
            assert found
            return unescape(found[1])
    raise AssertionError(f"no link {name}")


def form_value(page: Answer, name: str) -> str:
    """What an input or textarea of the page is filled with."""
    body = page.content.decode()
    if found := re.search(rf'<textarea[^>]*name="{name}"[^>]*>\s?\n?(.*?)</textarea>', body, flags=re.DOTALL):
        return unescape(found[1])
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', body)
    assert found, f"no field {name}"
    value = re.search(r'value="([^"]*)"', found[0])
    return unescape(value[1]) if value else ""
