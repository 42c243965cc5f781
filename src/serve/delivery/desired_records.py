"""From the tables of a run to what each target should hold: columns first, then JSON."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from ...settings import Settings
from ..batch.page_name import page_name
from .targets.target import DesiredRecords, PushInputs

Columns = dict[str, list[Any]]
ValueEncoder = Callable[[Any], Any]

UNHASHED_FIELDS = ("as_of",)
"""Fields whose change alone is none: with them a target holds since when its values are so."""

TRENDS = ("improving", "steady", "declining", "unknown")
GRADES = ("A", "B", "C", "D")
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def group_columns(inputs: PushInputs, settings: Settings, names: Sequence[str]) -> Columns:
    """Fields of every scored group, in the order of the scores.

    Args:
        inputs: what there is.
        settings: [push] and [alerts] link are read.
        names: of `settings.push.FIELDS`.

    Returns:
        One list for each name, beside group_id; numbers rounded, lists as lists.
    """
    scores, push = inputs.scored.scores, settings.push
    ids = scores["group_id"].to_pylist()
    scores_now = scores["score"].to_pylist()
    computed: Mapping[str, Callable[[], list[Any]]] = {
        "summary": lambda: _summaries(inputs.scored.summaries, ids),
        "next_step": lambda: _first_by_group(inputs.scored.actions, "text", ids),
        "trend": lambda: [
            _trend(now, inputs.previous_scores.get(group_id), push.steady_points)
            for group_id, now in zip(ids, scores_now, strict=True)
        ],
        "grade": lambda: [_grade(score, push.grades) for score in scores_now],
        "link": lambda: [group_url(settings.alerts.link, group_id) for group_id in ids],
    }
    columns = {
        name: computed[name]() if name in computed else _score_column(scores, name, push.decimals)
        for name in names
    }
    return {"group_id": ids} | columns


def build_desired_records(
    kind: str,
    object_ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    mapping: Mapping[str, str],
    encode: ValueEncoder,
) -> DesiredRecords:
    """Payloads of one kind.

    Args:
        kind: of the records.
        object_ids: one for each row.
        columns: fields.
        mapping: name at the target by field.
        encode: how the target writes a value.
    """
    hashed = [name for name in mapping if name not in UNHASHED_FIELDS]
    unhashed = [name for name in mapping if name in UNHASHED_FIELDS]
    encoded = {name: _encode_column(columns[name], encode) for name in mapping}
    payloads = _json_objects([(mapping[name], encoded[name]) for name in hashed], len(object_ids))
    hashes = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in payloads]
    if unhashed:
        unhashed_payloads = _json_objects(
            [(mapping[name], encoded[name]) for name in unhashed], len(object_ids)
        )
        payloads = [
            _merge_objects(first, second)
            for first, second in zip(payloads, unhashed_payloads, strict=True)
        ]
    return DesiredRecords(kind, object_ids, payloads, hashes)


def _json_objects(columns: Sequence[tuple[str, Sequence[str]]], rows: int) -> list[str]:
    """JSON objects from columns that are JSON already."""
    if not columns:
        return ["{}"] * rows
    names = (_to_json(name).replace("%", "%%") for name, _ in columns)
    template = "{" + ",".join(f"{name}:%s" for name in names) + "}"
    return [template % row for row in zip(*(texts for _, texts in columns), strict=True)]


def _merge_objects(first: str, second: str) -> str:
    return second if first == "{}" else f"{first[:-1]},{second[1:]}"


def _encode_column(column: Sequence[Any], encode: ValueEncoder) -> list[str]:
    """A column as JSON; each different value is written once, for they repeat in every column."""
    encoded_values: dict[Any, str] = {}
    texts = []
    for item in column:
        key = tuple(item) if type(item) is list else item
        text = encoded_values.get(key)
        if text is None:
            text = encoded_values[key] = _to_json(encode(item))
        texts.append(text)
    return texts


def _score_column(table: pa.Table, name: str, decimals: int) -> list[Any]:
    """A column of the scores; numbers rounded, and never a zero with a sign."""
    column = table[name].combine_chunks()
    if pa.types.is_floating(column.type):
        rounded = (np.round(column.to_numpy(zero_copy_only=False), decimals) + 0.0).tolist()
        return [None if number != number else number for number in rounded]
    if pa.types.is_list(column.type):
        texts, ends = column.flatten().to_pylist(), column.value_lengths().fill_null(0).to_numpy()
        stops = np.cumsum(ends).tolist()
        return [texts[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
    return list(column.to_pylist())


def _summaries(table: pa.Table, ids: Sequence[str]) -> list[str | None]:
    """Each group's summary without its heading, which names the group."""
    texts = dict(zip(table["group_id"].to_pylist(), table["summary"].to_pylist(), strict=True))
    return [_without_heading(texts.get(group_id)) for group_id in ids]


def _without_heading(text: str | None) -> str | None:
    return None if text is None else text.partition("\n")[2] or text


def _first_by_group(table: pa.Table, name: str, ids: Sequence[str]) -> list[str | None]:
    groups, values = table["group_id"].to_pylist(), table[name].to_pylist()
    first_values = dict(zip(reversed(groups), reversed(values), strict=True))
    return [first_values.get(group_id) for group_id in ids]


def _trend(now: int, before: int | None, steady_points: int) -> str:
    if before is None:
        return "unknown"
    if abs(now - before) <= steady_points:
        return "steady"
    return "improving" if now > before else "declining"


def _grade(score: int, grades: Sequence[int]) -> str:
    return GRADES[len(grades) - bisect_right(sorted(grades), score)]


def group_url(template: str, group_id: str) -> str | None:
    """The address of a group's page; None where the settings have none."""
    if not template:
        return None
    return template.format(group_id=quote(group_id, safe=""), page=page_name(group_id))


def as_json(value: Any) -> Any:
    """A value as JSON has it; times in UTC."""
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value


def as_text(value: Any) -> str:
    """A value as text, for targets that hold nothing else; what is absent is empty."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(value)
    return str(as_json(value))


def as_scalar(value: Any) -> Any:
    """A value as a field of a CRM: lists as text."""
    return as_text(value) if isinstance(value, list) else as_json(value)
