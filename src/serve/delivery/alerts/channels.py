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
import logging
import os
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import stamina

from ....settings import AlertSettings
from ..targets.answers import answer_reason, is_web_page
from ..targets.credentials import read_secret, read_secret_url
from ..targets.no_response import NoResponse
from ..targets.service_client import (
    MAX_ANSWER_TIMEOUTS,
    ServiceClient,
    build_rate_limiter,
    describe_transport_error,
    open_http_client,
)
from ..targets.target import OutboxRecord, Outcome, Sender, TargetUnavailable
from ..targets.time_limit import within_seconds

KIND = "alert"
logger = logging.getLogger(__name__)
IDEMPOTENCY_HEADER = "Idempotency-Key"
_FAILED_DELIVERY = re.compile(r"(?i)\bfail(ed|ure)\b|\berror\b|\binvalid_|\bno_service\b")


def idempotency_key(object_id: str) -> str:
    """What the header holds: the alert's key, made safe for one."""
    return hashlib.sha256(object_id.encode()).hexdigest()


class ChatChannel:
    """Slack or Teams: a webhook that takes a message."""

    kinds = (KIND,)
    connections = 1

    def __init__(self, name: str, client: ServiceClient, url: str) -> None:
        self.name, self._client, self._url = name, client, url

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """A request holds one message."""
        return 1

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One request for each alert."""
        return [self._send_one(record) for record in records]

    def _send_one(self, record: OutboxRecord) -> Outcome:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            IDEMPOTENCY_HEADER: idempotency_key(record.object_id),
        }
        try:
            response = self._client.request(
                "POST", self._url, content=record.payload.encode(), headers=headers
            )
        except NoResponse as no_response:
            return Outcome(f"no answer: {no_response}", counts_as_attempt=False)
        if not response.is_success:
            return Outcome(self._client.status_reason(response))
        if is_web_page(response):
            reason = f"a web page in place of an answer: {answer_reason(response)}"
            return Outcome(reason, counts_as_attempt=False)
        # Teams answers 200 and says in the text that nobody got the message.
        if _FAILED_DELIVERY.search(reason := answer_reason(response)):
            return Outcome(reason)
        return Outcome()


class EmailChannel:
    """E-mail, one message for each alert to all receivers."""

    name = "email"
    kinds = (KIND,)
    connections = 1

    def __init__(self, settings: AlertSettings, now: datetime) -> None:
        self._settings, self._now = settings, now

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """A message holds one alert."""
        return 1

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One message for each alert.

        Raises:
            TargetUnavailable: the server refuses the login, or does not answer.
        """
        return [self._send_one(record) for record in records]

    def _send_one(self, record: OutboxRecord) -> Outcome:
        caller = stamina.RetryingCaller(
            attempts=self._settings.tries,
            timeout=None,
            wait_max=self._settings.wait_seconds,
            wait_initial=min(0.5, self._settings.wait_seconds),
            wait_jitter=min(1.0, self._settings.wait_seconds),
        )
        try:
            return caller(NoResponse, self._send_once, record)
        except NoResponse as no_response:
            raise TargetUnavailable(
                f"email: expected {self._settings.smtp_host} to take a message, got none after "
                f"{self._settings.tries} tries ({no_response}); what is left waits for the next run"
            ) from None

    def _send_once(self, record: OutboxRecord) -> Outcome:
        seconds = self._settings.timeout_seconds * MAX_ANSWER_TIMEOUTS
        try:
            # smtplib starts its limit again with every line, of which an answer may have any number
            refused = within_seconds(seconds, lambda: self._deliver(record))
            for address, (code, _) in refused.items():
                logger.warning("email: the server refused %s with %d", address, code)
        except smtplib.SMTPAuthenticationError:
            raise TargetUnavailable(
                f"email: expected a login that {self._settings.smtp_host} lets in; set "
                f"{self._settings.smtp_user_env} and {self._settings.smtp_password_env} again"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            return Outcome(f"the server refused the receivers with {codes}")
        except smtplib.SMTPResponseException as error:
            if 500 <= error.smtp_code < 600:
                return Outcome(f"the server refused the message with {error.smtp_code}")
            raise NoResponse(f"status {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NoResponse(describe_transport_error(error)) from None
        return Outcome()

    def _deliver(self, record: OutboxRecord) -> dict[str, tuple[int, bytes]]:
        message = mime_message(record, self._settings, self._now)
        with self._connect() as server:
            return self._send_message(server, message)

    def _send_message(
        self, server: smtplib.SMTP, message: EmailMessage
    ) -> dict[str, tuple[int, bytes]]:
        """Sends a message; who was refused while others were not."""
        try:
            return server.send_message(message)
        except (smtplib.SMTPNotSupportedError, UnicodeEncodeError):
            addresses = (self._settings.email_from, *self._settings.email_to)
            odd = [address for address in addresses if not address.rpartition("@")[0].isascii()]
            raise TargetUnavailable(
                f"email: expected addresses that {self._settings.smtp_host} takes, got "
                f"{', '.join(odd) or 'one'} with letters beyond ASCII before the @, which it does "
                "not know (SMTPUTF8); set [alerts] email_from and email_to to other addresses"
            ) from None

    @contextmanager
    def _connect(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        address = (settings.smtp_host, settings.smtp_port)
        if settings.smtp_security == "tls":
            context = ssl.create_default_context()
            connected: smtplib.SMTP = smtplib.SMTP_SSL(
                *address, timeout=settings.timeout_seconds, context=context
            )
        else:
            connected = smtplib.SMTP(*address, timeout=settings.timeout_seconds)
        with connected as server:
            if settings.smtp_security == "starttls":
                _start_tls(server, settings)
            if os.environ.get(settings.smtp_user_env):
                user = read_secret(settings.smtp_user_env, "the mail server's user")
                server.login(
                    user, read_secret(settings.smtp_password_env, "the mail server's password")
                )
            yield server


def _start_tls(server: smtplib.SMTP, settings: AlertSettings) -> None:
    try:
        server.starttls(context=ssl.create_default_context())
    except smtplib.SMTPNotSupportedError:
        raise TargetUnavailable(
            f"email: expected {settings.smtp_host}:{settings.smtp_port} to offer STARTTLS, which "
            'it does not; set [alerts] smtp_security to "tls" (mostly on port 465), or to "none" '
            "within a network that you trust"
        ) from None


def mime_message(record: OutboxRecord, settings: AlertSettings, now: datetime) -> EmailMessage:
    """The mail of an alert. Its id comes from the alert's key, so a repeated mail is the same."""
    content = json.loads(record.payload)
    domain = settings.email_from.rpartition("@")[2].rstrip(">") or "mqbg"
    message = EmailMessage()
    message["From"] = settings.email_from
    message["To"] = ", ".join(settings.email_to)
    message["Subject"] = " ".join(content["subject"].split())
    message["Date"] = format_datetime(now.replace(tzinfo=UTC))
    message["Message-ID"] = f"<{idempotency_key(record.object_id)[:40]}@{domain}>"
    message[IDEMPOTENCY_HEADER] = idempotency_key(record.object_id)
    message.set_content(content["text"])
    return message


def require_channel_configured(name: str, settings: AlertSettings) -> None:
    """Makes sure that a channel has its secret, without calling anybody.

    Raises:
        BadInput: the environment variable with its address is not set.
    """
    if name != "email":
        _webhook_url(name, settings)


def _webhook_url(name: str, settings: AlertSettings) -> tuple[str, str]:
    """The variable with a channel's address, and the address."""
    variable = {"slack": settings.slack_env, "teams": settings.teams_env}[name]
    return variable, read_secret_url(variable, f"the address of {name}'s webhook")


@contextmanager
def open_channel(name: str, settings: AlertSettings, now: datetime) -> Iterator[Sender]:
    """A channel of the settings.

    Args:
        name: slack, teams or email.
        settings: [alerts].
        now: in UTC, for the date of mails.

    Raises:
        BadInput: the environment variable with its address is not set.
    """
    if name == "email":
        yield EmailChannel(settings, now)
        return
    variable, url = _webhook_url(name, settings)
    with open_http_client("", settings) as http:
        client = ServiceClient(
            http, build_rate_limiter(settings), settings, name=name, variables=variable,
            secrets=(url,),
        )  # fmt: skip
        yield ChatChannel(name, client, url)
