"""How exports of CRM and marketing tools are read: the section `[import]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic.dataclasses import dataclass

from .field_types import SECTION, Number, Share, Text, must


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return False
    except KeyError:
        return False
    return True


_Zone = Annotated[Text, must(_known_zone, 'must be a time zone such as "Asia/Tokyo"')]


@dataclass(frozen=True, slots=True, config=SECTION)
class TableMapping:
    """One table of a system that we do not know, for `mqbg import files`.

    Attributes:
        table: what its rows are: companies, people, deals, deal_people, deal_stages, activities.
        columns: the column of each thing that the table holds, such as `email = "メールアドレス"`.
        kind: of its activities, where no column says it.
        person_table: the file that `person_id` points into; default: the mapped people.
    """

    table: Literal["companies", "people", "deals", "deal_people", "deal_stages", "activities"] = (
        "people"
    )
    columns: Mapping[Text, Text] = field(default_factory=dict)
    kind: Text | None = None
    person_table: Text | None = None


@dataclass(frozen=True, slots=True, config=SECTION)
class ImportSettings:
    """What an export means.

    Attributes:
        timezone: of the local times in UI exports and reports.
        own_domains: e-mail domains of our own people, who are no buyers.
        solution_property: the column of the deals that says the solution; default the pipeline.
        solutions: its value -> solution.
        stages: name or id of a stage -> stage of the contract.
        roles: a CRM's value, label or association type -> role, `not_a_buyer`, `negative` or
            `own_side`.
        groups: `deals`, or `deals_and_activity`: also where several people of an account, or one
            often, looked at what is about a solution and no deal is open.
        contents: id or words of the title of a content -> the solution that it is about; default
            the solution whose name is in the title.
        kinds: an activity kind of ours -> the one to use instead.
        columns: file or table -> how it is mapped, for systems that we do not know.
        inferred_joins: where a member's date is inferred and nothing ties it to the deal: `early`
            takes the latest of both creations, `late` the deal's end, `exclude` leaves it out.
        same_person: probability from which two contacts are one; None is what the CRM's own merges
            say.
        review_from: pairs from this probability on are asked for in review.csv.
    """

    timezone: _Zone | None = None
    own_domains: tuple[Text, ...] = ()
    solution_property: Text | None = None
    solutions: Mapping[Text, Text] = field(default_factory=dict)
    stages: Mapping[Text, Text] = field(default_factory=dict)
    roles: Mapping[Text, Text] = field(default_factory=dict)
    groups: Literal["deals", "deals_and_activity"] = "deals"
    contents: Mapping[Text, Text] = field(default_factory=dict)
    kinds: Mapping[Text, Text] = field(default_factory=dict)
    columns: Mapping[Text, TableMapping] = field(default_factory=dict)
    inferred_joins: Literal["early", "late", "exclude"] = "early"
    same_person: Share | None = None
    review_from: Number = 0.5
