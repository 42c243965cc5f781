"""JSON from strangers: read up to a limit, and refused where it says what tables cannot hold."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from starlette.requests import ClientDisconnect, Request

from ...settings import ApiSettings
from .problem_details import HttpProblem
from .responses import JSON

MAX_EXACT_INTEGER = 2**53
"""Beyond it a number is not the one that was meant: JSON's numbers are doubles to most programs."""

MAX_KEYS = 200  # of an object: tables have fewer columns, and a body fewer tables

# What no name, title or answer holds: control characters but tab and new lines, lone surrogates.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
ESCAPED_CONTROL = r"\\(?:[bf]|u00(?:[0189]|7[fF]))"
MAY_ESCAPE_CONTROL = re.compile(rf"{ESCAPED_CONTROL}|\\u[dD][89a-fA-F]")
"""Escapes of JSON that may stand for such a character."""

RAW_CONTROL_CHARACTERS = re.compile(rb"\xc2[\x80-\x9f]")
"""In UTF-8, those beyond ASCII."""

_CONTAINERS = frozenset((dict, list))


async def read_body(request: Request, settings: ApiSettings) -> bytes:
    """The body of a request, counted while it arrives.

    Raises:
        HttpProblem: 413 for a larger one, 415 for another type than JSON, 408 for one that takes
            too long, 400 for one that breaks off.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media_type != JSON or encoding != "identity":
        raise HttpProblem(
            415, f"expected a body of the type {JSON}, not compressed; send it as that"
        )
    limit = settings.max_body_bytes
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise HttpProblem(
            408, f"expected the whole body within {settings.body_seconds:g} s; send it again"
        ) from None
    except ClientDisconnect:
        raise HttpProblem(400, "expected a whole body, got a part of one; send it again") from None
    return b"".join(parts)


def _too_large(limit: int) -> HttpProblem:
    # What is left of the body is not read, so that the connection cannot be used again.
    return HttpProblem(
        413,
        f"expected a body of at most {limit:,} bytes, got more; send fewer activities, or raise "
        "[api] max_body_bytes",
        {"Connection": "close"},
    )


def parse_body(body: bytes, settings: ApiSettings) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        HttpProblem: 422 for anything else, and for NaN, numbers beyond 2^53, control characters, a
            key that appears twice, depth, or more values than [api] max_values.
    """
    max_depth = settings.max_depth
    require_few_values(body, settings.max_values)
    try:
        text = body.decode("utf-8")
        root, shape = _load(body, text)
    except UnicodeDecodeError:
        raise HttpProblem(
            422, "expected JSON in UTF-8, got other bytes; encode it as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise HttpProblem(
            422, f"expected JSON, got {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    if not isinstance(root, dict):
        raise HttpProblem(
            422,
            f"expected a JSON object, got {json_type_name(root)}; see /openapi.json for an example",
        )
    if shape.depth > max_depth:
        raise _too_deep(max_depth)
    _require_no_control_characters(body, text, root)
    return root


@dataclass(frozen=True, slots=True)
class _Shape:
    """Of a tree of lists and objects.

    Attributes:
        depth: how many are inside each other.
        keys: of all objects.
        most_keys: of one object.
    """

    depth: int
    keys: int
    most_keys: int


def _load(body: bytes, text: str) -> tuple[Any, _Shape]:
    """The values of a text of JSON, and their shape.

    To look at each object while it is made takes as long as the rest. That each has its keys once
    is seen from how many were written; only where that cannot be said, or something is wrong, is
    every object looked at.
    """
    opened = _count_characters(body, "[{")
    shape = None
    with suppress(HttpProblem, json.JSONDecodeError, RecursionError):
        root = json.loads(text, **_NUMBERS)
        shape = _shape(root, opened)
    if shape is not None and shape.most_keys > MAX_KEYS:
        raise _too_many_keys(shape.most_keys)
    if shape is not None and shape.keys == _count_written_keys(body):
        return root, shape
    root = json.loads(text, object_pairs_hook=_parse_object, **_NUMBERS)
    return root, _shape(root, opened)


def _count_written_keys(body: bytes) -> int | None:
    """How many keys JSON has, or more; None where it may have more than are counted.

    A quote before a colon ends a key, or a text has it; a blank before a colon hides a key.
    """
    characters = np.frombuffer(body, np.uint8)
    before_colons = characters[:-1][characters[1:] == ord(":")]
    if (before_colons <= ord(" ")).any():
        return None
    return int(np.count_nonzero(before_colons == ord('"')))


def _shape(root: Any, opened: int) -> _Shape:
    """Walks level by level: what is deep needs no stack.

    Args:
        root: of the tree.
        opened: how many lists and objects there are at most; where as many were seen, there is no
            deeper one to look for, and the values of rows need not be touched.
    """
    level = [root] if type(root) in _CONTAINERS else []
    seen = depth = keys = most_keys = 0
    while level:
        objects = [value for value in level if type(value) is dict]
        sizes = list(map(len, objects))
        seen, depth = seen + len(level), depth + 1
        keys, most_keys = keys + sum(sizes), max(most_keys, *sizes, 0)
        if seen == opened:
            break
        level = [
            child
            for value in level
            for child in (value.values() if type(value) is dict else value)
            if type(child) in _CONTAINERS
        ]
    return _Shape(depth, keys, most_keys)


def _count_characters(body: bytes, wanted: str) -> int:
    characters = np.frombuffer(body, np.uint8)
    return sum(int(np.count_nonzero(characters == ord(one))) for one in wanted)


def require_few_values(body: bytes, max_values: int) -> None:
    """Counts before anything is made of the bytes: a value of two bytes becomes one of sixty.

    Raises:
        HttpProblem: 422 for more values.
    """
    if _count_characters(body, ",[{") > max_values:
        raise HttpProblem(
            422,
            f"expected a body of at most {max_values:,} values, got more; send fewer rows, or "
            "raise [api] max_values",
        )


def json_type_name(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _too_many_keys(keys: int) -> HttpProblem:
    return HttpProblem(
        422,
        f"expected objects of at most {MAX_KEYS} keys, got one of {keys:,}; a row is an object of "
        "its own",
    )


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise _too_many_keys(len(pairs))
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HttpProblem(422, "expected every key of an object once, got one twice; take one away")
    return found


def _refuse_constant(text: str) -> Any:
    raise HttpProblem(
        422, f"expected numbers, got {text}; leave the key out where there is no value"
    )


def _parse_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_EXACT_INTEGER:
        raise HttpProblem(
            422, "expected whole numbers up to 2^53, got a larger one; check its unit"
        )
    return int(text)


@lru_cache(4096)
def _parse_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise HttpProblem(
            422, "expected numbers that a double holds, got a larger one; check its unit"
        )
    return number


_NUMBERS: Mapping[str, Any] = {
    "parse_constant": _refuse_constant,
    "parse_int": _parse_integer,
    "parse_float": _parse_float,
}


def _too_deep(limit: int) -> HttpProblem:
    return HttpProblem(
        422, f"expected lists and objects at most {limit} deep, got deeper ones; flatten the body"
    )


def _require_no_control_characters(body: bytes, text: str, root: dict[str, Any]) -> None:
    """Refuses control characters, in texts and keys.

    Where neither the body holds one nor an escape that may stand for one, no value does: the values
    are looked at one by one only where that cannot be said.

    Args:
        body: that was JSON, so that no text in it holds a character below the blank.
        text: of the body.
        root: what it says.
    """
    if not MAY_ESCAPE_CONTROL.search(text) and not holds_control_characters(body):
        return
    level: list[Any] = [root]
    while level:
        keys = (key for value in level if type(value) is dict for key in value)
        for found in (*keys, *(value for value in level if type(value) is str)):
            if not found.isprintable() and CONTROL_CHARACTERS.search(found):
                raise HttpProblem(
                    422,
                    "expected texts without control characters, got one with such; take them out",
                )
        level = [
            child
            for value in level
            if type(value) in _CONTAINERS
            for child in (value.values() if type(value) is dict else value)
        ]


def holds_control_characters(body: bytes) -> bool:
    """Whether the text of a body, in UTF-8, has one of those that JSON takes as they are."""
    return b"\x7f" in body or RAW_CONTROL_CHARACTERS.search(body) is not None
