"""What is seen of every request: an id, one line of log, figures; and what it can never show.

A line holds the route's template, never a path, a query or a body: those name people and groups.
"""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problem_details import problem

REQUEST_ID = "X-Request-Id"
GIVEN_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
NO_ROUTE = "none"
METHODS = ("GET", "HEAD", "POST", "OPTIONS")  # others are told as one: a stranger chooses the word

UNEXPECTED = (
    "the server met an error that it did not expect; send the request again, and if it stays, "
    "tell the operator the request_id"
)

LOG = structlog.get_logger("mqbg.serve.requests")


class Figures:
    """What `/metrics` tells, in a registry of its own: two servers in a process do not mix."""

    def __init__(self) -> None:
        """Counts from zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        of: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "mqbg_requests", "Requests answered.", ["method", "route", "status"], **of
        )
        self.seconds = Histogram(
            "mqbg_request_seconds", "From the request to its answer.", ["route"],
            buckets=BUCKETS, **of,
        )  # fmt: skip
        self.under_way = Gauge("mqbg_scores_under_way", "Groups being scored or waiting.", **of)
        self.model = Gauge("mqbg_model_info", "The version that scores.", ["name", "version"], **of)
        self.groups = Gauge("mqbg_run_groups", "Groups of the latest run.", **of)
        self.run_as_of = Gauge(
            "mqbg_run_as_of_seconds", "Cut-off of the latest run, Unix time.", **of
        )
        self.store_up = Gauge("mqbg_store_up", "1 if the store could be read last.", **of)

    def text(self) -> Response:
        """All of them, as Prometheus reads them."""
        return Response(
            generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


class Watching:
    """Middleware around everything: nothing that goes wrong inside reaches the client as it is."""

    def __init__(self, app: ASGIApp, figures: Figures, headers: Mapping[str, str]) -> None:
        """Wraps an application.

        Args:
            app: what answers.
            figures: to count in.
            headers: of every answer that does not set them itself.
        """
        self._app = app
        self._figures = figures
        self._headers = {name.lower().encode(): value.encode() for name, value in headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name.lower() for name, _value in message["headers"]}
                missing = [pair for pair in self._headers.items() if pair[0] not in own]
                identity = (REQUEST_ID.lower().encode(), request_id.encode())
                message["headers"] = [*message["headers"], *missing, identity]
            await send(message)

        failure = None
        try:
            await self._app(scope, receive, told)
        except Exception as error:  # whatever it is, the client gets a sentence and an id
            failure = error
            if not status:
                answer = problem(500, UNEXPECTED, request_id, {"Connection": "close"})
                await answer(scope, receive, told)
        self._note(scope, status, time.perf_counter() - begun, request_id, failure)

    def _note(
        self,
        scope: Scope,
        status: int,
        seconds: float,
        request_id: str,
        failure: Exception | None,
    ) -> None:
        found = scope["state"].get("route") or getattr(scope.get("route"), "path", None)
        route = found or NO_ROUTE
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._figures.requests.labels(method, route, str(status)).inc()
        self._figures.seconds.labels(route).observe(seconds)
        values: dict[str, Any] = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
            "key": scope["state"].get("key_name", ""),
        }
        if failure is None:
            LOG.info("request", **values)
        else:
            # The class and the place say enough; the text of an error may hold what was sent.
            LOG.error("failed", **values, error=type(failure).__name__, at=_place(failure))


def _place(error: BaseException) -> str:
    """Files and lines that an error came through, innermost last."""
    trace, places = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places[-6:])


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex


def request_id_of(request: Request) -> str:
    """The id that a request has in logs and answers."""
    found: str = request.scope["state"]["request_id"]
    return found


def log_as_json(level: int) -> None:
    """Lines of requests as JSON on stderr, one each.

    Args:
        level: of `logging`.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
