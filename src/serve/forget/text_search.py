"""Looking for a person in the texts of a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..store.schema import SQLITE
from .person import Person
from .spellings import telling_parts

FUNCTION = "mqbg_may_name"


def may_name(
    connection: sa.Connection, column: sa.ColumnElement[Any], person: Person
) -> sa.ColumnElement[bool]:
    """Whether a text may name a person, in any spelling.

    Wider than `Person.is_named_in`, which decides: the database looks for a part of a name.

    Args:
        connection: that is asked.
        column: of texts.
        person: whom.
    """
    spellings = {part for term in person.search_terms for part in telling_parts(term)}
    if connection.dialect.name == SQLITE:
        # SQLite itself knows the capitals of English alone.
        folded = [spelling.casefold() for spelling in spellings]

        def holds(text: str | None) -> bool:
            return text is not None and any(part in text.casefold() for part in folded)

        raw: Any = connection.connection.driver_connection
        raw.create_function(FUNCTION, 1, holds, deterministic=True)
        named: sa.ColumnElement[bool] = getattr(sa.func, FUNCTION)(column, type_=sa.Boolean())
        return named.is_(True)
    return sa.or_(
        *(
            sa.func.strpos(sa.func.lower(column), sa.func.lower(spelling)) > 0
            for spelling in sorted(spellings)
        )
    )


def holds_text(
    connection: sa.Connection, column: sa.ColumnElement[Any], text: str
) -> sa.ColumnElement[bool]:
    """Whether a text holds another one, letter by letter: ids differ in capitals alone."""
    position = sa.func.instr if connection.dialect.name == SQLITE else sa.func.strpos
    found: sa.ColumnElement[bool] = position(column, text) > 0
    return found
