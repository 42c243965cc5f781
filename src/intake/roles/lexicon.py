"""What a title says: the department and the position apart, in Japanese and English.

A role follows from both: the position's rank says who decides, the department what about. Words of
the alphabet are matched on their borders (a "Chair" is no "chAIr"), Japanese ones anywhere, the
position at the end before what comes earlier ("情報システム部長" is a head of IT, "営業一課 係長" a
clerk of sales).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

ROLES = (
    "decision_maker",
    "champion",
    "technical_evaluator",
    "budget_holder",
    "user",
    "procurement",
)
"""Roles that a title can say."""

_DATA: dict[str, Any] = tomllib.loads(
    (files(__package__) / "lexicon.toml").read_text(encoding="utf-8")
)
_MARKUP = re.compile(r"<[^>]{0,200}>|&[a-z]{2,8};|&#\d+;|https?://\S+")
_NO_WORD = re.compile(r"[^\w&+/.\- ・（）()一-龠ぁ-んァ-ヶー々]+")


@dataclass(frozen=True)
class TitleParts:
    """A title taken apart: department and position, `none` where no word says one."""

    department: str
    position: str


def clean_title(title: str) -> str:
    """Lower case, one width, without markup and pictures."""
    text = _MARKUP.sub(" ", unicodedata.normalize("NFKC", title)).lower()
    return re.sub(r"\s+", " ", _NO_WORD.sub(" ", text)).strip()


def _english(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])")


def _japanese(pattern: str) -> re.Pattern[str]:
    """Japanese words anywhere, Latin ones among them on their borders."""
    words = unicodedata.normalize("NFKC", pattern).lower().split("|")
    return re.compile(
        "|".join(rf"(?<![a-z]){one}(?![a-z])" if one.isascii() else one for one in words)
    )


_DEPARTMENT_PATTERNS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (
        one["name"],
        _japanese(one["ja"]),
        _english(one["en"]),
    )
    for one in _DATA["departments"]
)
_ENGLISH_POSITIONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (one["name"], _english(one["pattern"])) for one in _DATA["positions_en"]
)
_JAPANESE_POSITIONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (one["name"], _japanese(one["pattern"])) for one in _DATA["positions_ja"]
)
_JAPANESE = re.compile(r"[一-龠ぁ-んァ-ヶ]")
_CHIEFS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern.lower()) for name, pattern in _DATA["chief_of"].items()
}
_ROLES = {
    (department, position): (str(role), float(probability))
    for department, positions in _DATA["roles"].items()
    for position, (role, probability) in positions.items()
}
_OF_EVERYTHING = re.compile(
    r"\b(?:president|founder|ceo|coo|owner|managing director|general manager|chair\w*|cmo|cro|chro|"
    r"cdo|cso|cco)\b"
)


def title_parts(title: str, department: str = "") -> TitleParts:
    """Take a title apart; the department's own field helps where the title names none.

    >>> title_parts("情報システム部長")
    TitleParts(department='it', position='head')
    >>> title_parts("営業一課 係長")
    TitleParts(department='business', position='staff')
    >>> title_parts("VP of Finance")
    TitleParts(department='finance', position='head')
    """
    text = clean_title(title)
    position = _position(text)
    found = _department(text, position)
    if found == "none" and department:
        found = _department(clean_title(department), "none")
    return TitleParts(found, position)


def _position(text: str) -> str:
    if _JAPANESE.search(text):
        found = [name for name, pattern in _JAPANESE_POSITIONS if pattern.search(text)]
        if "assistant" in found and len(found) == 1:
            return "assistant"
        found = [one for one in found if one != "assistant"] or found
        if found:
            return found[0]
    return next((name for name, pattern in _ENGLISH_POSITIONS if pattern.search(text)), "none")


def _department(text: str, position: str) -> str:
    if position == "chief":
        for name, pattern in _CHIEFS.items():
            if pattern.search(text):
                return name
        if _JAPANESE.search(text) and not re.search(r"部|室|課|本部|担当", text):
            return "none"
        if _OF_EVERYTHING.search(text):
            return "business" if re.search(r"\bc[dms]o\b", text) else "none"
    for name, japanese, english in _DEPARTMENT_PATTERNS:
        if japanese.search(text) or english.search(text):
            return name
    return "none"


def lexicon_role(title: str, department: str = "") -> tuple[str, float]:
    """The role that a title most likely says, and how likely.

    Returns:
        one of ROLES and its probability, in (0, 1).
    """
    parts = title_parts(title, department)
    position = "staff" if parts.position == "assistant" else parts.position
    found = _ROLES.get((parts.department, position)) or _ROLES.get((parts.department, "any"))
    return found or _ROLES["none", "any"]
