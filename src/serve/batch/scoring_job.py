"""A scoring job: a checked source, a registered model, a language."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ...contract import BadInput
from ...explain.language import Language, load_language
from ...explain.shapley.valuation import with_compiled_trees
from ...features.tables.feature_source import FeatureSource
from ...features.time_rules.changed_groups import changed_groups
from ...features.time_rules.eligible_groups import eligible_groups
from ...model.bundle import Bundle
from ...model.data_fit import DataFit, data_fit, require_fit, unmeasured_note
from ...model.model_source import checked_source_for, model_settings, prepare_for_model
from ...model.registry import CHAMPION, RegisteredBundle, load_registered_bundle
from ...settings import Settings
from ...source import Source
from ...support.progress import Progress, no_progress
from .capacity_at_night import CapacityAtNight, capacity_at_night
from .incremental import empty_score_tables, merge_scores
from .night_decisions import NOTHING_DECIDED, NightDecision
from .scoring import ScoreTables, score

logger = logging.getLogger(__name__)
MAX_ID_LENGTH = 60  # characters of an id that a message repeats


@dataclass(frozen=True)
class ScoringJob:
    """Everything that scoring needs, opened."""

    source: FeatureSource
    model: RegisteredBundle
    language: Language
    progress: Progress
    force: bool = False

    def check_fit(self, as_of: datetime, command: str) -> DataFit:
        """What of the data the model does not know at a cut-off; logged as well.

        Raises:
            BadInput: most roles or kinds are unknown to it, and the job is not forced.
        """
        fit = data_fit(self.source, self.bundle, as_of)
        require_fit(fit, command, force=self.force)
        if note := unmeasured_note(self.bundle):
            logger.warning("%s", note)
        return fit

    def facts(self, as_of: datetime, fit: DataFit) -> dict[str, Any]:
        """What is to be said of a run as a whole, as plain values.

        Args:
            as_of: the cut-off.
            fit: of `check_fit`.

        Returns:
            as_of; model: name, version, measured (whether conversions stand behind a readiness),
            conversions (groups that it learned from) and note (what is to be said where it is not
            measured, else None); data_fit: of `DataFit.values`; forced.
        """
        return {
            "as_of": as_of.isoformat(),
            "model": {
                "name": self.model.name,
                "version": self.model.version,
                "measured": self.bundle.measured,
                "conversions": self.bundle.blend.effective_conversions,
                "note": unmeasured_note(self.bundle),
            },
            "data_fit": fit.values(),
            "forced": self.force,
        }

    @property
    def bundle(self) -> Bundle:
        """The model's bundle."""
        return self.model.bundle

    def capacity(self) -> CapacityAtNight | None:
        """What sales can take by the model's settings; None where its thresholds follow nothing."""
        return capacity_at_night(self.source, self.bundle)

    def score(
        self,
        as_of: datetime,
        group_ids: Sequence[str] | None = None,
        decisions: Mapping[str, NightDecision] = NOTHING_DECIDED,
    ) -> ScoreTables:
        """Scores the groups that are open at a cut-off, or some of them (see `scoring.score`)."""
        return score(
            self.source,
            self.bundle,
            as_of,
            model_version=self.model.version,
            language=self.language,
            group_ids=group_ids,
            decisions=decisions,
            progress=self.progress,
        ).tables()

    def score_changed(self, as_of: datetime, since: datetime, earlier: ScoreTables) -> ScoreTables:
        """Scores a cut-off from the scores of an earlier one; equal to `score`.

        Args:
            as_of: the cut-off.
            since: the earlier cut-off.
            earlier: the scores at it, by the same model in the same language.
        """
        changed = changed_groups(self.source, since, as_of)
        if changed is None:
            return self.score(as_of)
        groups = eligible_groups(self.source.tables, self.source.settings, as_of)
        ids = groups.filter(groups.group_id.isin(changed.to_pylist())).group_id
        still_open = ids.to_pyarrow().to_pylist() if len(changed) else []
        recomputed = self.score(as_of, still_open) if still_open else empty_score_tables()
        return merge_scores(earlier, recomputed, changed, as_of)

    def require_open_group(
        self, group_id: str, as_of: datetime, option: str = "--as-of"
    ) -> tuple[str, str]:
        """Names of the account and the solution of a group that is open at a cut-off.

        Raises:
            BadInput: there is no such group, or it is not open then.
        """
        tables = self.source.tables
        groups = tables["buying_groups"]
        found = groups.filter(groups.group_id == group_id).to_pyarrow().to_pylist()
        if not found:
            known_ids = groups.select("group_id").to_pyarrow()["group_id"].to_pylist()
            shown_id = (
                group_id if len(group_id) <= MAX_ID_LENGTH else group_id[:MAX_ID_LENGTH] + "..."
            )
            suggestions = difflib.get_close_matches(shown_id, known_ids, n=3) or known_ids[:3]
            raise BadInput(
                f"explain: expected the group_id of a buying group, got {shown_id!r}, which is not "
                f"in buying_groups; there are {', '.join(map(repr, suggestions))}, for instance"
            )
        group = found[0]
        eligible = eligible_groups(tables, self.source.settings, as_of)
        if not eligible.filter(eligible.group_id == group_id).count().to_pyarrow().as_py():
            raise BadInput(
                f"explain: expected a group that is open at {as_of:%Y-%m-%d %H:%M}, but "
                f"{group_id!r} was {self._why_closed(group_id, group['created_at'], as_of)}; "
                f"choose another {option}"
            )
        return (
            self._record_name("accounts", "account_id", group["account_id"]),
            self._record_name("solutions", "solution_id", group["solution_id"]),
        )

    def _why_closed(self, group_id: str, created_at: datetime, as_of: datetime) -> str:
        if created_at >= as_of:
            return f"created at {created_at:%Y-%m-%d %H:%M}"
        events = self.source.tables["stage_events"]
        target = self.source.settings.target
        ends = events.stage.isin([target.stage, *target.closed_stages])
        closing_events = events.filter(
            events.group_id == group_id, events.occurred_at < as_of, ends
        )
        last = closing_events.to_pyarrow().sort_by("occurred_at").to_pylist()[-1]
        return f"already {last['stage']} at {last['occurred_at']:%Y-%m-%d %H:%M}"

    def contact_names(self, contact_ids: Sequence[str]) -> dict[str, str]:
        """What to call each contact."""
        contacts = self.source.tables["contacts"]
        found = contacts.filter(contacts.contact_id.isin(list(contact_ids)))
        rows = found.select("contact_id", "full_name").to_pyarrow().to_pylist()
        return {
            row["contact_id"]: self.language.contact_name(row["full_name"], row["contact_id"])
            for row in rows
        }

    def _record_name(self, table: str, key: str, value: str) -> str:
        rows = self.source.tables[table]
        return str(rows.filter(rows[key] == value).select("name").to_pyarrow()["name"][0].as_py())


