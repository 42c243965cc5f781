"""Groups' tables to their answers, by the batch's own `score`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from ...contract import LATEST, BadInput
from ...explain.language import Language, load_language
from ...explain.shapley.valuation import with_compiled_trees
from ...features.engines.arrow import ArrowEngine
from ...features.tables.feature_source import prepare_source
from ...model.bundle import Bundle
from ...model.registry import RegisteredBundle
from ...settings import Settings
from ...source import Source
from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreRows, score
from .body_parsing import parse_body
from .checked_tables import CheckedTables
from .examples import REQUEST
from .group_tables import (
    GROUPS_KEY,
    OPTION_KEYS,
    GroupTables,
    parse_group_list,
    parse_group_tables,
)
from .listed_groups import ListedGroups, read_listed_groups
from .merged_groups import merge_groups, mergeable_runs
from .problem_details import HttpProblem
from .request_tables import RequestTables
from .responses import encode_json, instant_text
from .split_body import begins_with_groups
from .unknown_names import list_warnings, name_warnings

logger = logging.getLogger(__name__)
ScoreResponse = dict[str, Any]
Rows = Mapping[str, list[dict[str, Any]]]
"""Rows of the tables of a run, by name."""

LONG_BODY_BYTES = 1_000_000
"""From about this length on, some 25 groups, a list is read and scored faster by columns."""

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
        self._listed_tables = CheckedTables(ArrowEngine())

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
        if begins_with_groups(body):
            return list_answer(self.score_list(body, model), model)
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
        if len(body) >= LONG_BODY_BYTES and (listed := self._read_listed_groups(body)):
            return self._score_listed(listed, model)
        return self._score_groups(parse_body(body, self._settings.api), model)

    def warm_up(self, model: RegisteredBundle) -> None:
        """Scores the example of the API's description, by itself and as a list.

        What is compiled or read once is so from then on.

        Args:
            model: of `prepare_for_serving`.
        """
        with suppress(HttpProblem):  # a model of other words may refuse the example
            self.score_body(encode_json(REQUEST), model)
        group = {key: part for key, part in REQUEST.items() if key not in OPTION_KEYS}
        example = encode_json({"as_of": REQUEST["as_of"], GROUPS_KEY: [group]})
        if listed := self._read_listed_groups(example):
            self._score_listed(listed, model)

    def _read_listed_groups(self, body: bytes) -> ListedGroups | None:
        convert_times = self._request_tables.convert_times
        return read_listed_groups(body, self._settings.api, convert_times)

    def _score_listed(self, listed: ListedGroups, model: RegisteredBundle) -> list[bytes]:
        """As `_score_groups`, all of them together."""
        language = self._language(listed.language)
        source = self._listed_tables.open_source(listed.tables, listed.populations)
        try:
            scored = self._score_source(source, listed.as_of, listed.ids, model, language)
        except (HttpProblem, pa.ArrowException) as error:
            if isinstance(error, pa.ArrowException):  # nobody expected it; the careful way answers
                logger.warning("a list was not scored by columns: %s", type(error).__name__)
            # One of them cannot be scored: each is looked at by itself.
            groups = [listed.group_tables(place) for place in range(len(listed.group_ids))]
            return self._score_all(groups, model, language)
        warnings = list_warnings(listed, model.bundle)
        return _marked_answers(scored, listed.as_of, listed.marks, listed.ids, warnings, model)

    def _score_groups(self, root: Mapping[str, Any], model: RegisteredBundle) -> list[bytes]:
        """One answer for each group, in their order: its scores, or why it has none."""
        requests = parse_group_list(root, self._settings.api)
        groups = [request for request in requests if isinstance(request, GroupTables)]
        scored = iter(self._score_all(groups, model, self._language(root.get("language"))))
        return [
            next(scored) if isinstance(request, GroupTables) else _refusal(request)
            for request in requests
        ]

    def _score_all(
        self, groups: Sequence[GroupTables], model: RegisteredBundle, language: Language
    ) -> list[bytes]:
        """One answer for each group that could be read, as many of them together as can be."""
        answers: dict[int, bytes] = {}
        for run_places in mergeable_runs(groups):
            run = [groups[place] for place in run_places]
            answers |= zip(run_places, self._score_run(run, model, language), strict=True)
        return [answers[place] for place in range(len(groups))]

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
        source = self._request_tables.open_source(tables)
        scored = self._score_source(source, merged.as_of, ids, model, language)
        warnings = [name_warnings(request, model.bundle) for request in run]
        return _marked_answers(scored, merged.as_of, merged.marks, ids, warnings, model)

    def _score_one(
        self, request: GroupTables, model: RegisteredBundle, language: Language
    ) -> ScoreResponse:
        ids = {request.group_id: request.group_id}
        source, as_of = self._request_tables.open_source(request), request.as_of
        scored = self._score_source(source, as_of, ids, model, language)
        return score_response(
            _json_rows(scored, as_of), model, name_warnings(request, model.bundle)
        )

    def _language(self, name: str | None) -> Language:
        explain = self._settings.explain
        try:
            return load_language(name or explain.language, explain.languages_folder)
        except BadInput as error:
            raise HttpProblem(422, f"language: {error}") from None

    def _score_source(
        self,
        source: AbstractContextManager[Source],
        as_of: datetime,
        ids: Mapping[str, str],
        model: RegisteredBundle,
        language: Language,
    ) -> ScoreRows:
        """Scores groups; `ids` are those in the tables, and what their senders call them.

        Raises:
            HttpProblem: 422 where a row breaks the contract, and where none of them is open.
        """
        bundle = model.bundle
        try:
            with source as opened:
                features = prepare_source(opened, bundle.settings)
                try:
                    return score(
                        features,
                        bundle,
                        as_of,
                        model_version=model.version,
                        language=language,
                        group_ids=list(ids),
                        stream_ids=ids,
                    )
                except BadInput:
                    raise _not_open(as_of, bundle) from None
                finally:
                    features.query_runner.release()
        except OverflowError:
            raise HttpProblem(422, OVERFLOW_DETAIL) from None


def _marked_answers(
    scored: ScoreRows,
    as_of: datetime,
    marks: Sequence[str],
    ids: Mapping[str, str],
    warnings: Sequence[Sequence[str]],
    model: RegisteredBundle,
) -> list[bytes]:
    """The answers to groups that were scored together, without the marks of their ids."""
    rows = _rows_by_group(scored, as_of)
    answers = []
    for group_id, mark, of_group in zip(ids, marks, warnings, strict=True):
        own = rows.get(group_id)
        if own is None:
            answers.append(_refusal(_not_open(as_of, model.bundle)))
        else:
            own["scores"][0]["rank"] = 1  # among those scored together, of which it knows none
            answer = score_response(own, model, of_group)
            answers.append(encode_json(answer).replace(mark.encode(), b""))
    return answers


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
