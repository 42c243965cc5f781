"""Numbers, dates, lists and plurals as a language writes them (Babel)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_percent, parse_pattern

MINUS = "\N{MINUS SIGN}"
NUMBER = "{n}"  # where a plural form has its number


@dataclass(frozen=True)
class Formats:
    """How one language writes values.

    Every rounding is Python's own, of the exact number; Babel writes what it gives.

    Attributes:
        locale: of the language.
        plurals: forms of counted nouns by CLDR category, such as
            {"activity": {"one": "{n} activity", "other": "{n} activities"}}.
    """

    locale: Locale
    plurals: Mapping[str, Mapping[str, str]]

    def decimal(self, number: float, decimals: int = 1) -> str:
        """A number with this many decimals: 1,234.5; one that rounds to zero has no sign."""
        return _number(
            self.locale, _without_negative_zero(f"{number:.{decimals}f}"), decimals, False
        )

    def signed(self, number: float, decimals: int = 1) -> str:
        """The same with its sign: +3.2, −0.4, 0.0."""
        return _number(
            self.locale, _without_negative_zero(f"{number:.{decimals}f}"), decimals, True
        )

    def whole(self, number: int) -> str:
        """A whole number with its thousands apart: 1,234."""
        return _number(self.locale, str(number), 0, False)

    def compact(self, number: float) -> str:
        """A number with one decimal, under ten with two, without idle zeros: 12, 0.25, 1,234.5."""
        text = f"{number:.{2 if abs(number) < 10 else 1}f}"
        text = _without_negative_zero(text.rstrip("0").rstrip("."))
        return _number(self.locale, text, len(text.partition(".")[2]), False)

    def percent(self, share: float, decimals: int = 1) -> str:
        """A share of 1: 0.123 is 12.3%."""
        return _percent(self.locale, f"{share:.{decimals}%}"[:-1], decimals)

    def day(self, instant: datetime) -> str:
        """A date in full: May 31, 2024; 2024年5月31日."""
        return _day(self.locale, instant.date(), "long")

    def short_day(self, instant: datetime) -> str:
        """A date for a table's cell: May 31, 2024; 2024/05/31."""
        return _day(self.locale, instant.date(), "medium")

    def month(self, instant: datetime) -> str:
        """A month for an axis: May; 5月."""
        return format_date(instant.date(), "LLL", locale=self.locale)

    def listed(self, texts: Iterable[str]) -> str:
        """A list in words: A, B, and C; A、B、C."""
        return _list(self.locale, tuple(texts))

    def counted(self, number: int, noun: str) -> str:
        """This many of something in the plural form that the language has for it: 1 activity.

        Raises:
            LookupError: the language file has no such noun.
        """
        if noun not in self.plurals:
            raise LookupError(f"no noun {noun!r} in [plurals], only {', '.join(self.plurals)}")
        forms = self.plurals[noun]
        form = forms.get(_plural_form(self.locale, number), forms["other"])
        return form.replace(NUMBER, self.whole(number))

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        """All of it as Jinja filters."""
        names = (
            "decimal", "signed", "whole", "percent", "day", "short_day", "month", "listed",
            "counted",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def _without_negative_zero(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.") else text


@lru_cache(maxsize=100_000)
def _number(locale: Locale, text: str, decimals: int, signed: bool) -> str:
    digits = "#,##0." + "0" * decimals if decimals else "#,##0"
    plus = "+" if signed and text.strip("-0.") else ""
    pattern = parse_pattern(f"{plus}{digits};{MINUS}{digits}")
    return str(pattern.apply(Decimal(text), locale))


@lru_cache(maxsize=10_000)
def _percent(locale: Locale, text: str, decimals: int) -> str:
    pattern = locale.percent_formats[None].pattern.split(";")[0]
    fraction = "0." + "0" * decimals if decimals else "0"
    written = format_percent(Decimal(text) / 100, pattern.replace("0", fraction), locale=locale)
    return written.replace("-", MINUS)


@lru_cache(maxsize=10_000)
def _day(locale: Locale, day: date, width: str) -> str:
    return format_date(day, width, locale=locale)


@lru_cache(maxsize=10_000)
def _list(locale: Locale, texts: tuple[str, ...]) -> str:
    return format_list(texts, style="standard", locale=locale)


@lru_cache(maxsize=10_000, typed=True)  # 1 and 1.0 have different forms
def _plural_form(locale: Locale, number: int) -> str:
    return str(locale.plural_form(number))
