"""A person who is to be forgotten, and what of a text names them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...explain.language.names import display_name
from .spellings import spellings_pattern

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
        """What to look for: id and names, as the data has them and as sentences write them.

        Accents may be part of their letter, or follow it.
        """
        stored_forms = [text for text in (self.contact_id, *self.names) if text.strip()]
        written_forms = [display_name(text) for text in stored_forms]
        forms = [*stored_forms, *(text for text in written_forms if text)]
        other_accents = [unicodedata.normalize(f, text) for text in forms for f in ("NFC", "NFD")]
        return tuple(dict.fromkeys([*forms, *other_accents]))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any of them in any spelling, as whole words where a script has words."""
        terms = sorted(self.search_terms, key=len, reverse=True)
        return re.compile("|".join(map(spellings_pattern, terms)), re.IGNORECASE)

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
