"""Secrets rotate without an interruption: known before they are used, accepted as long as they are needed."""

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import signing
from accounts.signing import jwks
from orgportal import rotation, secret_keys, secrets_store
from orgportal.conventions.cursors import place_before, read_place
from orgportal.errors import PortalError
from tests.accounts.cast import a_session as a_cookie
from tests.accounts.cast import an_account, an_organization, by_cookie, by_token, tokens_of
from tests.accounts.victims import json_part
from tests.scripts import Script, body_of, sign_up

ALICE = "alice@example.org"
FIRST = "the first secret, which is long enough to be one and never guessed"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


def rotated(path: Path, new: str, *, overlap: float = 100.0, life: float | None = 1000.0) -> rotation.Kept:
    return rotation.rotate(path, first=lambda: FIRST, new=new, overlap=overlap, life=life)


def test_a_new_secret_is_known_first_used_later_and_the_old_one_accepted_for_a_while(path: Path) -> None:
    used_from = rotated(path, "second").used_from
    kept = rotation.secrets_in(path)
    assert (rotation.in_use(kept), rotation.accepted(kept)) == (FIRST, ["second"])
    assert (rotation.in_use(kept, used_from), rotation.accepted(kept, used_from)) == ("second", [FIRST])
    assert rotation.accepted(kept, used_from + 999) == [FIRST]
    assert rotation.accepted(kept, used_from + 1001) == []


def test_without_a_life_the_old_one_is_accepted_until_it_is_forgotten(path: Path) -> None:
    rotated(path, "second", overlap=0, life=None)
    kept = rotation.secrets_in(path)
    assert rotation.accepted(kept, time.time() + 1e9) == [FIRST]
    assert rotation.forget_earlier(path) == 1
    assert rotation.accepted(rotation.secrets_in(path)) == []
    assert rotation.in_use(rotation.secrets_in(path)) == "second"


def test_rotating_again_before_the_new_one_is_used_replaces_it(path: Path) -> None:
    rotated(path, "second")
    rotated(path, "third")
    kept = rotation.secrets_in(path)
    assert (rotation.in_use(kept), rotation.accepted(kept)) == (FIRST, ["third"])


def test_what_has_run_out_leaves_the_file_with_the_next_rotation(path: Path) -> None:
    rotated(path, "second", overlap=0, life=0)
    rotated(path, "third", overlap=0)
    assert FIRST not in path.read_text()
    assert rotation.in_use(rotation.secrets_in(path)) == "third"


def test_the_file_is_the_owners_alone_and_a_secret_is_not_shown(path: Path) -> None:
    added = rotated(path, "second")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "second" not in repr(added)


def test_forgetting_where_nothing_was_rotated_changes_nothing(path: Path) -> None:
    assert rotation.forget_earlier(path) == 0
    assert rotation.secrets_in(path) == ()


@pytest.fixture
def local(settings: Any, tmp_path: Path, clean_database: None) -> Any:
    """A portal that keeps its keys itself, in a folder of its own."""
    settings.DATA_DIR = tmp_path
    settings.ROTATING = {name: tmp_path / f"{name}.json" for name in ("JWT_PRIVATE_KEY", "SECRET_KEY", "AUDIT_KEY")}
    (tmp_path / "signing_key.pem").write_text(settings.JWT_PRIVATE_KEY)
    (tmp_path / "secret_key").write_text(settings.SECRET_KEY)
    (tmp_path / "audit_key").write_text(settings.AUDIT_KEY)
    yield settings
    rotation._seen.clear()


def test_tokens_live_through_a_rotation_and_the_key_set_shows_both(local: Any) -> None:
    an_account(ALICE, an_organization("acme"))
    before = tokens_of(ALICE).access_token
    (old,) = jwks()["keys"]

    call_command("rotate_keys", overlap=0.2)

    during = tokens_of(ALICE).access_token
    assert next(key["kid"] for key in jwks()["keys"]) == old["kid"] == json_part(during, 0)["kid"]
    assert len(jwks()["keys"]) == 2
    time.sleep(0.25)
    after = tokens_of(ALICE).access_token
    assert json_part(after, 0)["kid"] == jwks()["keys"][0]["kid"] != old["kid"]
    assert all(by_token(token) for token in (before, during, after))


def test_forgetting_the_earlier_keys_ends_their_tokens_at_once(local: Any) -> None:
    an_account(ALICE, an_organization("acme"))
    before = tokens_of(ALICE).access_token
    call_command("rotate_keys", overlap=0)
    after = tokens_of(ALICE).access_token
    call_command("rotate_keys", forget_earlier=True)
    assert by_token(before) is None
    assert by_token(after) is not None


