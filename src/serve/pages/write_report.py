"""The report: static pages that open without a server and load only what lies beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ...explain.language import Language
from ...explain.summaries import dated_summary
from ...model.bundle import Bundle
from ...model.model_source import page_settings
from ...settings import Settings
from ...source import Source
from ...support.atomic_output import replaced_folder
from ...support.progress import Progress, no_progress
from ..batch.names import Names, read_names
from ..batch.score_history import NO_HISTORY, ScoreHistory
from ..batch.scoring import ScoreTables
from .compiled_templates import CompiledTemplates
from .content_security_policy import PAGE_POLICY
from .group_page import group_pages
from .model_page import model_page
from .notices import Notices, notices
from .portfolio import MAX_PAGES, Portfolio, portfolio, require_one_cutoff
from .portfolio_files import (
    CSV_FILE,
    DATA_FILE,
    change_words,
    portfolio_csv,
    portfolio_data,
    row_values,
)
from .score_changes import EarlierScores, index_earlier_scores
from .suggestions import Suggestions, read_suggestions
from .training_record import TrainingRecord

INDEX, MODEL_PAGE, GROUPS_FOLDER = "index.html", "model.html", "groups"
LANGUAGE_FOLDER = "lang-"  # and the code of a further language
FIRST_ROWS = 100
"""Rows that the first page itself holds; the script renders the others from `DATA_FILE`."""
ASSETS = ("style.css", "pages.js")
"""Files that every page loads."""

DASH = "\N{EN DASH}"
COLOURED_STATUSES = (
    "nurture",
    "qualified",
    "accepted",
    "rejected",
    "recycled",
)  # those with a colour


def is_report_file(name: str) -> bool:
    """Whether a file's name is one that `write_report` writes."""
    own = {INDEX, MODEL_PAGE, GROUPS_FOLDER, DATA_FILE, CSV_FILE, *ASSETS}
    return name in own or name.startswith(LANGUAGE_FOLDER)


def write_report(
    scored: ScoreTables,
    source: Source,
    bundle: Bundle,
    out: Path,
    *,
    language: Language,
    more_languages: Sequence[Language] = (),
    figures: pd.DataFrame | None = None,
    record: TrainingRecord | None = None,
    before: ScoreTables | None = None,
    history: ScoreHistory = NO_HISTORY,
    facts: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    pages: int = MAX_PAGES,
    progress: Progress = no_progress,
) -> Path:
    """Writes the portfolio, a page for each of the readiest groups, and the model's page.

    Every text is written from the stored facts, so the language need not be that of the scoring.
    Each further language has the same pages in a folder of its own, and a switch leads to them.

    Args:
        scored: the three tables, of one cut-off.
        source: gives names and titles, and what members did.
        bundle: the model that made the scores.
        out: a new folder, or an earlier report, which gives way at the end.
        language: of the pages in `out` itself.
        more_languages: further languages, each in a folder named after its code.
        figures: of the training, as `train.evaluation.evaluate` returns them; those of the record
            if None.
        record: what the registry keeps of the training; None where it cannot be read.
        before: the tables of an earlier cut-off, to say what changed.
        history: of the groups in the store's runs.
        facts: what `mqbg score` kept of the run, for the notice on every page.
        settings: of the user, for steps and states; None takes those of the model.
        pages: this many groups have a page of their own.
        progress: called with a label and the share done.

    Returns:
        The path of the first page.

    Raises:
        BadInput: there are no scores, the source or the model is not theirs, the earlier scores
            are not of an earlier cut-off, the import's suggestions are damaged, or `out` holds
            something else.
    """
    names = read_names(scored, source)
    as_of = require_one_cutoff(scored, "report")
    earlier = None if before is None else index_earlier_scores(before, as_of)
    languages = (language, *(one for one in more_languages if one.code != language.code))
    if settings is not None:
        bundle = replace(bundle, settings=page_settings(bundle, settings))
    suggestions = read_suggestions(source)
    report = _Report(
        scored, source, bundle, names, earlier, history, languages, facts or {}, pages, suggestions
    )
    with replaced_folder(out, is_report_file) as staging:
        for name in ASSETS:
            _write(staging / name, _asset(name))
        for place, one in enumerate(languages):
            folder = staging if place == 0 else staging / f"{LANGUAGE_FOLDER}{one.code}"
            folder.mkdir(exist_ok=True)

            def progressed(share: float, place: int = place) -> None:
                progress("report", (place + share) / len(languages))

            report.write(folder, one, figures, record, progressed)
        progress("report", 1.0)
    return out / INDEX


