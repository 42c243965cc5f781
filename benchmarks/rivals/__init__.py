"""What the pipeline is measured against: the same dozen features, made in other ways.

Each rival reads the contract's Parquet files and gives group_id, as_of and the `DOZEN` of every
eligible group at each cut-off, by the same rules of time. Cut-offs are midnights, so that whole
days say all that windows and ages need; a rival may use that, as an expert would.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time

DOZEN = (
    "inbound_7d", "inbound_30d", "inbound_90d", "inbound_ever", "high_intent_30d", "outbound_30d",
    "engagement_21", "engagement_max", "days_since_inbound", "days_since_high_intent", "members",
    "active_members_30d",
)  # fmt: skip
SUMS_OF_AMOUNTS = ("engagement_21", "engagement_max")  # the others are whole numbers
EPOCH = datetime(1970, 1, 1)


def days_of(as_ofs: Sequence[datetime]) -> tuple[int, ...]:
    """Days from 1970 to each cut-off.

    Raises:
        ValueError: a cut-off is not a midnight.
    """
    for as_of in as_ofs:
        if as_of.time() != time():
            raise ValueError(f"rivals expect cut-offs at midnight, got {as_of}: use whole days")
    return tuple((as_of - EPOCH).days for as_of in as_ofs)
