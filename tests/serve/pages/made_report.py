"""Scores, a source and a model made by hand, the report of them, and a reader of its pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
from mqbg.contract import schema
from mqbg.explain.language import load_language
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle, TrainingSummary
from mqbg.model.calibrators import Blend, Platt, VennAbers
from mqbg.model.registry import ChampionChange, RecordedChange
from mqbg.model.thresholds import Estimate, ThresholdPerformance, Thresholds
from mqbg.serve.batch.page_name import page_name
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.pages import TrainingRecord, write_report
from mqbg.serve.pages.training_record import ModelVersion
from mqbg.settings import RoleRequirement, Settings
from mqbg.source import Source

Row = dict[str, Any]
AS_OF = datetime(2024, 5, 1)
DAY = datetime(2024, 4, 20, 9)
EVIL = "<script>alert('x')</script>\"&"

NOTHING = Estimate(None, None, None)
EXPECTED = ThresholdPerformance(Estimate(3.25, 2.0, 4.5), NOTHING, NOTHING, NOTHING)


def chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def model() -> Bundle:
    roles = (
        TemplateRole("buyer", "buyer", RoleRequirement(), {}),
        TemplateRole("judge", "judge", RoleRequirement(required=2), {}),
        TemplateRole("guest", "guest", RoleRequirement(required=0), {}),
        TemplateRole("elsewhere", "elsewhere", None, {"s9": RoleRequirement()}),
    )
    return Bundle(
        trees="",
        blend=Blend(1.0, 100, 0.0, 0.0, 0.0, 0.0),
        settings=Settings(),
        vocabulary=Vocabulary(Template(roles), ("web",)),
        category_values={},
        calibrator=Platt(1.0, 0.0),
        interval=VennAbers((0.0,), (0.1,), (0.2,)),
        thresholds=Thresholds("capacity", 0.6, 0.2, forecast=EXPECTED),
        reference_members=(),
        training=TrainingSummary("cafe", 1234, 56, AS_OF, AS_OF, AS_OF, 0),
    )


def score_row(group_id: str, base: float, added: float, rank: int, **given: Any) -> Row:
    readiness = chance(base + added)
    return {
        "group_id": group_id,
        "account_id": "a1",
        "solution_id": "s1",
        "as_of": AS_OF,
        "model_version": "4",
        "readiness": readiness,
        "readiness_low": 0.8 * readiness,
        "readiness_high": 0.5 + 0.5 * readiness,
        "score": round(100 * readiness),
        "log_odds": base + added,
        "base_log_odds": base,
        "completeness": 0.5,
        "engaged_completeness": 0.25,
        "engagement": 41.0,
        "threshold": 0.2,
        "completeness_threshold": 0.6,
        "status": "nurture",
        "rank": rank,
        "missing_roles": ["judge"],
        "top_reasons": ["because of spring"],
        "single_point_of_failure": None,
    } | given


def member_row(score: Row, contact_id: str, contribution: float, **given: Any) -> Row:
    moved = score["log_odds"] - score["base_log_odds"]
    per_log_odds = 100 * (score["readiness"] - chance(score["base_log_odds"])) / moved
    return {
        "group_id": score["group_id"],
        "as_of": score["as_of"],
        "contact_id": contact_id,
        "role": "buyer",
        "contribution": contribution,
        "contribution_se": 0.0,
        "points": contribution * per_log_odds,
        "last_activity_at": DAY,
        "last_activity_kind": "pricing_view",
        "activities_30d": 3,
        "top_kinds": ["pricing_view", "web_visit"],
        "if_leaves": -1.25,
        "summary": "not shown",
    } | given


def theme_rows(member: Row, **shares: float) -> list[Row]:
    """What themes carried of a member, each a share of it."""
    keys = {name: member[name] for name in ("group_id", "as_of", "contact_id")}
    return [
        keys
        | {"theme": theme}
        | {name: share * member[name] for name in ("contribution", "points")}
        for theme, share in shares.items()
    ]


def tables(
    scores: Sequence[Row],
    members: Sequence[Row] = (),
    actions: Sequence[Row] = (),
    themes: Sequence[Row] = (),
) -> ScoreTables:
    given = {"scores": scores, "stakeholders": members, "actions": actions, "themes": themes}
    return ScoreTables(
        **{
            name: pa.Table.from_pylist(list(given.get(name, ())), of)
            for name, of in SCORE_SCHEMAS.items()
        }
    )


def opened(
    accounts: dict[str, str],
    contacts: Sequence[tuple[str, str | None, str | None]] = (),
    activities: Sequence[Row] = (),
    *,
    tiers: dict[str, str] | None = None,
    contents: Sequence[Row] = (),
    solutions: Sequence[Row] = ({"solution_id": "s1", "name": "Ledger"},),
    groups: Sequence[Row] = (),
) -> Source:
    """A source of what pages ask for; activities are numbered where they have no id."""
    given: dict[str, Sequence[Row]] = {
        "accounts": [
            {"account_id": key, "name": name, "tier": (tiers or {}).get(key)}
            for key, name in accounts.items()
        ],
        "solutions": solutions,
        "buying_groups": groups,
        "contacts": [{"contact_id": i, "full_name": n, "title": t} for i, n, t in contacts],
        "contents": contents,
        "activities": [{"activity_id": f"n{n}"} | row for n, row in enumerate(activities)],
    }
    backend = ibis.duckdb.connect(threads=1)
    held = {
        name: backend.create_table(
            name, pa.Table.from_pylist(list(rows), schema(name).to_pyarrow())
        )
        for name, rows in given.items()
    }
    return Source(backend, held, {}, (), "given")


SOURCE_NAMES = {"a1": "Arrow K.K."}


def two_groups() -> ScoreTables:
    first = score_row("g1", -3.0, 2.0, 1, status="qualified", single_point_of_failure="c1")
    second = score_row("g2", -2.0, -0.5, 2, missing_roles=[], top_reasons=[])
    members = [
        member_row(first, "c1", 1.7, contribution_se=0.1),
        member_row(first, "c2", 0.6, role="judge", activities_30d=0, last_activity_at=None),
        member_row(first, "c3", -0.3, role="outsider"),
        member_row(second, "c1", -0.5),
    ]
    action = {"group_id": "g1", "as_of": AS_OF, "action": "fill_role", "role": "judge"}
    return tables(
        [first, second],
        members,
        [action | {"points": 3.0, "support": 40, "text": "not shown"}],
        theme_rows(members[0], engagement=0.75, momentum=0.25),
    )


def figures() -> pd.DataFrame:
    nan = float("nan")
    rows = [
        ("all accounts", "mqbg", "roc_auc", 0.81, 0.79, 0.83),
        ("all accounts", "mqbg", "brier", 0.05, 0.04, 0.06),
        ("all accounts", EVIL, "roc_auc", 0.5, 0.5, 0.5),
        ("all accounts", EVIL, "brier", 0.07, 0.06, 0.08),
        ("unseen accounts", "mqbg", "roc_auc", nan, nan, nan),
    ]
    frame = pd.DataFrame(rows, columns=["population", "method", "figure", "value", "low", "high"])
    return frame.assign(rows=1000, conversions=90, accounts=200)


def record() -> TrainingRecord:
    """What a registry keeps, with a method of an evil name and figures that are not known."""
    nan = float("nan")
    reliability = [
        ("mqbg", 0, 0.05, 0.04, 0.02, 0.07, 500),
        ("mqbg", 1, 0.4, 0.45, 0.3, 0.6, 500),
        (EVIL, 0, 0.1, 0.12, nan, nan, 1000),
    ]
    lift = [("mqbg", n, 9.0 / n, n / 10) for n in (1, 2, 5, 9)] + [(EVIL, 9, 1.1, 1.0)]
    lines = [
        (n / 10, 10.0 - n, 9.0 - n, 11.0 - n, n / 10, nan, nan, 1 - n / 10, nan, nan)
        for n in range(1, 9)
    ]
    return TrainingRecord(
        figures=figures(),
        reliability=pd.DataFrame(
            reliability,
            columns=["method", "bin", "predicted", "observed", "low", "high", "rows"],
        ),
        lift=pd.DataFrame(lift, columns=["method", "touched_per_snapshot", "lift", "recall"]),
        thresholds=pd.DataFrame(
            lines,
            columns=[
                "readiness",
                *(
                    f"{name}{end}"
                    for name in ("per_week", "precision", "recall")
                    for end in ("", "_low", "_high")
                ),
            ],
        ),
        versions=(ModelVersion("4", DAY, False, True), ModelVersion("3", DAY, True, False)),
        champion_changes=(
            RecordedChange(1, ChampionChange("rollback", EVIL, DAY, EVIL, True), "3", "2"),
        ),
    )


class Page(HTMLParser):
    """What a page is made of: tags with attributes, texts, links, the cells that are summed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.marked: dict[str, list[str]] = {}
        self._marks: set[str] = set()
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._marks = {name for name, value in attrs if name.startswith("data-") and not value}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser passes it
        self._marks = set()

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        self.texts.append(data.strip())
        for mark in self._marks:
            self.marked.setdefault(mark.removeprefix("data-"), []).append(data)

    @property
    def parts(self) -> list[str]:
        return self.marked.get("part", [])

    @property
    def total(self) -> str:
        (total,) = self.marked["total"]
        return total

    @property
    def links(self) -> list[str]:
        return [str(a["href"]) for tag, a in self.tags if tag == "a" and "href" in a]


def written(
    scored: ScoreTables, source: Source, out: Path, language: str = "en", **given: Any
) -> Path:
    return write_report(scored, source, model(), out, language=load_language(language), **given)


def all_pages(out: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(out.rglob("*.html"))}


def group_page(out: Path, group_id: str) -> Page:
    return Page(out / "groups" / page_name(group_id))


def tenths(text: str) -> int:
    return round(10 * float(text.replace("\N{MINUS SIGN}", "-").replace(",", "")))