@contextmanager
def scoring_job(
    data: str | Path,
    settings: Settings,
    *,
    progress: Progress,
    version: str = CHAMPION,
    language_code: str | None = None,
    quarantine: Path | None = None,
    engine: str = "duckdb",
    force: bool = False,
) -> Iterator[ScoringJob]:
    """Opens a job. The model's own settings define the features; ours the machine and the words.

    Args:
        data: the source.
        settings: `model.registered_name`, `model.threads` and the language are read.
        progress: called with a label and the share done.
        version: of the model.
        language_code: overrides the settings.
        quarantine: see `checked_source`.
        engine: see `on_engine`.
        force: score data that the model hardly knows.

    Raises:
        BadInput: the data, the model or the language is not what it must be.
    """
    language = load_language(
        language_code or settings.explain.language, settings.explain.languages_folder
    )
    model = load_registered_bundle(settings.model.registered_name, version)
    with checked_source_for(data, model.bundle, settings, quarantine, engine) as source:
        yield job_on(source, model, settings, language, progress, force)


def job_on(
    source: Source,
    model: RegisteredBundle,
    settings: Settings,
    language: Language,
    progress: Progress = no_progress,
    force: bool = False,
) -> ScoringJob:
    """A job on a source that is open already; see `scoring_job`."""
    own_settings = model_settings(model.bundle, settings)
    fast = with_compiled_trees(replace(model.bundle, settings=own_settings))
    prepared = prepare_for_model(source, model.bundle, settings)
    return ScoringJob(prepared, replace(model, bundle=fast), language, progress, force)
