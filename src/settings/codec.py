"""Frozen dataclasses from plain values, as TOML and JSON give them, and back."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from ..contract import EARLIEST, LATEST, BadInput


def to_plain(value: Any) -> Any:
    """A dataclass as tables, lists and texts; what is None is left out."""
    if is_dataclass(value):
        return {
            item.name: to_plain(getattr(value, item.name))
            for item in fields(value)
            if getattr(value, item.name) is not None
        }
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


_TYPE_NAMES = {
    datetime: "a date such as 2024-02-01",
    float: "a number",
    int: "a whole number",
    str: "text",
    bool: "true or false",
    tuple: "a list",
    Mapping: "a table",
}


def from_plain(annotation: Any, value: Any, path: tuple[str, ...], source: str) -> Any:
    """`value` as the annotated type `annotation`, or BadInput that names the key."""
    name = f"[{'.'.join(path[:-1])}] {path[-1]}" if len(path) > 1 else "".join(path)
    if is_dataclass(annotation):
        if not isinstance(value, Mapping):
            raise BadInput(f"{source}: expected a table [{'.'.join(path)}], got {value!r}")
        hints = typing.get_type_hints(annotation)
        known = [item.name for item in fields(annotation)]
        for key in value:
            if key not in known:
                raise BadInput(f"{source}: {_unknown_key(key, known, path)}")
        built = {
            key: from_plain(hints[key], item, (*path, key), source) for key, item in value.items()
        }
        return typing.cast("Any", annotation)(**built)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is types.UnionType:
        return from_plain(
            next(a for a in arguments if a is not types.NoneType), value, path, source
        )
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(repr(choice) for choice in arguments)
            raise BadInput(f"{source}: {name} expected one of {choices}, got {value!r}")
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(from_plain(arguments[0], item, path, source) for item in value)
    if origin is Mapping and isinstance(value, Mapping):
        return {
            key: from_plain(arguments[1], item, (*path, key), source) for key, item in value.items()
        }
    converted = _convert(annotation, value)
    if converted is None:
        type_name = _TYPE_NAMES[origin or annotation]
        raise BadInput(f"{source}: {name} expected {type_name}, got {value!r}")
    return converted


def _convert(annotation: Any, value: Any) -> Any:
    """`value` as `annotation`, or None where it does not fit. True is no number."""
    if annotation is datetime:
        return to_instant(value)
    if annotation is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    if annotation is int and isinstance(value, bool):
        return None
    return value if isinstance(annotation, type) and isinstance(value, annotation) else None


def to_instant(value: Any) -> datetime | None:
    """A date, a time or their ISO text as an instant in UTC; None where it is none we could mean.

    Times before 1990 or after 2200 are refused as in the contract.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        found = to_utc(value) if isinstance(value, datetime) else None
    except (ValueError, OverflowError):
        return None
    return found if found and EARLIEST <= found <= LATEST else None


def to_utc(instant: datetime) -> datetime:
    """Rule of time: times are UTC without a zone; naive means UTC, zone-aware is converted."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _unknown_key(key: str, known: list[str], path: tuple[str, ...]) -> str:
    place = f" in [{'.'.join(path)}]" if path else ""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f"unknown key {key!r}{place}; the nearest known one is {near[0]!r}"
