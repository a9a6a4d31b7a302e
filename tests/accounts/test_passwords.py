"""Which passwords are accepted, and that each is compared in full."""

import unicodedata
from typing import Any

import pytest
from bson import ObjectId
from django.conf import LazySettings
from django.contrib.auth.hashers import get_hasher

from accounts import passwords, service
from accounts.passwords import check_password_policy, hash_password, verify
from accounts.roles import Role
from orgportal.errors import PortalError
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    somebody,
    stored_account,
    stored_sessions,
)
from tests.accounts.hashing import hashes_counted

ALICE = "alice@example.org"


def complaint(password: Any, *words: str) -> str:
    """What the policy says against a password."""
    with pytest.raises(PortalError) as refused:
        check_password_policy(password, words)
    assert (refused.value.status, refused.value.code) == (422, "invalid_input")
    assert [error.path for error in refused.value.errors] == ["password"]
    return refused.value.errors[0].message


STRANGE = [
    "x" * 72 + "a quiet difference at the end",
    "🐎🔋📎🌈🦊🍄🪐🎻🧭🪁🦉🌵🛶🪶🧊",
    "nul\x00within\x00a password",
    "\x00" * 3 + "begins with a NUL",
    "пароль из многих слов",
    "密码短语由很多不同的汉字组成才安全",
    "tab\tand\nline end\r\nwithin",
    " leading and trailing spaces ",
    '{"$ne": null} {"$gt": ""}',
    "'; DROP TABLE accounts; --",
    "a\u0301 decomposed and \u202e reversed",
    "".join(chr(0x1F600 + i) for i in range(64)) * 2,
]


@pytest.mark.parametrize("password", STRANGE)
def test_any_text_may_be_a_password(password: str) -> None:
    check_password_policy(password)
    encoded = hash_password(password)
    assert verify(password, encoded)
    assert not verify(password[:-1], encoded)
    assert not verify(password + "x", encoded)


@pytest.mark.parametrize("password", STRANGE)
def test_any_text_logs_its_owner_in(password: str) -> None:
    account_id = an_account(ALICE, an_organization("acme"), password=password)
    assert service.log_in(email=ALICE, password=password).account_id == account_id
    with pytest.raises(PortalError):
        service.log_in(email=ALICE, password=password.replace("\x00", "") + "?")


def test_not_one_byte_past_the_seventy_second_is_lost() -> None:
    encoded = hash_password("x" * 100 + "a")
    assert not verify("x" * 100 + "b", encoded)
    assert not verify("x" * 72, encoded)


def test_what_follows_a_nul_counts() -> None:
    assert not verify("before the nul\x00one", hash_password("before the nul\x00two"))


def test_a_password_counts_whichever_way_a_system_composes_its_letters() -> None:
    composed = "crème brûlée à la carte"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert verify(decomposed, hash_password(composed))


@pytest.mark.parametrize("password", ["\ud800" * 20, "fine until here \udfff", "x" * 129, "x" * 1_000_000])
def test_what_can_be_no_password_matches_none_and_costs_a_hash(password: str) -> None:
    encoded = hash_password("")
    with hashes_counted() as costs:
        assert not verify(password, encoded)
        assert not verify(password, None)
    assert costs == [4, 4]


def test_no_hash_matches_nothing_and_costs_a_hash() -> None:
    with hashes_counted() as costs:
        assert not verify(PASSWORD, None)
    assert costs == [4]


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_the_cost_is_that_of_the_settings(settings: LazySettings) -> None:
    settings.BCRYPT_ROUNDS = 6
    encoded = hash_password(PASSWORD)
    assert encoded.startswith("bcrypt_sha256$$2b$06$")
    assert not passwords.needs_upgrade(encoded)
    settings.BCRYPT_ROUNDS = 7
    assert passwords.needs_upgrade(encoded)
    assert verify(PASSWORD, encoded)


def test_the_hasher_is_the_one_that_django_is_told_of() -> None:
    assert isinstance(get_hasher(), passwords.ConfiguredBcryptHasher)


@pytest.mark.parametrize("password", ["", "short", "fourteen chars", "e\u0301" * 14])
def test_fewer_than_fifteen_characters_are_too_few(password: str) -> None:
    assert "at least 15" in complaint(password)


@pytest.mark.parametrize("password", ["any fifteen chr", "no capitals no digits no symbols", "1849 2750 3916 4820"])
def test_length_is_all_that_is_asked_of_its_characters(password: str) -> None:
    check_password_policy(password)


def test_a_hundred_and_twenty_eight_characters_are_the_most() -> None:
    longest = "".join(chr(0x4E00 + i) for i in range(128))
    check_password_policy(longest)
    assert "at most 128" in complaint(longest + "!")


