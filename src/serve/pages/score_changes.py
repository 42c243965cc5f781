"""What changed since an earlier set of scores: the group's score, and each member's part of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ...contract import BadInput
from ..batch.names import Names
from ..batch.scoring import ScoreTables
from .charts import round_to_total
from .portfolio import Row, displayed_score, require_one_cutoff, score_change

MAX_LISTED_CHANGES = 20
"""Members shown one by one, those that moved most; the rest is one line, so sums stay true."""

JOINED, LEFT, STAYED = "joined", "left", "stayed"


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A member whose part changed.

    Attributes:
        contact_id: of the contact.
        name: of the contact, None if unknown.
        role: now, or before for one who left.
        membership_change: `joined`, `left` or `stayed`.
        points: change of the member's part, as shown; all parts add up to the change of the score.
    """

    contact_id: str
    name: str | None
    role: str
    membership_change: str
    points: float


@dataclass(frozen=True, slots=True)
class GroupChange:
    """One group since the earlier score: account + people + others = points.

    Attributes:
        since: the earlier cut-off.
        score_before: 100 x readiness then, as shown.
        points: by how much it moved, as shown.
        account: change of the part of the account with nobody in the group.
        members: the members that moved most, the largest move first.
        others: how many more there are, and their change together; None where there is no more.
        earlier_status: the earlier one, None if it is still the same.
        earlier_version: of the earlier model, None if it is still the same.
    """

    since: datetime
    score_before: float
    points: float
    account: float
    members: tuple[MemberChange, ...]
    others: tuple[int, float] | None
    earlier_status: str | None
    earlier_version: str | None


@dataclass(frozen=True)
class EarlierScores:
    """An earlier set of scores, by group_id."""

    scores: Mapping[str, Row]
    members: Mapping[str, Mapping[str, Row]]


def index_earlier_scores(earlier: ScoreTables, as_of: datetime) -> EarlierScores:
    """The earlier scores, ready to compare with.

    Args:
        earlier: the tables that `mqbg score` wrote.
        as_of: the later cut-off.

    Raises:
        BadInput: there are no scores, not of one cut-off, or not of an earlier one.
    """
    since = require_one_cutoff(earlier, "--before")
    if since >= as_of:
        raise BadInput(
            f"--before: expected scores of a cut-off before {as_of:%Y-%m-%d %H:%M}, got those of "
            f"{since:%Y-%m-%d %H:%M}; name the folder of the earlier `mqbg score`"
        )
    members: dict[str, dict[str, Row]] = {}
    for row in earlier.stakeholders.select(
        ["group_id", "contact_id", "role", "points"]
    ).to_pylist():
        members.setdefault(row["group_id"], {})[row["contact_id"]] = row
    return EarlierScores({row["group_id"]: row for row in earlier.scores.to_pylist()}, members)


def group_change(
    score: Row, members: Sequence[Row], earlier: EarlierScores | None, names: Names
) -> GroupChange | None:
    """What changed in one group; None where it was not scored then.

    Args:
        score: its row of the scores table now.
        members: its rows of the stakeholders table now.
        earlier: the earlier scores; None where there are none.
        names: of contacts.
    """
    earlier_score = None if earlier is None else earlier.scores.get(score["group_id"])
    if earlier is None or earlier_score is None:
        return None
    members_before = earlier.members.get(score["group_id"], {})
    members_now = {row["contact_id"]: row for row in members}
    by_member = {
        contact_id: _points(members_now, contact_id) - _points(members_before, contact_id)
        for contact_id in (
            *members_now,
            *(contact_id for contact_id in members_before if contact_id not in members_now),
        )
    }
    order = sorted(by_member, key=lambda contact_id: (-abs(by_member[contact_id]), contact_id))
    # A part that rounds to nothing tells nothing, unless somebody came or went.
    listed = [
        contact_id
        for contact_id in order
        if abs(by_member[contact_id]) >= 0.05
        or (contact_id in members_now) != (contact_id in members_before)
    ]
    listed = listed[:MAX_LISTED_CHANGES]
    rest = [contact_id for contact_id in order if contact_id not in set(listed)]
    account = 100 * (score["readiness"] - earlier_score["readiness"]) - math.fsum(
        by_member.values()
    )
    points = score_change(score, earlier_score) or 0.0
    rest_total = [math.fsum(by_member[contact_id] for contact_id in rest)] if rest else []
    rounded = round_to_total(
        [account, *(by_member[contact_id] for contact_id in listed), *rest_total], points
    )
    return GroupChange(
        since=earlier_score["as_of"],
        score_before=displayed_score(earlier_score),
        points=points,
        account=rounded[0],
        members=tuple(
            MemberChange(
                contact_id,
                names.contact(contact_id)[0],
                (members_now.get(contact_id) or members_before[contact_id])["role"],
                _membership_change(contact_id in members_before, contact_id in members_now),
                part,
            )
            for contact_id, part in zip(listed, rounded[1 : 1 + len(listed)], strict=True)
        ),
        others=(len(rest), rounded[-1]) if rest else None,
        earlier_status=_if_changed("status", earlier_score, score),
        earlier_version=_if_changed("model_version", earlier_score, score),
    )


def _if_changed(column: str, earlier: Row, now: Row) -> str | None:
    value: str = earlier[column]
    return None if value == now[column] else value


def _points(rows: Mapping[str, Row], contact_id: str) -> float:
    row = rows.get(contact_id)
    return 0.0 if row is None else float(row["points"])


def _membership_change(was_member: bool, is_member: bool) -> str:
    if was_member and is_member:
        return STAYED
    return JOINED if is_member else LEFT
