"""mqbg scores B2B buying groups: the people at one account who decide together on one solution.

What the commands do, for a notebook (design.md, Python API); frames are pandas'.

    import mqbg

    with mqbg.open_source("data/world") as source:
        table = mqbg.features(source, as_of="2025-09-01")
        trained = mqbg.train(source, test_from="2025-04-01")
        scored = mqbg.score(source, trained.model, as_of="2025-09-01")
        print(mqbg.explain(source, trained.model, "G000012", as_of="2025-09-01"))

Instants are texts such as `2025-09-01` or `2025-09-01T09:00`, dates or datetimes; naive means UTC.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from .contract import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from .features.tables.feature_file import FeatureRows
    from .features.tables.feature_source import FeatureSource
    from .model.bundle import Bundle
    from .serve.batch.notebook_results import Scored, Story
    from .serve.batch.scoring_job import ScoringJob
    from .settings import Settings
    from .train.training import TrainingResult

# Rooms are imported inside the functions: importing one module of ours loads no other.

__all__ = [
    "BadInput",
    "DataSource",
    "Model",
    "Scored",
    "Story",
    "Trained",
    "__version__",
    "explain",
    "features",
    "load_model",
    "open_source",
    "score",
    "train",
]

Instant = str | date | datetime


class DataSource:
    """The contract's tables of one source, checked; close it or use it in a `with` block.

    Attributes:
        name: what it was opened from, without a password.
        settings: of `mqbg.toml`.
    """

    def __init__(self, data: str | Path, settings: Settings) -> None:
        from .source import checked_source, display_name

        self.name = display_name(str(data))
        self.settings = settings
        self._opened = ExitStack()
        self._checked = self._opened.enter_context(
            checked_source(data, threads=settings.model.threads, settings=settings)
        )

    def prepared(self) -> FeatureSource:
        """The tables as features read them."""
        from .features.tables.feature_source import prepare_source

        return prepare_source(self._checked, self.settings)

    def feature_rows(self, before: datetime, model: Model | None = None) -> FeatureRows:
        """What makes the rows of a feature table: this source's columns, or those of a model."""
        from .features.tables.feature_file import own_columns
        from .model.model_source import model_columns

        if model is None:
            return own_columns(self._checked, self.settings, before)
        return model_columns(self._checked, model.registered, self.settings)

    def job(self, model: Model, language: str | None = None, force: bool = False) -> ScoringJob:
        """A scoring job on this source."""
        from .explain.language import load_language
        from .serve.batch.scoring_job import job_on

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


class Model:
    """A model that scores.

    Attributes:
        registered: its bundle and where that comes from; the inside may change between releases.
    """

    def __init__(self, bundle: Bundle, name: str, version: str, run_id: str | None = None) -> None:
        from .model.registry import RegisteredBundle

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

    def __repr__(self) -> str:
        return f"<mqbg model {self.name} {self.version}, {len(self.feature_names)} features>"


@dataclass(frozen=True)
class Trained:
    """A training and its figures; nothing of it is logged before `log`.

    Attributes:
        model: what was learned.
        figures: one row for each population, method and figure: value, low, high (95 %).
        comparison: one row for each population and method, one column for each figure.
    """

    model: Model
    figures: pd.DataFrame
    comparison: pd.DataFrame
    _result: TrainingResult = field(repr=False)
    _data: str = field(repr=False)

    def log(self) -> str | None:
        """Log to MLflow and register, as `mqbg train` does.

        Returns:
            The version; None where no signal was found, which is logged and not registered.
        """
        import tempfile
        from importlib.metadata import version

        from .commands.versions import new_move
        from .model.registry import FIRST, require_tracking_store
        from .train.report.mlflow_logging import log_run_folder
        from .train.report.run_folder import write_run_folder

        require_tracking_store()
        with tempfile.TemporaryDirectory() as folder:
            write_run_folder(self._result, Path(folder), self._data, version("mqbg"))
            logged = log_run_folder(Path(folder), new_move(FIRST, "the first version"))
        return None if logged.version is None else str(logged.version)

    def _repr_html_(self) -> str:
        from .serve.batch.notebook_results import escaped, frame_html

        return f"<p>{escaped(self._result.evaluation.verdict)}</p>{frame_html(self.comparison)}"


def open_source(data: str | Path, config: str | Path | Settings | None = None) -> DataSource:
    """Open and check a source of the contract's tables.

    Args:
        data: folder of Parquet or CSV tables, a DuckDB file, or a database URL.
        config: settings, or the file of them; default: `mqbg.toml` in the working folder, if there
            is one, as for the commands.

    Raises:
        BadInput: what breaks the contract, every problem in one report; or a fault of the settings.
    """
    from .commands.options import read_settings

    if config is None or isinstance(config, (str, Path)):
        config = read_settings(None if config is None else Path(config))
    return DataSource(data, config)


