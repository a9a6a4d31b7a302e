"""Mail over real SMTP: what servers do to it, and that every mail arrives once in the end."""

import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from bson import ObjectId
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pymongo.errors import AutoReconnect

from accounts import notices
from accounts.mail import overview, queue
from accounts.mail.delivery import Delivering
from accounts.mail.letters import Entry, Letter
from accounts.mail.queue import DROPPED, FAILED, SENT, WAITING
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import an_account, an_organization
from tests.accounts.mail_server import MailServer, html_of, text_of

NEVER = threading.Event()
DAY = timedelta(days=1)
ALICE = "alice@example.org"


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    made = MailServer().start()
    made.configure(settings)
    yield made
    made.stop()


def a_notice(to: str = ALICE, **details: str) -> Letter:
    """A letter that needs no account."""
    context = {"notice": "password_changed", "details": details, "happened": notices.happened()}
    return Letter(kind="notice", to=to, context=context)


def states() -> dict[str, int]:
    """How many letters are in each state that has any."""
    return {status: count for status, count in overview.counts().items() if count}


def stored() -> dict[str, Any]:
    """The one letter of the queue."""
    (row,) = database.collection("mail").find({})
    return row


def delivered(worker: Delivering | None = None, *, rounds: int = 1000) -> None:
    """Run the duty until nothing waits any more."""
    worker = worker or Delivering()
    for _ in range(rounds):
        worker(NEVER)
        if not database.collection("mail").count_documents({"status": {"$in": [WAITING, "sending"]}}, limit=1):
            return
        time.sleep(0.005)
    pytest.fail(f"not everything was delivered: {states()}")


def test_a_mail_has_both_parts_its_headers_and_one_recipient(server: MailServer) -> None:
    queue.add([a_notice()])
    delivered()
    (mail,) = server.kept
    assert mail["To"] == ALICE
    assert mail["From"] == "Orgportal <no-reply@testserver>"
    assert mail["Subject"] == "Your password was changed"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail["Message-ID"]) == stored()["message_id"]
    assert str(mail["Message-ID"]).endswith("@testserver>")
    assert "The password of your account was changed." in text_of(mail)
    assert "The password of your account was changed." in html_of(mail)
    assert mail.as_bytes().isascii(), "nothing on the way has to change a byte"


def test_a_sent_mail_keeps_nothing_of_what_it_said(server: MailServer) -> None:
    queue.add([a_notice()])
    delivered()
    row = stored()
    assert (row["status"], row["context"], row["holder"], "due_at" in row) == (SENT, {}, "", False)
    assert row["expires_at"] > now()


@pytest.mark.parametrize(
    "name",
    [
        "Eve\r\nBcc: victim@example.org",
        "Eve\nBcc: victim@example.org",
        "Eve\x00\x0b\u2028Bcc: x@example.org",
        "é" * 400,
    ],
)
def test_no_name_adds_a_header_or_a_recipient(server: MailServer, name: str) -> None:
    context = {
        "notice": "organization_deleted",
        "details": {"organization": name, "actor": "eve"},
        "happened": notices.happened(),
    }
    queue.add([Letter(kind="notice", to=ALICE, context=context)])
    delivered()
    (mail,) = server.kept
    assert "Bcc" not in mail
    assert mail["To"] == ALICE
    assert len(mail["Subject"].splitlines()) == 1


def test_a_name_is_no_link_in_a_mail(server: MailServer) -> None:
    with notices.announced(
        kind="organization_deleted", details={"organization": "Win at https://evil.example/x", "actor": "e"}
    ):
        pass
    assert states() == {}
    org_id = an_organization("acme")
    account_id = an_account(ALICE, org_id)
    details = {"organization": "Win at https://evil.example/x", "actor": "e"}
    notices.send(kind="organization_deleted", account_ids=[account_id], details=details)
    delivered()
    (mail,) = server.kept
    for part in (text_of(mail), html_of(mail), str(mail["Subject"])):
        assert "evil.example" not in part
        assert "evil.\u200bexample" in part


def test_what_a_person_typed_is_escaped_in_html(server: MailServer) -> None:
    account_id = an_account(ALICE, an_organization("acme"))
    details = {"organization": "<img src=x>", "actor": "eve"}
    notices.send(kind="organization_deleted", account_ids=[account_id], details=details)
    delivered()
    assert "<img" not in html_of(server.kept[0])
    assert "<img src=x>" in text_of(server.kept[0])


