"""The trained thing: trees as LightGBM text, everything else JSON. Loading it runs no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..contract import BadInput
from ..features.declare.catalogue import Catalogue, build_catalogue
from ..features.declare.template import Template, TemplateRole
from ..features.declare.vocabulary import Vocabulary
from ..settings import Role, Settings, model_tree, settings_from
from .calibrators import Blend, Calibrator, VennAbers, calibrator_from
from .thresholds import Thresholds

FORMAT = 3  # raised when a bundle can no longer be read by the release before
TREES, CARD = "trees.txt", "bundle.json"

NUMBER, CATEGORY = "number", "category"  # kinds of feature columns
FEW = 64  # rows; so many texts are looked up one by one, which takes less than a call of Arrow
OUTPUTS = ("log_odds", "readiness")  # columns that MLflow gets from a bundle


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


@dataclass(frozen=True, slots=True)
class Horizon:
    """Trees and calibrator of one further horizon.

    Attributes:
        days: of the horizon.
        trees: the LightGBM model as text.
        calibrator: their log-odds to the chance of conversion within the horizon.
    """

    days: int
    trees: str
    calibrator: Calibrator


class Ensemble(Protocol):
    """What runs the trees in LightGBM's place, with the same numbers (see `explain.trees`)."""

    def predict(self, x: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """Raw score of each row, shape (rows,)."""
        ...

    def contributions(self, x: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """TreeSHAP of each row and, last, the trees' mean, shape (rows, features + 1)."""
        ...


@dataclass(frozen=True)
class Bundle:
    """Everything that scoring needs and nothing else.

    Attributes:
        trees: the LightGBM model as text; empty where the rule score alone ranks.
        blend: how much the trees say of the raw score, and what the rule score says.
        settings: those of the training; definitions at scoring time come from here.
        vocabulary: roles and kind families of the training data.
        category_values: known values of each category column; a value's code is its place.
        calibrator: raw log-odds to readiness.
        interval: raw log-odds to the two ends of the readiness interval.
        thresholds: the learned line between nurture and qualified.
        typical: one typical engaged member per role, where there were any.
        training: what it was trained on.
        horizons: further horizons, the shortest first.
        ensemble: what runs the trees; None for LightGBM itself. Never saved.
    """

    trees: str
    blend: Blend
    settings: Settings
    vocabulary: Vocabulary
    category_values: Mapping[str, tuple[str, ...]]
    calibrator: Calibrator
    interval: VennAbers
    thresholds: Thresholds
    typical: tuple[TypicalMember, ...]
    training: Training
    horizons: tuple[Horizon, ...] = ()
    ensemble: Ensemble | None = field(default=None, compare=False, repr=False)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue that the trees were trained on."""
        return build_catalogue(self.vocabulary)

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return lgb.Booster(model_str=self.trees)

    def matrix(self, features: pa.Table) -> NDArray[np.float64]:
        """The feature table as the trees read it, shape (rows, features)."""
        return matrix(features, self.catalogue.feature_names, self.category_values)

    def log_odds(self, features: pa.Table) -> NDArray[np.float64]:
        """Raw output of the trees, before calibration, shape (rows,).

        Raises:
            ValueError: a feature column is missing.
        """
        return self.raw(self.matrix(features))

    def raw(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw score for rows of `matrix`, shape (rows,): the trees', or their blend with the rule.

        With conversions enough the trees stand alone (design.md, few labels).
        """
        if not len(matrix):
            return np.empty(0)
        share = self.blend.trees_share
        if share == 1:
            return self._trees_of(matrix)
        rule = self.blend.rule(*(matrix[:, place] for place in self._rule_places))
        if not share:
            return rule
        return share * self._trees_of(matrix) + (1 - share) * rule

    def contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to the raw score, above the average, shape (rows, features).

        TreeSHAP of the trees as LightGBM computes it (path-dependent), times their share, and the
        two columns of the rule score times the rest.
        """
        blend = self.blend
        parts = np.zeros(matrix.shape)
        if blend.trees_share and len(matrix):
            parts = blend.trees_share * self._shap_of(matrix)[:, :-1]
        if blend.trees_share < 1:
            places = self._rule_places
            added = blend.rule_parts(*(matrix[:, place] for place in places))
            for place, part in zip(places, added, strict=True):
                parts[:, place] += part
        return parts

    @cached_property
    def read_features(self) -> frozenset[str]:
        """The features that the raw score depends on; it is the same whatever the others are."""
        names = self.catalogue.feature_names
        read = (
            {names[place] for place in self._rule_places} if self.blend.trees_share < 1 else set()
        )
        if self.blend.trees_share:
            splits = self.booster.feature_importance("split")
            read |= {name for name, count in zip(names, splits, strict=True) if count}
        return frozenset(read)

    @cached_property
    def read_numbers(self) -> Catalogue:
        """The catalogue with those features alone, without categories."""
        read = self.read_features
        wanted = (f for f in self.catalogue.features if f.name in read and not f.categorical)
        return replace(self.catalogue, features=tuple(wanted))

    @cached_property
    def _horizon_boosters(self) -> Mapping[int, lgb.Booster]:
        """The trees of further horizons, by days."""
        return {one.days: lgb.Booster(model_str=one.trees) for one in self.horizons}

    @cached_property
    def _rule_places(self) -> tuple[int, int]:
        names = self.catalogue.feature_names
        return names.index("rule_engagement"), names.index("completeness")

    def _trees_of(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.ensemble is None:
            return self._predicted(self.booster, matrix)
        return self.ensemble.predict(matrix, self.settings.model.threads)

    def _shap_of(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        threads = self.settings.model.threads
        if self.ensemble is not None:
            return self.ensemble.contributions(matrix, threads)
        found = self.booster.predict(matrix, pred_contrib=True, num_threads=threads)
        return np.asarray(found, dtype=np.float64)

    def _predicted(self, booster: lgb.Booster, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        threads = self.settings.model.threads
        raw = booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(raw, dtype=np.float64)

    def readiness_by_horizon(
        self, matrix: NDArray[np.float64], readiness: NDArray[np.float64]
    ) -> dict[int, NDArray[np.float64]]:
        """Chance of conversion within each horizon, by days, the shortest first.

        A longer horizon is never less likely: going out from the model's own horizon, whose
        readiness stands, each is held at or above the one before it (and, towards shorter ones,
        at or below it).

        Args:
            matrix: shape (rows, features).
            readiness: shape (rows,); of the model's own horizon.
        """
        own = self.settings.target.horizon_days
        chances = {
            horizon.days: horizon.calibrator(
                self._predicted(self._horizon_boosters[horizon.days], matrix)
            )
            if len(matrix)
            else np.empty(0)
            for horizon in self.horizons
        }
        nearest = readiness
        for days in sorted((days for days in chances if days < own), reverse=True):
            nearest = chances[days] = np.minimum(chances[days], nearest)
        nearest = readiness
        for days in sorted(days for days in chances if days > own):
            nearest = chances[days] = np.maximum(chances[days], nearest)
        return {days: {**chances, own: readiness}[days] for days in sorted({*chances, own})}

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
    known = dict(zip(features.column_names, features.columns, strict=True))
    if missing := [name for name in names if name not in known]:
        raise ValueError(
            f"features missing: {missing}; got {features.column_names}; build the table with the "
            "catalogue of this bundle"
        )
    # Filled by columns, read by columns: the copy into rows would cost as much as the trees.
    rows = np.empty((features.num_rows, len(names)), dtype=np.float64, order="F")
    for place, name in enumerate(names):
        column = known[name]
        if name in category_values:
            rows[:, place] = encoded(column, category_values[name])
        else:
            rows[:, place] = _as(pa.float64(), column).to_numpy()
    return rows


def _as(kind: pa.DataType, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type; to cast what has it already takes longer than a few rows do."""
    return column if column.type == kind else column.cast(kind)


@lru_cache(1024)
def _value_set(known: tuple[str, ...]) -> pa.Array:
    return pa.array(known, pa.string())


@lru_cache(1024)
def _codes(known: tuple[str, ...]) -> Mapping[str | None, float]:
    return {value: float(code) for code, value in enumerate(known)}


def encoded(column: pa.ChunkedArray, known: Sequence[str]) -> NDArray[np.float64]:
    """Codes of a category's values, their places among the known ones; NaN for all others."""
    if len(column) <= FEW:
        codes_of = _codes(tuple(known))
        return np.array([codes_of.get(value, np.nan) for value in column.to_pylist()], np.float64)
    # A column without any value has no type of its own.
    codes = pc.index_in(_as(pa.string(), column), value_set=_value_set(tuple(known)))
    numbers: NDArray[np.float64] = codes.cast(pa.float64()).to_numpy()
    return numbers


def save(bundle: Bundle, folder: Path) -> None:
    """Writes the two files of a bundle into an existing, empty folder.

    The number of threads stays out: it is the machine's, and the same data and seed shall give
    the same bytes on any.
    """
    settings = model_tree(bundle.settings)
    del settings["model"]["threads"]
    card = {
        "format": FORMAT,
        "settings": settings,
        "roles": [_role_tree(role) for role in bundle.vocabulary.template.roles],
        "families": bundle.vocabulary.families,
        "questions": bundle.vocabulary.questions,
        "departments": bundle.vocabulary.departments,
        "features": bundle.catalogue.feature_names,
        "trees_sha256": _digest(bundle.trees),
        "blend": asdict(bundle.blend),
        "horizons": [
            {
                "days": horizon.days,
                "trees_sha256": _digest(horizon.trees),
                "calibrator": asdict(horizon.calibrator),
            }
            for horizon in bundle.horizons
        ],
        "category_values": bundle.category_values,
        "calibrator": asdict(bundle.calibrator),
        "interval": asdict(bundle.interval),
        "thresholds": asdict(bundle.thresholds),
        "typical": [asdict(member) for member in bundle.typical],
        "training": {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(bundle.training).items()
        },
    }
    (folder / TREES).write_text(bundle.trees, encoding="utf-8")
    for horizon in bundle.horizons:
        (folder / _trees_of(horizon.days)).write_text(horizon.trees, encoding="utf-8")
    text = json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> Bundle:
    """The bundle in a folder.

    Raises:
        BadInput: it is not a bundle, is damaged, or comes from a newer version.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            what = "update mqbg to read it" if card["format"] > FORMAT else "train again"
            raise BadInput(
                f"{folder}: expected a bundle of format {FORMAT}, got format {card['format']}; "
                f"{what}"
            )
        trees = _read_trees(folder / TREES, card["trees_sha256"])
        horizons = tuple(
            Horizon(
                tree["days"],
                _read_trees(folder / _trees_of(tree["days"]), tree["trees_sha256"]),
                calibrator_from(tree["calibrator"]),
            )
            for tree in card["horizons"]
        )
        bundle = _from_card(card, trees, horizons)
        listed = list(card["features"])
        width = bundle.booster.num_feature() if trees else len(listed)
    except (
        OSError, KeyError, TypeError, ValueError, AttributeError, lgb.basic.LightGBMError,
    ) as error:  # fmt: skip
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder}: expected a bundle ({TREES} and {CARD}), could not read it: "
            f"{type(error).__name__}: {error}; train again or take another version"
        ) from error
    names = list(bundle.catalogue.feature_names)
    if listed != names or width != len(names):
        raise BadInput(
            f"{folder}: the bundle lists {len(listed)} features and its trees read "
            f"{width}, this version's catalogue makes {len(names)} others; train again"
        )
    return bundle


def _trees_of(days: int) -> str:
    """File of the trees of a further horizon."""
    return f"trees_{days}d.txt"


def _read_trees(path: Path, digest: str) -> str:
    trees = path.read_text(encoding="utf-8")
    if _digest(trees) != digest:
        # LightGBM may abort the whole process over a damaged text, so it never gets one.
        raise ValueError(f"{path.name} is not the file that was saved with {CARD}")
    return trees


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_card(card: Mapping[str, Any], trees: str, horizons: tuple[Horizon, ...]) -> Bundle:
    times = ("first_as_of", "last_as_of", "test_from")
    training = dict(card["training"])
    training.update({key: datetime.fromisoformat(training[key]) for key in times})
    settings = settings_from(card["settings"], CARD)
    return Bundle(
        trees=trees,
        blend=Blend(**card["blend"]),
        settings=settings,
        vocabulary=Vocabulary(
            Template(tuple(_role_from(tree) for tree in card["roles"])),
            tuple(card["families"]),
            tuple(card["questions"]),
            tuple(card["departments"]),
            settings.features,
        ),
        category_values={key: tuple(values) for key, values in card["category_values"].items()},
        calibrator=calibrator_from(card["calibrator"]),
        interval=VennAbers(**card["interval"]),
        thresholds=Thresholds(**card["thresholds"]),
        typical=tuple(TypicalMember(**member) for member in card["typical"]),
        training=Training(**training),
        horizons=horizons,
    )


def _role_tree(role: TemplateRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "slug": role.slug,
        "default": asdict(role.default) if role.default else None,
        "solutions": {solution: asdict(line) for solution, line in role.solutions.items()},
        "since": role.first_seen_at.isoformat() if role.first_seen_at else None,
    }


def _role_from(tree: Mapping[str, Any]) -> TemplateRole:
    return TemplateRole(
        name=tree["name"],
        slug=tree["slug"],
        default=Role(**tree["default"]) if tree["default"] else None,
        solutions={solution: Role(**line) for solution, line in tree["solutions"].items()},
        first_seen_at=datetime.fromisoformat(tree["since"]) if tree["since"] else None,
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
