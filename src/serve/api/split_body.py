"""A body with a long list of groups as several bodies, each with some of the groups.

A body is cut as text, without being parsed: each process then parses what it scores and no more.
A cut may be at the wrong place, in a body that says the same in other ways; then one of the parts
is no body, and the whole has to be parsed by one process. Where all parts are accepted, so is the
whole, and its groups are theirs: text is read from left to right, so that a part that ends the list
right after a group shows that the whole has no more open there than the list, and the next part
begins as the whole goes on.
"""

from __future__ import annotations

import re
from itertools import pairwise

from .group_tables import GROUPS_KEY, OPTION_KEYS

_BLANK = rb"[ \t\n\r]*"
_OPTION = rb'"(?:%(keys)b)"%(blank)b:%(blank)b(?:"[^"\\]*"|null)' % {
    b"keys": b"|".join(key.encode() for key in OPTION_KEYS),
    b"blank": _BLANK,
}
_HEAD = re.compile(
    rb'%(blank)b\{%(blank)b(?:%(option)b%(blank)b,%(blank)b)*"%(key)b"%(blank)b:%(blank)b\[%(blank)b'
    rb'(?=\{%(blank)b("[^"\\]*")%(blank)b:)'
    % {b"blank": _BLANK, b"option": _OPTION, b"key": GROUPS_KEY.encode()}
)
"""What is before the first group, whose first key follows."""

_TAIL = re.compile(
    rb"\]%(blank)b(?:,%(blank)b%(option)b%(blank)b)*\}%(blank)b\Z"
    % {b"blank": _BLANK, b"option": _OPTION}
)
"""What is behind the last group."""

MAX_TAIL = 300  # bytes, in which the end of the list is looked for


def begins_with_groups(body: bytes) -> bool:
    """Whether a body is seen to have a list of groups before it is parsed."""
    return _HEAD.match(body) is not None


def split_body(body: bytes, parts: int) -> list[bytes]:
    """Bodies of about one length, whose groups are those of the body in their order.

    Args:
        body: JSON, perhaps.
        parts: how many bodies are wanted; there are fewer where no place to cut is found.

    Returns:
        The body alone where it has no list of groups that each begin with the same key.
    """
    head = _HEAD.match(body)
    tail = _TAIL.search(body, max(0, len(body) - MAX_TAIL))
    if head is None or tail is None or head.end() > tail.start():
        return [body]
    between_groups = re.compile(
        rb"\}%(blank)b(,)%(blank)b(?=\{%(blank)b%(first)b%(blank)b:)"
        % {b"blank": _BLANK, b"first": re.escape(head[1])}
    )
    begin, end = head.end(), tail.start()
    wanted = [begin + (end - begin) * number // parts for number in range(1, parts)]
    found = [between_groups.search(body, start, stop) for start, stop in pairwise([*wanted, end])]
    commas = [one.start(1) for one in found if one is not None]
    starts, stops = [begin, *(comma + 1 for comma in commas)], [*commas, end]
    return [
        b"".join((head[0], body[start:stop], body[end:]))
        for start, stop in zip(starts, stops, strict=True)
    ]
