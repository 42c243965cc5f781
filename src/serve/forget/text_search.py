"""Looking for a person in the texts of a database."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from .person import Person


def may_name(column: sa.ColumnElement[Any], person: Person) -> sa.ColumnElement[bool]:
    """Whether a text may name a person, also inside JSON.

    Wider than `Person.mentioned`, which decides: the database knows no edges of words.
    """
    spellings = {
        spelling
        for needle in person.needles
        for spelling in (
            needle,
            json.dumps(needle)[1:-1],
            json.dumps(needle, ensure_ascii=False)[1:-1],
        )
    }
    return sa.or_(
        *(
            sa.func.strpos(sa.func.lower(column), sa.func.lower(spelling)) > 0
            for spelling in sorted(spellings)
        )
    )
