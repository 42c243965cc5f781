"""Types of settings: what a value may be, for pydantic to check whenever a section is made.

No value is converted to another type (True is no number, "3" neither), except that whole numbers
are numbers, lists are tuples, and dates and their ISO texts are instants.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from .instants import to_instant

Value = TypeVar("Value")

SECTION = ConfigDict(extra="forbid", allow_inf_nan=False)
"""How pydantic reads each section: no key beside its own, no number beside the finite ones."""

INSTANT_EXPECTED = "instant"
"""Type of pydantic's error where a value is no date."""


def must(holds: Callable[[Value], bool], sentence: str) -> AfterValidator:
    """A rule of one setting; `sentence` follows its name where it does not hold."""

    def ruled(value: Value) -> Value:
        if not holds(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(ruled)


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` most likely means."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]


def _instant(value: Any) -> datetime:
    found = to_instant(value)
    if found is None:
        raise PydanticCustomError(INSTANT_EXPECTED, "expected a date")
    return found


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Instant = Annotated[datetime, BeforeValidator(_instant)]

Count = Annotated[Whole, Field(ge=1)]
AtLeastTwo = Annotated[Whole, Field(ge=2)]
WholeFromZero = Annotated[Whole, Field(ge=0)]
NumberFromZero = Annotated[Number, Field(ge=0)]
NumberOverZero = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(gt=0, le=1)]
"""Over 0, up to 1."""

OpenShare = Annotated[Number, Field(gt=0, lt=1)]
"""Over 0 and under 1."""

MAX_DAYS = 36_500
Days = Annotated[Number, Field(ge=0, le=MAX_DAYS)]
"""A span in days; a hundred years are never meant."""
