"""mqbg scores B2B buying groups: the people at one account who decide together on one solution.

What the commands do, for a notebook; frames are pandas'.

Instants are texts such as `2025-09-01` or `2025-09-01T09:00`, dates or datetimes; naive means UTC.
The examples below go on from one another.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .commands.notebook import (
    Instant,
    drift,
    load_settings,
    probe,
    register_training,
    simulate,
    to_cutoff,
    to_cutoffs,
)
from .contract import BadInput
from .model.notebook_model import Model
from .serve.batch.notebook_handles import DataSource

if TYPE_CHECKING:
    import pandas as pd

    from .serve.batch.notebook_results import Scored, Story
    from .settings import Settings
    from .train.report.notebook_training import Trained
    from .train.thresholds.policy_trial import PolicyTrial

# Rooms are imported inside the functions: importing one module of ours loads no other.

__all__ = [
    "BadInput",
    "DataSource",
    "Model",
    "PolicyTrial",
    "Scored",
    "Story",
    "Trained",
    "__version__",
    "drift",
    "explain",
    "explain_change",
    "features",
    "load_model",
    "load_settings",
    "open_source",
    "probe",
    "score",
    "simulate",
    "train",
]


def open_source(data: str | Path, config: str | Path | Settings | None = None) -> DataSource:
    """Open and check a source of the contract's tables.

    Args:
        data: folder of Parquet or CSV tables, a DuckDB file, or a database URL.
        config: settings, or the file of them; default: `mqbg.toml` in the working folder, if there
            is one, as for the commands.

    Raises:
        BadInput: what breaks the contract, every problem in one report; or a fault of the settings.

    Example:
        >>> source = mqbg.open_source("data/world")
        >>> source
        mqbg.open_source('data/world')
    """
    if config is None or isinstance(config, (str, Path)):
        config = load_settings(config)
    return DataSource(data, config)


def features(
    source: DataSource,
    as_of: Instant | Sequence[Instant],
    model: Model | None = None,
    *,
    force: bool = False,
) -> pd.DataFrame:
    """The feature table: one row for each group that is open at a cut-off.

    Args:
        source: the tables.
        as_of: the cut-off, or several; nothing known at or after it counts.
        model: whose columns to make, by its own vocabulary and settings; None makes the
            catalogue of this source.
        force: with a model, make the columns of data most of whose roles or kinds it does not know.

    Returns:
        group_id, as_of, then the features (docs/features.md has their units).

    Raises:
        BadInput: no group is open then, or the model hardly knows the data.

    Example:
        >>> table = mqbg.features(source, as_of="2025-09-01")
        >>> table.columns[:2].tolist(), bool(table.group_id.is_unique)
        (['group_id', 'as_of'], True)
    """
    from .features.tables.feature_file import require_open_groups
    from .features.tables.feature_table import feature_table
    from .model.data_fit import data_fit, require_fit

    instants = to_cutoffs(as_of)
    rows = source._feature_rows(instants[-1], model)
    if model is not None:
        require_fit(data_fit(rows.source, model.bundle, instants[-1]), "features", force=force)
    table = feature_table(rows.source, rows.catalogue, instants)
    require_open_groups(table, instants, source.name)
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

    Example:
        >>> trained = mqbg.train(source, test_from="2025-04-01")
        >>> set(trained.comparison.index.get_level_values("population")) >= {"all accounts"}
        True
    """
    from .train.report.notebook_training import Trained
    from .train.training import train as train_model

    first = None if test_from is None else to_cutoff(test_from)
    trained = train_model(source._prepared(), test_from=first, trials=trials)
    figures = trained.evaluation.figures
    by_method = figures.pivot_table(
        index=["population", "method"], columns="figure", values="value", sort=False
    )
    model = Model(trained.bundle, source.settings.model.registered_name, "unregistered")
    return Trained(
        model,
        figures,
        by_method.rename_axis(columns=None),
        trained,
        lambda: register_training(trained, source.name),
    )


def load_model(version: str | int | Path = "champion", name: str | None = None) -> Model:
    """A model of the registry, or of a bundle's folder.

    Args:
        version: `champion`, `latest`, a number, or the folder of a bundle.
        name: of the registered model; default: that of the settings in the working folder.

    Raises:
        BadInput: there is no such version or folder, or it cannot be read.

    Example:
        >>> version = trained.log()  # the first version becomes champion
        >>> mqbg.load_model("champion").version == version
        True
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

    Example:
        >>> scored = mqbg.score(source, trained.model, as_of="2025-09-01")
        >>> scored.scores.readiness.between(0, 1).all()
        np.True_
    """
    from .serve.batch.notebook_results import Scored

    job, at = source._job(model, language, force), to_cutoff(as_of)
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

    Example:
        >>> readiest = scored.scores.sort_values("rank").group_id.iloc[0]
        >>> story = mqbg.explain(source, trained.model, readiest, as_of="2025-09-01")
        >>> story.group_id == readiest and len(story.summary) > 1
        True
    """
    from .explain.summaries import dated_summary
    from .serve.batch.notebook_results import Story, group_text

    job, at = source._job(model, language), to_cutoff(as_of)
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


def explain_change(
    source: DataSource,
    model: Model,
    group_id: str,
    as_of: Instant,
    since: Instant,
) -> pd.DataFrame:
    """What changed between two scores of a group, as `mqbg explain --since` says it.

    Args:
        source: the tables.
        model: what scores.
        group_id: of a group that is open at both cut-offs.
        as_of: the later cut-off.
        since: the earlier one.

    Returns:
        One row for each part: cause (`decay`, `members`, `activity`, `group_activity`, `facts`),
        contact_id, membership_change, role, log_odds, points. The points sum to the difference of
        the two scores.

    Raises:
        BadInput: there is no such group, or it is not open at one of them.

    Example:
        >>> oldest = scored.scores.sort_values("group_id").group_id.iloc[0]
        >>> parts = mqbg.explain_change(
        ...     source, trained.model, oldest, as_of="2025-09-01", since="2025-08-25"
        ... )
        >>> set(parts.cause) >= {"decay", "facts"}
        True
    """
    import pandas as pd

    from .explain.changes.change_attribution import attribute_change

    job, at, earlier = source._job(model), to_cutoff(as_of), to_cutoff(since)
    for one, option in ((at, "as_of"), (earlier, "since")):
        job.require_open_group(group_id, one, option)
    parts = attribute_change(job.source, group_id, earlier, at, job.bundle).parts
    return pd.DataFrame(parts)[
        ["cause", "contact_id", "membership_change", "role", "log_odds", "points"]
    ]


def __getattr__(name: str) -> Any:
    if name in ("Scored", "Story"):
        from .serve.batch import notebook_results

        return getattr(notebook_results, name)
    if name == "Trained":
        from .train.report.notebook_training import Trained

        return Trained
    if name == "PolicyTrial":
        from .train.thresholds.policy_trial import PolicyTrial

        return PolicyTrial
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
