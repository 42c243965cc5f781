"""What people have decided: pairs that are one person or are not, roles of titles and members."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from ..contract import BadInput

COLUMNS = ("subject", "left", "right", "decision")
"""Of decisions.csv. Subjects: `pair` (two records, yes or no), `title` (a title, a role), `member`
(a group and a contact, a role), `value` (a CRM's value, a role)."""

REVIEW_COLUMNS = (*COLUMNS, "suggestion", "probability", "count", "detail")
"""Of review.csv: what is asked, most worth first; `decision` is empty for the answer."""

_YES = ("yes", "y", "same", "true", "1", "はい", "同じ", "同一")
_NO = ("no", "n", "different", "false", "0", "いいえ", "別", "別人")


@dataclass
class Decisions:
    """Decisions by subject; the last one on a thing holds."""

    pairs: dict[tuple[str, str], bool] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    members: dict[tuple[str, str], str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """What decisions.csv holds, in an order that does not change."""
        return sorted(
            [
                ("pair", left, right, "yes" if same else "no")
                for (left, right), same in self.pairs.items()
            ]
            + [("title", title, "", role) for title, role in self.titles.items()]
            + [("member", group, contact, role) for (group, contact), role in self.members.items()]
            + [("value", value, "", role) for value, role in self.values.items()]
        )


def read_decisions(folder: Path) -> Decisions:
    """The decisions of decisions.csv, and after them the answers written into review.csv.

    Raises:
        BadInput: a decision on a pair is neither yes nor no, or a subject is unknown.
    """
    decisions = Decisions()
    for name in ("decisions.csv", "review.csv"):
        path = folder / name
        if path.is_file():
            with path.open(encoding="utf-8-sig", newline="") as file:
                for line, row in enumerate(csv.DictReader(file), start=2):
                    _take(decisions, row, f"{name}, line {line}")
    return decisions


def _take(decisions: Decisions, row: dict[str, str], where: str) -> None:
    decision = (row.get("decision") or "").strip()
    subject, left, right = (row.get(one) or "" for one in COLUMNS[:3])
    if not decision:
        return
    if subject == "pair":
        lower = decision.lower()
        if lower not in _YES + _NO:
            raise BadInput(f"{where}: expected yes or no for a pair, got {decision!r}")
        first, second = sorted((left, right))
        decisions.pairs[first, second] = lower in _YES
    elif subject == "title":
        decisions.titles[left] = decision
    elif subject == "member":
        decisions.members[left, right] = decision
    elif subject == "value":
        decisions.values[left] = decision
    else:
        raise BadInput(
            f"{where}: expected pair, title, member or value as subject, got {subject!r}"
        )


def write_rows(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """A CSV file for people: with a byte-order mark, so that spreadsheets read Japanese."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(rows)
