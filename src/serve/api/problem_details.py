"""What a request is refused with: a status and one clear sentence (RFC 9457, problem+json)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

PROBLEM_MEDIA_TYPE = "application/problem+json"


class HttpProblem(Exception):  # noqa: N818 - clients meet it as an answer
    """A request that is refused.

    Attributes:
        status: of HTTP.
        detail: what was expected, what came, what to do.
        headers: of the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def __reduce__(self) -> tuple[type[HttpProblem], tuple[int, str, dict[str, str]]]:
        """How another process sends it: an exception's own way knows the detail alone."""
        return type(self), (self.status, self.detail, self.headers)


def problem_response(
    status: int, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request that is refused or failed.

    Args:
        status: of HTTP.
        detail: one sentence.
        request_id: by which the operator finds the request in the log.
        headers: further ones.
    """
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    text = json.dumps(body, ensure_ascii=False).encode()
    return Response(text, status, headers=dict(headers or {}), media_type=PROBLEM_MEDIA_TYPE)
