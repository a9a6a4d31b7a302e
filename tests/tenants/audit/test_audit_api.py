"""The audit over the API: who may see it, what it holds, how it is looked through and exported."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import verify_audit_export as offline
from bson import ObjectId

from accounts import audit
from accounts.audit import entries, reading
from accounts.audit.chain import append
from accounts.roles import Role
from orgportal import database
from tests.effort import effort
from tests.remembered import recall
from tests.scripts import Script, body_of, log_in, member, problem_of, sign_up, wrong_paths

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def owner() -> Script:
    sign_up("Acme", slug="acme")
    return log_in("owner@acme.example")


def listed(caller: Script, query: str = "") -> list[dict[str, Any]]:
    response = caller.get(f"/api/v1/orgs/acme/audit{query}")
    assert response.status_code == 200, response.content
    items: list[dict[str, Any]] = body_of(response)["items"]
    return items


def org_id() -> ObjectId:
    row = database.collection("organizations").find_one({"slug": "acme"})
    assert row is not None
    found: ObjectId = row["_id"]
    return found


def test_it_tells_what_happened_from_the_beginning(owner: Script) -> None:
    assert owner.patch("/api/v1/orgs/acme", {"metadata": {"a": 1}}, X_Request_ID="mine").status_code == 200

    newest, login, created = listed(owner)

    assert (created["action"], login["action"], newest["action"]) == (
        "organization.created",
        "login.succeeded",
        "organization.changed",
    )
    assert newest["actor"] == {
        "kind": "account", "id": login["actor"]["id"], "name": "owner@acme.example", "method": "token"
    }  # fmt: skip
    assert (newest["details"], newest["request_id"], newest["address"]) == (
        {"fields": ["metadata"]},
        "mine",
        "127.0.0.1",
    )
    assert [one["seq"] for one in (newest, login, created)] == [3, 2, 1]


def test_only_admins_see_it(owner: Script) -> None:
    for role in (Role.VIEWER, Role.EDITOR):
        assert problem_of(member("acme", org_id(), role).get("/api/v1/orgs/acme/audit")) == (403, "forbidden")
    sign_up("Other", slug="other")
    assert problem_of(log_in("owner@other.example").get("/api/v1/orgs/acme/audit")) == (404, "not_found")
    assert problem_of(Script().get("/api/v1/orgs/acme/audit/export"))[0] == 401


ENTRIES = effort(short=50, full=130)
WINDOW = effort(short=8, full=20)


@pytest.fixture
def many(owner: Script, monkeypatch: pytest.MonkeyPatch) -> Script:
    """`ENTRIES` entries, an hour apart, the last of them now; windows so small that pages need several."""
    monkeypatch.setattr(reading, "WINDOW", WINDOW)
    recall(("all but two entries",), append_all)
    return owner


def append_all() -> None:
    """All but the two of signing up and logging in."""
    moment, chain = entries.instant(), org_id()
    for number in range(ENTRIES - 2):
        at = moment - timedelta(hours=ENTRIES - 2 - number)
        action = "member.removed" if number % 16 == 0 else "organization.changed"
        actor = audit.account(ObjectId(), f"a{number % 4}@acme.example", "session")
        draft = entries.Draft(action, "done", actor, f"account:{number:03}", {"number": number}, at=at)
        assert append(chain, draft) is not None


def walked(caller: Script, query: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(200):
        answer = body_of(caller.get(f"/api/v1/orgs/acme/audit?{query}{cursor}"))
        found += answer["items"]
        if answer["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer['next_cursor']}"
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_miss_nothing_and_repeat_nothing(many: Script, limit: int) -> None:
    assert [one["seq"] for one in walked(many, f"limit={limit}")] == list(range(ENTRIES, 0, -1))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("action=member.removed", lambda one: one["action"] == "member.removed"),
        ("actor=a1@acme.example", lambda one: one["actor"]["name"] == "a1@acme.example"),
        ("actor=operator", lambda one: one["actor"]["kind"] == "operator"),
        ("target=account:01", lambda one: one["target"].startswith("account:01")),
        ("result=failed", lambda one: one["result"] == "failed"),
        ("result=done&actor=a0@acme.example&action=member.removed", lambda one: one["action"] == "member.removed"),
        ("target=.*", lambda one: False),
    ],
)
def test_filters_find_what_fits_and_nothing_else(many: Script, query: str, fits: Any) -> None:
    expected = [one["seq"] for one in walked(many, "limit=500") if fits(one)]
    assert [one["seq"] for one in walked(many, f"limit=3&{query}")] == expected


def test_a_range_of_time_is_found_by_halving_and_not_by_reading(many: Script) -> None:
    everything = walked(many, "limit=500")
    since, before = everything[ENTRIES * 9 // 13]["at"], everything[ENTRIES * 6 // 13]["at"]
    query = f"since={since}&before={before}".replace("+", "%2B")
    found = [one["seq"] for one in walked(many, query)]
    assert found == [one["seq"] for one in everything if since <= one["at"] < before]
    assert len(found) > ENTRIES // 6


def test_a_filter_that_matches_little_ends_and_says_where_to_go_on(
    many: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOKED_AT", 2 * WINDOW)
    first = body_of(many.get("/api/v1/orgs/acme/audit?action=organization.created"))
    assert first["items"] == []
    assert first["next_cursor"] is not None
    assert [one["seq"] for one in walked(many, "action=organization.created")] == [1]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("action=made.up", "action"),
        ("action=x", "action"),
        ("result=maybe", "result"),
        ("since=yesterday", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("cursor=abc", "cursor"),
        ("limit=0", "limit"),
        ("actor=" + "x" * 255, "actor"),
    ],
)
def test_what_cannot_be_looked_for_is_422(owner: Script, query: str, path: str) -> None:
    assert wrong_paths(owner.get(f"/api/v1/orgs/acme/audit?{query}")) == [path]


def test_a_cursor_of_another_organization_is_none(many: Script) -> None:
    cursor = body_of(many.get("/api/v1/orgs/acme/audit?limit=1"))["next_cursor"]
    sign_up("Other", slug="other")
    other = log_in("owner@other.example")
    assert wrong_paths(other.get(f"/api/v1/orgs/other/audit?cursor={cursor}")) == ["cursor"]


def exported(caller: Script, tmp_path: Any) -> Any:
    response = caller.get("/api/v1/orgs/acme/audit/export")
    assert response.status_code == 200
    assert response["Content-Disposition"] == 'attachment; filename="audit-acme.ndjson"'
    path = tmp_path / f"{entries.instant().timestamp()}.ndjson"
    path.write_bytes(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    return path


def test_an_export_is_found_whole_offline_with_and_without_the_key(owner: Script, tmp_path: Any, settings: Any) -> None:
    earlier = exported(owner, tmp_path)
    owner.patch("/api/v1/orgs/acme", {"metadata": {"a": "é\ud7ff"}})
    path = exported(owner, tmp_path)
    assert offline.check(path) == 5
    assert offline.check(path, earlier=earlier, secrets=(settings.AUDIT_KEY,)) == 5
    with pytest.raises(offline.Broken, match="was not sealed"):
        offline.check(path, secrets=("another key",))


EDITS: dict[str, Any] = {
    "an edited entry": lambda lines: lines.__setitem__(2, lines[2].replace(b"owner@", b"other@")),
    "a removed entry": lambda lines: lines.pop(2),
    "a removed first entry": lambda lines: lines.pop(1),
    "a removed tail": lambda lines: lines.__delitem__(slice(-2, None)),
    "a removed tail before the last line": lambda lines: lines.pop(-2),
    "no last line": lambda lines: lines.pop(),
    "no first line": lambda lines: lines.pop(0),
    "swapped entries": lambda lines: lines.__setitem__(slice(1, 3), [lines[2], lines[1]]),
    "a repeated entry": lambda lines: lines.insert(2, lines[2]),
    "another count": lambda lines: lines.__setitem__(-1, lines[-1].replace(b'"entries":4', b'"entries":3')),
    "another chain": lambda lines: lines.__setitem__(0, lines[0].replace(b'"chain":"', b'"chain":"0')),
    "something behind": lambda lines: lines.append(lines[1]),
    "no JSON": lambda lines: lines.__setitem__(2, b"{"),
    "no object": lambda lines: lines.__setitem__(2, b"[]"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_export_is_found_offline(owner: Script, tmp_path: Any, name: str) -> None:
    owner.patch("/api/v1/orgs/acme", {"metadata": {"a": 1}})
    path = exported(owner, tmp_path)
    lines = path.read_bytes().splitlines()
    EDITS[name](lines)
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(offline.Broken):
        offline.check(path)


def test_a_rewritten_history_does_not_pass_for_the_earlier_one(owner: Script, tmp_path: Any) -> None:
    earlier = exported(owner, tmp_path)
    rewritten = [json.loads(line) for line in earlier.read_bytes().splitlines()]
    previous = rewritten[0]["origin"]
    for entry in rewritten[1:-1]:
        entry["previous"], entry["actor"]["name"] = previous, "somebody@else.example"
        content = {name: value for name, value in entry.items() if name not in {"hash", "mac"}}
        entry["hash"] = previous = hashlib.sha256(offline.canonical(content)).hexdigest()
    rewritten[-1]["last_hash"] = previous
    path = tmp_path / "rewritten.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in rewritten))
    assert offline.check(path) == 3  # without a secret and without a witness it looks whole
    with pytest.raises(offline.Broken, match="another one than in the earlier"):
        offline.check(path, earlier=earlier)


def test_the_script_stands_alone(owner: Script, tmp_path: Any) -> None:
    import subprocess
    import sys

    path = exported(owner, tmp_path)
    command = [sys.executable, "-I", offline.__file__, str(path)]
    good = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})
    assert (good.returncode, good.stdout) == (0, "3 entries, whole.\n")
    path.write_bytes(path.read_bytes()[:-20])
    bad = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})
    assert bad.returncode == 1
    assert bad.stdout.startswith("BROKEN: ")
