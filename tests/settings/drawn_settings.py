"""Settings of any values that a file could give, drawn by Hypothesis from the types of sections."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

from hypothesis import strategies as st
from mqbg.settings import DEFAULT_ACTIVITY_KINDS, ActivityKind, Settings

WORDS = st.text(max_size=6)
MOST = 10**6
SPANS = st.sets(st.integers(1, 3650), min_size=1, max_size=4).map(lambda days: tuple(sorted(days)))
CAPACITIES = st.floats(0.001, MOST)
# Settings whose rules say more than their types.
RULED: dict[str, st.SearchStrategy[Any]] = {
    "horizon_days": st.just(90),
    "more_horizons_days": SPANS.map(lambda days: tuple(day for day in days if day != 90)),
    "required": st.integers(1, 9),
    "weight": st.floats(0, MOST),
    "windows_days": SPANS,
    "half_lives_days": SPANS,
    "roles_in_step": st.lists(WORDS, min_size=2, max_size=2, unique=True).map(tuple),
    "segment": st.sampled_from(["tier", "solution", "country"]),
    "capacity_per_week": CAPACITIES,
    "capacity_by_month": st.dictionaries(st.integers(1, 12).map(str), CAPACITIES, max_size=3),
    "capacity_by_segment": st.dictionaries(WORDS, CAPACITIES, max_size=3),
    "gain": st.just(1000.0),
    "cost": st.floats(0.001, 999),
    "encoding": st.sampled_from((None, "utf-8", "cp932", "euc_jp", "utf-16")),
    "delimiter": st.sampled_from((None, ",", ";", "\t")),
    "registered_name": st.from_regex(r"[\w .-]+", fullmatch=True),
    "grades": st.lists(st.integers(), min_size=3, max_size=3).map(
        lambda grades: tuple(sorted(grades, reverse=True))
    ),
    "fields": st.sets(st.sampled_from(["summary", "trend"])).map(
        lambda names: {name: f"my {name}" for name in names}
    ),
    "member_fields": st.just({"role": ""}),
    "path": st.text(min_size=1, max_size=6),
    "channels": st.sampled_from([(), ("slack",), ("teams", "slack")]),
    "timezone": st.sampled_from([None, "Asia/Tokyo", "UTC"]),
    "link": st.sampled_from(["", "https://pages/{page}", "https://groups/{group_id}"]),
}
TOGETHER = {"segment", "gain", "cost"}


def sections(kind: type) -> st.SearchStrategy[Any]:
    """A section with any of its keys set."""
    hints = typing.get_type_hints(kind, include_extras=True)
    keys = {
        name: RULED[name] if name in RULED else values_of(hints[name])
        for name in (field.name for field in fields(kind))
    }
    if kind is Settings:
        keys["kinds"] = kinds()
    together = {name: keys.pop(name) for name in TOGETHER & set(keys)}
    return st.fixed_dictionaries(together, optional=keys).map(lambda drawn: kind(**drawn))


def kinds() -> st.SearchStrategy[dict[str, ActivityKind]]:
    """The default kinds, as every file has them, some of them changed, and some more."""
    names = WORDS | st.sampled_from(sorted(DEFAULT_ACTIVITY_KINDS))
    return st.dictionaries(names, sections(ActivityKind), max_size=3).map(
        lambda own: {
            **DEFAULT_ACTIVITY_KINDS,
            **{n: replace(k, family=k.family or n) for n, k in own.items()},
        }
    )


def values_of(kind: Any, notes: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of an annotated type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return values_of(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        return st.none() | st.one_of(*(values_of(a) for a in arguments if a is not NoneType))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(WORDS, values_of(arguments[1]), max_size=2)
    if is_dataclass(kind):
        return sections(kind)
    limits = bounds(notes)
    low, high = limits.get("ge", limits.get("gt", -MOST)), limits.get("le", limits.get("lt", MOST))
    return {
        str: lambda: WORDS,
        bool: st.booleans,
        datetime: lambda: st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)),
        int: lambda: st.integers(int(low), int(high)),
        float: lambda: st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits),
    }[kind]()


def bounds(notes: tuple[Any, ...]) -> dict[str, float]:
    """`ge`, `gt`, `le` and `lt` that are noted on an annotated type."""
    noted = [one for note in notes for one in getattr(note, "metadata", ())]
    names = ("ge", "gt", "le", "lt")
    return {name: getattr(one, name) for one in noted for name in names if hasattr(one, name)}