@dataclass(frozen=True)
class _Report:
    """What the pages of every language are made from."""

    scored: ScoreTables
    source: Source
    bundle: Bundle
    names: Names
    earlier: EarlierScores | None
    history: ScoreHistory
    languages: tuple[Language, ...]
    facts: Mapping[str, Any]
    pages: int
    suggestions: Suggestions

    def write(
        self,
        folder: Path,
        language: Language,
        figures: pd.DataFrame | None,
        record: TrainingRecord | None,
        progressed: Callable[[float], None],
    ) -> None:
        """Writes the pages of one language into an existing folder."""
        overview = portfolio(
            self.scored,
            self.names,
            language,
            earlier=None if self.earlier is None else self.earlier.scores,
            history=self.history,
            states=self.bundle.settings.states,
            pages=self.pages,
        )
        model = model_page(self.bundle, figures, record, overview.lowest_threshold, language)
        said = notices(self.facts, language, measured=self.bundle.measured)
        render = _renderer(language, overview, self.languages, said)
        _write(folder / INDEX, render("index.html", here=INDEX))
        _write(folder / DATA_FILE, portfolio_data(overview, language))
        _write(folder / CSV_FILE, portfolio_csv(overview, language))
        _write(folder / MODEL_PAGE, render("model.html", here=MODEL_PAGE, **model))
        (folder / GROUPS_FOLDER).mkdir()
        shown = [group for group in overview.listed_groups if group.page]
        neighbours = list(pairwise([None, *shown, None]))
        rendered = group_pages(
            shown, self.scored, self.source, self.bundle, self.names, language, self.earlier,
            self.history,
        )  # fmt: skip
        for index, page in enumerate(rendered):
            progressed(index / len(shown))
            links = {"previous": neighbours[index][0], "next": neighbours[index + 1][1]}
            days = self.bundle.settings.target.horizon_days
            text = render(
                "group.html",
                here=GROUPS_FOLDER,
                file=f"{GROUPS_FOLDER}/{page.group.page}",
                page=page,
                days=days,
                names=self.names,
                suggestions=self.suggestions,
                **links,
            )
            _write(folder / GROUPS_FOLDER / str(page.group.page), text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _asset(name: str) -> str:
    text = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # the same bytes whatever the checkout did


def _renderer(
    language: Language,
    overview: Portfolio,
    languages: Sequence[Language],
    said: Notices,
) -> Callable[..., str]:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=CompiledTemplates(),
    )
    formats = language.formats
    environment.filters |= formats.filters | {
        "percent": _or_dash(formats.percent),
        "decimal": _or_dash(formats.decimal),
    }
    environment.tests["known_status"] = COLOURED_STATUSES.__contains__
    environment.globals |= {
        "language": language,
        "languages": languages,
        "row_values": row_values,
        "change_words": change_words,
        "first_rows": FIRST_ROWS,
        "data_file": DATA_FILE,
        "csv_file": CSV_FILE,
        "dated_summary": dated_summary,
        "label": language.word_tables["labels"],
        "notices": said,
        "portfolio": overview,
        "policy": PAGE_POLICY,
        "index": INDEX,
        "model": MODEL_PAGE,
        "groups": GROUPS_FOLDER,
        "nothing": DASH,
        "statuses": COLOURED_STATUSES,
    }

    main = language is languages[0]

    def render(template: str, *, here: str, file: str = "", **values: Any) -> str:
        own = "../" if here == GROUPS_FOLDER else ""  # to this language's folder
        root = own if main else f"{own}../"  # to the folder of the report
        switch = [(one, f"{root}{_folder(one, languages)}{file or here}") for one in languages]
        return environment.get_template(template).render(
            values, here=here, own=own, root=root, switch=switch
        )

    return render


def _folder(language: Language, languages: Sequence[Language]) -> str:
    """Where the pages of a language lie within the report."""
    return "" if language is languages[0] else f"{LANGUAGE_FOLDER}{language.code}/"


def _or_dash(format_value: Callable[..., str]) -> Callable[..., str]:
    """A format that writes a value that is not there as a dash."""
    return lambda value, *given: DASH if value is None else format_value(value, *given)
