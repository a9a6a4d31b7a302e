"""Passkeys that open nothing: what is wrong with each, that it is said in the same words, and that it is counted."""

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pytest_django import Settings

from accounts.tokens import now
from orgportal import database
from tests.accounts.passkeys.adding import AUTH, PASSKEYS, add, added, options_of, options_to_add
from tests.accounts.passkeys.authenticator import Authenticator, Json, Lies, lying, to_bytes, to_text
from tests.accounts.passkeys.conftest import EMAIL
from tests.accounts.passkeys.showing import log_in_alone, log_in_with, options_after_password, options_alone
from tests.effort import FULL
from tests.scripts import Script, body_of, log_in, problem_of, sign_up, wrong_paths

INVALID = (401, "invalid_passkey")
OTHER = "owner@umbrella.example"

# What is as wrong in a login as in a new passkey.
ANYWHERE: dict[str, Lies] = {
    "another origin": lying(origin="https://evil.example"),
    "another port": lying(origin="http://testserver:8000"),
    "another scheme": lying(origin="https://testserver"),
    "an origin below": lying(origin="http://login.testserver"),
    "another RP ID": lying(rp_id="evil.example"),
    "another challenge": lying(challenge=to_text(bytes(64))),
    "a challenge that is none": lying(challenge="$ne"),
    "nobody present": lying(present=False),
    "a frame of another site": lying(cross_origin=True),
    "crossOrigin as text": lying(cross_origin="false"),
}
AT_LOGIN: dict[str, Lies] = {
    **ANYWHERE,
    "made for a new passkey": lying(type="webauthn.create"),
    "the user not verified": lying(verified=False),
    "no user handle": lying(no_handle=True),
    "another user handle": lying(user_handle=bytes(12)),
    "a changed signature": lying(tampered=True),
    "one that can be backed up since": lying(can_sync=True),
}
AT_ADDING: dict[str, Lies] = {
    **ANYWHERE,
    "made for a login": lying(type="webauthn.get"),
    "the user not verified": lying(verified=False),
}


def audited(action: str) -> int:
    """How many entries and counted refusals of an action there are."""
    entries = database.collection("audit").count_documents({"action": action})
    tallies = database.collection("audit_tallies").find({"draft.action": action})
    return entries + len(list(tallies))


@pytest.fixture
def other(owner: Script) -> Script:
    """Umbrella's owner."""
    sign_up("Umbrella")
    return log_in(OTHER)


@pytest.mark.parametrize("lies", AT_LOGIN.values(), ids=AT_LOGIN)
def test_a_login_that_is_not_right_is_refused(owner: Script, device: Authenticator, lies: Lies) -> None:
    assert problem_of(log_in_alone(device, lies)) == INVALID


def test_after_one_that_was_refused_a_right_one_logs_in(owner: Script, device: Authenticator) -> None:
    assert problem_of(log_in_alone(device, lying(tampered=True))) == INVALID
    assert log_in_alone(device).status_code == 200


@pytest.mark.parametrize("lies", AT_ADDING.values(), ids=AT_ADDING)
def test_a_new_passkey_that_is_not_right_is_refused(script: Script, device: Authenticator, lies: Lies) -> None:
    assert wrong_paths(add(script, device, lies=lies)) == ["credential"]
    assert body_of(script.get(PASSKEYS))["items"] == []


def test_after_the_password_the_rest_must_be_right_all_the_same(owner: Script, device: Authenticator) -> None:
    for lies in (lying(origin="https://evil.example"), lying(tampered=True), lying(present=False)):
        assert problem_of(log_in_with(device.get(options_after_password(EMAIL), lies))) == INVALID


def test_an_answer_is_good_once(owner: Script, device: Authenticator) -> None:
    credential = device.get(options_alone())
    assert log_in_with(credential).status_code == 200
    assert problem_of(log_in_with(credential)) == INVALID


