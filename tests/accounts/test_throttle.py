"""Throttles: never one more than the limit in any period of its length, whoever asks at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings

from accounts import throttle
from accounts.throttle import THROTTLES, Bucket, bucket
from accounts.tokens import now
from orgportal import circumstances, database
from orgportal.errors import PortalError
from tests.accounts.commands import Commands
from tests.effort import effort

PERIOD = 900.0


class Clock:
    """What throttles take for the time."""

    def __init__(self) -> None:
        self.moment = now()

    def __call__(self) -> datetime:
        return self.moment

    def on(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(throttle, "now", made)
    return made


def a_bucket(limit: int = 3, *about: str) -> Bucket:
    return bucket("test", *(about or ("alice",)), limit=limit, seconds=PERIOD)


def refused(wanted: Bucket) -> PortalError:
    with pytest.raises(PortalError) as caught:
        throttle.take(wanted)
    assert (caught.value.status, caught.value.code) == (429, "too_many_attempts")
    return caught.value


def test_there_is_room_up_to_the_limit_and_no_further(clock: Clock) -> None:
    for _ in range(3):
        throttle.take(a_bucket())
    refused(a_bucket())
    throttle.take(a_bucket(3, "bob"))


def test_retry_after_says_exactly_when_there_is_room_again(clock: Clock) -> None:
    throttle.take(a_bucket(2))
    clock.on(100)
    throttle.take(a_bucket(2))
    clock.on(100)
    assert refused(a_bucket(2)).retry_after == PERIOD - 200
    clock.on(PERIOD - 201)
    assert refused(a_bucket(2)).retry_after == 1
    clock.on(1)
    throttle.take(a_bucket(2))
    # The second one leaves a hundred seconds after the first.
    assert refused(a_bucket(2)).retry_after == 100


def test_in_no_period_of_that_length_are_more_than_the_limit(clock: Clock) -> None:
    let_in: list[datetime] = []
    turns = effort(short=100, full=200)
    for _ in range(turns):
        try:
            throttle.take(a_bucket(5))
            let_in.append(clock.moment)
        except PortalError:
            pass
        clock.on(37)
    assert len(let_in) > turns * 3 // 20
    for first, sixth in zip(let_in, let_in[5:], strict=False):
        assert sixth - first >= timedelta(seconds=PERIOD)


def test_what_is_given_back_was_never_counted(clock: Clock) -> None:
    throttle.take(a_bucket())
    mistaken = throttle.take(a_bucket())
    throttle.take(a_bucket())
    throttle.give_back((mistaken,))
    throttle.give_back((mistaken,))
    throttle.take(a_bucket())
    refused(a_bucket())


def test_several_buckets_are_counted_all_or_none(clock: Clock) -> None:
    throttle.take(a_bucket(1, "full"))
    with pytest.raises(PortalError):
        throttle.take_all((a_bucket(1, "free"), a_bucket(1, "full")))
    throttle.take(a_bucket(1, "free"))


def test_an_emptied_bucket_has_room_again(clock: Clock) -> None:
    throttle.take(a_bucket(1))
    throttle.empty(a_bucket(1))
    throttle.take(a_bucket(1))


def test_no_limit_counts_nothing(commands: Commands) -> None:
    throttle.give_back((throttle.take(a_bucket(0)),))
    assert commands.sent == []


@pytest.mark.parametrize("limit", [1, 10])
def test_of_many_at_once_exactly_the_limit_get_in(limit: int) -> None:
    def comes_in(_: int) -> bool:
        try:
            throttle.take(a_bucket(limit))
        except PortalError:
            return False
        return True

    with ThreadPoolExecutor(40) as threads:
        assert sum(threads.map(comes_in, range(effort(short=80, full=200)))) == limit


def test_of_many_at_once_after_the_period_exactly_the_limit_get_in(clock: Clock) -> None:
    for _ in range(4):
        throttle.take(a_bucket(4))
    clock.on(PERIOD)

    def comes_in(_: int) -> bool:
        try:
            throttle.take(a_bucket(4))
        except PortalError:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(comes_in, range(60))) == 4


def test_a_counted_attempt_is_one_command_and_touches_one_document_by_its_id(commands: Commands) -> None:
    throttle.take(a_bucket())
    throttle.take(a_bucket())
    assert commands.names == ["update", "update"]
    for sent in commands.sent:
        query = sent["updates"][0]["q"]
        assert isinstance(query["_id"], str)
        assert "$or" not in query


def test_what_is_stored_tells_nobody_what_it_is_about() -> None:
    throttle.take(bucket("test", "alice@example.org", limit=3, seconds=PERIOD))
    row = database.collection(THROTTLES).find_one({})
    assert row is not None
    assert "alice" not in str(row)
    assert row["expires_at"] > now() + timedelta(seconds=PERIOD - 60)


def test_kinds_and_parts_never_run_into_each_other() -> None:
    ids = {bucket(*about, limit=1, seconds=1).id for about in (("a", "b"), ("a", "b", ""), ("ab",), ("b", "a"))}
    assert len(ids) == 4


def test_sign_ups_are_counted_by_network(settings: LazySettings) -> None:
    settings.SIGNUPS_PER_ADDRESS = 2
    with circumstances.during(request_id="", address="2001:db8::1", agent=""):
        throttle.count_sign_up()
    with circumstances.during(request_id="", address="2001:db8::ffff", agent=""):
        throttle.count_sign_up()
        with pytest.raises(PortalError, match="Too many"):
            throttle.count_sign_up()
    with circumstances.during(request_id="", address="2001:db8:0:1::1", agent=""):
        throttle.count_sign_up()


def test_the_operators_sign_ups_are_not_counted(settings: LazySettings) -> None:
    settings.SIGNUPS_PER_ADDRESS = 1
    for _ in range(3):
        throttle.count_sign_up()


def test_mails_are_counted_by_recipient_and_by_network(settings: LazySettings) -> None:
    settings.MAILS_PER_RECIPIENT, settings.MAIL_REQUESTS_PER_ADDRESS = 2, 3
    for address in ("192.0.2.1", "192.0.2.2"):
        with circumstances.during(request_id="", address=address, agent=""):
            throttle.count_mail_request(email="alice@example.org")
    with circumstances.during(request_id="", address="192.0.2.3", agent=""):
        with pytest.raises(PortalError):
            throttle.count_mail_request(email="alice@example.org")
        for name in ("b", "c", "d"):
            throttle.count_mail_request(email=f"{name}@example.org")
        with pytest.raises(PortalError):
            throttle.count_mail_request(email="e@example.org")


def test_invitations_are_counted_by_organization_and_by_recipient(settings: LazySettings) -> None:
    settings.MAILS_PER_RECIPIENT, settings.INVITATIONS_PER_ORGANIZATION = 1, 2
    throttle.count_invitation(org_id="one", email="alice@example.org")
    with pytest.raises(PortalError):
        throttle.count_invitation(org_id="one", email="alice@example.org")
    throttle.count_invitation(org_id="one", email="bob@example.org")
    with pytest.raises(PortalError):
        throttle.count_invitation(org_id="one", email="carol@example.org")
    throttle.count_invitation(org_id="two", email="alice@example.org")


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second."), (119, "119 seconds"), (120, "2 minutes"), (870, "15 minutes")]
)
def test_the_refusal_says_how_long_to_wait(seconds: int, words: str) -> None:
    assert words in throttle.too_many_attempts(seconds).message
