"""One group's tables to one group's answer, by the batch's own `score`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ...contract import LATEST, BadInput
from ...explain.language import load_language
from ...explain.shapley.valuation import with_compiled_trees
from ...features.tables.feature_source import prepare_source
from ...model.bundle import Bundle
from ...model.data_fit import request_warnings
from ...model.registry import RegisteredBundle
from ...settings import Settings
from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreTables, score
from .body_parsing import parse_body
from .group_tables import GroupTables, parse_group_tables
from .problem_details import HttpProblem
from .request_tables import RequestTables

ScoreResponse = dict[str, Any]

OVERFLOW_DETAIL = (
    "expected amounts and durations that can be added up, got one that is too large; check its unit"
)


def prepare_for_serving(model: RegisteredBundle, threads: int) -> RegisteredBundle:
    """A model as requests are scored by: trees compiled, the machine's threads.

    Args:
        model: as it was registered.
        threads: of one request.
    """
    settings = model.bundle.settings
    settings = replace(settings, model=replace(settings.model, threads=threads))
    bundle = freeze_threshold(replace(model.bundle, settings=settings))
    return replace(model, bundle=with_compiled_trees(bundle))


def freeze_threshold(bundle: Bundle) -> Bundle:
    """The bundle with its capacity line as the training left it, for ever.

    A batch draws that line again by the flow of all groups (`thresholds_in_force`), of which the
    tables of one group know nothing.

    Args:
        bundle: the model.
    """
    thresholds = bundle.thresholds
    frozen = (LATEST.isoformat(), thresholds.pooled_at(LATEST))
    return replace(bundle, thresholds=replace(thresholds, schedule=(*thresholds.schedule, frozen)))


class Scorer:
    """What one worker scores with, one request at a time."""

    def __init__(self, settings: Settings) -> None:
        """Opens the worker's engine.

        Args:
            settings: the limits, and the language where a body names none.
        """
        self._settings = settings
        self._request_tables = RequestTables()

    def close(self) -> None:
        """Lets go of the engine."""
        self._request_tables.close()

    def score_body(self, body: bytes, model: RegisteredBundle) -> ScoreResponse:
        """The answer to a body.

        Args:
            body: JSON.
            model: of `prepare_for_serving`.

        Raises:
            HttpProblem: 422 for what is not one group's tables, or for a group that is not open.
        """
        api, explain = self._settings.api, self._settings.explain
        request = parse_group_tables(parse_body(body, api), api)
        try:
            language = load_language(request.language or explain.language, explain.languages_folder)
        except BadInput as error:
            raise HttpProblem(422, f"language: {error}") from None
        try:
            response = score_response(self._score_tables(request, model, language), model)
        except OverflowError:
            raise HttpProblem(422, OVERFLOW_DETAIL) from None
        columns = {name: rows.columns for name, rows in request.tables.items()}
        return {**response, "warnings": list(request_warnings(columns, model.bundle))}

    def _score_tables(
        self, request: GroupTables, model: RegisteredBundle, language: Any
    ) -> ScoreTables:
        bundle = model.bundle
        with self._request_tables.open_source(request) as source:
            source_features = prepare_source(source, bundle.settings)
            try:
                return score(
                    source_features,
                    bundle,
                    request.as_of,
                    model_version=model.version,
                    language=language,
                    group_ids=[request.group_id],
                )
            except BadInput:
                raise HttpProblem(422, _not_open_detail(request.as_of, bundle)) from None
            finally:
                source_features.query_runner.release()


def _not_open_detail(as_of: datetime, bundle: Bundle) -> str:
    closing_stages = (bundle.settings.target.stage, *bundle.settings.target.closed_stages)
    return (
        f"buying_group: expected a group that is open at {as_of:%Y-%m-%d %H:%M}: created before it,"
        f" without a stage event {', '.join(closing_stages[:-1])} or {closing_stages[-1]} "
        "before it, unless reopened "
        "since; choose another as_of"
    )


def score_response(scored: ScoreTables, model: RegisteredBundle) -> ScoreResponse:
    """The rows of one group as an answer tells them.

    Args:
        scored: of one group.
        model: that scored.
    """
    rows = {name: getattr(scored, name).to_pylist() for name in SCORE_SCHEMAS}
    return {
        "model": {"name": model.name, "version": model.version},
        "score": rows["scores"][0],
        "stakeholders": rows["stakeholders"],
        "themes": rows["themes"],
        "actions": rows["actions"],
        "horizons": rows["horizons"],
        "summary": rows["summaries"][0]["summary"],
    }
