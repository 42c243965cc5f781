"""The routes of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ...contract import BadInput
from ...settings import ApiSettings
from ..store.errors import StoreFailed
from .body_parsing import read_body
from .dependencies import (
    build_group_filter,
    require_known_parameters,
    require_plain_text,
    require_scope,
)
from .keys import READ, SCORE
from .model_information import describe_model
from .openapi import request_body, response_descriptions, score_descriptions
from .problem_details import HttpProblem
from .responses import encode_json, json_response
from .server_state import ServerState

MAX_PAGE_SIZE = 200  # groups on a page

P = ParamSpec("P")
T = TypeVar("T")

Ids = Annotated[list[str], Query(max_length=100)]
GroupId = Annotated[str, Path(min_length=1, max_length=500)]
Readiness = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Search = Annotated[
    str, Query(max_length=200, description="Part of an id of group, account or solution.")
]
Sort = Annotated[str, Query(max_length=50, description="A column of the rows, not a list.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def api_routes(state: ServerState) -> APIRouter:
    """Scores, under /v1.

    Args:
        state: what the server holds.
    """
    router = APIRouter(prefix="/v1", tags=["scores"])
    api: ApiSettings = state.settings.api
    known_parameters = Depends(require_known_parameters)
    read_access = [Depends(require_scope(state.keys, READ)), known_parameters]
    score_access = [Depends(require_scope(state.keys, SCORE)), known_parameters]

    @router.post(
        "/score",
        summary="Score the tables of a group, or of up to 500 groups; nothing is stored",
        dependencies=score_access,
        openapi_extra=request_body(),
        responses=score_descriptions(400, 401, 403, 408, 413, 415, 422, 503),
    )
    async def score_group(request: Request) -> Response:
        async with state.workers.place():
            body = await read_body(request, api)
            return json_response(await state.workers.score_body(body))

    @router.get(
        "/groups",
        summary="Groups of the latest run",
        dependencies=read_access,
        responses=response_descriptions("groups", 401, 403, 422, 503),
    )
    async def groups(
        status: Ids = [],  # noqa: B006 - FastAPI reads it, and gives each request its own
        solution_id: Ids = [],  # noqa: B006
        account_id: Ids = [],  # noqa: B006
        least_readiness: Readiness = None,
        search: Search = "",
        sort: Sort = "rank",
        order: Literal["ascending", "descending"] = "ascending",
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Response:
        group_filter = build_group_filter(status, solution_id, account_id, least_readiness, search)
        try:
            body = await _read_store(
                state.score_cache.page, group_filter, sort, order == "descending", limit, offset
            )
        except BadInput as error:
            raise HttpProblem(422, str(error)) from None
        return json_response(body)

    # Before the route of a group, whose id takes all that follows: ids may hold slashes.
    @router.get(
        "/groups/{group_id:path}/history",
        summary="A group's score and transitions in every run that is kept",
        dependencies=read_access,
        responses=response_descriptions("history", 401, 403, 404, 422, 503),
    )
    async def group_history(group_id: GroupId, request: Request) -> Response:
        if not request.scope["raw_path"].endswith(b"/history"):  # %2Fhistory is part of an id
            return await group(f"{group_id}/history")
        body = await _read_store(
            state.score_cache.history, require_plain_text("group_id", group_id)
        )
        return _response_or_not_found(body, "any run")

    @router.get(
        "/groups/{group_id:path}",
        summary="A group of the latest run: score, stakeholders, actions, states",
        dependencies=read_access,
        responses=response_descriptions("group", 401, 403, 404, 422, 503),
    )
    async def group(group_id: GroupId) -> Response:
        body = await _read_store(state.score_cache.group, require_plain_text("group_id", group_id))
        return _response_or_not_found(body, "the latest run")

    @router.get(
        "/model",
        summary="The model that scores",
        dependencies=read_access,
        responses=response_descriptions("model", 401, 403),
    )
    async def model() -> Response:
        return json_response(encode_json(describe_model(state.champion.model)))

    return router


async def _read_store(load: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `load` reads, in another thread, so that other requests go on meanwhile.

    Raises:
        HttpProblem: the store cannot be read.
    """
    try:
        return await run_in_threadpool(load, *args, **kwargs)
    except StoreFailed:
        raise HttpProblem(
            503,
            "expected to read the store, could not; send the request again",
            {"Retry-After": "5"},
        ) from None


def _response_or_not_found(body: bytes | None, where: str) -> Response:
    if body is None:
        raise HttpProblem(
            404, f"expected a group of {where}, there is none of this id; check the id"
        )
    return json_response(body)


def health_routes(state: ServerState) -> APIRouter:
    """What watches over the server asks.

    Args:
        state: what the server holds.
    """
    router = APIRouter(tags=["health"])

    @router.get(
        "/healthz", summary="Whether the server runs", responses=response_descriptions("health")
    )
    async def healthz() -> Response:
        return json_response(encode_json({"status": "ok"}))

    @router.get(
        "/readyz",
        summary="Whether it has a model and reads the store",
        responses=response_descriptions("readiness", 503),
    )
    async def readyz() -> Response:
        score_cache, model = state.score_cache, state.champion.model
        if score_cache.failure is not None:
            raise HttpProblem(
                503, "expected to read the store, could not; look at the server's log"
            )
        run = score_cache.run
        readiness: dict[str, Any] = {
            "status": "ready",
            "model": f"{model.name} {model.version}",
            "store": "no run yet" if run is None else f"run of {run.as_of:%Y-%m-%d %H:%M}",
        }
        return json_response(encode_json(readiness))

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        dependencies=[Depends(require_scope(state.keys, READ))],
        response_class=Response,
        responses={200: {"description": "Text.", "content": {"text/plain": {}}}},
    )
    async def metrics() -> Response:
        state.update_gauges()
        return state.metrics.to_response()

    return router
