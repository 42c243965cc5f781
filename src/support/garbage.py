"""How seldom Python looks for garbage: reference counts free nearly all that this program makes."""

from __future__ import annotations

import gc


def search_seldom() -> None:
    """Lets this process look for cycles of objects once for 50,000 new ones.

    A command imports some two million objects, and a body of many groups is hundreds of thousands
    that stay until its answer: by Python's own thresholds a tenth of a short command goes into
    searching through them, over and over, for nothing.
    """
    gc.set_threshold(50_000, 20, 50)
