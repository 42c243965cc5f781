from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.settings import RoleRequirement
from mqbg.train.fit.reference_members import engaged_members, find_reference_members

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


def test_each_signal_is_the_median_of_the_engaged_members_who_converted():
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


def test_the_median_of_an_even_number_is_the_lower_observed_value():
    rows = engaged(*(("g1", 1, "user", True, inbound, 1.0) for inbound in (2.0, 9.0, 4.0, 3.0)))
    assert find_reference_members(rows, WORDS)[0].signals["inbound_7d"] == 3.0


@pytest.mark.parametrize(
    ("values", "median"), [([None, None], None), ([None, 6.0], 6.0), ([None, 6.0, 2.0], 2.0)]
)
def test_a_signal_with_nothing_to_say_is_none(values, median):
    rows = engaged(*(("g1", 1, "user", True, 1.0, value) for value in values))
    rows = rows.astype({"days_since_outbound": float})
    assert find_reference_members(rows, WORDS)[0].signals["days_since_outbound"] == median


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
