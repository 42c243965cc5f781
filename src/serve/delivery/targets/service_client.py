"""Calling a web service: within its limits, again where that may help, and never forever."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import stamina

from ....settings.delivery import RequestSettings
from .rate_limiter import RateLimiter
from .target import TargetUnavailable

TOO_MANY_REQUESTS, REQUEST_TIMEOUT = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT
DEFAULT_RETRY_AFTER_SECONDS = (
    10.0  # seconds, where a service says that we are too quick and not how long to wait
)
MAX_CONSECUTIVE_FAILURES = 3
"""After this many requests in a row that got no answer, for all their tries, a run ends."""


class NoResponse(Exception):  # noqa: N818 - says what is known
    """No answer that tells what became of the request. Its text holds neither URL nor secret.

    Attributes:
        retry_after: seconds that the service asked us to wait, None where it did not.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ServiceClient:
    """A service.

    `request` returns every answer but these: 401 and 403 end the run, 429 and 5xx, timeouts and
    broken connections are tried again.

    Args:
        http: with base URL, credentials and timeout.
        rate_limiter: the limit on requests.
        limits: how often to try, how long to wait.
        name: of the service, for messages.
        variables: environment variables that hold the credentials, for messages.
    """

    def __init__(
        self,
        http: httpx.Client,
        rate_limiter: RateLimiter,
        limits: RequestSettings,
        *,
        name: str,
        variables: str,
    ) -> None:
        self._http, self._rate_limiter, self._limits = http, rate_limiter, limits
        self._name, self._variables = name, variables
        self._consecutive_failures = 0

    def request(
        self,
        method: str,
        path: str,
        *,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request, with its further tries.

        Raises:
            NoResponse: no try got an answer that tells.
            TargetUnavailable: the credentials are refused, the limits are used up, or the service
                has been silent for long.
        """
        send = self._with_retries(self._request_once)
        try:
            response = send(method, path, content, headers)
        except NoResponse as no_response:
            self._consecutive_failures += 1
            asked_too_long = (
                no_response.retry_after is not None
                and no_response.retry_after > self._limits.wait_seconds
            )
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES or asked_too_long:
                raise TargetUnavailable(self._unavailable_message(no_response)) from None
            raise
        self._consecutive_failures = 0
        return response

    def _unavailable_message(self, no_response: NoResponse) -> str:
        asked_wait = (
            ""
            if no_response.retry_after is None
            else f", and asks to wait {no_response.retry_after:.0f} s"
        )
        return (
            f"{self._name}: expected an answer, got none after {self._limits.tries} tries "
            f"({no_response}{asked_wait}); what is left waits for the next run"
        )

    def _with_retries(
        self, function: Callable[..., httpx.Response]
    ) -> Callable[..., httpx.Response]:
        caller = stamina.RetryingCaller(
            attempts=self._limits.tries,
            timeout=None,
            wait_initial=min(0.5, self._limits.wait_seconds),
            wait_max=self._limits.wait_seconds,
            wait_jitter=min(1.0, self._limits.wait_seconds),
        ).on(self._should_retry)
        return lambda *arguments: caller(function, *arguments)

    def _should_retry(self, error: Exception) -> bool | float:
        if not isinstance(error, NoResponse):
            return False
        if error.retry_after is None:
            return True
        return error.retry_after <= self._limits.wait_seconds and max(error.retry_after, 0.001)

    def _request_once(
        self,
        method: str,
        path: str,
        content: str | bytes | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        self._rate_limiter.acquire()
        try:
            response = self._http.request(method, path, content=content, headers=headers)
        except (httpx.TransportError, httpx.DecodingError) as error:
            # httpx names URLs in its errors, and a webhook's URL is a secret.
            raise NoResponse(type(error).__name__) from None
        status = response.status_code
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise TargetUnavailable(
                f"{self._name}: expected credentials that may write, got status {status}; set "
                f"{self._variables} again. Nothing of the refused requests counts as sent"
            )
        if (
            status in (TOO_MANY_REQUESTS, REQUEST_TIMEOUT)
            or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            retry_after = parse_retry_after(response)
            if retry_after is None and status == TOO_MANY_REQUESTS:
                retry_after = min(DEFAULT_RETRY_AFTER_SECONDS, self._limits.wait_seconds)
            if retry_after is not None and retry_after <= self._limits.wait_seconds:
                self._rate_limiter.block_for(retry_after)
            raise NoResponse(f"status {status}", retry_after)
        return response


def parse_retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait, from either form of Retry-After; None where there is none to read.

    A date is compared with the answer's own Date: our clock may be wrong.
    """
    text = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        retry_at = parsedate_to_datetime(text)
        now = parsedate_to_datetime(response.headers["Date"])
        return max(0.0, (retry_at - now).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def open_http_client(
    url: str, limits: RequestSettings, headers: Mapping[str, str] | None = None
) -> Iterator[httpx.Client]:
    """An HTTP client. Redirects are not followed: a secret goes to whom it is for."""
    # httpx logs every URL at INFO, and a webhook's URL is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with httpx.Client(
        base_url=url,
        headers=headers,
        timeout=limits.timeout_seconds,
        limits=httpx.Limits(max_connections=limits.connections),
    ) as http:
        yield http


def build_rate_limiter(limits: RequestSettings) -> RateLimiter:
    """The bucket that settings ask for."""
    return RateLimiter(limits.requests_per_10_seconds, limits.requests_per_day)
