"""The model in a few figures."""

from __future__ import annotations

from typing import Any

from ...model.registry import RegisteredBundle
from ...settings import model_settings_values


def describe_model(model: RegisteredBundle) -> dict[str, Any]:
    """What `GET /v1/model` tells.

    Args:
        model: in force.
    """
    bundle = model.bundle
    thresholds, training = bundle.thresholds, bundle.training
    return {
        "name": model.name,
        "version": model.version,
        "run_id": model.run_id,
        "target": bundle.settings.target.stage,
        "horizon_days": bundle.settings.target.horizon_days,
        "training": {
            "fingerprint": training.fingerprint,
            "rows": training.rows,
            "conversions": training.conversions,
            "first_as_of": training.first_as_of,
            "last_as_of": training.last_as_of,
            "test_from": training.test_from,
        },
        "roles": [role.name for role in bundle.vocabulary.template.roles],
        "features": [
            {"name": feature.name, "theme": feature.theme} for feature in bundle.catalogue.features
        ],
        "thresholds": {
            "policy": thresholds.policy,
            "readiness": min(thresholds.pooled, 1.0),
            "completeness": thresholds.completeness,
            "segment": thresholds.segment,
        },
        "settings": model_settings_values(bundle.settings),
    }
