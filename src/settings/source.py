"""How files are read where they do not say it themselves."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from .field_types import SECTION, Flag, Text, must


def _is_codec(name: str) -> bool:
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return getattr(codec, "_is_text_encoding", True)


_Encoding = Annotated[Text, must(_is_codec, 'must be an encoding such as "utf-8" or "cp932"')]
_Delimiter = Annotated[
    Text, must(lambda text: len(text) == 1 and text not in '"\r\n', "must be one character")
]


@dataclass(frozen=True, slots=True, config=SECTION)
class SourceSettings:
    """How the data is read.

    Attributes:
        encoding: of CSV files; None finds it in each, and says what it found.
        delimiter: between the fields of CSV files; None finds it in each.
        decimal: what comes before the decimals of a number in text; None takes a dot, and refuses
            a column in which every dot might stand for thousands.
        normalise: join roles, kinds, stages and categories that differ by case, width, blanks,
            `_` or `-` alone; otherwise they are named in a warning.
    """

    encoding: _Encoding | None = None
    delimiter: _Delimiter | None = None
    decimal: Literal[".", ","] | None = None
    normalise: Flag = False
