"""Functions of the Python API beside training and scoring (design.md, Python API)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from ..serve.batch.notebook_handles import DataSource
    from ..settings import Settings
    from ..train.training import TrainingResult

# Rooms are imported inside the functions: `import mqbg` loads no engine.

Instant = str | date | datetime


def simulate(out: str | Path, groups: int = 3000, seed: int = 7) -> Path:
    """Write a world of buying groups whose truth is known, as `mqbg simulate` does.

    Args:
        out: a new or empty folder.
        groups: how many buying groups.
        seed: the same seed gives the same bytes.

    Returns:
        The folder: the contract's tables, and the truth under `truth`.

    Raises:
        BadInput: the folder holds something, or there are too few groups.

    Example:
        >>> import mqbg
        >>> world = mqbg.simulate("a-small-world", groups=20)
        >>> (world / "members.parquet").is_file()
        True
    """
    from ..simulate import simulate as simulate_world

    simulate_world(Path(out), groups=groups, seed=seed)
    return Path(out)


def load_settings(config: str | Path | None = None) -> Settings:
    """Settings as values; `dataclasses.replace` gives changed ones.

    Args:
        config: the file; default: `mqbg.toml` in the working folder, if there is one.

    Raises:
        BadInput: a setting is unknown or not of its type.

    Example:
        >>> mqbg.load_settings().target.horizon_days
        90
    """
    from .options import read_settings

    return read_settings(None if config is None else Path(config))


def probe(source: DataSource) -> pd.DataFrame:
    """Look for columns and kinds that know the outcome before it happens, as `mqbg probe` does.

    Args:
        source: the tables.

    Returns:
        One row for each finding: probe, thing, figure (in words), sentence (what to do).

    Raises:
        BadInput: too little history for a training.

    Example:
        >>> mqbg.probe(source).columns.tolist()
        ['probe', 'thing', 'figure', 'sentence']
    """
    from ..train.report.notebook_training import findings_frame

    return findings_frame(source._prepared())


def drift(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How far later rows moved from earlier ones, column by column.

    Args:
        before: rows that a model learned from: a feature table, with a column `readiness`, say.
        after: later rows with the same columns.

    Returns:
        One row for each column, the most moved first: column, psi (population stability index),
        by_chance (what chance alone would make of it), verdict (`stable`, `moved`, `shifted`),
        mean_before, mean_after, missing_before, missing_after.

    Raises:
        BadInput: one of the two has no rows or no group_id, or `after` lacks a column.

    Example:
        >>> mqbg.drift(table, table).verdict.unique().tolist()
        ['stable']
    """
    from ..train.data.drift import measure_drift

    try:
        return measure_drift(before, after)
    except ValueError as error:
        raise BadInput(f"drift: {error}") from None


def register_training(trained: TrainingResult, data: str) -> str | None:
    """Log a training to MLflow and register it, as `mqbg train` does; the version, if any.

    Args:
        trained: the training.
        data: what its source is called.
    """
    import tempfile
    from importlib.metadata import version

    from ..model.registry import FIRST, require_tracking_store
    from ..train.report.mlflow_logging import log_run_folder
    from ..train.report.run_folder import write_run_folder
    from .versions import new_move

    require_tracking_store()
    with tempfile.TemporaryDirectory() as folder:
        write_run_folder(trained, Path(folder), data, version("mqbg"))
        logged = log_run_folder(Path(folder), new_move(FIRST, "the first version"))
    return None if logged.version is None else str(logged.version)


def to_cutoffs(values: Instant | Iterable[Instant]) -> list[datetime]:
    """One instant or several, sorted, as the functions of the Python API take them.

    Raises:
        BadInput: one is none.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [to_cutoff(values)]
    return sorted({to_cutoff(one) for one in values})


def to_cutoff(value: Instant) -> datetime:
    """An instant as the functions of the Python API take it.

    Raises:
        BadInput: it is none.
    """
    from ..settings import to_instant

    found = to_instant(value)
    if found is None:
        raise BadInput(
            "expected a date or time from 1990 to 2199 such as 2024-05-01 or 2024-05-01T09:00, "
            f"got {value!r}"
        )
    return datetime.combine(found.date(), found.time())  # a pandas Timestamp is a datetime, too
