"""Fonts in which names in any script can be drawn, where this machine has one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib import font_manager

JAPANESE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Yu Gothic", "Meiryo",
    "MS Gothic", "Hiragino Sans", "Hiragino Maru Gothic Pro", "TakaoGothic", "VL Gothic",
)  # fmt: skip
"""As Linux distributions, Windows and macOS bring them; the first that is there is taken."""


@contextmanager
def fonts_for_names() -> Iterator[None]:
    """Within it, text falls back to a Japanese font; without one a missing glyph warns nobody.

    Roles, kinds and segments are the data's own words, in any script. A box in a picture is no
    reason to fail, as the table beside the picture has the names.
    """
    installed = {font.name for font in font_manager.fontManager.ttflist}
    japanese = [name for name in JAPANESE_FONTS if name in installed][:1]
    families = [*mpl.rcParams["font.family"], *japanese]
    with mpl.rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield
