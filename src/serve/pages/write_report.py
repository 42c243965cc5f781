"""The report: static pages that open without a server and load only what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ...explain.language import Words
from ...model.bundle import Bundle
from ...source import Source
from ...support.atomic_output import replaced_folder
from ..batch.names import names_of
from ..batch.scoring import Scored
from .content_security_policy import IN_PAGES
from .group_page import group_pages
from .model_page import model_page
from .portfolio import MAX_PAGES, Portfolio, portfolio
from .score_changes import earlier_scores
from .training_record import Record

INDEX, MODEL, GROUPS = "index.html", "model.html", "groups"
BESIDE = ("style.css", "pages.js")
"""Files that every page loads."""

NOTHING = "\N{EN DASH}"
STATUSES = ("nurture", "qualified", "accepted", "rejected", "recycled")  # those with a colour
Progress = Callable[[str, float], None]


def is_ours(name: str) -> bool:
    """Whether a file's name is one that `write_report` writes."""
    return name in {INDEX, MODEL, GROUPS, *BESIDE}


def write_report(
    scored: Scored,
    source: Source,
    bundle: Bundle,
    out: Path,
    *,
    words: Words,
    figures: pd.DataFrame | None = None,
    record: Record | None = None,
    before: Scored | None = None,
    pages: int = MAX_PAGES,
    progress: Progress = lambda _label, _share: None,
) -> Path:
    """Writes the portfolio, a page for each of the readiest groups, and the model's page.

    Reasons and actions stand as `mqbg score` wrote them; everything else is in `words`.

    Args:
        scored: the three tables, of one cut-off.
        source: gives names and titles, and what members did.
        bundle: the model that made the scores.
        out: a new folder, or an earlier report, which gives way at the end.
        words: the language.
        figures: of the training, as `train.evaluation.evaluate` returns them; those of the record
            if None.
        record: what the registry keeps of the training; None where it cannot be read.
        before: the tables of an earlier cut-off, to say what changed.
        pages: so many groups have a page of their own.
        progress: called with a label and the share done.

    Returns:
        The path of the first page.

    Raises:
        BadInput: there are no scores, the source or the model is not theirs, the earlier scores
            are not of an earlier cut-off, or `out` holds something else.
    """
    names = names_of(scored, source)
    overview = portfolio(scored, names, words, pages=pages)
    earlier = None
    if before is not None:
        earlier = earlier_scores(before, overview.as_of)
        overview = portfolio(scored, names, words, earlier=earlier.scores, pages=pages)
    shown = overview.lines[: overview.pages]
    model = model_page(bundle, figures, record, overview.loosest, words)
    render = _renderer(words, overview)
    with replaced_folder(out, is_ours) as aside:
        (aside / GROUPS).mkdir()
        for name in BESIDE:
            _write(aside / name, _beside(name))
        _write(aside / INDEX, render("index.html", here=INDEX))
        _write(aside / MODEL, render("model.html", here=MODEL, **model))
        around = list(pairwise([None, *shown, None]))
        made = group_pages(shown, scored, source, bundle, names, earlier)
        for place, page in enumerate(made):
            progress("report", place / len(shown))
            near = {"previous": around[place][0], "next": around[place + 1][1]}
            text = render("group.html", here=GROUPS, page=page, names=names, **near)
            _write(aside / GROUPS / str(page.line.page), text)
        progress("report", 1.0)
    return out / INDEX


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _beside(name: str) -> str:
    text = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # the same bytes whatever the checkout did


def _renderer(words: Words, overview: Portfolio) -> Callable[..., str]:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = words.formats
    environment.filters |= formats.filters | {
        "percent": _or_nothing(formats.percent),
        "decimal": _or_nothing(formats.decimal),
    }
    environment.tests["known_status"] = STATUSES.__contains__
    environment.globals |= {
        "words": words,
        "label": words.words["labels"],
        "portfolio": overview,
        "policy": IN_PAGES,
        "index": INDEX,
        "model": MODEL,
        "groups": GROUPS,
        "nothing": NOTHING,
        "statuses": STATUSES,
    }

    def render(template: str, *, here: str, **values: Any) -> str:
        root = "../" if here == GROUPS else ""
        return environment.get_template(template).render(values, here=here, root=root)

    return render


def _or_nothing(written: Callable[..., str]) -> Callable[..., str]:
    """A format that writes a value that is not there as a dash."""
    return lambda value, *given: NOTHING if value is None else written(value, *given)
