"""Alerts on their way: once for each key, whatever happens."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from crm import Mood
from mqbg.serve.delivery.alerts import channels
from mqbg.serve.delivery.alerts.dispatch import deliver_alerts, enqueue_alerts
from mqbg.serve.delivery.outbox import outbox
from mqbg.settings import AlertSettings, Settings

FIRST = datetime(2025, 3, 1)
DAY = timedelta(days=1)
QUICK = {"requests_per_10_seconds": 100_000, "wait_seconds": 0.01, "tries": 6}


def told_by(*channels: str, **own) -> Settings:
    return Settings(alerts=AlertSettings(channels=channels, **(QUICK | own)))


@pytest.fixture
def later_night(night):
    """`night(...)` in a store that has had one before, whose first one is told as a digest."""
    night(FIRST - 30 * DAY, ["z"], readiness=0.1, score=10)
    return night


@pytest.fixture
def tell(store):
    def run(settings, as_of=FIRST, channel="slack", *, crash=False):
        with store.begin() as connection:
            enqueue_alerts(connection, channel, as_of, settings)
            if crash:
                outbox.claim_due(connection, channel, as_of)
        return None if crash else deliver_alerts(store, channel, settings, now=as_of)

    return run


def keys(crm) -> list[str]:
    return [headers["Idempotency-Key"] for headers, _ in crm.posted]


@pytest.mark.parametrize("channel", ["slack", "teams"])
def test_every_channel_is_told_once(later_night, stand, tell, channel):
    crm = stand()
    later_night(FIRST, ["a", "b"])
    for _ in range(3):
        tell(told_by(channel), channel=channel)
    assert len(keys(crm)) == len(set(keys(crm))) == 2
    assert json.loads(crm.posted[0][1])


def test_a_run_that_is_repeated_tells_nothing_again(night, stand, tell):
    crm = stand()
    for _ in range(2):
        night(FIRST, ["a"])
        tell(told_by("slack"))
    assert len(keys(crm)) == 1


def test_an_alert_found_in_the_middle_goes_out_again_with_its_key(night, stand, tell):
    crm = stand()
    night(FIRST, ["a"])
    tell(told_by("slack"), crash=True)
    assert keys(crm) == []
    tell(told_by("slack"))
    assert len(keys(crm)) == 1


def test_a_lost_answer_repeats_the_key(later_night, stand, tell):
    crm = stand(mood=Mood(lost=0.5), seed=1)
    later_night(FIRST, [f"g{n}" for n in range(8)])
    for _ in range(3):
        tell(told_by("slack"))
    assert len(set(keys(crm))) == 8
    assert len(keys(crm)) > 8


def test_a_refused_alert_is_not_lost(night, stand, tell):
    crm = stand(mood=Mood(broken=1.0))
    night(FIRST, ["a"])
    settings = told_by("slack")
    assert "hidden" not in str(tell(settings))
    crm.mood = Mood()
    night(FIRST + DAY, ["a"])
    tell(settings, FIRST + DAY)
    assert len(keys(crm)) == 1


class _Mailbox(socketserver.StreamRequestHandler):
    """Enough of SMTP to take a message."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                self.server.taken.append(b"".join(lines).decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            refused = word == b"RCPT" and b"nobody" in line
            self.wfile.write(b"550 no such user\r\n" if refused else b"250 ok\r\n")


@pytest.fixture
def mailbox():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def mail(mailbox, **own) -> Settings:
    given = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.server_address[1]}
    given |= {"smtp_security": "none", "email_from": "mqbg@example.com"}
    return told_by("email", **(given | {"email_to": ("sales@example.com",)} | own))


def test_a_mail_names_its_key(night, mailbox, tell):
    night(FIRST, ["日本\n<x>"])
    assert tell(mail(mailbox), channel="email").accepted == 1
    (message,) = mailbox.taken
    assert "Message-ID: <" in message
    assert "Idempotency-Key:" in message
    assert "To: sales@example.com" in message


def test_a_mail_that_is_refused_says_why(night, mailbox, tell):
    night(FIRST, ["a"])
    done = tell(mail(mailbox, email_to=("nobody@example.com",)), channel="email")
    assert "the server refused the receivers with [550]" in done.stop_reason


def test_a_mail_server_that_is_away_stops_the_channel(night, mailbox, tell):
    night(FIRST, ["a"])
    done = tell(mail(mailbox, smtp_port=9, tries=2), channel="email")
    assert "none after 2 tries" in done.stop_reason
    assert done.unsent == 1


