"""A person who is to be forgotten, and what of a text names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...explain.language.names import display_name

TEXT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "scores": ("top_reasons",),
    "stakeholders": ("summary",),
    "actions": ("text",),
    "summaries": ("summary",),
}
"""Columns that may name somebody, by table."""

PERSON_ID_COLUMNS: Mapping[str, str] = {
    "stakeholders": "contact_id", "actions": "contact_id", "themes": "contact_id",
}  # fmt: skip
"""Tables with rows about one contact, and the column that says whom."""

REFERENCE_COLUMN = ("scores", "single_point_of_failure")
"""Where a contact is named in a row that is not about them."""

REDACTION = "\N{EN DASH}"
"""Stands for the person in texts that stay."""

_WORD_CHARACTERS = "A-Za-z0-9_\u00c0-\u024f"  # of scripts that part words


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
    def search_terms(self) -> tuple[str, ...]:
        """What to look for: id and names, as the data has them and as sentences write them."""
        stored_forms = [text for text in (self.contact_id, *self.names) if text.strip()]
        written_forms = [display_name(text) for text in stored_forms]
        return tuple(dict.fromkeys([*stored_forms, *(text for text in written_forms if text)]))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any of them, as whole words where a script has words."""
        parts = [
            f"{_word_boundary(term[0], '<!')}{re.escape(term)}{_word_boundary(term[-1], '!')}"
            for term in sorted(self.search_terms, key=len, reverse=True)
        ]
        return re.compile("|".join(parts), re.IGNORECASE)

    def is_named_in(self, text: str | None) -> bool:
        """Whether a text names the person."""
        return bool(text) and self.pattern.search(text or "") is not None

    def redact(self, table: str, text: str | None, *, in_group: bool) -> str | None:
        """A text of a table without the person: blank where it names them, or may.

        Args:
            table: whose text it is.
            text: None where there is none.
            in_group: the person stood in this group at this cut-off. Its summary names its members.
                And where no name is known, nobody can tell who is named in the other texts.
        """
        if not text:
            return text
        may_be_named = in_group and (table == "summaries" or (not self.names and table != "scores"))
        return "" if may_be_named or self.is_named_in(text) else text


def _word_boundary(character: str, lookaround: str) -> str:
    return (
        f"(?{lookaround}[{_WORD_CHARACTERS}])"
        if re.match(f"[{_WORD_CHARACTERS}]", character)
        else ""
    )