def test_another_secret_key_logs_nobody_out_and_keeps_cursors_and_repeated_requests(local: Any) -> None:
    an_account(ALICE, an_organization("acme"))
    cookie, cursor = a_cookie(ALICE), place_before(7, listing="x")
    body = {"organization_name": "Beta", "email": "b@example.org", "password": "a long walk on the beach"}
    first = Script().post("/api/v1/orgs", body, Idempotency_Key="one")
    old = local.SECRET_KEY

    call_command("rotate_keys", "secret", overlap=0)
    again = Script().post("/api/v1/orgs", body, Idempotency_Key="one")

    assert old != local.SECRET_KEY
    assert old in local.SECRET_KEY_FALLBACKS
    assert by_cookie(cookie) is not None
    assert read_place(cursor, listing="x") == 7
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert body_of(again) == body_of(first)
    other = Script().post("/api/v1/orgs", {**body, "organization_name": "Gamma"}, Idempotency_Key="one")
    assert (other.status_code, body_of(other)["code"]) == (422, "idempotency_key_reused")


def test_a_key_that_is_forgotten_is_not_accepted_any_more(local: Any) -> None:
    cursor = place_before(7, listing="x")
    call_command("rotate_keys", "secret", overlap=0)
    call_command("rotate_keys", "secret", forget_earlier=True)
    secret_keys.refresh()
    with pytest.raises(PortalError):
        read_place(cursor, listing="x")


def test_another_audit_key_keeps_the_chain_whole(local: Any) -> None:
    from tests.accounts.audit.chains import broken, stored

    sign_up("Acme")
    call_command("rotate_keys", "audit", overlap=0)
    secret_keys.refresh()
    sign_up("Beta")
    assert broken() == {}
    assert len({row["key"] for row in stored(None)}) == 2


@pytest.mark.parametrize(
    ("which", "name"), [("signing", "JWT_PRIVATE_KEY"), ("secret", "SECRET_KEY"), ("audit", "AUDIT_KEY")]
)
def test_a_rotation_is_in_the_audit(local: Any, which: str, name: str) -> None:
    from tests.accounts.audit.chains import stored

    call_command("rotate_keys", which)
    entry = stored(None)[-1]
    assert (entry["action"], entry["target"], entry["actor"]["kind"]) == ("keys.rotated", f"setting:{name}", "operator")
    assert "PRIVATE KEY-----" not in json.dumps(entry, default=str)


@pytest.mark.parametrize("which", ["signing", "secret", "audit"])
def test_of_a_setting_in_the_environment_it_says_what_to_set_and_changes_nothing(
    settings: Any, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ROTATING = {}
    call_command("rotate_keys", which)
    said = capsys.readouterr().out
    assert said.index("\n1. Add") < said.index("\n2. When all") < said.index("\n3. ")
    if which == "signing":
        private = said[said.index("-----BEGIN PRIVATE") : said.index("-----END PRIVATE KEY-----") + 25]
        assert signing.public_pem(private).strip() in said
        assert signing.public_pem(settings.JWT_PRIVATE_KEY).strip() in said
        assert settings.JWT_PRIVATE_KEY.strip() not in said
    with pytest.raises(CommandError):
        call_command("rotate_keys", which, forget_earlier=True)


def test_an_unknown_key_is_refused(local: Any) -> None:
    with pytest.raises(CommandError, match="There is no key everything"):
        call_command("rotate_keys", "everything")


def test_a_negative_overlap_is_refused(local: Any) -> None:
    with pytest.raises(CommandError):
        call_command("rotate_keys", overlap=-1)


@pytest.fixture
def two_releases(settings: Any, clean_database: None) -> Any:
    """Switches between processes that have not, and that have been restarted with the new keys; both know both."""
    old = {"SECRET_KEY": settings.SECRET_KEY, "JWT_PRIVATE_KEY": settings.JWT_PRIVATE_KEY}
    new = {"SECRET_KEY": secrets_store.new_secret(), "JWT_PRIVATE_KEY": secrets_store.new_signing_key()}
    settings.ROTATING = {}

    def switch(*, to_new: bool) -> None:
        mine, others = (new, old) if to_new else (old, new)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = mine["SECRET_KEY"], [others["SECRET_KEY"]]
        settings.JWT_PRIVATE_KEY = mine["JWT_PRIVATE_KEY"]
        settings.JWT_RETIRED_KEYS = signing.public_pem(others["JWT_PRIVATE_KEY"])

    return switch


@pytest.mark.parametrize("first_new", [False, True], ids=["old then new", "new then old"])
def test_processes_before_and_after_a_restart_accept_what_the_others_gave_out(
    two_releases: Any, first_new: bool
) -> None:
    an_account(ALICE, an_organization("acme"))
    body = {"organization_name": "Beta", "email": "b@example.org", "password": "a long walk on the beach"}
    two_releases(to_new=first_new)
    token, cookie, cursor = tokens_of(ALICE).access_token, a_cookie(ALICE), place_before(7, listing="x")
    first = Script().post("/api/v1/orgs", body, Idempotency_Key="one")

    two_releases(to_new=not first_new)

    assert by_token(token) is not None
    assert by_cookie(cookie) is not None
    assert read_place(cursor, listing="x") == 7
    again = Script().post("/api/v1/orgs", body, Idempotency_Key="one")
    assert (again["Idempotent-Replayed"], body_of(again)) == ("true", body_of(first))
    assert json_part(tokens_of(ALICE).access_token, 0)["kid"] != json_part(token, 0)["kid"]
    assert len(jwks()["keys"]) == 2
