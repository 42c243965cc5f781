"""The trained thing: trees as LightGBM text, everything else JSON. Loading it runs no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .calibrated import Platt, Threshold, VennAbers
from .contract import BadInput
from .features.catalogue import Catalogue, catalogue
from .features.template import Template, TemplateRole
from .features.vocabulary import Vocabulary
from .settings import Role, Settings, settings_from, settings_tree

FORMAT = 2  # raised when a bundle can no longer be read by the release before
TREES, CARD = "trees.txt", "bundle.json"


@dataclass(frozen=True, slots=True)
class TypicalMember:
    """The median engaged member of a role in groups that converted, as of the training data.

    Attributes:
        role: the role's name.
        signals: value of each signal of stage 1.
        members: how many engaged members the median is over.
        snapshots: training snapshots, converted or not, with an engaged member in the role.
    """

    role: str
    signals: Mapping[str, float | None]
    members: int
    snapshots: int


@dataclass(frozen=True, slots=True)
class Training:
    """What the model was trained on, for the model card and for support counts."""

    fingerprint: str
    rows: int
    conversions: int
    first_as_of: datetime
    last_as_of: datetime
    test_from: datetime
    snapshots_with_leavers: int


@dataclass(frozen=True)
class Bundle:
    """Everything that scoring needs and nothing else.

    Attributes:
        trees: the LightGBM model as text.
        settings: those of the training; definitions at scoring time come from here.
        vocabulary: roles and kind families of the training data.
        category_values: known values of each category column; a value's code is its place.
        calibrator: raw log-odds to readiness.
        interval: raw log-odds to the two ends of the readiness interval.
        threshold: the learned line between nurture and qualified.
        typical: one typical engaged member per role, where there were any.
        training: what it was trained on.
    """

    trees: str
    settings: Settings
    vocabulary: Vocabulary
    category_values: Mapping[str, tuple[str, ...]]
    calibrator: Platt
    interval: VennAbers
    threshold: Threshold
    typical: tuple[TypicalMember, ...]
    training: Training

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue that the trees were trained on."""
        return catalogue(self.vocabulary)

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return lgb.Booster(model_str=self.trees)

    def matrix(self, features: pa.Table) -> NDArray[np.float64]:
        """The feature table as the trees read it, shape (rows, features)."""
        return matrix(features, self.catalogue.names, self.category_values)

    def log_odds(self, features: pa.Table) -> NDArray[np.float64]:
        """Raw output of the trees, before calibration, shape (rows,).

        Raises:
            ValueError: a feature column is missing.
        """
        return self.raw(self.matrix(features))

    def raw(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw output of the trees for rows of `matrix`, shape (rows,)."""
        if not len(matrix):
            return np.empty(0)
        threads = self.settings.model.threads
        raw = self.booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(raw, dtype=np.float64)

    def readiness(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probability of conversion within the horizon, shape as given."""
        return self.calibrator(log_odds)

    def points(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Readiness in score points, 0 to 100, not rounded."""
        return 100.0 * self.readiness(log_odds)


def matrix(
    features: pa.Table, names: Sequence[str], category_values: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    """Feature columns as one float64 matrix; a category's unknown value is missing (NaN).

    Raises:
        ValueError: a column is missing.
    """
    if missing := [name for name in names if name not in features.column_names]:
        raise ValueError(
            f"features missing: {missing}; got {features.column_names}; build the table with the "
            "catalogue of this bundle"
        )
    # Filled by columns, read by columns: the copy into rows would cost as much as the trees.
    rows = np.empty((features.num_rows, len(names)), dtype=np.float64, order="F")
    for place, name in enumerate(names):
        column = features[name]
        rows[:, place] = (
            encoded(column, category_values[name])
            if name in category_values
            else column.cast(pa.float64()).to_numpy()
        )
    return rows


def encoded(column: pa.ChunkedArray, known: Sequence[str]) -> NDArray[np.float64]:
    """Codes of a category's values, their places among the known ones; NaN for all others."""
    codes = pc.index_in(column, value_set=pa.array(known, pa.string()))
    numbers: NDArray[np.float64] = codes.cast(pa.float64()).to_numpy()
    return numbers


def save(bundle: Bundle, folder: Path) -> None:
    """Writes the two files of a bundle into an existing, empty folder.

    The number of threads stays out: it is the machine's, and the same data and seed shall give
    the same bytes on any.
    """
    settings = settings_tree(bundle.settings)
    del settings["model"]["threads"]
    card = {
        "format": FORMAT,
        "settings": settings,
        "roles": [_role_tree(role) for role in bundle.vocabulary.template.roles],
        "families": bundle.vocabulary.families,
        "questions": bundle.vocabulary.questions,
        "departments": bundle.vocabulary.departments,
        "features": bundle.catalogue.names,
        "trees_sha256": _digest(bundle.trees),
        "category_values": bundle.category_values,
        "calibrator": asdict(bundle.calibrator),
        "interval": asdict(bundle.interval),
        "threshold": asdict(bundle.threshold),
        "typical": [asdict(member) for member in bundle.typical],
        "training": {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(bundle.training).items()
        },
    }
    (folder / TREES).write_text(bundle.trees, encoding="utf-8")
    text = json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> Bundle:
    """The bundle in a folder.

    Raises:
        BadInput: it is not a bundle, is damaged, or comes from a newer version.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        trees = (folder / TREES).read_text(encoding="utf-8")
        if card["format"] > FORMAT:
            raise BadInput(
                f"{folder}: expected a bundle of format {FORMAT} or older, got format "
                f"{card['format']}; update mqbg to read it"
            )
        if card["trees_sha256"] != _digest(trees):
            # LightGBM may abort the whole process over a damaged text, so it never gets one.
            raise ValueError(f"{TREES} is not the file that was saved with {CARD}")
        bundle = _from_card(card, trees)
        listed, width = list(card["features"]), bundle.booster.num_feature()
    except (
        OSError, KeyError, TypeError, ValueError, AttributeError, lgb.basic.LightGBMError,
    ) as error:  # fmt: skip
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder}: expected a bundle ({TREES} and {CARD}), could not read it: "
            f"{type(error).__name__}: {error}; train again or take another version"
        ) from error
    names = list(bundle.catalogue.names)
    if listed != names or width != len(names):
        raise BadInput(
            f"{folder}: the bundle lists {len(listed)} features and its trees read "
            f"{width}, this version's catalogue makes {len(names)} others; train again"
        )
    return bundle


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_card(card: Mapping[str, Any], trees: str) -> Bundle:
    times = ("first_as_of", "last_as_of", "test_from")
    training = dict(card["training"])
    training.update({key: datetime.fromisoformat(training[key]) for key in times})
    settings = settings_from(card["settings"], CARD)
    return Bundle(
        trees=trees,
        settings=settings,
        vocabulary=Vocabulary(
            Template(tuple(_role_from(tree) for tree in card["roles"])),
            tuple(card["families"]),
            tuple(card["questions"]),
            tuple(card["departments"]),
            settings.features,
        ),
        category_values={key: tuple(values) for key, values in card["category_values"].items()},
        calibrator=Platt(**card["calibrator"]),
        interval=VennAbers(**card["interval"]),
        threshold=Threshold(**card["threshold"]),
        typical=tuple(TypicalMember(**member) for member in card["typical"]),
        training=Training(**training),
    )


def _role_tree(role: TemplateRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "slug": role.slug,
        "default": asdict(role.default) if role.default else None,
        "solutions": {solution: asdict(line) for solution, line in role.solutions.items()},
        "since": role.since.isoformat() if role.since else None,
    }


def _role_from(tree: Mapping[str, Any]) -> TemplateRole:
    return TemplateRole(
        name=tree["name"],
        slug=tree["slug"],
        default=Role(**tree["default"]) if tree["default"] else None,
        solutions={solution: Role(**line) for solution, line in tree["solutions"].items()},
        since=datetime.fromisoformat(tree["since"]) if tree["since"] else None,
    )


class _Model:
    """What MLflow serves: features in, log-odds and readiness out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """A frame of log_odds and readiness, one row per row of `features`."""
        log_odds = self.bundle.log_odds(pa.Table.from_pandas(features, preserve_index=False))
        return pd.DataFrame({"log_odds": log_odds, "readiness": self.bundle.readiness(log_odds)})


def _load_pyfunc(path: str) -> _Model:
    """Entry point that MLflow calls for `mlflow.pyfunc.load_model`."""
    return _Model(load(Path(path)))
