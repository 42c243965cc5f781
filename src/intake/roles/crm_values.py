"""The roles that CRMs write at a deal's contact, in their own words, to ours."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

NOT_A_BUYER, NEGATIVE, OWN_SIDE = "not_a_buyer", "negative", "own_side"
NO_MEMBERS = (NOT_A_BUYER, OWN_SIDE)
BLOCKER = "blocker"

UNKNOWN = ""
"""A value that says that nothing is known: Other, その他."""

_DATA: dict[str, Any] = tomllib.loads(
    (files(__package__) / "crm_values.toml").read_text(encoding="utf-8")
)


def normalise_value(value: str) -> str:
    """A value without case, width, blanks and underscores.

    >>> normalise_value("DECISION_MAKER") == normalise_value("Decision maker")
    True
    """
    return re.sub(r"[\s_\-・]+", "", unicodedata.normalize("NFKC", value).lower().replace("’", "'"))


_BY_VALUE: dict[str, str] = {
    normalise_value(one): role for role, values in _DATA["values"].items() for one in values
}
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (one["role"], re.compile(one["pattern"])) for one in _DATA["words"]
)


def role_of_value(value: str, given: Mapping[str, str]) -> str | None:
    """The role that a CRM's value says; "" where it says nothing; None where nobody knows.

    Args:
        value: as the CRM writes it; of several with `;` the first that is known.
        given: normalised values that the settings or people have decided; they win.
    """
    parts = [value, *value.split(";")] if ";" in value else [value]
    for part in parts:
        key = normalise_value(part)
        if key in given:
            return given[key]
        if key in _BY_VALUE:
            return _BY_VALUE[key]
    words = unicodedata.normalize("NFKC", value).lower().replace("_", " ")
    if re.fullmatch(r"[\d.]*", words):
        return None
    for role, pattern in _WORDS:
        if pattern.search(words):
            return role
    return None
