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

from .live_pages import HEADERS
from .middleware import UNEXPECTED, Watching, request_id_of
from .openapi import DESCRIPTION, TITLE
from .problem_details import Refused, problem
from .routes import api_routes, health_routes
from .server_state import Standing

SENTENCES = {
    404: "expected a path of this server, got another; /openapi.json lists them",
    405: "expected another method on this path; /openapi.json lists them",
}


def create_app(standing: Standing, pages: ASGIApp | None = None) -> ASGIApp:
    """The server as an ASGI application.

    Args:
        standing: its parts; closed at the end.
        pages: what answers all paths that are not the API's; None for nothing.
    """
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=version("mqbg"),
        docs_url=None,  # Swagger's page loads its script from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(standing),
    )
    app.include_router(api_routes(standing))
    app.include_router(health_routes(standing))
    if pages is not None:
        app.router.default = pages  # not mounted: a path of the API stays one with any method
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Exception, _refused)
    return Watching(app, standing.figures, HEADERS)


def _lifespan(standing: Standing) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        keeping_up = asyncio.create_task(standing.keep_up())
        # Signals reach the main thread alone, and not on every system.
        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, standing.look_now)
        try:
            yield
        finally:
            keeping_up.cancel()
            with suppress(asyncio.CancelledError):
                await keeping_up
            standing.workers.close()

    return lifespan


async def _refused(request: Request, error: Exception) -> Response:
    found = error if isinstance(error, Refused) else Refused(500, UNEXPECTED)
    return problem(found.status, found.detail, request_id_of(request), found.headers)


async def _not_there(request: Request, error: Exception) -> Response:
    found = error if isinstance(error, HTTPException) else HTTPException(500, UNEXPECTED)
    detail = SENTENCES.get(found.status_code, str(found.detail))
    return problem(found.status_code, detail, request_id_of(request), found.headers)


async def _not_understood(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return problem(422, _sentence(found), request_id_of(request))


def _sentence(errors: Sequence[Any]) -> str:
    """The first thing that a query or path has wrong; never what was sent."""
    if not errors:
        return "expected other parameters; /openapi.json describes them"
    where = ".".join(str(part) for part in errors[0]["loc"][1:2])
    expected = str(errors[0]["msg"]).removeprefix("Input should be ")
    return f"{where}: expected {expected}; /openapi.json describes it"
