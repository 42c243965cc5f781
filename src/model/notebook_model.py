"""What a notebook holds on to: a loaded model (design.md, Python API)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import shap
    from numpy.typing import NDArray

    from .bundle import Bundle

# Modules are imported inside the methods: `import mqbg` loads no engine.


class Model:
    """A model that scores.

    Attributes:
        registered: its bundle and where that comes from; the inside may change between releases.
    """

    def __init__(self, bundle: Bundle, name: str, version: str, run_id: str | None = None) -> None:
        from .registry import RegisteredBundle

        self.registered = RegisteredBundle(bundle, name, version, run_id or "")

    @property
    def name(self) -> str:
        """Of the registered model, or the bundle's folder."""
        return self.registered.name

    @property
    def version(self) -> str:
        """In the registry; "unregistered" for a model that is in none."""
        return self.registered.version

    @property
    def bundle(self) -> Bundle:
        """Trees, calibrator, thresholds and settings; its inside may change between releases."""
        return self.registered.bundle

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that the model reads, in order."""
        return tuple(self.bundle.catalogue.feature_names)

    @property
    def catalogue(self) -> pd.DataFrame:
        """The columns that the model reads: theme, name, unit, text, direction, categorical."""
        import pandas as pd

        return pd.DataFrame(
            [
                (one.theme, one.name, one.unit, one.describe("en"), one.direction, one.categorical)
                for one in self.bundle.catalogue.features
            ],
            columns=["theme", "name", "unit", "text", "direction", "categorical"],
        )

    def readiness(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """The chance of conversion for the rows of a feature table, shape (rows,), 0 to 1.

        Args:
            table: of `mqbg.features(..., model=model)`.

        Raises:
            BadInput: a column is missing.
        """
        return self.bundle.readiness(self.bundle.log_odds(self._arrow(table)))

    def shap(self, table: pd.DataFrame, language: str = "en") -> shap.Explanation:
        """TreeSHAP of the rows of a feature table, for the plots of `shap`.

        Args:
            table: of `mqbg.features(..., model=model)`.
            language: of the features' names, `en` or `ja`.

        Returns:
            Values in log-odds, shape (rows, features), in the order of `feature_names`; with the
            base value they sum to the raw score.

        Raises:
            BadInput: a column is missing.
        """
        from .shap_explanation import explain_with_shap

        return explain_with_shap(self.bundle, self._arrow(table), language)

    def _arrow(self, table: pd.DataFrame) -> pa.Table:
        import pyarrow as pa

        from ..contract import BadInput

        if missing := [name for name in self.feature_names if name not in table.columns]:
            raise BadInput(
                f"expected the columns of this model, {len(missing)} are missing, {missing[0]!r} "
                "for one; make them with mqbg.features(source, as_of, model=model)"
            )
        return pa.Table.from_pandas(table, preserve_index=False)

    def __repr__(self) -> str:
        return f"<mqbg model {self.name} {self.version}, {len(self.feature_names)} features>"
