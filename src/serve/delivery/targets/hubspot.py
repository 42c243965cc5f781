"""HubSpot: batch upserts of deals or a custom object by a unique property, and notes on them.

Sources: HubSpot's own OpenAPI descriptions of CRM objects and properties, version 2026-03.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....settings import Settings
from ....settings.delivery import HubSpot as Own
from ..desired_records import as_text, group_columns, wanted
from .bisect_batch import Halving, Refusal
from .hubspot_batch_upsert import BATCH, upsert
from .hubspot_notes import Notes, note_columns
from .hubspot_properties import identity, make, properties_of
from .service_client import Web
from .target import GROUP, NOTE, Given, Item, Outcome, Wanted


class HubSpot:
    """Upserts by a unique property that holds the group_id, so a repeated request changes nothing.

    Every input names the property in `idProperty` (without it HubSpot may change nothing and say
    nothing) and carries a trace id of its own, by which the errors of a partly refused batch name
    their records. A record counts as written when HubSpot names it in its answer.
    """

    name = "hubspot"

    def __init__(self, web: Web, own: Own) -> None:
        self._web, self._own = web, own
        self._groups = Halving(self._post)
        self._notes = Notes(web, own)
        self.connections = own.connections

    @property
    def kinds(self) -> tuple[str, ...]:
        """Notes last: they hang on records, whose ids HubSpot tells."""
        return (GROUP, NOTE) if self._own.notes else (GROUP,)

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """As many as a request may hold."""
        return BATCH

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One request, or more where records are refused."""
        return self._notes.send(items) if items[0].kind == NOTE else self._groups.send(items)

    def _post(self, items: Sequence[Item]) -> list[Outcome] | Refusal:
        path = self._own.path.format(object_type=self._own.object_type)
        return upsert(self._web, path, self._own.id_property, items)

    def prepare(self) -> list[str]:
        """Makes the properties that are not there yet."""
        own = self._own
        made = make(self._web, own, own.object_type, properties_of(own))
        if own.notes:
            made += make(self._web, own, "notes", [identity(own.note_id_property, "")])
        return made


def hubspot_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group, and a note on those whose status the settings name."""
    own = settings.push.hubspot
    columns = group_columns(given, settings, tuple(own.mapping))
    groups = wanted(GROUP, columns["group_id"], columns, own.mapping, as_text)
    if not own.notes:
        return [groups]
    ids, notes, names = note_columns(given, settings)
    return [groups, wanted(NOTE, ids, notes, names, as_text)]