def test_a_server_that_fails_a_quarter_of_all_connections_gets_every_mail_once(settings: Any) -> None:
    server = MailServer(bad=0.25, seed=7)
    server.start()
    server.configure(settings)
    addresses = [f"person{number}@example.org" for number in range(60)]
    queue.add([a_notice(address) for address in addresses])
    delivered()
    server.stop()
    assert sorted(str(mail["To"]) for mail in server.kept) == sorted(addresses)
    assert set(server.times_by_id().values()) == {1}
    assert states() == {SENT: 60}


def test_a_recipient_that_does_not_exist_is_given_up_at_once(server: MailServer) -> None:
    server.answers[ALICE] = ["550 5.1.1 No such user"]
    queue.add([a_notice(), a_notice("bob@example.org")])
    delivered()
    assert [str(mail["To"]) for mail in server.kept] == ["bob@example.org"]
    (failed,) = overview.failed(limit=10)
    assert (failed.letter.to, failed.attempts, failed.problem) == (ALICE, 1, "550 5.1.1 No such user")


def test_a_recipient_that_is_busy_is_tried_again(server: MailServer) -> None:
    server.answers[ALICE] = ["450 4.2.1 Busy", "421 4.3.2 Going down", "452 4.2.2 Full"]
    queue.add([a_notice()])
    delivered()
    assert len(server.to(ALICE)) == 1
    assert stored()["attempts"] == 4


def test_pauses_double_with_jitter_up_to_four_hours(settings: Any) -> None:
    settings.MAIL_RETRY_SECONDS = 16.0
    for attempts, seconds in ((1, 16), (2, 32), (5, 256), (10, 8192), (11, 14400), (500, 14400)):
        pauses = {queue.pause_after(attempts).total_seconds() for _ in range(50)}
        assert seconds * 0.75 <= min(pauses) <= max(pauses) <= seconds * 1.25
        assert len(pauses) > 1


def test_a_mail_that_nobody_takes_is_given_up_and_kept_for_the_operator(server: MailServer, settings: Any) -> None:
    # The next attempt would come after the time is over.
    settings.MAIL_GIVE_UP_SECONDS, settings.MAIL_RETRY_SECONDS = 60.0, 120.0
    server.answers[ALICE] = ["450 4.2.1 Busy"] * 1000
    queue.add([a_notice()])
    delivered()
    row = stored()
    assert (row["status"], row["problem"]) == (FAILED, "450 4.2.1 Busy")
    server.answers.clear()
    assert overview.retry("all") == 1
    delivered()
    assert states() == {SENT: 1}
    assert len(server.kept) == 1


def test_a_server_that_is_down_costs_no_attempt_and_delays_only(settings: Any) -> None:
    server = MailServer()
    server.configure(settings)
    queue.add([a_notice()])
    worker = Delivering()
    for _ in range(3):
        assert worker(NEVER) == 0
        time.sleep(0.02)
    assert (stored()["status"], stored()["attempts"]) == (WAITING, 0)
    server.start()
    delivered(worker)
    server.stop()
    assert len(server.kept) == 1


def a_certificate_of_our_own(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now(), now() + DAY)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = made.add_extension(address, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    return context


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(settings: Any, tmp_path: Path) -> None:
    server = MailServer(tls=a_certificate_of_our_own(tmp_path)).start()
    server.configure(settings)
    settings.EMAIL_USE_TLS = True
    queue.add([a_notice()])
    with structlog.testing.capture_logs() as logs:
        assert Delivering()(NEVER) == 0
    server.stop()
    assert (stored()["status"], stored()["attempts"], server.kept) == (WAITING, 0, [])
    (unreachable,) = [entry for entry in logs if entry["event"] == "mail_server_unreachable"]
    assert unreachable["problem"].startswith("TLS failed")


def test_a_server_without_tls_gets_no_mail_where_it_is_demanded(server: MailServer, settings: Any) -> None:
    settings.EMAIL_USE_TLS = True
    queue.add([a_notice()])
    assert Delivering()(NEVER) == 0
    assert (stored()["status"], server.kept) == (WAITING, [])


def test_mails_are_given_up_in_time_even_while_the_server_is_down(settings: Any) -> None:
    MailServer().configure(settings)
    settings.MAIL_GIVE_UP_SECONDS = 0.05
    queue.add([a_notice()])
    time.sleep(0.06)
    Delivering()(NEVER)
    assert states() == {FAILED: 1}


def test_several_workers_send_each_mail_once(server: MailServer) -> None:
    queue.add([a_notice(f"person{number}@example.org") for number in range(40)])
    workers = [Delivering() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda worker: worker(NEVER), workers))
    assert sum(sent) == 40
    assert len(server.kept) == 40
    assert set(server.times_by_id().values()) == {1}


