"""Texts that stand for no value: what SQL, pandas and spreadsheets write for an empty cell."""

from __future__ import annotations

from collections.abc import Collection

from .quoting import quote_literal

NULL_TEXTS = (
    "nan", "NaN", "NAN", "null", "Null", "NULL", "none", "None", "NONE", "NaT", "<NA>", "N/A",
    "n/a", "#N/A", "<null>", "<NULL>", "(null)", "(NULL)", "[null]", "[NULL]", "\\N",
)  # fmt: skip
"""As they are written; blanks around them do not count."""

BLANKS = " \t\r\n\v\f\u00a0\u3000\u200b\ufeff"
_LONGEST = max(map(len, NULL_TEXTS))
_BLANKS_SQL, _WIDE_BLANK, _HARD_BLANK = map(quote_literal, (BLANKS, "\u3000", "\u00a0"))
_WORDS_SQL = quote_literal("|" + "".join(f"{text}|" for text in ("", *NULL_TEXTS)))


def is_null_text(text: str, *, words: bool = True) -> bool:
    """Whether a text that is not empty stands for no value; `words` as for `null_text_sql`."""
    trimmed = text.strip(BLANKS)
    return text != "" and (not trimmed or (words and trimmed in NULL_TEXTS))


def are_plain_texts(texts: Collection[str], *, words: bool = True) -> bool:
    """Whether texts are known to stand for values, without a look at each of them.

    Args:
        texts: none of them empty.
        words: as for `is_null_text`.

    Returns:
        False also where some hold a blank, which may be all that they hold.
    """
    joined = "".join(texts)
    blank = any(character in joined for character in BLANKS)
    return not blank and not (words and any(text in texts for text in NULL_TEXTS))


def null_text_sql(text: str, *, words: bool = True) -> str:
    """SQL: whether a text is not empty and stands for no value.

    Most texts are recognised by their first byte and their length, at a fraction of the price.

    Args:
        text: SQL that names it.
        words: False takes words such as `None` for what they say, and blanks alone for no value.
    """
    bare = f"trim({text}, {_BLANKS_SQL})"
    # DuckDB would make a join of a list after IN, which costs some hundred times as much.
    no_value = f"contains({_WORDS_SQL}, concat('|', {bare}, '|'))" if words else f"{bare} = ''"
    short = f"contains({_WORDS_SQL}, concat('|', {text}, '|'))" if words else "false"
    wide = f"(starts_with({text}, {_WIDE_BLANK}) OR starts_with({text}, {_HARD_BLANK}))"
    padded = f"({text} BETWEEN 'N' AND 'O' OR {text} BETWEEN 'n' AND 'o') AND suffix({text}, ' ')"
    return (
        f"CASE WHEN {text} < '!' THEN {text} <> '' AND {no_value}"
        f" WHEN strlen({text}) <= {_LONGEST} AND {text} < chr(160)"
        f" THEN {short} OR (suffix({text}, ' ') AND {no_value})"
        f" WHEN ({text} >= chr(160) AND {wide}) OR ({padded}) THEN {no_value} ELSE false END"
    )


def clean_text_sql(text: str, *, words: bool = True) -> str:
    """SQL: a text, null where it is empty or stands for no value; arguments as above."""
    return (
        f"CASE WHEN {text} = '' OR ({null_text_sql(text, words=words)}) THEN NULL ELSE {text} END"
    )
