"""An export of a simulated world, imported, and compared row by row with what is true of it."""

from itertools import combinations
from pathlib import Path

import pandas as pd
from mqbg.intake.importing import import_export
from mqbg.settings import settings_from_values

KINDS = {
    "hubspot_ui_en": "hubspot", "hubspot_ui_ja": "hubspot", "hubspot_ui_names": "hubspot",
    "hubspot_fivetran": "hubspot", "hubspot_airbyte": "hubspot", "hubspot_dlt": "hubspot",
    "salesforce_export": "salesforce", "salesforce_data_loader": "salesforce",
    "salesforce_fivetran": "salesforce", "salesforce_fivetran_history": "salesforce",
    "salesforce_dlt": "salesforce", "marketo_bulk": "marketo",
    "account_engagement": "account_engagement",
}  # fmt: skip
DATES_JOINS = tuple(shape for shape, kind in KINDS.items() if kind != "hubspot")
NO_ACTIVITIES = ("hubspot_ui_en", "hubspot_ui_ja", "hubspot_ui_names", "hubspot_dlt")
_STAGES = {
    "open": {"Prospecting", "見込み"}, "opportunity": {"Proposal", "提案"}, "won": {"won"},
    "lost": {"lost"}, "reopened": {"Prospecting", "reopened"},
}  # fmt: skip


class Compared:
    """An import beside the truth of its export."""

    def __init__(self, world: Path, shape: str, out: Path):
        settings = {"import": {"timezone": "Asia/Tokyo"}} if "_ui_" in shape else {}
        self.report = import_export(
            KINDS[shape], str(world / "exports" / shape), out,
            settings=settings_from_values(settings, "test"),
        )  # fmt: skip
        self._read(world, shape, out)

    @classmethod
    def of(cls, world: Path, shape: str, out: Path) -> "Compared":
        """What was imported already."""
        made = cls.__new__(cls)
        made._read(world, shape, out)
        return made

    def _read(self, world: Path, shape: str, out: Path) -> None:
        self.shape, self.out = shape, out
        truth = world / "truth" / "exports" / shape
        self.truth = {one.stem: pd.read_parquet(one) for one in truth.iterdir()}
        self.identities = pd.read_parquet(out / "import" / "identities.parquet")

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.out / f"{name}.parquet")

    def ids(self, table: str) -> pd.DataFrame:
        """Rows of the truth beside ours: true, id."""
        ours = self.identities[self.identities.table == table]
        true = self.truth["identities"][lambda rows: rows.table == table]
        return true.rename(columns={"id": "true"}).merge(
            ours[["source_table", "source_id", "id"]], on=["source_table", "source_id"]
        )

    def pairs(self, table: str) -> tuple[float, float]:
        """Precision and recall over pairs of records."""
        rows = self.ids(table)
        ours, true = _pairs(rows, "id"), _pairs(rows, "true")
        both = len(ours & true)
        return both / max(1, len(ours)), both / max(1, len(true))

    def activities(self) -> pd.DataFrame:
        """The truth's activities with the one of ours that is the same row: true_*, and matched."""
        ours = self.table("activities")
        parts = ours.activity_id.str.split(":", n=2)
        ours = ours.assign(source_table=parts.str[1], source_id=parts.str[2])
        truth = self.truth["activities"]
        merged = truth.merge(
            ours[["source_table", "source_id", "contact_id", "group_id", "occurred_at"]],
            on=["source_table", "source_id"], how="left", suffixes=("_true", ""),
        )  # fmt: skip
        known = self.ids("contacts").drop_duplicates("true").set_index("true").id
        merged["expected_contact"] = merged.contact.map(known)
        return merged

    def groups(self) -> pd.Series:
        """The buying group of each deal, by the deal's id in the source."""
        rows = self.identities[self.identities.table == "buying_groups"]
        return rows.drop_duplicates("source_id").set_index("source_id").id

    def members(self) -> pd.DataFrame:
        """The truth's members beside ours: joined_at_true and joined_at."""
        known = self.ids("contacts").drop_duplicates("true").set_index("true").id
        truth = self.truth["members"].assign(
            group_id=lambda rows: rows.deal.map(self.groups()),
            contact_id=lambda rows: rows.contact.map(known),
        )
        first = truth.sort_values("joined_at").drop_duplicates(["group_id", "contact_id"])
        return first.merge(
            self.table("members"), on=["group_id", "contact_id"], how="left",
            suffixes=("_true", ""),
        )  # fmt: skip

    def stage_events_missed(self) -> list[tuple]:
        """Stage events of the truth that we do not have to the second."""
        ours = self.table("stage_events")
        have = set(zip(ours.group_id, ours.stage, ours.occurred_at.dt.floor("s"), strict=True))
        groups = self.groups()
        return [
            (deal, stage, when)
            for deal, stage, when in self.truth["stage_events"].itertuples(index=False)
            if not any((groups.get(deal), name, when) in have for name in _STAGES[stage])
        ]


def _pairs(rows: pd.DataFrame, column: str) -> set[tuple[str, str]]:
    names = rows.source_table + ":" + rows.source_id
    return {
        pair
        for _one, members in names.groupby(rows[column])
        for pair in combinations(sorted(set(members)), 2)
    }
