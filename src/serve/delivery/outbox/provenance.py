"""Where records were sent and of which cut-off: what a push must not contradict by accident."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ....contract import BadInput
from ..targets.endpoint import Endpoint
from .outbox_table import PENDING, outbox


def require_same_endpoint(connection: sa.Connection, target: str, endpoint: Endpoint) -> None:
    """Makes sure that a target points where its records were sent before.

    Raises:
        BadInput: it points elsewhere, or what was sent there is gone.
    """
    was_sent = sa.or_(outbox.c.sent_hash.is_not(None), outbox.c.remote_id.is_not(None))
    elsewhere = outbox.c.fingerprint != endpoint.fingerprint
    query = sa.select(sa.func.count()).where(
        outbox.c.target == target, was_sent, sa.true() if endpoint.lost else elsewhere
    )
    if count := connection.scalar(query):
        found = "a file that is gone" if endpoint.lost else "another address, account or table"
        raise BadInput(
            f"push: expected {target} to be where {count:,} records were sent before, got {found}; "
            f"point it back there, or send everything there with mqbg push --to {target} "
            "--resend-all"
        )


def require_not_older(connection: sa.Connection, target: str, as_of: datetime) -> None:
    """Makes sure that scores are not older than what a target was to hold before.

    Raises:
        BadInput: they are.
    """
    latest = connection.scalar(
        sa.select(sa.func.max(outbox.c.as_of)).where(outbox.c.target == target)
    )
    if latest is not None and as_of < latest:
        raise BadInput(
            f"push: expected scores as of {latest.isoformat()} or later, which {target} was sent, "
            f"got those as of {as_of.isoformat()}; push the later folder, or go back on purpose "
            "with --allow-older"
        )


def resend_all(connection: sa.Connection, target: str) -> None:
    """Makes every record of a target pending, as if nothing had ever been sent."""
    unknown = dict.fromkeys(
        ("sent_payload", "sent_hash", "last_error", "next_attempt_at", "remote_id", "fingerprint")
    )
    everything = sa.update(outbox).where(outbox.c.target == target)
    connection.execute(everything.values(state=PENDING, attempts=0, **unknown))


def keep_provenance(
    connection: sa.Connection, target: str, endpoint: Endpoint, as_of: datetime
) -> None:
    """Notes where a target points now and that it was given this cut-off.

    Rows that changed have the cut-off already. Where none did, a single row tells of it: to touch
    every row each night would cost more than the night.
    """
    of_target = outbox.c.target == target
    moved = sa.func.coalesce(outbox.c.fingerprint, "") != endpoint.fingerprint
    connection.execute(
        sa.update(outbox).where(of_target, moved).values(fingerprint=endpoint.fingerprint)
    )
    first = sa.select(sa.func.min(outbox.c.object_id)).where(of_target).scalar_subquery()
    is_earlier = sa.or_(outbox.c.as_of.is_(None), outbox.c.as_of < as_of)
    connection.execute(
        sa.update(outbox)
        .where(of_target, outbox.c.object_id == first, is_earlier)
        .values(as_of=as_of)
    )
