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
from ..pages.portfolio import page_name
from .targets.target import Given, Wanted

Columns = dict[str, list[Any]]
Value = Callable[[Any], Any]

VOLATILE = ("as_of",)
"""Fields whose change alone is none: with them a target holds since when its values stand so."""

TRENDS = ("improving", "steady", "declining", "unknown")
GRADES = ("A", "B", "C", "D")
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def group_columns(given: Given, settings: Settings, names: Sequence[str]) -> Columns:
    """Fields of every scored group, in the order of the scores.

    Args:
        given: what there is.
        settings: [push] and [alerts] link are read.
        names: of `settings.push.FIELDS`.

    Returns:
        One list for each name, beside group_id; numbers rounded, lists as lists.
    """
    scores, push = given.scored.scores, settings.push
    ids = scores["group_id"].to_pylist()
    points = scores["score"].to_pylist()
    made: Mapping[str, Callable[[], list[Any]]] = {
        "summary": lambda: _summaries(given.scored.summaries, ids),
        "next_step": lambda: _first(given.scored.actions, "text", ids),
        "trend": lambda: [
            _trend(now, given.previous.get(group_id), push.steady_points)
            for group_id, now in zip(ids, points, strict=True)
        ],
        "grade": lambda: [_grade(score, push.grades) for score in points],
        "link": lambda: [group_link(settings.alerts.link, group_id) for group_id in ids],
    }
    columns = {
        name: made[name]() if name in made else _column(scores, name, push.decimals)
        for name in names
    }
    return {"group_id": ids} | columns


def wanted(
    kind: str,
    object_ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    mapping: Mapping[str, str],
    value: Value,
) -> Wanted:
    """Payloads of one kind.

    Args:
        kind: of the records.
        object_ids: one for each row.
        columns: fields.
        mapping: name at the target by field.
        value: how the target writes a value.
    """
    stable = [name for name in mapping if name not in VOLATILE]
    late = [name for name in mapping if name in VOLATILE]
    written = {name: _written(columns[name], value) for name in mapping}
    firm = _objects([(mapping[name], written[name]) for name in stable], len(object_ids))
    hashes = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in firm]
    if late:
        extra = _objects([(mapping[name], written[name]) for name in late], len(object_ids))
        firm = [_joined(one, other) for one, other in zip(firm, extra, strict=True)]
    return Wanted(kind, object_ids, firm, hashes)


def _objects(columns: Sequence[tuple[str, Sequence[str]]], rows: int) -> list[str]:
    """JSON objects from columns that are JSON already."""
    if not columns:
        return ["{}"] * rows
    names = (_ENCODE(name).replace("%", "%%") for name, _ in columns)
    template = "{" + ",".join(f"{name}:%s" for name in names) + "}"
    return [template % row for row in zip(*(texts for _, texts in columns), strict=True)]


def _joined(one: str, other: str) -> str:
    return other if one == "{}" else f"{one[:-1]},{other[1:]}"


def _written(column: Sequence[Any], value: Value) -> list[str]:
    """A column as JSON; each different value is written once, for they repeat in every column."""
    seen: dict[Any, str] = {}
    texts = []
    for item in column:
        key = tuple(item) if type(item) is list else item
        text = seen.get(key)
        if text is None:
            text = seen[key] = _ENCODE(value(item))
        texts.append(text)
    return texts


def _column(table: pa.Table, name: str, decimals: int) -> list[Any]:
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
    """Each group's summary without its heading, which names the group and the day."""
    texts = dict(zip(table["group_id"].to_pylist(), table["summary"].to_pylist(), strict=True))
    return [_below_heading(texts.get(group_id)) for group_id in ids]


def _below_heading(text: str | None) -> str | None:
    return None if text is None else text.partition("\n")[2] or text


def _first(table: pa.Table, name: str, ids: Sequence[str]) -> list[str | None]:
    groups, values = table["group_id"].to_pylist(), table[name].to_pylist()
    found = dict(zip(reversed(groups), reversed(values), strict=True))
    return [found.get(group_id) for group_id in ids]


def _trend(now: int, before: int | None, steady: int) -> str:
    if before is None:
        return "unknown"
    if abs(now - before) <= steady:
        return "steady"
    return "improving" if now > before else "declining"


def _grade(score: int, grades: Sequence[int]) -> str:
    return GRADES[len(grades) - bisect_right(sorted(grades), score)]


def group_link(template: str, group_id: str) -> str | None:
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
