"""Names as in a sentence: one line, of bounded length, in their own direction."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_NAME_LENGTH = 120
"""Characters of a name; a longer one ends in an ellipsis."""

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ISOLATES = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_JOINERS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def on_one_line(text: str) -> str:
    """A text on one line: line breaks and other control characters become a space."""
    # No control character is printable, and most texts are.
    return text if text.isprintable() else _CONTROL_CHARACTERS.sub(" ", text)


@lru_cache(maxsize=10_000)
def display_name(text: str | None) -> str | None:
    """A name of the data as a sentence can hold it; None where there is nothing to read.

    One that is written from right to left is isolated, so that the numbers after it keep their
    places; marks of direction in the data, which could turn a sentence around, are left out.
    """
    if text is None:
        return None
    name = _truncated(_DIRECTION_MARKS.sub("", on_one_line(text)).strip())
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return name.join(_ISOLATES)
    return name or None


def _truncated(name: str) -> str:
    if len(name) <= MAX_NAME_LENGTH:
        return name
    end = MAX_NAME_LENGTH - 1
    # Never between a letter and its accents, or within an emoji.
    while end and (_continues_grapheme(name[end]) or name[end - 1] in _JOINERS):
        end -= 1
    return name[: end or MAX_NAME_LENGTH - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _continues_grapheme(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character in _JOINERS
        or ord(character) in _SKIN_TONES
    )
