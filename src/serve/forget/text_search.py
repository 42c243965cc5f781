"""Looking for a person in the texts of a database."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from .person import Person


def may_name(column: sa.ColumnElement[Any], person: Person) -> sa.ColumnElement[bool]:
    """Whether a text may name a person, also inside JSON.

    Wider than `Person.is_named_in`, which decides: the database knows no edges of words.
    """
    spellings = {
        spelling
        for term in person.search_terms
        for spelling in (
            term,
            json.dumps(term)[1:-1],
            json.dumps(term, ensure_ascii=False)[1:-1],
        )
    }
    return sa.or_(
        *(
            sa.func.strpos(sa.func.lower(column), sa.func.lower(spelling)) > 0
            for spelling in sorted(spellings)
        )
    )
