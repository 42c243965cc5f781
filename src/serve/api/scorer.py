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
from ...model.registry import RegisteredBundle
from ...settings import Settings
from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreTables, score
from .body_parsing import parsed
from .group_tables import GroupTables, group_tables
from .problem_details import Refused
from .request_tables import Desk

Answer = dict[str, Any]

TOO_LARGE = (
    "expected amounts and durations that can be added up, got one that is too large; check its unit"
)


def made_ready(model: RegisteredBundle, threads: int) -> RegisteredBundle:
    """A model as requests are scored by: trees compiled, the machine's threads.

    Args:
        model: as it was registered.
        threads: of one request.
    """
    own = model.bundle.settings
    own = replace(own, model=replace(own.model, threads=threads))
    bundle = with_lines_held(replace(model.bundle, settings=own))
    return replace(model, bundle=with_compiled_trees(bundle))


def with_lines_held(bundle: Bundle) -> Bundle:
    """The bundle with its capacity line as the training left it, for ever.

    A batch draws that line anew by the flow of all groups (`thresholds_in_force`), of which the
    tables of one group know nothing.

    Args:
        bundle: the model.
    """
    lines = bundle.thresholds
    followed = (LATEST.isoformat(), lines.pooled_at(LATEST))
    return replace(bundle, thresholds=replace(lines, schedule=(*lines.schedule, followed)))


class Scorer:
    """What one worker scores with, one request at a time."""

    def __init__(self, settings: Settings) -> None:
        """Opens the worker's engine.

        Args:
            settings: the limits, and the language where a body names none.
        """
        self._settings = settings
        self._desk = Desk()

    def close(self) -> None:
        """Lets go of the engine."""
        self._desk.close()

    def answer(self, body: bytes, model: RegisteredBundle) -> Answer:
        """The answer to a body.

        Args:
            body: JSON.
            model: of `made_ready`.

        Raises:
            Refused: 422 for what is not one group's tables, or for a group that is not open.
        """
        api, explain = self._settings.api, self._settings.explain
        given = group_tables(parsed(body, api.max_depth), api)
        try:
            chosen = load_language(given.language or explain.language, explain.languages_folder)
        except BadInput as error:
            raise Refused(422, f"language: {error}") from None
        try:
            return told(self._scored(given, model, chosen), model)
        except OverflowError:
            raise Refused(422, TOO_LARGE) from None

    def _scored(self, given: GroupTables, model: RegisteredBundle, chosen: Any) -> ScoreTables:
        bundle = model.bundle
        with self._desk.laid_out(given) as source:
            prepared = prepare_source(source, bundle.settings)
            try:
                return score(
                    prepared, bundle, given.as_of, model_version=model.version, language=chosen,
                    group_ids=[given.group_id],
                )  # fmt: skip
            except BadInput:
                raise Refused(422, _not_open(given.as_of, bundle)) from None
            finally:
                prepared.query_runner.release()


def _not_open(as_of: datetime, bundle: Bundle) -> str:
    ends = (bundle.settings.target.stage, *bundle.settings.target.closed_stages)
    return (
        f"buying_group: expected a group that is open at {as_of:%Y-%m-%d %H:%M}: created before it,"
        f" without a stage event {', '.join(ends[:-1])} or {ends[-1]} before it, unless reopened "
        "since; choose another as_of"
    )


def told(scored: ScoreTables, model: RegisteredBundle) -> Answer:
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