def test_a_slow_server_does_not_lose_the_claim(server: MailServer, settings: Any) -> None:
    settings.LEASE_SECONDS = 0.3
    server.silent.set()
    queue.add([a_notice()])
    slow = threading.Thread(target=Delivering(), args=(NEVER,))
    slow.start()
    assert server.received.wait(10)
    until = time.monotonic() + 0.9
    while time.monotonic() < until:
        assert queue.claim(lease=timedelta(seconds=1)) is None
        time.sleep(0.02)
    server.silent.clear()
    slow.join(10)
    assert states() == {SENT: 1}
    assert len(server.kept) == 1


def test_a_claim_whose_holder_died_is_taken_over(server: MailServer) -> None:
    queue.add([a_notice()])
    dead = queue.claim(lease=timedelta(milliseconds=1))
    assert dead is not None
    delivered()
    assert len(server.kept) == 1
    assert stored()["attempts"] == 2
    assert not queue.mark_sent(dead), "the dead one's holder counts no more"


def test_what_was_sent_while_the_database_was_away_is_marked_later_and_not_sent_again(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add([a_notice()])
    worker = Delivering()

    def away(entry: Entry) -> bool:
        raise AutoReconnect("away")

    with monkeypatch.context() as patched:
        patched.setattr(queue, "mark_sent", away)
        assert worker(NEVER) == 1
    assert stored()["status"] == "sending"
    worker(NEVER)
    assert states() == {SENT: 1}
    assert len(server.kept) == 1


def test_an_answer_that_was_lost_makes_the_same_mail_come_twice(server: MailServer) -> None:
    """The one case in which nobody can know: both copies have one Message-ID and one Date."""
    server.unheard = 1
    queue.add([a_notice()])
    delivered()
    assert set(server.times_by_id().values()) == {2}
    assert len({str(mail["Date"]) for mail in server.kept}) == 1


def test_an_act_and_its_mail_go_together(server: MailServer) -> None:
    with queue.held([a_notice()]):
        assert not queue.something_is_due(), "it waits for the act"
    delivered()
    assert len(server.kept) == 1


def test_a_refused_act_takes_its_mail_back() -> None:
    with pytest.raises(PortalError), queue.held([a_notice()]):
        raise PortalError("no", 409, "No.")
    assert states() == {}


def test_a_mail_whose_act_died_goes_later_all_the_same(server: MailServer) -> None:
    with pytest.raises(ZeroDivisionError), queue.held([a_notice()]):
        raise ZeroDivisionError
    Delivering()(NEVER)
    assert states() == {WAITING: 1}
    database.collection("mail").update_many({}, {"$set": {"due_at": now()}})
    delivered()
    assert len(server.kept) == 1


def test_a_mail_to_an_account_that_did_not_come_to_be_is_dropped(server: MailServer) -> None:
    queue.add([Letter(kind="verify_email", to=ALICE, account_id=ObjectId())])
    delivered()
    assert server.kept == []
    assert states() == {DROPPED: 1}


def test_a_mail_that_cannot_be_written_holds_no_other_up(server: MailServer) -> None:
    queue.add([Letter(kind="notice", to=ALICE, context={"notice": "no such notice"}), a_notice("bob@example.org")])
    Delivering()(NEVER)
    assert [str(mail["To"]) for mail in server.kept] == ["bob@example.org"]
    assert database.collection("mail").find_one({"to": ALICE, "status": WAITING}) is not None


def test_a_stopped_worker_begins_no_further_mail(server: MailServer) -> None:
    stopping = threading.Event()
    stopping.set()
    queue.add([a_notice()])
    assert Delivering()(stopping) == 0
    assert states() == {WAITING: 1}
