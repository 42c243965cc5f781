"""The application: routes, refusals, headers, and what runs beside them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from .live_pages import SECURITY_HEADERS
from .middleware import (
    UNEXPECTED_ERROR,
    RequestMiddleware,
    current_request_id,
    with_request_id,
)
from .openapi import DESCRIPTION, TITLE
from .problem_details import HttpProblem, problem_response
from .routes import api_routes, health_routes
from .server_state import ServerState

ERROR_DETAILS = {
    404: "expected a path of this server, got another; /openapi.json lists them",
    405: "expected another method on this path; /openapi.json lists them",
}


def create_app(state: ServerState, pages: ASGIApp | None = None) -> ASGIApp:
    """The server as an ASGI application.

    Args:
        state: its parts; closed at the end.
        pages: what answers all paths that are not the API's; None for nothing.
    """
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=version("mqbg"),
        docs_url=None,  # Swagger's page loads its script from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(state),
    )
    app.include_router(api_routes(state))
    app.include_router(health_routes(state))
    if pages is not None:
        app.router.default = pages  # not mounted: a path of the API stays one with any method
    app.add_exception_handler(HttpProblem, _handle_problem)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(Exception, _handle_problem)
    return with_request_id(RequestMiddleware(app, state.metrics, SECURITY_HEADERS))


def _lifespan(state: ServerState) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        refresh_task = asyncio.create_task(state.refresh_until_cancelled())
        # Signals reach the main thread alone, and not on every system.
        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, state.refresh_now)
        try:
            yield
        finally:
            refresh_task.cancel()
            with suppress(asyncio.CancelledError):
                await refresh_task
            state.workers.close()
            state.score_cache.close()

    return lifespan


async def _handle_problem(_request: Request, error: Exception) -> Response:
    http_problem = error if isinstance(error, HttpProblem) else HttpProblem(500, UNEXPECTED_ERROR)
    return problem_response(
        http_problem.status, http_problem.detail, current_request_id(), http_problem.headers
    )


async def _handle_http_exception(_request: Request, error: Exception) -> Response:
    http_exception = (
        error if isinstance(error, HTTPException) else HTTPException(500, UNEXPECTED_ERROR)
    )
    detail = ERROR_DETAILS.get(http_exception.status_code, str(http_exception.detail))
    return problem_response(
        http_exception.status_code, detail, current_request_id(), http_exception.headers
    )


async def _handle_validation_error(_request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return problem_response(422, _validation_message(errors), current_request_id())


def _validation_message(errors: Sequence[Any]) -> str:
    """The first thing that a query or path has wrong; never what was sent."""
    if not errors:
        return "expected other parameters; /openapi.json describes them"
    location = ".".join(str(part) for part in errors[0]["loc"][1:2])
    expected = str(errors[0]["msg"]).removeprefix("Input should be ")
    return f"{location}: expected {expected}; /openapi.json describes it"
