"""A group's page: the sum, the summary, roles, time line, themes, and what changed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from made_report import (
    AS_OF,
    SOURCE_NAMES,
    Page,
    all_pages,
    group_page,
    member_row,
    opened,
    score_row,
    tables,
    tenths,
    theme_rows,
    two_groups,
    written,
)
from mqbg.contract import BadInput
from mqbg.explain.language import load_language
from mqbg.explain.reasons import Reason
from mqbg.serve.batch.score_history import HistoryPoint, ScoreHistory, StatusChange
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.slow
def test_a_group_s_summary_stands_in_a_box_to_copy_line_by_line(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    ((_tag, box),) = (one for one in page.tags if one[0] == "textarea")
    assert "readonly" in box
    assert ("label", {"for": box["id"]}) in page.tags
    text = max(page.texts, key=len)
    assert text.startswith("Arrow K.K.: Ledger, as of May 1, 2024")
    assert text.split("\n")[0].endswith("(threshold 20.0%)")
    assert "" in text.split("\n")  # between the short form and the details


@pytest.mark.slow
def test_scores_without_stored_summaries_have_one_all_the_same(source, tmp_path):
    bare = two_groups()
    written(bare, source, tmp_path / "one")
    written(replace(bare, summaries=bare.summaries.slice(0, 0)), source, tmp_path / "two")
    one, two = (group_page(tmp_path / name, "g1").source for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("en", "Raises the score: 12 activities in the last 7 days."),
        ("ja", "直近7日間の活動件数（12件）が、見込みを高めています。"),
    ],
)
def test_reasons_are_written_from_facts_in_the_language_of_the_page(source, tmp_path, code, reason):
    scored = two_groups()
    facts = Reason("engagement", "inbound_7d", 12.0, up=True).to_json()
    rows = [
        {"group_id": f"g{n}", "as_of": AS_OF, "summary": "", "reason_facts": [facts]}
        for n in (1, 2)
    ]
    kept = replace(scored, summaries=pa.Table.from_pylist(rows, SCORE_SCHEMAS["summaries"]))
    written(kept, source, tmp_path / "out", code)
    texts = group_page(tmp_path / "out", "g1").texts
    assert reason in texts
    assert "because of spring" not in texts


def test_the_first_screen_says_chance_why_who_and_what_next(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    text = group_page(tmp_path / "out", "g1").source
    first = text[: text.index("<h2>What changed</h2>")]
    for said in ("26.9%", "threshold 20.0%", "Active in the last 30 days: buyer (1 of 1)",
                 "Mori Aya", "Find somebody in the role judge."):  # fmt: skip
        assert said in first, said


def test_the_history_shows_the_runs_and_since_when_it_qualified(source, tmp_path):
    days = [datetime(2024, month, 1) for month in (3, 4, 5)]
    statuses = ("nurture", "qualified", "qualified")
    points = tuple(HistoryPoint(day, 0.2, 0.2, s) for day, s in zip(days, statuses, strict=True))
    changes = (StatusChange(days[1], "nurture", "qualified", "reached", 0.2),)
    history = ScoreHistory(tuple(days), {"g1": points}, {"g1": changes})
    written(two_groups(), source, tmp_path / "out", history=history)
    page = group_page(tmp_path / "out", "g1")
    assert "Since it qualified on April 1, 2024: +6.9 points." in page.texts
    why = "chance and completeness reached their thresholds"
    assert f"Apr 1, 2024: nurture → qualified (MQBG) ({why})" in page.texts
    assert sum("state-band" in str(a.get("class")) for _tag, a in page.tags) == 2 + 2  # and keys
    label = load_language("en").word_tables["labels"]["no_history"]
    assert label in group_page(tmp_path / "out", "g2").texts


def test_the_shown_parts_add_up_to_the_shown_score(source, tmp_path):
    scored = two_groups()
    written(scored, source, tmp_path / "out")
    for score in scored.scores.to_pylist():
        page = group_page(tmp_path / "out", score["group_id"])
        assert sum(map(tenths, page.parts)) == tenths(page.total)
        assert page.total == f"{100 * score['readiness']:.1f}"
        assert len(page.parts) == 1 + (3 if score["group_id"] == "g1" else 1)


def test_a_group_with_many_members_shows_the_largest_parts_and_the_rest_as_one(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    members = [member_row(score, f"m{number:03}", 2.0 / 400) for number in range(398)]
    members += [member_row(score, "big", 1.0), member_row(score, "small", -0.99)]
    written(tables([score], members), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert len(page.parts) == 1 + 8 + 1
    assert sum(map(tenths, page.parts)) == tenths(page.total)
    assert "392 others, together" in page.texts
    together = 392 * members[0]["points"]
    assert f"392 others (+{together:.1f} points together)" in page.texts
    assert "332 others" in page.texts  # of the role, beyond those that can be unfolded
    assert {"contact big", "contact small"} <= set(page.texts)


def test_parts_that_do_not_add_up_to_the_score_are_refused(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    half = tables([score], [member_row(score, "c1", 1.0)])
    with pytest.raises(BadInput, match=r"'g1' to add up to its score of 26\.894"):
        written(half, source, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_a_removed_person_added_is_one_part_without_a_name(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    scored = tables([score], [member_row(score, "c1", 1.5), member_row(score, "c2", 0.5)])
    for people, removed in ((["c2"], 1), (["c1", "c2"], 0)):
        left = scored.stakeholders.filter(
            pc.is_in(scored.stakeholders["contact_id"], pa.array(people))
        )
        row = {"group_id": "g1", "as_of": score["as_of"], "summary": ""}
        blank = pa.Table.from_pylist([row], scored.summaries.schema)
        folder = tmp_path / str(len(people))
        written(replace(scored, stakeholders=left, summaries=blank), source, folder)
        page = group_page(folder, "g1")
        assert page.source.count("People removed at their request") == removed
        assert sum(map(tenths, page.parts)) == tenths(page.total)


def test_a_group_without_members_has_a_page_that_says_so(source, tmp_path):
    score = score_row("g1", -3.0, 0.0, 1)
    written(tables([score]), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert load_language("en").word_tables["labels"]["no_stakeholders"] in page.texts
    assert page.parts == ["+4.7"]
    assert page.total == "4.7"
    assert "nobody" in Page(tmp_path / "out" / "index.html").texts


def test_a_role_is_missing_quiet_filled_welcome_or_not_in_the_template(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    written(two_groups(), source, tmp_path / "full")
    written(
        tables([score | {"missing_roles": []}], [member_row(score, "c1", 2.0, activities_30d=0)]),
        source,
        tmp_path / "quiet",
    )
    full, quiet = (group_page(tmp_path / name, "g1").source for name in ("full", "quiet"))

    def states(text: str) -> dict[str, str]:
        return dict(re.findall(r'<h3>([^<]*) <span class="status state-(\w+)', text))

    assert states(full) == {
        "buyer": "filled", "judge": "missing", "guest": "welcome", "outsider": "unnamed",
    }  # fmt: skip
    assert states(quiet)["buyer"] == "quiet"


def test_the_role_map_names_who_is_there_and_how_many_are_missing(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    text = group_page(tmp_path / "out", "g1").source
    seats = re.findall(r'<li class="seat (\w+)">([^<]*)', text)
    # `judge` needs two and has one, who is silent; the outsider's seat comes last.
    assert seats == [
        ("awake", "Mori Aya"), ("quiet", "contact c2"), ("vacant", "vacant"),
        ("awake", "contact c3"),
    ]  # fmt: skip


def test_a_role_of_very_many_names_a_few_and_counts_the_rest(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    members = [member_row(score, f"m{n:02}", 2.0 / 40, activities_30d=n % 2) for n in range(40)]
    written(tables([score], members), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert page.source.count('<li class="seat awake">') == 3
    assert "37 others" in page.texts


def activity(contact_id: str | None, at: datetime, kind: str = "web_visit", **given) -> dict:
    return {"contact_id": contact_id, "occurred_at": at, "kind": kind} | given


def timeline_of(tmp_path, activities, contents=()) -> Page:
    people = [("c1", "Mori Aya", None)]
    held = opened(SOURCE_NAMES, people, activities, contents=contents)
    written(two_groups(), held, tmp_path / "out")
    return group_page(tmp_path / "out", "g1")


def drawn(page: Page) -> list[tuple[str, str]]:
    return re.findall(r'<svg x="([\d.]+)%"[^>]*><g class="mark (shape\d(?: by-us)?)"', page.source)


def test_the_time_line_holds_what_was_known_and_done_in_its_time(tmp_path):
    at = AS_OF - 90 * DAY
    page = timeline_of(
        tmp_path,
        [
            activity("c1", at),
            activity("c1", AS_OF - 180 * DAY),
            activity("c1", AS_OF - 180 * DAY - MICROSECOND),  # too long ago
            activity("c1", AS_OF),  # not yet
            activity("c1", at, recorded_at=AS_OF),  # known too late
            activity("c1", at + DAY, recorded_at=AS_OF - MICROSECOND),
            activity("c9", at),  # in no group
            activity("c1", at, solution_id="s2"),  # for another solution
            activity("c1", at, group_id="g2"),  # for another group
        ],
    )
    assert "3 activities in the last 180 days." in page.texts
    assert [x for x, _shape in drawn(page)] == ["0.28", "50.28", "50.83"]


def test_copies_of_an_activity_count_once_and_what_happens_on_a_day_is_one_mark(tmp_path):
    at = AS_OF - 10 * DAY
    page = timeline_of(
        tmp_path,
        [
            activity("c1", at + timedelta(hours=1), activity_id="same"),
            activity("c1", at + timedelta(hours=1), activity_id="same"),
            activity("c1", at + timedelta(hours=2), "pricing_view"),
            activity("c1", at + timedelta(hours=3)),
        ],
    )
    assert "3 activities in the last 180 days." in page.texts
    assert len(drawn(page)) == 1
    assert 'transform="scale(1.5)"' in page.source
    assert "Apr 21, 2024: web visit ×2, pricing page" in page.texts


def test_families_differ_in_shape_and_what_we_did_is_hollow(tmp_path):
    kinds = ("web_visit", "whitepaper_download", "meeting", "email_sent", "fax")
    page = timeline_of(tmp_path, [activity("c1", AS_OF - 10 * DAY, kind) for kind in kinds])
    shapes = [shape for _x, shape in drawn(page)]
    assert len(set(shapes)) == len(kinds)
    assert [shape for shape in shapes if "by-us" in shape] == ["shape7 by-us"]


def test_an_activity_without_a_person_has_a_lane_of_its_own(tmp_path):
    page = timeline_of(tmp_path, [activity(None, AS_OF - DAY, group_id="g1")])
    assert (
        page.texts.count(load_language("en").word_tables["labels"]["without_person"]) == 2
    )  # lane and table


def test_the_time_line_stands_beside_as_a_table_with_contents(tmp_path):
    page = timeline_of(
        tmp_path,
        [activity("c1", AS_OF - 2 * DAY, "whitepaper_download", content_id="w")],
        [{"content_id": "w", "title": "A <b>guide</b>"}],
    )
    assert {"Apr 29, 2024", "white paper", "A <b>guide</b>"} <= set(page.texts)


def test_a_group_in_which_nothing_happened_says_so(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert load_language("en").word_tables["labels"]["nothing_happened"] in page.texts


def test_the_themes_of_a_member_add_up_to_its_shown_points(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    members = [member_row(score, "c1", 1.7), member_row(score, "c2", 0.3)]
    names = [f"theme {n}" for n in range(11)]
    shares = {name: (n + 1) / 66 for n, name in enumerate(names)}
    themes = [row for member in members for row in theme_rows(member, **shares)]
    written(tables([score], members, themes=themes), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    cells = page.marked["theme"]
    assert len(cells) == 2 * 7  # six themes and all others
    assert "all others" in page.texts
    shown = [tenths(part) for part in page.parts[1:]]
    assert [sum(map(tenths, cells[:7])), sum(map(tenths, cells[7:]))] == shown


def test_without_themes_the_page_leaves_them_out(source, tmp_path):
    bare = two_groups()
    written(replace(bare, themes=bare.themes.slice(0, 0)), source, tmp_path / "out")
    assert (
        load_language("en").word_tables["labels"]["made_of"]
        not in group_page(tmp_path / "out", "g1").texts
    )


def earlier(**given):
    then = score_row("g1", -3.0, 1.5, 1, as_of=datetime(2024, 4, 1), **given)
    return tables([then], [member_row(then, "c1", 0.9), member_row(then, "gone", 0.6)])


def test_what_changed_adds_up_to_the_change_of_the_shown_score(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", before=earlier())
    page = group_page(tmp_path / "out", "g1")
    assert sum(map(tenths, page.marked["moved"])) == tenths(*page.marked["moved-total"])
    assert "Since April 1, 2024 the score went from 18.2 to 26.9 (+8.7 points)." in page.texts
    assert page.texts.count("joined") == 2  # c2 and c3
    assert page.texts.count("left") == 1
    assert "contact gone" in page.texts


def test_what_changed_says_another_status_and_another_model(source, tmp_path):
    before = earlier(status="recycled", model_version="three")
    written(two_groups(), source, tmp_path / "out", before=before)
    page = group_page(tmp_path / "out", "g1")
    assert {"status then", "recycled", "model version then", "three"} <= set(page.texts)


def test_a_group_that_was_not_scored_then_says_so(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", before=earlier())
    label = load_language("en").word_tables["labels"]["not_scored_then"]
    assert label in group_page(tmp_path / "out", "g2").texts
    assert label not in group_page(tmp_path / "out", "g1").texts


def test_without_earlier_scores_no_page_speaks_of_change(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    for page in all_pages(tmp_path / "out").values():
        assert "change" not in page.texts
        assert not any("Since " in text for text in page.texts)


@pytest.mark.parametrize(
    ("expected", "shown"), [(0.3, True), (0.5, False), (0.5001, False), (None, False)]
)
def test_the_expected_completeness_stands_beside_the_hard_one_where_it_differs(
    source, tmp_path, expected, shown
):
    score = score_row("g1", -3.0, 2.0, 1, expected_completeness=expected)
    written(tables([score], [member_row(score, "c1", 2.0)]), source, tmp_path / "out")
    page = " ".join(group_page(tmp_path / "out", "g1").texts)
    assert ("expected with uncertain roles 30%" in page) is shown
    assert ("expected with" in page) is shown


def test_the_first_screen_says_by_when_and_what_keeps_a_group_from_qualifying(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    first, second = (" ".join(group_page(tmp_path / "out", name).texts) for name in ("g1", "g2"))
    assert "within 90 days" in first
    assert "Only 50% of the roles are filled; 60% are needed to qualify." in first
    assert "Most of it is the account's own" not in first
    assert "Most of it is the account's own: +11.9 points before any of its people." in second
