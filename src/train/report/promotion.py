"""The gate: a challenger becomes champion unless it is worse, or nobody can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .mlflow_versions import Training
from .paired_differences import Paired
from .version_comparison import feature_words, revised_words

GATE = {"log_loss": "log loss", "lift_at_capacity": "lift at capacity"}
LESS_IS_BETTER = frozenset({"log_loss"})
MIN_CONVERSIONS = 5  # with fewer, a resample says little more than who was drawn
NO_SIGNAL = "none"  # the run's tag `signal` where training found nothing to learn


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a challenger.

    Attributes:
        holds: it may become champion.
        words: why, in a sentence or two, with the figures.
        figures: the same for the record of the move.
    """

    holds: bool
    words: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def judge(challenger: Training, paired: Paired | None) -> Judgement:
    """Whether a challenger may become champion.

    It is worse where the 95 % interval of its difference to the champion, in log loss or in lift
    at capacity, lies wholly on the bad side.

    Args:
        challenger: the version that would be champion.
        paired: it against the champion; None where there is no champion.
    """
    if challenger.tags.get("signal") == NO_SIGNAL:
        return Judgement(
            False,
            f"{_name(challenger)} found no signal when it was trained, so its ranking is worth no "
            "more than chance.",
        )
    if paired is None:
        return Judgement(True, f"{_name(challenger)} has no champion to be measured against.")
    if obstacle := _obstacle(paired):
        return Judgement(
            False,
            f"{_name(challenger)} cannot be judged against the champion, {paired.theirs.name}: "
            f"{obstacle}.",
            {"against": paired.theirs.version, "obstacle": obstacle},
        )
    worse = [name for name in GATE if _is_worse(name, paired)]
    verdict = "is worse" if worse else "is not worse"
    where = f", in {' and '.join(GATE[one] for one in worse)}" if worse else ""
    said = (
        f"{_name(challenger)} {verdict} than the champion, {paired.theirs.name}{where}: "
        f"{_shown(paired)}, on {paired.rows:,} shared test rows of "
        f"{paired.accounts:,} accounts with {paired.conversions:,} conversions."
    )
    words = " ".join(filter(None, (said, revised_words(paired), feature_words(paired))))
    return Judgement(not worse, words, _record(paired, worse))


def _name(training: Training) -> str:
    return training.name[:1].upper() + training.name[1:]


def _obstacle(paired: Paired) -> str:
    if paired.obstacle:
        return paired.obstacle
    shared = f"their {paired.rows:,} shared test rows"
    if paired.conversions < MIN_CONVERSIONS:
        return (
            f"{shared} hold {paired.conversions:,} conversions, and the gate needs at least "
            f"{MIN_CONVERSIONS}"
        )
    if not all(map(math.isfinite, (end for name in GATE for end in _interval(name, paired)))):
        return f"{shared} are of {paired.accounts:,} accounts, too few for an interval"
    return ""


def _interval(figure: str, paired: Paired) -> tuple[float, float, float]:
    """The difference, and the two ends of its interval."""
    value, low, high = (float(paired.figures[part][figure]) for part in ("value", "low", "high"))
    return value, low, high


def _is_worse(figure: str, paired: Paired) -> bool:
    _value, low, high = _interval(figure, paired)
    return low > 0 if figure in LESS_IS_BETTER else high < 0


def _shown(paired: Paired) -> str:
    parts = []
    for figure, words in GATE.items():
        value, low, high = _interval(figure, paired)
        parts.append(f"{words} {value:+z.4f} ({low:+z.4f} to {high:+z.4f})")
    return ", ".join(parts)


def _record(paired: Paired, worse: list[str]) -> dict[str, Any]:
    return {
        "against": paired.theirs.version,
        "rows": paired.rows,
        "conversions": paired.conversions,
        "accounts": paired.accounts,
        "worse": worse,
        **{figure: [round(part, 6) for part in _interval(figure, paired)] for figure in GATE},
    }