def test_a_challenge_is_used_up_by_a_wrong_answer(owner: Script, device: Authenticator) -> None:
    options = options_alone()
    assert problem_of(log_in_with(device.get(options, lying(tampered=True)))) == INVALID
    assert problem_of(log_in_with(device.get(options))) == INVALID


def test_a_challenge_is_over_after_five_minutes(owner: Script, device: Authenticator) -> None:
    """Whether or not the TTL index has removed it."""
    for_login, for_adding = options_alone(), options_to_add(owner)
    past = {"expires_at": now() - timedelta(seconds=1)}
    database.collection("passkey_challenges").update_many({}, {"$set": past})
    assert problem_of(log_in_with(device.get(for_login))) == INVALID
    late = {"name": "Late", "credential": Authenticator().create(for_adding)}
    assert wrong_paths(owner.post(PASSKEYS, late)) == ["credential"]


def test_a_challenge_is_good_for_its_purpose_only(owner: Script, device: Authenticator) -> None:
    confirming = device.get(options_of(owner.post(f"{AUTH}/sudo/passkey/options")))
    assert problem_of(log_in_with(confirming)) == INVALID
    logging_in = device.get(options_alone())
    assert wrong_paths(owner.post(f"{AUTH}/sudo/passkey", {"credential": logging_in})) == ["credential"]
    to_add = options_to_add(owner)
    assert problem_of(log_in_with(device.get(to_add))) == INVALID
    for_login = {"rp": {"id": "testserver"}, "user": to_add["user"], **options_alone()}
    made = {"name": "Mixed", "credential": Authenticator().create(for_login)}
    assert wrong_paths(owner.post(PASSKEYS, made)) == ["credential"]


def test_even_of_one_session_it_is(owner: Script, device: Authenticator) -> None:
    to_confirm = options_of(owner.post(f"{AUTH}/sudo/passkey/options"))
    made = Authenticator().create({**options_to_add(owner), "challenge": to_confirm["challenge"]})
    assert wrong_paths(owner.post(PASSKEYS, {"name": "Mixed", "credential": made})) == ["credential"]
    shown = device.get({"challenge": options_to_add(owner)["challenge"]})
    assert wrong_paths(owner.post(f"{AUTH}/sudo/passkey", {"credential": shown})) == ["credential"]


def test_a_new_passkey_has_the_id_that_its_authenticator_says(script: Script, device: Authenticator) -> None:
    made = device.create(options_to_add(script))
    other = to_text(bytes(32))
    renamed = {"name": "Phone", "credential": {**made, "id": other, "rawId": other}}
    assert wrong_paths(script.post(PASSKEYS, renamed)) == ["credential"]


def test_a_challenge_is_good_for_its_session_and_account_only(
    owner: Script, device: Authenticator, other: Script
) -> None:
    made = {"name": "Theirs", "credential": Authenticator().create(options_to_add(other))}
    assert wrong_paths(owner.post(PASSKEYS, made)) == ["credential"]
    # It was not theirs to use up.
    assert other.post(PASSKEYS, made).status_code == 201
    second = log_in_alone(device)
    same_account = Script(body_of(second)["access_token"])
    options = options_of(owner.post(f"{AUTH}/sudo/passkey/options"))
    assert wrong_paths(same_account.post(f"{AUTH}/sudo/passkey", {"credential": device.get(options)})) == ["credential"]


def test_a_challenge_of_another_account_makes_no_passkey(script: Script, device: Authenticator) -> None:
    made = device.create(options_to_add(script))
    database.collection("passkey_challenges").update_many({}, {"$set": {"account_id": ObjectId()}})
    assert wrong_paths(script.post(PASSKEYS, {"name": "Phone", "credential": made})) == ["credential"]


def test_what_tells_the_maker_of_an_authenticator_is_not_wanted(script: Script, device: Authenticator) -> None:
    refused = add(script, device, lies=lying(signed_by_maker=True))
    assert wrong_paths(refused) == ["credential"]
    assert add(script, device).status_code == 201


