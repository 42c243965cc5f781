"""People of the account who may fill a role that a group lacks, as `mqbg import` suggests them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...contract import BadInput
from ...explain.language import Language
from ...source import Source

SUGGESTIONS_FILE = Path("import") / "suggestions.parquet"
"""Where `mqbg import` writes them, in the folder of the tables."""

RECENT_DAYS = 90  # of `activities_90d`
_COLUMNS = (
    "group_id", "role", "rank", "contact_id", "probability", "activities_90d", "last_activity_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Somebody who is no member of a group and may have a role that it lacks.

    Attributes:
        role: that they may have.
        contact_id: who it is.
        name: of the contact, None if unknown.
        title: of the contact, from which the role is guessed; None if unknown.
        probability: of the role by the title, 0..1.
        activities_90d: what they did in the 90 days before the import.
        last_activity_at: when they last did anything; None for never.
    """

    role: str
    contact_id: str
    name: str | None
    title: str | None
    probability: float
    activities_90d: int
    last_activity_at: datetime | None

    def reasons(self, language: Language) -> list[str]:
        """Why they may be the one, in sentences."""
        role = language.word("roles", self.role)
        said = [
            language.render(
                "suggested_by_title", title=self.title, role=role, probability=self.probability
            )
        ]
        if self.activities_90d:
            said.append(
                language.render("activities_of_late", count=self.activities_90d, days=RECENT_DAYS)
            )
        else:
            said.append(language.render("suggested_silent", date=self.last_activity_at))
        return said


@dataclass(frozen=True)
class Suggestions:
    """The suggestions of all groups, the best of each role first."""

    by_group: Mapping[str, tuple[Suggestion, ...]]

    def of_group(
        self, group_id: str, missing_roles: Collection[str], members: Collection[str]
    ) -> list[Suggestion]:
        """Those that a page shows: the group lacked the role at its cut-off, and them as well.

        Args:
            group_id: of the group.
            missing_roles: at the cut-off.
            members: contact ids of its members then.
        """
        return [
            one
            for one in self.by_group.get(group_id, ())
            if one.role in missing_roles and one.contact_id not in members
        ]


def read_suggestions(source: Source) -> Suggestions:
    """The suggestions beside a folder of tables; none where no import wrote them.

    Somebody who is in `contacts` no more is left out.

    Raises:
        BadInput: the file is damaged, or lacks a column.
    """
    path = Path(source.name) / SUGGESTIONS_FILE
    if not path.is_file():
        return Suggestions({})
    try:
        rows = pq.read_table(path, columns=list(_COLUMNS)).sort_by(
            [(key, "ascending") for key in ("group_id", "role", "rank")]
        )
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise BadInput(
            f"{path}: expected the suggestions that `mqbg import` writes, could not read them: "
            f"{str(error).splitlines()[0]}; import again, or remove the file"
        ) from None
    contacts = source.tables["contacts"].select("contact_id", "full_name", "title").to_pyarrow()
    named = contacts.filter(
        pc.is_in(contacts["contact_id"], value_set=pc.unique(rows["contact_id"]))
    )
    return Suggestions(_by_group(rows.to_pylist(), named.to_pylist()))


def _by_group(
    rows: Iterable[Mapping[str, Any]], contacts: Iterable[Mapping[str, Any]]
) -> dict[str, tuple[Suggestion, ...]]:
    known = {contact["contact_id"]: contact for contact in contacts}
    found: dict[str, list[Suggestion]] = {}
    for row in rows:
        if contact := known.get(row["contact_id"]):
            found.setdefault(row["group_id"], []).append(
                Suggestion(
                    row["role"], row["contact_id"], contact["full_name"], contact["title"],
                    row["probability"], row["activities_90d"], row["last_activity_at"],
                )
            )  # fmt: skip
    return {group_id: tuple(of_group) for group_id, of_group in found.items()}
