"""Sentences for salespeople; each language is one file of templates and words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .language_files import languages, read_language
from .sentences import Language

__all__ = ["Language", "languages", "load_language"]


@cache
def load_language(code: str, folder: str | Path = "") -> Language:
    """The words of a language, read once.

    Args:
        code: the name of its file, a code such as `en`.
        folder: of further language files, which add languages or override ours key by key; none
            by default.

    Raises:
        BadInput: there is no such language, or the folder's file is not as it must be.
    """
    return read_language(code, folder)
