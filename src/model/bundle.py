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
from ..settings import RoleRequirement, Settings, model_settings_values, settings_from_values
from .calibrators import Blend, Calibrator, VennAbers, calibrator_from_dict
from .thresholds import Thresholds

FORMAT = 3  # raised when a bundle can no longer be read by the release before
TREES_FILE, MANIFEST_FILE = "trees.txt", "bundle.json"

NUMERIC, CATEGORICAL = "number", "category"  # kinds of feature columns
MAX_DICT_LOOKUPS = 64
"""Rows up to which texts are looked up one by one, which takes less than a call of Arrow."""
OUTPUT_COLUMNS = ("log_odds", "readiness")  # columns that MLflow gets from a bundle


@dataclass(frozen=True, slots=True)
class ReferenceMember:
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
class TrainingSummary:
    """What the model was trained on, for the model card and for support counts."""

    fingerprint: str
    rows: int
    conversions: int
    first_as_of: datetime
    last_as_of: datetime
    test_from: datetime
    snapshots_with_leavers: int


@dataclass(frozen=True, slots=True)
class HorizonModel:
    """Trees and calibrator of one further horizon.

    Attributes:
        days: of the horizon.
        trees: the LightGBM model as text.
        calibrator: their log-odds to the chance of conversion within the horizon.
    """

    days: int
    trees: str
    calibrator: Calibrator


