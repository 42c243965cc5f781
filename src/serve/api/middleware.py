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
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
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
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problem_details import problem_response

REQUEST_ID = "X-Request-Id"
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
NO_ROUTE = "none"
LABELLED_METHODS = (
    "GET",
    "HEAD",
    "POST",
    "OPTIONS",
)  # others count as one: a stranger chooses the word

UNEXPECTED_ERROR = (
    "the server met an error that it did not expect; send the request again, and if it stays, "
    "tell the operator the request_id"
)

LOG = structlog.get_logger("mqbg.serve.requests")


class Metrics:
    """What `/metrics` tells, in a registry of its own: two servers in a process do not mix."""

    def __init__(self) -> None:
        """Counts from zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        registry_option: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "mqbg_requests", "Requests answered.", ["method", "route", "status"], **registry_option
        )
        self.seconds = Histogram(
            "mqbg_request_seconds", "From the request to its answer.", ["route"],
            buckets=LATENCY_BUCKETS, **registry_option,
        )  # fmt: skip
        self.scores_in_progress = Gauge(
            "mqbg_scores_under_way", "Groups being scored or waiting.", **registry_option
        )
        self.scoring_processes = Gauge(
            "mqbg_scoring_processes",
            "Processes that score; 0 where the server's own does.",
            **registry_option,
        )
        self.model = Gauge(
            "mqbg_model_info", "The version that scores.", ["name", "version"], **registry_option
        )
        self.groups = Gauge("mqbg_run_groups", "Groups of the latest run.", **registry_option)
        self.run_as_of = Gauge(
            "mqbg_run_as_of_seconds", "Cut-off of the latest run, Unix time.", **registry_option
        )
        self.store_up = Gauge(
            "mqbg_store_up", "1 if the store could be read last.", **registry_option
        )

    def to_response(self) -> Response:
        """All of them, as Prometheus reads them."""
        return Response(
            generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


class RequestMiddleware:
    """Middleware around everything: nothing that goes wrong inside reaches the client as it is."""

    def __init__(self, app: ASGIApp, metrics: Metrics, headers: Mapping[str, str]) -> None:
        """Wraps an application.

        Args:
            app: what answers.
            metrics: to count in.
            headers: of every answer that does not set them itself.
        """
        self._app = app
        self._metrics = metrics
        self._headers = {name.lower().encode(): value.encode() for name, value in headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":  # of every GET: the server leaves the body out
            scope = {**scope, "method": "GET"}
        started = time.perf_counter()
        request_id = current_request_id()
        scope.setdefault("state", {})
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _value in message["headers"]}
                missing = [pair for pair in self._headers.items() if pair[0] not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        failure = None
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # whatever it is, the client gets a sentence and an id
            failure = error
            if not status:
                answer = problem_response(
                    500, UNEXPECTED_ERROR, request_id, {"Connection": "close"}
                )
                await answer(scope, receive, send_with_headers)
        seconds = time.perf_counter() - started
        self._record_request(scope, method, status, seconds, request_id, failure)

    def _record_request(
        self,
        scope: Scope,
        method: str,
        status: int,
        seconds: float,
        request_id: str,
        failure: Exception | None,
    ) -> None:
        matched_route = scope["state"].get("route") or getattr(
            scope.get("route"), "path_format", None
        )
        route = matched_route or NO_ROUTE
        method = method if method in LABELLED_METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        log_fields: dict[str, Any] = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
            "key": scope["state"].get("key_name", ""),
        }
        if failure is None:
            LOG.info("request", **log_fields)
        else:
            # The class and the place say enough; the text of an error may hold what was sent.
            LOG.error(
                "failed",
                **log_fields,
                **_failure_fields(failure),
            )


class RemoteFailure(Exception):  # noqa: N818 - it tells of an error, and is none that is raised
    """An error in another process, by its class and place alone.

    Attributes:
        error: name of its class.
        at: files and lines that it came through.
    """

    def __init__(self, error: str, at: str) -> None:
        super().__init__(error, at)
        self.error = error
        self.at = at


def _failure_fields(failure: Exception) -> dict[str, str]:
    if isinstance(failure, RemoteFailure):
        return {"error": failure.error, "at": failure.at}
    return {"error": type(failure).__name__, "at": traceback_location(failure)}


def traceback_location(error: BaseException) -> str:
    """Files and lines that an error came through, innermost last."""
    trace, places = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places[-6:])


def with_request_id(app: ASGIApp) -> ASGIApp:
    """An application whose requests have an id: the client's, or one of ours where that could harm.

    Args:
        app: what answers; it and all that it calls read `current_request_id`.
    """
    return CorrelationIdMiddleware(
        app,
        header_name=REQUEST_ID,
        update_request_header=False,
        validator=None,  # a refusal would be a line of log that is no JSON
        transformer=lambda given: given if VALID_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex,
    )


def current_request_id() -> str:
    """The id that a request has in logs and answers."""
    return correlation_id.get() or ""


def configure_json_logging(level: int) -> None:
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
