"""The report: static pages that open without a server and load only what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ...explain.language import Language
from ...explain.summaries import dated_summary
from ...model.bundle import Bundle
from ...source import Source
from ...support.atomic_output import replaced_folder
from ...support.progress import Progress, no_progress
from ..batch.names import read_names
from ..batch.scoring import ScoreTables
from .content_security_policy import PAGE_POLICY
from .group_page import group_pages
from .model_page import model_page
from .portfolio import MAX_PAGES, Portfolio, portfolio
from .score_changes import index_earlier_scores
from .training_record import TrainingRecord

INDEX, MODEL_PAGE, GROUPS_FOLDER = "index.html", "model.html", "groups"
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
    return name in {INDEX, MODEL_PAGE, GROUPS_FOLDER, *ASSETS}


def write_report(
    scored: ScoreTables,
    source: Source,
    bundle: Bundle,
    out: Path,
    *,
    language: Language,
    figures: pd.DataFrame | None = None,
    record: TrainingRecord | None = None,
    before: ScoreTables | None = None,
    pages: int = MAX_PAGES,
    progress: Progress = no_progress,
) -> Path:
    """Writes the portfolio, a page for each of the readiest groups, and the model's page.

    Reasons and actions stand as `mqbg score` wrote them; everything else is in `language`.

    Args:
        scored: the three tables, of one cut-off.
        source: gives names and titles, and what members did.
        bundle: the model that made the scores.
        out: a new folder, or an earlier report, which gives way at the end.
        language: the language.
        figures: of the training, as `train.evaluation.evaluate` returns them; those of the record
            if None.
        record: what the registry keeps of the training; None where it cannot be read.
        before: the tables of an earlier cut-off, to say what changed.
        pages: this many groups have a page of their own.
        progress: called with a label and the share done.

    Returns:
        The path of the first page.

    Raises:
        BadInput: there are no scores, the source or the model is not theirs, the earlier scores
            are not of an earlier cut-off, or `out` holds something else.
    """
    names = read_names(scored, source)
    overview = portfolio(scored, names, language, pages=pages)
    earlier = None
    if before is not None:
        earlier = index_earlier_scores(before, overview.as_of)
        overview = portfolio(scored, names, language, earlier=earlier.scores, pages=pages)
    shown = overview.listed_groups[: overview.pages]
    model = model_page(bundle, figures, record, overview.lowest_threshold, language)
    render = _renderer(language, overview)
    with replaced_folder(out, is_report_file) as staging:
        (staging / GROUPS_FOLDER).mkdir()
        for name in ASSETS:
            _write(staging / name, _asset(name))
        _write(staging / INDEX, render("index.html", here=INDEX))
        _write(staging / MODEL_PAGE, render("model.html", here=MODEL_PAGE, **model))
        neighbours = list(pairwise([None, *shown, None]))
        rendered = group_pages(shown, scored, source, bundle, names, earlier)
        for index, page in enumerate(rendered):
            progress("report", index / len(shown))
            links = {"previous": neighbours[index][0], "next": neighbours[index + 1][1]}
            text = render("group.html", here=GROUPS_FOLDER, page=page, names=names, **links)
            _write(staging / GROUPS_FOLDER / str(page.group.page), text)
        progress("report", 1.0)
    return out / INDEX


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _asset(name: str) -> str:
    text = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # the same bytes whatever the checkout did


def _renderer(language: Language, overview: Portfolio) -> Callable[..., str]:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = language.formats
    environment.filters |= formats.filters | {
        "percent": _or_dash(formats.percent),
        "decimal": _or_dash(formats.decimal),
    }
    environment.tests["known_status"] = COLOURED_STATUSES.__contains__
    environment.globals |= {
        "language": language,
        "dated_summary": dated_summary,
        "label": language.word_tables["labels"],
        "portfolio": overview,
        "policy": PAGE_POLICY,
        "index": INDEX,
        "model": MODEL_PAGE,
        "groups": GROUPS_FOLDER,
        "nothing": DASH,
        "statuses": COLOURED_STATUSES,
    }

    def render(template: str, *, here: str, **values: Any) -> str:
        root = "../" if here == GROUPS_FOLDER else ""
        return environment.get_template(template).render(values, here=here, root=root)

    return render


def _or_dash(format_value: Callable[..., str]) -> Callable[..., str]:
    """A format that writes a value that is not there as a dash."""
    return lambda value, *given: DASH if value is None else format_value(value, *given)
