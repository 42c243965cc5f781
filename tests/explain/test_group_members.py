from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from mqbg.explain.group_members import recent_activity
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.features.time_rules.eligible_groups import eligible_groups
from mqbg.settings import Settings

AS_OF = datetime(2024, 6, 1)


def counted_once(activities):
    """Of rows with one activity_id, the one that counts first."""
    first = {}
    for row in activities:
        known = row.get("recorded_at") or row["occurred_at"]
        order = (max(known, row["occurred_at"]), known)
        if row["activity_id"] not in first or order < first[row["activity_id"]][0]:
            first[row["activity_id"]] = (order, {**row, "known_at": known})
    return [row for _order, row in first.values()]


def seen_last(own, tables):
    """The three titles whose latest view is the latest, ties by title."""
    titles = {row["content_id"]: row.get("title") for row in tables.get("contents", [])}
    last = {}
    for row in own:
        if title := titles.get(row.get("content_id")):
            last[title] = max(last.get(title, row["occurred_at"]), row["occurred_at"])
    return sorted(last, key=lambda title: (AS_OF - last[title], title))[:3]


def expected(tables, open_groups):
    """What each current member did, in plain Python from the rows themselves."""
    solution = {row["group_id"]: row["solution_id"] for row in tables["buying_groups"]}
    past = [
        row
        for row in counted_once(tables["activities"])
        if row["known_at"] < AS_OF
        and row["occurred_at"] < AS_OF
        and Settings().activity_kind(row["kind"]).direction == "inbound"
    ]
    found = {}
    for member in tables["members"]:
        group, contact = member["group_id"], member["contact_id"]
        left = member.get("left_at")
        if group not in open_groups or member["joined_at"] >= AS_OF or (left and left < AS_OF):
            continue
        own = [
            row
            for row in past
            if row.get("contact_id") == contact
            and (
                row.get("group_id") == group
                or (
                    row.get("group_id") is None
                    and row.get("solution_id") in (None, solution[group])
                )
            )
        ]
        if own:
            kinds = Counter(row["kind"] for row in own)
            found[group, contact] = (
                *max((row["occurred_at"], row["kind"]) for row in own),
                sum(row["occurred_at"] >= AS_OF - timedelta(days=30) for row in own),
                sorted(kinds, key=lambda kind: (-kinds[kind], kind))[:3],
                seen_last(own, tables),
            )
    return found


def expected_contacted(tables, open_groups):
    """To whom of the members something went out in the last 14 days, in plain Python."""
    solution = {row["group_id"]: row["solution_id"] for row in tables["buying_groups"]}
    sent = [
        row
        for row in counted_once(tables["activities"])
        if row["known_at"] < AS_OF
        and AS_OF - timedelta(days=14) <= row["occurred_at"] < AS_OF
        and Settings().activity_kind(row["kind"]).direction == "outbound"
    ]
    return {
        (member["group_id"], member["contact_id"])
        for member in tables["members"]
        if member["group_id"] in open_groups
        and member["joined_at"] < AS_OF
        and not (member.get("left_at") and member["left_at"] < AS_OF)
        and any(
            row.get("contact_id") == member["contact_id"]
            and (
                row.get("group_id") == member["group_id"]
                or (
                    row.get("group_id") is None
                    and row.get("solution_id") in (None, solution[member["group_id"]])
                )
            )
            for row in sent
        )
    }


def with_contents(tables, seed):
    """Two thirds of the activities show one of four contents; two have one title, one has none."""
    draw = np.random.default_rng(seed)
    titles = ["Guide", "Guide", "Prices", None]
    return {
        **tables,
        "contents": [{"content_id": f"c{i}", "title": title} for i, title in enumerate(titles)],
        "activities": [
            {**row, "content_id": [None, None, "c0", "c1", "c2", "c3"][draw.integers(6)]}
            for row in tables["activities"]
        ],
    }


@pytest.mark.parametrize("seed", range(5))
def test_recent_activity_is_what_plain_python_finds(open_tables, random_tables, seed):
    tables = with_contents(random_tables(seed, AS_OF), seed)
    source = open_tables(tables)
    words = build_catalogue(find_vocabulary(source, AS_OF))
    open_groups = set(
        eligible_groups(source.tables, source.settings, AS_OF).group_id.to_pyarrow().to_pylist()
    )
    with open_snapshot(source, words, AS_OF) as at:
        got, contacted = recent_activity(source, at, 14)
    rows = {
        member: (
            row.last_activity_at, row.last_activity_kind, row.activities_30d,
            list(row.top_kinds), list(row.contents),
        )
        for member, row in got.items()
    }  # fmt: skip
    wanted = expected(tables, open_groups)
    assert rows == wanted
    assert contacted == expected_contacted(tables, open_groups)
    assert any(titles for *_rest, titles in wanted.values())
