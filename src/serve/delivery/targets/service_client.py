"""Calling a web service: within its limits, again where that may help, and never forever."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus

import httpx
import stamina

from ....settings.delivery import RequestSettings
from .answers import is_success, status_reason
from .no_response import NoResponse
from .rate_limiter import RateLimiter
from .target import TargetUnavailable
from .time_limit import within_seconds

DEFAULT_RETRY_AFTER_SECONDS = (
    10.0  # seconds, where a service says that we are too quick and not how long to wait
)
MAX_CONSECUTIVE_FAILURES = 3
"""After this many requests in a row that got no answer, for all their tries, a run ends."""

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Of a body: the results of a bulk job are the longest."""

MAX_ANSWER_TIMEOUTS = 10
"""A body that comes in drops has this many times the time limit of a request."""

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables of OpenSSL and httpx: whom to trust, instead of the usual authorities."""

_MIGRATION_IN_PROGRESS = 477  # HubSpot moves the account between data centres
_DAILY_QUOTA_MARKS = (b'"DAILY"', b"REQUEST_LIMIT_EXCEEDED")
"""How HubSpot and Salesforce say that no wait of seconds helps."""
_ALWAYS_RETRIED = (
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_MANY_REQUESTS,
    _MIGRATION_IN_PROGRESS,
)  # fmt: skip


class _Retried(Exception):  # noqa: N818 - never leaves this module
    """An answer that asks for another try."""

    def __init__(self, response: httpx.Response, retry_after: float | None) -> None:
        super().__init__(f"status {response.status_code}")
        self.response, self.retry_after = response, retry_after


class ServiceClient:
    """A service.

    A 401, a redirect and a wait that is too long are the target's fault and end the run; 408, 423,
    429, 477, 5xx, any refusal with Retry-After, timeouts and broken connections are tried again.
    Every other answer is returned, and the last one after all tries: whose fault a 403 or a 500 is
    shows in what becomes of other records.

    Args:
        http: with base URL, credentials and timeout.
        rate_limiter: the limit on requests.
        limits: how often to try, how long to wait.
        name: of the service, for messages.
        variables: environment variables that hold the credentials, for messages.
        secrets: texts that no message repeats.
        renew_token: logs in again, where the service lets in nobody with the token that we have.
    """

    def __init__(
        self,
        http: httpx.Client,
        rate_limiter: RateLimiter,
        limits: RequestSettings,
        *,
        name: str,
        variables: str,
        secrets: Sequence[str] = (),
        renew_token: Callable[[], str] | None = None,
    ) -> None:
        self._http, self._rate_limiter, self._limits = http, rate_limiter, limits
        self._name, self._variables = name, variables
        self._secrets, self._renew_token = list(secrets), renew_token
        self._consecutive_failures, self._token_lock = 0, threading.Lock()

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
            TargetUnavailable: the credentials are refused, the service is elsewhere, the limits
                are used up, or the service has been silent for long.
        """
        send = self._with_retries(self._request_once)
        try:
            response = send(method, path, content, headers)
        except _Retried as retried:
            self._require_another_answer(retried)
            return retried.response
        except NoResponse as no_response:
            self._consecutive_failures += 1
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                raise TargetUnavailable(
                    f"{self._name}: expected an answer, got none after {self._limits.tries} tries "
                    f"({no_response}); what is left waits for the next run"
                ) from None
            raise
        self._consecutive_failures = 0
        return response

    def status_reason(self, response: httpx.Response) -> str:
        """Status and reason of a refusal, without secrets."""
        return status_reason(response, self._secrets)

    def _require_another_answer(self, retried: _Retried) -> None:
        """Ends the run where the last answer is the target's fault, whatever was sent."""
        response, status = retried.response, retried.response.status_code
        asked_too_long = (retried.retry_after or 0.0) > self._limits.wait_seconds
        if not asked_too_long and status not in _ALWAYS_RETRIED:
            return
        reason = self.status_reason(response)
        quota = status == HTTPStatus.TOO_MANY_REQUESTS
        tries = "1 try" if asked_too_long else f"{self._limits.tries} tries"
        wait = f", and asks to wait {retried.retry_after:.0f} s" if asked_too_long else ""
        what = "a quota that is not used up" if quota else "an answer"
        raise TargetUnavailable(
            f"{self._name}: expected {what}, got none after {tries} ({reason}{wait}); what is left "
            "waits for the next run"
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
        if not isinstance(error, NoResponse | _Retried):
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
        token = self._http.headers.get("Authorization")
        response = self._answer(method, path, content, headers)
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._renew_token is not None:
            self._renew(token, self._renew_token)
            response = self._answer(method, path, content, headers)
        status = response.status_code
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
            raise TargetUnavailable(
                f"{self._name}: expected credentials that may write, got "
                f"{self.status_reason(response)}; set {self._variables} again. Nothing of the "
                "refused requests counts as sent"
            )
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise TargetUnavailable(
                f"{self._name}: expected the service at this address, got "
                f"{self.status_reason(response)}; set its address again: redirects are not "
                "followed, as a secret goes to nobody else"
            )
        if is_success(response):
            return response
        if _names_quota(response):
            raise TargetUnavailable(
                f"{self._name}: expected a quota that is not used up, got "
                f"{self.status_reason(response)}; what is left waits for the next run"
            )
        retry_after = parse_retry_after(response)
        if (
            retry_after is None
            and status < HTTPStatus.INTERNAL_SERVER_ERROR
            and status not in _ALWAYS_RETRIED
        ):
            return response
        if retry_after is None and status == HTTPStatus.TOO_MANY_REQUESTS:
            retry_after = min(DEFAULT_RETRY_AFTER_SECONDS, self._limits.wait_seconds)
        if retry_after is not None and retry_after <= self._limits.wait_seconds:
            self._rate_limiter.block_for(retry_after)
        raise _Retried(response, retry_after)

    def _renew(self, token: str | None, renew_token: Callable[[], str]) -> None:
        """A new token, once for all threads that were refused with the same one."""
        with self._token_lock:
            if self._http.headers.get("Authorization") == token:
                new_token = renew_token()
                self._secrets.append(new_token)
                self._http.headers["Authorization"] = f"Bearer {new_token}"

    def _answer(
        self,
        method: str,
        path: str,
        content: str | bytes | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        self._rate_limiter.acquire()
        seconds = self._limits.timeout_seconds * MAX_ANSWER_TIMEOUTS

        def ask() -> httpx.Response:
            with self._http.stream(method, path, content=content, headers=headers) as response:
                return read_answer(response, seconds)

        try:
            # Beyond the limits for a body: headers that come in drops, and interim answers.
            return within_seconds(seconds + 2 * self._limits.timeout_seconds, ask)
        except TimeoutError:
            raise NoResponse("an answer whose headers were never complete") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            cause = describe_transport_error(error)
            if isinstance(_root_cause(error), ssl.SSLCertVerificationError):
                raise TargetUnavailable(
                    f"{self._name}: expected a certificate that is known here, got {cause}; set "
                    "SSL_CERT_FILE to the certificates of your network, or correct the address"
                ) from None
            raise NoResponse(cause) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise TargetUnavailable(
                f"{self._name}: expected an address that can be read; set it again"
            ) from None


def read_answer(response: httpx.Response, seconds: float) -> httpx.Response:
    """An answer whose body was read to its end.

    Raises:
        NoResponse: it is longer than anything we ask for, takes longer than this many seconds, or
            is packed several times, of which a few bytes can become more than any memory holds.
    """
    if "," in response.headers.get("Content-Encoding", ""):
        raise NoResponse("an answer that is packed several times")
    deadline, chunks, length = time.monotonic() + seconds, [], 0
    for chunk in response.iter_bytes():
        length += len(chunk)
        chunks.append(chunk)
        if length > MAX_ANSWER_BYTES:
            raise NoResponse(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise NoResponse(f"an answer that was not complete after {seconds:.0f} s")
    # The body is decoded by now, so the new answer must not be told how it was packed.
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in ("content-encoding", "transfer-encoding", "content-length")
    ]
    return httpx.Response(
        response.status_code, headers=headers, content=b"".join(chunks), request=response.request
    )


def describe_transport_error(error: Exception) -> str:
    """What went wrong below HTTP, without the URL, which is a secret for a webhook."""
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"a certificate that is refused: {cause.verify_message}"
    if isinstance(cause, socket.gaierror):
        return f"no address for the host's name: {cause.strerror}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    return type(error).__name__


def _root_cause(error: BaseException) -> BaseException:
    seen = error
    while (before := seen.__cause__ or seen.__context__) is not None:
        seen = before
        if isinstance(seen, OSError):
            break
    return seen


def _names_quota(response: httpx.Response) -> bool:
    return any(mark in response.content for mark in _DAILY_QUOTA_MARKS)


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
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


@contextmanager
def open_http_client(
    url: str, limits: RequestSettings, headers: Mapping[str, str] | None = None
) -> Iterator[httpx.Client]:
    """An HTTP client. Redirects are not followed: a secret goes to whom it is for.

    Raises:
        TargetUnavailable: proxy or certificates of the environment cannot be read.
    """
    # httpx logs every URL at INFO, and a webhook's URL is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        http = httpx.Client(
            base_url=url,
            headers=headers,
            verify=_trusted_certificates(*map(os.environ.get, CERTIFICATE_VARIABLES)),
            timeout=limits.timeout_seconds,
            limits=httpx.Limits(max_connections=limits.connections),
        )
    except (OSError, ValueError, httpx.InvalidURL, ImportError) as error:
        raise TargetUnavailable(
            "expected settings of the network that can be read, got "
            f"{type(error).__name__}; correct HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, "
            "SSL_CERT_FILE or SSL_CERT_DIR in the environment"
        ) from None
    with http:
        yield http


@cache
def _trusted_certificates(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Whom the environment trusts, as httpx reads it: 25 ms, so once for all targets of a night."""
    return httpx.create_ssl_context()


def build_rate_limiter(limits: RequestSettings) -> RateLimiter:
    """The bucket that settings ask for."""
    return RateLimiter(limits.requests_per_10_seconds, limits.requests_per_day)