def test_what_an_authenticator_signed_itself_is_taken(script: Script, device: Authenticator) -> None:
    assert add(script, device, lies=lying(signed_by_itself=True)).status_code == 201
    assert log_in_alone(device).status_code == 200


def test_a_passkey_of_another_account_is_no_second_factor(owner: Script, other: Script) -> None:
    theirs = Authenticator()
    added(other, theirs)
    mine = options_after_password(EMAIL)
    assert problem_of(log_in_with(theirs.get({**mine, "allowCredentials": []}))) == INVALID
    confirming = options_of(owner.post(f"{AUTH}/sudo/passkey/options"))
    shown = theirs.get({**confirming, "allowCredentials": []})
    assert wrong_paths(owner.post(f"{AUTH}/sudo/passkey", {"credential": shown})) == ["credential"]


def test_what_nobody_has_reads_as_what_is_wrong(owner: Script, device: Authenticator) -> None:
    unknown = Authenticator()
    unknown.create({"rp": {"id": "testserver"}, "user": {"id": to_text(bytes(12))}, "challenge": "x"})
    answers = [
        log_in_alone(unknown),
        log_in_alone(device, lying(tampered=True)),
        log_in_with(device.get(options_alone(), lying(challenge="x"))),
    ]
    told = [{name: value for name, value in body_of(one).items() if name != "request_id"} for one in answers]
    assert told[0] == told[1] == told[2]
    assert [one.status_code for one in answers] == [401, 401, 401]


def test_a_counter_that_goes_back_is_refused_and_audited(owner: Script, device: Authenticator) -> None:
    device.held[0].count = 7
    assert log_in_alone(device).status_code == 200
    for count in (8, 3, 0):
        assert problem_of(log_in_alone(device, lying(count=count))) == INVALID
    assert audited("passkey.counter_refused") == 3
    assert log_in_alone(device, lying(count=9)).status_code == 200


def test_one_that_does_not_count_says_0_always(script: Script) -> None:
    synced = Authenticator(counts=False, synced=True)
    added(script, synced)
    for _ in range(2):
        assert log_in_alone(synced).status_code == 200
    assert audited("passkey.counter_refused") == 0


def test_a_password_that_was_set_since_ends_a_login_that_was_begun(owner: Script, device: Authenticator) -> None:
    options = options_after_password(EMAIL)
    database.collection("accounts").update_one({"email": EMAIL}, {"$inc": {"generation": 1}})
    assert problem_of(log_in_with(device.get(options))) == INVALID


def test_of_two_answers_at_once_one_counts(owner: Script, device: Authenticator) -> None:
    credential = device.get(options_alone())
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(log_in_with, [credential] * 4))
    assert statuses == [200, 401, 401, 401]


def test_wrong_ones_are_counted_as_guesses(owner: Script, device: Authenticator, settings: Settings) -> None:
    settings.GUESSES_PER_ACCOUNT = 3
    for _ in range(3):
        assert problem_of(log_in_alone(device, lying(tampered=True))) == INVALID
    refused = log_in_alone(device)
    assert problem_of(refused) == (429, "too_many_attempts")
    assert refused["Retry-After"]
    # The password's own attempts are counted apart.
    assert problem_of(Script().post(f"{AUTH}/login", {"email": EMAIL, "password": "wrong"})) == (
        401, "invalid_credentials"
    )  # fmt: skip


