"""Calling a web service: within its limits, again where that may help, and never forever."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import stamina

from ....settings.delivery import Limits
from .rate_limiter import Bucket
from .target import Stopped

TOO_MANY, TIMEOUT = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT
UNKNOWN_WAIT = 10.0  # seconds, where a service says that we are too quick and not how long to wait
SILENCES = 3
"""After so many requests in a row that got no answer, for all their tries, a run ends."""


class Unanswered(Exception):  # noqa: N818 - says what is known
    """No answer that tells what became of the request. Its text holds neither URL nor secret.

    Attributes:
        wait: seconds that the service asked us to wait, None where it did not.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Web:
    """A service.

    `call` returns every answer but these: 401 and 403 end the run, 429 and 5xx, timeouts and
    broken connections are tried again.

    Args:
        client: with base URL, credentials and timeout.
        bucket: the limit on requests.
        limits: how often to try, how long to wait.
        name: of the service, for messages.
        variables: environment variables that hold the credentials, for messages.
    """

    def __init__(
        self,
        client: httpx.Client,
        bucket: Bucket,
        limits: Limits,
        *,
        name: str,
        variables: str,
    ) -> None:
        self._client, self._bucket, self._limits = client, bucket, limits
        self._name, self._variables = name, variables
        self._silences = 0

    def call(
        self,
        method: str,
        path: str,
        *,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request, with its further tries.

        Raises:
            Unanswered: no try got an answer that tells.
            Stopped: the credentials are refused, the limits are used up, or the service has been
                silent for long.
        """
        send = self._retrying(self._once)
        try:
            answer = send(method, path, content, headers)
        except Unanswered as silence:
            self._silences += 1
            too_long = silence.wait is not None and silence.wait > self._limits.wait_seconds
            if self._silences >= SILENCES or too_long:
                raise Stopped(self._gone(silence)) from None
            raise
        self._silences = 0
        return answer

    def _gone(self, silence: Unanswered) -> str:
        wait = "" if silence.wait is None else f", and asks to wait {silence.wait:.0f} s"
        return (
            f"{self._name}: expected an answer, got none after {self._limits.tries} tries "
            f"({silence}{wait}); what is left waits for the next run"
        )

    def _retrying(self, function: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
        caller = stamina.RetryingCaller(
            attempts=self._limits.tries,
            timeout=None,
            wait_initial=min(0.5, self._limits.wait_seconds),
            wait_max=self._limits.wait_seconds,
            wait_jitter=min(1.0, self._limits.wait_seconds),
        ).on(self._worth_another)
        return lambda *arguments: caller(function, *arguments)

    def _worth_another(self, error: Exception) -> bool | float:
        if not isinstance(error, Unanswered):
            return False
        if error.wait is None:
            return True
        return error.wait <= self._limits.wait_seconds and max(error.wait, 0.001)

    def _once(
        self,
        method: str,
        path: str,
        content: str | bytes | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        self._bucket.draw()
        try:
            answer = self._client.request(method, path, content=content, headers=headers)
        except (httpx.TransportError, httpx.DecodingError) as error:
            # httpx names URLs in its errors, and a webhook's URL is a secret.
            raise Unanswered(type(error).__name__) from None
        status = answer.status_code
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Stopped(
                f"{self._name}: expected credentials that may write, got status {status}; set "
                f"{self._variables} anew. Nothing of the refused requests counts as sent"
            )
        if status in (TOO_MANY, TIMEOUT) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = retry_after(answer)
            if wait is None and status == TOO_MANY:
                wait = min(UNKNOWN_WAIT, self._limits.wait_seconds)
            if wait is not None and wait <= self._limits.wait_seconds:
                self._bucket.hold(wait)
            raise Unanswered(f"status {status}", wait)
        return answer


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds to wait, from either form of Retry-After; None where there is none to read.

    A date is compared with the answer's own Date: our clock may be wrong.
    """
    text = answer.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(answer.headers["Date"])
        return max(0.0, (until - now).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def client(
    url: str, limits: Limits, headers: Mapping[str, str] | None = None
) -> Iterator[httpx.Client]:
    """An HTTP client. Redirects are not followed: a secret goes to whom it is for."""
    # httpx logs every URL at INFO, and a webhook's URL is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with httpx.Client(
        base_url=url,
        headers=headers,
        timeout=limits.timeout_seconds,
        limits=httpx.Limits(max_connections=limits.connections),
    ) as opened:
        yield opened


def bucket_of(limits: Limits) -> Bucket:
    """The bucket that settings ask for."""
    return Bucket(limits.requests_per_10_seconds, limits.requests_per_day)
