"""A bundle as files: trees as LightGBM text, everything else JSON. Loading it runs no code."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..contract import BadInput
from ..features.declare.template import Template, TemplateRole
from ..features.declare.vocabulary import Vocabulary
from ..settings import RoleRequirement, model_settings_values, settings_from_values
from .bundle import Bundle, ReferenceMember, Refit, TrainingSummary
from .calibrators import Blend, VennAbers, calibrator_from_dict
from .comparable_snapshots import comparable_from_dict
from .data_profile import DataProfile
from .horizons import HorizonModel, HorizonStep
from .linear import LinearPart, LinearTerm
from .thresholds import Thresholds
from .tree_text import feature_count

logger = logging.getLogger(__name__)

FORMAT = 6  # raised when a bundle can no longer be read by the release before
TREES_FILE, MANIFEST_FILE = "trees.txt", "bundle.json"


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
        "uncertain_roles": bundle.vocabulary.uncertain_roles,
        "features": bundle.catalogue.feature_names,
        "trees_sha256": _sha256(bundle.trees),
        "blend": asdict(bundle.blend),
        "horizons": [_horizon_to_dict(horizon) for horizon in bundle.horizon_models],
        "refits": [
            {
                "trees_sha256": _sha256(refit.trees),
                "calibrator": asdict(refit.calibrator),
                "linear": asdict(refit.linear) if refit.linear else None,
            }
            for refit in bundle.refits
        ],
        "paired_refits": bundle.paired_refits,
        "linear": asdict(bundle.linear) if bundle.linear else None,
        "category_values": bundle.category_values,
        "calibrator": asdict(bundle.calibrator),
        "interval": asdict(bundle.interval),
        "thresholds": asdict(bundle.thresholds),
        "reference_members": [asdict(member) for member in bundle.reference_members],
        "comparable": asdict(bundle.comparable) if bundle.comparable else None,
        "profile": asdict(bundle.profile) if bundle.profile else None,
        "training": {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(bundle.training).items()
        },
    }
    (folder / TREES_FILE).write_text(bundle.trees, encoding="utf-8")
    for horizon in bundle.horizon_models:
        if isinstance(horizon, HorizonModel):
            trees_file = folder / _horizon_trees_file(horizon.days)
            trees_file.write_text(horizon.trees, encoding="utf-8")
    for number, refit in enumerate(bundle.refits):
        (folder / _refit_trees_file(number)).write_text(refit.trees, encoding="utf-8")
    text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def load_bundle(folder: Path) -> Bundle:
    """The bundle in a folder.

    Raises:
        BadInput: it is not a bundle, is damaged, or comes from a newer version.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        manifest = _upgrade(manifest, folder)
        if manifest["format"] != FORMAT:
            remedy = "update mqbg to read it" if manifest["format"] > FORMAT else "train again"
            raise BadInput(
                f"{folder}: expected a bundle of format {FORMAT}, got format {manifest['format']}; "
                f"{remedy}"
            )
        trees = _read_trees(folder / TREES_FILE, manifest["trees_sha256"])
        horizons = tuple(_horizon_from_dict(tree, folder) for tree in manifest["horizons"])
        refits = tuple(
            Refit(
                _read_trees(folder / _refit_trees_file(number), fields["trees_sha256"]),
                calibrator_from_dict(fields["calibrator"]),
                _linear_from_dict(fields["linear"]),
            )
            for number, fields in enumerate(manifest["refits"])
        )
        bundle = replace(_bundle_from_manifest(manifest, trees, horizons), refits=refits)
        saved_features = list(manifest["features"])
        tree_features = feature_count(trees) if trees else len(saved_features)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder}: expected a bundle ({TREES_FILE} and {MANIFEST_FILE}), could not read it: "
            f"{type(error).__name__}: {error}; train again or take another version"
        ) from error
    if saved_features != list(bundle.catalogue.feature_names):
        bundle = _with_earlier_catalogue(bundle, saved_features, folder)
    names = list(bundle.catalogue.feature_names)
    if saved_features != names or tree_features != len(names):
        raise BadInput(
            f"{folder}: the bundle lists {len(saved_features)} features and its trees read "
            f"{tree_features}, this version's catalogue makes {len(names)} others; train again"
        )
    return bundle


