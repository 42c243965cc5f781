"""Sentences for salespeople; each language is one file of templates and words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .language_files import languages, read_words
from .sentences import Words

__all__ = ["Words", "languages", "words"]


@cache
def words(language: str, folder: str | Path = "") -> Words:
    """The words of a language, read once.

    Args:
        language: the name of its file, a code such as `en`.
        folder: of further language files, which add languages or override ours key by key; none
            by default.

    Raises:
        BadInput: there is no such language, or the folder's file is not as it must be.
    """
    return read_words(language, folder)
