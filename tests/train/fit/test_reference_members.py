from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.settings import RoleRequirement
from mqbg.train.fit.reference_members import engaged_members, find_reference_members, medoid

AS_OF = datetime(2024, 6, 1)


def role(name):
    return TemplateRole(name, name, RoleRequirement(), {})


WORDS = build_catalogue(
    Vocabulary(Template((role("user"), role("buyer"), role("champion"))), ("web",))
)
SIGNALS = [signal.name for signal in WORDS.signals]


def engaged(*rows):
    """Rows of (group, month, role, converted, inbound_7d, days_since_outbound)."""
    return pd.DataFrame(
        [
            {
                "group_id": group, "role": role_name, **dict.fromkeys(SIGNALS, 1.0),
                "as_of": datetime(2024, month, 1), "converted": converted,
                "inbound_7d": inbound, "days_since_outbound": outbound,
            }
            for group, month, role_name, converted, inbound, outbound in rows
        ]
    )  # fmt: skip


def test_the_reference_member_is_a_real_one_of_those_who_converted():
    found = find_reference_members(
        engaged(
            ("g1", 1, "user", True, 3.0, 9.0),
            ("g1", 1, "user", True, 8.0, 1.0),
            ("g2", 1, "user", True, 5.0, 4.0),
            ("g3", 1, "user", False, 90.0, 90.0),
            ("g1", 1, "buyer", True, 70.0, 70.0),
        ),
        WORDS,
    )
    assert [member.role for member in found] == ["user", "buyer"]
    assert found[0].signals["inbound_7d"] == 5.0
    assert found[0].signals["days_since_outbound"] == 4.0
    assert list(found[0].signals) == SIGNALS


def test_it_is_no_mixture_of_members_that_nobody_is_like():
    rows = engaged(
        *(
            ("g1", 1, "user", True, x, y)
            for x, y in [(1.0, 8.0), (2.0, 9.0), (8.0, 1.0), (9.0, 2.0), (5.0, 1.0)]
        )
    )
    signals = find_reference_members(rows, WORDS)[0].signals
    pairs = set(zip(rows["inbound_7d"], rows["days_since_outbound"], strict=True))
    assert (signals["inbound_7d"], signals["days_since_outbound"]) in pairs


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5), st.integers(0, 9)),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_no_member_is_nearer_to_all_others_than_the_medoid(rows):
    signals = np.array([[np.nan if x is None else float(x) for x in row] for row in rows])
    plain = [[-1.0 if x is None else float(x) for x in row] for row in rows]
    ranks = [
        [
            sum(other[j] < row[j] for other in plain)
            + sum(other[j] == row[j] for other in plain) / 2
            for j in range(3)
        ]
        for row in plain
    ]
    sums = [
        sum(abs(a - b) for other in ranks for a, b in zip(row, other, strict=True)) for row in ranks
    ]
    assert sums[medoid(signals)] == pytest.approx(min(sums))


def test_of_many_members_the_medoid_is_found_near_the_median():
    signals = np.random.default_rng(2).gamma(1.0, 3.0, (400, 5))
    ranks = np.argsort(np.argsort(signals, axis=0), axis=0)
    sums = np.abs(ranks[:, None, :] - ranks[None, :, :]).sum(axis=(1, 2))
    assert medoid(signals) == np.argmin(sums)


@pytest.mark.parametrize("values", [[None, None], [None, 6.0, None]])
def test_a_signal_that_the_reference_member_lacks_is_none(values):
    rows = engaged(*(("g1", 1, "user", True, 1.0, value) for value in values))
    rows = rows.astype({"days_since_outbound": float})
    assert find_reference_members(rows, WORDS)[0].signals["days_since_outbound"] is None


def test_members_count_the_converted_and_snapshots_all_that_had_the_role_engaged():
    (found,) = find_reference_members(
        engaged(
            ("g1", 1, "user", True, 1.0, 1.0),
            ("g1", 1, "user", True, 1.0, 1.0),  # the same snapshot, another person
            ("g1", 2, "user", True, 1.0, 1.0),
            ("g2", 1, "user", False, 1.0, 1.0),
            ("g2", 2, "buyer", False, 1.0, 1.0),
        ),
        WORDS,
    )
    assert (found.role, found.members, found.snapshots) == ("user", 3, 3)


def test_a_role_that_nobody_engaged_had_when_converting_has_no_typical_member():
    rows = engaged(("g1", 1, "user", False, 1.0, 1.0), ("g1", 1, "guest", True, 1.0, 1.0))
    assert find_reference_members(rows, WORDS) == ()


def test_engaged_members_were_active_in_the_last_thirty_days(open_tables):
    def did(contact, days, **more):
        return {"contact_id": contact, "occurred_at": AS_OF - timedelta(days=days), **more}

    source = open_tables(
        {
            "members": [
                {"group_id": "g1", "contact_id": "c1", "role": "user"},
                {"group_id": "g1", "contact_id": "c2", "role": "user"},
                {"group_id": "g1", "contact_id": "c3", "role": "user"},
                {"group_id": "g2", "contact_id": "c2", "role": "buyer"},
            ],
            "activities": [
                did("c1", 30),
                did("c2", 31, group_id="g1"),
                did("c2", 2, group_id="g2"),
                did("c3", 1, kind="email_sent"),  # outbound
                did(None, 1, group_id="g1"),  # of nobody
            ],
        }
    )
    with open_snapshot(source, WORDS, AS_OF) as at:
        found = engaged_members(at, WORDS, pa.array(["g2", "g7"]))
    rows = found[["group_id", "role", "as_of", "converted", "inbound_30d"]]
    assert rows.to_dict("split")["data"] == [
        ["g1", "user", pd.Timestamp(AS_OF), False, 1.0],
        ["g2", "buyer", pd.Timestamp(AS_OF), True, 1.0],
    ]
    assert set(SIGNALS) <= set(found.columns)