@pytest.mark.parametrize("password", [None, 7, b"bytes bytes bytes", ["a" * 20], {"$ne": ""}, "\ud800" * 20])
def test_what_is_no_text_is_refused(password: Any) -> None:
    assert "text" in complaint(password)


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "1234512345123451",
        "passwordpassword",
        "password12345678",
        "Password!!!!!!!!",
        "iloveyou20242025",
        "abcdefghijklmnopq",
        "zyxwvutsrqponmlkj",
        "qwertyuiopasdfgh",
        "1234567890qwertyui",
        "0987654321098765",
        "               ",
        "ａａａａａａａａａａａａａａａａ",
    ],
)
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    assert "first that anybody would try" in complaint(password)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Globex Corporation 1", ["Globex Corporation"]),
        ("globexcorporation!", ["Globex Corporation"]),
        ("GLOBEX-CORPORATION-24", ["globex_corporation"]),
        ("ada.lovelace@example.org", ["ada.lovelace@example.org"]),
        ("ada-lovelace-2024", ["ada.lovelace@example.org"]),
        ("orgportal-password-1", []),
        ("globexglobexglobex7", ["Globex"]),
    ],
)
def test_the_accounts_own_words_are_not_enough(password: str, words: list[str]) -> None:
    assert "little more than" in complaint(password, *words)


@pytest.mark.parametrize("words", [["Globex"], ["of"], [""], ["!!!"], ["rust slowly"], ["ü"]])
def test_own_words_may_be_part_of_a_longer_password(words: list[str]) -> None:
    check_password_policy("globex ladders rust slowly in rain", words)


class TestChange:
    """A new password needs the old one, and ends everything that the old one opened."""

    @pytest.fixture
    def alice(self) -> ObjectId:
        return an_account(ALICE, an_organization("acme"))

    def test_the_new_password_counts_and_the_old_one_does_not(self, alice: ObjectId) -> None:
        cookie = service.change_password(
            principal=somebody(a_session(ALICE)), current=PASSWORD, new=NEW_PASSWORD, words=["Acme"]
        )
        assert somebody(cookie).account_id == alice
        assert stored_account(alice)["generation"] == 1
        assert service.log_in(email=ALICE, password=NEW_PASSWORD).generation == 1
        with pytest.raises(PortalError, match="do not belong together"):
            service.log_in(email=ALICE, password=PASSWORD)

    @pytest.mark.parametrize("current", ["", "wrong", PASSWORD + "x", "\ud800", "x" * 200])
    def test_without_the_old_one_nothing_changes(self, alice: ObjectId, current: str) -> None:
        before, cookie = stored_account(alice), a_session(ALICE)
        with pytest.raises(PortalError) as refused:
            service.change_password(principal=somebody(cookie), current=current, new=NEW_PASSWORD, words=())
        assert (refused.value.status, [error.path for error in refused.value.errors]) == (422, ["current"])
        assert stored_account(alice) == before
        assert by_cookie(cookie)

    @pytest.mark.parametrize("new", ["short", "x" * 200, ALICE + "1", "Acme Acme Acme 1", None, 7])
    def test_the_new_one_must_be_acceptable(self, alice: ObjectId, new: Any) -> None:
        before = stored_account(alice)
        with pytest.raises(PortalError) as refused:
            service.change_password(principal=somebody(a_session(ALICE)), current=PASSWORD, new=new, words=["Acme"])
        assert (refused.value.status, [error.path for error in refused.value.errors]) == (422, ["password"])
        assert stored_account(alice) == before

    @pytest.mark.parametrize("current", [None, 7, {"$ne": ""}])
    def test_the_old_one_must_be_text(self, alice: ObjectId, current: Any) -> None:
        with pytest.raises(PortalError) as refused:
            service.change_password(principal=somebody(a_session(ALICE)), current=current, new=NEW_PASSWORD, words=())
        assert refused.value.status == 422

    def test_a_session_without_an_organization_stays_without_one(self, alice: ObjectId) -> None:
        service.add_membership(account_id=alice, org_id=an_organization("umbrella"), role=Role.OWNER)
        cookie = service.change_password(
            principal=somebody(a_session(ALICE)), current=PASSWORD, new=NEW_PASSWORD, words=()
        )
        assert somebody(cookie).organization is None

    def test_an_account_that_was_deleted_meanwhile_is_nobody(self, alice: ObjectId) -> None:
        principal = somebody(a_session(ALICE))
        assert principal.org_id is not None
        service.forget_organization(org_id=principal.org_id)
        with pytest.raises(PortalError) as refused:
            service.change_password(principal=principal, current=PASSWORD, new=NEW_PASSWORD, words=())
        assert refused.value.status == 401
        assert stored_sessions() == []


def test_a_shorter_or_longer_minimum_is_the_callers_to_say() -> None:
    check_password_policy("rust tin fog", minimum=8)
    with pytest.raises(PortalError) as refused:
        check_password_policy("tall ladders rust slowly", minimum=30)
    assert "at least 30" in refused.value.errors[0].message
