"""Organizations whose every word can be told from every other's: the name, the metadata, the documents.

Each is used over HTTP by token and by cookie, and in this process through its bound collection; calls of all
of them may be mixed at will, renames included.
"""

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx
from bson import ObjectId
from django.conf import settings

from tenants import manager
from tenants.access import organization_access
from tenants.bound import TenantCollection
from tenants.documents import now
from tests.accounts.cast import somebody
from tests.wire.people import PASSWORD

CSRF = "c" * 32


@dataclass
class Marked:
    """One organization, its owner's credentials, and the word that nothing of another's may ever hold."""

    marker: str
    slug: str = ""
    token: str = ""
    cookie: str = ""
    renames: int = 0
    moving: threading.Lock = field(default_factory=threading.Lock)

    @property
    def email(self) -> str:
        return f"{self.marker}@example.org"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def browser(self) -> dict[str, str]:
        session, csrf = f"{settings.SESSION_COOKIE_NAME}={self.cookie}", f"{settings.CSRF_COOKIE_NAME}={CSRF}"
        return {"Cookie": f"{session}; {csrf}"}

    def sign_up(self, http: httpx.Client) -> None:
        """Create it over HTTP, log in both ways, and write its first document."""
        body = {
            "organization_name": f"Company {self.marker}",
            "slug": f"{self.marker}_0",
            "email": self.email,
            "password": PASSWORD,
            "metadata": {"secret": f"metadata of {self.marker}"},
        }
        assert http.post("/api/v1/orgs", json=body).status_code == 201
        self.log_in(http)
        form = {"email": self.email, "password": PASSWORD, "csrfmiddlewaretoken": CSRF}
        cookie = f"{settings.CSRF_COOKIE_NAME}={CSRF}"
        answer = http.post("/login", data=form, headers={"Cookie": cookie})
        assert answer.status_code == 302, answer.text
        self.cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
        data = {"secret": f"first document of {self.marker}"}
        moments = {"created_at": now(), "updated_at": now()}
        self.records().insert_one({"_id": str(ObjectId()), "data": data, "rev": 1, **moments, "created_by": ""})

    def log_in(self, http: httpx.Client) -> None:
        """A new token; the slug that it names is the one in use."""
        answer = http.post("/api/v1/auth/login", json={"email": self.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.token, self.slug = answer.json()["access_token"], answer.json()["org_name"]

    def records(self) -> TenantCollection:
        """Its collection, bound to its session as a request would."""
        return manager.bind(organization_access(principal=somebody(self.cookie)))

    def rename(self, http: httpx.Client) -> httpx.Response | None:
        """Move it to its next slug, unless another thread is at that; then tokens are new."""
        if not self.moving.acquire(blocking=False):
            return None
        try:
            changes = {"slug": f"{self.marker}_{self.renames + 1}", "organization_name": f"Firm {self.marker}"}
            answer = http.patch(f"/api/v1/orgs/{self.slug}", json=changes, headers=self.bearer)
            if answer.status_code == 200:
                self.renames += 1
                self.log_in(http)
            return answer
        finally:
            self.moving.release()


def marked_organizations(number: int) -> list[Marked]:
    """That many, not signed up yet."""
    return [Marked(marker=f"zq{index:02}{secrets.token_hex(5)}") for index in range(number)]


def markers_in(text: str) -> set[str]:
    """Every marker that a text holds."""
    return set(re.findall(r"zq[0-9]{2}[0-9a-f]{10}", text))


def words_of(answer: httpx.Response) -> str:
    """Everything that an answer says, headers included."""
    return f"{answer.status_code} {answer.headers.multi_items()} {answer.text}"


def without_request_id(answer: httpx.Response) -> tuple[int, dict[str, Any], set[str]]:
    """Status, body and names of the headers of a problem, but for the request's id."""
    return answer.status_code, {**answer.json(), "request_id": ""}, set(answer.headers)
