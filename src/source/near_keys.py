"""Dangling keys that would be found if they were written a little differently: padded, 12.0 ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .null_texts import BLANKS
from .quoting import quote_literal

if TYPE_CHECKING:
    import ibis.expr.types as ir

_BLANKS = quote_literal(BLANKS)
_BRACKETS = quote_literal("'\"`{}[]()<>")
# Each includes those before it, so that a key is explained by the least that it needs.
_TRIMMED = f"trim(key, {_BLANKS})"
_COMPOSED = f"nfc_normalize({_TRIMMED})"
_WHOLE = rf"regexp_replace({_COMPOSED}, '^(-?\d+)\.0+$', '\1')"
REWRITINGS: Mapping[str, str] = {
    "without the blanks around them": _TRIMMED,
    "in Unicode NFC": _COMPOSED,
    "without .0 at the end": _WHOLE,
    "without leading zeros": rf"regexp_replace({_WHOLE}, '^0+(.)', '\1')",
    "without the quotes or brackets around them": f"trim({_WHOLE}, {_BRACKETS})",
    "without regard to case": f"lower({_WHOLE})",
    "by their first 15 characters": f"CASE WHEN strlen({_WHOLE}) IN (15, 18)"
    f" THEN left({_WHOLE}, 15) ELSE {_WHOLE} END",
}
"""By how it is said, SQL over `key`."""


def near_keys_hint(backend: Any, dangling: ir.Table, parents: ir.Table) -> str:
    """How many dangling keys match after a rewriting; "" where none does.

    Args:
        backend: Ibis DuckDB backend.
        dangling: one column `key`, the keys that are not found, one row each time.
        parents: one column `key`, the keys of the table that they point at.
    """
    keys, known = backend.compile(dangling), backend.compile(parents)
    counts = []
    for number, rewriting in enumerate(REWRITINGS.values()):
        known_as = f"SELECT {rewriting} FROM known"  # noqa: S608 - ours
        counts.append(f"count(*) FILTER ({rewriting} IN ({known_as})) AS matches_{number}")
    found = backend.con.execute(
        f"WITH dangling AS ({keys}), known AS ({known})"  # noqa: S608 - compiled
        f" SELECT {', '.join(counts)} FROM dangling"
    ).fetchall()[0]
    for said, count in zip(REWRITINGS, found, strict=True):
        if count:
            return f"{count:,} of them {'matches' if count == 1 else 'match'} {said}"
    return ""
