"""Names in any script can be drawn: with a font that has them, or without a word."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from mqbg.train.report.plot_fonts import JAPANESE_FONTS, fonts_for_names


def drawn(text):
    figure = Figure()
    figure.text(0.5, 0.5, text)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def test_a_name_in_japanese_is_drawn_without_a_warning_and_the_settings_are_put_back():
    before = list(mpl.rcParams["font.family"])
    with fonts_for_names():
        assert drawn("情報システム部") != drawn("")
    assert mpl.rcParams["font.family"] == before


def test_without_a_japanese_font_nothing_warns(monkeypatch):
    fonts = [f for f in font_manager.fontManager.ttflist if f.name not in JAPANESE_FONTS]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    with fonts_for_names():
        assert not set(mpl.rcParams["font.family"]) & set(JAPANESE_FONTS)
        drawn("稟議")
