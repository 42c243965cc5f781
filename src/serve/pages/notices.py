"""What every page says first: data that the model does not know, and chances not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...explain.language import Language
from ...source.spellings import shortened

MAX_FIRST = 2
"""Sentences that are shown at once; the others can be unfolded."""

MAX_NAMES = 3
"""Unknown names that a notice repeats; the others are counted."""


WEIGHTY_SHARE = 0.05
"""Of the rows, from which unknown names are said at once; fewer can be unfolded."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What a page says first.

    Attributes:
        first: sentences that are shown at once.
        more: sentences that can be unfolded.
    """

    first: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.first or self.more)


def notices(facts: Mapping[str, Any], language: Language, *, measured: bool) -> Notices:
    """Sentences for the head of every page; none where all is well.

    Args:
        facts: of the run, as `mqbg score` keeps them (`ScoringJob.facts`); empty for scores of a
            release without them.
        language: of the pages.
        measured: whether conversions stand behind the model's readiness.
    """
    fit: Mapping[str, Any] = facts.get("data_fit") or {}
    first = [] if measured else [language.render("not_measured")]
    if fit.get("refusal"):
        first.append(language.render("fit_refused"))
    unknown = fit.get("unknown") or ()
    first += [_unknown(one, language) for one in unknown if one["share"] >= WEIGHTY_SHARE]
    first += [_emptied(one, language) for one in fit.get("emptied") or ()]
    more = [_unknown(one, language) for one in unknown if one["share"] < WEIGHTY_SHARE]
    more += [_volume(one, language) for one in fit.get("volumes") or ()]
    return Notices(tuple(first[:MAX_FIRST]), (*first[MAX_FIRST:], *more))


def _unknown(one: Mapping[str, Any], language: Language) -> str:
    shown = one["names"][:MAX_NAMES]
    return language.render(
        "fit_unknown",
        column=language.word("columns", one["place"]),
        share=one["share"],
        names=list(_named(shown, language)),
        more=len(one["names"]) - len(shown) + one["more"],
    )


def _named(names: list[Any], language: Language) -> Iterator[str]:
    for name, _rows, nearest in names:
        yield language.render("fit_name", name=shortened(name), nearest=nearest)


def _emptied(one: Mapping[str, Any], language: Language) -> str:
    column = language.word("columns", one["place"])
    return language.render("fit_emptied", column=column, now=one["now"])


def _volume(one: Mapping[str, Any], language: Language) -> str:
    return language.render(
        "fit_volume",
        kind=language.word("kinds", one["kind"]),
        expected=one["expected"],
        found=one["found"],
    )
