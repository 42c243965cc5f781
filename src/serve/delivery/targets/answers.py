"""Reading what services answer: the one place where a body that may be anything is decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from .no_response import NoResponse
from .target import printable

MAX_REASON = 300
"""Characters of a service's own reason that are kept."""

MAX_SHOWN_BODY = 20_000  # bytes of a body that a reason is looked for in
_REASON_KEYS = ("statusCode", "errorCode", "category", "code", "message", "error_description",
                "detail", "title", "reason", "error", "errors")  # fmt: skip
_MAX_REASON_DEPTH = 4
_UNSEEN = re.compile(r"(?is)<(script|style|head)\b.*?</\1>")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_TAG = re.compile(r"(?s)<[^>]*>")


def read_json(response: httpx.Response) -> Any:
    """The body of an answer that says what became of records.

    Raises:
        NoResponse: it is no JSON, nested too deeply, or not UTF-8; what became of the records is
            not known.
    """
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        shown = _visible_text(response)
        raise NoResponse(
            f"an answer with status {response.status_code} that is no JSON"
            + (f": {shown}" if shown else "")
        ) from None


def read_object(response: httpx.Response) -> dict[str, Any]:
    """The same where nothing but a JSON object is an answer.

    Raises:
        NoResponse: it is something else.
    """
    body = read_json(response)
    if not isinstance(body, dict):
        raise NoResponse(f"an answer with status {response.status_code} that is no JSON object")
    return body


def is_web_page(response: httpx.Response) -> bool:
    """Whether the body is HTML: of a proxy or a login page, as no service here answers with one."""
    kind = response.headers.get("Content-Type", "").lower()
    start = response.content[:200].lstrip().lower()
    return "text/html" in kind or start.startswith((b"<!doctype html", b"<html"))


def answer_reason(response: httpx.Response) -> str:
    """The service's own reason, cut, from whatever shape its body has; "" where there is none."""
    try:
        body = json.loads(response.content[:MAX_SHOWN_BODY])
    except (ValueError, RecursionError):
        return _visible_text(response)
    parts = dict.fromkeys(_texts(body, _MAX_REASON_DEPTH))
    return _cut(": ".join(parts) if parts else _visible_text(response))


def status_reason(response: httpx.Response, secrets: Sequence[str] = ()) -> str:
    """Status, where a redirect leads, and the service's own reason, without secrets."""
    text = f"status {response.status_code}"
    if location := redirect_target(response):
        text += f", moved to {location}"
    if reason := answer_reason(response):
        text += f": {reason}"
    return without_secrets(text, secrets)


def redirect_target(response: httpx.Response) -> str:
    """Where a redirect leads, without the query, which may hold a secret; "" where it is none."""
    if not response.has_redirect_location:
        return ""
    try:
        parts = urlsplit(response.headers["Location"])
    except ValueError:
        return "an address that cannot be read"
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()[
        :MAX_REASON
    ]


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """A text with the secrets that a service repeats struck out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def is_success(response: httpx.Response) -> bool:
    """Whether the status says that the request was taken, at least in part (207)."""
    return HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES


def _texts(body: Any, depth: int) -> Iterator[str]:
    if isinstance(body, str | int) and not isinstance(body, bool):
        yield " ".join(str(body).split())
    elif depth and isinstance(body, list):
        for row in body[:3]:
            yield from _texts(row, depth - 1)
    elif depth and isinstance(body, dict):
        for key in _REASON_KEYS:
            if body.get(key):
                yield from _texts(body[key], depth - 1)


def _visible_text(response: httpx.Response) -> str:
    """What a reader would see of a body, on one line."""
    text = response.content[:MAX_SHOWN_BODY].decode("utf-8", "replace")
    if is_web_page(response):
        title = _TITLE.search(text)
        shown = " ".join(unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text))).split())
        text = f"{unescape(title[1]) if title else ''} {shown}"
    return _cut(text)


def _cut(text: str) -> str:
    text = " ".join(printable(text).split())
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"
