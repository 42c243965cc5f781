"""How the API describes itself: schemas made from the contract and from the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...contract import TABLES, Table
from ..batch.score_tables import SCORE_SCHEMAS
from ..store.schema import transitions
from .examples import GROUP, HISTORY, MODEL, PAGE, REQUEST, SCORED
from .group_tables import MORE, NEEDED, ONE
from .problem_details import PROBLEM

Schema = dict[str, Any]

JSON = "application/json"
TITLE = "mqbg"
DESCRIPTION = (
    "Scores of B2B buying groups: readiness, what each stakeholder adds, steps that go with a "
    "higher score. `POST /v1/score` scores a group's own tables and stores nothing; the rest tells "
    "of the latest run of the batch. Times are UTC."
)
REFUSALS: Mapping[int, str] = {
    400: "The request broke off.",
    401: "No key, or one that is not known here.",
    403: "A key without the scope that this needs.",
    404: "There is no such group in the latest run.",
    405: "The path is there, the method is not.",
    408: "The body took too long to arrive.",
    413: "The body is larger than [api] max_body_bytes.",
    415: "The body is not application/json.",
    422: "The request cannot be understood; `detail` says what was expected.",
    503: "Too much at once, or not ready yet.",
}

_CONTRACT: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "timestamp": {"type": "string", "examples": ["2025-09-01T09:00:00Z"]},
    "float64": {"type": "number"},
    "int64": {"type": "integer"},
    "boolean": {"type": "boolean"},
}
_ARROW: Mapping[Any, Schema] = {
    pa.string(): {"type": "string"},
    pa.timestamp("us"): {"type": "string", "format": "date-time"},
    pa.float64(): {"type": "number"},
    pa.int64(): {"type": "integer"},
    pa.bool_(): {"type": "boolean"},
    pa.list_(pa.string()): {"type": "array", "items": {"type": "string"}},
}
_SQL: Mapping[Any, Any] = {
    sa.Text: pa.string(),
    sa.Double: pa.float64(),
    sa.BigInteger: pa.int64(),
    sa.DateTime: pa.timestamp("us"),
    sa.Boolean: pa.bool_(),
}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(properties: Mapping[str, Schema], required: Any = None) -> Schema:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": names}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def row_of_contract(table: Table) -> Schema:
    """A row of a body.

    Args:
        table: of the contract.
    """
    properties = {}
    for column in table.columns:
        known = dict(_CONTRACT[column.dtype])
        if column.values is not None:
            known["enum"] = [*column.values, None] if column.nullable else list(column.values)
        properties[column.name] = _or_null(known) if column.nullable else known
    wanted = [column.name for column in table.columns if not column.nullable]
    return _object(properties, wanted)


def row_of_run(schema: pa.Schema) -> Schema:
    """A row of an answer.

    Args:
        schema: of a table that `mqbg score` writes.
    """
    return _object({field.name: _or_null(_ARROW[field.type]) for field in schema})


def _transition() -> Schema:
    return _object(
        {column.name: _or_null(_ARROW[_SQL[type(column.type)]]) for column in transitions.columns}
    )


def body_of_score() -> Schema:
    """The body of `POST /v1/score`."""
    properties: dict[str, Schema] = {
        "as_of": {"type": "string", "description": "The cut-off; nothing at or after it counts."},
        "language": {"type": ["string", "null"], "description": "en or ja; else the settings'."},
        **{key: row_of_contract(TABLES[table]) for key, table in ONE.items()},
        **{key: _list(row_of_contract(TABLES[table])) for key, table in MORE.items()},
    }
    return _object(properties, NEEDED) | {"additionalProperties": False}


_ROWS = {name: _list(row_of_run(schema)) for name, schema in SCORE_SCHEMAS.items()}
_SCORE = row_of_run(SCORE_SCHEMAS["scores"])
_PARTS = {name: _ROWS[name] for name in ("stakeholders", "actions", "horizons", "themes")}
_SUMMARY = {"type": ["string", "null"]}
_MODEL = _object({"name": {"type": "string"}, "version": {"type": "string"}})

ANSWERS: Mapping[str, tuple[Schema, Any]] = {
    "score": (_object({"model": _MODEL, "score": _SCORE, **_PARTS, "summary": _SUMMARY}), SCORED),
    "groups": (
        _object(
            {
                "as_of": {"type": ["string", "null"], "format": "date-time"},
                "model_version": {"type": ["string", "null"]},
                "total": {"type": "integer"},
                "groups": _ROWS["scores"],
            }
        ),
        PAGE,
    ),
    "group": (
        _object(
            {
                "score": _SCORE, **_PARTS, "summary": _SUMMARY,
                "transitions": _list(_transition()),
            }
        ),
        GROUP,
    ),
    "history": (
        _object(
            {
                "group_id": {"type": "string"},
                "scores": _ROWS["scores"],
                "transitions": _list(_transition()),
            }
        ),
        HISTORY,
    ),
    "model": (
        {"type": "object", "required": ["name", "version", "features", "thresholds"]},
        MODEL,
    ),
    "health": (_object({"status": {"type": "string"}}), {"status": "ok"}),
    "readiness": (
        _object({"status": {"type": "string"}, "model": {"type": "string"},
                 "store": {"type": "string"}}),
        {"status": "ready", "model": "mqbg 7", "store": "run of 2025-09-01"},
    ),
}  # fmt: skip
"""Schema and example of each answer, by name."""

_PROBLEM = _object(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    }
)


def responses(answer: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer, as FastAPI takes it.

    Args:
        answer: of `ANSWERS`.
        refusals: statuses of `REFUSALS`.
    """
    schema, example = ANSWERS[answer]
    return {
        200: {
            "description": "The answer.",
            "content": {JSON: {"schema": schema, "example": example}},
        },
        **{
            status: {
                "description": REFUSALS[status],
                "content": {PROBLEM: {"schema": _PROBLEM}},
            }
            for status in refusals
        },
    }


def request_body() -> dict[str, Any]:
    """The body of `POST /v1/score` as FastAPI takes it."""
    content = {JSON: {"schema": body_of_score(), "example": REQUEST}}
    return {"requestBody": {"required": True, "content": content}}