def _with_earlier_catalogue(bundle: Bundle, saved: list[str], folder: Path) -> Bundle:
    """The bundle with the features it was trained on, where the catalogue has got others since."""
    names = bundle.catalogue.feature_names
    if [name for name in names if name in set(saved)] != saved:
        return bundle
    logger.warning(
        "%s: the model is of a release whose catalogue had %d of today's %d features; it is scored "
        "as it was; train again to use the others",
        folder, len(saved), len(names),
    )  # fmt: skip
    return replace(bundle, only_features=tuple(saved))


def _upgrade(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A manifest of an earlier format in the words of this one; what differs is warned of."""
    if manifest["format"] == 3:
        manifest = _from_format_3(manifest)
    if manifest["format"] == 4:
        manifest = {**manifest, "format": 5, "refits": []}
        logger.warning(
            "%s: the model is of a release without refits: the interval of a readiness is "
            "Venn-Abers'; train again for one by other accounts", folder,
        )  # fmt: skip
    if manifest["format"] == 5:
        refits = [{**refit, "linear": None} for refit in manifest["refits"]]
        manifest = {
            **manifest, "format": FORMAT, "linear": None, "refits": refits,
            "paired_refits": not refits,
        }  # fmt: skip
        if refits:
            logger.warning(
                "%s: the model is of a release whose intervals of a readiness are too narrow in "
                "most cases: models of other accounts lay in some 58 %% of them, not in 80 %%; "
                "they are as they were; train again for right ones", folder,
            )  # fmt: skip
        if manifest["horizons"]:
            logger.warning(
                "%s: the model is of a release whose further horizons had trees of their own; they "
                "are scored as they were; train again for horizons that never collapse", folder,
            )  # fmt: skip
    return manifest


def _from_format_3(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of the format before, which named reference members and thresholds otherwise."""
    renamed = {
        "least": "floor", "segments": "segment_shifts", "months": "month_shifts",
        "expected": "forecast",
    }  # fmt: skip
    thresholds = {renamed.get(key, key): value for key, value in manifest["thresholds"].items()}
    upgraded = {**manifest, "format": 4, "thresholds": thresholds}
    upgraded["reference_members"] = upgraded.pop("typical")
    return upgraded


def _horizon_to_dict(horizon: HorizonStep | HorizonModel) -> dict[str, Any]:
    if isinstance(horizon, HorizonStep):
        return {"days": horizon.days, "share": asdict(horizon.share)}
    return {
        "days": horizon.days,
        "trees_sha256": _sha256(horizon.trees),
        "calibrator": asdict(horizon.calibrator),
    }


def _horizon_from_dict(fields: Mapping[str, Any], folder: Path) -> HorizonStep | HorizonModel:
    if "share" in fields:
        return HorizonStep(fields["days"], calibrator_from_dict(fields["share"]))
    return HorizonModel(
        fields["days"],
        _read_trees(folder / _horizon_trees_file(fields["days"]), fields["trees_sha256"]),
        calibrator_from_dict(fields["calibrator"]),
    )


def _linear_from_dict(fields: Mapping[str, Any] | None) -> LinearPart | None:
    if fields is None:
        return None
    terms = tuple(LinearTerm(**term) for term in fields["terms"])
    return LinearPart(fields["share"], fields["intercept"], terms)


def _horizon_trees_file(days: int) -> str:
    """File of the trees of a further horizon."""
    return f"trees_{days}d.txt"


def _refit_trees_file(number: int) -> str:
    """File of the trees of a refit."""
    return f"trees_refit_{number:02d}.txt"


def _read_trees(path: Path, sha256: str) -> str:
    trees = path.read_text(encoding="utf-8")
    if _sha256(trees) != sha256:
        # LightGBM may abort the whole process over a damaged text, so it never gets one.
        raise ValueError(f"{path.name} is not the file that was saved with {MANIFEST_FILE}")
    return trees


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bundle_from_manifest(
    manifest: Mapping[str, Any], trees: str, horizons: tuple[HorizonStep | HorizonModel, ...]
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
            manifest.get("uncertain_roles", False),
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
        profile=DataProfile(**profile) if (profile := manifest.get("profile")) else None,
        linear=_linear_from_dict(manifest["linear"]),
        paired_refits=manifest["paired_refits"],
        comparable=comparable_from_dict(manifest.get("comparable")),
    )


def _role_to_dict(role: TemplateRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "slug": role.slug,
        "default": asdict(role.default) if role.default else None,
        "solutions": {solution: asdict(line) for solution, line in role.solutions.items()},
        "since": role.first_seen_at.isoformat() if role.first_seen_at else None,
        "rest": role.rest,
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
        rest=fields.get("rest", False),
    )
