"""What changed since an earlier set of scores: the group's score, and each member's part of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ...contract import BadInput
from ..batch.names import Names
from ..batch.scoring import Scored
from .charts import adding_up
from .portfolio import Row, moved, one_cutoff, shown_score

MAX_MOVED = 20
"""Members shown one by one, those that moved most; the rest is one line, so sums stay true."""

JOINED, LEFT, STAYED = "joined", "left", "stayed"


@dataclass(frozen=True, slots=True)
class Moved:
    """A member whose part changed.

    Attributes:
        contact_id: of the contact.
        name: of the contact, None if unknown.
        role: now, or before for one who left.
        turn: `joined`, `left` or `stayed`.
        points: change of the member's part, as shown; all parts add up to the change of the score.
    """

    contact_id: str
    name: str | None
    role: str
    turn: str
    points: float


@dataclass(frozen=True, slots=True)
class Change:
    """One group since the earlier score: account + people + others = points.

    Attributes:
        since: the earlier cut-off.
        before: 100 x readiness then, as shown.
        points: by how much it moved, as shown.
        account: change of the part of the account with nobody in the group.
        people: the members that moved most, the largest move first.
        others: how many more there are, and their change together; None where there is no more.
        status: the earlier one, None if it is still the same.
        version: of the earlier model, None if it is still the same.
    """

    since: datetime
    before: float
    points: float
    account: float
    people: tuple[Moved, ...]
    others: tuple[int, float] | None
    status: str | None
    version: str | None


@dataclass(frozen=True)
class Earlier:
    """An earlier set of scores, by group_id."""

    scores: Mapping[str, Row]
    members: Mapping[str, Mapping[str, Row]]


def earlier_scores(before: Scored, as_of: datetime) -> Earlier:
    """The earlier scores, ready to compare with.

    Args:
        before: the tables that `mqbg score` wrote.
        as_of: the later cut-off.

    Raises:
        BadInput: there are no scores, not of one cut-off, or not of an earlier one.
    """
    since = one_cutoff(before, "--before")
    if since >= as_of:
        raise BadInput(
            f"--before: expected scores of a cut-off before {as_of:%Y-%m-%d %H:%M}, got those of "
            f"{since:%Y-%m-%d %H:%M}; name the folder of the earlier `mqbg score`"
        )
    members: dict[str, dict[str, Row]] = {}
    for row in before.stakeholders.select(["group_id", "contact_id", "role", "points"]).to_pylist():
        members.setdefault(row["group_id"], {})[row["contact_id"]] = row
    return Earlier({row["group_id"]: row for row in before.scores.to_pylist()}, members)


def change_of(
    score: Row, members: Sequence[Row], earlier: Earlier | None, names: Names
) -> Change | None:
    """What changed in one group; None where it was not scored then.

    Args:
        score: its row of the scores table now.
        members: its rows of the stakeholders table now.
        earlier: the earlier scores; None where there are none.
        names: of contacts.
    """
    old = None if earlier is None else earlier.scores.get(score["group_id"])
    if earlier is None or old is None:
        return None
    were = earlier.members.get(score["group_id"], {})
    are = {row["contact_id"]: row for row in members}
    by_member = {
        contact_id: _points(are, contact_id) - _points(were, contact_id)
        for contact_id in (*are, *(gone for gone in were if gone not in are))
    }
    order = sorted(by_member, key=lambda contact_id: (-abs(by_member[contact_id]), contact_id))
    # A part that rounds to nothing tells nothing, unless somebody came or went.
    told = [one for one in order if abs(by_member[one]) >= 0.05 or (one in are) != (one in were)]
    told = told[:MAX_MOVED]
    rest = [one for one in order if one not in set(told)]
    account = 100 * (score["readiness"] - old["readiness"]) - math.fsum(by_member.values())
    points = moved(score, old) or 0.0
    together = [math.fsum(by_member[one] for one in rest)] if rest else []
    shown = adding_up([account, *(by_member[one] for one in told), *together], points)
    return Change(
        since=old["as_of"],
        before=shown_score(old),
        points=points,
        account=shown[0],
        people=tuple(
            Moved(one, names.contact(one)[0], (are.get(one) or were[one])["role"],
                  _turn(one in were, one in are), part)
            for one, part in zip(told, shown[1 : 1 + len(told)], strict=True)
        ),
        others=(len(rest), shown[-1]) if rest else None,
        status=None if old["status"] == score["status"] else old["status"],
        version=None if old["model_version"] == score["model_version"] else old["model_version"],
    )  # fmt: skip


def _points(rows: Mapping[str, Row], contact_id: str) -> float:
    row = rows.get(contact_id)
    return 0.0 if row is None else float(row["points"])


def _turn(was: bool, is_now: bool) -> str:
    if was and is_now:
        return STAYED
    return JOINED if is_now else LEFT
