"""A person's name as words: whatever its width, case, order, honorific and variant characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_HONORIFICS = re.compile(r"(様|さん|殿|氏|先生)$|^(mr|mrs|ms|dr|prof)\.?\s+|\s+(jr|sr|phd|md)\.?$")
_BORDERS = re.compile(r"[\s,.、・'’`\"_/-]+")
_VARIANTS = str.maketrans(
    "髙﨑邊邉齋齊斉澤濱濵廣櫻國眞惠嶋嶌冨舘德瀨藏榮壽渕條實龍淺靜彌禮驒濤亞曾眀晧舩桒",
    "高崎辺辺斎斎斎沢浜浜広桜国真恵島島富館徳瀬蔵栄寿淵条実竜浅静弥礼騨涛亜曽明皓船桑",
)  # fmt: skip


@lru_cache(maxsize=1 << 20)
def words_of_name(name: str | None) -> tuple[str, ...]:
    """The words of a name as they are, in one width and case, variant characters unified."""
    if not isinstance(name, str):
        return ()
    text = unicodedata.normalize("NFKC", name).lower().strip()
    text = _HONORIFICS.sub("", text).translate(_VARIANTS)
    return tuple(word for word in _BORDERS.split(text) if word)


@lru_cache(maxsize=1 << 20)
def name_key(name: str | None) -> str:
    """Words of the name in alphabetical order, joined.

    >>> name_key("Smith, John") == name_key("JOHN SMITH")
    True
    >>> name_key("髙橋　太郎様") == name_key("高橋 太郎")
    True
    """
    words = words_of_name(name)
    # Without a blank between its words a Japanese name cannot be turned round: all keep theirs.
    return "".join(words if any(one > "\u3000" for one in "".join(words)) else sorted(words))
