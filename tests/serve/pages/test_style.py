"""Colours: every text stands out from what is behind it, in the light and in the dark (WCAG AA)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = (files("mqbg.serve.pages") / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = STYLE.split("@media (prefers-color-scheme: dark)")
TEXTS = (
    ("ink", "card"), ("ink", "page"), ("ink", "plain-back"), ("soft", "card"), ("soft", "page"),
    ("soft", "plain-back"), ("accent", "card"), ("accent", "page"), ("good", "good-back"),
    ("warn", "warn-back"),
)  # fmt: skip
SHAPES = ("up", "down", "base", "accent", *(f"shape{n}" for n in range(8)))


def colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", text.partition("\n* {")[0]))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_stand_out_four_and_a_half_times(scheme):
    found = colours(scheme)
    for text, back in TEXTS:
        assert contrast(found[text], found[back]) >= 4.5, (text, back)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_drawn_stands_out_three_times(scheme):
    found = colours(scheme)
    for name in SHAPES:
        assert contrast(found[name], found["card"]) >= 3, name


def test_every_colour_has_one_for_the_dark():
    assert set(colours(LIGHT)) == set(colours(DARK))
