"""Sending alerts: Slack, Teams, e-mail.

What exactly once needs: an alert is marked before it is sent and again after. If a crash falls
between, nobody can know whether it went out, so it goes out again, with the same key. A receiver
that remembers keys (`Idempotency-Key`, or `Message-ID` of a mail) shows it once; Slack and Teams
themselves do not look at the key, so there such a crash, and only such a crash, can show an alert
twice. None is ever lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage

import stamina

from ....settings import Alerts
from ..targets.credentials import secret, secret_url
from ..targets.service_client import Unanswered, Web, bucket_of, client
from ..targets.target import Item, Outcome, Sender, Stopped

KIND = "alert"
IDEMPOTENCY = "Idempotency-Key"
MAX_REASON = 200


def idempotency_key(object_id: str) -> str:
    """What stands in the header: the alert's key, made safe for one."""
    return hashlib.sha256(object_id.encode()).hexdigest()


class Chat:
    """Slack or Teams: a webhook that takes a message."""

    kinds = (KIND,)
    connections = 1

    def __init__(self, name: str, web: Web, url: str) -> None:
        self.name, self._web, self._url = name, web, url

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """A request holds one message."""
        return 1

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One request for each alert."""
        return [self._sent(item) for item in items]

    def _sent(self, item: Item) -> Outcome:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            IDEMPOTENCY: idempotency_key(item.object_id),
        }
        try:
            answer = self._web.call(
                "POST", self._url, content=item.payload.encode(), headers=headers
            )
        except Unanswered as silence:
            return Outcome(f"no answer: {silence}", counts=False)
        if answer.is_success:
            return Outcome()
        return Outcome(f"status {answer.status_code}: {answer.text[:MAX_REASON]}")


class Mail:
    """E-mail, one message for each alert to all receivers."""

    name = "email"
    kinds = (KIND,)
    connections = 1

    def __init__(self, settings: Alerts) -> None:
        self._settings = settings

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """A message holds one alert."""
        return 1

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One message for each alert.

        Raises:
            Stopped: the server refuses the login, or does not answer.
        """
        return [self._sent(item) for item in items]

    def _sent(self, item: Item) -> Outcome:
        caller = stamina.RetryingCaller(
            attempts=self._settings.tries,
            timeout=None,
            wait_max=self._settings.wait_seconds,
            wait_initial=min(0.5, self._settings.wait_seconds),
            wait_jitter=min(1.0, self._settings.wait_seconds),
        )
        try:
            return caller(Unanswered, self._once, item)
        except Unanswered as silence:
            raise Stopped(
                f"email: expected {self._settings.smtp_host} to take a message, got none after "
                f"{self._settings.tries} tries ({silence}); what is left waits for the next run"
            ) from None

    def _once(self, item: Item) -> Outcome:
        try:
            with self._connected() as server:
                server.send_message(message_of(item, self._settings))
        except smtplib.SMTPAuthenticationError:
            raise Stopped(
                f"email: expected a login that {self._settings.smtp_host} lets in; set "
                f"{self._settings.smtp_user_env} and {self._settings.smtp_password_env} anew"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            return Outcome(f"the server refused the receivers with {codes}")
        except smtplib.SMTPResponseException as error:
            if 500 <= error.smtp_code < 600:
                return Outcome(f"the server refused the message with {error.smtp_code}")
            raise Unanswered(f"status {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unanswered(type(error).__name__) from None
        return Outcome()

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        own = self._settings
        place = (own.smtp_host, own.smtp_port)
        if own.smtp_security == "tls":
            context = ssl.create_default_context()
            opened: smtplib.SMTP = smtplib.SMTP_SSL(
                *place, timeout=own.timeout_seconds, context=context
            )
        else:
            opened = smtplib.SMTP(*place, timeout=own.timeout_seconds)
        with opened as server:
            if own.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if os.environ.get(own.smtp_user_env):
                user = secret(own.smtp_user_env, "the mail server's user")
                server.login(user, secret(own.smtp_password_env, "the mail server's password"))
            yield server


def message_of(item: Item, settings: Alerts) -> EmailMessage:
    """The mail of an alert. Its id comes from the alert's key, so a repeated mail is the same."""
    said = json.loads(item.payload)
    domain = settings.email_from.rpartition("@")[2].rstrip(">") or "mqbg"
    message = EmailMessage()
    message["From"] = settings.email_from
    message["To"] = ", ".join(settings.email_to)
    message["Subject"] = " ".join(said["subject"].split())
    message["Message-ID"] = f"<{idempotency_key(item.object_id)[:40]}@{domain}>"
    message[IDEMPOTENCY] = idempotency_key(item.object_id)
    message.set_content(said["text"])
    return message


@contextmanager
def opened_channel(name: str, settings: Alerts) -> Iterator[Sender]:
    """A channel of the settings.

    Raises:
        BadInput: the environment variable with its address is not set.
    """
    if name == "email":
        yield Mail(settings)
        return
    variable = {"slack": settings.slack_env, "teams": settings.teams_env}[name]
    url = secret_url(variable, f"the address of {name}'s webhook")
    with client("", settings) as http:
        web = Web(http, bucket_of(settings), settings, name=name, variables=variable)
        yield Chat(name, web, url)
