"""A person's name as one key, whatever its width, case, order and honorific."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_HONORIFICS = re.compile(r"(様|さん|殿|氏|先生)$|^(mr|mrs|ms|dr|prof)\.?\s+|\s+(jr|sr|phd|md)\.?$")
_BORDERS = re.compile(r"[\s,.、・'’`\"_/-]+")


@lru_cache(maxsize=1 << 20)
def name_key(name: str | None) -> str:
    """Words of the name in alphabetical order, joined.

    >>> name_key("Smith, John") == name_key("JOHN SMITH")
    True
    >>> name_key("田中　太郎様")
    '太郎田中'
    """
    if not isinstance(name, str):
        return ""
    text = unicodedata.normalize("NFKC", name).lower().strip()
    text = _HONORIFICS.sub("", text)
    return "".join(sorted(word for word in _BORDERS.split(text) if word))