def test_so_are_those_that_nobody_has_and_all_of_a_network(owner: Script, settings: Settings) -> None:
    settings.GUESSES_PER_ADDRESS = 0
    settings.GUESSES_PER_ACCOUNT = 2
    unknown = Authenticator()
    unknown.create({"rp": {"id": "testserver"}, "user": {"id": to_text(bytes(12))}, "challenge": "x"})
    statuses = [log_in_alone(unknown).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    settings.GUESSES_PER_ADDRESS = 2
    fresh = [Script().post(f"{AUTH}/login/passkey/options", {}).status_code for _ in range(3)]
    assert fresh == [200, 200, 429]


def _without(part: str) -> Callable[[Json], None]:
    def change(credential: Json) -> None:
        del credential["response"][part]

    return change


def _with(**fields: Any) -> Callable[[Json], None]:
    return lambda credential: credential.update(fields)


def _answering(**fields: Any) -> Callable[[Json], None]:
    return lambda credential: credential["response"].update(fields)


SHAPES: dict[str, Callable[[Json], None]] = {
    "an operator for an id": _with(id={"$ne": None}),
    "an operator for both ids": _with(id={"$gt": ""}, rawId={"$gt": ""}),
    "an operator for the signature": _answering(signature={"$exists": True}),
    "a list for client data": _answering(clientDataJSON=["e30"]),
    "another id than the raw one": _with(rawId="AAAA"),
    "an id that is not base64url": _with(id="a b", rawId="a b"),
    "an id of a length that no bytes have": _with(id="AAAAA", rawId="AAAAA"),
    "client data of a length that no bytes have": _answering(clientDataJSON="AAAAA"),
    "a user handle of a length that no bytes have": _answering(userHandle="AAAAA"),
    "an id that is too long": _with(id="A" * 1400, rawId="A" * 1400),
    "another type": _with(type="password"),
    "a member that is unknown": _with(status="verified"),
    "an answer that is too long": _answering(signature="A" * 30_000),
    "no signature": _without("signature"),
    "no client data": _without("clientDataJSON"),
    "null for authenticator data": _answering(authenticatorData=None),
}


def test_what_is_no_credential_is_422_and_uses_nothing_up(owner: Script, device: Authenticator) -> None:
    credential = device.get(options_alone())
    for shape, change in SHAPES.items():
        changed = copy.deepcopy(credential)
        change(changed)
        assert problem_of(log_in_with(changed)) == (422, "invalid_input"), shape
    assert log_in_with(credential).status_code == 200


# Parts that are read alike are tried with some of it only, and with all of it when everything is.
GARBAGE = {
    "nothing of sense": b"\xff\xfe\xfd",
    "an empty object": b"{}",
    "a list": b"[]",
    "deep brackets": b"[" * 5000,
    "a duplicate key": b'{"challenge": "a", "challenge": "b"}',
    "a number for the challenge": b'{"type": "webauthn.get", "challenge": 1, "origin": "http://testserver"}',
    "an endless CBOR array": b"\x9f" * 300,
    "a huge CBOR length": b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_bytes_without_sense_are_refused_and_nothing_breaks(owner: Script, device: Authenticator, kind: str) -> None:
    raw = GARBAGE[kind]
    every_part = FULL or kind in ("nothing of sense", "a huge CBOR length")
    for part in ("clientDataJSON", *(("authenticatorData", "signature") if every_part else ())):
        credential = device.get(options_alone())
        credential["response"][part] = to_text(raw)
        assert problem_of(log_in_with(credential)) == INVALID
    for part in ("attestationObject", *(("clientDataJSON",) if every_part else ())):
        made = Authenticator().create(options_to_add(owner))
        made["response"][part] = to_text(raw)
        assert wrong_paths(owner.post(PASSKEYS, {"name": "Bad", "credential": made})) == ["credential"]


def test_a_client_that_says_more_than_it_must_is_understood(owner: Script, device: Authenticator) -> None:
    """`toJSON()` of browsers has members that the portal does not go by."""
    credential = device.get(options_alone())
    credential |= {"authenticatorAttachment": "platform", "clientExtensionResults": {"credProps": {"rk": True}}}
    data = json.loads(to_bytes(credential["response"]["clientDataJSON"]))
    assert data["origin"] == "http://testserver"
    assert log_in_with(credential).status_code == 200
