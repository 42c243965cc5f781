"""Groups' tables to their answers, by the batch's own `score`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ...contract import LATEST, BadInput
from ...explain.language import Language, load_language
from ...explain.shapley.valuation import with_compiled_trees
from ...features.tables.feature_source import prepare_source
from ...model.bundle import Bundle
from ...model.registry import RegisteredBundle
from ...settings import Settings
from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreRows, score
from .body_parsing import parse_body
from .group_tables import (
    GROUPS_KEY,
    GroupTables,
    parse_group_list,
    parse_group_tables,
)
from .merged_groups import merge_groups, mergeable_runs
from .problem_details import HttpProblem
from .request_tables import RequestTables
from .responses import encode_json, instant_text
from .unknown_names import name_warnings

ScoreResponse = dict[str, Any]
Rows = Mapping[str, list[dict[str, Any]]]
"""Rows of the tables of a run, by name."""

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
    """The bundle with its capacity threshold as the training left it, for ever.

    A batch draws that threshold again by the flow of all groups (`thresholds_in_force`), of which
    the tables of one group know nothing.

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

    def score_body(self, body: bytes, model: RegisteredBundle) -> bytes:
        """The answer to a body, as JSON.

        Args:
            body: JSON, of one group or with a list of groups.
            model: of `prepare_for_serving`.

        Raises:
            HttpProblem: 422 for what is neither, or for one group that cannot be scored.
        """
        root = parse_body(body, self._settings.api)
        if GROUPS_KEY in root:
            return list_answer(self._score_groups(root, model), model)
        request = parse_group_tables(root, self._settings.api)
        return encode_json(self._score_one(request, model, self._language(request.language)))

    def score_list(self, body: bytes, model: RegisteredBundle) -> list[bytes]:
        """The answers to the groups of a list, as JSON: of all of them `list_answer` makes one.

        Args:
            body: JSON, with a list of groups.
            model: of `prepare_for_serving`.

        Raises:
            HttpProblem: 422 for another body.
        """
        return self._score_groups(parse_body(body, self._settings.api), model)

    def _score_groups(self, root: Mapping[str, Any], model: RegisteredBundle) -> list[bytes]:
        """One answer for each group, in their order: its scores, or why it has none."""
        requests = parse_group_list(root, self._settings.api)
        groups = [request for request in requests if isinstance(request, GroupTables)]
        language = self._language(root.get("language"))
        answers: dict[int, bytes] = {}
        for run_places in mergeable_runs(groups):
            run = [groups[place] for place in run_places]
            answers |= zip(run_places, self._score_run(run, model, language), strict=True)
        scored = iter(answers[place] for place in range(len(groups)))
        return [
            next(scored) if isinstance(request, GroupTables) else _refusal(request)
            for request in requests
        ]

    def _score_run(
        self, run: list[GroupTables], model: RegisteredBundle, language: Language
    ) -> list[bytes]:
        """Scores groups together; where one of them cannot be scored, each half by itself."""
        if len(run) == 1:
            try:
                return [encode_json(self._score_one(run[0], model, language))]
            except HttpProblem as problem:
                return [_refusal(problem)]
        try:
            return self._score_merged(run, model, language)
        except HttpProblem:
            middle = len(run) // 2
            return [
                *self._score_run(run[:middle], model, language),
                *self._score_run(run[middle:], model, language),
            ]

    def _score_merged(
        self, run: list[GroupTables], model: RegisteredBundle, language: Language
    ) -> list[bytes]:
        merged = merge_groups(run)
        tables = GroupTables(merged.as_of, None, "", merged.tables, populations=merged.populations)
        ids = {
            marked: request.group_id for marked, request in zip(merged.group_ids, run, strict=True)
        }
        scored = self._score_tables(tables, ids, model, language)
        rows = _rows_by_group(scored, merged.as_of)
        answers = []
        for request, group_id, mark in zip(run, merged.group_ids, merged.marks, strict=True):
            own = rows.get(group_id)
            if own is None:
                answers.append(_refusal(_not_open(request.as_of, model.bundle)))
            else:
                own["scores"][0]["rank"] = 1  # among those scored together, of which it knows none
                answer = score_response(own, model, name_warnings(request, model.bundle))
                answers.append(encode_json(answer).replace(mark.encode(), b""))
        return answers

    def _score_one(
        self, request: GroupTables, model: RegisteredBundle, language: Language
    ) -> ScoreResponse:
        ids = {request.group_id: request.group_id}
        scored = self._score_tables(request, ids, model, language)
        as_of = request.as_of
        return score_response(
            _json_rows(scored, as_of), model, name_warnings(request, model.bundle)
        )

    def _language(self, name: str | None) -> Language:
        explain = self._settings.explain
        try:
            return load_language(name or explain.language, explain.languages_folder)
        except BadInput as error:
            raise HttpProblem(422, f"language: {error}") from None

    def _score_tables(
        self,
        request: GroupTables,
        ids: Mapping[str, str],
        model: RegisteredBundle,
        language: Language,
    ) -> ScoreRows:
        """Scores groups; `ids` are those in the tables, and what their senders call them."""
        try:
            return self._score_checked_tables(request, ids, model, language)
        except OverflowError:
            raise HttpProblem(422, OVERFLOW_DETAIL) from None

    def _score_checked_tables(
        self,
        request: GroupTables,
        ids: Mapping[str, str],
        model: RegisteredBundle,
        language: Language,
    ) -> ScoreRows:
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
                    group_ids=list(ids),
                    stream_ids=ids,
                )
            except BadInput:
                raise _not_open(request.as_of, bundle) from None
            finally:
                source_features.query_runner.release()


