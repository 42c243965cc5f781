"""The table of what carried each member's contribution, made by columns: it is the longest one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from ...explain.shapley.stakeholders import GroupStakeholders
from .score_tables import THEMES


def theme_contributions(
    stakeholders: Sequence[GroupStakeholders], themes: Sequence[str], as_of: datetime
) -> pa.Table:
    """One row for each member and theme that carried something, in the order of the members.

    Args:
        stakeholders: the groups.
        themes: names, in the order of `GroupStakeholders.contributions_by_theme`.
        as_of: the cut-off.

    Returns:
        Rows of `THEMES`; those of a member sum to their contribution, and to their points.
    """
    if not stakeholders:
        return THEMES.empty_table()
    shares = np.concatenate([group.contributions_by_theme for group in stakeholders])
    rates = [np.full(len(group.points), group.points_per_log_odds) for group in stakeholders]
    member, theme = np.nonzero(shares)
    contribution = shares[member, theme]
    group_ids = np.repeat(
        [group.group.group_id for group in stakeholders],
        [len(group.points) for group in stakeholders],
    )
    contact_ids = np.concatenate([group.group.contact_ids for group in stakeholders])
    columns = {
        "group_id": group_ids[member],
        "as_of": pa.repeat(pa.scalar(as_of, THEMES.field("as_of").type), member.size),
        "contact_id": contact_ids[member],
        "theme": np.array(themes, object)[theme],
        "contribution": contribution,
        "points": contribution * np.concatenate(rates)[member],
    }
    return pa.table(columns, THEMES)
