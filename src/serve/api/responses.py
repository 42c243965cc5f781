"""Answers as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

JSON = "application/json"


def encode_json(values: Any) -> bytes:
    """Values as JSON: instants in UTC with a Z, doubles to the bit, what is no number as null."""
    try:
        text = json.dumps(values, default=_to_json_value, ensure_ascii=False, allow_nan=False)
    except ValueError:  # some double is no number, which is rare and costs a walk of ours
        text = json.dumps(_to_json_value(values), ensure_ascii=False, allow_nan=False)
    return text.encode()


_JSON_TYPES = frozenset((str, int, bool, type(None)))


def _to_json_value(value: Any) -> Any:
    if (
        type(value) in _JSON_TYPES
    ):  # most are; to ask whether one is a mapping takes longer than JSON
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Mapping):
        return {key: _to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json_value(item) for item in value]
    return value


def instant_text(instant: datetime) -> str:
    """An instant, in UTC without a zone, as answers write it."""
    return instant.isoformat() + "Z"


def json_response(body: bytes, status: int = 200) -> Response:
    """A JSON answer that nobody keeps: scores name people."""
    return Response(body, status, headers={"Cache-Control": "no-store"}, media_type=JSON)
