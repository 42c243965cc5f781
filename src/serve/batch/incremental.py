"""Scores of an earlier cut-off of the same day, kept for the groups where nothing changed."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from .score_rows import ranks
from .score_tables import SCORE_SCHEMAS
from .scoring import ScoreTables


def require_matching_scores(
    before: ScoreTables, since: datetime, model_version: str, where: str
) -> None:
    """Makes sure that earlier scores may be carried over.

    Raises:
        BadInput: they are of another cut-off or of another model.
    """
    instants = pc.unique(before.scores["as_of"]).to_pylist()
    versions = pc.unique(before.scores["model_version"]).to_pylist()
    if instants != [since] or versions != [model_version]:
        got = ", ".join(f"{instant:%Y-%m-%d %H:%M:%S}" for instant in instants) or "no scores"
        raise BadInput(
            f"--changed-since: expected in {where} the scores of {since:%Y-%m-%d %H:%M:%S} by "
            f"model {model_version}, got {got} by model {', '.join(versions) or 'none'}; score "
            "once without --changed-since"
        )


def empty_score_tables() -> ScoreTables:
    """The tables without a row."""
    return ScoreTables(**{name: schema.empty_table() for name, schema in SCORE_SCHEMAS.items()})


def merge_scores(
    earlier: ScoreTables, recomputed: ScoreTables, changed: pa.Array, as_of: datetime
) -> ScoreTables:
    """Scores of a cut-off: those computed again, and the earlier ones of all other groups.

    Args:
        earlier: of the earlier cut-off.
        recomputed: of the changed groups that are open now.
        changed: their ids, and those of groups that are not open any more.
        as_of: the cut-off.
    """
    tables = {}
    for name, schema in SCORE_SCHEMAS.items():
        kept = getattr(earlier, name)
        kept = kept.filter(pc.invert(pc.is_in(kept["group_id"], value_set=changed)))
        instant = pa.repeat(pa.scalar(as_of, schema.field("as_of").type), kept.num_rows)
        kept = kept.set_column(schema.get_field_index("as_of"), schema.field("as_of"), instant)
        both = pa.concat_tables([getattr(recomputed, name), kept])
        # Within a group the rows keep their order: it is the one of people, or of actions.
        order = np.argsort(both["group_id"].to_numpy(zero_copy_only=False), kind="stable")
        tables[name] = both.take(pa.array(order))
    scores = tables["scores"]
    ranked = pa.array(ranks(scores["log_odds"].to_numpy()), scores.schema.field("rank").type)
    index = scores.schema.get_field_index("rank")
    tables["scores"] = scores.set_column(index, scores.schema.field("rank"), ranked)
    return ScoreTables(**tables)
