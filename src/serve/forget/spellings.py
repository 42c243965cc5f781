"""How files, pages and messages write one text: as it is, or escaped in a way of their own."""

from __future__ import annotations

import json
import re
from functools import cache
from html.entities import codepoint2name
from urllib.parse import quote

WORD_CHARACTERS = "A-Za-z0-9_\u00c0-\u024f"  # of scripts that part words
_NO_WIDTH = r"(?:\u200b|\\+u200b|&\#8203;)*"  # what Slack reads no markup beside
_AFTER_ESCAPE = r"(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2})"
"""After an escape ends: its letters belong to no word."""


def spellings_pattern(text: str) -> str:
    r"""A regular expression, to be read without regard to capitals, of all spellings of a text.

    Characters may be escaped as JSON (`\"`, `\u5c71`, also JSON within JSON), HTML (entities by
    name or number), CSV and SQL (doubled quotes), addresses (`%E5`), Markdown (a backslash) or
    Slack (spaces without width); whitespace may be any. Where a script has words, whole ones match.

    Args:
        text: not empty.
    """
    text = text.strip()
    parts = re.split(r"(\s+)", text)
    body = "".join(
        r"(?:\s|&nbsp;|&\#(?:32|160|x20|xa0);|%20|\\+[nrt]|\\+u00a0|\\+u3000)+"
        if part.isspace()
        else "".join(map(_character_pattern, part))
        for part in parts
    )
    is_word_character = re.compile(f"[{WORD_CHARACTERS}]").match
    before = rf"(?:(?<![{WORD_CHARACTERS}])|{_AFTER_ESCAPE})" if is_word_character(text[0]) else ""
    after = f"(?![{WORD_CHARACTERS}])" if is_word_character(text[-1]) else ""
    return f"{before}{body}{after}"


@cache
def _character_pattern(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character  # nothing escapes it
    code = ord(character)
    forms = [rf"&\#0*{code};", rf"&\#x0*{code:x};", _json_pattern(character)]
    if code in codepoint2name:
        forms.append(f"&{codepoint2name[code]};")
    forms.append(re.escape(quote(character, safe="")))
    if character == "'":
        forms += ["&apos;", "''"]
    if character == '"':
        # With a backslash one quote alone: the next one may end a text of JSON. Two at last, for
        # the backslash may be the name's own, in CSV.
        return rf'(?:{"|".join(forms)}|{_BACKSLASHES}"|(?<!\\)""|"|"")'
    if character == "\\":
        return f"(?:{'|'.join(forms)}|{_BACKSLASHES})"
    if not character.isascii():
        return f"(?:{re.escape(character)}|{'|'.join(forms)})"
    plain = rf"\\*{re.escape(character)}"
    return f"(?:{'|'.join(forms)}|{_NO_WIDTH}{plain}{_NO_WIDTH})"


_BACKSLASHES = r"\\+"


def _json_pattern(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(
        rf"{_BACKSLASHES}u{units[start : start + 4]}" for start in range(0, len(units), 4)
    )


def telling_parts(text: str) -> tuple[str, ...]:
    """Parts of which every spelling of a text holds one, for databases that know no patterns.

    Args:
        text: not empty.
    """
    runs = re.findall(r"[^\W_]+", text)
    if not runs:  # signs alone
        return (text, json.dumps(text)[1:-1])
    run = max(runs, key=len)
    if run.isascii():
        return (run,)
    return (
        run,
        json.dumps(run)[1:-1],
        "".join(f"&#{ord(character)};" for character in run),
        "".join(f"&#x{ord(character):x};" for character in run),
        quote(run),
    )
