"""What pydantic finds wrong with settings, as one sentence for the person who wrote them."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..contract import BadInput
from .field_types import INSTANT_EXPECTED, nearest

_UNKNOWN_KEY = "unexpected_keyword_argument"
_RULE = "value_error"
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}
_EXPECTED = {
    INSTANT_EXPECTED: "a date such as 2024-02-01",
    "float_type": "a number",
    "finite_number": "a number",
    "int_type": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
}


def bad_input(error: ValidationError, section: type, where: str) -> BadInput:
    """One sentence on what is wrong with a tree of plain values; `where` begins it.

    Of several faults an unknown key comes first: often it is the cause of another.

    Args:
        error: what validation said.
        section: the dataclass that the whole tree was to be.
        where: the file, or what else the tree is from.
    """
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == _UNKNOWN_KEY), found[0])
    return BadInput(f"{where}: {_sentence(first, section)}")


def _sentence(error: ErrorDetails, section: type) -> str:
    fault, got = error["type"], error["input"]
    keys = [key for key in error["loc"] if isinstance(key, str)]  # the others count list items
    if fault == _UNKNOWN_KEY:
        return _unknown(keys, section)
    if fault == "dataclass_type":
        return f"expected a table{_in_brackets(keys)}, got {got!r}"
    if fault in _EXPECTED:
        return f"{_name(keys)} expected {_EXPECTED[fault]}, got {got!r}"
    if fault not in (_RULE, "literal_error", *_BOUNDS):
        return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
    kind, notes = _setting_at(error["loc"], section)
    if fault == _RULE:
        is_table = is_dataclass(kind) or typing.get_origin(kind) is Mapping
        name = _in_brackets(keys) if is_table else _name(keys)
        return f"{name} {error['ctx']['error']}".lstrip()
    if fault == "literal_error":
        choices = ", ".join(repr(choice) for choice in typing.get_args(kind))
        return f"{_name(keys)} expected one of {choices}, got {got!r}"
    return f"{_name(keys)} must {_range(notes)}"


def _unknown(keys: Sequence[str], section: type) -> str:
    *above, key = keys
    place = f" in{_in_brackets(above)}" if above else ""
    known = [field.name for field in fields(_setting_at(above, section)[0])]
    return f"unknown key {key!r}{place}; the nearest known one is {nearest(key, known)!r}"


def _in_brackets(keys: Sequence[str]) -> str:
    """A table as a file shows it, with a space before; nothing for the whole file."""
    written = [
        "import" if not place and key == "imports" else key for place, key in enumerate(keys)
    ]
    return f" [{'.'.join(written)}]" if keys else ""


def _name(keys: Sequence[str]) -> str:
    """A setting as a file shows it: `[table] key`."""
    *above, key = keys
    return f"{_in_brackets(above)} {key}".lstrip()


def _setting_at(path: Sequence[int | str], section: type) -> tuple[Any, list[Any]]:
    """The type of a setting, and what is noted on it: the places lead from `section` to it."""
    kind: Any = section
    notes: list[Any] = []
    for place in path:
        if is_dataclass(kind):
            kind = typing.get_type_hints(kind, include_extras=True)[str(place)]
        else:
            of_items, *of_values = typing.get_args(kind)
            kind = of_items if isinstance(place, int) else of_values[0]
        kind, notes = _without_notes(kind)
    return kind, notes


def _without_notes(kind: Any) -> tuple[Any, list[Any]]:
    if typing.get_origin(kind) in (Union, UnionType):
        kind = next(one for one in typing.get_args(kind) if one is not NoneType)
    if typing.get_origin(kind) is not Annotated:
        return kind, []
    bare, *notes = typing.get_args(kind)
    return bare, notes


def _range(notes: Sequence[Any]) -> str:
    """The bounds of a number in words, to follow "must"."""
    bounds = {
        name: getattr(bound, name)
        for note in notes
        if isinstance(note, FieldInfo)
        for bound in note.metadata
        for name in _BOUNDS.values()
        if hasattr(bound, name)
    }
    match bounds:
        case {"ge": low, "le": high}:
            return f"be {low} to {high}"
        case {"gt": low, "le": high}:
            return f"be over {low}, up to {high}"
        case {"gt": low, "lt": high}:
            return f"be over {low} and under {high}"
        case {"ge": low, "lt": high}:
            return f"be {low} or more and under {high}"
        case {"ge": 0}:
            return "not be negative"
        case {"ge": low}:
            return f"be at least {low}"
        case {"gt": low}:
            return f"be over {low}"
    raise AssertionError(f"no words for the bounds {bounds}")  # a test tries every setting
