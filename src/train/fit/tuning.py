"""Tuning by Optuna on folds that go forward in time, with a gap of one horizon."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...contract import BadInput
from ...features import Feature
from ...settings import Settings
from ...support.progress import Progress
from .trees import (
    MIN_CONVERSIONS,
    ROUNDS,
    ROUNDS_STEP,
    TrainingMatrix,
    lightgbm_parameters,
    train_booster,
)

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

FOLDS = 3
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class TuningResult:
    """What the trials found.

    Attributes:
        parameters: of LightGBM, that replace the preset's; empty where the preset was best.
        log_loss: nats per row on the validation parts, of the best trial.
        preset_log_loss: the same of the preset, which is the first trial.
        trials: trial, log_loss, trees, seconds and one column per parameter.
    """

    parameters: Mapping[str, Any]
    log_loss: float
    preset_log_loss: float
    trials: pd.DataFrame


def forward_folds(
    as_of: NDArray[np.datetime64], converted: NDArray[np.bool_], horizon_days: int
) -> list[Fold]:
    """Rows to learn from and, one horizon later, rows to be judged on; the last fold is latest.

    The cut-offs that have a training part one horizon before them are dealt out to at most three
    consecutive validation parts; a fold without conversions enough in either part is left out.

    Args:
        as_of: shape (rows,); the cut-off of each row.
        converted: shape (rows,).
        horizon_days: of the label; also the gap.

    Returns:
        Places of the rows of each fold; none where the history is too short.
    """
    gap = np.timedelta64(horizon_days, "D")
    cutoffs = np.unique(as_of)
    validation_cutoffs = [at for at in cutoffs if at >= cutoffs[0] + gap]
    folds = []
    for fold_cutoffs in np.array_split(np.array(validation_cutoffs, dtype=as_of.dtype), FOLDS):
        if fold_cutoffs.size:
            training_rows = np.flatnonzero(as_of <= fold_cutoffs[0] - gap)
            validation_rows = np.flatnonzero(np.isin(as_of, fold_cutoffs))
            enough = (
                min(converted[training_rows].sum(), (~converted[training_rows]).sum())
                >= MIN_CONVERSIONS
            )
            if enough and 0 < converted[validation_rows].sum() < validation_rows.size:
                folds.append((training_rows, validation_rows))
    return folds


def tune(
    rows: TrainingMatrix,
    as_of: NDArray[np.datetime64],
    settings: Settings,
    features: Sequence[Feature],
    trials: int,
    studies_path: Path | None,
    data_fingerprint: str,
    progress: Progress,
) -> TuningResult:
    """Searches LightGBM's parameters; the preset is the first trial, and stays unless beaten.

    The search ends after `trials` trials in all, those of an earlier, interrupted run counted, or
    when the settings' time has passed.

    Args:
        rows: the training rows.
        as_of: shape (rows,); their cut-offs.
        settings: seed, threads, horizon and the time limit.
        features: the catalogue's, in the order of the columns.
        trials: how many.
        studies_path: SQLite file that keeps them; None keeps them in memory.
        data_fingerprint: fingerprint of the data; trials on other data, settings or rows are
            another study.
        progress: called with a label and the share done.

    Raises:
        BadInput: the history is too short for a forward fold.
    """
    import optuna

    folds = forward_folds(as_of, rows.converted, settings.target.horizon_days)
    if not folds:
        raise BadInput(
            "train: expected training cut-offs at least one horizon of "
            f"{settings.target.horizon_days} days apart, with {MIN_CONVERSIONS} conversions before "
            "and some after, to tune on; got none; train without --trials or bring more history"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _open_study(optuna, studies_path, _study_name(data_fingerprint, settings, rows))

    def completed_trials() -> int:
        return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))

    def objective(trial: optuna.Trial) -> float:
        parameters = _suggest_parameters(trial) if completed_trials() else {}
        loss, trees = _validation_loss(
            rows,
            folds,
            lightgbm_parameters(settings.model, features, parameters, rows.converted.size),
        )
        trial.set_user_attr("trees", trees)
        trial.set_user_attr("parameters", parameters)
        return loss

    def prepare_next_trial(*_callback_arguments: object) -> None:
        progress("tuning", min(1.0, completed_trials() / trials))
        # The number of trials before it seeds each, so that a search taken up again ends like one
        # that was never interrupted.
        study.sampler = optuna.samplers.TPESampler(seed=settings.model.seed + completed_trials())

    prepare_next_trial()
    if not completed_trials():  # the preset is judged however little time there is
        study.optimize(objective, 1, callbacks=[prepare_next_trial])
    if completed_trials() < trials:
        limit = 60 * settings.model.tuning_minutes
        study.optimize(
            objective, trials - completed_trials(), timeout=limit, callbacks=[prepare_next_trial]
        )
    progress("tuning", 1.0)
    return _tuning_result(study)


def _suggest_parameters(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 63, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 200, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.01, 100.0, log=True),
        "extra_trees": trial.suggest_categorical("extra_trees", [True, False]),
    }


def _validation_loss(
    rows: TrainingMatrix, folds: Sequence[Fold], parameters: Mapping[str, Any]
) -> tuple[float, int]:
    """Least mean log loss over the folds' validation rows, and the trees that it takes."""
    losses = np.zeros(ROUNDS // ROUNDS_STEP)
    row_count = 0
    for training_rows, validation_rows in folds:
        booster = train_booster(rows, training_rows, parameters, ROUNDS)
        converted = rows.converted[validation_rows]
        for step in range(losses.size):
            raw = np.asarray(
                booster.predict(
                    rows.x[validation_rows], raw_score=True, num_iteration=(step + 1) * ROUNDS_STEP
                )
            )
            losses[step] += float(np.sum(np.logaddexp(0.0, raw) - raw * converted))
        row_count += validation_rows.size
    best_step = int(np.argmin(losses))
    return float(losses[best_step] / row_count), (best_step + 1) * ROUNDS_STEP


def _open_study(optuna: Any, studies_path: Path | None, name: str) -> optuna.Study:
    if studies_path is not None:
        studies_path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(  # type: ignore[no-any-return]
        study_name=name,
        storage=None if studies_path is None else f"sqlite:///{studies_path}",
        load_if_exists=True,
        direction="minimize",
    )


def _study_name(data_fingerprint: str, settings: Settings, rows: TrainingMatrix) -> str:
    """The same for the same data, target, columns and rows; threads do not matter."""
    model = (settings.model.seed, settings.model.weights, settings.model.monotone)
    shape = (data_fingerprint, settings.target, model, rows.names, rows.converted.size)
    return hashlib.sha256(repr(shape).encode()).hexdigest()[:16]


def _tuning_result(study: optuna.Study) -> TuningResult:
    completed = [trial for trial in study.trials if trial.value is not None]
    frame = pd.DataFrame(
        [
            {
                "trial": number,
                "log_loss": trial.value,
                "trees": trial.user_attrs["trees"],
                "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
                **trial.user_attrs["parameters"],
            }
            for number, trial in enumerate(completed)
        ]
    )
    best_trial = min(completed, key=lambda trial: (trial.value, trial.number))
    preset_trial = completed[0]
    return TuningResult(
        best_trial.user_attrs["parameters"],
        float(best_trial.value or 0.0),
        float(preset_trial.value or 0.0),
        frame,
    )
