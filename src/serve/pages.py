"""The report: static pages that open without a server, a script or anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..bundle import Bundle
from ..explain.words import Words
from ..features.feature import Feature
from ..source import Source
from ..whole import replaced_folder
from .group_page import group_pages
from .names import names_of
from .portfolio import Portfolio, portfolio
from .scoring import Scored

INDEX, MODEL, GROUPS = "index.html", "model.html", "groups"
NOTHING = "\N{EN DASH}"
STATUSES = ("nurture", "qualified", "accepted", "rejected", "recycled")  # those with a colour
Progress = Callable[[str, float], None]


def is_ours(name: str) -> bool:
    """Whether a file's name is one that `write_report` writes."""
    return name in {INDEX, MODEL, GROUPS}


def write_report(
    scored: Scored,
    source: Source,
    bundle: Bundle,
    out: Path,
    *,
    words: Words,
    figures: pd.DataFrame | None = None,
    progress: Progress = lambda _label, _share: None,
) -> Path:
    """Writes the portfolio, a page for each of the readiest groups, and the model's page.

    Reasons and actions stand as `mqbg score` wrote them; everything else is in `words`.

    Args:
        scored: the three tables, of one cut-off.
        source: gives names and titles.
        bundle: the model that made the scores.
        out: a new folder, or an earlier report, which gives way at the end.
        words: the language.
        figures: of the training, as `train.evaluation.evaluate` returns them; None for none.
        progress: called with a label and the share done.

    Returns:
        The path of the first page.

    Raises:
        BadInput: there are no scores, the source or the model is not theirs, or `out` holds
            something else.
    """
    names = names_of(scored, source)
    overview = portfolio(scored, names, words)
    pages = group_pages(overview.lines[: overview.pages], scored, bundle, names)
    render = _renderer(words, overview)
    with replaced_folder(out, is_ours) as aside:
        (aside / GROUPS).mkdir()
        _write(aside / INDEX, render("index.html", here=INDEX))
        _write(aside / MODEL, render("model.html", here=MODEL, **_model(bundle, figures)))
        for place, page in enumerate(pages):
            progress("report", place / len(pages))
            neighbours = {
                "previous": pages[place - 1].line if place else None,
                "next": pages[place + 1].line if place + 1 < len(pages) else None,
            }
            text = render("group.html", here=GROUPS, page=page, **neighbours)
            _write(aside / GROUPS / str(page.line.page), text)
        progress("report", 1.0)
    return out / INDEX


def _write(path: Path, text: str) -> None:
    # Newlines as they are: the policy's digest is of the style's very bytes.
    path.write_text(text, encoding="utf-8", newline="\n")


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
    style = _style()
    environment.globals |= {
        "words": words,
        "label": words.words["labels"],
        "portfolio": overview,
        "style": Markup(style),  # noqa: S704 - our own file
        "style_digest": _digest(style),
        "index": INDEX,
        "model": MODEL,
        "groups": GROUPS,
        "nothing": NOTHING,
    }

    def render(template: str, *, here: str, **values: Any) -> str:
        root = "../" if here == GROUPS else ""
        return environment.get_template(template).render(values, here=here, root=root)

    return render


def _style() -> str:
    text = (files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # as a browser reads it, whatever the checkout did


def _digest(style: str) -> str:
    """The style as a content security policy names it: nothing but this text is applied."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _or_nothing(written: Callable[..., str]) -> Callable[..., str]:
    """A format that writes a value that is not there as a dash."""
    return lambda value, *given: NOTHING if value is None else written(value, *given)


def _model(bundle: Bundle, figures: pd.DataFrame | None) -> dict[str, Any]:
    return {
        "bundle": bundle,
        "themes": _features_by_theme(bundle),
        "populations": _by_population(figures),
    }


def _features_by_theme(bundle: Bundle) -> dict[str, list[Feature]]:
    themes: dict[str, list[Feature]] = {}
    for feature in bundle.catalogue.features:
        themes.setdefault(feature.theme, []).append(feature)
    return themes


def _by_population(figures: pd.DataFrame | None) -> list[dict[str, Any]]:
    """The tidy frame as one table per population: its size, and per method (value, low, high)."""
    if figures is None or figures.empty:
        return []
    tables = []
    for population, part in figures.groupby("population", sort=False):
        columns = list(part["figure"].unique())
        methods = {
            method: [
                None if pd.isna(value) else (value, low, high)
                for value, low, high in of.set_index("figure")
                .reindex(columns)[["value", "low", "high"]]
                .itertuples(index=False)
            ]
            for method, of in part.groupby("method", sort=False)
        }
        size = {name: int(part[name].iloc[0]) for name in ("rows", "conversions", "accounts")}
        tables.append({"name": population, "columns": columns, "methods": methods, **size})
    return tables