def texts(crm) -> str:
    return "\n".join(body.decode() for _, body in crm.posted)


@pytest.mark.parametrize("channel", ["slack", "teams"])
def test_the_first_night_of_a_store_is_one_message(night, stand, tell, channel):
    crm = stand()
    night(FIRST, [f"g{n}" for n in range(165)])
    for _ in range(2):
        tell(told_by(channel), channel=channel)
    assert len(crm.posted) == 1
    assert "165 changes in buying groups" in texts(crm)
    assert "and 115 more" in texts(crm)
    night(FIRST + DAY, ["g0", "new"])
    tell(told_by(channel), FIRST + DAY, channel)
    assert len(crm.posted) == 2


@pytest.mark.parametrize(("groups", "messages"), [(10, 10), (11, 1)])
def test_many_alerts_are_one_message(later_night, stand, tell, groups, messages):
    crm = stand()
    later_night(FIRST, [f"g{n}" for n in range(groups)])
    tell(told_by("slack"))
    assert len(crm.posted) == messages


def test_a_digest_found_in_the_middle_goes_out_once_with_its_key(night, stand, tell):
    crm = stand()
    night(FIRST, ["a", "b"])
    tell(told_by("slack"), crash=True)
    assert keys(crm) == []
    for _ in range(2):
        tell(told_by("slack"))
    assert len(keys(crm)) == 1


@pytest.mark.parametrize(
    "said",
    [
        "Webhook message delivery failed with error: Teams endpoint returned HTTP error 429",
        "no_service",
        "<!doctype html><title>Log in</title>",
    ],
)
def test_a_chat_that_says_200_and_a_failure_has_told_nobody(night, stand, tell, said):
    crm = stand()
    crm.override = lambda *_: (200, {}, said.encode())
    night(FIRST, ["a"])
    failed = tell(told_by("teams"), channel="teams")
    assert failed.accepted == 0
    crm.override = None
    assert tell(told_by("teams"), channel="teams").accepted == 1


@pytest.mark.parametrize(("body", "status"), [(b"ok", 200), (b"1", 200), (b"", 202), (b"{}", 200)])
def test_a_chat_that_took_a_message_has_told(night, stand, tell, body, status):
    crm = stand()
    crm.override = lambda *_: (status, {}, body)
    night(FIRST, ["a"])
    assert tell(told_by("teams"), channel="teams").accepted == 1


def test_a_mail_has_the_date_of_the_night(night, mailbox, tell):
    night(FIRST, ["a"])
    tell(mail(mailbox), channel="email")
    assert "Date: Sat, 01 Mar 2025 00:00:00 +0000" in mailbox.taken[0]


def test_a_receiver_that_is_refused_is_named_and_the_others_get_the_mail(
    night, mailbox, tell, caplog
):
    night(FIRST, ["a"])
    both = ("sales@example.com", "nobody@example.com")
    assert tell(mail(mailbox, email_to=both), channel="email").accepted == 1
    assert "refused nobody@example.com with 550" in caplog.text


class _Babbler(socketserver.StreamRequestHandler):
    """A mail server whose greeting never ends."""

    def handle(self) -> None:
        with suppress(OSError):
            while not self.server.ended.wait(0.02):
                self.wfile.write(b"220-welcome\r\n")


def test_a_mail_server_whose_answer_never_ends_is_not_waited_for(night, tell, monkeypatch):
    monkeypatch.setattr(channels, "MAX_ANSWER_TIMEOUTS", 1)
    night(FIRST, ["a"])
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Babbler) as server:
        server.ended = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        done = tell(mail(server, timeout_seconds=0.5, tries=1), channel="email")
        server.ended.set()
        server.shutdown()
        thread.join()
    assert done.unsent == 1
    assert "expected 127.0.0.1 to take a message, got none after 1 tries" in done.stop_reason


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"smtp_security": "starttls"}, "smtp_security"),
        ({"email_to": ("\u55b6\u696d@example.com",)}, "email_to"),
    ],
)
def test_what_a_mail_server_cannot_do_is_named_as_a_setting(night, mailbox, tell, own, said):
    night(FIRST, ["a"])
    done = tell(mail(mailbox, **own), channel="email")
    assert done.unsent == 1
    assert said in done.stop_reason
