"""Scores carried over from earlier the same day are those of a full run."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from mqbg.contract import BadInput
from mqbg.explain.language import load_language
from mqbg.features.time_rules.changed_groups import changed_groups
from mqbg.serve.batch.incremental import empty_score_tables, merge_scores, require_matching_scores
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import score

AS_OF = datetime(2025, 7, 1, 15)
SINCE = AS_OF - timedelta(minutes=1)


@pytest.fixture(scope="module")
def by_hand(slim_model):
    """Scores at both cut-offs, and of the changed groups alone at the later one."""
    source, bundle = slim_model

    def scored(as_of, only=None):
        return score(
            source, bundle, as_of, model_version="7", language=load_language("en"), group_ids=only
        ).tables()

    changed = changed_groups(source, SINCE, AS_OF)
    return scored(SINCE), scored(AS_OF), scored(AS_OF, changed.to_pylist()), changed


def test_what_is_carried_over_and_what_is_new_equal_a_full_run(by_hand):
    before, full, anew, changed = by_hand
    got = merge_scores(before, anew, changed, AS_OF)
    for name in SCORE_SCHEMAS:
        assert getattr(got, name).to_pylist() == getattr(full, name).to_pylist()


def test_most_groups_are_carried_over_within_a_minute(by_hand):
    _before, full, anew, _changed = by_hand
    assert 0 < anew.scores.num_rows < full.scores.num_rows / 2


def test_no_changed_group_keeps_all_scores_and_names_the_new_cutoff(by_hand):
    before, *_ = by_hand
    got = merge_scores(before, empty_score_tables(), pa.array([], pa.string()), AS_OF)
    assert got.scores.drop(["as_of"]) == before.scores.drop(["as_of"])
    assert set(got.scores["as_of"].to_pylist()) == {AS_OF}


@pytest.mark.parametrize(("since", "version"), [(AS_OF, "7"), (SINCE, "8")])
def test_scores_of_another_cutoff_or_model_are_refused(by_hand, since, version):
    before, *_ = by_hand
    require_matching_scores(before, SINCE, "7", "here")
    with pytest.raises(BadInput, match="expected in here the scores of"):
        require_matching_scores(before, since, version, "here")
