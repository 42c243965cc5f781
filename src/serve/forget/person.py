"""A person who is to be forgotten, and what of a text names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...explain.language.names import display_name

TEXTS: Mapping[str, tuple[str, ...]] = {
    "scores": ("top_reasons",),
    "stakeholders": ("summary",),
    "actions": ("text",),
    "summaries": ("summary",),
}
"""Columns that may name somebody, by table."""

OF_THE_PERSON: Mapping[str, str] = {
    "stakeholders": "contact_id", "actions": "contact_id", "themes": "contact_id",
}  # fmt: skip
"""Tables with rows about one contact, and the column that says whom."""

POINTING = ("scores", "single_point_of_failure")
"""Where a contact stands in a row that is not about them."""

LEFT_OUT = "\N{EN DASH}"
"""Stands for the person in texts that stay."""

_LETTER = "A-Za-z0-9_\u00c0-\u024f"  # of scripts that part words


@dataclass(frozen=True)
class Person:
    """Somebody who is to be forgotten.

    Attributes:
        contact_id: in the data.
        names: full names, addresses: whatever texts may call them.
    """

    contact_id: str
    names: tuple[str, ...] = ()

    @cached_property
    def needles(self) -> tuple[str, ...]:
        """What to look for: id and names, as the data has them and as sentences write them."""
        given = [text for text in (self.contact_id, *self.names) if text.strip()]
        written = [display_name(text) for text in given]
        return tuple(dict.fromkeys([*given, *(text for text in written if text)]))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any of them, as whole words where a script has words."""
        parts = [
            f"{_edge(needle[0], '<!')}{re.escape(needle)}{_edge(needle[-1], '!')}"
            for needle in sorted(self.needles, key=len, reverse=True)
        ]
        return re.compile("|".join(parts), re.IGNORECASE)

    def mentioned(self, text: str | None) -> bool:
        """Whether a text names the person."""
        return bool(text) and self.pattern.search(text or "") is not None

    def cleaned(self, table: str, text: str | None, *, there: bool) -> str | None:
        """A text of a table without the person: blank where it names them, or may.

        Args:
            table: whose text it is.
            text: None where there is none.
            there: the person stood in this group at this cut-off. Its summary names its members.
                And where no name is known, nobody can tell who is named in the other texts.
        """
        if not text:
            return text
        may = there and (table == "summaries" or (not self.names and table != "scores"))
        return "" if may or self.mentioned(text) else text


def _edge(character: str, look: str) -> str:
    return f"(?{look}[{_LETTER}])" if re.match(f"[{_LETTER}]", character) else ""