class TreeEngine(Protocol):
    """What runs the trees in LightGBM's place, with the same numbers (see `explain.treeshap`)."""

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
        category_values: known values of each category column; a value's code is its index.
        calibrator: raw log-odds to readiness.
        interval: raw log-odds to the two ends of the readiness interval.
        thresholds: the learned line between nurture and qualified.
        reference_members: one typical engaged member per role, where there were any.
        training: what it was trained on.
        horizon_models: further horizons, the shortest first.
        tree_engine: what runs the trees; None for LightGBM itself. Never saved.
    """

    trees: str
    blend: Blend
    settings: Settings
    vocabulary: Vocabulary
    category_values: Mapping[str, tuple[str, ...]]
    calibrator: Calibrator
    interval: VennAbers
    thresholds: Thresholds
    reference_members: tuple[ReferenceMember, ...]
    training: TrainingSummary
    horizon_models: tuple[HorizonModel, ...] = ()
    tree_engine: TreeEngine | None = field(default=None, compare=False, repr=False)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue that the trees were trained on."""
        return build_catalogue(self.vocabulary)

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return lgb.Booster(model_str=self.trees)

    def feature_matrix(self, features: pa.Table) -> NDArray[np.float64]:
        """The feature table as the trees read it, shape (rows, features)."""
        return feature_matrix(features, self.catalogue.feature_names, self.category_values)

    def log_odds(self, features: pa.Table) -> NDArray[np.float64]:
        """Raw output of the trees, before calibration, shape (rows,).

        Raises:
            ValueError: a feature column is missing.
        """
        return self.log_odds_of_matrix(self.feature_matrix(features))

    def log_odds_of_matrix(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw score for rows of `matrix`, shape (rows,): the trees', or their blend with the rule.

        With conversions enough the trees stand alone (design.md, few labels).
        """
        if not len(matrix):
            return np.empty(0)
        trees_share = self.blend.trees_share
        if trees_share == 1:
            return self._predict_trees(matrix)
        rule_log_odds = self.blend.rule_log_odds(
            *(matrix[:, index] for index in self._rule_columns)
        )
        if not trees_share:
            return rule_log_odds
        return trees_share * self._predict_trees(matrix) + (1 - trees_share) * rule_log_odds

    def contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to the raw score, above the average, shape (rows, features).

        TreeSHAP of the trees as LightGBM computes it (path-dependent), times their share, and the
        two columns of the rule score times the rest.
        """
        blend = self.blend
        contributions = np.zeros(matrix.shape)
        if blend.trees_share and len(matrix):
            contributions = blend.trees_share * self._tree_contributions(matrix)[:, :-1]
        if blend.trees_share < 1:
            rule_columns = self._rule_columns
            rule_contributions = blend.rule_contributions(
                *(matrix[:, index] for index in rule_columns)
            )
            for index, contribution in zip(rule_columns, rule_contributions, strict=True):
                contributions[:, index] += contribution
        return contributions

    @cached_property
    def used_features(self) -> frozenset[str]:
        """The features that the raw score depends on; it is the same whatever the others are."""
        names = self.catalogue.feature_names
        used = (
            {names[index] for index in self._rule_columns} if self.blend.trees_share < 1 else set()
        )
        if self.blend.trees_share:
            split_counts = self.booster.feature_importance("split")
            used |= {name for name, count in zip(names, split_counts, strict=True) if count}
        return frozenset(used)

    @cached_property
    def used_numeric_catalogue(self) -> Catalogue:
        """The catalogue with those features alone, without categories."""
        used = self.used_features
        numeric = (f for f in self.catalogue.features if f.name in used and not f.categorical)
        return replace(self.catalogue, features=tuple(numeric))

    @cached_property
    def _horizon_boosters(self) -> Mapping[int, lgb.Booster]:
        """The trees of further horizons, by days."""
        return {one.days: lgb.Booster(model_str=one.trees) for one in self.horizon_models}

    @cached_property
    def _rule_columns(self) -> tuple[int, int]:
        names = self.catalogue.feature_names
        return names.index("rule_engagement"), names.index("completeness")

    def _predict_trees(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.tree_engine is None:
            return self._predict_booster(self.booster, matrix)
        return self.tree_engine.predict(matrix, self.settings.model.threads)

    def _tree_contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        threads = self.settings.model.threads
        if self.tree_engine is not None:
            return self.tree_engine.contributions(matrix, threads)
        values = self.booster.predict(matrix, pred_contrib=True, num_threads=threads)
        return np.asarray(values, dtype=np.float64)

    def _predict_booster(
        self, booster: lgb.Booster, matrix: NDArray[np.float64]
    ) -> NDArray[np.float64]:
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
        own_days = self.settings.target.horizon_days
        readiness_by_days = {
            horizon.days: horizon.calibrator(
                self._predict_booster(self._horizon_boosters[horizon.days], matrix)
            )
            if len(matrix)
            else np.empty(0)
            for horizon in self.horizon_models
        }
        bound = readiness
        for days in sorted((days for days in readiness_by_days if days < own_days), reverse=True):
            bound = readiness_by_days[days] = np.minimum(readiness_by_days[days], bound)
        bound = readiness
        for days in sorted(days for days in readiness_by_days if days > own_days):
            bound = readiness_by_days[days] = np.maximum(readiness_by_days[days], bound)
        return {
            days: {**readiness_by_days, own_days: readiness}[days]
            for days in sorted({*readiness_by_days, own_days})
        }

    def readiness(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probability of conversion within the horizon, shape as given."""
        return self.calibrator(log_odds)

    def score_points(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Readiness in score points, 0 to 100, not rounded."""
        return 100.0 * self.readiness(log_odds)


def feature_matrix(
    features: pa.Table, names: Sequence[str], category_values: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    """Feature columns as one float64 matrix; a category's unknown value is missing (NaN).

    Raises:
        ValueError: a column is missing.
    """
    columns = dict(zip(features.column_names, features.columns, strict=True))
    if missing := [name for name in names if name not in columns]:
        raise ValueError(
            f"features missing: {missing}; got {features.column_names}; build the table with the "
            "catalogue of this bundle"
        )
    # Filled by columns, read by columns: the copy into rows would cost as much as the trees.
    values = np.empty((features.num_rows, len(names)), dtype=np.float64, order="F")
    for index, name in enumerate(names):
        column = columns[name]
        if name in category_values:
            values[:, index] = encode_category(column, category_values[name])
        else:
            values[:, index] = _cast_if_needed(pa.float64(), column).to_numpy()
    return values


def _cast_if_needed(dtype: pa.DataType, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type; to cast what has it already takes longer than a few rows do."""
    return column if column.type == dtype else column.cast(dtype)


@lru_cache(1024)
def _value_set(known_values: tuple[str, ...]) -> pa.Array:
    return pa.array(known_values, pa.string())


@lru_cache(1024)
def _category_codes(known_values: tuple[str, ...]) -> Mapping[str | None, float]:
    return {value: float(code) for code, value in enumerate(known_values)}


def encode_category(column: pa.ChunkedArray, known_values: Sequence[str]) -> NDArray[np.float64]:
    """Codes of a category's values, their places among the known ones; NaN for all others."""
    if len(column) <= MAX_DICT_LOOKUPS:
        codes_of = _category_codes(tuple(known_values))
        return np.array([codes_of.get(value, np.nan) for value in column.to_pylist()], np.float64)
    # A column without any value has no type of its own.
    codes = pc.index_in(
        _cast_if_needed(pa.string(), column), value_set=_value_set(tuple(known_values))
    )
    float_codes: NDArray[np.float64] = codes.cast(pa.float64()).to_numpy()
    return float_codes


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Writes the two files of a bundle into an existing, empty folder.

    The number of threads stays out: it is the machine's, and the same data and seed shall give
    the same bytes on any.
    """
    settings = model_settings_values(bundle.settings)
    del settings["model"]["threads"]
    manifest = {
        "format": FORMAT,
        "settings": settings,
        "roles": [_role_to_dict(role) for role in bundle.vocabulary.template.roles],
        "families": bundle.vocabulary.families,
        "questions": bundle.vocabulary.questions,
        "departments": bundle.vocabulary.departments,
        "features": bundle.catalogue.feature_names,
        "trees_sha256": _sha256(bundle.trees),
        "blend": asdict(bundle.blend),
        "horizons": [
            {
                "days": horizon.days,
                "trees_sha256": _sha256(horizon.trees),
                "calibrator": asdict(horizon.calibrator),
            }
            for horizon in bundle.horizon_models
        ],
        "category_values": bundle.category_values,
        "calibrator": asdict(bundle.calibrator),
        "interval": asdict(bundle.interval),
        "thresholds": asdict(bundle.thresholds),
        "reference_members": [asdict(member) for member in bundle.reference_members],
        "training": {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(bundle.training).items()
        },
    }
    (folder / TREES_FILE).write_text(bundle.trees, encoding="utf-8")
    for horizon in bundle.horizon_models:
        (folder / _horizon_trees_file(horizon.days)).write_text(horizon.trees, encoding="utf-8")
    text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def load_bundle(folder: Path) -> Bundle:
    """The bundle in a folder.

    Raises:
        BadInput: it is not a bundle, is damaged, or comes from a newer version.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            remedy = "update mqbg to read it" if manifest["format"] > FORMAT else "train again"
            raise BadInput(
                f"{folder}: expected a bundle of format {FORMAT}, got format {manifest['format']}; "
                f"{remedy}"
            )
        trees = _read_trees(folder / TREES_FILE, manifest["trees_sha256"])
        horizons = tuple(
            HorizonModel(
                tree["days"],
                _read_trees(folder / _horizon_trees_file(tree["days"]), tree["trees_sha256"]),
                calibrator_from_dict(tree["calibrator"]),
            )
            for tree in manifest["horizons"]
        )
        bundle = _bundle_from_manifest(manifest, trees, horizons)
        saved_features = list(manifest["features"])
        feature_count = bundle.booster.num_feature() if trees else len(saved_features)
    except (
        OSError, KeyError, TypeError, ValueError, AttributeError, lgb.basic.LightGBMError,
    ) as error:  # fmt: skip
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder}: expected a bundle ({TREES_FILE} and {MANIFEST_FILE}), could not read it: "
            f"{type(error).__name__}: {error}; train again or take another version"
        ) from error
    names = list(bundle.catalogue.feature_names)
    if saved_features != names or feature_count != len(names):
        raise BadInput(
            f"{folder}: the bundle lists {len(saved_features)} features and its trees read "
            f"{feature_count}, this version's catalogue makes {len(names)} others; train again"
        )
    return bundle


def _horizon_trees_file(days: int) -> str:
    """File of the trees of a further horizon."""
    return f"trees_{days}d.txt"


def _read_trees(path: Path, sha256: str) -> str:
    trees = path.read_text(encoding="utf-8")
    if _sha256(trees) != sha256:
        # LightGBM may abort the whole process over a damaged text, so it never gets one.
        raise ValueError(f"{path.name} is not the file that was saved with {MANIFEST_FILE}")
    return trees


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bundle_from_manifest(
    manifest: Mapping[str, Any], trees: str, horizons: tuple[HorizonModel, ...]
) -> Bundle:
    time_keys = ("first_as_of", "last_as_of", "test_from")
    training = dict(manifest["training"])
    training.update({key: datetime.fromisoformat(training[key]) for key in time_keys})
    settings = settings_from_values(manifest["settings"], MANIFEST_FILE)
    return Bundle(
        trees=trees,
        blend=Blend(**manifest["blend"]),
        settings=settings,
        vocabulary=Vocabulary(
            Template(tuple(_role_from_dict(tree) for tree in manifest["roles"])),
            tuple(manifest["families"]),
            tuple(manifest["questions"]),
            tuple(manifest["departments"]),
            settings.features,
        ),
        category_values={key: tuple(values) for key, values in manifest["category_values"].items()},
        calibrator=calibrator_from_dict(manifest["calibrator"]),
        interval=VennAbers(**manifest["interval"]),
        thresholds=Thresholds(**manifest["thresholds"]),
        reference_members=tuple(
            ReferenceMember(**member) for member in manifest["reference_members"]
        ),
        training=TrainingSummary(**training),
        horizon_models=horizons,
    )


def _role_to_dict(role: TemplateRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "slug": role.slug,
        "default": asdict(role.default) if role.default else None,
        "solutions": {solution: asdict(line) for solution, line in role.solutions.items()},
        "since": role.first_seen_at.isoformat() if role.first_seen_at else None,
    }


def _role_from_dict(fields: Mapping[str, Any]) -> TemplateRole:
    return TemplateRole(
        name=fields["name"],
        slug=fields["slug"],
        default=RoleRequirement(**fields["default"]) if fields["default"] else None,
        solutions={
            solution: RoleRequirement(**line) for solution, line in fields["solutions"].items()
        },
        first_seen_at=datetime.fromisoformat(fields["since"]) if fields["since"] else None,
    )


class _PyfuncModel:
    """What MLflow serves: features in, log-odds and readiness out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """A frame of log_odds and readiness, one row per row of `features`."""
        log_odds = self.bundle.log_odds(pa.Table.from_pandas(features, preserve_index=False))
        return pd.DataFrame({"log_odds": log_odds, "readiness": self.bundle.readiness(log_odds)})


def _load_pyfunc(path: str) -> _PyfuncModel:
    """Entry point that MLflow calls for `mlflow.pyfunc.load_model`."""
    return _PyfuncModel(load_bundle(Path(path)))
