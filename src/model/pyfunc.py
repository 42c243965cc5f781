"""A bundle as MLflow serves it: features in, log-odds and readiness out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from .bundle import Bundle
from .bundle_files import load_bundle

OUTPUT_COLUMNS = ("log_odds", "readiness")


class _PyfuncModel:
    """What `mlflow.pyfunc.load_model` gives."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """A frame of log_odds and readiness, one row per row of `features`."""
        log_odds = self.bundle.log_odds(pa.Table.from_pandas(features, preserve_index=False))
        return pd.DataFrame({"log_odds": log_odds, "readiness": self.bundle.readiness(log_odds)})


def _load_pyfunc(path: str) -> _PyfuncModel:
    """Entry point that MLflow calls for `mlflow.pyfunc.load_model`."""
    return _PyfuncModel(load_bundle(Path(path)))
