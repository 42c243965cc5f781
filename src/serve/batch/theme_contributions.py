"""The table of what carried each member's contribution, made by columns: it is the longest one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from ...explain.shapley.stakeholders import Stakeholders
from .score_tables import THEMES


def member_themes(
    found: Sequence[Stakeholders], themes: Sequence[str], as_of: datetime
) -> pa.Table:
    """One row for each member and theme that carried something, in the order of the members.

    Args:
        found: the groups.
        themes: names, in the order of `Stakeholders.by_theme`.
        as_of: the cut-off.

    Returns:
        Rows of `THEMES`; those of a member sum to their contribution, and to their points.
    """
    if not found:
        return THEMES.empty_table()
    shares = np.concatenate([one.by_theme for one in found])
    rates = [np.full(len(one.points), one.points_per_log_odds) for one in found]
    member, theme = np.nonzero(shares)
    contribution = shares[member, theme]
    groups = np.repeat([one.group.group_id for one in found], [len(one.points) for one in found])
    contacts = np.concatenate([one.group.contact_ids for one in found])
    columns = {
        "group_id": groups[member],
        "as_of": pa.repeat(pa.scalar(as_of, THEMES.field("as_of").type), member.size),
        "contact_id": contacts[member],
        "theme": np.array(themes, object)[theme],
        "contribution": contribution,
        "points": contribution * np.concatenate(rates)[member],
    }
    return pa.table(columns, THEMES)
