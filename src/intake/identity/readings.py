"""How a name reads: kanji, kana and romaji as one spelling, so that the three meet."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import product

from japanese_personal_name_dataset import load_dataset

from .person_names import words_of_name

MOST_READINGS = 40
"""Of a name in kanji, the commonest first."""

_KANJI = re.compile(r"[一-龠々〆ヶ]")
_KANA = re.compile(r"[ぁ-んァ-ヴー]")
_ROWS = {
    "": "あいうえお", "k": "かきくけこ", "s": "さしすせそ", "t": "たちつてと", "n": "なにぬねの",
    "h": "はひふへほ", "m": "まみむめも", "r": "らりるれろ", "g": "がぎぐげご", "z": "ざじずぜぞ",
    "d": "だぢづでど", "b": "ばびぶべぼ", "p": "ぱぴぷぺぽ",
}  # fmt: skip
_IRREGULAR = {
    "し": "shi", "ち": "chi", "つ": "tsu", "ふ": "fu", "じ": "ji", "ぢ": "ji", "づ": "zu",
    "や": "ya", "ゆ": "yu", "よ": "yo", "わ": "wa", "ゐ": "i", "ゑ": "e", "を": "o", "ん": "n",
    "ゔ": "bu", "ー": "",
}  # fmt: skip
_SMALL = {"ゃ": "a", "ゅ": "u", "ょ": "o"}
_LETTERS = {
    **{
        kana: row + vowel
        for row, line in _ROWS.items()
        for kana, vowel in zip(line, "aiueo", strict=True)
    },
    **_IRREGULAR,
}  # fmt: skip
# Other ways of writing the same sound, the longer first.
_SPELLINGS = (
    ("sya", "sha"), ("syu", "shu"), ("syo", "sho"), ("tya", "cha"), ("tyu", "chu"), ("tyo", "cho"),
    ("zya", "ja"), ("zyu", "ju"), ("zyo", "jo"), ("jya", "ja"), ("jyu", "ju"), ("jyo", "jo"),
    ("si", "shi"), ("ti", "chi"), ("tu", "tsu"), ("hu", "fu"), ("zi", "ji"), ("di", "ji"),
    ("sshi", "shi"), ("l", "r"),
)  # fmt: skip


def _hiragana(text: str) -> str:
    return "".join(chr(ord(one) - 0x60) if "ァ" <= one <= "ヴ" else one for one in text)


def _letters_of_kana(text: str) -> str:
    letters = ""
    for one in _hiragana(text):
        if one in _SMALL:
            stem = letters[:-1]
            letters = stem + ("" if stem.endswith(("sh", "ch", "j")) else "y") + _SMALL[one]
        elif one != "っ":
            letters += _LETTERS.get(one, one)
    return letters


@lru_cache(maxsize=1 << 18)
def spell_alike(text: str) -> str:
    """A word in kana or Latin letters in one spelling: no long vowels, doubled letters, accents.

    >>> spell_alike("さとう"), spell_alike("Satoh"), spell_alike("SATOU")
    ('sato', 'sato', 'sato')
    >>> spell_alike("ジュンイチロウ") == spell_alike("Jun'ichirō")
    True
    """
    plain = _letters_of_kana(unicodedata.normalize("NFKC", text).lower())
    plain = "".join(
        one for one in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(one)
    )
    plain = re.sub(r"[^a-z]", "", plain)
    for written, spoken in _SPELLINGS:
        plain = re.sub(rf"(?<![sc]){written}" if written in ("hu",) else written, spoken, plain)
    plain = plain.replace("sshhi", "shi").replace("shhi", "shi").replace("chhi", "chi")
    plain = re.sub(r"m(?=[bpm])", "n", plain)
    plain = re.sub(r"oh(?=[^aeiou]|$)", "o", plain)
    plain = re.sub(r"ou|oo", "o", plain)
    plain = re.sub(r"([aeiu])\1", r"\1", plain)
    return re.sub(r"([bcdfghjkmprstwyz])\1", r"\1", plain)


@cache
def _family_readings() -> dict[str, tuple[str, ...]]:
    _man, _woman, family = load_dataset("org", include_last_names=True)
    found: dict[str, list[str]] = {}
    for kanji, entry in family.items():
        readings = entry["en"] if isinstance(entry["en"], list) else [entry["en"]]
        key = "".join(words_of_name(kanji))
        found.setdefault(key, []).extend(map(spell_alike, readings))
    return {kanji: tuple(dict.fromkeys(readings)) for kanji, readings in found.items()}


@cache
def _given_readings() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for kind in ("opti", "org"):  # the commoner names first
        for names in load_dataset(kind):
            for kana, entry in names.items():
                for kanji in entry["kanji"]:
                    found.setdefault("".join(words_of_name(kanji)), []).append(spell_alike(kana))
    return {kanji: tuple(dict.fromkeys(readings)) for kanji, readings in found.items()}


def script_of(name: str | None) -> str:
    """kanji, kana or latin; "" for no name."""
    if not name:
        return ""
    if _KANJI.search(name):
        return "kanji"
    return "kana" if _KANA.search(name) else "latin"


@lru_cache(maxsize=1 << 20)
def readings_of_name(name: str | None) -> tuple[str, ...]:
    """How a full name may read: its two words in one spelling, in alphabetical order.

    >>> readings_of_name("田中 太郎")[0]
    'tanaka taro'
    >>> readings_of_name("Taro TANAKA") == readings_of_name("タナカ タロウ")
    True
    """
    words = words_of_name(name)
    if len(words) == 1 and _KANJI.search(words[0]):
        words = _split(words[0])
    if len(words) < 2:
        return ()
    choices = [_readings_of_word(word, first=place == 0) for place, word in enumerate(words[:3])]
    pairs = (" ".join(sorted(pair)) for pair in product(*choices))
    return tuple(dict.fromkeys(pairs))[:MOST_READINGS]


def _readings_of_word(word: str, *, first: bool) -> tuple[str, ...]:
    if not _KANJI.search(word):
        return (spell_alike(word),)
    tables = (_family_readings(), _given_readings())
    for table in tables if first else tables[::-1]:
        if word in table:
            return table[word][:MOST_READINGS]
    return (word,)


def _split(word: str) -> tuple[str, ...]:
    for size in (3, 2, 1, 4):
        if size < len(word) and word[:size] in _family_readings():
            return (word[:size], word[size:])
    return (word[:2], word[2:]) if len(word) >= 3 else (word,)