def _refusal(problem: HttpProblem) -> bytes:
    return encode_json({"error": problem.detail})


def _rows_by_group(scored: ScoreRows, as_of: datetime) -> dict[str, Rows]:
    """The rows of each group, table by table."""
    tables = _json_rows(scored, as_of)
    found: dict[str, Rows] = {
        row["group_id"]: {name: [] for name in SCORE_SCHEMAS} for row in tables["scores"]
    }
    for name, rows in tables.items():
        for row in rows:
            found[row["group_id"]][name].append(row)
    return found


def _json_rows(scored: ScoreRows, as_of: datetime) -> Rows:
    """Rows whose cut-off is a text already: to write it in every row takes as long as the rest."""
    tables = {name: getattr(scored, name) for name in SCORE_SCHEMAS if name != "themes"}
    tables["themes"] = scored.themes.to_pylist()
    text = instant_text(as_of)
    for rows in tables.values():
        for row in rows:
            row["as_of"] = text
    return tables


def _not_open(as_of: datetime, bundle: Bundle) -> HttpProblem:
    return HttpProblem(422, _not_open_detail(as_of, bundle))


def _not_open_detail(as_of: datetime, bundle: Bundle) -> str:
    closing_stages = (bundle.settings.target.stage, *bundle.settings.target.closed_stages)
    return (
        f"buying_group: expected a group that is open at {as_of:%Y-%m-%d %H:%M}: created before it,"
        f" without a stage event {', '.join(closing_stages[:-1])} or {closing_stages[-1]} "
        "before it, unless reopened "
        "since; choose another as_of"
    )


def list_answer(answers: Iterable[bytes], model: RegisteredBundle) -> bytes:
    """The answer to a list of groups, as JSON.

    Args:
        answers: to each of them.
        model: that scored.
    """
    head = encode_json({"model": {"name": model.name, "version": model.version}})
    return b"".join((head[:-1], b', "groups": [', b", ".join(answers), b"]}"))


def score_response(
    rows: Rows, model: RegisteredBundle, warnings: Sequence[str] = ()
) -> ScoreResponse:
    """The rows of one group as an answer tells them.

    Args:
        rows: of one group, by table.
        model: that scored.
        warnings: what of the tables the model does not know.
    """
    return {
        "model": {"name": model.name, "version": model.version},
        "score": rows["scores"][0],
        "stakeholders": rows["stakeholders"],
        "themes": rows["themes"],
        "actions": rows["actions"],
        "horizons": rows["horizons"],
        "summary": rows["summaries"][0]["summary"],
        "warnings": list(warnings),
    }
