"""Scores of an earlier cut-off of the same day, kept for the groups where nothing changed."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from .score_tables import FILES
from .scoring import Scored, ranks


def require_same_run(before: Scored, since: datetime, model_version: str, where: str) -> None:
    """Makes sure that earlier scores may be carried over.

    Raises:
        BadInput: they are of another cut-off or of another model.
    """
    instants = pc.unique(before.scores["as_of"]).to_pylist()
    versions = pc.unique(before.scores["model_version"]).to_pylist()
    if instants != [since] or versions != [model_version]:
        came = ", ".join(f"{instant:%Y-%m-%d %H:%M:%S}" for instant in instants) or "no scores"
        raise BadInput(
            f"--changed-since: expected in {where} the scores of {since:%Y-%m-%d %H:%M:%S} by "
            f"model {model_version}, got {came} by model {', '.join(versions) or 'none'}; score "
            "once without --changed-since"
        )


def nothing_scored() -> Scored:
    """The tables without a row."""
    return Scored(**{name: schema.empty_table() for name, schema in FILES.items()})


def carried(before: Scored, anew: Scored, changed: pa.Array, as_of: datetime) -> Scored:
    """Scores of a cut-off: those computed anew, and the earlier ones of all other groups.

    Args:
        before: of the earlier cut-off.
        anew: of the changed groups that are open now.
        changed: their ids, and those of groups that are not open any more.
        as_of: the cut-off.
    """
    tables = {}
    for name, schema in FILES.items():
        kept = getattr(before, name)
        kept = kept.filter(pc.invert(pc.is_in(kept["group_id"], value_set=changed)))
        instant = pa.repeat(pa.scalar(as_of, schema.field("as_of").type), kept.num_rows)
        kept = kept.set_column(schema.get_field_index("as_of"), schema.field("as_of"), instant)
        both = pa.concat_tables([getattr(anew, name), kept])
        # Within a group the rows keep their order: it is the one of people, or of actions.
        order = np.argsort(both["group_id"].to_numpy(zero_copy_only=False), kind="stable")
        tables[name] = both.take(pa.array(order))
    scores = tables["scores"]
    ranked = pa.array(ranks(scores["log_odds"].to_numpy()), scores.schema.field("rank").type)
    place = scores.schema.get_field_index("rank")
    tables["scores"] = scores.set_column(place, scores.schema.field("rank"), ranked)
    return Scored(**tables)
