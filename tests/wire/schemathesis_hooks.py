"""What Schemathesis needs to know beyond the OpenAPI document: how to log in, and an organization to work on.

Loaded by the `schemathesis` command (SCHEMATHESIS_HOOKS), not by pytest.
"""

import itertools
import os
import threading
import uuid
from typing import Any
from urllib.parse import urlencode

import requests
import schemathesis

Case = schemathesis.Case[Any]

BASE_URL = os.environ["ORGPORTAL_UNDER_TEST"]
PASSWORD = "a long walk on the beach"
OWN = "own_org"
# `limit_request_line` of gunicorn, less the method and the longest path.
LONGEST_QUERY = 7000

_numbers = itertools.count()
_lock = threading.Lock()


class Owner:
    """An owner with a token that works, replaced whenever a test logged it out or deleted its organization."""

    def __init__(self) -> None:
        self.token = ""
        self.slug = ""

    def ready(self) -> None:
        """Make sure that there are an organization and a token for it."""
        with _lock:
            if self.token and self._call("GET", "/auth/me").status_code == 200:
                self.slug = self._call("GET", "/auth/me").json()["organization"]["slug"]
                return
            number = f"{os.getpid()}-{next(_numbers)}"
            account = {"email": f"owner-{number}@fuzz.example", "password": PASSWORD}
            created = self._post("/orgs", {"organization_name": f"Fuzzed {number}", **account})
            self.slug = created["organization"]["slug"]
            self.token = self._post("/auth/login", account)["access_token"]

    def _call(self, method: str, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, f"{BASE_URL}/api/v1{path}", headers=headers, timeout=30)

    def _post(self, path: str, body: dict[str, str]) -> Any:
        response = requests.post(f"{BASE_URL}/api/v1{path}", json=body, timeout=30)
        response.raise_for_status()
        return response.json()


OWNER = Owner()


@schemathesis.auth(refresh_interval=None)
class OwnersToken:
    """Sends the owner's token where an operation asks for one."""

    def get(self, case: Case, context: schemathesis.AuthContext) -> str:
        OWNER.ready()
        return OWNER.token

    def set(self, case: Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of what is generated for `{org}` becomes the owner's own organization, so that more than 404 is met."""
    if path_parameters and "org" in path_parameters and len(str(path_parameters["org"])) % 2 and OWNER.slug:
        path_parameters["org"] = OWNER.slug
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: Case, **kwargs: Any) -> None:
    """A well-formed request has a key of its own: two requests rightly cannot share one."""
    if case.headers and "Idempotency-Key" in case.headers and case.meta and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def filter_query(context: Any, query: dict[str, Any] | None) -> bool:
    """What fits into a request line: beyond it the web server refuses before the portal hears of anything."""
    return len(urlencode(query or {}, doseq=True)) <= LONGEST_QUERY
