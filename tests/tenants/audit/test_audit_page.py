"""The page of the audit: rows that people can read, filters, older and newer, the export."""

from datetime import timedelta

import pytest
import verify_audit_export as offline
from bson import ObjectId
from django.test import Client

from accounts import audit
from accounts.audit import entries
from accounts.audit.chain import append
from orgportal import database
from tests.visitors import field_error, signed_up, text_of

pytestmark = pytest.mark.usefixtures("clean_database")


def org_id() -> ObjectId:
    row = database.collection("organizations").find_one({})
    assert row is not None
    found: ObjectId = row["_id"]
    return found


def add(count: int, *, action: str = "organization.changed", target: str = "", days_ago: int = 0) -> None:
    for _ in range(count):
        at = entries.instant() - timedelta(days=days_ago)
        append(org_id(), entries.Draft(action, "done", audit.OPERATOR, target, {"fields": ["name"]}, at=at))


def rows_of(client: Client, query: str = "") -> int:
    response = client.get(f"/audit{query}")
    assert response.status_code == 200
    return response.content.decode().count('class="audit-row"')


def test_rows_say_in_words_who_did_what_to_whom() -> None:
    client = signed_up("Acme Coffee")
    account = database.collection("accounts").find_one({})
    assert account is not None
    add(1, action="member.removed", target=f"account:{account['_id']}")
    add(1, action="member.removed", target=f"account:{ObjectId()}")
    words = text_of(client.get("/audit"))
    assert "Removed a member alice@example.com Whoever runs this portal" in words
    assert "Removed a member somebody who has left" in words
    assert "Created the organization" in words
    assert "Fields name" in words
    assert str(org_id()) in words  # among the facts of a row


def test_older_entries_are_one_click_away_and_newest_is_the_way_back() -> None:
    client = signed_up("Acme Coffee")
    add(60)
    page = client.get("/audit").content.decode()
    assert page.count('class="audit-row"') == 50
    older = page.partition('href="?cursor=')[2].partition('"')[0]
    second = client.get(f"/audit?cursor={older}").content.decode()
    assert second.count('class="audit-row"') == 12
    assert "Newest" in second
    assert "Older" not in second


def test_filters_narrow_it_and_stay_on_the_way_to_older_entries() -> None:
    client = signed_up("Acme Coffee")
    add(55, action="member.removed")
    add(3)
    assert rows_of(client, "?action=organization.changed") == 3
    assert rows_of(client, "?actor=alice%40example.com&result=done") == 2
    assert rows_of(client, "?target=organization:") == 1
    page = client.get("/audit?action=member.removed").content.decode()
    assert 'href="?action=member.removed&amp;cursor=' in page


def test_days_are_whole_days() -> None:
    client = signed_up("Acme Coffee")
    today = entries.instant().date().isoformat()
    assert rows_of(client, f"?first_day={today}&last_day={today}") == 2
    assert "Nothing fits" in text_of(client.get("/audit?last_day=2020-01-01"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("first_day=tomorrow", "first_day"),
        ("first_day=1999-01-01", "first_day"),
        ("first_day=2026-02-02&last_day=2026-02-01", "last_day"),
        ("last_day=9999-12-31", "last_day"),
        ("action=made.up", "action"),
        ("result=maybe", "result"),
        ("actor=" + "x" * 301, "actor"),
    ],
)
def test_what_cannot_be_looked_for_is_said_beside_the_field(query: str, field: str) -> None:
    response = signed_up("Acme Coffee").get(f"/audit?{query}")
    assert response.status_code == 422
    assert field_error(response, field) != ""


def test_the_export_of_the_page_is_found_whole(tmp_path: object) -> None:
    from pathlib import Path

    response = signed_up("Acme Coffee").get("/audit/export")
    path = Path(str(tmp_path)) / "audit.ndjson"
    path.write_bytes(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    assert offline.check(path) == 3


def test_what_people_typed_is_shown_as_text() -> None:
    client = signed_up("Acme Coffee")
    draft = entries.Draft("login.failed", "refused", audit.anonymous("<script>alert(1)</script>"), "<b>x</b>")
    append(org_id(), draft)
    page = client.get("/audit").content.decode()
    assert "<script>alert" not in page
    assert "<b>x</b>" not in page
