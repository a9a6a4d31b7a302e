"""Sign-ups and invitations through a whole portal, while its mail server fails a quarter of all connections.

None fails, and in the end every mail has come exactly once, though the worker is killed on the way.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.accounts.mail_server import MailServer, link_in
from tests.portals import Portal
from tests.scripts import PASSWORD
from tests.servers import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.chaos

HOSTS = ("evil.example", "127.0.0.1")
LIMITS = {
    "SIGNUPS_PER_ADDRESS": "0",
    "MAIL_REQUESTS_PER_ADDRESS": "0",
    "MAILS_PER_RECIPIENT": "0",
    "INVITATIONS_PER_ORGANIZATION": "0",
}

MakePortal = Callable[[MailServer], Portal]


@pytest.fixture
def make_portal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakePortal]:
    """Makes a running portal whose mail goes to the server; it has a database of its own."""
    made: list[Portal] = []

    def make(server: MailServer) -> Portal:
        import os

        settings = {
            **LIMITS,
            "SITE_URL": "http://portal.example",
            # The portal answers for the forged host: what is in a mail must not depend on that.
            "ALLOWED_HOSTS": "portal.example,127.0.0.1,evil.example",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(server.port),
            "EMAIL_USE_TLS": "false",
            "MAIL_RETRY_SECONDS": "0.2",
            "LEASE_SECONDS": "5",
        }
        name = f"storm_{free_port()}"
        portal = Portal(uri=os.environ["TEST_MONGODB_URI"], database=name, folder=tmp_path / name, settings=settings)
        made.append(portal.start())
        return portal

    yield make
    for portal in made:
        portal.stop()
        with portal.mongo() as client:
            client.drop_database(portal.database)


def post(portal: Portal, path: str, body: Any, *, token: str = "", host: str = "evil.example") -> httpx.Response:
    """A call that names a host of its own."""
    headers = {"Host": host, "X-Forwarded-Host": "evil.example"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.post(f"{portal.base_url}/api/v1{path}", json=body, headers=headers, timeout=60)


def sign_up(portal: Portal, number: int) -> str:
    """One more organization with its owner; the owner's address."""
    email = f"owner{number}@example.org"
    body = {"organization_name": f"Company {number}", "slug": f"c{number}", "email": email, "password": PASSWORD}
    answer = post(portal, "/orgs", body)
    assert answer.status_code == 201, answer.text
    return email


def invite_one(portal: Portal, owner: str, number: int) -> str:
    """The owner invites somebody; the invited address."""
    answer = post(portal, "/auth/login", {"email": owner, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    email = f"guest{number}@example.org"
    token, path = answer.json()["access_token"], f"/orgs/c{number}/invitations"
    invited = post(portal, path, {"email": email, "role": "editor"}, token=token)
    assert invited.status_code == 201, invited.text
    return email


def confirm_address(portal: Portal, server: MailServer, email: str) -> None:
    """Wait for the mail, and use its link."""
    mails = wait_until(lambda: server.to(email), f"the mail to {email}", seconds=240)
    token = link_in(mails[0]).rsplit("/", 1)[1]
    assert post(portal, "/auth/email/verify", {"token": token}).status_code == 204


def weather_the_storm(make_portal: MakePortal, *, number: int, kills: int) -> MailServer:
    """That many sign-ups and as many invitations, with the worker killed so often; nothing fails or comes twice."""
    server = MailServer(bad=0.25, seed=number).start()
    portal = make_portal(server)
    try:
        owners = []
        for index in range(number):
            owners.append(sign_up(portal, index))
            if kills and index % max(1, number // kills) == 0:
                portal.kill("worker")
                portal.start_worker()
        for owner in owners:
            confirm_address(portal, server, owner)
        guests = [invite_one(portal, owner, index) for index, owner in enumerate(owners)]
        _wait_until_settled(portal)
    finally:
        server.stop()
    assert sorted(str(mail["To"]) for mail in server.kept) == sorted(owners + guests)
    for mail in server.kept:
        assert urlsplit(link_in(mail)).hostname == "portal.example"
        assert b"evil" not in mail.as_bytes()
    print(
        f"{number} sign-ups and {number} invitations, {server.connections} connections, "
        f"spoilt {dict(server.spoilt)}: {len(server.kept)} mails, each once"
    )
    return server


def _wait_until_settled(portal: Portal) -> None:
    with portal.mongo() as client:
        mail = client[portal.database]["mail"]
        wait_until(lambda: mail.count_documents({"status": {"$ne": "sent"}}) == 0, "every mail to be sent", seconds=300)


def test_every_mail_comes_once_though_a_quarter_of_all_connections_fail(make_portal: MakePortal) -> None:
    server = weather_the_storm(make_portal, number=10, kills=0)
    assert sum(server.spoilt.values()) > 0


@pytest.mark.long
def test_two_hundred_sign_ups_and_invitations_in_the_storm(make_portal: MakePortal) -> None:
    server = weather_the_storm(make_portal, number=200, kills=0)
    assert len(server.spoilt) == len(server.PLACES)


def test_a_worker_killed_while_it_sends_leaves_no_mail_behind(make_portal: MakePortal) -> None:
    """Killed before the answer: the mail was taken by nobody, and comes once, from the next worker."""
    server = MailServer().start()
    portal = make_portal(server)
    try:
        server.silent.set()
        owner = sign_up(portal, 1)
        assert server.received.wait(60)
        portal.kill("worker")
        time.sleep(0.1)
        server.silent.clear()
        portal.start_worker()
        wait_until(lambda: server.to(owner), "the mail")
        _wait_until_settled(portal)
        assert len(server.kept) == 1
    finally:
        server.stop()


def test_signing_up_works_while_the_mail_server_is_down(make_portal: MakePortal) -> None:
    server = MailServer()
    portal = make_portal(server)
    owners = [sign_up(portal, number) for number in range(3)]
    server.start()
    try:
        _wait_until_settled(portal)
        assert sorted(str(mail["To"]) for mail in server.kept) == sorted(owners)
    finally:
        server.stop()


@pytest.mark.long
def test_killed_again_and_again_the_worker_loses_no_mail(make_portal: MakePortal) -> None:
    """A kill may fall between the answer and the mark: then a mail comes twice, as the same one, but none is lost."""
    server = MailServer(bad=0.25, seed=3).start()
    portal = make_portal(server)
    try:
        owners = []
        for number in range(60):
            owners.append(sign_up(portal, number))
            if number % 3 == 2:
                portal.kill("worker")
                portal.start_worker()
        _wait_until_settled(portal)
    finally:
        server.stop()
    assert {str(mail["To"]) for mail in server.kept} == set(owners)
    assert len(server.times_by_id()) == 60, "a copy has the Message-ID of its first"
    print(f"60 sign-ups, the worker killed 20 times: {len(server.kept)} mails of {len(server.times_by_id())}")
