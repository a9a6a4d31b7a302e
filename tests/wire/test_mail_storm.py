"""Sign-ups and invitations through a whole portal, while its mail server fails a quarter of all connections.

None fails, and in the end every mail has come exactly once, though the worker is killed on the way.
"""

import os
import secrets
from collections.abc import Iterator
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

LIMITS = {
    "SIGNUPS_PER_ADDRESS": "0",
    "MAIL_REQUESTS_PER_ADDRESS": "0",
    "MAILS_PER_RECIPIENT": "0",
    "INVITATIONS_PER_ORGANIZATION": "0",
}


def a_portal(server: MailServer, folder: Path) -> Portal:
    """A running portal whose mail goes to the server; it has a database of its own."""
    settings = {
        **LIMITS,
        "SITE_URL": "http://portal.example",
        # The portal answers for the forged host: what is in a mail must not depend on that.
        "ALLOWED_HOSTS": "portal.example,127.0.0.1,evil.example",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(server.port),
        "EMAIL_USE_TLS": "false",
        "MAIL_RETRY_SECONDS": "0.2",
        "LEASE_SECONDS": "2",
        "DATABASE_DEADLINE": "1.9",
    }
    name = f"storm_{free_port()}"
    return Portal(uri=os.environ["TEST_MONGODB_URI"], database=name, folder=folder / name, settings=settings).start()


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailServer, Portal]]:
    """A mail server that is still down, and a portal that does not know."""
    server = MailServer()
    portal = a_portal(server, tmp_path_factory.mktemp("storm"))
    yield server, portal
    portal.stop()
    server.stop()
    with portal.mongo() as client:
        client.drop_database(portal.database)


Storm = tuple[MailServer, Portal]


@pytest.fixture
def server_and_portal(storm: Storm) -> Iterator[Storm]:
    """Both, with no mail left over from another test, the server down and well."""
    server, _ = storm
    server.forget()
    yield storm
    server.stop()


def post(portal: Portal, path: str, body: Any, *, token: str = "", host: str = "evil.example") -> httpx.Response:
    """A call that names a host of its own."""
    headers = {"Host": host, "X-Forwarded-Host": "evil.example"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.post(f"{portal.base_url}/api/v1{path}", json=body, headers=headers, timeout=60)


def sign_up(portal: Portal, mark: str) -> str:
    """One more organization with its owner; the owner's address."""
    email = f"owner_{mark}@example.org"
    body = {"organization_name": f"Company {mark}", "slug": f"c{mark}", "email": email, "password": PASSWORD}
    answer = post(portal, "/orgs", body)
    assert answer.status_code == 201, answer.text
    return email


def invite_one(portal: Portal, owner: str) -> str:
    """The owner invites somebody; the invited address."""
    answer = post(portal, "/auth/login", {"email": owner, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    email = owner.replace("owner", "guest")
    token, path = answer.json()["access_token"], f"/orgs/{answer.json()['org_name']}/invitations"
    invited = post(portal, path, {"email": email, "role": "editor"}, token=token)
    assert invited.status_code == 201, invited.text
    return email


def confirm_address(portal: Portal, server: MailServer, email: str) -> None:
    """Wait for the mail, and use its link."""
    mails = wait_until(lambda: server.to(email), f"the mail to {email}", seconds=240)
    token = link_in(mails[0]).rsplit("/", 1)[1]
    assert post(portal, "/auth/email/verify", {"token": token}).status_code == 204


def weather_the_storm(server: MailServer, portal: Portal, *, number: int, before: int) -> None:
    """So many sign-ups and as many invitations, the first ones while the server is down; each mail comes once."""
    mark = secrets.token_hex(3)
    owners = [sign_up(portal, f"{mark}_{index}") for index in range(before)]
    server.bad, server.per_connection = 0.25, 3
    server.start()
    owners += [sign_up(portal, f"{mark}_{index}") for index in range(before, number)]
    for owner in owners:
        confirm_address(portal, server, owner)
    guests = [invite_one(portal, owner) for owner in owners]
    _wait_until_settled(portal)
    assert sorted(str(mail["To"]) for mail in server.kept) == sorted(owners + guests)
    assert set(server.times_by_id().values()) == {1}
    for mail in server.kept:
        assert urlsplit(link_in(mail)).hostname == "portal.example"
        assert b"evil" not in mail.as_bytes()
    assert sum(server.spoilt.values()) > 0
    print(
        f"{number} sign-ups and {number} invitations over {server.connections} connections, "
        f"{sum(server.spoilt.values())} of them spoilt ({dict(server.spoilt)}): {len(server.kept)} mails, each once"
    )


def _wait_until_settled(portal: Portal) -> None:
    with portal.mongo() as client:
        mail = client[portal.database]["mail"]
        wait_until(lambda: mail.count_documents({"status": {"$ne": "sent"}}) == 0, "every mail to be sent", seconds=300)


def test_every_mail_comes_once_though_the_server_is_down_and_then_fails_a_quarter_of_all_connections(
    server_and_portal: Storm,
) -> None:
    weather_the_storm(*server_and_portal, number=5, before=2)


@pytest.mark.long
def test_two_hundred_sign_ups_and_invitations_in_the_storm(server_and_portal: Storm) -> None:
    server, portal = server_and_portal
    weather_the_storm(server, portal, number=200, before=20)
    assert len(server.spoilt) == len(server.PLACES)


def test_a_worker_killed_while_it_sends_leaves_no_mail_behind(server_and_portal: Storm) -> None:
    """Killed before the answer: the mail was taken by nobody, and comes once, from the next worker."""
    server, portal = server_and_portal
    server.start()
    server.silent.set()
    owner = sign_up(portal, secrets.token_hex(3))
    assert server.received.wait(60)
    portal.kill("worker")
    server.silent.clear()
    portal.start_worker()
    wait_until(lambda: server.to(owner), "the mail")
    _wait_until_settled(portal)
    assert len(server.kept) == 1


@pytest.mark.long
def test_killed_again_and_again_the_worker_loses_no_mail(server_and_portal: Storm) -> None:
    """A kill may fall between the answer and the mark: then a mail comes twice, as the same one, but none is lost."""
    server, portal = server_and_portal
    server.bad, server.per_connection = 0.25, 3
    server.start()
    owners = []
    for number in range(60):
        owners.append(sign_up(portal, f"k{secrets.token_hex(3)}"))
        if number % 3 == 2:
            portal.kill("worker")
            portal.start_worker()
    _wait_until_settled(portal)
    assert {str(mail["To"]) for mail in server.kept} == set(owners)
    assert len(server.times_by_id()) == 60, "a copy has the Message-ID of its first"
    print(f"60 sign-ups, the worker killed 20 times: {len(server.kept)} mails for {len(server.times_by_id())}")
