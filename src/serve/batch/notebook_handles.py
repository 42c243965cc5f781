"""What a notebook holds on to: an opened source (design.md, Python API)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from ...features.tables.feature_file import FeatureRows
    from ...features.tables.feature_source import FeatureSource
    from ...model.notebook_model import Model
    from ...settings import Settings
    from .scoring_job import ScoringJob

# Rooms are imported inside the methods: `import mqbg` loads no engine.


class DataSource:
    """The contract's tables of one source, checked; close it or use it in a `with` block.

    Attributes:
        name: what it was opened from, without a password.
        settings: of `mqbg.toml`.
    """

    def __init__(self, data: str | Path, settings: Settings) -> None:
        from ...source import checked_source, display_name

        self.name = display_name(str(data))
        self.settings = settings
        self._opened = ExitStack()
        self._checked = self._opened.enter_context(
            checked_source(data, threads=settings.model.threads, settings=settings)
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the contract's tables that are there."""
        return tuple(self._checked.tables)

    def table(self, name: str) -> pd.DataFrame:
        """A table as the contract has it: its columns and types, missing values as None or NaN.

        Args:
            name: such as `members`.

        Raises:
            BadInput: there is no such table.

        Example:
            >>> source.table("solutions").columns.tolist()
            ['solution_id', 'name']
        """
        from ...contract import BadInput

        if name not in self.tables:
            raise BadInput(
                f"{self.name}: expected one of the tables {', '.join(self.tables)}, got {name!r}"
            )
        frame: pd.DataFrame = self._checked.tables[name].to_pandas()
        return frame

    def check(self) -> str:
        """What `mqbg check` prints: rows of each table, and what is worth knowing of them."""
        from ...source import check_source

        return check_source(self._checked, self.settings).text(self.name)

    def _prepared(self) -> FeatureSource:
        """The tables as features read them."""
        from ...features.tables.feature_source import prepare_source

        return prepare_source(self._checked, self.settings)

    def _feature_rows(self, before: datetime, model: Model | None = None) -> FeatureRows:
        """What makes the rows of a feature table: this source's columns, or those of a model."""
        from ...features.tables.feature_file import own_columns
        from ...model.model_source import model_columns

        if model is None:
            return own_columns(self._checked, self.settings, before)
        return model_columns(self._checked, model.registered, self.settings)

    def _job(self, model: Model, language: str | None = None, force: bool = False) -> ScoringJob:
        """A scoring job on this source."""
        from ...explain.language import load_language
        from .scoring_job import job_on

        spoken = language or self.settings.explain.language
        return job_on(
            self._checked,
            model.registered,
            self.settings,
            load_language(spoken, self.settings.explain.languages_folder),
            force=force,
        )

    def close(self) -> None:
        """Let go of files and connections."""
        self._opened.close()

    def __enter__(self) -> DataSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"mqbg.open_source({self.name!r})"