def features(source: DataSource, as_of: Instant, model: Model | None = None) -> pd.DataFrame:
    """The feature table: one row for each group that is open at a cut-off.

    Args:
        source: the tables.
        as_of: the cut-off; nothing known at or after it counts.
        model: whose columns to make, by its own vocabulary and settings; None makes the
            catalogue of this source.

    Returns:
        group_id, as_of, then the features (docs/features.md has their units).

    Raises:
        BadInput: no group is open then.
    """
    from .features.tables.feature_file import require_open_groups
    from .features.tables.feature_table import feature_table

    at = _instant(as_of)
    rows = source.feature_rows(at, model)
    table = feature_table(rows.source, rows.catalogue, [at])
    require_open_groups(table, [at], source.name)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def train(source: DataSource, test_from: Instant | None = None, trials: int = 0) -> Trained:
    """Fit and evaluate against the baselines; nothing is logged or registered.

    Args:
        source: the tables.
        test_from: first instant of the test part; None chooses it.
        trials: of tuning; 0 takes the preset.

    Raises:
        BadInput: too little history, or nothing to learn from.
    """
    from .train.training import train as train_model

    first = None if test_from is None else _instant(test_from)
    trained = train_model(source.prepared(), test_from=first, trials=trials)
    figures = trained.evaluation.figures
    by_method = figures.pivot_table(
        index=["population", "method"], columns="figure", values="value", sort=False
    )
    model = Model(trained.bundle, source.settings.model.registered_name, "unregistered")
    return Trained(model, figures, by_method.rename_axis(columns=None), trained, source.name)


def load_model(version: str | int | Path = "champion", name: str | None = None) -> Model:
    """A model of the registry, or of a bundle's folder.

    Args:
        version: `champion`, `latest`, a number, or the folder of a bundle.
        name: of the registered model; default: that of the settings in the working folder.

    Raises:
        BadInput: there is no such version or folder, or it cannot be read.
    """
    from .commands.options import read_settings
    from .model.bundle_files import load_bundle
    from .model.registry import load_registered_bundle

    folder = Path(str(version))
    if isinstance(version, Path) or folder.is_dir():
        return Model(load_bundle(folder), str(version), "unregistered")
    registered_name = name or read_settings(None).model.registered_name
    found = load_registered_bundle(registered_name, str(version))
    return Model(found.bundle, found.name, found.version, found.run_id)


def score(
    source: DataSource,
    model: Model,
    as_of: Instant,
    language: str | None = None,
    *,
    force: bool = False,
) -> Scored:
    """Score every group that is open at a cut-off, as `mqbg score` does; nothing is written.

    Args:
        source: the tables.
        model: what scores.
        as_of: the cut-off.
        language: of the texts, `en` or `ja`; default: the settings'.
        force: score data most of whose roles or kinds the model does not know.

    Raises:
        BadInput: no group is open then, the model hardly knows the data, or the language is
            unknown.
    """
    from .serve.batch.notebook_results import Scored

    job, at = source.job(model, language, force), _instant(as_of)
    job.check_fit(at, "score")
    tables = job.score(at)
    return Scored(**{name: table.to_pandas() for name, table in vars(tables).items()})


def explain(
    source: DataSource,
    model: Model,
    group_id: str,
    as_of: Instant,
    language: str | None = None,
) -> Story:
    """One group's score in words and numbers, as `mqbg explain` prints it.

    Args:
        source: the tables.
        model: what scores.
        group_id: of a group that is open at the cut-off.
        as_of: the cut-off.
        language: `en` or `ja`; default: the settings'.

    Raises:
        BadInput: there is no such group, it is not open then, or the language is unknown.
    """
    from .explain.summaries import dated_summary
    from .serve.batch.notebook_results import Story, group_text

    job, at = source.job(model, language), _instant(as_of)
    job.require_open_group(group_id, at, "as_of")
    scored = job.score(at, group_ids=[group_id])
    members = scored.stakeholders.to_pandas().sort_values("contribution", ascending=False)
    row = scored.scores.to_pandas().iloc[0]
    summary = dated_summary(
        scored.summaries["summary"][0].as_py(), at, float(row["threshold"]), job.language
    )
    return Story(
        group_id=group_id,
        text=group_text(job, scored),
        summary=tuple(summary.split("\n")),
        reasons=tuple(row["top_reasons"]),
        score=row,
        stakeholders=members.reset_index(drop=True),
        actions=scored.actions.to_pandas(),
    )


def _instant(value: Instant) -> datetime:
    from .settings import to_instant

    found = to_instant(value)
    if found is None:
        raise BadInput(
            "expected a date or time from 1990 to 2199 such as 2024-05-01 or 2024-05-01T09:00, "
            f"got {value!r}"
        )
    return found


def __getattr__(name: str) -> Any:
    if name in ("Scored", "Story"):
        from .serve.batch import notebook_results

        return getattr(notebook_results, name)
    if name == "__version__":
        from importlib.metadata import version  # slow to import, and seldom asked for

        return version("mqbg")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Package(ModuleType):
    """Keeps `mqbg.features`, `train` and `explain` the functions above.

    Importing the room of that name, `from mqbg.train.training import ...`, would otherwise put the
    room in its place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
