"""Data as one model reads it: by its own settings, names and columns.

Scores and feature tables for a model come through here, so that both see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..features.tables.feature_file import FeatureRows
from ..features.tables.feature_source import FeatureSource, prepare_source
from ..settings import Settings
from ..source import Source, checked_source, on_engine
from .bundle import Bundle
from .known_names import model_spellings
from .registry import RegisteredBundle


def model_settings(bundle: Bundle, machine: Settings) -> Settings:
    """The model's settings, with the threads of this machine and the steps that the user names."""
    threads = replace(bundle.settings.model, threads=machine.model.threads)
    steps = replace(
        bundle.settings.explain,
        min_step_points=machine.explain.min_step_points,
        min_step_share=machine.explain.min_step_share,
        contacted_days=machine.explain.contacted_days,
    )
    return replace(bundle.settings, model=threads, explain=steps)


def page_settings(bundle: Bundle, user: Settings) -> Settings:
    """The model's settings, with the steps and the states of the user, for pages."""
    return replace(model_settings(bundle, user), states=user.states)


@contextmanager
def checked_source_for(
    data: str | Path,
    bundle: Bundle,
    machine: Settings,
    quarantine: Path | None = None,
    engine: str = "duckdb",
) -> Iterator[Source]:
    """Opens and checks data whose names are to be those of a model.

    Args:
        data: the source.
        bundle: the model.
        machine: of the user; how files are read, and the threads.
        quarantine: see `checked_source`.
        engine: see `on_engine`.

    Raises:
        BadInput: the data breaks the contract.
    """
    with (
        checked_source(
            data,
            quarantine=quarantine,
            threads=machine.model.threads,
            settings=machine.reading_for(model_settings(bundle, machine)),
            known=model_spellings(bundle),
        ) as source,
        on_engine(source, engine) as engine_source,
    ):
        yield engine_source


def prepare_for_model(source: Source, bundle: Bundle, machine: Settings) -> FeatureSource:
    """The tables as features read them, by the definitions of a model.

    Args:
        source: open; see `checked_source_for`.
        bundle: the model.
        machine: of the user; the threads alone are read.
    """
    return prepare_source(source, model_settings(bundle, machine))


def model_columns(source: Source, model: RegisteredBundle, machine: Settings) -> FeatureRows:
    """What makes a feature table with exactly the columns that a model reads.

    Args:
        source: open; see `checked_source_for`.
        model: whose columns.
        machine: of the user; the threads alone are read.
    """
    prepared = prepare_for_model(source, model.bundle, machine)
    return FeatureRows(prepared, model.bundle.catalogue, f"{model.name} {model.version}")
