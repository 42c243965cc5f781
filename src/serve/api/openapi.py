"""How the API describes itself: schemas made from the contract and from the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...contract import TABLES, Table
from ..batch.score_tables import SCORE_SCHEMAS
from ..store.schema import transitions
from .examples import (
    GROUP_RESPONSE,
    GROUPS_RESPONSE,
    HISTORY_RESPONSE,
    MODEL_RESPONSE,
    REQUEST,
    SCORE_RESPONSE,
)
from .group_tables import (
    GROUPS_KEY,
    MAX_GROUPS,
    OPTION_KEYS,
    REQUIRED_KEYS,
    ROW_LIST_KEYS,
    SINGLE_ROW_KEYS,
)
from .problem_details import PROBLEM_MEDIA_TYPE
from .responses import JSON

Schema = dict[str, Any]

TITLE = "mqbg"
DESCRIPTION = (
    "Scores of B2B buying groups: readiness, what each stakeholder adds, steps that go with a "
    "higher score. `POST /v1/score` scores a group's own tables and stores nothing; the rest tells "
    "of the latest run of the batch. Times are UTC."
)
ERROR_DESCRIPTIONS: Mapping[int, str] = {
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

_CONTRACT_TYPES: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "timestamp": {"type": "string", "examples": ["2025-09-01T09:00:00Z"]},
    "float64": {"type": "number"},
    "int64": {"type": "integer"},
    "boolean": {"type": "boolean"},
}
_ARROW_TYPES: Mapping[Any, Schema] = {
    pa.string(): {"type": "string"},
    pa.timestamp("us"): {"type": "string", "format": "date-time"},
    pa.float64(): {"type": "number"},
    pa.int64(): {"type": "integer"},
    pa.bool_(): {"type": "boolean"},
    pa.list_(pa.string()): {"type": "array", "items": {"type": "string"}},
}
_SQL_TO_ARROW: Mapping[Any, Any] = {
    sa.Text: pa.string(),
    sa.Double: pa.float64(),
    sa.BigInteger: pa.int64(),
    sa.DateTime: pa.timestamp("us"),
    sa.Boolean: pa.bool_(),
}


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object_schema(properties: Mapping[str, Schema], required: Any = None) -> Schema:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": names}


def _array_schema(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def contract_row_schema(table: Table) -> Schema:
    """A row of a body.

    Args:
        table: of the contract.
    """
    properties = {}
    for column in table.columns:
        column_schema = dict(_CONTRACT_TYPES[column.dtype])
        if column.values is not None:
            column_schema["enum"] = (
                [*column.values, None] if column.nullable else list(column.values)
            )
        if column.between is not None:
            column_schema["minimum"], column_schema["maximum"] = column.between
        properties[column.name] = _nullable(column_schema) if column.nullable else column_schema
    required = [column.name for column in table.columns if not column.nullable]
    return _object_schema(properties, required)


def run_row_schema(schema: pa.Schema) -> Schema:
    """A row of an answer.

    Args:
        schema: of a table that `mqbg score` writes.
    """
    return _object_schema({field.name: _nullable(_ARROW_TYPES[field.type]) for field in schema})


def _transition_schema() -> Schema:
    return _object_schema(
        {
            column.name: _nullable(_ARROW_TYPES[_SQL_TO_ARROW[type(column.type)]])
            for column in transitions.columns
        }
    )


def score_body_schema() -> Schema:
    """The body of `POST /v1/score`."""
    properties: dict[str, Schema] = {
        "as_of": {"type": "string", "description": "The cut-off; nothing at or after it counts."},
        "language": {"type": ["string", "null"], "description": "en or ja; else the settings'."},
        **{key: contract_row_schema(TABLES[table]) for key, table in SINGLE_ROW_KEYS.items()},
        **{
            key: _array_schema(contract_row_schema(TABLES[table]))
            for key, table in ROW_LIST_KEYS.items()
        },
    }
    return _object_schema(properties, REQUIRED_KEYS) | {"additionalProperties": False}


_ROW_ARRAYS = {
    name: _array_schema(run_row_schema(schema)) for name, schema in SCORE_SCHEMAS.items()
}
_SCORE_SCHEMA = run_row_schema(SCORE_SCHEMAS["scores"])
_GROUP_ARRAYS = {
    name: _ROW_ARRAYS[name] for name in ("stakeholders", "actions", "horizons", "themes")
}
_SUMMARY_SCHEMA = {"type": ["string", "null"]}
_WARNINGS_SCHEMA = {
    "type": "array", "items": {"type": "string"},
    "description": "Names in the body that the model does not know, and what its numbers are not.",
}  # fmt: skip
_MODEL_SCHEMA = _object_schema({"name": {"type": "string"}, "version": {"type": "string"}})

RESPONSE_SCHEMAS: Mapping[str, tuple[Schema, Any]] = {
    "score": (
        _object_schema(
            {
                "model": _MODEL_SCHEMA, "score": _SCORE_SCHEMA, **_GROUP_ARRAYS,
                "summary": _SUMMARY_SCHEMA, "warnings": _WARNINGS_SCHEMA,
            }
        ),
        SCORE_RESPONSE,
    ),
    "groups": (
        _object_schema(
            {
                "as_of": {"type": ["string", "null"], "format": "date-time"},
                "model_version": {"type": ["string", "null"]},
                "total": {"type": "integer"},
                "groups": _ROW_ARRAYS["scores"],
            }
        ),
        GROUPS_RESPONSE,
    ),
    "group": (
        _object_schema(
            {
                "score": _SCORE_SCHEMA, **_GROUP_ARRAYS, "summary": _SUMMARY_SCHEMA,
                "transitions": _array_schema(_transition_schema()),
            }
        ),
        GROUP_RESPONSE,
    ),
    "history": (
        _object_schema(
            {
                "group_id": {"type": "string"},
                "scores": _ROW_ARRAYS["scores"],
                "transitions": _array_schema(_transition_schema()),
            }
        ),
        HISTORY_RESPONSE,
    ),
    "model": (
        {"type": "object", "required": ["name", "version", "features", "thresholds"]},
        MODEL_RESPONSE,
    ),
    "health": (_object_schema({"status": {"type": "string"}}), {"status": "ok"}),
    "readiness": (
        _object_schema({"status": {"type": "string"}, "model": {"type": "string"},
                 "store": {"type": "string"}}),
        {"status": "ready", "model": "mqbg 7", "store": "run of 2025-09-01"},
    ),
}  # fmt: skip
"""Schema and example of each answer, by name."""

_PROBLEM_SCHEMA = _object_schema(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    }
)


def response_descriptions(
    response_name: str, *error_statuses: int
) -> dict[int | str, dict[str, Any]]:
    """What a route may answer, as FastAPI takes it.

    Args:
        response_name: of `RESPONSE_SCHEMAS`.
        error_statuses: statuses of `ERROR_DESCRIPTIONS`.
    """
    schema, example = RESPONSE_SCHEMAS[response_name]
    return {
        200: {
            "description": "The answer.",
            "content": {JSON: {"schema": schema, "example": example}},
        },
        **{
            status: {
                "description": ERROR_DESCRIPTIONS[status],
                "content": {PROBLEM_MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}},
            }
            for status in error_statuses
        },
    }


def score_descriptions(*error_statuses: int) -> dict[int | str, dict[str, Any]]:
    """What `POST /v1/score` may answer: about one group, or about each of several.

    Args:
        error_statuses: statuses of `ERROR_DESCRIPTIONS`.
    """
    described = response_descriptions("score", *error_statuses)
    content = described[200]["content"][JSON]
    content["schema"] = {"anyOf": [content["schema"], scores_answer_schema()]}
    return described


def scores_body_schema() -> Schema:
    """The body of `POST /v1/score` with several groups."""
    one = score_body_schema()
    options = {key: one["properties"].pop(key) for key in OPTION_KEYS}
    one["required"] = [key for key in one["required"] if key not in OPTION_KEYS]
    groups = {**_array_schema(one), "maxItems": MAX_GROUPS}
    return _object_schema({**options, GROUPS_KEY: groups}, ("as_of", GROUPS_KEY)) | {
        "additionalProperties": False
    }


def scores_answer_schema() -> Schema:
    """The answer about several groups, in their order."""
    refusal = _object_schema({"error": {"type": "string"}})
    answers = _array_schema({"anyOf": [RESPONSE_SCHEMAS["score"][0], refusal]})
    return _object_schema({"model": _MODEL_SCHEMA, GROUPS_KEY: answers})


def request_body() -> dict[str, Any]:
    """The body of `POST /v1/score` as FastAPI takes it."""
    schema = {"anyOf": [score_body_schema(), scores_body_schema()]}
    content = {JSON: {"schema": schema, "example": REQUEST}}
    return {"requestBody": {"required": True, "content": content}}
