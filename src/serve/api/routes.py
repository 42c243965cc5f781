"""The routes of the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ...contract import BadInput
from ...settings import Api
from ..store.errors import StoreFailed
from .body_parsing import read_body
from .dependencies import filter_of, needs, plain_text
from .keys import READ, SCORE
from .model_information import described
from .openapi import request_body, responses
from .problem_details import Refused
from .responses import answered, as_json
from .server_state import Standing

MAX_PAGE = 200  # groups on a page

Ids = Annotated[list[str], Query(max_length=100)]
GroupId = Annotated[str, Path(max_length=500)]
Readiness = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Search = Annotated[
    str, Query(max_length=200, description="Part of an id of group, account or solution.")
]
Sort = Annotated[str, Query(max_length=50, description="A column of the rows, not a list.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def api_routes(standing: Standing) -> APIRouter:
    """Scores, under /v1.

    Args:
        standing: what the server holds.
    """
    router = APIRouter(prefix="/v1", tags=["scores"])
    api: Api = standing.settings.api
    read = [Depends(needs(standing.keys, READ))]
    score = [Depends(needs(standing.keys, SCORE))]

    @router.post(
        "/score",
        summary="Score a group's own tables; nothing is stored",
        dependencies=score,
        openapi_extra=request_body(),
        responses=responses("score", 400, 401, 403, 408, 413, 415, 422, 503),
    )
    async def score_group(request: Request) -> Response:
        body = await read_body(request, api)
        answer = await standing.workers.answer(body, standing.champion.model)
        return answered(as_json(answer))

    @router.get(
        "/groups",
        summary="Groups of the latest run",
        dependencies=read,
        responses=responses("groups", 401, 403, 422),
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
        which = filter_of(status, solution_id, account_id, least_readiness, search)
        try:
            body = await run_in_threadpool(
                standing.shelf.page, which, sort, order == "descending", limit, offset
            )
        except BadInput as error:
            raise Refused(422, str(error)) from None
        return answered(body)

    @router.get(
        "/groups/{group_id}",
        summary="A group of the latest run: score, stakeholders, actions, states",
        dependencies=read,
        responses=responses("group", 401, 403, 404, 422),
    )
    async def group(group_id: GroupId) -> Response:
        return _found(standing.shelf.group(plain_text("group_id", group_id)), "the latest run")

    @router.get(
        "/groups/{group_id}/history",
        summary="A group's score and transitions in every run that is kept",
        dependencies=read,
        responses=responses("history", 401, 403, 404, 422, 503),
    )
    async def group_history(group_id: GroupId) -> Response:
        try:
            found = await run_in_threadpool(
                standing.shelf.history, plain_text("group_id", group_id)
            )
        except StoreFailed:
            raise Refused(
                503, "expected to read the store, could not; send the request again",
                {"Retry-After": "5"},
            ) from None  # fmt: skip
        return _found(found, "any run")

    @router.get(
        "/model",
        summary="The model that scores",
        dependencies=read,
        responses=responses("model", 401, 403),
    )
    async def model() -> Response:
        return answered(as_json(described(standing.champion.model)))

    return router


def _found(answer: bytes | None, where: str) -> Response:
    if answer is None:
        raise Refused(404, f"expected a group of {where}, there is none of this id; check the id")
    return answered(answer)


def health_routes(standing: Standing) -> APIRouter:
    """What watches over the server asks.

    Args:
        standing: what the server holds.
    """
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the server runs", responses=responses("health"))
    async def healthz() -> Response:
        return answered(as_json({"status": "ok"}))

    @router.get(
        "/readyz",
        summary="Whether it has a model and reads the store",
        responses=responses("readiness", 503),
    )
    async def readyz() -> Response:
        shelf, model = standing.shelf, standing.champion.model
        if shelf.failure is not None:
            raise Refused(503, "expected to read the store, could not; look at the server's log")
        run = None if shelf.mirror is None else shelf.mirror.run
        state: dict[str, Any] = {
            "status": "ready",
            "model": f"{model.name} {model.version}",
            "store": "no run yet" if run is None else f"run of {run.as_of:%Y-%m-%d %H:%M}",
        }
        return answered(as_json(state))

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        dependencies=[Depends(needs(standing.keys, READ))],
        response_class=Response,
        responses={200: {"description": "Text.", "content": {"text/plain": {}}}},
    )
    async def metrics() -> Response:
        standing.measure()
        return standing.figures.text()

    return router
