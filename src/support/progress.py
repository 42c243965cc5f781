"""How long work tells what is done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a label and the share done, 0..1."""


def no_progress(_label: str, _share: float) -> None:
    """Nobody watches."""
